//! What the simulated runs do. A statement's first word is its class (see `kinds`), the second its step, and `fails` says
//! that the work itself may fail.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::operations::{Catalog, Definition, Entry};

const OPERATIONS: [(&str, &str); 9] = [
    ("again", "summary: s\nsteps: [{id: a, sql: {statement: again a}}]\n"),
    (
        "robust",
        "summary: s\nsteps:
  - {id: a, sql: {statement: again a}}
  - {id: b, sql: {statement: read b}}
  - {id: c, sql: {statement: again c fails}, retry: {attempts: 3, backoff: 1s}}
on_failure:
  - {id: fa, sql: {statement: again fa}}
",
    ),
    (
        "mixed",
        "summary: s\nsteps:
  - {id: a, sql: {statement: again a}}
  - {id: b, sql: {statement: read b}}
  - {id: c, sql: {statement: look-up c}}
  - {id: d, assert: {that: steps.a.rowCount == 1, message: never}}
  - {id: e, sql: {statement: look-up-first e}}
output: {rows: \"{{ steps.c.rowCount }}\"}
",
    ),
    (
        "parts",
        "summary: s\nsteps:
  - {id: a, sql: {statement: look-up a}}
  - {id: b, sql: {statement: parts b}}
  - {id: c, sql: {statement: again c}}
",
    ),
    (
        "unnumbered",
        "summary: s\nsteps:
  - {id: a, sql: {statement: unnumbered a}}
  - {id: b, sql: {statement: parts b fails}, retry: {attempts: 2, backoff: 1s}}
on_failure:
  - {id: fa, sql: {statement: again fa}}
",
    ),
    (
        "unknown",
        "summary: s\nsteps:
  - {id: a, sql: {statement: unknown a}}
  - {id: b, sql: {statement: unknown b}}
on_failure:
  - {id: fa, sql: {statement: again fa}}
",
    ),
    (
        "retried",
        "summary: s\nsteps:
  - {id: a, sql: {statement: look-up a fails}, retry: {attempts: 3, backoff: 1s}}
  - {id: b, sql: {statement: look-up-first b fails}, retry: {attempts: 2, backoff: 5s}}
",
    ),
    (
        "hurried",
        "summary: s\nsteps:
  - {id: a, sql: {statement: again a}, timeout: 10m}
  - {id: b, sql: {statement: look-up b}, timeout: 90s}
",
    ),
    (
        "skipping",
        "summary: s\nsteps:
  - {id: a, sql: {statement: unknown a}, when: 1 > 2}
  - {id: b, sql: {statement: look-up b}}
  - {id: c, assert: {that: 1 > 2, message: always}}
on_failure:
  - {id: fa, sql: {statement: unknown fa}}
",
    ),
];

/// The step that may be sent again, and for so long only: its operation, id and `timeout`.
pub(super) const HURRIED: (&str, &str, Duration) = ("hurried", "a", Duration::from_mins(10));

/// How the ids of steps of `on_failure` begin.
pub(super) const FAILING: &str = "f";

/// Due three times, when the simulation begins at midnight.
const SCHEDULED: &str = "summary: s
schedule: { cron: \"3,9,15 0 1 3 *\", overlap: queue, missed: all }
steps:
  - {id: a, sql: {statement: look-up a}}
";
pub(super) const DUE: [&str; 3] = ["2026-03-01T00:03:00Z", "2026-03-01T00:09:00Z", "2026-03-01T00:15:00Z"];

/// With or without the operation that has a schedule.
pub(super) fn catalog(schedule: bool) -> Arc<Catalog> {
    static CATALOGS: LazyLock<[Arc<Catalog>; 2]> = LazyLock::new(|| [read(&[]), read(&[("scheduled", SCHEDULED)])]);
    CATALOGS[usize::from(schedule)].clone()
}

fn read(more: &[(&str, &str)]) -> Arc<Catalog> {
    let entries = OPERATIONS.iter().chain(more).map(|(name, yaml)| {
        let definition = Definition { name: (*name).to_owned(), yaml: (*yaml).to_owned(), files: BTreeMap::new() };
        let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
        assert!(operation.is_ok(), "{operation:?}");
        ((*name).to_owned(), Entry { definition, operation })
    });
    Arc::new(Catalog { entries: entries.collect() })
}
