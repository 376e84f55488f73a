//! How a run, a task or a repair stands: the two models of Jobs API 2.2 made into one.
//!
//! A run has `status` (new) and `state` (deprecated, still sent). All enumerations are open: "additional codes might be
//! introduced" (Databricks SDK, jobs). A failed run may end as INTERNAL_ERROR, never TERMINATED.

use serde::Deserialize;

/// What both models say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `PENDING`, `RUNNING`, `TERMINATED`, … of the new `status`, else the legacy life-cycle state.
    pub state: String,
    /// Any of the terminal states of either model.
    pub ended: bool,
    pub succeeded: bool,
    pub canceled: bool,
    pub message: Option<String>,
    pub result_state: Option<String>,
    pub termination_code: Option<String>,
    /// `SUCCESS`, `CLIENT_ERROR`, `INTERNAL_ERROR`, `CLOUD_FAILURE`; open.
    pub termination_type: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Model {
    status: Option<NewStatus>,
    state: Option<LegacyState>,
}

#[derive(Deserialize)]
struct NewStatus {
    state: Option<String>,
    termination_details: Option<Termination>,
    queue_details: Option<Queue>,
}

#[derive(Deserialize)]
struct Termination {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Queue {
    message: Option<String>,
}

#[derive(Deserialize)]
struct LegacyState {
    life_cycle_state: Option<String>,
    result_state: Option<String>,
    state_message: Option<String>,
}

impl Model {
    fn new_state(&self) -> Option<&str> {
        self.status.as_ref()?.state.as_deref()
    }

    fn life_cycle(&self) -> Option<&str> {
        self.state.as_ref()?.life_cycle_state.as_deref()
    }

    fn result(&self) -> Option<&str> {
        self.state.as_ref()?.result_state.as_deref()
    }

    fn termination(&self) -> Option<&Termination> {
        self.status.as_ref()?.termination_details.as_ref()
    }

    fn termination_code(&self) -> Option<&str> {
        self.termination()?.code.as_deref()
    }

    fn ended(&self) -> bool {
        self.new_state() == Some("TERMINATED")
            || matches!(self.life_cycle(), Some("TERMINATED" | "SKIPPED" | "INTERNAL_ERROR"))
    }

    fn succeeded(&self) -> bool {
        const GOOD: [&str; 2] = ["SUCCESS", "SUCCESS_WITH_FAILURES"];
        // Their type is SUCCESS too: the run was stopped, or left out, as it should be.
        const UNDONE: [&str; 4] = ["USER_CANCELED", "CANCELED", "SKIPPED", "DISABLED"];
        let (code, kind) = (self.termination_code(), self.termination().and_then(|details| details.kind.as_deref()));
        let undone = code.or(self.result()).is_some_and(|code| UNDONE.contains(&code));
        self.ended() && !undone && kind.or(code).or(self.result()).is_some_and(|end| GOOD.contains(&end))
    }

    fn canceled(&self) -> bool {
        // The code CANCELED is the platform's, when a run took too long (SDK, TerminationCodeCode): a failure.
        self.ended() && (self.termination_code() == Some("USER_CANCELED") || self.result() == Some("CANCELED"))
    }

    fn message(&self) -> Option<String> {
        let status = self.status.as_ref();
        let ended = self.termination().and_then(|details| details.message.as_ref());
        let legacy = self.state.as_ref().and_then(|state| state.state_message.as_ref());
        let queued = status.and_then(|status| status.queue_details.as_ref()).and_then(|queue| queue.message.as_ref());
        [ended, legacy, queued].into_iter().flatten().find(|message| !message.is_empty()).cloned()
    }

    pub(super) fn standing(&self) -> Standing {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Standing {
            state: self.new_state().or(self.life_cycle()).unwrap_or("UNKNOWN").to_owned(),
            ended: self.ended(),
            succeeded: self.succeeded(),
            canceled: self.canceled(),
            message: self.message(),
            result_state: owned(self.result().or(self.termination_code())),
            termination_code: owned(self.termination_code().or(self.result())),
            termination_type: owned(self.termination().and_then(|details| details.kind.as_deref())),
        }
    }
}
