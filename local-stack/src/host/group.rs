//! A function group: one handler process and the host that watches over it. Starts, restarts, gives up, comes back.
//! What functions do is in `invocation`, `listener`, `timer` and `proxy`.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::definition::{Function, Trigger};
use super::logs::Source;
use super::{Context, ProcessFacts, State, handler, listener, timer};

/// Error events until the host stops itself.
const ERRORS_UNTIL_STOP: usize = 3;

#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) pid: Option<u32>,
    pub(super) port: u16,
    pub(super) starts: usize,
    pub(super) hosts: usize,
}

/// The handle by which everybody else sees a group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) functions: Vec<Function>,
    status: watch::Sender<Status>,
    commands: mpsc::UnboundedSender<Command>,
}

#[derive(Debug)]
pub(super) enum Command {
    /// SIGKILL from outside.
    Kill(oneshot::Sender<()>),
    /// An invocation has exceeded functionTimeout.
    TimedOut(oneshot::Sender<()>),
    /// An invocation has waited too long for the handler's start.
    GaveUp,
    Stop(oneshot::Sender<()>),
}

/// How the life of one process ended.
enum End {
    Exited(ExitStatus),
    NotReady,
    TimedOut,
    GaveUp,
    Stop,
}

impl Group {
    pub(super) fn new(name: &str, functions: Vec<Function>) -> (Arc<Self>, mpsc::UnboundedReceiver<Command>) {
        let (commands, received) = mpsc::unbounded_channel();
        let status = Status { state: State::Starting, pid: None, port: 0, starts: 0, hosts: 0 };
        let status = watch::Sender::new(status);
        (Arc::new(Self { name: name.to_owned(), functions, status, commands }), received)
    }

    pub(super) fn status(&self) -> Status {
        *self.status.borrow()
    }

    pub(super) fn facts(&self) -> ProcessFacts {
        let Status { state, pid, port, starts, hosts } = self.status();
        ProcessFacts { group: self.name.clone(), state, pid, port, starts, hosts }
    }

