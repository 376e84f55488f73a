//! Replies have the shapes that were recorded from a real workspace: keys present and absent, JSON types, status codes.
//! The shapes are `tests/fixtures/databricks-shapes.json`; `make_databricks_shapes.py` says how to read them.

use std::collections::BTreeMap;

use local_stack::databricks::{DatabricksOptions, WAREHOUSE};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::{Caller, Reply, id, with};
use crate::links::arrow;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    status: u16,
    served: bool,
    shape: Value,
    example: Option<Value>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../tests/fixtures/databricks-shapes.json");
    serde_json::from_str::<Fixture>(text).expect("the fixture").cases
}

/// What about `value` is not as the shape says.
fn differences(shape: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    match (shape, value) {
        (Value::Object(keys), Value::Object(members)) => {
            for (key, member) in members {
                match keys.get(key).or_else(|| keys.get(&format!("{key}?"))) {
                    Some(shape) => differences(shape, member, &format!("{path}.{key}"), found),
                    None => found.push(format!("{path}.{key} was never recorded")),
                }
            }
            let required = keys.keys().filter(|key| !key.ends_with('?'));
            found.extend(
                required.filter(|key| !members.contains_key(*key)).map(|key| format!("{path}.{key} is absent")),
            );
        }
        (Value::Array(shapes), Value::Array(items)) => {
            for item in shapes.first().into_iter().flat_map(|shape| items.iter().map(move |item| (shape, item))) {
                differences(item.0, item.1, &format!("{path}[]"), found);
            }
        }
        (Value::String(names), value) => {
            let name = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(number) if number.is_f64() => "number",
                Value::Number(_) => "integer",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            if !names.split('|').any(|one| one == name) {
                found.push(format!("{path} is {name}, not {names}"));
            }
        }
        (shape, value) => found.push(format!("{path}: {value} is not as {shape}")),
    }
}

fn held(case: &Case, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    if reply.status != case.status {
        found.push(format!("status {} and not {}", reply.status, case.status));
    }
    differences(&case.shape, &reply.body, &case.name, &mut found);
    found
}

fn hybrid() -> Value {
    let mut asked = arrow();
    asked["disposition"] = json!("INLINE_OR_EXTERNAL_LINKS");
    asked
}

/// Calls the stand-in so that it must answer with this kind of reply.
async fn provoked(caller: &Caller, case: &str) -> Reply {
    let statements = "/api/2.0/sql/statements";
    let bearer = Some("Bearer wrong");
    match case {
        "rows" => caller.execute("SELECT 1 AS a, NULL AS b, 1.5 AS c", json!({})).await,
        "rows-first-of-two" => caller.execute("SELECT * FROM VALUES (1), (2), (3) AS t(n)", json!({})).await,
        "rows-last-chunk" => {
            let first = caller.execute("SELECT * FROM VALUES (1), (2), (3) AS t(n)", json!({})).await;
            caller.get(first.body["result"]["next_chunk_internal_link"].as_str().expect("a link")).await
        }
        "external-links" => caller.execute("SELECT * FROM VALUES (1), (2), (3) AS t(n)", arrow()).await,
        "external-links-chunk" => {
            let first = caller.execute("SELECT * FROM VALUES (1), (2), (3) AS t(n)", arrow()).await;
            let next = &first.body["result"]["external_links"][0]["next_chunk_internal_link"];
            caller.get(next.as_str().expect("a link")).await
        }
        "attachment" => caller.execute("SELECT 1 AS n", hybrid()).await,
        "hybrid-links" => caller.execute("SELECT * FROM VALUES (1), (2), (3) AS t(n)", hybrid()).await,
        "no-rows" => caller.execute("SELECT amount FROM main.gold.daily_sales WHERE false", json!({})).await,
        "no-columns" => caller.execute("DROP TABLE IF EXISTS main.gold.nothing", json!({})).await,
        "failed" => caller.execute("SELEC 1", json!({})).await,
        "pending" => caller.execute("SELECT 1", json!({"wait_timeout": "0s"})).await,
        "running" | "canceled" => {
            caller.stand_in.hold("held", None);
            let first = caller.execute("SELECT 'held'", json!({"wait_timeout": "0s"})).await;
            let path = format!("{statements}/{}", id(&first));
            caller.until_state(&id(&first), "RUNNING").await;
            if case == "canceled" {
                caller.post(&format!("{path}/cancel"), &json!({})).await;
                caller.until_state(&id(&first), "CANCELED").await;
            }
            let reply = caller.get(&path).await;
            assert_eq!(reply.body["status"]["state"], case.to_uppercase());
            caller.stand_in.release();
            reply
        }
        "closed" | "statement-closed" => {
            let done = caller.execute("SELECT 1", json!({})).await;
            let path = format!("{statements}/{}", id(&done));
            let token = format!("Bearer {}", local_stack::databricks::TOKEN);
            let closed = caller.send("DELETE", &path, Some(&token), String::new()).await;
            if case == "closed" { caller.get(&path).await } else { closed }
        }
        "session-opened" => caller.post("/api/2.0/sql/sessions/", &json!({"warehouse_id": WAREHOUSE})).await,
        "session-closed" => {
            let token = format!("Bearer {}", local_stack::databricks::TOKEN);
            caller.send("DELETE", "/api/2.0/sql/sessions/1?warehouse_id=1", Some(&token), String::new()).await
        }
        "oauth-discovery" => {
            caller.send("GET", "/oidc/.well-known/oauth-authorization-server", None, String::new()).await
        }
        "error-401" => caller.send("POST", "/api/2.0/sql/sessions/", None, String::new()).await,
        "error-403" => caller.send("POST", "/api/2.0/sql/sessions/", bearer, String::new()).await,
        other => panic!("no call is known that is answered with {other}"),
    }
}

