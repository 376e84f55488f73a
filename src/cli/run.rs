//! `causeway run NAME`: one operation against the configured neighbours, on the configured ledger, moved by this process,
//! with a line for each thing that happens. Ended before its run has, it says how to go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::app;
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::{Entry, Operation, Parameter};
use crate::runs::{RunEnd, RunOutcome, Runs, identity, parameters_invalid, runnable};
use crate::settings::Reading;

/// The run failed.
const FAILED: u8 = 1;
/// It was not begun, or is left on its way.
const NOT_ENDED: u8 = 2;
/// One stint of moving the run: a lease is no longer, so that after this process another takes it over soon.
const STINT: Duration = Duration::from_mins(2);
/// Between looks at a run that sleeps.
const PAUSE: Duration = Duration::from_millis(500);

/// What the command line says.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The operation.
    #[arg(required_unless_present = "resume")]
    name: Option<String>,
    /// A parameter as name=value; texts, dates and enums as they are, others as JSON.
    #[arg(long = "param", value_name = "NAME=VALUE", conflicts_with = "resume")]
    parameters: Vec<String>,
    /// Go on with a run that exists.
    #[arg(long, value_name = "RUN", conflicts_with = "name")]
    resume: Option<String>,
    /// Print the output alone, as JSON; what happens goes to stderr.
    #[arg(long)]
    json: bool,
}

/// Runs, or goes on with, one run; gives the exit code: 0 succeeded, 1 failed, 2 neither.
pub(super) async fn run(reading: Reading, arguments: Arguments) -> u8 {
    let told = Teller { json: arguments.json };
    let work = match app::warm_up(reading) {
        Ok(work) => work,
        Err(failure) => return Teller::not_begun(&failure),
    };
    let run = match begin(&work.runs, &arguments).await {
        Ok(run) => run,
        Err(failure) => return Teller::not_begun(&failure),
    };
    told.line(&format!("run {run}"));
    let mut seen = Seen::default();
    tokio::select! {
        code = follow(&work.runs, &run, &told, &mut seen) => code,
        _ = tokio::signal::ctrl_c() => {
            told.line("left on its way. Where Causeway is deployed on this ledger it goes on by itself.");
            told.line(&format!("go on here: causeway run --resume {run}"));
            told.line(&format!("look, or cancel: GET /api/runs/{run}, POST /api/runs/{run}/cancel"));
            NOT_ENDED
        }
    }
}

async fn begin(runs: &Runs, arguments: &Arguments) -> Result<String, Failure> {
    let deadline = Deadline::after(STINT);
    if let Some(run) = &arguments.resume {
        return runs.look(run, deadline).await.map(|outcome| outcome.run);
    }
    let name = arguments.name.as_deref().unwrap_or_default();
    let entry = entry(runs, name)?;
    let operation = runnable(entry)?;
    let given = given(operation, &arguments.parameters)?;
    let parameters = operation.accept(&given).map_err(|problems| parameters_invalid(&problems, ""))?;
    let run = identity::run_id(&["command", &Uuid::new_v4().to_string()]);
    // Its message is sent at once: should this process end now, a deployed one has it.
    runs.begin(entry, &run, parameters, "command", false, deadline).await?;
    Ok(run)
}

fn entry<'a>(runs: &'a Runs, name: &str) -> Result<&'a Entry, Failure> {
    runs.catalog().get(name).ok_or_else(|| {
        let names: Vec<_> = runs.catalog().entries.keys().map(String::as_str).collect();
        let detail = format!("No operation is called \"{name}\"; there are: {}.", names.join(", "));
        Failure::new(crate::failure::Code::OperationNotFound, detail)
    })
}

/// The parameters as a body would have them.
fn given(operation: &Operation, parameters: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut given = Map::new();
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else {
            let detail = format!("\"{parameter}\" is not name=value.");
            return Err(Failure::new(crate::failure::Code::ParametersInvalid, detail));
        };
        let declared = operation.parameters.iter().find(|declared| declared.name == name);
        given.insert(name.to_owned(), read(declared, value));
    }
    Ok(given)
}

/// What cannot be read as JSON stays a text, which the declaration then refuses with its own words.
fn read(declared: Option<&Parameter>, value: &str) -> Value {
    match declared.map(|declared| declared.kind.as_str()) {
        Some("integer" | "number" | "boolean" | "array" | "object") => {
            serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))
        }
        _ => Value::from(value),
    }
}

