//! The stand-in for the Azure Functions host, version 4: it runs the unmodified handler as a child process and is
//! driven by the real `host.json` and `function.json` files. It is no kinder than the real host.
//!
//! Sources: github.com/Azure/azure-functions-host (WebJobs.Script, Workers/Http), azure-webjobs-sdk-extensions
//! (timers), azure-sdk-for-net (the Service Bus extension) and Microsoft Learn; where a rule needs one, its class is
//! named beside it. Left out: sessions, batches, output bindings, HTTP functions that are not one trigger and one
//! output, and the forwarding that is not proxying.

mod bodies;
mod definition;
mod envelope;
mod event_grid;
mod front;
mod group;
mod handler;
mod invocation;
mod listener;
mod logs;
mod options;
mod proxy;
mod route;
mod schedule;
mod timer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::core::History;
use definition::{Function, HostJson, Trigger};
use group::{Command, Group};

pub use logs::{Line, Logs, Source};
pub use options::{Groups, HostOptions, Keys, Resend, Timers};
pub use timer::TimerStatus;

/// What the host says it is.
const HOST_VERSION: &str = "4.1041.200.0";

/// What all parts of the host share.
#[derive(Debug)]
struct Context {
    options: HostOptions,
    /// Of the front; in the history it says which host it was.
    address: SocketAddr,
    host_json: HostJson,
    keys: Keys,
    logs: Logs,
    history: History,
    client: Client<HttpConnector, bodies::AnyBody>,
    /// The lock of each timer function: timers are singletons.
    timers: BTreeMap<String, tokio::sync::Mutex<()>>,
}

impl Context {
    /// Unlimited is a century.
    fn function_timeout(&self) -> Duration {
        self.host_json.function_timeout.unwrap_or(Duration::from_hours(876_000))
    }
}

/// Where the host, or one function group of it, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handler has not answered `GET /` yet, or is being started again.
    Starting,
    /// The handler has answered once. It stays so when the handler exits with 0, as in the real host.
    Running,
    /// Stopped after too many errors; the platform will bring up a new host soon.
    Stopped,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// The reason as the host would log it.
    Failed(String),
}

/// One handler process, as it is now.
#[derive(Clone, Debug)]
pub struct ProcessFacts {
    /// `http`, or the name of the function that has the group for itself; `all` when there is one group.
    pub group: String,
    pub state: State,
    /// None between two processes, or after an exit with 0.
    pub pid: Option<u32>,
    /// Where the handler listens.
    pub port: u16,
    /// Processes started for this group so far.
    pub starts: usize,
    /// Hosts brought up for this group so far: 1, and one more after each stop for too many errors.
    pub hosts: usize,
}

/// The running stand-in; handlers are killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    context: Arc<Context>,
    groups: Vec<Arc<Group>>,
    /// Dropped with the host, and with it the front, the groups and their processes.
    tasks: JoinSet<()>,
}

impl Host {
    /// Reads the definitions, starts the front and the handlers, and returns at once; see [`Host::ready`].
    /// An error when `host.json` is wrong or the port is taken; a wrong function is only left out, with a line in the
    /// logs.
    pub async fn start(mut options: HostOptions, history: History) -> anyhow::Result<Self> {
        // The handler runs in another directory than this process.
        options.root = std::path::absolute(&options.root)?;
        if options.handler.components().count() > 1 {
            options.handler = std::path::absolute(&options.handler)?;
        }
        let host_json = HostJson::read(&options.root, &options.environment).await?;
        let (functions, problems) =
            definition::read_functions(&options.functions_folder, &host_json, &options.environment).await?;
        let logs = Logs::new(options.print);
        for problem in problems {
            logs.push("host", Source::Host, problem);
        }
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .with_context(|| format!("the host's port {} is taken", options.port))?;
        let address = listener.local_addr()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let is_timer = |function: &&Function| matches!(function.trigger, Trigger::Timer { .. });
        let context = Arc::new(Context {
            address,
            host_json,
            keys: complete(options.keys.clone(), &functions),
            logs,
            history,
            client: Client::builder(TokioExecutor::new()).build(connector),
            timers: functions
                .iter()
                .filter(is_timer)
                .map(|timer| (timer.name.clone(), tokio::sync::Mutex::default()))
                .collect(),
            options,
        });
        let mut tasks = JoinSet::new();
        let mut groups = Vec::new();
        for (name, functions) in grouped(functions, context.options.groups) {
            let (group, commands) = Group::new(&name, functions);
            tasks.spawn(group::run(context.clone(), group.clone(), commands));
            groups.push(group);
        }
        tasks.spawn(front::serve(listener, front::Front { context: context.clone(), groups: groups.clone() }));
        Ok(Self { address, context, groups, tasks })
    }

