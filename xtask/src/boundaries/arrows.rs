//! The arrows between the handler's rooms: a room names only rooms below it. Read from `crate::` paths; a room that is
//! not in the table may neither name nor be named, so that a new one gets its place here first.

use super::Breach;
use super::source::Source;

/// From the top; a room names those of later rows.
const ROWS: [&[&str]; 8] = [
    &["cli"],
    &["app"],
    &["triggers"],
    &["requests"],
    &["runs", "rotation"],
    &["steps"],
    &["operations", "rows", "databricks", "power_bi", "key_vault", "sealing", "service_bus"],
    &["ledger", "entra"],
];

/// Below all others.
const LOWEST: &str = "http";

/// What serves every room and names no other.
const FOR_ALL: [&str; 4] = ["clock", "failure", "settings", "telemetry"];

/// Arrows within a row, each with its reason. One direction each: no circle.
const WITHIN_A_ROW: [(&str, &str, &str); 6] = [
    ("operations", "rows", "an output is written by the same options as a result"),
    ("databricks", "rows", "a statement's result is rows"),
    ("databricks", "key_vault", "a personal access token is a secret"),
    ("sealing", "key_vault", "a key is a secret, and its versions are the vault's"),
    ("key_vault", "entra", "the vault wants a token"),
    ("ledger", "entra", "the container wants a token"),
];

pub(super) fn check(source: &Source) -> Vec<Breach> {
    let Some(own) = source.room() else { return Vec::new() };
    let named = named(source);
    let breaches = named.into_iter().filter(|(room, _)| *room != own).filter_map(|(room, line)| {
        let why = refusal(own, room, source.is_test())?;
        Some(Breach::new(source, line, format!("{own} names crate::{room}: {why}")))
    });
    breaches.collect()
}

/// Why `own` may not name `other`.
fn refusal(own: &str, other: &str, test: bool) -> Option<String> {
    if FOR_ALL.contains(&other) || WITHIN_A_ROW.iter().any(|(from, to, _)| (*from, *to) == (own, other)) {
        return None;
    }
    // The tests of the edge drive the assembled application.
    if test && (own, other) == ("triggers", "app") {
        return None;
    }
    if FOR_ALL.contains(&own) {
        return Some("what serves every room names none".to_owned());
    }
    let (Some(from), Some(to)) = (row(own), row(other)) else {
        let unknown = if row(own).is_none() { own } else { other };
        return Some(format!("`{unknown}` has no place yet; give it one in xtask/src/boundaries/arrows.rs"));
    };
    match from.cmp(&to) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some("neighbours in a row don't know each other".to_owned()),
        std::cmp::Ordering::Greater => Some("arrows point down".to_owned()),
    }
}

fn row(room: &str) -> Option<usize> {
    if room == LOWEST {
        return Some(ROWS.len());
    }
    ROWS.iter().position(|row| row.contains(&room))
}

/// The rooms in `crate::room` and `crate::{room::…, room}`, with their lines.
fn named(source: &Source) -> Vec<(&str, usize)> {
    let mut named = Vec::new();
    for (after, _) in source.occurrences(&["crate", "::"]) {
        let rest = &source.tokens[after..];
        match rest.first().map(|token| token.text.as_str()) {
            Some("{") => named.extend(first_words(rest)),
            Some(_) => named.extend(rest.first().map(|token| (token.text.as_str(), token.line))),
            None => {}
        }
    }
    // An item of the crate's root begins with a capital or is a macro; neither is a room.
    named.retain(|(room, _)| room.starts_with(|first: char| first.is_ascii_lowercase()) && *room != "self");
    named
}

/// The first word of each element of a group that opens here.
fn first_words(group: &[super::source::Token]) -> Vec<(&str, usize)> {
    let (mut depth, mut expected, mut words) = (0, false, Vec::new());
    for token in group {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                expected = depth == 1;
            }
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => expected = depth == 1,
            word if expected => {
                words.push((word, token.line));
                expected = false;
            }
            _ => {}
        }
    }
    words
}
