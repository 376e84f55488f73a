//! Lists: workspaces (with `$filter`, `$top`, `$skip`), and what is in one, which the service neither pages nor
//! filters: datasets, tables, reports, dashboards.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::admission::{At, no_entity};
use super::filter::Filter;
use super::model::{Dataset, Report, Workspace};
use super::reply::{Reply, context, error, ok};
use super::{Column, Service, Table};

const PORTAL: &str = "https://app.powerbi.com";

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
        .filter(|workspace| workspace.member && !workspace.personal)
        .filter(|workspace| filter.as_ref().is_none_or(|filter| filter.takes(workspace)))
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

pub(super) async fn datasets(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let value: Vec<Value> = model.workspace(&at)?.datasets.iter().map(|dataset| about(dataset, &at)).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "datasets"), "value": value})))
}

pub(super) async fn dataset(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let mut body = about(model.dataset(&at)?, &at);
    body["@odata.context"] = json!(context(&headers, "datasets/$entity"));
    Ok(ok(&body))
}

/// Where the portal shows the things of a workspace, and what its embedding links end with.
fn in_portal(at: &At) -> (String, String) {
    match &at.group {
        Some(group) => (format!("{PORTAL}/groups/{group}"), format!("groupId={group}")),
        None => (PORTAL.to_owned(), String::new()),
    }
}

fn about(dataset: &Dataset, at: &At) -> Value {
    let (place, group) = in_portal(at);
    json!({
        "id": dataset.id,
        "name": dataset.name,
        "webUrl": format!("{place}/datasets/{}", dataset.id),
        "addRowsAPIEnabled": dataset.push,
        "configuredBy": "maker@contoso.example",
        "isRefreshable": !dataset.push,
        "isEffectiveIdentityRequired": false,
        "isEffectiveIdentityRolesRequired": false,
        "isOnPremGatewayRequired": false,
        "targetStorageMode": if dataset.push { "Push" } else { "Abf" },
        "createdDate": "2025-03-01T08:00:00.000Z",
        "createReportEmbedURL": format!("{PORTAL}/reportEmbed?{group}"),
        "qnaEmbedURL": format!("{PORTAL}/qnaEmbed?{group}"),
        "upstreamDatasets": [],
        "users": [],
    })
}

pub(super) async fn tables(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let columns = model.tables_show_columns;
    let tables = &model.push_dataset(&at)?.tables;
    let value: Vec<Value> = tables.iter().map(|table| described(table, columns)).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "tables"), "value": value})))
}

/// A table as the service describes it: without its rows. The contract says with its columns; its only example of such
/// a reply (of `Datasets_PutTableInGroup`) is without them.
pub(super) fn described(table: &Table, with_columns: bool) -> Value {
    let mut body = json!({"name": table.name});
    if with_columns {
        let column = |column: &Column| json!({"name": column.name, "dataType": column.data_type.name()});
        body["columns"] = table.columns.iter().map(column).collect();
    }
    body
}

pub(super) async fn reports(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let value: Vec<Value> = model.workspace(&at)?.reports.iter().map(|report| shown(report, &at)).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "reports"), "value": value})))
}

pub(super) async fn report(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let reports = &model.workspace(&at)?.reports;
    let found = reports.iter().find(|report| report.id.eq_ignore_ascii_case(&at.report));
    let mut body = shown(found.ok_or_else(no_entity)?, &at);
    body["@odata.context"] = json!(context(&headers, "reports/$entity"));
    Ok(ok(&body))
}

/// A paginated report has no `datasetId` (swagger, `Reports_GetReportsInGroup`).
fn shown(report: &Report, at: &At) -> Value {
    let (place, group) = in_portal(at);
    let (kind, page, embed) = match report.dataset {
        Some(_) => ("PowerBIReport", "reports", "reportEmbed"),
        None => ("PaginatedReport", "rdlreports", "rdlEmbed"),
    };
    let mut body = json!({
        "id": report.id,
        "reportType": kind,
        "name": report.name,
        "webUrl": format!("{place}/{page}/{}", report.id),
        "embedUrl": format!("{PORTAL}/{embed}?reportId={}&{group}", report.id),
        "users": [],
        "subscriptions": [],
    });
    if let Some(dataset) = &report.dataset {
        body["datasetId"] = json!(dataset);
    }
    body
}

/// A dashboard has a `displayName` where everything else has a `name`.
pub(super) async fn dashboards(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let (place, group) = in_portal(&at);
    let mut model = service.model();
    let dashboards = model.workspace(&at)?.dashboards.iter().map(|dashboard| {
        json!({
            "id": dashboard.id,
            "displayName": dashboard.name,
            "isReadOnly": false,
            "webUrl": format!("{place}/dashboards/{}", dashboard.id),
            "embedUrl": format!("{PORTAL}/dashboardEmbed?dashboardId={}&{group}", dashboard.id),
            "users": [],
            "subscriptions": [],
        })
    });
    let value: Vec<Value> = dashboards.collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "dashboards"), "value": value})))
}
