//! What became of a step's children, as the step's own end.

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::super::advance::{Flow, Worker};
use super::super::end::error_json;
use super::super::insist;
use super::super::overdue::too_long;
use super::super::record::{RunState, StepState};
use super::told::{End, Ended, folder};
use super::{Children, Of};
use crate::failure::{Code, FailedItem, FailedItems, Failure};
use crate::operations::Step;

/// Ends that are read at once.
const AT_ONCE: usize = 16;
/// Failed items that a failure names one by one.
const NAMED: usize = 20;
/// Of which so many stand in its sentence.
const SPOKEN_OF: usize = 3;

impl Worker<'_> {
    /// All children that will ever be have ended.
    pub(super) async fn gather(
        &mut self,
        index: usize,
        step: &Step,
        children: &Children,
        ended: &Ended,
    ) -> Result<Flow, Failure> {
        let ends = self.ends(index, ended).await?;
        let failed: Vec<_> = ends.iter().filter(|(_, end)| end.state != RunState::Succeeded).collect();
        let well = ends.len() - failed.len();
        if self.record.cancel.is_some() && well < children.count {
            let detail = format!("{well} of {} were done when the run was cancelled.", children.count);
            let doubt = self.doubt(&failed).await?;
            let (state, failure) = match doubt {
                Some(run) => {
                    let detail = format!("{detail} Whether a step of run {run} happened is not known.");
                    (StepState::Unknown, Failure::new(Code::OutcomeUnknown, detail).effect_possible())
                }
                None => (StepState::Failed, Failure::new(Code::RunCanceled, detail)),
            };
            return self.ended_badly(index, state, failure).await;
        }
        if step.for_each.is_some() {
            self.record.steps[index].progress = Some(children.progress(ended));
        }
        let keeps_going = matches!(children.of, Of::Items { keep_going: true, .. });
        let doubt = if keeps_going { None } else { self.doubt(&failed).await? };
        match &children.of {
            Of::Operation { name, .. } => match ends.into_iter().next() {
                Some((_, End { error: None, state: RunState::Succeeded, output, .. })) => {
                    self.done(index, step, output.unwrap_or(Value::Null)).await
                }
                Some((_, end)) => {
                    let mut failure = of_operation(name, &end);
                    let unknown = doubt.is_some();
                    if self.record.cancel.is_none() && self.record.steps[index].stop_asked_at.is_some() {
                        let detail = format!("{} {}", too_long(step).detail, failure.detail);
                        failure = Failure { code: Code::StepTimeout, detail, ..failure };
                    }
                    if unknown {
                        return self.unknown(index, failure).await;
                    }
                    self.failed(index, step, failure).await
                }
                None => Err(Failure::new(Code::Internal, "A child that has ended is gone.")),
            },
            Of::Items { .. } => {
                if failed.is_empty() || keeps_going {
                    return self.done(index, step, of_items(children, &ends)).await;
                }
                let failure = of_failed(children, &failed, doubt.is_some());
                let state = if doubt.is_some() { StepState::Unknown } else { StepState::Failed };
                self.ended_badly(index, state, failure).await
            }
        }
    }

    /// A child of which nobody knows whether one of its steps happened: it says so, or was cancelled at it.
    async fn doubt(&self, failed: &[&(usize, End)]) -> Result<Option<String>, Failure> {
        let (engine, deadline) = (self.engine, self.deadline);
        for (_, end) in failed {
            if matches!(code_of(end), Code::OutcomeUnknown | Code::StepUnresolved) {
                return Ok(Some(end.run.clone()));
            }
            if end.state == RunState::Cancelled {
                let child = insist(deadline, || engine.newest(&end.run, deadline)).await?;
                if child.is_none_or(|child| child.steps.iter().any(|step| step.state == StepState::Unknown)) {
                    return Ok(Some(end.run.clone()));
                }
            }
        }
        Ok(None)
    }

    async fn ends(&self, index: usize, ended: &Ended) -> Result<Vec<(usize, End)>, Failure> {
        // Boxed, since the compiler cannot see that a stream of closures may move between threads.
        let mut ends: Vec<BoxFuture<'_, Result<(usize, End), Failure>>> = Vec::with_capacity(ended.count());
        for (item, well) in &ended.0 {
            ends.push(Box::pin(self.end(index, *item, *well)));
        }
        stream::iter(ends).buffered(AT_ONCE).try_collect().await
    }

    async fn end(&self, index: usize, item: usize, well: bool) -> Result<(usize, End), Failure> {
        let (engine, deadline) = (self.engine, self.deadline);
        let step = &self.record.steps[index];
        let folder = folder(&self.record.run, &step.id, step.attempt);
        let end = insist(deadline, || engine.child_end(&folder, item, well, deadline)).await?;
        Ok((item, end.ok_or_else(|| Failure::new(Code::Internal, "The end of a child is gone. See the log."))?))
    }
}

fn code_of(end: &End) -> Code {
    end.error.as_ref().map_or(Code::Internal, |error| error.code)
}

/// The child's failure is the step's, and says where it was.
fn of_operation(name: &str, end: &End) -> Failure {
    let failure = end.error.clone().unwrap_or_else(|| Failure::new(Code::Internal, "It did not say why."));
    let step = failure.step.as_ref().map(|step| format!(" at step \"{step}\"")).unwrap_or_default();
    let detail = format!("Operation \"{name}\" did not succeed{step} (run {}): {}", end.run, failure.detail);
    Failure { detail, ..failure }
}

/// In the order of the items; null where one has failed.
fn of_items(children: &Children, ends: &[(usize, End)]) -> Value {
    let mut outputs = vec![Value::Null; children.count];
    for (item, end) in ends {
        if let Some(place) = outputs.get_mut(*item) {
            *place = end.output.clone().unwrap_or(Value::Null);
        }
    }
    let items = ends.iter().map(|(item, end)| {
        let mut shown = json!({"index": item, "runId": end.run, "state": end.state});
        if let Some(error) = &end.error {
            shown["error"] = error_json(error);
        }
        shown
    });
    let failed = ends.iter().filter(|(_, end)| end.state != RunState::Succeeded).count();
    json!({"outputs": outputs, "items": items.collect::<Vec<_>>(), "count": children.count, "failed": failed})
}

fn of_failed(children: &Children, failed: &[&(usize, End)], unknown: bool) -> Failure {
    let detail_of =
        |end: &End| end.error.as_ref().map_or("It did not say why.".to_owned(), |error| error.detail.clone());
    let spoken: Vec<String> = failed
        .iter()
        .take(SPOKEN_OF)
        .map(|(item, end)| format!("Item {item} (run {}, {}): {}", end.run, code_of(end), detail_of(end)))
        .collect();
    let more = if failed.len() > SPOKEN_OF { " …" } else { "" };
    let begun = if children.started < children.count {
        format!(" The last {} were not begun.", children.count - children.started)
    } else {
        String::new()
    };
    let (bad, count) = (failed.len(), children.count);
    let detail = format!("{bad} of {count} items did not succeed.{begun} {}{more}", spoken.join(" "));
    let code = if unknown { Code::OutcomeUnknown } else { Code::ItemsFailed };
    let first = failed.iter().take(NAMED).map(|(item, end)| FailedItem {
        index: *item,
        run_id: end.run.clone(),
        code: code_of(end),
        message: detail_of(end),
    });
    let items = FailedItems { count: bad, first: first.collect() };
    let failure = Failure { failed_items: Some(Box::new(items)), ..Failure::new(code, detail) };
    if unknown { failure.effect_possible() } else { failure }
}
