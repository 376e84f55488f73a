//! The whole engine, twice, in one thread: on a ledger in memory whose answers are lost and late, with clocks that are off
//! and jump, messages that come twice, late or never, and processes that die at any await. Everything is drawn from a seed,
//! so that a seed replays: `CAUSEWAY_SEED=4711 cargo test -p causeway --lib simulation`.
//!
//! `dice` and `plan` draw; `world` is what all share; `weather`, `bus`, `neighbour` with `kinds` and `transit`, and `hosts`
//! are what the engine stands on, with the `vault` and the `receivers` of ends; `askers` and `meddlers` are people; `checker` judges what is left behind, by itself.

mod askers;
mod bus;
mod checker;
mod dice;
mod hosts;
mod kinds;
mod meddlers;
mod neighbour;
mod operations;
mod plan;
mod receivers;
mod transit;
mod vault;
mod weather;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use serde_json::json;

use super::{Outbox, composed, neighbours};
use crate::http::Deadline;
use crate::ledger::simulated::both;
use crate::runs::identity::run_id;
use crate::runs::{Runs, Telling};
use crate::sealing::Sealer;
use crate::steps::Neighbours;
use askers::ask;
use bus::{Bus, Sending};
use checker::Expected;
use hosts::Hosts;
use kinds::SimulatedKinds;
use meddlers::Meddler;
use receivers::{Outside, problem};
use vault::{KEY, Vault};
use weather::Over;
use world::{BEGINS, World};

/// `CAUSEWAY_SEEDS` is another number; CI takes 10,000.
const SEEDS: u64 = 500;
/// True time after which a run that has not ended is stuck.
const TOO_LATE: Duration = Duration::from_hours(12);
/// What comes late still comes within it.
const AFTERMATH: Duration = Duration::from_mins(6);

/// Whom nobody calls: the simulated kinds talk to none.
static STRANGERS: LazyLock<Neighbours> =
    LazyLock::new(|| neighbours("http://127.0.0.1:9", Arc::new(Outbox::default())));

/// What did not hold, and the trace.
struct Outcome {
    broken: Vec<String>,
    trace: Vec<String>,
}

fn simulate(seed: u64, traced: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let slot = OnceLock::new();
        let ledger = both(|truth| {
            let world = World::new(seed, traced, truth);
            slot.set(world.clone()).unwrap();
            Arc::new(Over(world))
        });
        let world = slot.into_inner().unwrap();
        let bus = Bus::new(&world);
        let (parts, sending) = (world.clone(), bus.clone());
        let hosts = Hosts::start(&world, move |host| {
            let (clock, ledger) = (parts.clock(host), ledger.clone());
            let (messages, kinds) = (Arc::new(Sending(sending.clone())), Arc::new(SimulatedKinds::of(&parts)));
            let ledger = ledger.with_clock(clock.clone());
            let neighbours = Neighbours { ledger, clock, messages: messages.clone(), ..STRANGERS.clone() };
            let catalog = operations::catalog(parts.plan.schedule);
            let mut engine = composed(neighbours, messages, catalog, kinds);
            engine.sealer = Sealer::new(Arc::new(Vault(parts.clone())), KEY);
            engine.telling = Telling { outside: Arc::new(Outside(parts.clone())), problem };
            (engine.settings.send_window, engine.settings.send_margin) =
                (Duration::from_secs(30), Duration::from_mins(1));
            Runs::new(engine)
        });
        bus.feeds(&hosts);
        served_until_now(&world).await;
        tokio::spawn(world.clone().wind_clocks());
        tokio::spawn(ticks(world.clone(), hosts.clone()));
        let (mut expected, mut meddlers) = (BTreeMap::new(), Vec::new());
        for (number, request) in world.plan.requests.clone().into_iter().enumerate() {
            let run = run_id(&["queue", "requests", &format!("request-{number}")]);
            let reply = request.wants_reply && !request.over_http && !request.told;
            let operation = request.operation.to_owned();
            expected.insert(run.clone(), Expected { operation, reply, callback: request.told });
            let meddler = Meddler { world: world.clone(), hosts: hosts.clone(), run: run.clone() };
            meddlers.push(tokio::spawn(meddler.meddle(request.clone())));
            tokio::spawn(ask(world.clone(), hosts.clone(), bus.clone(), number, request, run));
        }
        for due in operations::DUE.iter().filter(|_| world.plan.schedule) {
            let run = run_id(&["schedule", "scheduled", due]);
            expected.insert(run, Expected { operation: "scheduled".to_owned(), reply: false, callback: false });
        }
        for meddler in meddlers {
            meddler.await.unwrap();
        }
        all_closed(&world, &expected).await;
        // What was lost on the way must do no harm either; a repeated request opens its run until the next nudge.
        tokio::time::sleep(AFTERMATH).await;
        all_closed(&world, &expected).await;
        let broken = checker::broken(&world, &bus, &expected).await;
        Outcome { broken, trace: world.trace() }
    })
}

/// The very first tick of all has missed nothing, so that what was due before it would be nobody's: there has been one.
async fn served_until_now(world: &World) {
    let mark = json!({"writer": "before", "until": BEGINS, "last": {}}).to_string();
    let path = "slots/tick-watermark/00000000";
    world.truth.put(path, mark.into(), Deadline::after(Duration::from_mins(1))).await.unwrap();
}

/// Waits until no run is open, or something is stuck.
async fn all_closed(world: &World, expected: &BTreeMap<String, Expected>) {
    while world.age() < TOO_LATE {
        let deadline = Deadline::after(Duration::from_mins(1));
        if world.truth.list("open", deadline).await.unwrap().is_empty() {
            let history = world.truth.list("history", deadline).await.unwrap();
            if expected.keys().all(|run| history.iter().any(|listed| listed.path.contains(run))) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

/// Each minute, on any of the hosts.
async fn ticks(world: Arc<World>, hosts: Arc<Hosts>) {
    loop {
        tokio::time::sleep(Duration::from_mins(1)).await;
        if !world.goes_wrong(world.plan.tick_lost) {
            let hosts = hosts.clone();
            tokio::spawn(async move {
                let deadline = Deadline::after(Duration::from_mins(4));
                hosts.invoke("the tick", None, |runs| async move { runs.tick(deadline).await }).await
            });
        }
    }
}

fn number_of(variable: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods)]
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// The trace of a seed that failed, for whoever mends it.
fn tell(seed: u64) -> String {
    let Outcome { broken, trace } = simulate(seed, true);
    format!(
        "seed {seed} broke {} rules:\n{}\n\nits trace:\n{}\n\nreplay: CAUSEWAY_SEED={seed} cargo test -p causeway --lib simulation",
        broken.len(),
        broken.join("\n"),
        trace.join("\n"),
    )
}

#[test]
fn no_seed_loses_a_run_or_doubles_an_effect() {
    if let Some(seed) = number_of("CAUSEWAY_SEED") {
        let told = tell(seed);
        assert!(simulate(seed, false).broken.is_empty(), "{told}");
        println!("{told}");
        return;
    }
    let (seeds, next) = (number_of("CAUSEWAY_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let broken: Mutex<Vec<u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || broken.lock().unwrap().len() > 20 {
                        return;
                    }
                    if !simulate(seed, false).broken.is_empty() {
                        broken.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap();
    broken.sort_unstable();
    assert!(broken.is_empty(), "{}\n\nof {seeds} seeds these fail: {broken:?}", tell(broken[0]));
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in 0..20 {
        let (one, two) = (simulate(seed, true), simulate(seed, true));
        assert!(one.trace.len() > 10 && one.trace == two.trace, "seed {seed}");
    }
}
