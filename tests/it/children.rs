//! Steps that become runs of their own, from outside: `operation` and `for_each`.

use causeway::runs::identity::run_id;
use serde_json::{Value, json};

use crate::declared::Declared;

const CHILD: (&str, &str) = (
    "child",
    "summary: s
parameters: {n: {type: integer, required: true, min: 1}, note: {type: string, default: none}}
steps:
  - {id: ask, sql: {statement: SELECT 1 AS one, expect: one_row}}
  - {id: stop, assert: {that: parameters.n != 13, message: 'unlucky {{ parameters.note }}'}}
output: {n: '{{ parameters.n }}', note: '{{ parameters.note }}', one: '{{ steps.ask.row.one }}'}
",
);
const PARENT: (&str, &str) = (
    "parent",
    "summary: s
parameters: {n: {type: integer, default: 7}}
steps:
  - {id: call, operation: {name: child, parameters: {n: '{{ parameters.n }}'}}}
output: {n: '{{ steps.call.n }}', note: '{{ steps.call.note }}'}
",
);
const AGAIN: (&str, &str) = (
    "again",
    "summary: s\nsteps: [{id: call, retry: {attempts: 2, backoff: 1s, on: [assertion-failed]}, operation: {name: child, parameters: {n: 13}}}]\n",
);
const EACH: (&str, &str) = (
    "each",
    "summary: s
parameters: {list: {type: array, required: true}}
steps:
  - {id: before, sql: {statement: SELECT 1 AS one, expect: one_row}}
  - id: ask
    for_each: {in: '{{ parameters.list }}', parallel: 3}
    sql: {statement: SELECT 5 AS five, parameters: {n: '{{ item.n }}', i: '{{ item_index }}', one: '{{ steps.before.row.one }}', run: '{{ run.operation }}'}, expect: one_row}
output: {outputs: '{{ steps.ask.outputs.map(output, output.row.five) }}', items: '{{ steps.ask.items }}', failed: '{{ steps.ask.failed }}'}
",
);
const STOPS: (&str, &str) = (
    "stops",
    "summary: s
parameters: {list: {type: array, required: true}}
steps:
  - id: check
    for_each: {in: '{{ parameters.list }}', parallel: 2}
    assert: {that: item < 10, message: 'item {{ item_index }} is {{ item }}'}
",
);
const GOES_ON: (&str, &str) = (
    "goes-on",
    "summary: s
parameters: {list: {type: array, required: true}}
steps:
  - id: call
    for_each: {in: '{{ parameters.list }}', parallel: 4, on_item_failure: continue}
    operation: {name: child, parameters: {n: '{{ item }}', note: 'item {{ item_index }}'}}
output: {outputs: '{{ steps.call.outputs }}', items: '{{ steps.call.items }}', failed: '{{ steps.call.failed }}'}
",
);

const ASKS: (&str, &str) = (
    "asks",
    "summary: s
steps:
  - id: ask
    for_each: {in: [1, 2, 3], parallel: 3}
    sql: {statement: SELECT 5 AS five, parameters: {n: '{{ item }}'}}
",
);

fn run_of(operation: &str) -> String {
    run_id(&["queue", "causeway-requests", operation])
}

