//! A job that takes an hour, from outside: its run sleeps, and no invocation is held for it. The hour is the job's own clock,
//! which goes on only while nobody works.

use causeway::runs::identity::run_id;
use jiff::Timestamp;
use local_stack::databricks::{Clock, JobDefinition, TaskDefinition};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::road::Road;

const LONG: (&str, &str) = (
    "long",
    "summary: s
steps: [{id: go, job: {job: hour}}]
output: {result: '{{ steps.go.outputs[0].text }}'}
",
);
/// A step of the job's clock is a second.
const HOUR: usize = 3_600;
const STRETCH: usize = 1_200;

fn sleeps(road: &Declared, run: &str) -> usize {
    road.records(run).iter().filter(|record| record["transition"] == "waiting").count()
}

fn at(entry: &Value, name: &str) -> Timestamp {
    entry[name].as_str().expect("a time").parse().expect("a time")
}

/// From when to when each invocation was.
fn invocations(road: &Road) -> Vec<(Timestamp, Timestamp)> {
    let ended = road.stack.history.of("host", "invocation");
    ended.iter().map(|entry| (at(&entry.detail, "startedAt"), entry.at)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_an_hour_holds_no_invocation() {
    let road = Declared::with(&[LONG], &[("CAUSEWAY_MESSAGE_SECONDS", "13")], |options| {
        options.databricks.engine = false;
        options.databricks.clock = Clock::Stepped;
    })
    .await;
    let databricks = &road.stack.databricks;
    let job = JobDefinition::new(7, "hour").more_steps(HOUR as u64);
    databricks.define_job(job.task(TaskDefinition::notebook_exit("main", "done"))).expect("a job");
    road.ask("long", "long", &json!({}));
    let run = run_id(&["queue", "causeway-requests", "long"]);
    let mut stretches = Vec::new();
    for stretch in 0..HOUR / STRETCH {
        // Each stretch of the hour goes by over another sleep.
        road.until_true(|_| sleeps(&road, &run) > stretch && road.is_quiet()).await;
        let before = Timestamp::now();
        for _ in 0..STRETCH {
            databricks.step();
        }
        stretches.push((before, Timestamp::now()));
        assert!(road.records(&run).iter().all(|record| record["endedAt"].is_null()), "it is not over yet");
    }
    // From the queue to running, and from its last task to its end.
    road.let_jobs_go();
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["output"]["result"]), (&json!("succeeded"), &json!("done")), "{ended}");
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
    let invocations = invocations(&road);
    assert!(invocations.len() > stretches.len(), "{invocations:?}");
    for (before, after) in stretches {
        let through = invocations.iter().filter(|(from, to)| *from < before && after < *to).count();
        assert_eq!(through, 0, "a third of the hour went by within one of {invocations:?}");
    }
}
