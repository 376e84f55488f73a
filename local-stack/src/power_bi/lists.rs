//! Lists: workspaces (with `$filter`, `$top`, `$skip`), datasets and tables (which the service neither pages nor
//! filters).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::model::{Dataset, Workspace};
use super::reply::{Reply, error, ok};
use super::{Column, Service, Table};

pub(super) async fn groups(
    State(service): State<Arc<Service>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    let number = |name: &str, least: usize| match query.get(name) {
        None => Ok(None),
        Some(text) => match text.parse::<usize>() {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => Err(error(StatusCode::BAD_REQUEST, "InvalidRequest", &format!("The value of {name} is not valid."))),
        },
    };
    let (top, skip) = (number("$top", 1)?, number("$skip", 0)?);
    let filter = query
        .get("$filter")
        .map(|text| Filter::parse(text))
        .transpose()
        .map_err(|()| error(StatusCode::BAD_REQUEST, "InvalidRequest", "The filter expression is not valid."))?;
    let model = service.model();
    let value: Vec<Value> = model
        .workspaces
        .iter()
        .filter(|workspace| workspace.member && filter.as_ref().is_none_or(|filter| filter.takes(workspace)))
        .skip(skip.unwrap_or(0))
        .take(top.unwrap_or(usize::MAX))
        .map(group)
        .collect();
    let context = context(&headers, "groups");
    Ok(ok(&json!({"@odata.context": context, "@odata.count": value.len(), "value": value})))
}

fn group(workspace: &Workspace) -> Value {
    let mut group = json!({
        "id": workspace.id,
        "isReadOnly": false,
        "isOnDedicatedCapacity": workspace.capacity.is_some(),
        "type": "Workspace",
        "name": workspace.name,
    });
    if let Some(capacity) = &workspace.capacity {
        group["capacityId"] = json!(capacity);
        group["defaultDatasetStorageFormat"] = json!("Small");
    }
    group
}

pub(super) async fn datasets(
    State(service): State<Arc<Service>>,
    Path(group): Path<String>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    let mut model = service.model();
    let workspace = model.workspace(&group)?;
    let value: Vec<Value> = workspace.datasets.iter().map(|dataset| about(dataset, &workspace.id)).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "datasets"), "value": value})))
}

pub(super) async fn dataset(
    State(service): State<Arc<Service>>,
    Path((group, dataset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    let mut model = service.model();
    let mut body = about(model.dataset(&group, &dataset)?, &group);
    body["@odata.context"] = json!(context(&headers, "datasets/$entity"));
    Ok(ok(&body))
}

fn about(dataset: &Dataset, group: &str) -> Value {
    let web = format!("https://app.powerbi.com/groups/{group}/datasets/{}", dataset.id);
    json!({
        "id": dataset.id,
        "name": dataset.name,
        "webUrl": web,
        "addRowsAPIEnabled": dataset.push,
        "configuredBy": "maker@contoso.example",
        "isRefreshable": !dataset.push,
        "isEffectiveIdentityRequired": false,
        "isEffectiveIdentityRolesRequired": false,
        "isOnPremGatewayRequired": false,
        "targetStorageMode": if dataset.push { "Push" } else { "Abf" },
        "createdDate": "2025-03-01T08:00:00.000Z",
        "createReportEmbedURL": format!("https://app.powerbi.com/reportEmbed?groupId={group}"),
        "qnaEmbedURL": format!("https://app.powerbi.com/qnaEmbed?groupId={group}"),
        "upstreamDatasets": [],
        "users": [],
    })
}

pub(super) async fn tables(
    State(service): State<Arc<Service>>,
    Path((group, dataset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    let mut model = service.model();
    let dataset = model.dataset(&group, &dataset)?;
    if !dataset.push {
        return Err(not_push(dataset));
    }
    let value: Vec<Value> = dataset.tables.iter().map(described).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "tables"), "value": value})))
}

/// A table as the service describes it: without its rows.
pub(super) fn described(table: &Table) -> Value {
    let column = |column: &Column| json!({"name": column.name, "dataType": column.data_type.name()});
    json!({"name": table.name, "columns": table.columns.iter().map(column).collect::<Vec<_>>()})
}

/// Only push datasets have their tables and rows in this API.
pub(super) fn not_push(dataset: &Dataset) -> axum::response::Response {
    let message = format!("Dataset {} is not Push API dataset.", dataset.id);
    error(StatusCode::NOT_FOUND, "InvalidDataset", &message)
}

fn context(headers: &HeaderMap, what: &str) -> String {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("api.powerbi.com");
    format!("http://{host}/v1.0/myorg/$metadata#{what}")
}

/// The part of OData that makers use here: `name eq 'x'`, `id eq 'x'`, `contains(name,'x')`,
/// `isOnDedicatedCapacity eq true`, joined with `and`.
struct Filter(Vec<Term>);

enum Term {
    Equals(String, String),
    Contains(String),
}

impl Filter {
    fn parse(text: &str) -> Result<Self, ()> {
        text.split(" and ").map(|term| Term::parse(term.trim())).collect::<Result<_, _>>().map(Self)
    }

    fn takes(&self, workspace: &Workspace) -> bool {
        self.0.iter().all(|term| match term {
            Term::Contains(part) => workspace.name.to_lowercase().contains(&part.to_lowercase()),
            Term::Equals(field, value) => match field.as_str() {
                "name" => workspace.name.eq_ignore_ascii_case(value),
                "id" => workspace.id.eq_ignore_ascii_case(value),
                _ => workspace.capacity.is_some().to_string() == *value,
            },
        })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, ()> {
        if let Some(inner) = text.strip_prefix("contains(").and_then(|rest| rest.strip_suffix(')')) {
            let (field, value) = inner.split_once(',').ok_or(())?;
            return match field.trim() {
                "name" | "tolower(name)" => Ok(Self::Contains(unquoted(value.trim())?)),
                _ => Err(()),
            };
        }
        let (field, value) = text.split_once(" eq ").ok_or(())?;
        match (field.trim(), value.trim()) {
            ("name" | "id", value) => Ok(Self::Equals(field.trim().into(), unquoted(value)?)),
            ("isOnDedicatedCapacity", value @ ("true" | "false")) => {
                Ok(Self::Equals(field.trim().into(), value.into()))
            }
            _ => Err(()),
        }
    }
}

fn unquoted(text: &str) -> Result<String, ()> {
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or(())?;
    Ok(inner.replace("''", "'"))
}
