//! What is asked for: drawn from the seed alone. Nothing is sent here.

use causeway::runs::identity::{hash, run_id};
use local_stack::core::Odds;
use serde_json::{Value, json};

use super::operations::OPERATIONS;

/// Runs of an ordinary test run.
const ORDINARY: usize = 40;
/// Its seed: one that loses no write on its way, since that is looked for over five minutes.
const ORDINARY_SEED: &str = "3";
/// Every so many requests are sent twice, as by a sender that lost its answer.
const SENT_TWICE: f64 = 0.05;

/// How many runs there are to be, from which seed.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) seed: String,
    pub(super) runs: usize,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its message's id, and what every effect of its run carries.
    pub(super) mark: String,
    pub(super) operation: &'static str,
    pub(super) run: String,
    pub(super) body: Value,
    pub(super) twice: bool,
}

impl Wanted {
    /// `CAUSEWAY_SEED` and `CAUSEWAY_CHAOS_RUNS`.
    pub(super) fn from_environment() -> Self {
        let seed = std::env::var("CAUSEWAY_SEED").ok().filter(|seed| !seed.is_empty());
        let runs = std::env::var("CAUSEWAY_CHAOS_RUNS").ok().and_then(|runs| runs.parse().ok());
        Self { seed: seed.unwrap_or_else(|| ORDINARY_SEED.into()), runs: runs.unwrap_or(ORDINARY) }
    }

    pub(super) fn odds(&self) -> Odds {
        Odds {
            lost_reply: 0.05,
            lost_request: 0.01,
            busy: 0.05,
            killed_in_ledger: 0.002,
            killed_elsewhere: 0.01,
            most_kills: (self.runs / 8).max(3),
            lock_lost: 0.04,
            completion_lost: 0.02,
        }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        (0..self.runs).map(|number| self.one(number)).collect()
    }

    fn one(&self, number: usize) -> Asked {
        let mark = format!("mark-{number:04}");
        // All operations in turn, so that each number of runs has its share of each, in an order that is drawn.
        let turn = number / OPERATIONS.len();
        let mut order: Vec<usize> = (0..OPERATIONS.len()).collect();
        order.sort_by_cached_key(|one| hash(&[&self.seed, "order", &turn.to_string(), &one.to_string()]));
        let operation = OPERATIONS[order[number % OPERATIONS.len()]].name;
        Asked {
            run: run_id(&["queue", "causeway-requests", &mark]),
            body: json!({
                "operation": operation, "replyTo": "causeway-replies",
                "parameters": {"mark": mark, "n": 100_000 + number},
            }),
            twice: self.die("twice", number) < SENT_TWICE,
            operation,
            mark,
        }
    }

    fn die(&self, what: &str, number: usize) -> f64 {
        let hash = hash(&[&self.seed, what, &number.to_string()]);
        f64::from(u32::from_str_radix(&hash[..8], 16).expect("hex")) / f64::from(u32::MAX)
    }

    /// How to have the same again.
    pub(super) fn command(&self) -> String {
        let Self { seed, runs } = self;
        format!("CAUSEWAY_SEED={seed} CAUSEWAY_CHAOS_RUNS={runs} cargo test --test it chaos::")
    }
}
