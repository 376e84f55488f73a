//! A handler that dies at any of its calls, before its neighbour acts or after it and before the answer: the run ends, and
//! its effect has happened once, or the run says `outcome-unknown` where its kind allows that and the handler died between
//! what it wrote of its intent and what it would have written of the outcome.
//!
//! One run of each kind of step is recorded, with the calls of all stand-ins; then each of its calls is a handler's last.
//! An ordinary run takes a tenth of the calls (five at most of a kind), drawn by `CAUSEWAY_SEED`; `CAUSEWAY_CRASH_EVERYWHERE=1` takes them all.
//! Here is what is crashed when, and what must hold; which kinds there are is `cases.rs`, how effects are counted
//! `effects.rs`, what is run and killed `road.rs`.

mod cases;
mod effects;
mod road;

use std::time::{Duration, Instant};

use causeway::runs::identity::hash;
use futures_util::{StreamExt, stream};
use local_stack::core::Moment;
use serde_json::Value;

use cases::{CASES, Case};
use road::{Death, Doomed, wants_to_tell};

/// A dead worker's lease ends after half a minute. Handlers of other runs die meanwhile, so that all wait together; before
/// its end they stop, so that nobody else's calls are counted.
const TOGETHER: Duration = Duration::from_secs(20);

/// Calls beyond those of the run that was recorded: runs differ a little in how often they look.
const MORE: usize = 2;

/// Crashes of a kind in an ordinary run: as many as die together also on a slow machine.
const MOST: usize = 5;

/// What came of the crashes of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    calls: usize,
    crashes: usize,
    succeeded: usize,
    unknown: usize,
    /// Runs whose effect was seen more than once, where it may be.
    repeated: usize,
}

fn everywhere() -> bool {
    std::env::var_os("CAUSEWAY_CRASH_EVERYWHERE").is_some()
}

/// Where handlers are to die: everywhere, or at a tenth of the calls, which are drawn.
fn chosen(case: &Case, calls: &[String]) -> Vec<(usize, Moment)> {
    let moments = [Moment::BeforeCommit, Moment::AfterCommit];
    let all = |count: usize| (0..count).flat_map(|call| moments.map(|moment| (call, moment)));
    if everywhere() {
        return all(calls.len() + MORE).collect();
    }
    let seed = std::env::var("CAUSEWAY_SEED").unwrap_or_default();
    let mut drawn: Vec<_> = all(calls.len()).filter(|(call, moment)| !case.is_long(calls, *call, *moment)).collect();
    let tenth = drawn.len().div_ceil(10).min(MOST);
    drawn.sort_by_cached_key(|(call, moment)| {
        hash(&["crash", &seed, case.name, &call.to_string(), &format!("{moment:?}")])
    });
    drawn.truncate(tenth);
    drawn
}

/// Kills handlers in this kind's calls, and holds each run against what its kind promises; what does not hold is told.
async fn die_in(case: &'static Case) -> (Tally, Vec<String>) {
    let road = Doomed::start(case).await;
    let dying = async {
        let calls = road.recorded().await;
        let mut tally = Tally { calls: calls.len(), ..Tally::default() };
        let mut broken = Vec::new();
        let mut left = chosen(case, &calls).into_iter().peekable();
        while left.peek().is_some() {
            let began = Instant::now();
            let mut notes = Vec::new();
            while began.elapsed() < TOGETHER
                && let Some((call, moment)) = left.next()
            {
                let note = format!("{}-{call}-{moment:?}", case.name);
                road.die_at(&note, Some((call, moment))).await;
                notes.push(note);
            }
            for note in notes {
                let ended = road.ended(&note).await;
                broken.extend(judge(&road, &note, &ended, &mut tally));
            }
        }
        road.nothing_is_left_over();
        (tally, broken)
    };
    road.while_killing(dying).await
}

/// What does not hold of a run that has ended.
fn judge(road: &Doomed, note: &str, ended: &Value, tally: &mut Tally) -> Option<String> {
    let Death { calls, deaths, doubts, .. } = road.death(note);
    let case = road.case;
    let done = (case.done)(road, note);
    let (state, step) = (ended["state"].as_str(), &ended["steps"][0]["state"]);
    let told = format!("{note}: {step}, done {done} times, in doubt {doubts} times, died at {calls:?}");
    if wants_to_tell() {
        println!("{told}");
    }
    // Again only what a dead handler may have done already.
    let again = match (case.may_repeat, case.reads) {
        (false, _) => 0,
        (true, true) => deaths,
        (true, false) => doubts,
    };
    let holds = if state == Some("succeeded") {
        tally.succeeded += usize::from(deaths > 0);
        tally.repeated += usize::from(done > case.times);
        (case.times..=case.times + again).contains(&done)
    } else {
        tally.unknown += 1;
        let unknown = step == "unknown" && ended["error"]["code"] == "outcome-unknown";
        unknown && case.may_be_unknown && doubts > 0 && done <= case.times
    };
    tally.crashes += usize::from(deaths > 0);
    (!holds || !road.is_told(note)).then(|| format!("{told}: {ended:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_die_at_any_of_its_calls() {
    let wanted = std::env::var("CAUSEWAY_CRASH_IN").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|name| !name.is_empty()).collect();
    let cases = CASES.iter().filter(|case| wanted.is_empty() || wanted.contains(&case.name));
    let at_once = if everywhere() { CASES.len().div_ceil(2) } else { CASES.len() };
    let crashed = stream::iter(cases).map(|case| async {
        let began = Instant::now();
        let (tally, broken) = die_in(case).await;
        println!("{}: {tally:?}, {} s", case.name, began.elapsed().as_secs());
        (tally.crashes, broken)
    });
    let crashed: Vec<_> = crashed.buffer_unordered(at_once).collect().await;
    let broken: Vec<&String> = crashed.iter().flat_map(|(_, broken)| broken).collect();
    assert!(broken.is_empty(), "{} runs: {broken:#?}", broken.len());
    assert!(crashed.iter().any(|(crashes, _)| *crashes > 0), "nothing crashed");
}
