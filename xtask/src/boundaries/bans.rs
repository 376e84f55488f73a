//! What only some files may name: crates with an owner, the environment, the handler itself; and names of modules that
//! say nothing.

use super::Breach;
use super::source::Source;

/// A crate (a trailing `*` stands for any ending), the places of the handler that may name it, and why no other.
const OWNED: [(&str, &[&str], &str); 8] = [
    ("actix*", &["src/triggers/", "src/app/", "src/app.rs"], "only the edge knows its web framework"),
    ("reqwest", &["src/http/"], "only http/ sends, so that retry, limits and redaction hold for every request"),
    ("azure_core", AZURE, "only the rooms of identity and secrets know the SDK"),
    ("azure_identity", AZURE, "only the rooms of identity and secrets know the SDK"),
    ("azure_security*", AZURE, "only the rooms of identity and secrets know the SDK"),
    ("arrow_*", &["src/rows/"], "only rows/ knows in which form a result came"),
    ("lz4_flex", &["src/rows/"], "only rows/ knows in which form a result came"),
    ("object_store", &["src/ledger/"], "only the ledger keeps things, by the rules of its log"),
];

const AZURE: &[&str] = &["src/entra/", "src/key_vault/"];

/// The place that reads the environment for the handler.
const ENVIRONMENT: &str = "src/settings/";

/// The rooms that are handed a clock, so that a simulation may skew it.
const CLOCKED: [&str; 3] = ["ledger", "runs", "steps"];

/// Names under which anything may be put.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];

pub(super) fn check(source: &Source) -> Vec<Breach> {
    let mut breaches = names(source);
    if source.path.starts_with("src/") {
        breaches.extend(owned(source));
        breaches.extend(environment(source));
        breaches.extend(wall_clock(source));
    }
    if source.path.starts_with("local-stack/") {
        // As a path: `causeway` is also a word of variables.
        let uses = source.occurrences(&["causeway", "::"]).chain(source.occurrences(&["crate", "causeway"]));
        let uses = uses.chain(source.occurrences(&["use", "causeway"]));
        let mut lines: Vec<usize> = uses.map(|(_, line)| line).collect();
        lines.sort_unstable();
        lines.dedup();
        let what =
            "a stand-in names the crate `causeway`: it does what the real service does, whatever the handler thinks";
        breaches.extend(lines.into_iter().map(|line| Breach::new(source, line, what)));
    }
    breaches
}

fn owned(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for token in &source.tokens {
        let owner = OWNED.iter().find(|(pattern, ..)| matches(pattern, &token.text));
        let Some((_, places, why)) = owner else { continue };
        if !places.iter().any(|place| source.path.starts_with(place)) {
            breaches.push(Breach::new(source, token.line, format!("names {}: {why}", token.text)));
        }
    }
    breaches
}

fn matches(pattern: &str, word: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == word, |start| word.starts_with(start))
}

fn environment(source: &Source) -> Vec<Breach> {
    if source.path.starts_with(ENVIRONMENT) || source.is_test() {
        return Vec::new();
    }
    let readers = ["var", "var_os", "vars", "vars_os"];
    let uses = readers.iter().flat_map(|reader| {
        let uses: Vec<usize> = source.occurrences(&["env", "::", reader]).map(|(_, line)| line).collect();
        uses
    });
    uses.map(|line| Breach::new(source, line, "reads the environment: settings come through `settings::Variables`"))
        .collect()
}

fn wall_clock(source: &Source) -> Vec<Breach> {
    if source.is_test() || !source.room().is_some_and(|room| CLOCKED.contains(&room)) {
        return Vec::new();
    }
    let readings =
        source.occurrences(&["Timestamp", "::", "now"]).chain(source.occurrences(&["SystemTime", "::", "now"]));
    let what = "reads the wall clock: the engine and what it stands on ask the `Clock` they are given";
    readings.map(|(_, line)| Breach::new(source, line, what)).collect()
}

fn names(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let parts = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    if let Some(name) = parts.into_iter().find(|part| EMPTY_NAMES.contains(part)) {
        breaches.push(Breach::new(source, 1, format!("a module named `{name}` says nothing: name what lives there")));
    }
    for name in EMPTY_NAMES {
        for (after, line) in source.occurrences(&["mod", name]) {
            // `mod name;` is found by its file.
            if source.tokens.get(after).is_some_and(|token| token.text == "{") {
                let what = format!("a module named `{name}` says nothing: name what lives there");
                breaches.push(Breach::new(source, line, what));
            }
        }
    }
    breaches
}
