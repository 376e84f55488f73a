//! Dataflows: list, refresh, transactions, cancel (swagger, `Dataflows_*`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Service;
use super::admission::{At, no_entity};
use super::model::{Dataflow, Model};
use super::progress::{Progress, Stage};
use super::reply::{Reply, bad, context, done, new_id, ok, parsed};

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    id: String,
    start: Timestamp,
    pub(super) progress: Progress,
    cancelled: bool,
    fails: bool,
}

impl Transaction {
    fn concluded(&self) -> bool {
        self.cancelled || self.progress.stage() == Stage::Ended
    }

    /// The words are those that connectors show; the contract has none.
    fn status(&self) -> &'static str {
        match self.progress.stage() {
            _ if self.cancelled => "Cancelled",
            Stage::Ended if self.fails => "Failed",
            Stage::Ended => "Success",
            _ => "InProgress",
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    notify_option: Option<String>,
}

pub(super) async fn list(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let dataflows = &model.workspace(&at)?.dataflows;
    let shown = dataflows.iter().map(|dataflow| {
        let Dataflow { id, name, .. } = dataflow;
        json!({"objectId": id, "name": name, "configuredBy": "maker@contoso.example", "users": []})
    });
    let value: Vec<Value> = shown.collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "dataflows"), "value": value})))
}

pub(super) async fn refresh(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let asked: Asked = if body.is_empty() { Asked::default() } else { parsed(&body)? };
    // "MailOnCompletion isn't supported."
    if !matches!(asked.notify_option.as_deref(), None | Some("NoNotification" | "MailOnFailure")) {
        return Err(bad("The notifyOption is NoNotification or MailOnFailure."));
    }
    if !matches!(query.get("processType").map(String::as_str), None | Some("default" | "processFull")) {
        return Err(bad("The processType is default or processFull."));
    }
    let id = {
        let mut model = service.model();
        let (progress, number) = (Progress::new(model.clock), model.next_id);
        let dataflow = find(&mut model, &at)?;
        if dataflow.transactions.iter().any(|transaction| !transaction.concluded()) {
            // One at a time, as of datasets; what the service says is not known.
            return Err(bad("The dataflow is being refreshed already."));
        }
        let start = Timestamp::now();
        let id = format!("{start}@{}${number}", new_id());
        let fails = std::mem::take(&mut dataflow.fails_next);
        dataflow.transactions.push(Transaction { id: id.clone(), start, progress, cancelled: false, fails });
        model.next_id += 1;
        id
    };
    let detail = json!({"workspace": at.workspace(), "dataflow": at.dataflow, "transaction": id});
    service.history.record("powerBi", "dataflowRefresh", detail);
    Ok(done())
}

/// The newest first.
pub(super) async fn transactions(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let shown = find(&mut model, &at)?.transactions.iter().rev().map(|transaction| {
        let Transaction { id, start, .. } = transaction;
        json!({"id": id, "refreshType": "OnDemand", "startTime": start, "status": transaction.status()})
    });
    let value: Vec<Value> = shown.collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "transactions"), "value": value})))
}

/// Always 200: what became of it is in the body.
pub(super) async fn cancel(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let status = {
        let mut model = service.model();
        let mut all = model.workspace(&at)?.dataflows.iter_mut().flat_map(|dataflow| &mut dataflow.transactions);
        match all.find(|transaction| transaction.id == at.transaction) {
            None => "NotFound",
            Some(transaction) if transaction.concluded() => "AlreadyConcluded",
            Some(transaction) => {
                transaction.cancelled = true;
                "SuccessfullyMarked"
            }
        }
    };
    let body = json!({"transactionId": at.transaction, "status": status});
    service.history.record("powerBi", "dataflowCancelled", body.clone());
    Ok(ok(&body))
}

fn find<'a>(model: &'a mut Model, at: &At) -> Result<&'a mut Dataflow, Response> {
    let dataflows = &mut model.workspace(at)?.dataflows;
    dataflows.iter_mut().find(|dataflow| dataflow.id.eq_ignore_ascii_case(&at.dataflow)).ok_or_else(no_entity)
}