#[tokio::test]
async fn every_served_kind_of_reply_has_the_recorded_shape() {
    let caller = with(DatabricksOptions { chunk_rows: 2, ..DatabricksOptions::default() }).await;
    let mut held_cases = 0;
    for case in cases().iter().filter(|case| case.served) {
        let reply = provoked(&caller, &case.name).await;
        let found = held(case, &reply);
        assert!(found.is_empty(), "{}: {found:?}\n{}", case.name, reply.body);
        held_cases += 1;
    }
    assert!(held_cases >= 20);
}

#[test]
fn the_examples_have_the_shapes_and_a_changed_one_is_noticed() {
    for case in cases() {
        let Some(example) = case.example else { continue };
        let mut found = Vec::new();
        differences(&case.shape, &example, &case.name, &mut found);
        assert!(found.is_empty(), "{found:?}");
        let mut changed = example;
        changed["surprise"] = json!(1);
        differences(&case.shape, &changed, &case.name, &mut found);
        assert_eq!(found.len(), 1);
    }
}

/// Replays recorded statements when `CAUSEWAY_RECORDINGS` names the file, and compares names, types, counts and cells.
#[tokio::test]
async fn the_recorded_statements_give_the_recorded_results() {
    let Ok(file) = std::env::var("CAUSEWAY_RECORDINGS") else {
        println!("skipped: CAUSEWAY_RECORDINGS does not name a file of recordings");
        return;
    };
    let text = std::fs::read_to_string(file).expect("the recordings");
    // Statement ids are time-ordered, and the lines of the file are not.
    let mut tests: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for line in text.lines() {
        let recorded: Value = serde_json::from_str(line).expect("a recording");
        let Some(statement) = recorded["response"]["body"]["statement_id"].as_str() else { continue };
        let test = recorded["test"].as_str().unwrap_or_default().to_owned();
        tests.entry(test).or_default().push((statement.to_owned(), recorded));
    }
    let (mut same, mut left) = (0, Vec::new());
    for (test, mut recordings) in tests {
        let options = DatabricksOptions { time_zone: "America/Los_Angeles".into(), ..DatabricksOptions::default() };
        let caller = with(options).await;
        caller.rows("CREATE SCHEMA main.jdbc_test_schema").await;
        recordings.sort_by(|one, other| one.0.cmp(&other.0));
        for (_, recorded) in recordings {
            let statement = recorded["request"]["body"]["statement"].as_str().expect("a statement");
            let asked = &recorded["request"]["body"];
            let mut more = json!({});
            for name in ["disposition", "format", "result_compression", "row_limit"] {
                if let Some(value) = asked.get(name) {
                    more[name] = value.clone();
                }
            }
            let reply = caller.execute(statement, more).await;
            let (ours, theirs) = (&reply.body, &recorded["response"]["body"]);
            if ours["status"]["sql_state"] == "0A000" || statement.contains("samples.tpch") || test.contains("interval")
            {
                left.push(statement.to_owned());
                continue;
            }
            assert_eq!(ours["status"]["state"], theirs["status"]["state"], "{statement}: {ours}");
            let (schema, count) = ("/manifest/schema", "/manifest/total_row_count");
            assert_eq!(ours.pointer(schema), theirs.pointer(schema), "{statement}");
            assert_eq!(ours.pointer(count), theirs.pointer(count), "{statement}");
            for kept in ["/manifest/format", "/manifest/result_compression", "/manifest/total_chunk_count"] {
                assert_eq!(ours.pointer(kept), theirs.pointer(kept), "{statement}");
            }
            if let Some(cells) = theirs.pointer("/result/data_array") {
                assert_eq!(ours.pointer("/result/data_array"), Some(cells), "{statement}");
            }
            same += 1;
        }
    }
    println!("{same} recorded statements gave the recorded results; not comparable here: {left:#?}");
    assert!(same > 50);
}