async fn follow(runs: &Runs, run: &str, told: &Teller, seen: &mut Seen) -> u8 {
    loop {
        let moving = runs.drive(run, Deadline::after(STINT));
        tokio::pin!(moving);
        let moved = loop {
            tokio::select! {
                moved = &mut moving => break moved,
                () = tokio::time::sleep(PAUSE) => look(runs, run, told, seen).await,
            }
        };
        look(runs, run, told, seen).await;
        match moved {
            Ok(RunOutcome { state: RunEnd::Going { .. }, .. }) => tokio::time::sleep(PAUSE).await,
            Ok(RunOutcome { state: RunEnd::Succeeded { output }, .. }) => return told.succeeded(&output),
            Ok(RunOutcome { state: RunEnd::Failed { failure }, .. }) => return told.failed(&failure),
            Err(failure) => {
                told.line(&format!("not now: {}", failure.chain()));
                tokio::time::sleep(PAUSE * 10).await;
            }
        }
    }
}

/// Tells what is new.
async fn look(runs: &Runs, run: &str, told: &Teller, seen: &mut Seen) {
    let Ok(view) = runs.view(run, Deadline::after(Duration::from_secs(20))).await else { return };
    for line in seen.news(&view) {
        told.line(&line);
    }
}

/// What has been told of each step.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    fn news(&mut self, view: &Value) -> Vec<String> {
        let steps = view["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let width = steps.iter().filter_map(|step| step["id"].as_str()).map(str::len).max().unwrap_or_default();
        let mut news = Vec::new();
        for step in steps {
            let (Some(id), Some(state)) = (step["id"].as_str(), step["state"].as_str()) else { continue };
            if state == "pending" && step["startTime"].is_null() {
                continue;
            }
            let line = line(step, state);
            if self.0.get(id) != Some(&line) {
                news.push(format!("{id:width$}  {line}"));
                self.0.insert(id.to_owned(), line);
            }
        }
        news
    }
}

fn line(step: &Value, state: &str) -> String {
    let mut line = state.to_owned();
    if let Some(attempt) = step["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        let _ = write!(line, ", attempt {attempt}");
    }
    if let Some(id) = step["upstreamId"].as_str() {
        let _ = write!(line, "  {id}");
    }
    if !step["progress"].is_null() {
        let _ = write!(line, "  {}", step["progress"]);
    }
    if let Some(took) = step["durationMs"].as_i64() {
        let _ = write!(line, "  {took} ms");
    }
    if let Some(error) = step["error"]["detail"].as_str() {
        let _ = write!(line, "  {}: {error}", step["error"]["code"].as_str().unwrap_or_default());
    }
    line
}

/// Where lines go.
struct Teller {
    json: bool,
}

impl Teller {
    fn line(&self, text: &str) {
        let at = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        // Nobody may be reading; the run goes on all the same.
        let _ = if self.json {
            writeln!(std::io::stderr(), "{at}  {text}")
        } else {
            writeln!(std::io::stdout(), "{at}  {text}")
        };
    }

    fn succeeded(&self, output: &Value) -> u8 {
        if self.json {
            let _ = writeln!(std::io::stdout(), "{output:#}");
        } else {
            self.line("succeeded");
            let _ = writeln!(std::io::stdout(), "{output:#}");
        }
        0
    }

    fn failed(&self, failure: &Failure) -> u8 {
        self.line(&format!("failed, {}: {}", failure.code, failure.detail));
        FAILED
    }

    fn not_begun(failure: &Failure) -> u8 {
        eprintln!("causeway: not begun, {}: {}", failure.code, failure.chain());
        NOT_ENDED
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_is_read_by_its_declared_type() {
        let parameter = |kind: &str| Parameter {
            name: "p".into(),
            kind: kind.into(),
            required: false,
            default: None,
            summary: None,
            description: None,
            sensitive: false,
            bounds: crate::operations::Bounds::default(),
        };
        for (kind, text, value) in [
            ("string", "5", json!("5")),
            ("date", "2026-01-31", json!("2026-01-31")),
            ("integer", "5", json!(5)),
            ("boolean", "true", json!(true)),
            ("array", "[1, 2]", json!([1, 2])),
            ("integer", "five", json!("five")),
        ] {
            assert_eq!(read(Some(&parameter(kind)), text), value, "{kind} {text}");
        }
    }

    #[test]
    fn a_step_is_told_when_something_is_new_of_it() {
        let mut seen = Seen::default();
        let view = |state: &str, started: Value| json!({"steps": [{"id": "ask", "state": state, "attempt": 1, "startTime": started}]});
        assert!(seen.news(&view("pending", Value::Null)).is_empty());
        assert_eq!(seen.news(&view("submitted", json!("t"))), ["ask  submitted"]);
        assert!(seen.news(&view("submitted", json!("t"))).is_empty());
        assert_eq!(seen.news(&view("succeeded", json!("t"))), ["ask  succeeded"]);
    }
}
