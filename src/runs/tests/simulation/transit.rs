//! How a call comes to the simulated neighbour: at once, after its transport has tried for a while, late, or never; and its
//! answer likewise. What it does there is `kinds`.

use std::time::Duration;

use jiff::Timestamp;

use super::kinds::{Asked, Class, Simulated};
use super::neighbour::{Sending, Work};
use crate::http::Deadline;

/// A call may come so late after it left, whatever has become of its sender: within the margin of 60 s, less by how far two
/// clocks may lie apart.
const LATEST: Duration = Duration::from_secs(35);
/// A connection that is lost is lost within this.
const BREAKS: Duration = Duration::from_secs(10);

/// What its sender sees of a call.
pub(super) enum Travelled {
    Answered(Box<Work>),
    /// It never left.
    NotSent,
    /// It may come, or have come, or not.
    Lost,
}

impl Simulated {
    /// Sends it once, and waits for the answer until then.
    pub(super) async fn travels(&self, asked: &Asked, key: &str, until: Deadline) -> Travelled {
        let world = &self.world;
        let lost = world.goes_wrong(world.plan.answer_lost);
        let arrives = !lost || world.draw(|dice| dice.chance(600));
        // Until it has a connection the transport tries again, for as long as it may.
        if world.goes_wrong(world.plan.slow) {
            let most = u64::try_from(until.remaining().as_millis()).unwrap();
            let tries = Duration::from_millis(world.draw(|dice| dice.below(most + 1)));
            tokio::time::sleep(tries).await;
            if until.has_passed() {
                return Travelled::NotSent;
            }
        }
        let left = world.now();
        self.leaves(asked, key, left);
        let way = if lost && world.draw(|dice| dice.chance(500)) {
            Duration::from_millis(world.draw(|dice| dice.below(LATEST.as_millis().try_into().unwrap())))
        } else {
            world.delay(LATEST)
        };
        let (acting, of, under) = (self.clone(), asked.clone(), key.to_owned());
        let ponders = world.plan.impatient && world.goes_wrong(500);
        let ponders = Duration::from_secs(if ponders { world.draw(|dice| dice.between(1, 20)) } else { 0 });
        let back = world.delay(LATEST) + ponders;
        let answer = world.call(way, back, async move { arrives.then(|| acting.act(&of, &under)) });
        if lost {
            // Its sender knows at once, or before it has come.
            let breaks = world.draw(|dice| dice.below(BREAKS.as_millis().try_into().unwrap()));
            let breaks = until.within(Duration::from_millis(breaks));
            tokio::time::sleep_until(breaks.instant()).await;
            return Travelled::Lost;
        }
        match tokio::time::timeout_at(until.instant(), answer).await {
            Ok(Ok(Some(work))) => Travelled::Answered(Box::new(work)),
            _ => Travelled::Lost,
        }
    }

    fn leaves(&self, asked: &Asked, key: &str, left: Timestamp) {
        if self.class != Class::Read {
            let sending = Sending { run: asked.run.clone(), step: asked.step.clone(), key: key.to_owned(), left };
            self.world.neighbour.lock().unwrap().sendings.push(sending);
        }
    }
}