async fn ended(road: &Declared, operation: &str, parameters: Value) -> Value {
    road.ask(operation, operation, &parameters);
    road.ended(&run_of(operation)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_step_is_a_run_of_its_own_whose_output_is_the_steps() {
    let road = Declared::canned(&[CHILD, PARENT], &[]).await;
    let reply = road.post("/api/operations/parent", &json!({})).await.expect(200);
    assert_eq!((reply.at("/n"), reply.at("/note")), (&json!(7), &json!("none")));
    let parent = road.get(&format!("/api/runs/{}", reply.header("x-causeway-run-id").unwrap())).await.expect(200).body;
    let id = parent["steps"][0]["upstreamId"].as_str().unwrap().strip_prefix("run:").unwrap().to_owned();
    let child = road.get(&format!("/api/runs/{id}")).await.expect(200).body;
    assert_eq!(
        (&child["operation"], &child["state"], &child["trigger"]),
        (&json!("child"), &json!("succeeded"), &json!("parent"))
    );
    assert_eq!((&child["parent"]["runId"], &child["parent"]["step"]), (&parent["runId"], &json!("call")));
    assert_eq!(road.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_a_child_is_the_steps_and_names_its_run() {
    let road = Declared::canned(&[CHILD, PARENT], &[]).await;
    let reply = road.post("/api/operations/parent", &json!({"n": 13})).await.problem(422, "assertion-failed");
    let child = road.runs().into_iter().find(|run| *reply.at("/runId") != json!(run)).unwrap();
    let reply = reply.saying(&["unlucky none", "Operation \"child\"", "at step \"stop\"", &child]);
    assert_eq!(reply.at("/step"), "call");
    // What it takes is checked as for any other caller.
    let wrong = road.post("/api/operations/parent", &json!({"n": 0})).await;
    wrong.problem(400, "parameters-invalid").saying(&["parameters.n: must be at least 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_failed_is_tried_again_from_the_step_that_failed() {
    let road = Declared::canned(&[CHILD, AGAIN], &[]).await;
    let run = ended(&road, "again", json!({})).await;
    assert_eq!((&run["state"], &run["steps"][0]["attempt"]), (&json!("failed"), &json!(2)), "{run}");
    let child = road.runs().into_iter().find(|other| *other != run_of("again")).expect("a child");
    let child = road.get(&format!("/api/runs/{child}")).await.expect(200).body;
    let attempts = [&child["steps"][0]["attempt"], &child["steps"][1]["attempt"]];
    assert_eq!((attempts, road.runs().len()), ([&json!(1), &json!(2)], 2), "{child}");
    assert_eq!(road.effects("databricks", "statement").len(), 1, "what it did stays done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_does_the_items_that_have_not_succeeded_and_no_other() {
    let road = Declared::canned(&[ASKS], &[]).await;
    road.reply("SELECT 5 AS five", &["five"], &[&["5"]]);
    road.stack.databricks.fail("SELECT 5 AS five", "[DIVIDE_BY_ZERO] once", Some("22012"), 1);
    let run = ended(&road, "asks", json!({})).await;
    assert_eq!(run["error"]["code"], "items-failed", "{run}");
    let id = run_of("asks");
    road.post(&format!("/api/runs/{id}/retry"), &json!({})).await;
    let run = road.ended(&id).await;
    assert_eq!((&run["state"], road.runs().len()), (&json!("succeeded"), 4), "{run}");
    let mut sent: Vec<String> = road
        .effects("databricks", "statement")
        .iter()
        .map(|effect| effect["parameters"][0]["value"].to_string())
        .collect();
    sent.sort();
    let of_each: Vec<usize> = sent.chunk_by(|one, next| one == next).map(<[String]>::len).collect();
    assert_eq!((sent.len(), of_each.len()), (4, 3), "the refused one again: {sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_a_run_and_the_outputs_stand_in_the_order_of_the_items() {
    let road = Declared::canned(&[EACH], &[]).await;
    road.reply("SELECT 5 AS five", &["five"], &[&["5"]]);
    let list: Vec<Value> = (0..7).map(|n| json!({"n": n * 10})).collect();
    let run = ended(&road, "each", json!({"list": list})).await;
    assert_eq!((&run["state"], &run["output"]["failed"]), (&json!("succeeded"), &json!(0)), "{run}");
    assert_eq!(run["output"]["outputs"], json!([5, 5, 5, 5, 5, 5, 5]));
    assert_eq!(run["steps"][1]["progress"], json!({"items": 7, "started": 7, "ended": 7, "failed": 0}), "{run}");
    let items = run["output"]["items"].as_array().unwrap();
    assert!(
        items.iter().enumerate().all(|(index, item)| item["index"] == index && item["state"] == "succeeded"),
        "{run}"
    );
    assert_eq!(road.runs().len(), 8);
    let mut told: Vec<String> = road
        .effects("databricks", "statement")
        .iter()
        .filter(|effect| effect["statement"] == "SELECT 5 AS five")
        .map(|effect| effect["parameters"].to_string())
        .collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 7, "each item once: {told:?}");
    assert!(told.iter().all(|parameters| parameters.contains("\"each\"")), "{told:?}");
    // Each has its own records, under the operation's name and the step's.
    let item = road.get(&format!("/api/runs/{}", items[3]["runId"].as_str().unwrap())).await.expect(200).body;
    assert_eq!((&item["operation"], &item["parent"]["item"]), (&json!("each.ask"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_items_is_done_at_once() {
    let road = Declared::canned(&[EACH], &[]).await;
    let reply = road.post("/api/operations/each", &json!({"list": []})).await.expect(200);
    assert_eq!((reply.at("/outputs"), reply.at("/failed")), (&json!([]), &json!(0)));
    assert_eq!(road.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_item_no_more_begin_and_the_failure_names_it() {
    let road = Declared::canned(&[STOPS], &[]).await;
    let run = ended(&road, "stops", json!({"list": [1, 50, 2, 3, 4, 5, 6, 7, 8, 9]})).await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("items-failed")), "{run}");
    let said = run["error"]["detail"].as_str().unwrap();
    assert!(said.contains("1 of 10 items") && said.contains("item 1 is 50") && said.contains("not begun"), "{said}");
    let failed = &run["error"]["failedItems"]["first"][0];
    assert_eq!((&failed["index"], &failed["code"]), (&json!(1), &json!("assertion-failed")), "{run}");
    let child = road.get(&format!("/api/runs/{}", failed["runId"].as_str().unwrap())).await.expect(200).body;
    assert_eq!(child["state"], "failed");
    assert!(road.runs().len() < 8, "{}", road.runs().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_continue_all_items_are_done_and_the_failed_ones_are_named() {
    let road = Declared::canned(&[CHILD, GOES_ON], &[]).await;
    let run = ended(&road, "goes-on", json!({"list": [1, 13, 3]})).await;
    assert_eq!((&run["state"], &run["output"]["failed"]), (&json!("succeeded"), &json!(1)), "{run}");
    let outputs = &run["output"]["outputs"];
    assert_eq!(
        (&outputs[0]["note"], &outputs[1], &outputs[2]["n"]),
        (&json!("item 0"), &Value::Null, &json!(3)),
        "{run}"
    );
    let item = &run["output"]["items"][1];
    assert_eq!((&item["state"], &item["error"]["code"]), (&json!("failed"), &json!("assertion-failed")), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_500_items_are_refused() {
    let road = Declared::canned(&[STOPS], &[]).await;
    let reply = road.post("/api/operations/stops", &json!({"list": vec![1; 501]})).await;
    reply.problem(400, "parameters-invalid").saying(&["at most 500", "501"]);
    assert_eq!(road.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_killed_among_children_starts_none_of_them_twice() {
    // A dead worker's lease ends with its deadline and half a minute.
    let road = Declared::canned(&[EACH], &[("CAUSEWAY_MESSAGE_SECONDS", "13")]).await;
    road.reply("SELECT 5 AS five", &["five"], &[&["5"]]);
    road.stack.databricks.hold("SELECT 5 AS five", None);
    let list: Vec<Value> = (0..3).map(|n| json!({"n": n})).collect();
    road.ask("each", "each", &json!({"list": list}));
    road.until("items are under way", |road| {
        road.effects("databricks", "statement").iter().any(|effect| effect["statement"] == "SELECT 5 AS five")
    })
    .await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    road.stack.databricks.release();
    let run = road.ended(&run_of("each")).await;
    assert_eq!((&run["state"], &run["output"]["failed"]), (&json!("succeeded"), &json!(0)), "{run}");
    assert_eq!(road.runs().len(), 4, "three items and their parent");
}
