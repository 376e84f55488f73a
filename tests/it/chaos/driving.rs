//! Two hosts over one queue and one ledger, driven until all that was asked for has come to rest or patience is over: the
//! requests, the tick, and the kills that the plan wants. No judgement here.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use local_stack::core::{Plan, WantedKill};
use local_stack::databricks::Clock;
use local_stack::host::Host;
use local_stack::service_bus::NewMessage;
use serde_json::Value;

use super::asked::{Asked, Wanted};
use super::histories::{Histories, in_hand, text};
use super::operations::{define_job, files, marks_in};
use crate::declared::Declared;

/// So many runs are under way at once.
const AT_ONCE: usize = 24;
/// A dead worker's lease ends half a minute after the deadline of its own, which is five seconds before this one. It is long
/// enough for a loaded machine.
const SETTINGS: [(&str, &str); 3] =
    [("CAUSEWAY_MESSAGE_SECONDS", "16"), ("CAUSEWAY_SEND_WINDOW_SECONDS", "6"), ("CAUSEWAY_SEND_MARGIN_SECONDS", "2")];
/// What a host that stopped itself held comes again when this has ended.
const LOCK: Duration = Duration::from_secs(15);
/// How often a run that goes on says how far it is.
const TOLD: Duration = Duration::from_secs(15);
const TICKS: Duration = Duration::from_secs(20);
/// A write that never arrived is looked for over some five minutes; nudges come after three.
const PATIENCE: Duration = Duration::from_mins(20);

pub(super) struct Chaos {
    road: Declared,
    second: Host,
    plan: Plan,
    asked: Vec<Asked>,
}

