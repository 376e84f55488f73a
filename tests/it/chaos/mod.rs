//! Process chaos: mixed operations over the queue, two hosts on one queue and one ledger, and a plan of faults drawn from
//! one seed: handlers are killed in their calls, and hosts stop themselves at the third; replies and requests are lost,
//! neighbours are too busy, messages are delivered twice. A checker of its own reads what the stand-ins wrote down.
//!
//! An ordinary run has a few dozen runs; `CAUSEWAY_CHAOS_RUNS=300` has them all, `CAUSEWAY_SEED` another plan.

mod asked;
mod bad_histories;
mod checker;
mod driving;
mod effects;
mod explained;
mod histories;
mod operations;

use asked::Wanted;
use checker::broken;
use driving::{Chaos, summary};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_nothing_is_lost_stuck_or_done_twice() -> Result<(), String> {
    let wanted = Wanted::from_environment();
    let (histories, took) = Chaos::start(&wanted).await.run().await;
    let summary = summary(&histories, took);
    println!("seed {}: {summary}", wanted.seed);
    let broken = broken(&histories);
    if broken.is_empty() {
        return Ok(());
    }
    if let Some(path) = std::env::var_os("CAUSEWAY_CHAOS_HISTORY") {
        let entries = histories.entries.iter().map(|entry| serde_json::to_string(entry).expect("JSON"));
        std::fs::write(path, entries.collect::<Vec<_>>().join("\n")).expect("the history is written");
    }
    println!("{broken:#?}");
    Err(format!("{} do not hold; again: {}", broken.len(), wanted.command()))
}
