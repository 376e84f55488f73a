//! A road whose operations are the test's own. No assertions here.

use std::ops::{Deref, DerefMut};

use local_stack::databricks::{CannedReply, Clock};
use local_stack::stack::StackOptions;
use serde_json::{Value, json};

use crate::road::Road;

/// Answers at once, with a canned row.
pub(crate) const ECHO: (&str, &str) = (
    "echo",
    "summary: Echo
parameters:
  text: {type: string, required: true}
  count: {type: integer, max: 9}
steps:
  - id: ask
    sql: {statement: SELECT 1 AS one, expect: one_row}
output: {text: '{{ parameters.text }}', one: '{{ steps.ask.row.one }}'}
",
);

/// A road and its folder of operations.
pub(crate) struct Declared {
    road: Road,
    folder: tempfile::TempDir,
}

impl Deref for Declared {
    type Target = Road;

    fn deref(&self) -> &Road {
        &self.road
    }
}

impl DerefMut for Declared {
    fn deref_mut(&mut self) -> &mut Road {
        &mut self.road
    }
}

impl Declared {
    /// With canned statements only, which needs no SQL engine.
    pub(crate) async fn canned(files: &[(&str, &str)], settings: &[(&str, &str)]) -> Self {
        Self::with(files, settings, |options| options.databricks.engine = false).await
    }

    /// With the operations in `files` (name and YAML), and `settings` on top of the stack's.
    pub(crate) async fn with(
        files: &[(&str, &str)],
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut StackOptions),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, yaml) in files {
            write(&folder, name, yaml);
        }
        let path = folder.path().display().to_string();
        let road = Road::with(|options| {
            options.extra_environment.insert("CAUSEWAY_OPERATIONS_FOLDER".into(), path);
            // Long enough for every test, short enough that a lease of a dead worker ends within one.
            options.extra_environment.insert("CAUSEWAY_SEND_WINDOW_SECONDS".into(), "3".into());
            options.extra_environment.insert("CAUSEWAY_SEND_MARGIN_SECONDS".into(), "1".into());
            let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            options.extra_environment.extend(settings);
            change(options);
        })
        .await;
        let declared = Self { road, folder };
        declared.reply("SELECT 1 AS one", &["one"], &[&["1"]]);
        declared
    }

    /// Writes one operation; it counts from the next start of the handler.
    pub(crate) fn declare(&self, name: &str, yaml: &str) {
        write(&self.folder, name, yaml);
    }

    /// What Databricks answers to this text: INT columns.
    pub(crate) fn reply(&self, statement: &str, columns: &[&str], rows: &[&[&str]]) {
        let canned = CannedReply {
            statement: statement.into(),
            columns: columns.iter().map(|name| ((*name).into(), "INT".into(), "INT".into())).collect(),
            rows: rows.iter().map(|row| row.iter().map(|cell| Some((*cell).into())).collect()).collect(),
        };
        self.road.stack.databricks.canned(&canned).expect("a canned reply");
    }

    /// Lets the jobs of a stopped clock go on, those that wait for its next step too.
    pub(crate) fn let_jobs_go(&self) {
        let databricks = &self.road.stack.databricks;
        databricks.set_clock(Clock::Auto(std::time::Duration::from_millis(20)));
        databricks.step();
    }

    /// Nobody works: what messages there are, are for later.
    pub(crate) fn is_quiet(&self) -> bool {
        let now = jiff::Timestamp::now();
        let queues = ["causeway-requests", "causeway-work"].map(|queue| self.queue(queue).peek());
        queues.iter().flatten().all(|message| message.enqueued_time > now)
    }

    /// Waits for something that no history tells.
    pub(crate) async fn until_true(&self, holds: impl Fn(&Road) -> bool) {
        let waiting = async {
            while !holds(&self.road) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(crate::road::PATIENCE, waiting).await.expect("it happens in time");
    }

    /// The runs that exist.
    pub(crate) fn runs(&self) -> Vec<String> {
        let mut runs: Vec<String> =
            self.ledger("runs/").iter().filter_map(|name| name.split('/').nth(1).map(str::to_owned)).collect();
        runs.dedup();
        runs
    }

    /// The records of a run.
    pub(crate) fn records(&self, run: &str) -> Vec<Value> {
        let names = self.ledger(&format!("runs/{run}/"));
        let read = |name: &String| self.road.stack.blob.read(local_stack::stack::LEDGER_CONTAINER, name);
        names.iter().filter_map(read).map(|bytes| serde_json::from_slice(&bytes).expect("JSON")).collect()
    }

    /// The only run, once it exists.
    pub(crate) async fn only_run(&self) -> String {
        self.until("a run", |road| !road.ledger("runs/").is_empty()).await;
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    /// A request for an operation on the request queue.
    pub(crate) fn ask(&self, id: &str, operation: &str, parameters: &Value) {
        self.request(id, &json!({"operation": operation, "parameters": parameters, "replyTo": "causeway-replies"}));
    }
}

fn write(folder: &tempfile::TempDir, name: &str, yaml: &str) {
    std::fs::write(folder.path().join(format!("{name}.yaml")), yaml).expect("a file");
}
