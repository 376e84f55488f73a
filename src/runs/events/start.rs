//! From an event to runs: one for each operation that wants it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Event;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Entry, EventRule, Operation, Scope, may_want_events};
use crate::runs::create::NewRun;
use crate::runs::identity::run_id;
use crate::runs::received::Received;
use crate::runs::record::Trigger;
use crate::runs::{Engine, is_outage, parameters_invalid};

impl Engine {
    /// Starts what the events of one message start; what can never work is parked, once for the message. `Err` only for
    /// what another delivery may mend: runs that exist by then are found again.
    pub(in crate::runs) async fn accept_events(
        &self,
        message: &Received,
        events: Result<Vec<Event>, Failure>,
        queue: &str,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut refusals = Vec::new();
        let mut waits = None;
        match events {
            Ok(events) => {
                for event in &events {
                    let of_secrets = self.note_secret(event, deadline).await?;
                    let fits = self.start_all(event, &mut refusals, &mut waits, deadline).await?;
                    if fits == 0 && !of_secrets && waits.is_none() {
                        let (source, name) = (event.caller(), event.name());
                        let subject = event.shown.get("subject").and_then(Value::as_str);
                        tracing::info!(source, event = name, subject, "no operation wants this event");
                    }
                }
            }
            Err(unreadable) => refusals.push(unreadable),
        }
        if let Some(broken) = waits {
            if self.young(message) {
                return self.postpone(message, queue, deadline).await;
            }
            refusals.push(broken);
        }
        let Some(first) = refusals.first() else { return Ok(()) };
        let details: Vec<&str> = refusals.iter().map(|refusal| refusal.detail.as_str()).collect();
        let reason = Failure::new(first.code, details.join(" "));
        self.park(message, queue, &reason, deadline).await
    }

    /// How many operations want it.
    async fn start_all(
        &self,
        event: &Event,
        refusals: &mut Vec<Failure>,
        waits: &mut Option<Failure>,
        deadline: Deadline,
    ) -> Result<usize, Failure> {
        let mut fits = 0;
        for (name, entry) in &self.catalog.entries {
            let Ok(operation) = &entry.operation else {
                if may_want_events(&entry.definition) {
                    tracing::warn!(operation = name, event = event.name(), "an event waits for a file to be mended");
                    waits.get_or_insert_with(|| broken(name));
                }
                continue;
            };
            let run = run_of(name, event);
            match chosen(operation, event, &run, self.clock.now()) {
                Ok(None) => {}
                Ok(Some(parameters)) => {
                    fits += 1;
                    match self.start_one(entry, event, run, parameters, deadline).await {
                        Err(failure) if is_outage(&failure) || failure.code == Code::Misconfigured => {
                            return Err(failure);
                        }
                        Err(failure) => refusals.push(failure),
                        Ok(()) => {}
                    }
                }
                Err(refusal) => {
                    fits += 1;
                    refusals.push(refusal);
                }
            }
        }
        Ok(fits)
    }

    async fn start_one(
        &self,
        entry: &Entry,
        event: &Event,
        run: String,
        parameters: Map<String, Value>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let trigger = Trigger::Event { event: event.name(), identity: event.identity.clone() };
        let new = NewRun { run, parameters, caller: event.caller().into(), trigger };
        self.create(entry, &new, false, deadline).await.map(|_| ())
    }
}

/// The same event is the same run of an operation, over whichever wire it comes and however often.
pub(in crate::runs) fn run_of(operation: &str, event: &Event) -> String {
    let mut parts = vec!["event", event.caller(), operation];
    parts.extend(event.identity.iter().map(String::as_str));
    run_id(&parts)
}

/// The parameters of the run that this operation wants for the event: of the first rule that fits.
fn chosen(
    operation: &Operation,
    event: &Event,
    run: &str,
    now: Timestamp,
) -> Result<Option<Map<String, Value>>, Failure> {
    let mut scope = None;
    for rule in operation.events.iter().filter(|rule| event.fits(&rule.source)) {
        let scope = scope.get_or_insert_with(|| scope_of(operation, event, run, now));
        if let Some(when) = &rule.when
            && !when.is_true(scope).map_err(|error| cannot(operation, event, &error.to_string()))?
        {
            continue;
        }
        return parameters(operation, rule, scope, event).map(Some);
    }
    Ok(None)
}

fn parameters(
    operation: &Operation,
    rule: &EventRule,
    scope: &Scope,
    event: &Event,
) -> Result<Map<String, Value>, Failure> {
    let rendered = match &rule.parameters {
        Some(template) => template.render(scope).map_err(|error| cannot(operation, event, &error.to_string()))?,
        None => json!({}),
    };
    operation.accept(rendered.as_object().unwrap_or(&Map::new())).map_err(|problems| {
        let invalid = parameters_invalid(&problems, "events.parameters.");
        Failure { detail: format!("{}: {}", operation.name, invalid.detail), ..invalid }
    })
}

fn scope_of(operation: &Operation, event: &Event, run: &str, now: Timestamp) -> Scope {
    let mut scope = Scope { event: event.shown.clone(), ..Scope::default() };
    scope.run.insert("id".into(), run.into());
    scope.run.insert("operation".into(), operation.name.clone().into());
    scope.run.insert("startTime".into(), now.to_string().into());
    scope.variables = operation.variables.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    scope
}

fn cannot(operation: &Operation, event: &Event, why: &str) -> Failure {
    match event.stripped {
        Some(stripped) => Failure::new(Code::EventStripped, format!("{}: {stripped}. ({why})", operation.name)),
        None => Failure::new(Code::ExpressionFailed, format!("{}: {why}.", operation.name)),
    }
}

fn broken(operation: &str) -> Failure {
    Failure::new(
        Code::OperationInvalid,
        format!(
            "The file of {operation} could not be read, and it may want this event. Mend it, then replay the message."
        ),
    )
}
