//! Values that look like templates, expressions, SQL or lines of a log: they stay values.

use serde_json::{Value, json};

use crate::operations::declare;
use crate::road::Road;

const CHILD: &str = "summary: Gives back what it got
parameters:
  text: { type: string, required: true }
steps:
  - id: ask
    sql: { statement: \"SELECT :t AS t\", parameters: { t: \"{{ parameters.text }}\" }, expect: one_row }
output: { t: \"{{ steps.ask.row.t }}\", around: \"<{{ parameters.text }}>\" }
";

const PARENT: &str = "summary: Hands values on
parameters:
  text: { type: string, required: true }
  list: { type: array, required: true }
steps:
  - id: ask
    sql: { statement: \"SELECT :t AS t\", parameters: { t: \"{{ parameters.text }}\" }, expect: one_row }
  - id: one
    operation: { name: child, parameters: { text: \"{{ steps.ask.row.t }}\" } }
  - id: each
    for_each: { in: \"{{ parameters.list }}\" }
    operation: { name: child, parameters: { text: \"{{ item }}\" } }
output:
  alone: \"{{ steps.ask.row.t }}\"
  within: \"a {{ steps.ask.row.t }} b\"
  child: \"{{ steps.one }}\"
  each: \"{{ steps.each.outputs }}\"
";

/// Each would say something else if it were worked out a second time.
const TEXTS: [&str; 8] = [
    "{{ run.id }}",
    "{{ variables.workspace }}",
    "{{ 1 + 1 }}",
    "{{ steps.ask.row.t }} {{",
    "}} + parameters.text + {{",
    "\" + run.id + \"",
    "'; DROP TABLE main.sales.customers; --",
    "${workspace} %{workspace} {0} {%s} $(id) `id`",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_never_worked_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let own = declare(folder.path(), &[("child.yaml", CHILD), ("parent.yaml", PARENT)]);
    let road = Road::with(own).await;
    let body = |text: &str| json!({"text": text, "list": TEXTS});
    for text in TEXTS {
        let reply = road.post("/api/operations/child?waitSeconds=60", &json!({"text": text})).await.expect(200);
        assert_eq!((reply.at("/t"), reply.at("/around")), (&json!(text), &json!(format!("<{text}>"))));
    }
    let reply = road.post("/api/operations/parent?waitSeconds=90", &body(TEXTS[0])).await;
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }.expect(200);
    assert_eq!((reply.at("/alone"), reply.at("/within")), (&json!(TEXTS[0]), &json!(format!("a {} b", TEXTS[0]))));
    let told = reply.body.to_string();
    for text in TEXTS {
        assert!(told.contains(Value::from(text).to_string().trim_matches('"')), "{text} is not in {told}");
    }
    // The table is still there, and no statement had a value in its text.
    road.sql("SELECT count(*) AS n FROM main.sales.customers").await.expect(200);
    for statement in road.effects("databricks", "statement") {
        let sql = statement["statement"].as_str().unwrap_or_default();
        assert!(!sql.contains("DROP TABLE") && !sql.contains("{{"), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_writes_a_line_of_its_own_into_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let own = declare(folder.path(), &[("child.yaml", CHILD)]);
    let road = Road::with(|options| {
        own(options);
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
    })
    .await;
    let forged = "x\n{\"level\":\"ERROR\",\"forged\":true}\r\n\u{1b}[31m\u{2028}{\"forged\":true}";
    let encoded = "x%0A%7B%22forged%22%3Atrue%7D";
    road.post("/api/operations/child?waitSeconds=60", &json!({"text": forged})).await.expect(200);
    road.post("/api/operations/child", &json!({forged: forged})).await.problem(400, "parameters-invalid");
    road.post("/api/sql/statements", &json!({"statement": format!("SELECT {forged}")})).await;
    road.post("/api/sql/statements", &json!({"statement": "SELECT 1", "queryTags": {"team": forged}})).await;
    road.post("/api/sql/statements", &json!({"statement": "SELECT 1", "warehouseId": forged})).await;
    road.post("/api/power-bi-raw", &json!({"method": "GET", "path": forged, "debug": true})).await;
    road.get(&format!("/api/runs?operation={encoded}")).await;
    road.get(&format!("/api/runs?{encoded}=1")).await.problem(400, "query-invalid");
    road.get(&format!("/api/operations/{encoded}")).await;
    road.get("/api/operations/x%E2%80%A8%7B%22forged%22%3Atrue%7D").await.problem(404, "operation-not-found");
    let headers = [("x-azure-functions-invocationid", "a{\"forged\":true}"), ("traceparent", "00-{\"forged\":true}")];
    road.call("GET", "/api/operations", None, &headers).await;
    let last = road.get("/api/operations/the-last-one").await.problem(404, "operation-not-found");
    crate::bad_input::logged(&road, &last).await;
    let lines = road.stack.host.as_ref().unwrap().logs().lines();
    let ours: Vec<&str> = lines.iter().map(|line| line.text.as_str()).filter(|line| line.contains("forged")).collect();
    assert!(!ours.is_empty(), "nothing of it was logged, so that nothing is shown");
    for line in ours {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(parsed.get("forged").is_none() && parsed.get("level").is_some(), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}
