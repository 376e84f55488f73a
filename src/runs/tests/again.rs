//! A run with children that is opened again: what they have done stays done, and what they have not is done from there.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::reopening::said;
use super::{Bench, soon};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::runs::Engine;
use crate::runs::record::{Happened, Record, RunState, StepState, Transition};

const CALL: &str = "summary: s\nsteps: [{id: call, operation: {name: called, parameters: {day: 1}}}]\n";
const CALLED: &str = "summary: s\nparameters: {day: {type: integer}}\nsteps: [{id: first, assert: {that: 1 < 2, message: never}}, \
    {id: second, assert: {that: 1 > 2, message: no}}]\n";
const EACH: &str = "summary: s\nsteps: [{id: each, for_each: {in: [1, 2, 3, 4], parallel: 2}, assert: {that: item != 2, message: no}}]\n";

impl Bench {
    /// Takes a run and its children as far as they go.
    async fn settle(&self, run: &str, children: &[&str]) -> Record {
        for _ in 0..6 {
            for run in children.iter().copied().chain([run]) {
                let Some(newest) = self.engine.newest(run, soon()).await.unwrap() else { continue };
                if !newest.state.at_rest() {
                    let now = Deadline::after(Duration::ZERO);
                    self.engine.advance(newest, false, now, soon()).await.unwrap();
                }
            }
        }
        self.newest(run).await
    }

    async fn runs(&self) -> Vec<String> {
        let mut runs: Vec<String> = self.names("runs").await;
        runs = runs.iter().map(|path| path.split('/').nth(1).unwrap().to_owned()).collect();
        runs.dedup();
        runs
    }
}

/// The id of a child of the first step, in its first attempt.
async fn child(bench: &Bench, item: usize) -> String {
    let parent = bench.engine.first("a", soon()).await.unwrap().unwrap();
    Engine::child_id(&parent, 0, item)
}

fn steps(record: &Record) -> Vec<(StepState, u32)> {
    record.steps.iter().map(|step| (step.state, step.attempt)).collect()
}

/// The called operation has failed at its second step.
async fn failed_call() -> (Bench, String) {
    let bench = Bench::new(&[("call", CALL), ("called", CALLED)]);
    bench.create("call", "a").await;
    let child = child(&bench, 0).await;
    let ended = bench.settle("a", &[&child]).await;
    assert_eq!((ended.state, ended.error.unwrap().code), (RunState::Failed, Code::AssertionFailed));
    (bench, child)
}

#[tokio::test]
async fn the_run_of_a_called_operation_goes_on_from_the_step_that_failed() {
    let (mut bench, child) = failed_call().await;
    bench.declare("called", &CALLED.replace("1 > 2", "2 > 1"));
    let retried = bench.retry("a", true).await.unwrap();
    assert_eq!(steps(&retried), [(StepState::Pending, 2)]);
    let ended = bench.settle("a", &[&child]).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    let gone_on = bench.newest(&child).await;
    assert_eq!(steps(&gone_on), [(StepState::Succeeded, 1), (StepState::Succeeded, 2)]);
    assert_eq!((gone_on.retries, gone_on.for_attempt, bench.runs().await.len()), (1, 2, 2));
}

#[tokio::test]
async fn a_retry_of_the_step_itself_goes_on_with_the_same_child() {
    let call = CALL.replace("{id: call,", "{id: call, retry: {attempts: 3, backoff: 1s},");
    let bench = Bench::new(&[("call", &call), ("called", CALLED)]);
    bench.create("call", "a").await;
    let child = child(&bench, 0).await;
    let ended = bench.settle("a", &[&child]).await;
    assert_eq!((ended.state, steps(&ended)), (RunState::Failed, vec![(StepState::Failed, 3)]), "{ended:?}");
    let child = bench.newest(&child).await;
    assert_eq!(steps(&child), [(StepState::Succeeded, 1), (StepState::Failed, 3)]);
    assert_eq!(bench.runs().await.len(), 2);
}

