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
    road.post(&enhanced, &json!({})).await.problem(409, "refresh-running");
    let id = going.at("/id").as_str().unwrap();
    road.call("DELETE", &format!("{enhanced}/{id}"), None, &[]).await.expect(200);
    road.post(&rows, &json!({"rows": [{"orders": 1, "amount": 2.5}]})).await.expect(200);
    road.post(&rows, &json!({"rows": [{"no such column": 1}]})).await;

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
