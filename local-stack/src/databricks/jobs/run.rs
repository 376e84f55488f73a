//! One run: what was asked, and how far each of its tasks is. How it goes on is in `drive.rs`, how it looks in
//! `run_view.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::watch;

use super::definition::JobDefinition;
use super::end::End;
use super::parameters::Legacy;
use super::task_definition::TaskDefinition;
use crate::databricks::workspace::lock;

/// What a run, or its last repair, was started with.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Those of the job with their defaults, and whatever else was given.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) legacy: Legacy,
    pub(super) performance_target: Option<String>,
}

/// How far a run or a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Of a run alone.
    Queued(Queued),
    /// Of a task alone: others come first.
    Blocked,
    Pending,
    /// Of a task alone: a failed attempt was before.
    Waiting,
    Running,
    Terminating,
    Ended(End),
}

/// Why a run is queued (SDK, QueueDetailsCodeCode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    ActiveRuns(usize),
    RunsOfJob(usize),
}

/// What a task gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    /// `dbutils.notebook.exit`.
    pub(super) result: Option<String>,
    pub(super) logs: Option<String>,
    pub(super) error: Option<String>,
    pub(super) trace: Option<String>,
    /// The statement that a SQL task ran.
    pub(super) statement: Option<String>,
    /// The run that `run_job` started.
    pub(super) run_id: Option<u64>,
}

/// One attempt of a task.
#[derive(Clone, Debug)]
pub(super) struct TaskRun {
    pub(super) id: u64,
    pub(super) task: TaskDefinition,
    /// Over the run's whole life, repairs too.
    pub(super) attempt: u32,
    pub(super) phase: Phase,
    pub(super) output: Output,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
}

/// The run as it was started, or one repair of it.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// None for the first.
    pub(super) repair: Option<u64>,
    pub(super) started: Timestamp,
    pub(super) ended: Option<(Timestamp, End)>,
    pub(super) tasks: Vec<u64>,
    pub(super) performance_target: Option<String>,
}

/// What changes while a run goes on.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    pub(super) given: Given,
    /// Every attempt of every task, oldest first.
    pub(super) tasks: Vec<TaskRun>,
    pub(super) rounds: Vec<Round>,
    /// When it left the queue, if it was in it.
    pub(super) admitted: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) job: JobDefinition,
    pub(super) trigger: &'static str,
    pub(super) created: Timestamp,
    progress: Mutex<Progress>,
    /// Ids of this run and of its tasks that somebody wants canceled.
    cancels: watch::Sender<BTreeSet<u64>>,
    /// Whether it has ended, for whoever waits.
    ended: watch::Sender<bool>,
}

impl Progress {
    /// The latest attempt of each task, in the order in which they were first made.
    pub(super) fn latest(&self) -> Vec<&TaskRun> {
        let mut latest: Vec<&TaskRun> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for task in &self.tasks {
            let place = *places.entry(&task.task.key).or_insert(latest.len());
            match latest.get_mut(place) {
                Some(other) => *other = task,
                None => latest.push(task),
            }
        }
        latest
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// It takes one of the places that are limited.
    pub(super) fn active(&self) -> bool {
        !matches!(self.phase, Phase::Ended(_) | Phase::Queued(_))
    }

    fn task(&mut self, id: u64) -> Option<&mut TaskRun> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    /// Adds an attempt of a task to the latest round.
    pub(super) fn attempt(&mut self, id: u64, task: TaskDefinition, phase: Phase) {
        let attempt = self.tasks.iter().filter(|other| other.task.key == task.key).count();
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        let output = Output::default();
        self.tasks.push(TaskRun { id, task, attempt, phase, output, started: Timestamp::now(), ended: None });
        if let Some(round) = self.rounds.last_mut() {
            round.tasks.push(id);
        }
    }

    /// Begins the run as it was asked for, or a repair.
    pub(super) fn begin(&mut self, repair: Option<u64>, tasks: Vec<(u64, TaskDefinition)>) {
        let performance_target = self.given.performance_target.clone();
        let (started, ended) = (Timestamp::now(), None);
        self.rounds.push(Round { repair, started, ended, tasks: Vec::new(), performance_target });
        for (id, task) in tasks {
            let phase = if task.depends_on.is_empty() { Phase::Pending } else { Phase::Blocked };
            self.attempt(id, task, phase);
        }
    }
}

impl Run {
    pub(super) fn new(id: u64, job: JobDefinition, trigger: &'static str, given: Given, phase: Phase) -> Self {
        let progress = Progress { phase, given, tasks: Vec::new(), rounds: Vec::new(), admitted: None };
        Self {
            id,
            job,
            trigger,
            created: Timestamp::now(),
            progress: Mutex::new(progress),
            cancels: watch::Sender::default(),
            ended: watch::Sender::new(false),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub(super) fn go_to(&self, phase: Phase) {
        let mut progress = self.progress();
        let ended = if let Phase::Ended(end) = &phase { Some(end.clone()) } else { None };
        progress.phase = phase;
        if let Some(round) = progress.rounds.last_mut() {
            round.ended = ended.map(|end| (Timestamp::now(), end));
        }
        self.ended.send_replace(progress.ended());
    }

    pub(super) fn task_goes_to(&self, id: u64, phase: Phase) {
        if let Some(task) = self.progress().task(id) {
            task.phase = phase;
            task.started = Timestamp::now();
        }
    }

    pub(super) fn task_ends(&self, id: u64, end: End, output: Output) {
        if let Some(task) = self.progress().task(id) {
            (task.phase, task.output, task.ended) = (Phase::Ended(end), output, Some(Timestamp::now()));
        }
    }

    /// Asks for this run, or one of its tasks, to be canceled.
    pub(super) fn cancel(&self, id: u64) {
        self.cancels.send_modify(|ids| {
            ids.insert(id);
        });
    }

    /// Forgets what was canceled, before a repair.
    pub(super) fn forget_cancels(&self) {
        self.cancels.send_modify(BTreeSet::clear);
    }

    pub(super) async fn canceled(&self, id: u64) {
        drop(self.cancels.subscribe().wait_for(|ids| ids.contains(&id)).await);
    }

    pub(super) async fn end(&self) {
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }
}
