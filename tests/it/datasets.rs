//! Power BI's lists and push datasets, from outside.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::road::{Reply, Road};

const WORKSPACES: &str = "/api/power-bi/workspaces";

fn datasets() -> String {
    format!("{WORKSPACES}/{}/datasets", sample::WORKSPACE)
}

fn names(reply: &Reply) -> Vec<&str> {
    reply.at("/value").as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect()
}

fn live(name: &str) -> Value {
    json!({"name": name, "tables": [{"name": "T", "columns": [{"name": "id", "dataType": "int64"}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropdown_goes_from_the_workspace_to_the_table() {
    let road = Road::start().await;
    let workspaces = road.get(WORKSPACES).await.expect(200);
    assert_eq!(workspaces.at("/value/0/id"), sample::WORKSPACE);
    assert!(!names(&workspaces).contains(&"Finance"), "not ours");
    let all = road.get(&datasets()).await.expect(200);
    assert!(names(&all).contains(&"Sales Live") && names(&all).contains(&"Sales"));
    let push = road.get(&format!("{}?filter=addRowsAPIEnabled%20eq%20true", datasets())).await.expect(200);
    assert_eq!(push.at("/value/0/id"), sample::SALES_LIVE);
    assert!(!names(&push).contains(&"Sales"));
    let one = road.get(&format!("{}/{}", datasets(), sample::SALES_LIVE)).await.expect(200);
    assert_eq!((one.at("/name"), one.at("/addRowsAPIEnabled")), (&json!("Sales Live"), &json!(true)));
    let tables = road.get(&format!("{}/{}/tables", datasets(), sample::SALES_LIVE)).await.expect(200);
    assert_eq!(names(&tables)[0], "DailySales");
    let none = road.get(&format!("{}/{}/tables", datasets(), sample::SALES)).await;
    none.problem(422, "not-a-push-dataset");
}

#[tokio::test(flavor = "multi_thread")]
async fn power_bi_lists_come_in_pages_that_need_no_key() {
    let road = Road::start().await;
    for (path, filter) in [
        (WORKSPACES.to_owned(), "contains(name,'retail')"),
        (datasets(), "contains(name,'sales') or name eq 'nothing'"),
    ] {
        let filter = filter.replace(' ', "%20").replace('\'', "%27");
        let whole = road.get(&format!("{path}?filter={filter}")).await.expect(200);
        assert!(names(&whole).len() >= 2 && whole.body.get("nextLink").is_none(), "{}", whole.body);
        let mut page = road.get(&format!("{path}?filter={filter}&top=1")).await.expect(200);
        let mut seen: Vec<Value> = Vec::new();
        loop {
            let value = page.at("/value").as_array().unwrap();
            assert_eq!(value.len(), 1);
            seen.extend(value.iter().cloned());
            let Some(link) = page.body["nextLink"].as_str().map(str::to_owned) else { break };
            page = road.get(&link).await.expect(200);
        }
        assert_eq!(&json!(seen), whole.at("/value"), "the pages are the list");
        let rest = road.get(&format!("{path}?filter={filter}&skip=1")).await.expect(200);
        assert_eq!(rest.at("/value").as_array().unwrap()[..], seen[1..]);
        assert!(names(&road.get(&format!("{path}?skip=1000")).await.expect(200)).is_empty());
        for bad in ["top=0", "top=5001", "top=x", "skip=-1", "filter=nonsense", "orderby=name", "filter=name%20eq"] {
            road.get(&format!("{path}?{bad}")).await.problem(400, "query-invalid");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_ours_or_nobodys_is_named() {
    let road = Road::start().await;
    let mine = road.get(&format!("{WORKSPACES}/me/datasets")).await.problem(424, "power-bi-access-denied");
    mine.saying(&["My Workspace belongs to a person"]);
    let foreign = road.get(&format!("{WORKSPACES}/{}/datasets", sample::FOREIGN_WORKSPACE)).await;
    foreign.problem(424, "power-bi-access-denied").saying(&[sample::FOREIGN_WORKSPACE, "Contributor"]);
    road.get(&format!("{WORKSPACES}/Retail/datasets")).await.problem(404, "workspace-not-found");
    road.get(&format!("{}/{}", datasets(), sample::FOREIGN_DATASET)).await.problem(404, "dataset-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_dataset_is_made_filled_changed_emptied_and_deleted() {
    let road = Road::start().await;
    let body = json!({"name": "Live", "retention": "basicFifo", "tables": [
        {"name": "Orders", "columns": [{"name": "id", "dataType": "int64"}, {"name": "at", "dataType": "datetime"}]},
    ]});
    let made = road.post(&datasets(), &body).await.expect(201);
    let id = made.at("/id").as_str().unwrap().to_owned();
    assert_eq!(made.at("/name"), "Live");
    assert_eq!(made.at("/tables/0/columns/1"), &json!({"name": "at", "dataType": "DateTime"}));
    let there = made.header("location").unwrap().to_owned();
    assert!(there.ends_with(&format!("{}/{id}", datasets())), "{there}");
    let here = format!("{}/{id}", datasets());
    let rows = format!("{here}/tables/Orders/rows");
    road.post(&rows, &json!({"rows": [{"id": 1, "at": "2026-01-01T00:00:00Z"}]})).await.expect(200);
    assert_eq!(road.stack.power_bi.rows(&id, "Orders").len(), 1);
    let wider = json!({"columns": [{"name": "id", "dataType": "Int64"}, {"name": "note", "dataType": "String"}]});
    let changed = road.call("PUT", &format!("{here}/tables/Orders"), Some(wider.to_string()), &[]).await.expect(200);
    assert_eq!(changed.at("/columns/1/name"), "note");
    let tables = road.get(&format!("{here}/tables")).await.expect(200);
    assert_eq!(names(&tables), ["Orders"]);
    road.call("DELETE", &rows, None, &[]).await.expect(200);
    assert!(road.stack.power_bi.rows(&id, "Orders").is_empty());
    road.call("DELETE", &here, None, &[]).await.expect(200);
    road.get(&here).await.problem(404, "dataset-not-found");
    road.call("DELETE", &here, None, &[]).await.problem(404, "dataset-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_made_once_for_each_key() {
    let road = Road::start().await;
    let first = road.post_keyed(&datasets(), "k", &live("Once")).await.expect(201);
    let again = road.post_keyed(&datasets(), "k", &live("Once")).await.expect(201);
    assert!(again.replayed() && again.at("/id") == first.at("/id"), "{}", again.body);
    road.post_keyed(&datasets(), "k", &live("Twice")).await.problem(422, "idempotency-key-reused");
    assert_eq!(road.effects("powerBi", "dataset").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_was_lost_is_found_by_its_name() {
    let road = Road::start().await;
    // One of the same name was there before, and is not taken for it.
    let before = road.post(&datasets(), &live("Twin")).await.expect(201);
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/datasets", Action::CutAfterCommit));
    let made = road.post_keyed(&datasets(), "k", &live("Twin")).await.expect(201);
    assert_eq!(road.effects("powerBi", "dataset").len(), 2);
    assert_ne!(made.at("/id"), before.at("/id"));
    let again = road.post_keyed(&datasets(), "k", &live("Twin")).await.expect(201);
    assert!(again.replayed() && again.at("/id") == made.at("/id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_cannot_be_found_is_unknown_and_not_repeated() {
    let road = Road::start().await;
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/datasets", Action::CutBeforeCommit));
    let lost = road.post_keyed(&datasets(), "k", &live("Lost")).await;
    lost.problem(409, "outcome-unknown");
    road.post_keyed(&datasets(), "k", &live("Lost")).await.problem(409, "outcome-unknown");
    assert!(road.effects("powerBi", "dataset").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_from_a_statement_which_is_not_run() {
    let road = Road::start().await;
    let statement = "SELECT order_id, ordered_at, status, amount, CAST(amount AS DOUBLE) AS d FROM main.sales.orders WHERE order_id > :least -- all";
    let body = json!({"name": "Orders", "tables": [
        {"name": "Orders", "statement": statement, "parameters": {"least": 3}},
    ]});
    let made = road.post(&datasets(), &body).await;
    let made = made.expect(201);
    let columns = made.at("/tables/0/columns").as_array().unwrap();
    let types: Vec<&str> = columns.iter().map(|column| column["dataType"].as_str().unwrap()).collect();
    assert_eq!((types[0], types[3], types[4]), ("Int64", "Decimal", "Double"), "{columns:?}");
    assert_eq!(columns[3]["sourceType"].as_str().unwrap().to_uppercase(), "DECIMAL(18,2)");
    let run = road.effects("databricks", "statement");
    assert!(run.is_empty() || run.iter().all(|run| run.to_string().contains("LIMIT 0")), "{run:?}");
    // What would lose something is named; as text it is taken.
    let lossy = |unsupported: Value| {
        let mut table =
            json!({"name": "T", "statement": "SELECT CAST(1 AS DECIMAL(38,18)) AS rate, array(1, 2) AS tags"});
        if !unsupported.is_null() {
            table["unsupported"] = unsupported;
        }
        json!({"name": "Lossy", "tables": [table]})
    };
    let refused = road.post(&datasets(), &lossy(Value::Null)).await.problem(400, "body-invalid");
    let refused = refused.saying(&["`rate`", "`tags`"]);
    assert_eq!(refused.at("/place"), "tables[0].statement");
    let text = road.post(&datasets(), &lossy(json!("text"))).await.expect(201);
    assert_eq!(text.at("/tables/0/columns/0/dataType"), "String");
    let wrong = json!({"name": "X", "tables": [{"name": "T", "statement": "SELECT nothing FROM main.sales.orders"}]});
    road.post(&datasets(), &wrong).await.problem(422, "statement-failed");
    for write in ["DELETE FROM main.sales.orders", "SELECT 1; SELECT 2", "SHOW TABLES IN main.sales"] {
        let body = json!({"name": "X", "tables": [{"name": "T", "statement": write}]});
        road.post(&datasets(), &body).await.problem(403, "statement-not-allowed");
    }
    assert_eq!(road.effects("powerBi", "dataset").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_dataset_is_refused_before_any_call() {
    let road = Road::start().await;
    let column = json!({"name": "id", "dataType": "Int64"});
    for (body, place) in [
        (json!({"name": " ", "tables": [{"name": "T", "columns": [column]}]}), "name"),
        (json!({"name": "D", "tables": []}), "tables"),
        (json!({"name": "D", "tables": [{"columns": [column]}]}), "tables[0].name"),
        (json!({"name": "D", "tables": [{"name": "T"}]}), "tables[0].columns"),
        (
            json!({"name": "D", "tables": [{"name": "T", "columns": [column], "statement": "SELECT 1"}]}),
            "tables[0].statement",
        ),
        (
            json!({"name": "D", "tables": [{"name": "T", "columns": [{"name": "id", "dataType": "Int32"}]}]}),
            "tables[0].columns[0].dataType",
        ),
    ] {
        let refused = road.post(&datasets(), &body).await.problem(400, "body-invalid");
        assert_eq!(refused.at("/place"), place);
    }
    road.post(&datasets(), &json!({"name": "D", "tables": [{"name": "T", "columns": [column], "colour": 1}]}))
        .await
        .problem(400, "body-invalid");
    road.call("POST", &datasets(), None, &[]).await.problem(400, "body-missing");
    let renamed = json!({"name": "Other", "columns": [column]}).to_string();
    let path = format!("{}/{}/tables/DailySales", datasets(), sample::SALES_LIVE);
    road.call("PUT", &path, Some(renamed), &[]).await.problem(400, "body-invalid");
    assert!(road.effects("powerBi", "exchange").iter().all(|exchange| exchange["method"] == "GET"));
}
