//! What a maker may say of a step, seen from outside: conditions, retries, limits of time and size, what follows a failure.

use local_stack::databricks::{Clock, JobDefinition, TaskDefinition};
use serde_json::{Value, json};

use crate::declared::Declared;

async fn run(road: &Declared, operation: &str) -> Value {
    road.ask(operation, operation, &json!({}));
    road.ended(&causeway::runs::identity::run_id(&["queue", "causeway-requests", operation])).await
}

fn state(run: &Value, step: &str) -> Value {
    let steps = run["steps"].as_array().expect("steps");
    steps.iter().find(|one| one["id"] == step).map_or(Value::Null, |one| one["state"].clone())
}

const RETRIED: (&str, &str) = (
    "retried",
    "summary: s\nsteps: [{id: put, retry: {attempts: 3, backoff: 1s}, sql: {statement: DELETE FROM main.sales.customers WHERE 1 = 0}}]\n",
);
const ONLY: (&str, &str) = (
    "only",
    "summary: s\nsteps: [{id: ask, retry: {attempts: 3, backoff: 1s, on: [job-failed]}, sql: {statement: SELECT 2 AS two}}]\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_known_failure_is_tried_again_as_often_as_the_step_says() {
    let road = Declared::with(&[RETRIED, ONLY], &[], |_| {}).await;
    road.stack.databricks.fail("DELETE", "no luck", Some("42000"), 2);
    let ended = run(&road, "retried").await;
    assert_eq!((&ended["state"], &ended["steps"][0]["attempt"]), (&json!("succeeded"), &json!(3)), "{ended}");
    let keys: std::collections::BTreeSet<String> =
        road.effects("databricks", "statement").iter().map(|effect| effect["statement"].to_string()).collect();
    assert_eq!(keys.len(), 3, "each attempt has a key of its own: {keys:?}");

    road.stack.databricks.fail("SELECT 2", "no luck", Some("42000"), 1);
    let ended = run(&road, "only").await;
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("statement-failed")), "{ended}");
    assert_eq!((&ended["steps"][0]["attempt"], &ended["error"]["sqlState"]), (&json!(1), &json!("42000")));
}

const FOLLOWED: (&str, &str) = (
    "followed",
    "summary: s
steps:
  - {id: never, when: 1 > 2, sql: {statement: SELECT 3 AS three}}
  - {id: stop, assert: {that: '!has(steps.never)', message: it ran}}
  - {id: fails, sql: {statement: SELECT 4 AS four}}
  - {id: after, sql: {statement: SELECT 5 AS five}}
on_failure:
  - id: tell
    sql: {statement: SELECT 1 AS one, parameters: {code: '{{ run.error.code }}', step: '{{ run.error.step }}'}}
",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_false_condition_skips_and_a_failure_is_followed_by_on_failure() {
    let road = Declared::canned(&[FOLLOWED], &[]).await;
    road.stack.databricks.fail("SELECT 4", "no luck", None, 1);
    let ended = run(&road, "followed").await;
    assert_eq!((&ended["state"], &ended["error"]["step"]), (&json!("failed"), &json!("fails")), "{ended}");
    for (step, expected) in [("never", "skipped"), ("stop", "succeeded"), ("fails", "failed"), ("tell", "succeeded")] {
        assert_eq!(state(&ended, step), expected, "{step}: {ended}");
    }
    let statements = road.effects("databricks", "statement");
    let texts: Vec<&str> = statements.iter().filter_map(|effect| effect["statement"].as_str()).collect();
    assert_eq!(texts, ["SELECT 4 AS four", "SELECT 1 AS one"]);
    let told = statements[1]["parameters"].to_string();
    assert!(told.contains("statement-failed") && told.contains("\"fails\""), "{told}");
}

const TIMED: (&str, &str) = (
    "timed",
    "summary: s\nsteps: [{id: put, timeout: 2s, sql: {statement: DELETE FROM main.sales.customers WHERE 1 = 0}}]\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_step_beyond_its_timeout_is_cancelled_at_the_neighbour() {
    let road = Declared::with(&[TIMED], &[], |_| {}).await;
    road.stack.databricks.hold("DELETE", None);
    let ended = run(&road, "timed").await;
    assert_eq!(ended["error"]["code"], "step-timeout", "{ended}");
    let id = ended["steps"][0]["upstreamId"].as_str().expect("an id").to_owned();
    let cancelled = format!("/statements/{id}/cancel");
    let asked = road.effects("databricks", "request");
    assert!(asked.iter().any(|request| request["target"].as_str().is_some_and(|target| target.ends_with(&cancelled))));
}

const SLOW: (&str, &str) = ("slow", "summary: s\nsteps: [{id: go, timeout: 1s, job: {job: winding}}]\n");