#[tokio::test]
async fn another_call_is_another_child() {
    let (mut bench, child) = failed_call().await;
    bench.declare("call", &CALL.replace("day: 1", "day: 2"));
    bench.retry("a", true).await.unwrap();
    bench.settle("a", &[]).await;
    assert_eq!((bench.runs().await.len(), bench.newest(&child).await.retries), (3, 0));
}

#[tokio::test]
async fn a_child_that_was_retried_by_itself_is_taken_as_it_ended() {
    let (mut bench, child) = failed_call().await;
    bench.declare("called", &CALLED.replace("1 > 2", "2 > 1"));
    bench.retry(&child, true).await.unwrap();
    bench.retry("a", false).await.unwrap();
    let waits = bench.settle("a", &[]).await;
    assert_eq!(waits.state, RunState::Waiting, "it has to end first");
    let ended = bench.settle("a", &[&child]).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    assert_eq!(bench.newest(&child).await.retries, 1);
}

#[tokio::test]
async fn only_items_that_have_not_succeeded_are_done_again() {
    let mut bench = Bench::new(&[("each", EACH)]);
    bench.create("each", "a").await;
    let children = [child(&bench, 0).await, child(&bench, 1).await, child(&bench, 2).await, child(&bench, 3).await];
    let all: Vec<&str> = children.iter().map(String::as_str).collect();
    let ended = bench.settle("a", &all).await;
    assert_eq!(ended.error.unwrap().code, Code::ItemsFailed);
    let before = bench.runs().await.len();
    assert!(before < 5, "the last was not begun: {before}");
    bench.declare("each", &EACH.replace("item != 2", "item != 9").replace("parallel: 2", "parallel: 1"));
    bench.retry("a", true).await.unwrap();
    let ended = bench.settle("a", &all).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    let mut retries = Vec::new();
    for child in &children {
        retries.push(bench.newest(child).await.retries);
    }
    assert_eq!((retries, bench.runs().await.len()), (vec![0, 1, 0, 0], 5));
    let output = bench.engine.output("a", "outputs/a/each-2", soon()).await.unwrap();
    assert_eq!((&output["count"], &output["failed"]), (&json!(4), &json!(0)));
}

/// The child has a step of which nobody knows whether it happened, and has ended so.
async fn in_doubt(bench: &Bench, child: &str, cancelled: bool) {
    let mut unknown = bench.newest(child).await.next(Transition::Leased, Timestamp::now());
    unknown.lease_until = Some(Timestamp::now());
    let mut started = bench.append(unknown).await.next(Transition::Started, Timestamp::now());
    started.send_before = Some(Timestamp::now());
    started.steps[0].state = StepState::Started;
    let mut unknown = bench.append(started).await.next(Transition::StepEnded, Timestamp::now());
    unknown.steps[0].state = StepState::Unknown;
    unknown.error = (!cancelled).then(|| Failure::new(Code::OutcomeUnknown, "nobody knows"));
    let mut ended = bench.append(unknown).await.next(Transition::Ended, Timestamp::now());
    (ended.state, ended.ended_at) = (RunState::Failed, Some(ended.at));
    if cancelled {
        ended.state = RunState::Cancelled;
        ended.error = Some(Failure::new(Code::RunCanceled, "cancelled"));
    }
    let ended = bench.append(ended).await;
    bench.engine.closed(ended, soon()).await.unwrap();
}

