//! What the handler sends to Power BI, and what the stand-in answers, held against Microsoft's own contract.

use std::collections::BTreeSet;
use std::time::Duration;

use local_stack::power_bi::{Clock, FailedRefresh, sample};
use serde_json::{Value, json};

use crate::road::Road;

#[path = "../conformance/power_bi_swagger.rs"]
mod power_bi_swagger;

use power_bi_swagger::{check_reply, check_request};

/// Method and last fixed segment: enough to tell our calls apart.
fn call(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').find(|segment| segment.bytes().all(|byte| byte.is_ascii_lowercase()));
    let one = if path.ends_with(name.unwrap_or_default()) { "" } else { "/{id}" };
    format!("{method} {}{one}", name.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_to_power_bi_and_every_reply_of_the_stand_in_keep_the_contract() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(20))).await;
    let dataset = |workspace: &str, dataset: &str| format!("/api/power-bi/workspaces/{workspace}/datasets/{dataset}");
    let standard = format!("{}/refreshes", dataset(sample::SHARED_WORKSPACE, sample::TEAM_SALES));
    let enhanced = format!("{}/refreshes", dataset(sample::WORKSPACE, sample::SALES));
    let rows = format!("{}/tables/DailySales/rows", dataset(sample::WORKSPACE, sample::SALES_LIVE));

    road.get("/api/health/ready").await.expect(200);
    road.post(&standard, &json!({})).await.expect(200);
    let every_field = json!({
        "type": "full", "tables": ["DailySales"], "partitions": [{"table": "DailySales", "partition": "DailySales"}],
        "commitMode": "partialBatch", "maxParallelism": 2, "retryCount": 1, "timeout": "01:30:00",
        "applyRefreshPolicy": false,
    });
    let reply = road.post(&enhanced, &every_field).await;
    assert!([200, 422].contains(&reply.status), "{}", reply.body);
    // Refusals are replies too: a field that shared capacity lacks, a failed refresh, one that still goes.
    road.post(&standard, &json!({"type": "full"})).await.problem(422, "premium-required");
    road.stack.power_bi.fail_next_refresh(sample::SALES, FailedRefresh::credentials());
    road.post(&enhanced, &json!({"type": "calculate"})).await.problem(422, "refresh-failed");
    road.stack.power_bi.set_clock(Clock::Stepped);
    let going = road.post(&format!("{enhanced}?waitSeconds=0"), &json!({"type": "full"})).await;
    going.accepted();
    // Waits for it, and is not sent.
    road.post(&format!("{enhanced}?waitSeconds=0"), &json!({})).await.accepted();
    let id = going.at("/id").as_str().unwrap();
    road.call("DELETE", &format!("{enhanced}/{id}"), None, &[]).await.expect(200);
    road.post(&rows, &json!({"rows": [{"orders": 1, "amount": 2.5}]})).await.expect(200);
    road.post(&rows, &json!({"rows": [{"no such column": 1}]})).await;

    let seen = held(&road);
    let every = [
        "DELETE refreshes/{id}",
        "GET groups",
        "GET refreshes",
        "GET refreshes/{id}",
        "GET tables",
        "POST refreshes",
        "POST rows",
    ];
    assert_eq!(seen, every.iter().map(ToString::to_string).collect(), "the calls that were made");
}

/// Holds everything that went over the wire against the contract; the calls that were made.
fn held(road: &Road) -> BTreeSet<String> {
    // Not in the contract: known from a blog and from public clients.
    let numbers = |exchange: &Value| exchange["path"].as_str().is_some_and(|path| path.ends_with("/sequenceNumbers"));
    let exchanges = road.effects("powerBi", "exchange").into_iter().filter(|exchange| !numbers(exchange));
    let exchanges: Vec<Value> = exchanges.collect();
    let mut seen = BTreeSet::new();
    for exchange in &exchanges {
        let [method, path, request, reply] =
            ["method", "path", "request", "reply"].map(|member| exchange[member].as_str().unwrap());
        let sent: Option<Value> =
            (!request.is_empty()).then(|| serde_json::from_str(request).unwrap_or_else(|_| panic!("{exchange}")));
        assert_eq!(check_request(method, path, sent.as_ref()), Ok(()), "{exchange}");
        let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
        assert_eq!(check_reply(method, path, status, reply), Ok(()), "{exchange}");
        seen.insert(call(method, path));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_push_datasets_queries_exports_and_upkeep_keep_the_contract_too() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(20))).await;
    let workspace = format!("/api/power-bi/workspaces/{}", sample::WORKSPACE);
    let sales = format!("{workspace}/datasets/{}", sample::SALES);
    let put = async |path: String, body: Value| road.call("PUT", &path, Some(body.to_string()), &[]).await;

    road.get("/api/power-bi/workspaces?filter=name%20eq%20%27x%27&skip=1").await.expect(200);
    road.get("/api/power-bi/workspaces?filter=nonsense").await.problem(400, "query-invalid");
    for list in ["datasets", "reports", "dataflows"] {
        road.get(&format!("{workspace}/{list}")).await.expect(200);
        road.get(&format!("/api/power-bi/workspaces/{}/{list}", sample::FOREIGN_WORKSPACE)).await.expect(424);
    }
    let table = json!({"name": "T", "columns": [{"name": "id", "dataType": "int64", "formatString": "0"}],
        "measures": [{"name": "n", "expression": "COUNTROWS('T')"}], "isHidden": true});
    let made = road.post(&format!("{workspace}/datasets"), &json!({"name": "D", "tables": [table]})).await.expect(201);
    let new = format!("{workspace}/datasets/{}", made.at("/id").as_str().unwrap());
    road.get(&new).await.expect(200);
    road.get(&format!("{new}/tables")).await.expect(200);
    put(format!("{new}/tables/T"), json!({"columns": [{"name": "id", "dataType": "string"}]})).await.expect(200);
    road.call("DELETE", &format!("{new}/tables/T/rows"), None, &[]).await.expect(200);
    road.call("DELETE", &new, None, &[]).await.expect(200);
    road.post(&format!("{sales}/query"), &json!({"query": "EVALUATE Customers"})).await.expect(200);
    road.post(&format!("{sales}/query"), &json!({"query": "EVALUATE Nowhere"})).await.problem(422, "query-failed");
    road.get(&format!("{sales}/parameters")).await.expect(200);
    put(format!("{sales}/parameters"), json!({"parameters": {"MaxId": 1}})).await.expect(200);
    road.call("POST", &format!("{sales}/take-over"), None, &[]).await.expect(200);
    put(format!("{sales}/refresh-schedule"), json!({"days": ["friday"], "enabled": true})).await.expect(200);
    road.get(&format!("{sales}/refresh-schedule")).await.expect(200);
    let flow = format!("{workspace}/dataflows/{}/refreshes", sample::CUSTOMERS_FLOW);
    road.post(&flow, &json!({"process": "full"})).await.expect(200);
    road.get(&flow).await.expect(200);
    let exports = format!("{workspace}/reports/{}/exports", sample::SALES_OVERVIEW);
    let export = road.post(&exports, &json!({"format": "pdf", "powerBIReportConfiguration": {}})).await.expect(200);
    road.open("GET", export.at("/fileUrl").as_str().unwrap(), None, &[]).await;
    let seen = held(&road);
    // `executeQueries` and the like are not in small letters: their calls show under the dataset's.
    for made in ["GET file", "GET transactions", "PATCH datasets/{id}", "POST datasets/{id}", "PUT tables/{id}"] {
        assert!(seen.contains(made), "{made} is not in {seen:?}");
    }
}