#[tokio::test(flavor = "multi_thread")]
async fn a_step_beyond_its_timeout_has_not_failed_before_it_has_stopped() {
    let road = Declared::canned(&[SLOW], &[]).await;
    let job = JobDefinition::new(8, "winding").more_steps(100).ending_steps(1);
    road.stack.databricks.define_job(job.task(TaskDefinition::notebook_exit("main", "1"))).expect("a job");
    road.stack.databricks.set_clock(Clock::Stepped);
    road.ask("a", "slow", &json!({}));
    let run = causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"]);
    road.until("it is asked to stop", |road| road.effects("databricks", "jobCancel").len() == 1).await;
    let waits = |record: &Value| record["transition"] == "waiting" && record["steps"][0]["stopAskedAt"].is_string();
    road.until_true(|_| road.records(&run).iter().any(waits)).await;
    let retry = format!("/api/runs/{run}/retry");
    let early = road.call("POST", &retry, None, &[]).await;
    assert_eq!((early.status, early.code()), (409, "run-active"));
    road.let_jobs_go();
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("step-timeout")), "{ended}");
    assert_eq!((road.effects("databricks", "jobRun").len(), road.effects("databricks", "jobCancel").len()), (1, 1));
    let again = road.call("POST", &format!("{retry}?waitSeconds=60"), None, &[]).await;
    assert!(matches!(again.status, 200 | 422), "what has stopped may be done anew: {}", again.body);
    assert_eq!(road.effects("databricks", "jobRun").len(), 2);
}

const ROW: (&str, &str) = ("row", "summary: s\nsteps: [{id: ask, sql: {statement: SELECT 6, expect: one_row}}]\n");
const MANY: (&str, &str) = ("many", "summary: s\nsteps: [{id: ask, sql: {statement: SELECT 7}}]\n");
const WIDE: (&str, &str) = ("wide", "summary: s\nsteps: [{id: ask, sql: {statement: SELECT 8}}]\n");
const MOST: (&str, &str) = ("most", "summary: s\nsteps: [{id: ask, sql: {statement: SELECT 9}}]\n");

#[tokio::test(flavor = "multi_thread")]
async fn a_step_keeps_one_row_where_it_says_so_and_never_more_than_fits() {
    let road = Declared::canned(&[ROW, MANY, WIDE, MOST], &[]).await;
    road.reply("SELECT 6", &["n"], &[&["1"], &["2"]]);
    road.reply("SELECT 7", &["n"], &vec![&["1"][..]; 1_001]);
    let wide = "1".repeat(300);
    road.reply("SELECT 8", &["n"], &vec![&[wide.as_str()][..]; 1_000]);
    road.reply("SELECT 9", &["n"], &vec![&["1"][..]; 1_000]);
    for (operation, code) in [("row", "assertion-failed"), ("many", "output-too-large"), ("wide", "output-too-large")] {
        let ended = run(&road, operation).await;
        assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!(code)), "{ended}");
        assert_eq!(ended["error"]["step"], "ask");
    }
    assert_eq!(run(&road, "most").await["state"], "succeeded");
}

/// A share of 2 % as a DECIMAL(38,18), held against 0.05.
fn share(name: &'static str, that: &str) -> (&'static str, String) {
    let yaml = format!(
        "summary: s
steps:
  - id: ask
    sql: {{statement: 'SELECT CAST(0.02 AS DECIMAL(38, 18)) AS share', expect: one_row}}
  - id: check
    assert: {{that: \"{that}\", message: too much}}
output: {{share: '{{{{ steps.ask.row.share }}}}'}}
"
    );
    (name, yaml)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decimal_of_38_digits_is_compared_as_a_number_or_not_at_all() {
    let cases = [
        share("cast", "double(steps.ask.row.share) < 0.05"),
        share("ordered", "steps.ask.row.share > 0.05"),
        share("equal", "steps.ask.row.share == 0.02"),
        share("unequal", "steps.ask.row.share != 0.05"),
    ];
    let files: Vec<(&str, &str)> = cases.iter().map(|(name, yaml)| (*name, yaml.as_str())).collect();
    let road = Declared::with(&files, &[], |_| {}).await;
    let ended = run(&road, "cast").await;
    assert_eq!((&ended["state"], &ended["output"]["share"]), (&json!("succeeded"), &json!("0.020000000000000000")));
    for guess in ["ordered", "equal", "unequal"] {
        let ended = run(&road, guess).await;
        assert_eq!((&ended["error"]["code"], &ended["error"]["step"]), (&json!("expression-failed"), &json!("check")));
        let said = ended["error"]["message"].as_str().unwrap();
        assert!(said.contains("cast the text") && said.contains(&format!("{guess}.yaml:6")), "{said}");
    }
}
