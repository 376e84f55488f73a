//! Push datasets as they are made, changed and deleted.

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{keeps_the_contract, received};
use super::{DATASET, GROUP, answers, at, client, json_reply, soon};
use crate::failure::{Code, Effect, Failure};
use crate::power_bi::{ColumnSchema, DataType, NewDataset, Relationship, Retention, TableSchema};

fn table(name: &str) -> TableSchema {
    TableSchema {
        name: name.to_owned(),
        columns: vec![ColumnSchema::new("id", DataType::Int64), ColumnSchema::new("day", DataType::Datetime)],
        measures: Vec::new(),
        is_hidden: None,
        description: None,
    }
}

fn dataset() -> NewDataset {
    let relationships = vec![Relationship {
        name: "r".into(),
        from_table: "Sales".into(),
        from_column: "id".into(),
        to_table: "Days".into(),
        to_column: "id".into(),
        cross_filtering_behavior: Some("BothDirections".into()),
    }];
    NewDataset { name: "Live".into(), tables: vec![table("Sales"), table("Days")], relationships }
}

fn made_at() -> String {
    format!("/v1.0/myorg/groups/{GROUP}/datasets")
}

#[tokio::test]
async fn a_dataset_is_made_with_its_tables_and_retention() {
    let server = MockServer::start().await;
    answers(&server, "POST", &made_at(), json_reply(201, &json!({"id": DATASET, "name": "Live"}))).await;
    let made = client(&server).create_dataset(GROUP, &dataset(), Retention::BasicFifo, soon()).await;
    assert_eq!(made.expect("made"), DATASET);
    let sent = &received(&server).await[0];
    assert_eq!(sent.url.query(), Some("defaultRetentionPolicy=basicFIFO"));
    let columns = json!([{"name": "id", "dataType": "Int64"}, {"name": "day", "dataType": "DateTime"}]);
    assert_eq!(
        sent.body_json::<Value>().unwrap(),
        json!({
            "name": "Live", "defaultMode": "Push",
            "tables": [{"name": "Sales", "columns": columns}, {"name": "Days", "columns": columns}],
            "relationships": [{"name": "r", "fromTable": "Sales", "fromColumn": "id", "toTable": "Days",
                "toColumn": "id", "crossFilteringBehavior": "BothDirections"}],
        })
    );
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn a_creation_that_may_have_happened_is_not_sent_again() {
    let server = MockServer::start().await;
    answers(&server, "POST", &made_at(), ResponseTemplate::new(500)).await;
    let error = client(&server).create_dataset(GROUP, &dataset(), Retention::None, soon()).await.expect_err("a fault");
    assert_eq!(error.effect(), Effect::Possible);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn a_table_is_put_whole() {
    let server = MockServer::start().await;
    answers(&server, "PUT", &at("/tables/Sales"), json_reply(200, &json!({"name": "Sales"}))).await;
    client(&server).put_table(GROUP, DATASET, &table("Sales"), soon()).await.expect("changed");
    let sent = received(&server).await[0].body_json::<Value>().unwrap();
    assert_eq!(sent["columns"][1], json!({"name": "day", "dataType": "DateTime"}));
    keeps_the_contract(&server).await;
    let nowhere = client(&server).put_table(GROUP, DATASET, &table(".."), soon()).await.map_err(Failure::from);
    assert_eq!(nowhere.unwrap_err().code, Code::TableNotFound);
}

#[tokio::test]
async fn a_deletion_whose_first_answer_was_lost_has_happened() {
    let server = MockServer::start().await;
    let gone = json!({"error": {"code": "PowerBIEntityNotFound"}});
    Mock::given(method("DELETE"))
        .and(path(at("")))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    answers(&server, "DELETE", &at(""), json_reply(404, &gone)).await;
    client(&server).delete_dataset(GROUP, DATASET, soon()).await.expect("it is gone");
    let twice = client(&server).delete_dataset(GROUP, DATASET, soon()).await.map_err(Failure::from).unwrap_err();
    assert_eq!(twice.code, Code::DatasetNotFound, "asked for anew it is not there");
    keeps_the_contract(&server).await;
}