    /// `http://127.0.0.1:port`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn keys(&self) -> Keys {
        self.context.keys.clone()
    }

    /// Everything that the handlers and the host itself have written.
    pub fn logs(&self) -> Logs {
        self.context.logs.clone()
    }

    /// Names of the functions that were indexed, sorted.
    pub fn functions(&self) -> Vec<String> {
        let functions = self.groups.iter().flat_map(|group| &group.functions);
        let mut names: Vec<String> = functions.map(|function| function.name.clone()).collect();
        names.sort();
        names
    }

    /// Waits until every handler is ready; an error, with the last lines of the logs, when one takes longer than an
    /// invocation would wait.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let patience = self.context.host_json.initialization_timeout * 4;
        for group in &self.groups {
            let settled = group.wait_for(|status| status.starts > 0 && status.state != State::Starting);
            let state = tokio::time::timeout(patience, settled).await.map(|status| status.state);
            if state != Ok(State::Running) {
                let lines = self.context.logs.lines();
                let last: Vec<String> = lines.iter().rev().take(20).rev().map(ToString::to_string).collect();
                bail!("the handler of group '{}' is not ready: {state:?}\n{}", group.name, last.join("\n"));
            }
        }
        Ok(())
    }

    pub fn processes(&self) -> Vec<ProcessFacts> {
        self.groups.iter().map(|group| group.facts()).collect()
    }

    /// Waits until the processes are as `condition` wants them; bound it.
    pub async fn wait_until(&self, condition: impl Fn(&ProcessFacts) -> bool) {
        for group in &self.groups {
            group.wait_for(|_| condition(&group.facts())).await;
        }
    }

    /// `Running` when every group is, else the worst.
    pub fn state(&self) -> State {
        let states: Vec<State> = self.groups.iter().map(|group| group.status().state).collect();
        [State::Stopped, State::Starting].into_iter().find(|state| states.contains(state)).unwrap_or(State::Running)
    }

    /// Processes started again, over all groups.
    pub fn restarts(&self) -> usize {
        self.groups.iter().map(|group| group.status().starts.saturating_sub(1)).sum()
    }

    /// SIGKILL to the handlers of `group`, or of all groups; returns when they are gone. They are started again as
    /// after any crash.
    pub async fn kill_handler(&self, group: Option<&str>) {
        for one in self.groups.iter().filter(|one| group.is_none_or(|name| one.name == name)) {
            one.command(Command::Kill).await;
        }
    }

    /// Runs a timer function now and says how it ended. Waits for a run in progress: timers are singletons.
    pub async fn fire_timer(&self, function: &str, is_past_due: bool) -> anyhow::Result<Outcome> {
        for group in &self.groups {
            if let Some(found) = group.functions.iter().find(|one| one.name == function) {
                return Ok(timer::fire(&self.context, group, found, Timestamp::now(), is_past_due).await);
            }
        }
        Err(anyhow!("there is no function '{function}'"))
    }

    /// Where Event Grid delivers to a function, with the key that opens it.
    pub fn event_grid_webhook(&self, function: &str) -> String {
        let key = self.context.keys.system.get(event_grid::SYSTEM_KEY).cloned().unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("functionName", function)
            .append_pair("code", &key)
            .finish();
        format!("{}/runtime/webhooks/EventGrid?{query}", self.url())
    }

    /// Kills the handlers and waits until they are gone.
    pub async fn stop(mut self) {
        for group in &self.groups {
            group.command(Command::Stop).await;
        }
        self.tasks.shutdown().await;
    }
}

/// Makes up the keys that are missing.
fn complete(mut keys: Keys, functions: &[Function]) -> Keys {
    let new = || format!("{}{}==", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..22]);
    if keys.master.is_empty() {
        keys.master = new();
    }
    keys.host.entry("default".into()).or_insert_with(new);
    if functions.iter().any(|function| matches!(function.trigger, Trigger::EventGrid)) {
        keys.system.entry(event_grid::SYSTEM_KEY.into()).or_insert_with(new);
    }
    for function in functions.iter().filter(|function| matches!(function.trigger, Trigger::Http { .. })) {
        keys.functions.entry(function.name.clone()).or_default().entry("default".into()).or_insert_with(new);
    }
    keys
}

fn grouped(functions: Vec<Function>, groups: Groups) -> BTreeMap<String, Vec<Function>> {
    let mut grouped: BTreeMap<String, Vec<Function>> = BTreeMap::new();
    for function in functions {
        let name = match (groups, &function.trigger) {
            (Groups::One, _) => "all".to_owned(),
            (Groups::Flex, Trigger::Http { .. }) => "http".to_owned(),
            (Groups::Flex, _) => function.name.clone(),
        };
        grouped.entry(name).or_default().push(function);
    }
    grouped
}
