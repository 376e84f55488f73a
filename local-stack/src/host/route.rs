//! Route templates of HTTP triggers, matched as ASP.NET Core does. Methods and keys are the front's business.

use anyhow::bail;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter { name: String, optional: bool, constraint: Option<Constraint> },
    CatchAll(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constraint {
    Int,
    Guid,
    Alpha,
    Bool,
}

/// A template like `sql/{*rest}` or `runs/{id:guid}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    segments: Vec<Segment>,
}

impl Route {
    pub(super) fn parse(template: &str) -> anyhow::Result<Self> {
        if template.starts_with('/') {
            bail!("the route '{template}' must not begin with a slash");
        }
        let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
        let last = parts.len().saturating_sub(1);
        let mut segments = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let segment = match part.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
                None if part.contains(['{', '}']) => bail!("the route '{template}' has a segment that is half text"),
                None => Segment::Literal(part.to_lowercase()),
                Some(inner) if inner.starts_with('*') => {
                    if index != last {
                        bail!("the route '{template}' goes on after its catch-all");
                    }
                    Segment::CatchAll(inner.trim_start_matches('*').to_owned())
                }
                Some(inner) => {
                    let optional = inner.ends_with('?');
                    let inner = inner.trim_end_matches('?');
                    let (name, constraint) = match inner.split_once(':') {
                        Some((name, constraint)) => (name, Some(Constraint::parse(constraint)?)),
                        None => (inner, None),
                    };
                    Segment::Parameter { name: name.to_owned(), optional, constraint }
                }
            };
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// The route values when `path`, without a leading slash, fits.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut values = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::CatchAll(name) => {
                    values.push((name.clone(), parts.collect::<Vec<_>>().join("/")));
                    return Some(values);
                }
                Segment::Literal(text) => {
                    if parts.next()?.to_lowercase() != *text {
                        return None;
                    }
                }
                Segment::Parameter { name, optional, constraint } => match parts.next() {
                    Some(part) if constraint.is_none_or(|constraint| constraint.holds(part)) => {
                        values.push((name.clone(), part.to_owned()));
                    }
                    None if *optional => {}
                    _ => return None,
                },
            }
        }
        parts.next().is_none().then_some(values)
    }

    /// Smaller is tried first: text before constrained parameters, before parameters, before a catch-all.
    pub(super) fn precedence(&self) -> Vec<u8> {
        let mut ranks: Vec<u8> = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(_) => 1,
                Segment::Parameter { constraint: Some(_), .. } => 2,
                Segment::Parameter { .. } => 3,
                Segment::CatchAll(_) => 5,
            })
            .collect();
        ranks.push(4);
        ranks
    }
}

impl Constraint {
    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "int" | "long" => Self::Int,
            "guid" => Self::Guid,
            "alpha" => Self::Alpha,
            "bool" => Self::Bool,
            other => bail!("the route constraint '{other}' is not one this stand-in knows"),
        })
    }

    fn holds(self, part: &str) -> bool {
        match self {
            Self::Int => part.parse::<i64>().is_ok(),
            Self::Guid => part.parse::<uuid::Uuid>().is_ok(),
            Self::Alpha => part.chars().all(|letter| letter.is_ascii_alphabetic()),
            Self::Bool => part.eq_ignore_ascii_case("true") || part.eq_ignore_ascii_case("false"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        Route::parse(template).unwrap().matches(path)
    }

    #[test]
    fn a_catch_all_takes_the_rest_and_may_be_empty() {
        assert_eq!(matched("sql/{*rest}", "sql/statements/7").unwrap()[0].1, "statements/7");
        assert_eq!(matched("sql/{*rest}", "SQL").unwrap()[0].1, "");
        assert!(matched("sql/{*rest}", "sqlx/statements").is_none());
    }

    #[test]
    fn a_parameter_takes_one_segment_that_fits_its_constraint() {
        assert!(matched("runs/{id}", "runs").is_none());
        assert!(matched("runs/{id?}", "runs").is_some());
        assert!(matched("runs/{id:int}", "runs/seven").is_none());
        assert!(matched("runs/{id:int}", "runs/7/more").is_none());
    }

    #[test]
    fn text_is_tried_before_parameters_and_those_before_a_catch_all() {
        let rank = |template: &str| Route::parse(template).unwrap().precedence();
        assert!(rank("jobs/runs") < rank("jobs/{id}"));
        assert!(rank("jobs/{id}") < rank("jobs/{*rest}"));
    }
}
