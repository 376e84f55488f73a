//! What the app says about itself: `host.json` and every `function.json`, read as the host reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::route::Route;
use super::schedule::{Schedule, parse_time_span};

type Environment = BTreeMap<String, String>;

/// The part of `host.json` that matters here, with the host's defaults.
#[derive(Clone, Debug)]
pub(super) struct HostJson {
    /// None: unlimited (`-1`).
    pub(super) function_timeout: Option<Duration>,
    pub(super) route_prefix: String,
    pub(super) proxying: bool,
    pub(super) initialization_timeout: Duration,
    pub(super) arguments: Vec<String>,
    pub(super) working_directory: Option<PathBuf>,
    pub(super) errors_only_on_stderr: bool,
    pub(super) max_auto_lock_renewal: Duration,
    pub(super) max_concurrent_calls: usize,
    pub(super) auto_complete: bool,
}

/// One function with its trigger.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// The name of the trigger's binding.
    pub(super) binding: String,
    pub(super) trigger: Trigger,
}

#[derive(Clone, Debug)]
pub(super) enum Trigger {
    /// Methods in upper case; none means all.
    Http {
        route: Route,
        methods: Vec<String>,
        level: Level,
    },
    Queue {
        queue: String,
        binary: bool,
        auto_complete: bool,
    },
    /// The extension's webhook.
    EventGrid,
    Timer {
        schedule: Schedule,
        run_on_startup: bool,
        use_monitor: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Anonymous,
    Function,
    Admin,
}

/// A JSON object whose keys ignore case, with what app settings put over it.
struct Configuration<'a> {
    json: Value,
    environment: &'a Environment,
}

impl Configuration<'_> {
    /// The value at `path`; the app setting `AzureFunctionsJobHost__a__b` goes before the file.
    fn get(&self, path: &[&str]) -> Option<Value> {
        let setting = format!("AzureFunctionsJobHost__{}", path.join("__"));
        if let Some((_, value)) = self.environment.iter().find(|(name, _)| name.eq_ignore_ascii_case(&setting)) {
            return Some(Value::String(value.clone()));
        }
        path.iter().try_fold(&self.json, |value, key| member(value, key)).cloned()
    }

    fn text(&self, path: &[&str]) -> Option<String> {
        self.get(path).and_then(|value| value.as_str().map(str::to_owned))
    }

    fn flag(&self, path: &[&str], default: bool) -> anyhow::Result<bool> {
        match self.get(path) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::String(text)) => {
                text.to_lowercase().parse().with_context(|| format!("host.json: {}: '{text}'", path.join(".")))
            }
            Some(other) => Err(anyhow!("host.json: {}: {other} is not true or false", path.join("."))),
        }
    }

    fn time_span(&self, path: &[&str], default: Duration) -> anyhow::Result<Duration> {
        match self.text(path) {
            Some(text) => parse_time_span(&text).with_context(|| format!("host.json: {}", path.join("."))),
            None => Ok(default),
        }
    }

    fn number(&self, path: &[&str], default: usize) -> anyhow::Result<usize> {
        match self.get(path) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| anyhow!("host.json: {}: {value} is not a number", path.join("."))),
        }
    }
}

/// A member of an object; keys ignore case.
pub(super) fn member<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

impl HostJson {
    pub(super) async fn read(root: &Path, environment: &Environment) -> anyhow::Result<Self> {
        let file = root.join("host.json");
        let text = tokio::fs::read(&file).await.with_context(|| format!("{}", file.display()))?;
        let json = serde_json::from_slice(&text).with_context(|| format!("{}", file.display()))?;
        let configuration = Configuration { json, environment };
        Self::from_configuration(&configuration)
    }