impl Chaos {
    pub(super) async fn start(wanted: &Wanted) -> Self {
        let files = files();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, yaml)| (*name, yaml.as_str())).collect();
        let road = Declared::with(&files, &SETTINGS, |options| {
            options.queues.iter_mut().for_each(|queue| queue.lock_duration = LOCK);
        })
        .await;
        define_job(&road);
        road.stack.databricks.set_clock(Clock::Auto(Duration::from_millis(50)));
        // A history that lags: a miss proves nothing.
        road.stack.databricks.set_history_lag(Duration::from_millis(500));
        let second = road.stack.another_host(0).await.expect("a second host");
        tokio::time::timeout(crate::road::PATIENCE, second.ready()).await.expect("in time").expect("ready");
        let plan = Plan::new(&wanted.seed, wanted.odds(), road.stack.history.clone());
        let stack = &road.stack;
        let served = [&stack.blob.served, &stack.service_bus.served, &stack.databricks.served, &stack.power_bi.served];
        for served in served {
            served.chance.draw_from(&plan);
        }
        stack.service_bus.broker().draw_from(&plan);
        Self { road, second, plan, asked: wanted.asked() }
    }

    /// Runs all of it; what was written down, and how long it took.
    pub(super) async fn run(self) -> (Histories, Duration) {
        let started = Instant::now();
        let patience = std::env::var("CAUSEWAY_CHAOS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
        let resting = tokio::time::timeout(patience.map_or(PATIENCE, Duration::from_secs), self.rest());
        tokio::select! {
            // What has not come to rest is the checker's to name.
            _ = resting => {}
            () = self.kill() => {}
            () = self.tick() => {}
        }
        self.plan.end();
        let took = started.elapsed();
        let hosts = [self.host(), &self.second];
        for host in hosts {
            let ready = host.wait_until(|process| process.state == local_stack::host::State::Running);
            tokio::time::timeout(crate::road::PATIENCE, ready).await.expect("the handler is back");
        }
        let starts = hosts.iter().flat_map(|host| host.processes()).map(|process| process.starts).sum();
        (Histories::of(&self.road, &self.asked, starts, hosts.len()), took)
    }

    fn host(&self) -> &Host {
        self.road.stack.host.as_ref().expect("a host")
    }

    /// Sends the requests, a few at a time, and waits for the end of everything.
    async fn rest(&self) {
        let queue = self.road.queue("causeway-requests");
        let (mut sent, started, mut told) = (0, Instant::now(), Instant::now());
        while sent < self.asked.len() || !self.is_at_rest() {
            let answered = self.answered();
            while sent < self.asked.len() && sent < answered + AT_ONCE {
                let asked = &self.asked[sent];
                for _ in 0..=usize::from(asked.twice) {
                    queue.send(NewMessage::new(asked.body.to_string()).message_id(&asked.mark));
                }
                sent += 1;
            }
            if told.elapsed() > TOLD {
                told = Instant::now();
                let open: Vec<_> = self.road.ledger("open/").iter().take(4).cloned().collect();
                println!("{:.0} s: {sent} sent, {answered} answered, open {open:?}", started.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs whose reply has come.
    fn answered(&self) -> usize {
        let replies = self.road.queue("causeway-replies").peek();
        let of: HashSet<_> = replies.into_iter().map(|reply| reply.properties.correlation_id).collect();
        of.len()
    }

    /// Whether nothing is open any more: a run that is told, and its marker deleted, has nothing before it.
    fn is_at_rest(&self) -> bool {
        self.answered() == self.asked.len() && self.road.ledger("open/").is_empty()
    }

    /// Each minute on each host, as the platform has it; oftener here, and never both at once.
    async fn tick(&self) {
        for host in [&self.second, self.host()].into_iter().cycle() {
            tokio::time::sleep(TICKS).await;
            // It may die in it.
            let _ = host.fire_timer("tick", false).await;
        }
    }

    /// Kills the handler that has the run of the call in which the plan wants it dead.
    async fn kill(&self) {
        let mut kills = self.plan.kills();
        while let Some(wanted) = kills.recv().await {
            self.holder(&wanted).kill_handler(None).await;
            wanted.done();
        }
        std::future::pending::<()>().await;
    }

    fn holder(&self, wanted: &WantedKill) -> &Host {
        let hosts = [self.host(), &self.second];
        let of_mark = |mark: &str| self.asked.iter().find(|asked| mark.starts_with(&asked.mark));
        let marked: Vec<&str> = marks_in(&wanted.text).filter_map(of_mark).map(|asked| asked.run.as_str()).collect();
        let entries = self.road.stack.history.all();
        let has = |host: &&&Host| {
            let address = host.url();
            let runs = in_hand(&entries, address.trim_start_matches("http://"), entries.len());
            runs.iter().any(|run| marked.contains(run) || wanted.text.contains(run))
        };
        // Of a call that is no run's, or a child's: either, and the same again from the same seed.
        hosts.iter().find(has).copied().unwrap_or(hosts[wanted.text.len() % 2])
    }
}

/// What happened, in numbers.
pub(super) fn summary(of: &Histories, took: Duration) -> String {
    let faults = |what: &[&str]| {
        let entries = of.entries.iter().filter(|entry| entry.kind == "fault");
        entries.filter(|entry| what.contains(&text(&entry.detail["fault"]))).count()
    };
    let host = |kind: &str| of.of_kind("host", kind).count();
    let again = of.of_kind("serviceBus", "deliveredAgain").count();
    let twice = of.asked.iter().filter(|asked| asked.twice).count();
    let runs = of.runs();
    let ends: Vec<&Value> = of.asked.iter().filter_map(|asked| runs.get(asked.run.as_str())?.last().copied()).collect();
    let ended = |holds: &dyn Fn(&&&Value) -> bool| ends.iter().filter(|end| holds(end)).count();
    let unknown = |end: &&&Value| {
        let error = end["error"].to_string();
        end["state"] == "failed" && error.contains("outcome-unknown")
    };
    format!(
        "{} runs asked for, {} with those below them, {} calls: {} kills, {} stops of a host, {} lost replies, {} lost \
         requests, {} refusals, {again} deliveries and {twice} requests twice; {} succeeded, {} failed, {} of them \
         unknown; {:.0} s",
        of.asked.len(),
        runs.len(),
        of.entries.iter().filter(|entry| entry.kind == "request").count(),
        host("killed"),
        host("stopped"),
        faults(&["lostReply", "killAfter"]),
        faults(&["lostRequest", "killBefore"]),
        faults(&["busy"]),
        ended(&|end| end["state"] == "succeeded"),
        ended(&|end| end["state"] == "failed"),
        ended(&unknown),
        took.as_secs_f64(),
    )
}
