//! How a task or a whole run ended, in the words of both models: the new `status` and the legacy `state`.

/// What a task whose code raised says (recorded by a user of the API; databricks/cli, acceptance/…/failed_run).
pub(super) const WORKLOAD: &str = "Workload failed, see run output for details";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    /// Of a run alone: some task failed, and its last ones did not.
    SucceededWithFailures,
    Failed(Failed),
    TimedOut,
    Canceled,
    UpstreamFailed,
    UpstreamCanceled,
    /// Its condition was not met.
    Excluded,
    Disabled,
    /// Of a run alone: as many runs of the job were active as may be.
    Skipped {
        limit: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Of `termination_details`.
    pub(super) code: String,
    pub(super) kind: String,
    pub(super) message: String,
}

impl Failed {
    pub(super) fn workload(message: &str) -> Self {
        Self { code: "RUN_EXECUTION_ERROR".into(), kind: "CLIENT_ERROR".into(), message: message.into() }
    }
}

impl End {
    pub(super) fn workload() -> Self {
        Self::Failed(Failed::workload(WORKLOAD))
    }

    /// It counts as a failure for the tasks after it, and for a repair.
    pub(super) fn failed(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TimedOut | Self::UpstreamFailed)
    }

    pub(super) fn canceled(&self) -> bool {
        matches!(self, Self::Canceled | Self::UpstreamCanceled)
    }

    /// The legacy `life_cycle_state`. A failed task is TERMINATED, and the run that it fails INTERNAL_ERROR (recorded;
    /// databricks/cli, libs/testserver/jobs.go). For what never ran the documents say "skipped" throughout
    /// (SDK, RunResultState); its life cycle was not found in public material.
    pub(super) fn life_cycle(&self, whole_run: bool) -> &'static str {
        match self {
            Self::Failed(failed) if whole_run || failed.code != "RUN_EXECUTION_ERROR" => "INTERNAL_ERROR",
            Self::UpstreamFailed | Self::UpstreamCanceled | Self::Excluded | Self::Disabled | Self::Skipped { .. } => {
                "SKIPPED"
            }
            _ => "TERMINATED",
        }
    }

    /// The legacy `result_state`.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCESS",
            Self::SucceededWithFailures => "SUCCESS_WITH_FAILURES",
            Self::Failed(_) => "FAILED",
            Self::TimedOut => "TIMEDOUT",
            Self::Canceled => "CANCELED",
            Self::UpstreamFailed => "UPSTREAM_FAILED",
            Self::UpstreamCanceled => "UPSTREAM_CANCELED",
            Self::Excluded => "EXCLUDED",
            Self::Disabled => "DISABLED",
            Self::Skipped { .. } => "MAXIMUM_CONCURRENT_RUNS_REACHED",
        }
    }

    /// `code` of `termination_details`, by the words of SDK, TerminationCodeCode.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Succeeded => "SUCCESS",
            Self::SucceededWithFailures => "SUCCESS_WITH_FAILURES",
            Self::Failed(failed) => &failed.code,
            // "Canceled by the platform; for example, if the maximum run duration was exceeded."
            Self::TimedOut => "CANCELED",
            Self::Canceled => "USER_CANCELED",
            // "Never executed, for example, if the upstream task run failed."
            Self::UpstreamFailed | Self::UpstreamCanceled | Self::Excluded => "SKIPPED",
            Self::Disabled => "DISABLED",
            Self::Skipped { .. } => "MAX_CONCURRENT_RUNS_EXCEEDED",
        }
    }

    /// `type` of `termination_details`. Which one goes with what never ran was not found in public material.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Failed(failed) => &failed.kind,
            Self::TimedOut | Self::UpstreamFailed | Self::Skipped { .. } => "CLIENT_ERROR",
            _ => "SUCCESS",
        }
    }

    /// Empty for an end that needs no words. Only those of failures and of a skipped run were found in public material.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Failed(failed) => failed.message.clone(),
            Self::TimedOut => "Run timed out.".into(),
            Self::Canceled => "Run cancelled.".into(),
            Self::UpstreamFailed => "An upstream task failed.".into(),
            Self::UpstreamCanceled => "An upstream task was cancelled.".into(),
            Self::Excluded => "The condition of the task was not met.".into(),
            Self::Disabled => "The task is disabled.".into(),
            // (databricks/cli, pull request 257)
            Self::Skipped { limit } => {
                format!("Skipping this run because the limit of {limit} maximum concurrent runs has been reached.")
            }
            Self::Succeeded | Self::SucceededWithFailures => String::new(),
        }
    }
}
