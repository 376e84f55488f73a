//! Parameters of a dataset, and taking it over, which changing them needs (swagger, `Datasets_GetParametersInGroup`,
//! `Datasets_UpdateParametersInGroup`, `Datasets_TakeOverInGroup`).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Service;
use super::admission::At;
use super::data_type::moment;
use super::model::{Dataset, Parameter};
use super::reply::{Reply, bad, context, done, error, ok, parsed};

/// In one request.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    update_details: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    name: String,
    new_value: Option<String>,
}

pub(super) async fn list(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let shown = model.dataset(&at)?.parameters.iter().map(|parameter| {
        let Parameter { name, kind, value, required } = parameter;
        json!({"name": name, "type": kind, "isRequired": required, "currentValue": value})
    });
    let value: Vec<Value> = shown.collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "parameters"), "value": value})))
}

pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let Asked { update_details: changes } = parsed(&body)?;
    {
        let mut model = service.model();
        let dataset = model.dataset(&at)?;
        owned(dataset)?;
        if changes.is_empty() || changes.len() > MOST {
            return Err(bad("There are 1 to 100 parameters in a request."));
        }
        // All of them or none.
        let mut parameters = dataset.parameters.clone();
        for (place, change) in changes.iter().enumerate() {
            if changes[..place].iter().any(|earlier| earlier.name == change.name) {
                return Err(bad(&format!("The parameter '{}' is there twice.", change.name)));
            }
            apply(&mut parameters, change)?;
        }
        dataset.parameters = parameters;
    }
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset, "names": names});
    service.history.record("powerBi", "parametersUpdated", detail);
    Ok(done())
}

fn apply(parameters: &mut [Parameter], change: &Change) -> Result<(), Response> {
    let name = &change.name;
    // Their names are case-sensitive.
    let found = parameters.iter_mut().find(|parameter| parameter.name == *name);
    let parameter = found.ok_or_else(|| bad(&format!("The parameter '{name}' does not exist.")))?;
    let value = change.new_value.clone().unwrap_or_default();
    if value.is_empty() && parameter.required {
        return Err(bad(&format!("The parameter '{name}' is required.")));
    }
    let good = match parameter.kind.as_str() {
        "Any" | "Binary" => return Err(bad(&format!("The parameter '{name}' cannot be updated."))),
        _ if value.is_empty() => true,
        "Number" => value.trim().parse::<f64>().is_ok_and(f64::is_finite),
        "Logical" => ["true", "false"].iter().any(|known| value.eq_ignore_ascii_case(known)),
        "Date" | "DateTime" | "DateTimeZone" => moment(value.trim()).is_some(),
        _ => true,
    };
    if !good {
        return Err(bad(&format!("The value of the parameter '{name}' is not a {}.", parameter.kind)));
    }
    parameter.value = value;
    Ok(())
}

/// "The user must be the dataset owner"; how the service says that somebody else is, is not known.
pub(super) fn owned(dataset: &Dataset) -> Result<(), Response> {
    let refusal = || error(StatusCode::FORBIDDEN, "Unauthorized", "The caller is not the owner of the dataset.");
    dataset.owned.then_some(()).ok_or_else(refusal)
}

pub(super) async fn take_over(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    service.model().dataset(&at)?.owned = true;
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset});
    service.history.record("powerBi", "takenOver", detail);
    Ok(done())
}
