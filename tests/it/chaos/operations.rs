//! The operations that the chaos runs, and what each of them does: every effect carries its run's mark. No driving here.

use local_stack::databricks::{JobDefinition, TaskDefinition};

use crate::declared::Declared;

/// How often an effect may be seen of a run that has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    /// It may be sent again: a read, what is declared idempotent, a message under its key.
    Again,
}

/// One operation; `effects` are the marks that its steps leave, behind the run's own, in the order in which they come.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) yaml: &'static str,
    pub(super) effects: &'static [(&'static str, Times)],
}

/// Where `message` steps send to.
pub(super) const RESULTS: &str = "business-results";
/// It ends as failed, with this.
pub(super) const REFUSED: (&str, &str) = ("refused", "assertion-failed");
/// It refreshes a dataset, which shows no mark.
pub(super) const REFRESH: &str = "model";
/// The operation that only others call.
const CHILD: (&str, &str) = (
    "child",
    "summary: s
parameters: {mark: {type: string, required: true}, n: {type: integer, required: true}}
steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (:n, :mark)
      parameters: {n: '{{ parameters.n }}', mark: '{{ parameters.mark }}-put'}
",
);

const BOTH: &str = "parameters: {mark: {type: string, required: true}, n: {type: integer, required: true}}\n";

pub(super) const OPERATIONS: [Operation; 11] = [
    Operation {
        name: "read",
        yaml: "steps:
  - id: ask
    sql: {statement: 'SELECT :mark AS mark, :n AS n', parameters: {mark: '{{ parameters.mark }}-ask', n: '{{ parameters.n }}'}, expect: one_row}
",
        effects: &[("ask", Times::Again)],
    },
    Operation {
        name: "write",
        yaml: "steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (:n, :mark)
      parameters: {n: '{{ parameters.n }}', mark: '{{ parameters.mark }}-put'}
",
        effects: &[("put", Times::Once)],
    },
    Operation {
        name: "idempotent",
        yaml: "steps:
  - id: set
    sql:
      statement: DELETE FROM main.sales.customers WHERE customer_id = :n AND name = :mark
      parameters: {n: '{{ parameters.n }}', mark: '{{ parameters.mark }}-set'}
      idempotent: true
",
        effects: &[("set", Times::Again)],
    },
    Operation {
        name: "job",
        yaml: "steps: [{id: go, job: {job: chaos, parameters: {mark: '{{ parameters.mark }}-go'}}}]\n",
        effects: &[("go", Times::Once)],
    },
    Operation {
        name: "push",
        yaml: "steps:
  - id: push
    push_rows:
      workspace: '{{ variables.workspace }}'
      dataset: '{{ variables.live_dataset }}'
      table: DailySales
      rows: [{day: '2026-10-05', category: '{{ parameters.mark }}-push', orders: 1}]
",
        effects: &[("push", Times::Once)],
    },
    Operation {
        name: REFRESH,
        yaml: "steps:
  - id: model
    refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ variables.sales_dataset }}', tables: [Orders]}
output: {refresh: '{{ steps.model.refreshId }}'}
",
        effects: &[],
    },
    Operation {
        name: "message",
        yaml: "steps: [{id: tell, message: {queue: business-results, body: {mark: '{{ parameters.mark }}-tell'}}}]\n",
        effects: &[("tell", Times::Again)],
    },
    Operation {
        name: REFUSED.0,
        yaml: "steps: [{id: check, assert: {that: parameters.n < 0, message: 'never {{ parameters.mark }}'}}]\n",
        effects: &[],
    },
    Operation {
        name: "parent",
        yaml: "steps:
  - {id: check, assert: {that: parameters.n >= 0, message: never}}
  - {id: call, operation: {name: child, parameters: {mark: '{{ parameters.mark }}', n: '{{ parameters.n }}'}}}
",
        effects: &[("put", Times::Once)],
    },
    Operation {
        name: "each",
        yaml: "steps:
  - id: put
    for_each: {in: '{{ [0, 1, 2] }}', parallel: 2}
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (:n, :mark)
      parameters: {n: '{{ parameters.n }}', mark: '{{ parameters.mark }}-item{{ item }}'}
",
        effects: &[("item0", Times::Once), ("item1", Times::Once), ("item2", Times::Once)],
    },
    Operation {
        name: "road",
        yaml: "steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (:n, :mark)
      parameters: {n: '{{ parameters.n }}', mark: '{{ parameters.mark }}-put'}
  - {id: go, job: {job: chaos, parameters: {mark: '{{ parameters.mark }}-go'}}}
  - {id: check, assert: {that: steps.put.row.num_affected_rows == 1, message: never}}
  - {id: tell, message: {queue: business-results, body: {mark: '{{ parameters.mark }}-tell'}}}
",
        effects: &[("put", Times::Once), ("go", Times::Once), ("tell", Times::Again)],
    },
];

pub(super) fn called(name: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.name == name).expect("an operation of the chaos")
}

/// Names and texts of the files.
pub(super) fn files() -> Vec<(&'static str, String)> {
    let own = OPERATIONS.iter().map(|one| (one.name, format!("summary: s\n{BOTH}{}", one.yaml)));
    own.chain([(CHILD.0, CHILD.1.to_owned())]).collect()
}

/// The job that they start: it takes a few steps of the clock, and any number of its runs may go at once.
pub(super) fn define_job(road: &Declared) {
    let job = JobDefinition::new(9_001, "chaos").parameter("mark", "").max_concurrent_runs(1_000).more_steps(10);
    let job = job.task(TaskDefinition::notebook_exit("go", "done"));
    road.stack.databricks.define_job(job).expect("a job");
}

/// All marks in a text: `mark-0017`, or `mark-0017-put`.
pub(super) fn marks_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("mark-").map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(rest.len());
        &rest[..end]
    })
}
