//! What a claim of a refresh holds, and what it holds when the answer was lost.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::requests::callbacks::without_callback;
use crate::requests::{Call, Requests, from_value, looking};
use crate::steps::{InQueue, WantedRefresh, find_lost_refresh};

/// Looks for a refresh whose answer was lost. The history shows one once it is accepted.
const LOOKS: u32 = 4;

/// What a claim holds: how a refresh that was started is found again, or the run that waits.
pub(super) enum Had {
    Started(String),
    Queued(InQueue),
}

impl Had {
    pub(super) fn read(upstream: &Value) -> Self {
        match upstream.get("run").and_then(Value::as_str) {
            Some(run) => Self::Queued(InQueue { run: run.to_owned(), joined: upstream["joined"] == true }),
            None => Self::Started(upstream.as_str().unwrap_or_default().to_owned()),
        }
    }

    pub(super) fn write(&self) -> Value {
        match self {
            Self::Started(id) => json!(id),
            Self::Queued(place) => json!({"run": place.run, "joined": place.joined}),
        }
    }
}

impl Requests {
    /// What became of a refresh that was perhaps started: adopted, if the history shows one that can be it. If it shows
    /// none, the next one of its kind does as well: that is queued, and sees whatever the lost one would have seen. `None`
    /// when nobody could look.
    pub(in crate::requests) async fn look_for_refresh(
        &self,
        call: &Call,
        inputs: &Value,
        key: &str,
        since: Timestamp,
        until: Deadline,
    ) -> Result<Option<Value>, Failure> {
        let wanted: WantedRefresh = from_value(&without_callback(inputs))?;
        let neighbours = &self.0.neighbours;
        let (mut pause, mut seen) = (Duration::from_millis(500), false);
        for _ in 0..LOOKS {
            match find_lost_refresh(&neighbours.ledger, &neighbours.power_bi, &wanted, key, since, looking(until)).await
            {
                Ok(Some(id)) => return Ok(Some(Had::Started(id.to_text()).write())),
                Ok(None) => seen = true,
                Err(failure) if failure.code == Code::OutcomeUnknown => return Err(failure),
                Err(failure) => tracing::warn!(error = failure.chain(), "could not look for a refresh"),
            }
            if until.remaining() <= pause {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        if !seen {
            return Ok(None);
        }
        // The lost one may be there all the same.
        let place = self.0.runs.queue_refresh(&wanted, &call.caller, call.deadline).await;
        let place = place.map_err(Failure::effect_possible)?;
        Ok(Some(Had::Queued(place).write()))
    }
}
