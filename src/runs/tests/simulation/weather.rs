//! The ledger's weather, as the plan has it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::world::World;
use crate::ledger::simulated::{Fate, Reply, Weather};

/// Longer than the client waits: what was put may come to stand after it has been given up.
const SLOWEST: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Over(pub(super) Arc<World>);

impl Weather for Over {
    fn put(&self, path: &str) -> Fate {
        let world = &self.0;
        world.tries(path);
        let (there, back) = (world.delay(SLOWEST), world.delay(SLOWEST));
        let mut fate = Fate { there, back, undone: false, reply: Reply::True };
        if world.goes_wrong(world.plan.put_fails) {
            (fate.undone, fate.reply) = world.draw(|dice| match dice.below(4) {
                0 => (true, Reply::Lost),
                1 => (true, Reply::Exists),
                2 => (false, Reply::Lost),
                _ => (false, Reply::Exists),
            });
        }
        world.note(|| format!("put {path}: {fate:?}"));
        fate
    }

    fn read(&self, path: &str) -> Fate {
        let world = &self.0;
        let undone = world.goes_wrong(world.plan.read_fails);
        if undone {
            world.note(|| format!("read {path}: fails"));
        }
        Fate { there: world.delay(SLOWEST / 2), undone, ..Fate::default() }
    }

    fn stands(&self, path: &str) {
        self.0.stands(path);
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
