//! What the host stand-in is started with. No behaviour here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::timer::TimerStatus;
use crate::service_bus::Broker;

/// How functions share handler processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// One process for everything, as in Premium and Dedicated plans.
    #[default]
    One,
    /// All HTTP functions in one process, every other function in its own, as in Flex Consumption
    /// (learn.microsoft.com/azure/azure-functions/flex-consumption-plan, per-function scaling).
    Flex,
}

/// What a request that is sent again holds. The real host streams bodies, and cannot be sure to have it still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resend {
    #[default]
    WithoutBody,
    WithBody,
}

/// Who fires timer functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timers {
    #[default]
    OnSchedule,
    /// Only `Host::fire_timer`.
    OnRequest,
}

/// Access keys. What is missing at the start is made up.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Opens everything. Made up when empty.
    pub master: String,
    /// Host keys by name; they open every function. `default` is made up when absent.
    pub host: BTreeMap<String, String>,
    /// Function keys: function, then key name. `default` is made up for each function that has none.
    pub functions: BTreeMap<String, BTreeMap<String, String>>,
    /// System keys by name, of extensions. `eventgrid_extension` is made up when a function wants it.
    pub system: BTreeMap<String, String>,
}

impl Keys {
    /// The default key of a function; the default host key when the function is unknown; empty when there is neither.
    pub fn function(&self, name: &str) -> &str {
        self.functions
            .get(name)
            .and_then(|keys| keys.get("default"))
            .or_else(|| self.host.get("default"))
            .map_or("", String::as_str)
    }
}

/// What the host is started with; see [`HostOptions::new`] for the defaults.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The folder that holds `host.json`: the app root, and the handler's working directory.
    pub root: PathBuf,
    /// The folder that holds `{function}/function.json`. In a package it is the app root.
    pub functions_folder: PathBuf,
    /// The handler's executable. It stands in for `customHandler.description.defaultExecutablePath`, whose
    /// `arguments` are used.
    pub handler: PathBuf,
    /// The app settings: the handler's environment on top of the host's own, and what `%NAME%` is resolved from.
    pub environment: BTreeMap<String, String>,
    /// The host's own port on loopback; 0 takes any free one.
    pub port: u16,
    /// Where Service Bus triggers listen; without it they are indexed and never fire.
    pub service_bus: Option<Broker>,
    pub groups: Groups,
    /// The handler inherits this process's environment, as it does the real host's; true. Tests that must not depend
    /// on the machine say false.
    pub inherit_environment: bool,
    pub keys: Keys,
    pub resend: Resend,
    pub timers: Timers,
    /// What is known of the timers' last runs; nothing. Give the same to the next host and it knows what it missed.
    pub timer_status: TimerStatus,
    /// Prints the handlers' lines and the host's own to standard error.
    pub print: bool,
    /// How long the platform takes to bring up a new host after one has stopped itself; 1 s.
    pub platform_restart: Duration,
    /// The platform's front end gives up on a silent host with 504 after this long; 230 s
    /// (learn.microsoft.com/azure/azure-functions/functions-scale, function app timeout duration).
    pub front_end_timeout: Duration,
    /// A proxied answer is cut when nothing has moved for this long; 240 s (YARP's ActivityTimeout as the host sets it).
    pub idle_timeout: Duration,
    /// Error events older than this do not count towards the third; 30 minutes as in the real host.
    pub error_window: Duration,
}

impl HostOptions {
    pub fn new(root: impl Into<PathBuf>, functions_folder: impl Into<PathBuf>, handler: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            functions_folder: functions_folder.into(),
            handler: handler.into(),
            environment: BTreeMap::new(),
            port: 0,
            service_bus: None,
            groups: Groups::default(),
            inherit_environment: true,
            keys: Keys::default(),
            resend: Resend::default(),
            timers: Timers::default(),
            timer_status: TimerStatus::default(),
            print: false,
            platform_restart: Duration::from_secs(1),
            front_end_timeout: Duration::from_secs(230),
            idle_timeout: Duration::from_mins(4),
            error_window: Duration::from_mins(30),
        }
    }
}
