//! From a path to a route: splitting, decoding, matching. No actix, no I/O.

use percent_encoding::percent_decode_str;

use super::function::{AuthLevel, Function, Route, Trigger};
use crate::failure::{Code, Failure};

/// A route that was found, and what stood in its braces.
#[derive(Debug)]
pub(super) struct Found<W: 'static> {
    pub(super) function: &'static str,
    pub(super) level: AuthLevel,
    pub(super) route: &'static Route<W>,
    pub(super) parts: Vec<String>,
}

/// Why none was found.
#[derive(Debug)]
pub(super) enum Missed {
    Path,
    /// The path is right; these are its methods, for `Allow`.
    Method(String),
}

impl Missed {
    pub(super) fn allowed(&self) -> Option<&str> {
        match self {
            Self::Path => None,
            Self::Method(allowed) => Some(allowed),
        }
    }

    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Path => Failure::new(Code::RouteNotFound, "There is no such address. Check the path, also its /api."),
            Self::Method(allowed) => {
                Failure::new(Code::MethodNotAllowed, format!("This address takes {allowed}, not this method."))
            }
        }
    }
}

/// Finds the route of a call. Fixed parts compare without case, as the host's own router does.
pub(super) fn find<W>(functions: &'static [Function<W>], method: &str, path: &str) -> Result<Found<W>, Missed> {
    let segments = split(path).ok_or(Missed::Path)?;
    let mut allowed: Vec<&str> = Vec::new();
    for function in functions {
        let Trigger::Http { level, routes } = &function.trigger else { continue };
        for route in *routes {
            let Some(parts) = match_path(route.path, &segments) else { continue };
            if route.verb.method() == method {
                return Ok(Found { function: function.name, level: *level, route, parts });
            }
            if !allowed.contains(&route.verb.method()) {
                allowed.push(route.verb.method());
            }
        }
    }
    Err(if allowed.is_empty() { Missed::Path } else { Missed::Method(allowed.join(", ")) })
}

/// Decoded segments. `None` for a path that plays tricks: an empty part, `.` or `..` in any spelling, control
/// characters, bytes that are no UTF-8. Such a part could otherwise climb out of a neighbour's URL.
fn split(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?
        .split('/')
        .map(|raw| {
            let decoded = percent_decode_str(raw).decode_utf8().ok()?;
            // Decoded once more it must not climb either: somebody on the way might do so.
            let again = percent_decode_str(&decoded).decode_utf8_lossy();
            let tricky = decoded.is_empty()
                || [decoded.as_ref(), again.as_ref()].iter().any(|text| {
                    text.chars().any(char::is_control)
                        || text.split(['/', '\\']).any(|part| part == "." || part == "..")
                });
            (!tricky).then(|| decoded.into_owned())
        })
        .collect()
}

fn match_path(template: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = segments.iter();
    for expected in template.trim_start_matches('/').split('/') {
        let segment = rest.next()?;
        if expected.starts_with('{') {
            parts.push(segment.clone());
        } else if !expected.eq_ignore_ascii_case(segment) {
            return None;
        }
    }
    rest.next().is_none().then_some(parts)
}

#[cfg(test)]
mod tests;
