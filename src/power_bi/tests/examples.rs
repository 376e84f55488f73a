//! Every example of Microsoft's swagger for an operation that is used here: its reply is read, and its request is what goes
//! out. Starting refreshes and pushing rows have their own tests.

use serde_json::Value;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{keeps_the_contract, received};
use super::{GROUP, client, soon};
use crate::power_bi::{
    DaxQuery, ExportState, NewDataset, NewValue, Portion, PowerBi, PowerBiError, RefreshSchedule, Retention,
    TableSchema,
};

const EXAMPLES: &str = include_str!("../../../tests/fixtures/power-bi-examples.json");
const ID: &str = "5b218778-e7a5-4d73-8187-f10824047715";

/// What the reply was read as, for the operations where that says something.
async fn asked(client: &PowerBi, operation: &str, at: &[&str], body: &Value) -> Result<usize, PowerBiError> {
    let until = soon();
    // `groups/{w}/datasets/{d}/…`, or the same without a group.
    let (w, rest) = if at[0] == "groups" && at.len() > 1 { (at[1], &at[2..]) } else { ("me", at) };
    let id = rest.get(1).copied().unwrap_or_default();
    let last = at[at.len() - 1];
    Ok(match operation.trim_end_matches("InGroup") {
        "Groups_GetGroups" => client.workspaces(&Portion { filter: None, top: 9, skip: 0 }, until).await?.len(),
        "Datasets_GetDatasets" => client.datasets(w, until).await?.len(),
        "Datasets_GetDataset" => client.dataset(w, id, until).await?.name.map_or(0, |name| name.len()),
        "Datasets_PostDataset" => {
            let mut tables: Vec<TableSchema> = serde_json::from_value(body["tables"].clone()).expect("tables");
            tables[0].check("").expect("they may be sent");
            let name = body["name"].as_str().expect("a name").to_owned();
            let new = NewDataset { name, tables, relationships: Vec::new() };
            client.create_dataset(w, &new, Retention::BasicFifo, until).await?.len()
        }
        "Datasets_DeleteDataset" => client.delete_dataset(w, id, until).await.map(|()| 1)?,
        "Datasets_PutTable" => {
            let mut table: TableSchema = serde_json::from_value(body.clone()).expect("a table");
            table.check("").expect("it may be sent");
            client.put_table(w, id, &table, until).await.map(|()| 1)?
        }
        "Datasets_GetRefreshHistory" => client.refreshes(w, id, 9, until).await?.len(),
        "Datasets_GetRefreshExecutionDetails" => {
            usize::from(client.refresh(w, id, last, until).await?.start_time.is_some())
        }
        "Datasets_ExecuteQueries" => {
            let query = DaxQuery {
                query: body["queries"][0]["query"].as_str().expect("a query").to_owned(),
                include_nulls: body["serializerSettings"]["includeNulls"] == true,
                impersonated_user_name: body["impersonatedUserName"].as_str().map(str::to_owned),
            };
            client.query(w, id, &query, until).await?.count
        }
        "Datasets_GetParameters" => client.parameters(w, id, until).await?.len(),
        "Datasets_UpdateParameters" => {
            let details = body["updateDetails"].as_array().expect("details").iter();
            let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
            let values: Vec<NewValue> = details
                .map(|entry| NewValue { name: text(entry, "name"), new_value: text(entry, "newValue") })
                .collect();
            client.update_parameters(w, id, &values, until).await.map(|()| 1)?
        }
        "Datasets_TakeOver" => client.take_over(w, id, until).await.map(|()| 1)?,
        "Datasets_GetRefreshSchedule" => {
            client.refresh_schedule(w, id, until).await?.times.map_or(0, |times| times.len())
        }
        "Datasets_UpdateRefreshSchedule" => {
            let mut schedule: RefreshSchedule = serde_json::from_value(body["value"].clone()).expect("a schedule");
            schedule.check().expect("it may be sent");
            client.update_refresh_schedule(w, id, &schedule, until).await.map(|()| 1)?
        }
        "Reports_GetReports" => client.reports(w, until).await?.len(),
        "Reports_GetExportToFileStatus" => {
            let export = client.export(w, id, last, until).await?;
            usize::from(export.state == ExportState::Succeeded && export.extension.as_deref() == Some(".pptx"))
        }
        "Dataflows_GetDataflows" => client.dataflows(w, until).await?.len(),
        "Dataflows_RefreshDataflow" => client.refresh_dataflow(w, id, false, until).await.map(|()| 1)?,
        "Dataflows_GetDataflowTransactions" => client.dataflow_refreshes(w, id, until).await?.len(),
        other => panic!("nobody asks for {other}"),
    })
}

/// Spellings that are changed on purpose: types of columns, and mail that is for people.
fn as_sent(operation: &str, body: &Value) -> Value {
    let mut body = body.clone();
    let columns = match operation.trim_end_matches("InGroup") {
        "Datasets_PostDataset" => body.pointer_mut("/tables/0/columns"),
        "Datasets_PutTable" => body.pointer_mut("/columns"),
        "Dataflows_RefreshDataflow" => {
            body["notifyOption"] = "NoNotification".into();
            None
        }
        _ => None,
    };
    for column in columns.and_then(Value::as_array_mut).into_iter().flatten() {
        let spelled = match column["dataType"].as_str() {
            Some("string") => "String",
            Some("bool") => "Boolean",
            Some(other) => other,
            None => panic!("no type"),
        };
        column["dataType"] = spelled.to_owned().into();
    }
    body
}

#[tokio::test]
async fn every_example_of_the_contract_is_sent_and_read() {
    let examples: Vec<Value> = serde_json::from_str(EXAMPLES).expect("the fixture is JSON");
    assert!(examples.len() > 30, "{}", examples.len());
    for example in &examples {
        let operation = example["operation"].as_str().unwrap();
        let at = example["path"].as_str().unwrap().replace("{groupId}", GROUP).replace("{reportId}", ID);
        let at = at.replace("{exportId}", "Mi9C5419i....PS4=");
        for (status, reply) in example["replies"].as_object().unwrap() {
            let server = MockServer::start().await;
            let answer = ResponseTemplate::new(status.parse::<u16>().unwrap());
            let answer = if reply.is_null() { answer } else { answer.set_body_json(reply) };
            let verb = example["method"].as_str().unwrap();
            Mock::given(method(verb)).and(path(at.as_str())).respond_with(answer).mount(&server).await;
            let segments: Vec<&str> = at.trim_start_matches("/v1.0/myorg/").split('/').collect();
            let read = asked(&client(&server), operation, &segments, &example["body"]).await;
            assert!(read.as_ref().is_ok_and(|read| *read > 0), "{operation} {status}: {read:?}");
            keeps_the_contract(&server).await;
            if !example["body"].is_null() {
                let sent: Value = received(&server).await[0].body_json().expect("JSON");
                assert_eq!(sent, as_sent(operation, &example["body"]), "{operation}");
            }
        }
    }
}
