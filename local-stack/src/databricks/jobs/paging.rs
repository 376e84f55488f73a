//! Pages: of lists, whose tokens stay good while entries come and go, and of arrays that are too long for one reply.

use std::collections::HashMap;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Response;
use serde_json::{Value, json};

use crate::databricks::reply::{invalid, ok};

/// Elements of an array in one reply (SDK, JobsAPI.get and get_run).
pub(super) const ARRAY: usize = 100;

pub(super) type Query = HashMap<String, String>;

enum Place {
    After(u64),
    Before(u64),
}

#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    next: Option<String>,
    previous: Option<String>,
}

/// A number in the query; None when it is absent.
pub(super) fn number<T: std::str::FromStr>(query: &Query, name: &str) -> Result<Option<T>, Response<Body>> {
    let read =
        |value: &String| value.parse().map_err(|_| invalid(&format!("Could not parse {name} {value} as a number.")));
    query.get(name).map(read).transpose()
}

pub(super) fn required(query: &Query, name: &str) -> Result<u64, Response<Body>> {
    number(query, name)?.ok_or_else(|| invalid(&format!("Missing required field: {name}")))
}

pub(super) fn is(query: &Query, name: &str) -> bool {
    query.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn token(way: char, key: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{way}{key}"))
}

fn bad_token() -> Response<Body> {
    invalid("The page token is not valid.")
}

fn read(token: &str) -> Option<(char, u64)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut rest = text.chars();
    let way = rest.next()?;
    Some((way, rest.as_str().parse().ok()?))
}

/// The page of `all` that is asked for. `key` falls from each entry to the next.
pub(super) fn page<T>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> u64,
    query: &Query,
    limit: usize,
) -> Result<Page<T>, Response<Body>> {
    let place = match query.get("page_token").filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => match read(token) {
            Some(('n', key)) => Some(Place::After(key)),
            Some(('p', key)) => Some(Place::Before(key)),
            _ => return Err(bad_token()),
        },
    };
    let position = |wanted: &dyn Fn(u64) -> bool| all.iter().position(|item| wanted(key(item))).unwrap_or(all.len());
    let (start, end) = match place {
        Some(Place::After(anchor)) => {
            let start = position(&|key| key < anchor);
            (start, start + limit)
        }
        Some(Place::Before(anchor)) => {
            let end = position(&|key| key <= anchor);
            (end.saturating_sub(limit), end)
        }
        None => {
            let start = number(query, "offset")?.unwrap_or(0).min(all.len());
            (start, start + limit)
        }
    };
    let end = end.min(all.len());
    let next = (start < end && end < all.len()).then(|| token('n', key(&all[end - 1])));
    let previous = (start > 0 && start < all.len()).then(|| token('p', key(&all[start])));
    all.truncate(end);
    Ok(Page { items: all.split_off(start), next, previous })
}

/// A list's reply. The key of the items is absent when there are none (SDK, ListJobsResponse).
pub(super) fn listed<T>(name: &str, page: Page<T>, shown: impl Fn(T) -> Value) -> Response<Body> {
    let mut reply = json!({"has_more": page.next.is_some()});
    if !page.items.is_empty() {
        reply[name] = page.items.into_iter().map(shown).collect();
    }
    if let Some(next) = page.next {
        reply["next_page_token"] = next.into();
    }
    if let Some(previous) = page.previous {
        reply["prev_page_token"] = previous.into();
    }
    ok(&reply)
}

/// Where in its arrays a reply begins.
pub(super) fn array_offset(query: &Query) -> Result<usize, Response<Body>> {
    match query.get("page_token").filter(|token| !token.is_empty()).map(|token| read(token)) {
        None => Ok(0),
        Some(Some(('a', offset))) => usize::try_from(offset).map_err(|_| bad_token()),
        Some(_) => Err(bad_token()),
    }
}

/// The part of an array that this reply has; `more` when that is not the last.
pub(super) fn part<'a, T>(all: &'a [T], offset: usize, more: &mut bool) -> &'a [T] {
    let start = offset.min(all.len());
    let end = (start + ARRAY).min(all.len());
    *more |= end < all.len();
    &all[start..end]
}

pub(super) fn next_part(offset: usize) -> String {
    token('a', (offset + ARRAY) as u64)
}