    fn from_configuration(json: &Configuration<'_>) -> anyhow::Result<Self> {
        if json.text(&["version"]).as_deref() != Some("2.0") {
            bail!("host.json: 'version' must be \"2.0\"");
        }
        if json.text(&["customHandler", "description", "defaultExecutablePath"]).is_none_or(|path| path.is_empty()) {
            bail!("host.json: customHandler.description.defaultExecutablePath is missing");
        }
        let function_timeout = match json.text(&["functionTimeout"]).as_deref() {
            Some("-1") => None,
            Some(text) => Some(parse_time_span(text).context("host.json: functionTimeout")?),
            None => Some(Duration::from_mins(30)),
        };
        let arguments = match json.get(&["customHandler", "description", "arguments"]) {
            Some(Value::Array(arguments)) => arguments.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let service_bus = |key| ["extensions", "serviceBus", key];
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            function_timeout,
            route_prefix: json.text(&["extensions", "http", "routePrefix"]).unwrap_or_else(|| "api".into()),
            proxying: json.flag(&["customHandler", "enableProxyingHttpRequest"], false)?,
            initialization_timeout: json
                .time_span(&["customHandler", "initializationTimeout"], Duration::from_secs(30))?,
            arguments,
            working_directory: json.text(&["customHandler", "description", "workingDirectory"]).map(PathBuf::from),
            errors_only_on_stderr: json
                .flag(&["customHandler", "description", "useStdErrorStreamForErrorsOnly"], true)?,
            max_auto_lock_renewal: json
                .time_span(&service_bus("maxAutoLockRenewalDuration"), Duration::from_mins(5))?,
            max_concurrent_calls: json.number(&service_bus("maxConcurrentCalls"), 16 * cores)?.max(1),
            auto_complete: json.flag(&service_bus("autoCompleteMessages"), true)?,
        })
    }
}

/// Every function under `folder`, sorted by name, and why the others were not indexed.
pub(super) async fn read_functions(
    folder: &Path,
    host: &HostJson,
    environment: &Environment,
) -> anyhow::Result<(Vec<Function>, Vec<String>)> {
    let (mut functions, mut problems) = (Vec::new(), Vec::new());
    let mut entries = tokio::fs::read_dir(folder).await.with_context(|| format!("{}", folder.display()))?;
    while let Some(entry) = entries.next_entry().await? {
        let Ok(text) = tokio::fs::read(entry.path().join("function.json")).await else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        match read_function(&name, &text, host, environment) {
            Ok(Some(function)) => functions.push(function),
            Ok(None) => problems.push(format!("Function {name} is disabled")),
            Err(problem) => {
                problems.push(format!("Error indexing method 'Functions.{name}': {problem:#}. Other functions go on."));
            }
        }
    }
    functions.sort_by(|left, right| left.name.cmp(&right.name));
    problems.sort();
    Ok((functions, problems))
}

fn read_function(
    name: &str,
    text: &[u8],
    host: &HostJson,
    environment: &Environment,
) -> anyhow::Result<Option<Function>> {
    let well_named = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 128
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
        && !name.eq_ignore_ascii_case("host");
    if !well_named {
        bail!("'{name}' is not a valid function name");
    }
    let json: Value = serde_json::from_slice(text).context("function.json")?;
    let switch = format!("AzureWebJobs.{name}.Disabled");
    let disabled = [&switch, &switch.replace('.', "_"), &switch.replace('.', "__")]
        .iter()
        .any(|switch| environment.get(*switch).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true")));
    if disabled || json["disabled"] == true {
        return Ok(None);
    }
    let bindings = json["bindings"].as_array().filter(|list| !list.is_empty()).context("it has no bindings")?;
    for binding in bindings {
        let name = binding["name"].as_str().unwrap_or_default();
        let well_named = name == "$return"
            || (name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.len() <= 128
                && name.chars().all(|letter| letter.is_ascii_alphanumeric()));
        if !well_named {
            bail!("the binding name '{name}' is invalid");
        }
    }
    let kind = |binding: &Value| binding["type"].as_str().unwrap_or_default().to_lowercase();
    let triggers: Vec<&Value> = bindings.iter().filter(|binding| kind(binding).ends_with("trigger")).collect();
    let [trigger] = triggers.as_slice() else { bail!("it needs exactly one trigger and has {}", triggers.len()) };
    let others: Vec<String> = bindings.iter().map(kind).filter(|kind| !kind.ends_with("trigger")).collect();
    let kind = kind(trigger);
    if kind == "httptrigger" {
        if others != ["http"] || !host.proxying {
            bail!(
                "this stand-in serves HTTP functions only with one httpTrigger, one http output and \
                 customHandler.enableProxyingHttpRequest"
            );
        }
    } else if !others.is_empty() {
        bail!("this stand-in has no output bindings");
    }
    let trigger = Settings { binding: trigger, environment };
    Ok(Some(Function {
        name: name.to_owned(),
        binding: trigger.text("name")?.unwrap_or_default(),
        trigger: match kind.as_str() {
            "httptrigger" => http_trigger(name, &trigger)?,
            "servicebustrigger" => queue_trigger(&trigger, host)?,
            "eventgridtrigger" => {
                if trigger.text("cardinality")?.as_deref() == Some("many") {
                    bail!("this stand-in delivers events one by one");
                }
                Trigger::EventGrid
            }
            "timertrigger" => Trigger::Timer {
                schedule: trigger.text("schedule")?.context("a timerTrigger needs a schedule")?.parse()?,
                run_on_startup: trigger.flag("runOnStartup", false),
                use_monitor: trigger.flag("useMonitor", true),
            },
            other => bail!("the binding type '{other}' is not registered"),
        },
    }))
}

/// A binding whose text is resolved from app settings.
struct Settings<'a> {
    binding: &'a Value,
    environment: &'a Environment,
}

