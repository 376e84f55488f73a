//! Power BI: lists, and who is let in.

use std::time::Duration;

use local_stack::power_bi::{AUDIENCES, Callers, sample};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::power_bi::{Room, dataset};

fn all<'a>(reply: &'a Value, member: &str) -> Vec<&'a str> {
    let value = reply["value"].as_array().unwrap();
    value.iter().map(|entry| entry[member].as_str().unwrap()).collect()
}

fn info(reply: &Reply) -> &str {
    reply.header("x-powerbi-error-info")
}

#[tokio::test]
async fn workspaces_are_filtered_and_paged_and_only_ours_are_listed() {
    let room = Room::start(|_| {}).await;
    for (query, names) in [
        ("", &["Retail Analytics", "Retail Team"][..]),
        ("?$top=1&$skip=1", &["Retail Team"]),
        ("?$filter=name%20eq%20'Retail%20Team'", &["Retail Team"]),
        ("?$filter=tolower(name)%20eq%20'retail%20team'", &["Retail Team"]),
        ("?$filter=startswith(name,'Retail%20A')", &["Retail Analytics"]),
        ("?$filter=contains(name,'analytics')%20and%20isOnDedicatedCapacity%20eq%20true", &["Retail Analytics"]),
        ("?$filter=contains(name,'Ledger')", &[]),
    ] {
        let groups = room.send("GET", &format!("groups{query}"), None).await.json();
        assert_eq!(all(&groups, "name"), names, "{query}");
    }
    for query in ["?$filter=nonsense", "?$top=0", "?$skip=-1"] {
        assert_eq!(room.send("GET", &format!("groups{query}"), None).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn what_is_in_a_workspace_is_listed_whole() {
    let room = Room::start(|_| {}).await;
    let list = async |what: &str| room.send("GET", &format!("groups/{}/{what}", sample::WORKSPACE), None).await.json();
    assert_eq!(all(&list("datasets").await, "name"), ["Sales Live", "Sales"]);
    assert_eq!(list("datasets?$top=1").await["value"].as_array().unwrap().len(), 2, "no paging there");
    let reports = list("reports").await;
    assert_eq!(all(&reports, "name"), ["Sales Overview", "Monthly Statement"]);
    assert_eq!(all(&reports, "reportType"), ["PowerBIReport", "PaginatedReport"]);
    assert_eq!(reports["value"][0]["datasetId"], sample::SALES);
    assert_eq!(reports["value"][1].get("datasetId"), None, "a paginated report has none");
    assert_eq!(all(&list("dashboards").await, "displayName"), ["Sales Today"]);
    let one = room.send("GET", &dataset(sample::WORKSPACE, sample::SALES), None).await;
    assert_eq!((one.status, one.json()["name"].as_str()), (200, Some("Sales")));
    let one = format!("groups/{}/reports/{}", sample::WORKSPACE, sample::SALES_OVERVIEW);
    assert_eq!(room.send("GET", &one, None).await.json()["name"], "Sales Overview");

    let tables = format!("{}/tables", dataset(sample::WORKSPACE, sample::SALES_LIVE));
    assert_eq!(room.send("GET", &tables, None).await.json()["value"][0]["columns"][0]["name"], "day");
    room.power_bi.set_tables_show_columns(false);
    assert_eq!(room.send("GET", &tables, None).await.json()["value"], json!([{"name": "DailySales"}]));
    let import = format!("{}/tables", dataset(sample::WORKSPACE, sample::SALES));
    assert_eq!(room.send("GET", &import, None).await.status, 404, "no push dataset");
}

#[tokio::test]
async fn bad_tokens_get_403_and_foreign_workspaces_401() {
    let room = Room::start(|_| {}).await;
    let url = format!("{}/v1.0/myorg/groups", room.power_bi.url());
    let none = Client::default().get(&url).await;
    assert_eq!((none.status, none.text.as_str(), info(&none)), (403, "", "InvalidToken"));
    let (elsewhere, _) = room.tokens.issue("https://vault.azure.net", "app", "object");
    let elsewhere = Client::default().bearer(&elsewhere).get(&url).await;
    assert_eq!((elsewhere.status, elsewhere.text.as_str(), info(&elsewhere)), (403, "", "InvalidToken"));
    room.tokens.set_life(Duration::ZERO);
    let (expired, _) = room.tokens.issue(AUDIENCES[0], "app", "object");
    let expired = Client::default().bearer(&expired).get(&url).await;
    assert_eq!((expired.status, info(&expired)), (403, "TokenExpired"));
    for what in ["datasets", "reports", "dashboards"] {
        let foreign = room.send("GET", &format!("groups/{}/{what}", sample::FOREIGN_WORKSPACE), None).await;
        assert_eq!((foreign.status, info(&foreign)), (401, "GroupNotAccessible"));
    }
    let missing = room.send("GET", &dataset(sample::WORKSPACE, sample::FOREIGN_DATASET), None).await;
    assert_eq!((missing.status, info(&missing)), (404, "PowerBIEntityNotFound"));
}

#[tokio::test]
async fn my_workspace_is_there_for_people_and_not_for_applications() {
    let room = Room::start(|_| {}).await;
    let rows = format!("datasets/{}/tables/DailySales/rows", sample::NOTES);
    let row = json!({"rows": [{"orders": 1}]});
    let refresh = format!("datasets/{}/refreshes", sample::NOTES);
    for (method, path, body) in [
        ("GET", "datasets", None),
        ("GET", "reports", None),
        ("GET", "dashboards", None),
        ("GET", &refresh, None),
        ("POST", &rows, Some(&row)),
        ("DELETE", &rows, None),
    ] {
        let refused = room.send(method, path, body).await;
        assert_eq!(refused.status, 403, "{method} {path}");
        assert_eq!(refused.json(), json!({"Message": "API is not accessible for application"}));
        assert_eq!(info(&refused), "");
    }
    room.power_bi.set_callers(Callers::People);
    assert_eq!(all(&room.send("GET", "datasets", None).await.json(), "name"), ["Notes"]);
    assert_eq!(room.send("POST", &rows, Some(&row)).await.status, 200);
    assert_eq!(room.power_bi.row_count(sample::NOTES, sample::DAILY_SALES), 1);
    let groups = room.send("GET", "groups", None).await.json();
    assert!(!all(&groups, "name").contains(&"My workspace"), "it is in no list");
    let elsewhere = format!("datasets/{}", sample::SALES);
    assert_eq!(room.send("GET", &elsewhere, None).await.status, 404);
}
