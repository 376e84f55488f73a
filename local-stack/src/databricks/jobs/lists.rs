//! `jobs/list` and `runs/list`: filters, order and pages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use http::{HeaderMap, Response};

use super::paging::{self, is, listed, number, page};
use super::run::Run;
use super::run_view::{self, Base};
use super::view;
use crate::databricks::reply::{Reply, invalid};
use crate::databricks::workspace::{Shared, lock};

/// The newest first: `offset` counts from the most recently created (SDK, JobsAPI.list).
pub(super) async fn jobs(State(workspace): State<Shared>, Query(query): Query<paging::Query>) -> Reply {
    let limit = number(&query, "limit")?.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(out_of_range("limit", limit, "greater than 0 and less or equal to 100"));
    }
    let named = |name: &str| query.get("name").is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
    let all: Vec<_> = {
        let definitions = lock(&workspace.jobs.definitions);
        let numbered = (1_u64..).zip(definitions.iter().cloned());
        let mut all: Vec<_> = numbered.filter(|(_, job)| named(&job.name)).collect();
        all.reverse();
        all
    };
    let page = page(all, |(number, _)| *number, &query, limit)?;
    let tasks = is(&query, "expand_tasks");
    Ok(listed("jobs", page, |(_, job)| {
        let (mut shown, more) = view::job(&job, tasks, 0);
        if more {
            shown["has_more"] = true.into();
        }
        shown
    }))
}

fn out_of_range(name: &str, given: usize, rule: &str) -> Response<Body> {
    // The rule is documented (SDK, JobsAPI), its exact words were not found.
    invalid(&format!("The value of {name} must be {rule}, and is {given}."))
}

/// The newest first (SDK, JobsAPI.list_runs).
pub(super) async fn runs(
    State(workspace): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<paging::Query>,
) -> Reply {
    let limit = match number(&query, "limit")?.unwrap_or(20) {
        0 => 24,
        limit @ 1..25 => limit,
        limit => return Err(out_of_range("limit", limit, "greater than 0 and less than 25")),
    };
    let (active, completed) = (is(&query, "active_only"), is(&query, "completed_only"));
    if active && completed {
        return Err(invalid("active_only and completed_only cannot both be true."));
    }
    let job_id: Option<u64> = number(&query, "job_id")?;
    let (from, to) = (number::<i64>(&query, "start_time_from")?, number::<i64>(&query, "start_time_to")?);
    let kind = query.get("run_type").is_none_or(|kind| kind == "JOB_RUN");
    let wanted = |run: &&Arc<Run>| {
        let at = run.created.as_millisecond();
        let ended = || run.progress().ended();
        kind && job_id.is_none_or(|id| id == run.job.id)
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at <= to)
            && (!active || !ended())
            && (!completed || ended())
    };
    let all: Vec<Arc<Run>> = lock(&workspace.jobs.runs).all.iter().rev().filter(wanted).cloned().collect();
    let page = page(all, |run| run.id, &query, limit)?;
    let (base, tasks) = (Base::of(&headers), is(&query, "expand_tasks"));
    Ok(listed("runs", page, |run| {
        let (mut shown, more) = run_view::whole(&run, &run.progress(), &base, tasks, 0);
        if more {
            shown["has_more"] = true.into();
        }
        shown
    }))
}