#[tokio::test]
async fn what_became_of_a_childs_step_is_said_of_the_child() {
    let bench = Bench::new(&[("call", CALL), ("called", CALLED)]);
    bench.create("call", "a").await;
    bench.settle("a", &[]).await;
    let child = child(&bench, 0).await;
    in_doubt(&bench, &child, false).await;
    let ended = bench.settle("a", &[]).await;
    assert_eq!((ended.state, steps(&ended)), (RunState::Failed, vec![(StepState::Unknown, 1)]));
    let refused = bench.retry("a", false).await.unwrap_err();
    let place = (refused.code, refused.run_id.as_deref(), refused.step.as_deref());
    assert_eq!(place, (Code::StepUnresolved, Some(child.as_str()), Some("first")));
    bench.engine.resolve(&child, "first", &said(Happened::Happened), soon()).await.unwrap();
    bench.retry("a", false).await.unwrap();
    bench.settle("a", &[&child]).await;
    let child = bench.newest(&child).await;
    assert_eq!(steps(&child), [(StepState::Succeeded, 1), (StepState::Failed, 1)]);
}

#[tokio::test]
async fn a_parent_that_is_cancelled_over_a_child_in_doubt_does_not_know_either() {
    let bench = Bench::new(&[("call", CALL), ("called", CALLED)]);
    bench.create("call", "a").await;
    let parent = bench.settle("a", &[]).await;
    bench.engine.note_cancel(&parent, "somebody", soon()).await.unwrap();
    let child = child(&bench, 0).await;
    in_doubt(&bench, &child, true).await;
    let ended = bench.settle("a", &[]).await;
    assert_eq!((ended.state, steps(&ended)), (RunState::Cancelled, vec![(StepState::Unknown, 1)]));
    assert_eq!(bench.retry("a", false).await.unwrap_err().code, Code::StepUnresolved);
}

#[tokio::test]
async fn an_item_that_somebody_has_opened_by_itself_is_waited_for() {
    let each =
        "summary: s\nsteps: [{id: each, for_each: {in: [1, 2], parallel: 2}, assert: {that: item > 2, message: no}}]\n";
    let mut bench = Bench::new(&[("each", each)]);
    bench.create("each", "a").await;
    let children = [child(&bench, 0).await, child(&bench, 1).await];
    let [first, second] = [children[0].as_str(), children[1].as_str()];
    assert_eq!(bench.settle("a", &[first, second]).await.state, RunState::Failed);
    bench.declare("each", &each.replace("item > 2", "item > 0").replace("parallel: 2", "parallel: 1"));
    bench.retry(second, false).await.unwrap();
    bench.retry("a", true).await.unwrap();
    let waits = bench.settle("a", &[first]).await;
    assert_eq!((waits.state, waits.steps[0].state), (RunState::Waiting, StepState::Submitted), "{waits:?}");
    let ended = bench.settle("a", &[first, second]).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    assert_eq!((bench.newest(first).await.retries, bench.newest(second).await.retries), (1, 2));
}

#[tokio::test]
async fn what_succeeded_stays_done_also_when_a_later_attempt_did_not_get_to_it_and_its_run_is_gone() {
    let each = "summary: s\nsteps: [{id: each, for_each: {in: [1, 2], parallel: 2}, assert: {that: item != 1, message: no}}]\n";
    let mut bench = Bench::new(&[("each", each)]);
    bench.create("each", "a").await;
    let children = [child(&bench, 0).await, child(&bench, 1).await];
    let [first, second] = [children[0].as_str(), children[1].as_str()];
    bench.settle("a", &[second, first]).await;
    let one_by_one = each.replace("parallel: 2", "parallel: 1");
    bench.declare("each", &one_by_one);
    bench.retry("a", true).await.unwrap();
    assert_eq!(bench.settle("a", &[first]).await.state, RunState::Failed);
    for path in bench.names(&format!("runs/{second}")).await {
        bench.engine.ledger.delete(&path, soon()).await.unwrap();
    }
    bench.declare("each", &one_by_one.replace("item != 1", "item > 0"));
    bench.retry("a", true).await.unwrap();
    let ended = bench.settle("a", &[first]).await;
    assert_eq!((ended.state, bench.exists(second).await), (RunState::Succeeded, false), "{ended:?}");
}
