//! The kinds of steps that handlers die in: an operation of each, what its neighbour's history must say in the end, and
//! whether it may happen again or be left to a human. That is the recovery table of docs/runs.md.

use local_stack::core::Moment;
use local_stack::databricks::{JobDefinition, TaskDefinition};
use serde_json::{Value, json};

use super::effects::{hooks, job_runs, messages, nothing, own_dataset, refreshes, rows, statements, two_rows, writes};
use crate::declared::Declared;

/// An operation with one step (of its own name), and what holds of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The operation, then others that it needs.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Whether its SQL really runs; else it is canned.
    pub(super) engine: bool,
    pub(super) prepare: fn(&Declared),
    /// Makes ready what the run of this note acts on, and gives its parameters.
    pub(super) parameters: fn(&Declared, &str) -> Value,
    /// How often its effect has happened.
    pub(super) done: fn(&Declared, &str) -> usize,
    /// How often it must happen.
    pub(super) times: usize,
    /// Whether it may happen again when a handler has died while it was perhaps sent.
    pub(super) may_repeat: bool,
    /// It changes nothing: nothing is written before it is sent, and it may happen again after any death.
    pub(super) reads: bool,
    /// Whether only a human may be able to tell, when a handler has died while it was perhaps sent.
    pub(super) may_be_unknown: bool,
    /// The call that sends it, when what was not sent is searched for five minutes.
    pub(super) searched: Option<&'static str>,
    /// Runs that one request becomes.
    pub(super) runs_each: usize,
}

const PLAIN: Case = Case {
    name: "",
    files: &[],
    engine: false,
    prepare: |_| {},
    parameters: |_, note| json!({"note": note}),
    done: statements,
    times: 1,
    may_repeat: false,
    reads: false,
    may_be_unknown: false,
    searched: None,
    runs_each: 1,
};

impl Case {
    /// Whether a crash here leaves a write on record that was not sent, which is looked for in vain for five minutes.
    pub(super) fn is_long(&self, calls: &[String], call: usize, moment: Moment) -> bool {
        let Some(sending) = self.searched.and_then(|part| calls.iter().position(|call| call.contains(part))) else {
            return false;
        };
        let intent = calls[..sending].iter().rposition(|call| call.starts_with("blob PUT") && call.contains("/runs/"));
        let Some(intent) = intent else { return false };
        let from = (intent, Moment::AfterCommit);
        let at = (call, moment);
        let rank = |(call, moment): (usize, Moment)| 2 * call + usize::from(moment == Moment::AfterCommit);
        (rank(from)..=rank((sending, Moment::BeforeCommit))).contains(&rank(at))
    }
}

/// The table: one case a kind, and one more where what is declared changes the recovery.
pub(super) static CASES: [Case; 17] = [
    Case {
        name: "read",
        files: &[("read", READ)],
        prepare: |road| road.reply("SELECT :note AS note", &["note"], &[&["1"]]),
        may_repeat: true,
        reads: true,
        ..PLAIN
    },
    Case {
        name: "write",
        files: &[("write", WRITE)],
        engine: true,
        done: writes,
        may_be_unknown: true,
        searched: Some("POST /api/2.0/sql/statements"),
        ..PLAIN
    },
    Case {
        name: "idempotent",
        files: &[("idempotent", IDEMPOTENT)],
        engine: true,
        done: writes,
        may_repeat: true,
        ..PLAIN
    },
    Case { name: "job", files: &[("job", JOB)], prepare: night_job, done: job_runs, ..PLAIN },
    Case { name: "assert", files: &[("assert", ASSERT)], done: nothing, times: 0, ..PLAIN },
    Case {
        name: "refresh",
        files: &[("refresh", REFRESH)],
        parameters: |road, note| json!({"dataset": own_dataset(road, note, false)}),
        done: refreshes,
        ..PLAIN
    },
    Case {
        name: "refresh-tables",
        files: &[("refresh-tables", REFRESH_TABLES)],
        parameters: |road, note| json!({"dataset": own_dataset(road, note, false)}),
        done: refreshes,
        ..PLAIN
    },
    Case {
        name: "push",
        files: &[("push", PUSH)],
        parameters: |road, note| json!({"dataset": own_dataset(road, note, true), "rows": two_rows(note)}),
        done: rows,
        ..PLAIN
    },
    Case {
        name: "push-unnumbered",
        files: &[("push-unnumbered", PUSH)],
        prepare: |road| road.stack.power_bi.set_sequence_numbers(false),
        parameters: |road, note| json!({"dataset": own_dataset(road, note, true), "rows": two_rows(note)}),
        done: rows,
        may_be_unknown: true,
        ..PLAIN
    },
    Case {
        name: "push-query",
        files: &[("push-query", PUSH_QUERY)],
        engine: true,
        prepare: |road| road.stack.power_bi.set_sequence_numbers(false),
        parameters: |road, note| json!({"dataset": own_dataset(road, note, true), "note": note}),
        done: rows,
        ..PLAIN
    },
    Case { name: "message", files: &[("message", MESSAGE)], done: messages, may_repeat: true, ..PLAIN },
    Case { name: "http", files: &[("http", HTTP)], prepare: hook, done: hooks, may_be_unknown: true, ..PLAIN },
    Case {
        name: "http-again",
        files: &[("http-again", HTTP_AGAIN)],
        prepare: hook,
        done: hooks,
        may_repeat: true,
        ..PLAIN
    },
    Case {
        name: "wait-for",
        files: &[("wait-for", WAIT_FOR)],
        prepare: |road| road.reply("SELECT 2 AS n WHERE :note IS NOT NULL", &["n"], &[&["2"]]),
        may_repeat: true,
        reads: true,
        ..PLAIN
    },
    Case {
        name: "operation",
        files: &[("operation", OPERATION), ("job", JOB)],
        prepare: night_job,
        done: job_runs,
        runs_each: 2,
        ..PLAIN
    },
    Case {
        name: "operation-again",
        files: &[("operation-again", OPERATION_AGAIN), ("job-and-look", JOB_AND_LOOK)],
        prepare: |road| {
            night_job(road);
            road.reply("SELECT 4 AS four", &["four"], &[&["4"]]);
        },
        // The look after the job fails once, of this run or of one that waits to go on.
        parameters: |road, note| {
            road.stack.databricks.fail("SELECT 4 AS four", "[DIVIDE_BY_ZERO] once", Some("22012"), 1);
            json!({"note": note})
        },
        done: job_runs,
        runs_each: 2,
        ..PLAIN
    },
    Case {
        name: "for-each",
        files: &[("for-each", FOR_EACH)],
        prepare: night_job,
        done: job_runs,
        times: 2,
        runs_each: 3,
        ..PLAIN
    },
];

