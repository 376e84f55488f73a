//! Two processes with an engine each, and the deaths of them: a process dies at a drawn poll of its invocations, takes all
//! of them along, and is started again.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;

use super::world::{HOSTS, World};
use crate::failure::Failure;
use crate::runs::Runs;

/// No seed needs so many. What makes ever more of them does not come to an end, and is found stuck.
const MOST_INVOCATIONS: u64 = 3_000;

/// How an invocation went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<T> {
    Ok(T),
    Failed,
    /// Its process died.
    Died,
}

/// One process, until it dies.
#[derive(Debug)]
struct Life {
    dead: AtomicBool,
    /// Polls that are left to it; 0 is for ever.
    polls: AtomicU64,
    died: Notify,
    /// The invocations under way, and the run of each.
    under_way: Mutex<BTreeMap<u64, Option<String>>>,
}

type Start = dyn Fn(usize) -> Runs + Send + Sync;
type Alive = (Arc<Life>, Runs);

pub(super) struct Hosts {
    world: Arc<World>,
    /// Makes the engine of a new process.
    engine: Box<Start>,
    lives: Mutex<[Option<Alive>; HOSTS]>,
    crashes_left: AtomicU64,
    invocations: AtomicU64,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hosts")
    }
}

impl Hosts {
    pub(super) fn start(world: &Arc<World>, engine: impl Fn(usize) -> Runs + Send + Sync + 'static) -> Arc<Self> {
        let hosts = Self {
            world: world.clone(),
            engine: Box::new(engine),
            lives: Mutex::default(),
            crashes_left: AtomicU64::new(world.plan.crashes),
            invocations: AtomicU64::default(),
        };
        for host in 0..HOSTS {
            hosts.begin(host);
        }
        Arc::new(hosts)
    }

    fn begin(&self, host: usize) {
        let left = self.crashes_left.load(Ordering::Relaxed);
        let polls = if left > 0 && self.world.stormy() {
            self.crashes_left.store(left - 1, Ordering::Relaxed);
            self.world.draw(|dice| dice.between(1, self.world.plan.polls))
        } else {
            0
        };
        let life = Life {
            dead: AtomicBool::new(false),
            polls: AtomicU64::new(polls),
            died: Notify::new(),
            under_way: Mutex::default(),
        };
        self.world.note(|| format!("host {host} starts, for {polls} polls"));
        self.lives.lock().unwrap()[host] = Some((Arc::new(life), (self.engine)(host)));
    }

    fn alive(&self) -> Option<(usize, Arc<Life>, Runs)> {
        let lives = self.lives.lock().unwrap();
        let alive: Vec<usize> = (0..HOSTS).filter(|host| lives[*host].is_some()).collect();
        if alive.is_empty() {
            return None;
        }
        let host = *self.world.draw(|dice| dice.one_of(&alive));
        let (life, runs) = lives[host].clone()?;
        Some((host, life, runs))
    }

    /// Runs an invocation on one of the hosts. `run` is the run that it moves.
    pub(super) async fn invoke<T, F>(
        self: &Arc<Self>,
        what: &str,
        run: Option<String>,
        invocation: impl FnOnce(Runs) -> F,
    ) -> Came<T>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let (host, life, runs) = loop {
            match self.alive() {
                Some(alive) => break alive,
                None => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        let id = self.invocations.fetch_add(1, Ordering::Relaxed);
        if id > MOST_INVOCATIONS {
            std::future::pending::<()>().await;
        }
        self.world.note(|| format!("host {host}: {what} begins"));
        life.under_way.lock().unwrap().insert(id, run.clone());
        let mortal = Mortal { inner: Box::pin(invocation(runs)), life: life.clone(), hosts: self.clone(), host };
        let died = life.died.notified();
        let came = tokio::select! {
            biased;
            () = died => None,
            came = mortal => came,
        };
        life.under_way.lock().unwrap().remove(&id);
        match came {
            None => Came::Died,
            Some(Ok(done)) => {
                self.world.note(|| format!("host {host}: {what} is done"));
                Came::Ok(done)
            }
            Some(Err(failure)) => {
                self.world.note(|| format!("host {host}: {what} failed: {}", failure.chain()));
                if let Some(run) = run {
                    self.world.doubt_current(&run, "its worker gave up");
                }
                Came::Failed
            }
        }
    }

    fn dies(self: &Arc<Self>, host: usize, life: &Life) {
        self.world.note(|| format!("host {host} dies"));
        life.dead.store(true, Ordering::Relaxed);
        self.lives.lock().unwrap()[host] = None;
        for run in life.under_way.lock().unwrap().values().flatten() {
            self.world.doubt_current(run, "its worker died");
        }
        life.died.notify_waiters();
        let (hosts, pause) = (self.clone(), self.world.draw(|dice| dice.between(1, 20)));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            hosts.begin(host);
        });
    }
}

/// An invocation that ends with its process.
struct Mortal<F> {
    inner: Pin<Box<F>>,
    life: Arc<Life>,
    hosts: Arc<Hosts>,
    host: usize,
}

impl<T, F: Future<Output = T>> Future for Mortal<F> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.life.dead.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        let left = self.life.polls.load(Ordering::Relaxed);
        if left > 0 && self.hosts.world.stormy() {
            self.life.polls.store(left - 1, Ordering::Relaxed);
            if left == 1 {
                self.hosts.clone().dies(self.host, &self.life.clone());
                return Poll::Ready(None);
            }
        }
        self.inner.as_mut().poll(context).map(Some)
    }
}
