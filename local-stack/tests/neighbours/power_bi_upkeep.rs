//! Power BI: parameters, ownership and schedules of datasets; dataflows.

use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::power_bi::{Room, dataset};

#[tokio::test]
async fn parameters_are_changed_together_or_not_at_all() {
    let room = Room::start(|_| {}).await;
    let path = dataset(sample::WORKSPACE, sample::SALES);
    let values = async || {
        let list = room.send("GET", &format!("{path}/parameters"), None).await.json();
        let value = list["value"].as_array().unwrap().clone();
        value.iter().map(|one| one["currentValue"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let update = async |changes: Value| {
        let body = json!({"updateDetails": changes});
        room.send("POST", &format!("{path}/Default.UpdateParameters"), Some(&body)).await.status
    };
    let before = values().await;
    let good = json!({"name": "MaxId", "newValue": "5678"});
    for bad in [
        json!([]),
        json!([good, {"name": "maxid", "newValue": "1"}]),
        json!([good, {"name": "MaxId", "newValue": "1"}]),
        json!([good, {"name": "FromDate", "newValue": "someday"}]),
        json!([good, {"name": "FilterBlanks", "newValue": "perhaps"}]),
        json!([good, {"name": "AnyParam", "newValue": "1"}]),
        json!([good, {"name": "ServerName", "newValue": ""}]),
        json!([{"name": "MaxId", "newValue": "many"}]),
        json!(vec![good.clone(); 101]),
    ] {
        assert_eq!(update(bad.clone()).await, 400, "{bad}");
    }
    assert_eq!(values().await, before);
    assert_eq!(update(json!([good, {"name": "FromDate", "newValue": "2026-01-01"}])).await, 200);
    assert_eq!(values().await[1..3], ["2026-01-01", "5678"]);
}

#[tokio::test]
async fn what_is_somebody_elses_is_taken_over_first() {
    let room = Room::start(|_| {}).await;
    let path = dataset(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let schedule = json!({"value": {"days": ["Monday"], "times": ["07:00"], "enabled": true}});
    let patch = async || room.send("PATCH", &format!("{path}/refreshSchedule"), Some(&schedule)).await.status;
    assert_eq!(patch().await, 403);
    assert_eq!(room.send("POST", &format!("{path}/Default.TakeOver"), None).await.status, 200);
    assert_eq!(patch().await, 200);
    let read = room.send("GET", &format!("{path}/refreshSchedule"), None).await.json();
    assert_eq!(
        (&read["enabled"], &read["times"], &read["notifyOption"]),
        (&json!(true), &json!(["07:00"]), &json!("NoNotification"))
    );
}

#[tokio::test]
async fn a_schedule_has_days_half_hours_and_a_limit_by_capacity() {
    let room = Room::start(|_| {}).await;
    room.power_bi.set_owned(sample::TEAM_SALES, true);
    let patch = async |workspace: &str, id: &str, value: Value| {
        let path = format!("{}/refreshSchedule", dataset(workspace, id));
        room.send("PATCH", &path, Some(&json!({"value": value}))).await.status
    };
    let sales = async |value: Value| patch(sample::WORKSPACE, sample::SALES, value).await;
    for bad in [
        json!({"enabled": true}),
        json!({"days": ["Someday"]}),
        json!({"times": ["07:15"]}),
        json!({"times": ["24:00"]}),
        json!({"enabled": false, "times": ["07:00"]}),
        json!({"notifyOption": "MailOnFailure"}),
        json!({"localTimeZoneId": ""}),
    ] {
        assert_eq!(sales(bad.clone()).await, 400, "{bad}");
    }
    let times = |count: usize| (0..count).map(|at| format!("{:02}:{:02}", at / 2, at % 2 * 30)).collect::<Vec<_>>();
    assert_eq!(sales(json!({"days": ["Monday", "Friday"], "times": times(48), "enabled": true})).await, 200);
    assert_eq!(sales(json!({"enabled": false})).await, 200);
    for (count, status) in [(8, 200), (9, 400)] {
        let value = json!({"times": times(count)});
        assert_eq!(patch(sample::SHARED_WORKSPACE, sample::TEAM_SALES, value).await, status);
    }
    assert_eq!(patch(sample::WORKSPACE, sample::SALES_LIVE, json!({"days": ["Monday"]})).await, 400, "a push dataset");
}

#[tokio::test]
async fn a_dataflow_is_refreshed_followed_by_its_transactions_and_cancelled() {
    let room = Room::start(|_| {}).await;
    let flows = format!("groups/{}/dataflows", sample::WORKSPACE);
    let list = room.send("GET", &flows, None).await.json();
    assert_eq!(list["value"][0]["objectId"], sample::CUSTOMERS_FLOW);
    let flow = format!("{flows}/{}", sample::CUSTOMERS_FLOW);
    let refresh = async |query: &str, option: &str| {
        let body = json!({"notifyOption": option});
        room.send("POST", &format!("{flow}/refreshes{query}"), Some(&body)).await.status
    };
    let newest = async || room.send("GET", &format!("{flow}/transactions"), None).await.json()["value"][0].clone();
    let cancel = async |id: &str| {
        let id = id.replace('$', "%24").replace('@', "%40");
        room.send("POST", &format!("{flows}/transactions/{id}/cancel"), None).await.json()["status"].clone()
    };
    assert_eq!(refresh("", "MailOnCompletion").await, 400);
    assert_eq!(refresh("?processType=sometimes", "NoNotification").await, 400);
    assert_eq!(refresh("?processType=processFull", "NoNotification").await, 200);
    assert_eq!(refresh("", "NoNotification").await, 400, "one at a time");
    let first = newest().await;
    assert_eq!((&first["status"], &first["refreshType"]), (&json!("InProgress"), &json!("OnDemand")));
    let id = first["id"].as_str().unwrap();
    assert_eq!(cancel(id).await, "SuccessfullyMarked");
    assert_eq!((cancel(id).await, cancel("elsewhere").await), (json!("AlreadyConcluded"), json!("NotFound")));
    assert_eq!(newest().await["status"], "Cancelled");
    for (fails, status) in [(false, "Success"), (true, "Failed")] {
        if fails {
            room.power_bi.fail_next_dataflow_refresh(sample::CUSTOMERS_FLOW);
        }
        assert_eq!(refresh("", "NoNotification").await, 200);
        room.power_bi.step();
        room.power_bi.step();
        assert_eq!(newest().await["status"], status);
    }
}
