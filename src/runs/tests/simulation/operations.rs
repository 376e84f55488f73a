//! What the simulated runs do. A statement's first word is its class (see `kinds`), the second its step, and `fails` says
//! that the work itself may fail.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::operations::{Catalog, Definition, Entry};

const OPERATIONS: [(&str, &str); 19] = [
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
    (
        "calling",
        "summary: s\nsteps:
  - {id: a, sql: {statement: look-up a}}
  - {id: b, operation: {name: called}}
  - {id: c, sql: {statement: again c}}
on_failure:
  - {id: fa, sql: {statement: again fa}}
",
    ),
    ("called", "summary: s\nsteps: [{id: x, sql: {statement: look-up x}}, {id: y, sql: {statement: again y fails}}]\n"),
    (
        "each",
        "summary: s\nsteps:
  - {id: a, for_each: {in: [1, 2, 3], parallel: 2}, sql: {statement: look-up a fails}}
  - {id: c, sql: {statement: again c}}
",
    ),
    (
        "each-on",
        "summary: s\nsteps:
  - {id: a, for_each: {in: [1, 2], on_item_failure: continue}, sql: {statement: parts a fails}}
  - {id: c, sql: {statement: again c}}
",
    ),
    (
        "lined",
        "summary: s\nconcurrency: {key: all}\nsteps:
  - {id: a, sql: {statement: look-up a}}
  - {id: b, sql: {statement: parts b}}
",
    ),
    ("calls-lined", "summary: s\nsteps: [{id: a, operation: {name: lined}}, {id: c, sql: {statement: again c}}]\n"),
    (
        "rushed",
        "summary: s\nconcurrency: {on_conflict: skip}\nsteps: [{id: a, sql: {statement: again a}}]
on_failure:
  - {id: fa, sql: {statement: again fa}}
",
    ),
    (
        "sealed",
        "summary: s\nparameters: {pin: {type: string, required: true, sensitive: true}}\nsteps:
  - {id: a, sql: {statement: look-up a, parameters: {pin: '{{ parameters.pin }}'}}}
  - {id: b, sql: {statement: parts b fails, parameters: {pin: '{{ parameters.pin }}'}}, retry: {attempts: 2, backoff: 1s}}
  - {id: c, sql: {statement: look-up-first c, parameters: {pin: '{{ parameters.pin }}'}}}
on_failure:
  - {id: fa, sql: {statement: again fa, parameters: {pin: '{{ parameters.pin }}'}}}
output: {rows: '{{ steps.c.rowCount }}'}
",
    ),
    (
        "sealed-calls",
        "summary: s\nparameters: {pin: {type: string, required: true, sensitive: true}}\nsteps:
  - {id: a, operation: {name: sealed-called, parameters: {pin: '{{ parameters.pin }}'}}}
  - id: c
    for_each: {in: [1, 2]}
    sql: {statement: again c fails, parameters: {pin: '{{ parameters.pin }}'}}
",
    ),
    (
        "sealed-called",
        "summary: s\nparameters: {pin: {type: string, required: true, sensitive: true}}\nsteps:
  - {id: x, sql: {statement: again x, parameters: {pin: '{{ parameters.pin }}'}}}
  - {id: y, sql: {statement: unknown y, parameters: {pin: '{{ parameters.pin }}'}}}
",
    ),
];

/// Whether its steps are sent the secret that its runs are given.
pub(super) fn is_sealed(operation: &str) -> bool {
    operation.starts_with("sealed")
}

/// Steps that are done by children: whose step, what the children are runs of, and how many there are.
pub(super) const CHILDREN: [(&str, &str, &str, usize); 6] = [
    ("calling", "b", "called", 1),
    ("calls-lined", "a", "lined", 1),
    ("each", "a", "each.a", 3),
    ("each-on", "a", "each-on.a", 2),
    ("sealed-calls", "a", "sealed-called", 1),
    ("sealed-calls", "c", "sealed-calls.c", 2),
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