impl Settings<'_> {
    fn text(&self, key: &str) -> anyhow::Result<Option<String>> {
        member(self.binding, key).and_then(Value::as_str).map(|text| resolve(text, self.environment)).transpose()
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        member(self.binding, key).and_then(Value::as_bool).unwrap_or(default)
    }
}

fn http_trigger(name: &str, trigger: &Settings<'_>) -> anyhow::Result<Trigger> {
    let methods = member(trigger.binding, "methods").and_then(Value::as_array);
    let level = match trigger.text("authLevel")?.map(|level| level.to_lowercase()).as_deref() {
        None | Some("function") => Level::Function,
        Some("anonymous") => Level::Anonymous,
        Some("admin") => Level::Admin,
        Some(other) => bail!("the authLevel '{other}' is none"),
    };
    Ok(Trigger::Http {
        route: Route::parse(&trigger.text("route")?.unwrap_or_else(|| name.to_owned()))?,
        methods: methods.into_iter().flatten().filter_map(Value::as_str).map(str::to_uppercase).collect(),
        level,
    })
}

fn queue_trigger(trigger: &Settings<'_>, host: &HostJson) -> anyhow::Result<Trigger> {
    if trigger.flag("isSessionsEnabled", false) || trigger.text("cardinality")?.as_deref() == Some("many") {
        bail!("this stand-in has neither sessions nor batches");
    }
    let queue = match (trigger.text("queueName")?, trigger.text("topicName")?, trigger.text("subscriptionName")?) {
        (Some(queue), None, None) => queue,
        (None, Some(topic), Some(subscription)) => format!("{topic}/subscriptions/{subscription}"),
        _ => bail!("a serviceBusTrigger has either queueName, or topicName and subscriptionName"),
    };
    let connection = trigger.text("connection")?.unwrap_or_else(|| "AzureWebJobsServiceBus".into());
    let settings =
        [connection.clone(), format!("AzureWebJobs{connection}"), format!("{connection}__fullyQualifiedNamespace")];
    if !settings.iter().any(|name| trigger.environment.get(name).is_some_and(|value| !value.is_empty())) {
        bail!("the Service Bus connection '{connection}' does not exist; make sure that it is an app setting");
    }
    Ok(Trigger::Queue {
        queue,
        binary: trigger.text("dataType")?.is_some_and(|kind| kind.eq_ignore_ascii_case("binary")),
        auto_complete: trigger.flag("autoCompleteMessages", host.auto_complete),
    })
}

/// `%NAME%` from the app settings.
fn resolve(text: &str, environment: &Environment) -> anyhow::Result<String> {
    let mut pieces = text.split('%');
    let mut resolved = pieces.next().unwrap_or_default().to_owned();
    while let Some(name) = pieces.next() {
        let Some(rest) = pieces.next() else { bail!("'{text}' has a single %") };
        let value = environment.get(name).cloned().or_else(|| std::env::var(name).ok());
        let value = value.with_context(|| format!("'%{name}%' does not resolve to a value"))?;
        resolved.push_str(&value);
        resolved.push_str(rest);
    }
    Ok(resolved)
}