    /// Waits for a state; the status it was seen in.
    pub(super) async fn wait_for(&self, condition: impl Fn(&Status) -> bool) -> Status {
        let mut status = self.status.subscribe();
        loop {
            let now = *status.borrow_and_update();
            if condition(&now) {
                return now;
            }
            // The sender lives in `self`, so this cannot fail.
            if status.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Waits until the handler is initialized, as an invocation does; none when there is no host.
    pub(super) async fn initialized(&self, context: &Context) -> Option<Status> {
        // Three restarts and the first start (WorkerFunctionInvoker).
        let patience = context.host_json.initialization_timeout * 4;
        let running = self.wait_for(|status| status.state != State::Starting);
        if let Ok(status) = tokio::time::timeout(patience, running).await {
            return Some(status).filter(|status| status.state == State::Running);
        }
        let _ = self.commands.send(Command::GaveUp);
        None
    }

    /// Has the process killed; returns when that is done.
    pub(super) async fn command(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(command(done)).is_ok() {
            let _ = wait.await;
        }
    }

    fn set(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }
}

/// Runs hosts for the group, one after the other, until told to stop or dropped.
pub(super) async fn run(context: Arc<Context>, group: Arc<Group>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let log = |text: String| context.logs.push(&group.name, Source::Host, text);
    loop {
        let port = match handler::free_port(group.status().port).await {
            Ok(port) => port,
            Err(problem) => {
                log(format!("No port for the handler: {problem}"));
                return;
            }
        };
        group.set(|status| {
            (status.state, status.port, status.hosts) = (State::Starting, port, status.hosts + 1);
        });
        let mut triggers = start_triggers(&context, &group);
        let end = run_processes(&context, &group, port, &mut commands).await;
        // Ends every listener and its invocations without settling: the host is gone. Before anybody hears of it.
        triggers.shutdown().await;
        group.set(|status| (status.state, status.pid) = (State::Stopped, None));
        if matches!(end, End::Stop) {
            return;
        }
        let restart = tokio::time::sleep(context.options.platform_restart);
        tokio::pin!(restart);
        loop {
            tokio::select! {
                () = &mut restart => break,
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => {
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                    // Nothing runs that could be killed; dropping the reply answers it.
                    Some(_) => {}
                },
            }
        }
    }
}

fn start_triggers(context: &Arc<Context>, group: &Arc<Group>) -> JoinSet<()> {
    let mut triggers = JoinSet::new();
    for function in &group.functions {
        match &function.trigger {
            Trigger::Http { .. } | Trigger::EventGrid => {}
            Trigger::Queue { .. } => {
                triggers.spawn(listener::run(context.clone(), group.clone(), function.clone()));
            }
            Trigger::Timer { .. } => {
                triggers.spawn(timer::run(context.clone(), group.clone(), function.clone()));
            }
        }
    }
    triggers
}

/// Starts the handler again and again on the same port, until the host is to stop.
async fn run_processes(
    context: &Arc<Context>,
    group: &Arc<Group>,
    port: u16,
    commands: &mut mpsc::UnboundedReceiver<Command>,
) -> End {
    let log = |text: String| context.logs.push(&group.name, Source::Host, text);
    let mut errors: Vec<Instant> = Vec::new();
    loop {
        let child = match handler::spawn(context, &group.name, port) {
            Ok(child) => Some(child),
            Err(problem) => {
                // No error event and no restart follow; the host waits for what cannot come.
                let path = context.options.handler.display();
                log(format!("Failed to start Worker Channel. Process fileName: {path}: {problem}"));
                None
            }
        };
        group.set(|status| {
            status.state = State::Starting;
            status.pid = child.as_ref().and_then(Child::id);
            status.starts += 1;
        });
        let end = watch_process(context, group, port, child, commands).await;
        group.set(|status| (status.state, status.pid) = (State::Starting, None));
        match &end {
            End::Stop => return end,
            End::GaveUp => {
                log("Initialization timed out and host is shutting down".into());
                return end;
            }
            End::TimedOut => log("Restarting the handler: an invocation exceeded functionTimeout".into()),
            End::Exited(status) if status.code() == Some(200) => log("The handler asked for a restart".into()),
            End::Exited(_) | End::NotReady => {
                let reason = match &end {
                    End::Exited(status) => format!("The handler ended: {status}"),
                    _ => format!("The handler was not ready within {:?}", context.host_json.initialization_timeout),
                };
                let now = Instant::now();
                if errors.last().is_some_and(|last| now.duration_since(*last) > context.options.error_window) {
                    errors.clear();
                }
                errors.push(now);
                log(format!("{reason}; error {} of {ERRORS_UNTIL_STOP}", errors.len()));
                if errors.len() >= ERRORS_UNTIL_STOP {
                    log("Exceeded http worker restart retry count. Shutting down Functions Host".into());
                    let detail = json!({"host": context.address.to_string(), "group": group.name});
                    context.history.record("host", "stopped", detail);
                    return end;
                }
            }
        }
    }
}

/// Watches one process until it ends or is made to.
async fn watch_process(
    context: &Arc<Context>,
    group: &Arc<Group>,
    port: u16,
    mut child: Option<Child>,
    commands: &mut mpsc::UnboundedReceiver<Command>,
) -> End {
    let log = |text: &str| context.logs.push(&group.name, Source::Host, text);
    let ready = handler::ready(context, port);
    tokio::pin!(ready);
    // Without a process from the start there is nothing to wait for.
    let mut starting = child.is_some();
    loop {
        tokio::select! {
            is_ready = &mut ready, if starting => {
                if !is_ready {
                    kill(&mut child).await;
                    return End::NotReady;
                }
                starting = false;
                group.set(|status| status.state = State::Running);
                log("Worker process started and initialized.");
            }
            status = exit(&mut child) => {
                child = None;
                group.set(|status| status.pid = None);
                if status.code() != Some(0) {
                    return End::Exited(status);
                }
                log("The handler exited with 0: it is not started again, and every invocation fails");
            }
            command = commands.recv() => match command {
                Some(Command::Kill(done)) => {
                    let about = |pid| json!({"host": context.address.to_string(), "group": group.name, "pid": pid});
                    let pid = child.as_ref().and_then(Child::id);
                    if pid.is_some() {
                        context.history.record("host", "killing", about(pid));
                    }
                    let Some(status) = kill(&mut child).await else { continue };
                    context.history.record("host", "killed", about(pid));
                    // Before the reply: who waits for it must not find the old state.
                    group.set(|status| (status.state, status.pid) = (State::Starting, None));
                    let _ = done.send(());
                    return End::Exited(status);
                }
                Some(Command::TimedOut(done)) => {
                    kill(&mut child).await;
                    group.set(|status| (status.state, status.pid) = (State::Starting, None));
                    let _ = done.send(());
                    return End::TimedOut;
                }
                Some(Command::GaveUp) => {
                    kill(&mut child).await;
                    return End::GaveUp;
                }
                Some(Command::Stop(done)) => {
                    kill(&mut child).await;
                    let _ = done.send(());
                    return End::Stop;
                }
                None => {
                    kill(&mut child).await;
                    return End::Stop;
                }
            },
        }
    }
}

async fn exit(child: &mut Option<Child>) -> ExitStatus {
    match child {
        Some(child) => match child.wait().await {
            Ok(status) => status,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// SIGKILL, never SIGTERM, and up to a second for the end, as the host does.
async fn kill(child: &mut Option<Child>) -> Option<ExitStatus> {
    let mut child = child.take()?;
    let _ = child.start_kill();
    tokio::time::timeout(Duration::from_secs(1), child.wait()).await.ok()?.ok()
}