fn night_job(road: &Declared) {
    let task = TaskDefinition::notebook_exit("main", "1");
    let job = JobDefinition::new(7, "night").parameter("note", "none").task(task);
    road.stack.databricks.define_job(job).expect("a job");
}

fn hook(road: &Declared) {
    road.stack.key_vault.set_secret("hook", &road.stack.webhooks.hook_url("tell"));
}

const READ: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: ask, sql: {statement: 'SELECT :note AS note', parameters: {note: '{{ parameters.note }}'}}}]
";
const WRITE: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (999, :note)
      parameters: {note: '{{ parameters.note }}'}
";
const IDEMPOTENT: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: UPDATE main.sales.customers SET name = :note WHERE customer_id = 1
      parameters: {note: '{{ parameters.note }}'}
      idempotent: true
";
const JOB: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: go, job: {job: night, parameters: {note: '{{ parameters.note }}'}}}]
";
const ASSERT: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: check, assert: {that: parameters.note != '', message: never}}]
";
const REFRESH: &str = "summary: s
parameters: {dataset: {type: string, required: true}}
steps: [{id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ parameters.dataset }}'}}]
";
const REFRESH_TABLES: &str = "summary: s
parameters: {dataset: {type: string, required: true}}
steps:
  - {id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ parameters.dataset }}', tables: [DailySales]}}
";
const PUSH: &str = "summary: s
parameters: {dataset: {type: string, required: true}, rows: {type: array, required: true}}
steps:
  - id: push
    push_rows:
      {workspace: '{{ variables.workspace }}', dataset: '{{ parameters.dataset }}', table: DailySales, rows: '{{ parameters.rows }}'}
";
const PUSH_QUERY: &str = "summary: s
parameters: {dataset: {type: string, required: true}, note: {type: string, required: true}}
steps:
  - id: push
    push_rows:
      workspace: '{{ variables.workspace }}'
      dataset: '{{ parameters.dataset }}'
      table: DailySales
      statement: SELECT :note AS category, CAST(orders AS BIGINT) AS orders FROM (VALUES (1), (2)) AS t (orders)
      parameters: {note: '{{ parameters.note }}'}
      clear: true
";
const MESSAGE: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: tell, message: {queue: business-results, body: {note: '{{ parameters.note }}'}}}]
";
const HTTP: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: call, http: {url_secret: hook, body: {note: '{{ parameters.note }}'}}}]
";
const HTTP_AGAIN: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: call, http: {url_secret: hook, method: PUT, idempotent: true, body: {note: '{{ parameters.note }}'}}}]
";
/// The second is slept over: a worker is patient for less.
const WAIT_FOR: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: arrived
    wait_for:
      sql: {statement: SELECT 2 AS n WHERE :note IS NOT NULL, parameters: {note: '{{ parameters.note }}'}, expect: one_row}
      until: result.row.n > 0
      every: 1s
  - {id: pause, wait_for: {delay: 6s}}
";
const OPERATION: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: call, operation: {name: job, parameters: {note: '{{ parameters.note }}'}}}]
";
/// What the child did stays done when the step is retried.
const OPERATION_AGAIN: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - {id: call, retry: {attempts: 9, backoff: 1s}, operation: {name: job-and-look, parameters: {note: '{{ parameters.note }}'}}}
";
const JOB_AND_LOOK: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - {id: go, job: {job: night, parameters: {note: '{{ parameters.note }}'}}}
  - {id: look, sql: {statement: SELECT 4 AS four}}
";
const FOR_EACH: &str = "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: each, for_each: {in: '{{ [1, 2] }}', parallel: 2}, job: {job: night, parameters: {note: '{{ parameters.note }}'}}}]
";
