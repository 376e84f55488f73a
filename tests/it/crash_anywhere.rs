//! A handler that dies at any of its calls, before its neighbour acts or after it and before the answer: the run ends, and
//! its effect has happened once, or the run says `outcome-unknown` where its step allows that.
//!
//! One run of each kind of step is recorded, ledger and Service Bus included; then each of its calls is a handler's last.
//! An ordinary run takes a tenth of the calls, drawn by `CAUSEWAY_SEED`; `CAUSEWAY_CRASH_EVERYWHERE=1` takes them all.

use causeway::runs::identity::{hash, run_id};
use futures_util::future::join_all;
use local_stack::core::{Crash, Moment};
use serde_json::json;

use crate::declared::Declared;

/// An operation with one step, what its neighbour writes into its history, and how often a crash may repeat it.
struct Case {
    name: &'static str,
    yaml: &'static str,
    effect: &'static str,
    may_repeat: bool,
    /// Whether only a human may be able to tell, after a crash at the wrong moment.
    may_be_unknown: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "read",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: ask, sql: {statement: 'SELECT :note AS note', parameters: {note: '{{ parameters.note }}'}}}]
",
        effect: "statement",
        may_repeat: true,
        may_be_unknown: false,
    },
    Case {
        name: "write",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (999, :note)
      parameters: {note: '{{ parameters.note }}'}
",
        effect: "statement",
        may_repeat: false,
        may_be_unknown: true,
    },
    Case {
        name: "idempotent",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: UPDATE main.sales.customers SET name = :note WHERE customer_id = 1
      parameters: {note: '{{ parameters.note }}'}
      idempotent: true
",
        effect: "statement",
        may_repeat: true,
        may_be_unknown: false,
    },
    Case {
        name: "job",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: go, job: {job: slow, parameters: {note: '{{ parameters.note }}'}}}]
",
        effect: "jobRun",
        may_repeat: false,
        may_be_unknown: false,
    },
    Case {
        name: "assert",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: check, assert: {that: parameters.note != '', message: never}}]
",
        effect: "none",
        may_repeat: false,
        may_be_unknown: false,
    },
];

/// A tenth of them, or all.
fn is_taken(case: &str, call: usize, moment: Moment) -> bool {
    if std::env::var_os("CAUSEWAY_CRASH_EVERYWHERE").is_some() {
        return true;
    }
    let seed = std::env::var("CAUSEWAY_SEED").unwrap_or_default();
    let drawn = hash(&["crash", &seed, case, &call.to_string(), &format!("{moment:?}")]);
    u64::from_str_radix(&drawn[..8], 16).is_ok_and(|drawn| drawn % 10 == 0)
}

async fn road(case: &Case) -> (Declared, Crash) {
    // A dead worker's lease ends with its deadline and half a minute.
    let settings = [
        ("CAUSEWAY_MESSAGE_SECONDS", "10"),
        ("CAUSEWAY_SEND_WINDOW_SECONDS", "2"),
        ("CAUSEWAY_SEND_MARGIN_SECONDS", "1"),
    ];
    let road = Declared::with(&[(case.name, case.yaml)], &settings, |_| {}).await;
    road.let_jobs_go();
    // A write whose answer was lost is found by its key.
    road.stack.databricks.set_history_lag(std::time::Duration::ZERO);
    let crash = Crash::default();
    for served in [&road.stack.blob.served, &road.stack.service_bus.served, &road.stack.databricks.served] {
        served.faults.count_in(&crash);
    }
    (road, crash)
}

/// Runs the operation once, and kills the handler when the plan wants it; the run's last record as it is shown.
async fn run(road: &Declared, crash: &Crash, case: &Case, note: &str) -> serde_json::Value {
    road.ask(note, case.name, &json!({"note": note}));
    let id = run_id(&["queue", "causeway-requests", note]);
    let killing = async {
        loop {
            crash.wanted().await;
            road.stack.host.as_ref().expect("a host").kill_handler(None).await;
            crash.killed();
        }
    };
    let ending = async {
        let ended = road.ended(&id).await;
        // Until its end is told the run may still meet its crash.
        road.until_true(|_| road.records(&id).last().is_some_and(|record| record["transition"] == "answered")).await;
        ended
    };
    tokio::select! {
        ended = ending => ended,
        () = killing => unreachable!("a killer never rests"),
    }
}

fn effects(road: &Declared, case: &Case, note: &str) -> usize {
    let all = road.effects("databricks", case.effect);
    all.iter().filter(|effect| effect["parameters"].to_string().contains(&format!("\"{note}\""))).count()
}

/// How many crashes, and how many of them ended as unknown.
async fn die_in(case: &Case) -> (usize, usize) {
    let (road, crash) = road(case).await;
    // The first run asks for tokens; the second is the measure.
    run(&road, &crash, case, "warm").await;
    crash.plan(None);
    run(&road, &crash, case, "whole").await;
    let calls = crash.calls();
    assert!(calls.len() >= 10, "{}: {calls:#?}", case.name);
    let (mut crashes, mut unknown) = (0, 0);
    for (call, what) in calls.iter().enumerate() {
        for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
            if !is_taken(case.name, call, moment) {
                continue;
            }
            let note = format!("{}-{call}-{moment:?}", case.name);
            crash.plan(Some((call, moment)));
            let ended = run(&road, &crash, case, &note).await;
            // Runs differ a little in how often they look: the last calls may not come.
            crashes += usize::from(!crash.is_to_come());
            let done = effects(&road, case, &note);
            let told = format!("{note}, died at {what}, did it {done} times: {ended}");
            if ended["state"] == "succeeded" {
                let expected = usize::from(case.effect != "none");
                assert!(done == expected || (case.may_repeat && done > expected), "{told}");
            } else {
                assert!(case.may_be_unknown && done <= 1, "{told}");
                assert_eq!(ended["steps"][0]["state"], "unknown", "{told}");
                unknown += 1;
            }
        }
    }
    (crashes, unknown)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not yet understood: after some crashes a run takes longer than the minute that is waited for it"]
async fn a_handler_may_die_at_any_of_its_calls() {
    let wanted = std::env::var("CAUSEWAY_CRASH_IN").ok();
    let cases = CASES.iter().filter(|case| wanted.as_deref().is_none_or(|wanted| wanted == case.name));
    let crashed = join_all(cases.map(|case| async move {
        let (crashes, unknown) = die_in(case).await;
        println!("{}: {crashes} crashes, {unknown} of them unknown", case.name);
        crashes
    }));
    assert!(crashed.await.iter().sum::<usize>() > 0, "nothing crashed");
}
