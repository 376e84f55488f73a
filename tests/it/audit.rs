//! One line for each effect: who did what, to what, and what came of it; whatever the log's level.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::road::Road;

const STORED: (&str, &str) = (
    "stored",
    "summary: s
parameters: {name: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: UPDATE main.sales.customers SET name = :name WHERE customer_id = 1
      parameters: {name: '{{ parameters.name }}'}
  - {id: sure, assert: {that: 1 < 2, message: never}}
  - {id: go, job: {job: rebuild-daily-sales}}
",
);

fn audited(road: &Road) -> Vec<Value> {
    let lines = road.stack.host.as_ref().expect("a host").logs().lines();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    lines.filter(|line| line["target"] == "causeway::audit").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_acts_is_told_once_with_its_caller_and_its_end() {
    let road = Declared::with(&[], &[("CAUSEWAY_LOG", "error")], |_| {}).await;
    road.sql("SELECT 1 AS one").await.expect(200);
    let write = json!({"statement": "UPDATE main.sales.customers SET name = 'x' WHERE customer_id IN (1, 2)"});
    let first = road.post_keyed("/api/sql/statements", "k", &write).await.expect(200);
    road.post_keyed("/api/sql/statements", "k", &write).await.expect(200);
    road.post("/api/jobs/nothing/runs", &json!({})).await.expect(404);
    road.get("/api/jobs").await.expect(200);
    road.logged("four effects", |_| audited(&road).len() >= 4).await;

    let told: Vec<Value> = audited(&road);
    let of = |line: &Value| (line["action"].clone(), line["outcome"].clone());
    let statements = json!("POST /api/sql/statements");
    assert_eq!(of(&told[0]), (statements.clone(), json!("done")));
    assert_eq!((&told[0]["rows"], &told[0]["caller"]), (&json!(1), &json!("keys")), "{}", told[0]);
    assert_eq!(of(&told[1]), (statements.clone(), json!("done")));
    assert_eq!((&told[1]["rows"], &told[1]["upstreamId"]), (&json!(2), &first.body["statementId"]), "{}", told[1]);
    assert_eq!(of(&told[2]), (statements, json!("replayed")));
    assert_eq!(told[2]["upstreamId"], first.body["statementId"]);
    assert_eq!(of(&told[3]), (json!("POST /api/jobs/{job}/runs"), json!("refused")), "{}", told[3]);
    assert_eq!((&told[3]["on"], &told[3]["code"]), (&json!("nothing"), &json!("job-not-found")));
    // A look is no effect, and nothing of what was asked is told.
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|line| !line.to_string().contains("customers") && line["invocationId"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_that_acts_is_told_once_with_its_run() {
    let road = Declared::with(&[STORED], &[], |_| {}).await;
    road.let_jobs_go();
    road.ask("a", "stored", &json!({"name": "x"}));
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["state"], "succeeded");
    road.logged("two steps", |_| audited(&road).len() >= 2).await;
    let told = audited(&road);
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, (step, action)) in told.iter().zip([("put", "step sql"), ("go", "step job")]) {
        assert_eq!((&line["step"], &line["action"], &line["outcome"]), (&json!(step), &json!(action), &json!("done")));
        assert_eq!((&line["run"], &line["operation"]), (&json!(run), &json!("stored")));
        assert_eq!((&line["caller"], &line["attempt"]), (&json!("queue"), &json!(1)));
        assert!(line["upstreamId"].is_string(), "{line}");
    }
    assert_eq!(told[0]["rows"], 1, "{}", told[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_be_sure_of_is_told_as_unknown() {
    let road = Road::start().await;
    let rows =
        format!("/v1.0/myorg/groups/{}/datasets/{}/tables/DailySales/rows", sample::WORKSPACE, sample::SALES_LIVE);
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit));
    let push = json!({"method": "POST", "path": rows, "data": {"rows": [{"orders": 1}]}});
    road.post("/api/power-bi-raw", &push).await.problem(409, "outcome-unknown");
    let line = road.logged("an effect", |line| line["target"] == "causeway::audit").await;
    assert_eq!((&line["outcome"], &line["code"]), (&json!("unknown"), &json!("outcome-unknown")), "{line}");
}
