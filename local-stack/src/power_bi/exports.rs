//! Exporting reports over the wire: start, look, fetch the file (swagger, `Reports_ExportToFileInGroup` and its kin).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Service;
use super::admission::{At, no_entity};
use super::export::{Export, Format};
use super::model::Model;
use super::progress::Progress;
use super::reply::{Reply, bad, base, entity_error, marked, new_id, parsed, retry_after, with_status};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    format: String,
    #[serde(rename = "powerBIReportConfiguration")]
    report: Option<Value>,
    #[serde(rename = "paginatedReportConfiguration")]
    paginated: Option<Value>,
}

pub(super) async fn start(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let asked: Asked = parsed(&body)?;
    let mut model = service.model();
    let workspace = model.workspace(&at)?;
    let found = workspace.reports.iter().find(|report| report.id.eq_ignore_ascii_case(&at.report));
    let report = found.ok_or_else(no_entity)?.clone();
    if workspace.capacity.is_none() {
        // It "must reside in a workspace backed by a Premium or Embedded capacity"; in which words is not known.
        return Err(entity_error(StatusCode::FORBIDDEN, "FeatureNotAvailableError"));
    }
    let paginated = report.dataset.is_none();
    let format = Format::named(&asked.format)
        .filter(|format| if paginated { format.of_paginated } else { format.of_reports })
        .ok_or_else(|| bad(&format!("The format '{}' is not supported for this report.", asked.format)))?;
    if if paginated { asked.report.is_some() } else { asked.paginated.is_some() } {
        return Err(bad("The configuration is one for another kind of report."));
    }
    // "50 pages" ("Export Power BI report to file").
    let pages = asked.report.as_ref().and_then(|report| report["pages"].as_array()).map_or(0, Vec::len);
    if pages > 50 {
        return Err(bad("More than 50 pages cannot be exported."));
    }
    let export = Export {
        id: URL_SAFE.encode(new_id()),
        report: report.id,
        report_name: report.name,
        format: format.name,
        created: Timestamp::now(),
        progress: Progress::new(model.clock),
        failure: model.failed_exports.pop_front(),
        file: model.export_file.clone().unwrap_or_else(|| format.sample()),
        polls: 0,
    };
    let shown = export.shown("");
    let detail = json!({"workspace": at.workspace(), "report": at.report, "export": export.id, "format": format.name});
    model.exports.push(export);
    drop(model);
    service.history.record("powerBi", "export", detail);
    Ok(with_status(StatusCode::ACCEPTED, &shown))
}

/// 202 while it goes. `Retry-After` "is not always populated": every other time here.
pub(super) async fn status(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let export = find(&mut model, &at)?;
    export.polls += 1;
    let place = at.group.as_ref().map(|group| format!("/groups/{group}")).unwrap_or_default();
    let shown = export.shown(&format!("{}{place}/reports/{}/exports/{}", base(&headers), at.report, export.id));
    Ok(match (export.status(), export.failure.and_then(|failure| failure.retry_after_seconds)) {
        ("Failed", Some(seconds)) => retry_after(with_status(StatusCode::OK, &shown), seconds),
        ("Succeeded" | "Failed", _) => with_status(StatusCode::OK, &shown),
        _ if export.polls % 2 == 1 => retry_after(with_status(StatusCode::ACCEPTED, &shown), export.progress.left()),
        _ => with_status(StatusCode::ACCEPTED, &shown),
    })
}

pub(super) async fn file(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let export = find(&mut model, &at)?;
    if export.status() != "Succeeded" {
        return Err(no_entity());
    }
    let media_type = Format::named(export.format).map_or("application/octet-stream", |format| format.media_type);
    let mut response = Response::new(Body::from(export.file.clone()));
    response.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
    Ok(marked(response, &new_id()))
}

fn find<'a>(model: &'a mut Model, at: &At) -> Result<&'a mut Export, Response> {
    model.workspace(at)?;
    let found = model.exports.iter_mut();
    found
        .into_iter()
        .find(|export| export.id == at.export && export.report.eq_ignore_ascii_case(&at.report))
        .ok_or_else(no_entity)
}
