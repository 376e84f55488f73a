//! Lists as they are asked for and read.

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use super::calls::{keeps_the_contract, received};
use super::{DATASET, GROUP, answers, at, client, json_reply, soon};
use crate::failure::{Code, Failure};
use crate::power_bi::Portion;

#[tokio::test]
async fn workspaces_are_filtered_and_paged_by_the_service() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/v1.0/myorg/groups", json_reply(200, &json!({"value": [{"id": GROUP}]}))).await;
    let portion = Portion { filter: Some("contains(name,'a b+c&d')"), top: 3, skip: 2 };
    let found = client(&server).workspaces(&portion, soon()).await.expect("a list");
    assert_eq!((found.len(), found[0].id.as_str()), (1, GROUP));
    let sent = &received(&server).await[0];
    let query: Vec<(String, String)> = sent.url.query_pairs().into_owned().collect();
    let expected = [("$top", "3"), ("$skip", "2"), ("$filter", "contains(name,'a b+c&d')")];
    assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!sent.url.query().unwrap().contains('+'), "what a plus means depends on who reads it");
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn a_dataset_is_read_in_both_spellings_and_shown_in_one() {
    let server = MockServer::start().await;
    let one = json!({"id": DATASET, "name": "A", "addRowsAPIEnabled": true, "CreatedDate": "2026-01-01T00:00:00Z",
        "IsRefreshable": true, "unknown": 1});
    let other = json!({"id": DATASET, "createdDate": "2026-01-01T00:00:00Z", "isRefreshable": true});
    let path = format!("/v1.0/myorg/groups/{GROUP}/datasets");
    answers(&server, "GET", &path, json_reply(200, &json!({"value": [one, other]}))).await;
    let found = client(&server).datasets(GROUP, soon()).await.expect("a list");
    let shown: Vec<Value> = found.iter().map(|dataset| serde_json::to_value(dataset).unwrap()).collect();
    assert_eq!(
        shown,
        [
            json!({"id": DATASET, "name": "A", "createdDate": "2026-01-01T00:00:00Z", "addRowsAPIEnabled": true, "isRefreshable": true}),
            json!({"id": DATASET, "createdDate": "2026-01-01T00:00:00Z", "isRefreshable": true}),
        ]
    );
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn my_workspace_has_no_group_in_its_address_and_is_explained() {
    let server = MockServer::start().await;
    let denied = json!({"error": {"code": "Forbidden", "message": "API is not accessible for application"}});
    answers(&server, "GET", "/v1.0/myorg/reports", json_reply(403, &denied)).await;
    answers(&server, "GET", "/v1.0/myorg/datasets", ResponseTemplate::new(401)).await;
    let reports = client(&server).reports("me", soon()).await.map(|_| ()).map_err(Failure::from);
    let datasets = client(&server).datasets("me", soon()).await.map(|_| ()).map_err(Failure::from);
    for failure in [reports.unwrap_err(), datasets.unwrap_err()] {
        assert_eq!(failure.code, Code::PowerBiAccessDenied);
        assert!(failure.detail.contains("My Workspace belongs to a person"), "{}", failure.detail);
    }
}

#[tokio::test]
async fn a_list_without_its_value_is_no_empty_list() {
    let server = MockServer::start().await;
    answers(&server, "GET", &at("/tables"), json_reply(200, &json!({}))).await;
    let failure = client(&server).tables(GROUP, DATASET, soon()).await.map_err(Failure::from).expect_err("no list");
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
    assert_eq!(
        client(&server).reports("Sales", soon()).await.map_err(Failure::from).unwrap_err().code,
        Code::WorkspaceNotFound
    );
    assert_eq!(received(&server).await.len(), 1, "a name is never sent");
}
