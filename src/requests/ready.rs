//! `GET /api/health/ready`: whether the neighbours can be reached, looked at no more than every 30 s. Starts nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::answers::done;
use super::{Answer, Call, Requests};
use crate::failure::{Code, Failure};
use crate::http::Deadline;

const FRESH: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(8);

/// What was seen, and when.
#[derive(Debug)]
pub(super) struct Seen {
    at: Instant,
    ready: bool,
    body: Value,
}

impl Requests {
    /// 200 when every neighbour answers; else a failure that names those that do not.
    pub async fn ready(&self, _call: &Call) -> Result<Answer, Failure> {
        // Held while looking: many callers, one look.
        let mut seen = self.0.seen.lock().await;
        if seen.as_ref().is_none_or(|seen| seen.at.elapsed() > FRESH) {
            *seen = Some(self.look_around().await);
        }
        match seen.as_ref() {
            Some(seen) if seen.ready => Ok(done(&seen.body)),
            Some(seen) => Err(not_ready(&seen.body)),
            None => Err(Failure::new(Code::Internal, "Readiness is unknown.")),
        }
    }

    async fn look_around(&self) -> Seen {
        let deadline = Deadline::after(LOOK);
        let neighbours = &self.0.neighbours;
        let (ledger, vault, databricks, power_bi, stalled) = futures_util::join!(
            self.0.ledger.ready(deadline),
            self.0.secrets.current(&self.0.settings.status_key_secret_name, deadline),
            neighbours.databricks.probe(neighbours.warehouse_id.as_deref(), deadline),
            neighbours.power_bi.probe(deadline),
            self.0.runs.stalled(deadline),
        );
        let broken: Vec<&String> = self
            .0
            .runs
            .catalog()
            .entries
            .iter()
            .filter(|(_, entry)| entry.operation.is_err())
            .map(|(name, _)| name)
            .collect();
        let warehouse = databricks.as_ref().ok().cloned().flatten();
        let checks = [
            ("ledger", ledger.map_err(Failure::from).err()),
            ("keyVault", vault.err()),
            ("databricks", databricks.err()),
            ("powerBi", power_bi.err()),
        ];
        let ready = checks.iter().all(|(_, failure)| failure.is_none());
        for (name, failure) in &checks {
            if let Some(failure) = failure {
                tracing::warn!(neighbour = name, error = failure.chain(), "not ready");
            }
        }
        let states: serde_json::Map<String, Value> = checks
            .iter()
            .map(|(name, failure)| {
                let state = failure.as_ref().map_or("ok".to_owned(), |failure| failure.code.to_string());
                ((*name).to_owned(), json!(state))
            })
            .collect();
        let body = json!({
            "status": if ready { "ready" } else { "notReady" },
            "neighbours": states,
            "warehouse": warehouse,
            "invalidOperations": broken,
            "stalledRuns": stalled.ok().map(|runs| runs.len()),
        });
        Seen { at: Instant::now(), ready, body }
    }
}

fn not_ready(body: &Value) -> Failure {
    let neighbours = body["neighbours"].as_object().into_iter().flatten();
    let away: Vec<String> = neighbours
        .filter(|(_, state)| *state != "ok")
        .map(|(name, state)| format!("{name} ({})", text(state)))
        .collect();
    Failure::new(Code::UpstreamUnavailable, format!("Not ready: {}.", away.join(", "))).retry_after(FRESH)
}

fn text(state: &Value) -> &str {
    state.as_str().unwrap_or_default()
}
