//! The Event Grid extension's webhook: `/runtime/webhooks/EventGrid?functionName=…&code=…`
//! (github.com/Azure/azure-functions-eventgrid-extension, `EventGridExtensionConfigProvider`). It answers the validation
//! itself and runs the function once for each event; one that fails makes the whole delivery fail.

use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::bodies::{self, AnyBody};
use super::definition::Trigger;
use super::front::Front;
use super::proxy::answer;
use super::{Outcome, envelope, invocation};

/// The system key that opens the webhook.
pub(super) const SYSTEM_KEY: &str = "eventgrid_extension";

/// Whether the webhook is meant; paths ignore case.
pub(super) fn is_webhook(path: &str) -> bool {
    path.eq_ignore_ascii_case("runtime/webhooks/EventGrid")
}

pub(super) async fn receive(front: &Front, request: Request<Incoming>) -> Response<AnyBody> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let said = |name: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.into_owned())
    };
    let keys = &front.context.keys;
    let key = request.headers().get("x-functions-key").and_then(|key| key.to_str().ok().map(str::to_owned));
    let key = key.or_else(|| said("code")).unwrap_or_default();
    if key != keys.master && keys.system.get(SYSTEM_KEY) != Some(&key) {
        return answer(StatusCode::UNAUTHORIZED);
    }
    let name = said("functionName").unwrap_or_default();
    let found = front.groups.iter().find_map(|group| {
        let mine = |function: &&super::Function| function.name.eq_ignore_ascii_case(&name);
        Some((group, group.functions.iter().find(mine)?))
    });
    let Some((group, function)) = found.filter(|(_, function)| matches!(function.trigger, Trigger::EventGrid)) else {
        return answer(StatusCode::NOT_FOUND);
    };
    let kind = request.headers().get("aeg-event-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let Ok(body) = request.into_body().collect().await.map(http_body_util::Collected::to_bytes) else {
        return answer(StatusCode::BAD_REQUEST);
    };
    match kind.as_str() {
        "subscriptionvalidation" => validated(&body),
        "notification" => {
            // A list is Event Grid's own schema, an object a CloudEvent.
            let events = match serde_json::from_slice(&body) {
                Ok(Value::Array(events)) => events,
                Ok(event @ Value::Object(_)) => vec![event],
                _ => return answer(StatusCode::INTERNAL_SERVER_ERROR),
            };
            let runs = events.iter().map(async |event| {
                let envelope = envelope::event(&function.name, &function.binding, event);
                let mut detail = invocation::detail("eventGrid");
                detail["eventId"] = event["id"].clone();
                invocation::run(&front.context, group, function, &envelope, detail).await
            });
            let outcomes = futures_util::future::join_all(runs).await;
            let failed = outcomes.iter().any(|outcome| *outcome != Outcome::Succeeded);
            answer(if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::ACCEPTED })
        }
        "unsubscribe" => answer(StatusCode::ACCEPTED),
        _ => answer(StatusCode::BAD_REQUEST),
    }
}

/// Echoes the code (learn.microsoft.com/azure/event-grid/webhook-event-delivery).
fn validated(body: &[u8]) -> Response<AnyBody> {
    let events: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(code) = events[0]["data"]["validationCode"].as_str() else { return answer(StatusCode::BAD_REQUEST) };
    let mut response = Response::new(bodies::full(json!({"validationResponse": code}).to_string()));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
