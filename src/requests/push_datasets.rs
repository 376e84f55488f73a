//! Push datasets: made from columns or from a statement, changed, emptied, deleted. A lost answer of a creation is looked
//! for; everything else may be sent again.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed, Ours, search_until};
use super::derived::{Derivation, Unsupported};
use super::{Answer, AnswerKind, Call, Requests};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::power_bi::{ColumnSchema, Measure, NewDataset, Relationship, Retention, TableSchema, check_dataset};
use crate::steps::{JsonParameters, Recovery};

/// How long a dataset that was perhaps made is looked for, and how often: one that is there shows at once.
const LOOKING: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DatasetBody {
    name: String,
    tables: Vec<TableBody>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    #[serde(default)]
    retention: Retention,
}

/// A table with its columns, or with the statement that they come from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TableBody {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    columns: Option<Vec<ColumnSchema>>,
    #[serde(default)]
    measures: Vec<Measure>,
    is_hidden: Option<bool>,
    description: Option<String>,
    statement: Option<String>,
    #[serde(default)]
    parameters: JsonParameters,
    warehouse_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    unsupported: Unsupported,
}

/// What a claim keeps of a creation.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    workspace: String,
    dataset: NewDataset,
    retention: Retention,
    /// The datasets that had this name before.
    before: Vec<String>,
    /// The tables as the answer shows them.
    shown: Value,
}

impl Requests {
    /// `POST …/{w}/datasets`.
    pub async fn create_dataset(&self, call: &Call, w: &str, body: Bytes) -> Result<Answer, Failure> {
        let inputs = if body.is_empty() { None } else { Some(self.wanted_dataset(call, w, &body).await?) };
        let claimant = Claimant { call, route: "datasets", target: w, body: &body, recovery: |_| Recovery::LookUp };
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_dataset(call, &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let id = effected.upstream["id"].as_str().unwrap_or_default();
        let location = self.url(call, &format!("/api/power-bi/workspaces/{w}/datasets/{id}"));
        Ok(Answer {
            kind: AnswerKind::Started,
            location: Some(location),
            replayed: effected.replayed,
            ..done(&effected.upstream)
        })
    }

    /// `PUT …/datasets/{d}/tables/{t}`.
    pub async fn put_table(&self, call: &Call, w: &str, d: &str, t: &str, body: Bytes) -> Result<Answer, Failure> {
        let body: TableBody = super::body::read(&body)?;
        if body.name.as_deref().is_some_and(|name| name != t) {
            let detail = format!("`name` is that of the table in the address, `{t}`; it may be left out.");
            return Err(Failure::new(Code::BodyInvalid, detail).at("name"));
        }
        let (table, shown) = self.table_of(call, TableBody { name: Some(t.to_owned()), ..body }, "").await?;
        self.0.neighbours.power_bi.put_table(w, d, &table, call.deadline).await?;
        Ok(done(&shown))
    }

    /// `DELETE …/tables/{t}/rows`: all of them.
    pub async fn clear_rows(&self, call: &Call, w: &str, d: &str, t: &str) -> Result<Answer, Failure> {
        self.0.neighbours.power_bi.delete_rows(w, d, t, call.deadline).await?;
        Ok(done(&json!({})))
    }

    /// `DELETE …/datasets/{d}`.
    pub async fn delete_dataset(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        self.0.neighbours.power_bi.delete_dataset(w, d, call.deadline).await?;
        Ok(done(&json!({})))
    }

    /// Everything that can be known before anything is made.
    async fn wanted_dataset(&self, call: &Call, w: &str, body: &[u8]) -> Result<Value, Failure> {
        let body: DatasetBody = super::body::read(body)?;
        if body.name.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "`name` is empty.").at("name"));
        }
        let (mut tables, mut shown) = (Vec::new(), Vec::new());
        for (number, table) in body.tables.into_iter().enumerate() {
            let (table, show) = self.table_of(call, table, &format!("tables[{number}].")).await?;
            tables.push(table);
            shown.push(show);
        }
        let mut relationships = body.relationships;
        check_dataset(&mut tables, &mut relationships)?;
        let before = self.named(w, &body.name, call.deadline).await?;
        super::to_value(&Wanted {
            workspace: w.to_owned(),
            dataset: NewDataset { name: body.name, tables, relationships },
            retention: body.retention,
            before,
            shown: shown.into(),
        })
    }

    /// The table, and how an answer shows it. `at` is where it stands in the body.
    async fn table_of(&self, call: &Call, body: TableBody, at: &str) -> Result<(TableSchema, Value), Failure> {
        let invalid = |what: &str, detail: &str| {
            Err(Failure::new(Code::BodyInvalid, detail.to_owned()).at(format!("{at}{what}")))
        };
        let Some(name) = body.name else { return invalid("name", "The table has no `name`.") };
        let (columns, sources) = match (body.columns, body.statement) {
            (Some(columns), None) => (columns, Vec::new()),
            (None, Some(statement)) => {
                let from = Derivation {
                    statement,
                    parameters: body.parameters,
                    warehouse_id: body.warehouse_id,
                    catalog: body.catalog,
                    schema: body.schema,
                    unsupported: body.unsupported,
                    place: format!("{at}statement"),
                };
                let derived = self.derive(from, call.deadline.less(super::TO_ANSWER)).await?;
                derived.into_iter().map(|derived| (derived.column, derived.source)).unzip()
            }
            (Some(_), Some(_)) => return invalid("statement", "Give `columns` or `statement`, not both."),
            (None, None) => return invalid("columns", "Give the table's `columns`, or a `statement` that has them."),
        };
        let TableBody { measures, is_hidden, description, .. } = body;
        let mut table = TableSchema { name, columns, measures, is_hidden, description };
        table.check(at)?;
        let mut shown = super::to_value(&table)?;
        for (number, source) in sources.into_iter().enumerate() {
            shown["columns"][number]["sourceType"] = source.into();
        }
        Ok((table, shown))
    }

    async fn send_dataset(&self, call: &Call, ours: &Ours) -> Result<Value, Failure> {
        let wanted: Wanted = super::from_value(&ours.inputs)?;
        let power_bi = &self.0.neighbours.power_bi;
        let made = power_bi.create_dataset(&wanted.workspace, &wanted.dataset, wanted.retention, ours.window).await;
        let failure = match made {
            Ok(id) => return Ok(made_json(&id, &wanted)),
            Err(error) => Failure::from(error),
        };
        if failure.effect == Effect::None {
            return Err(failure);
        }
        tracing::warn!(error = failure.chain(), "the answer to a creation was lost; looking for the dataset");
        self.look_for_dataset(&ours.inputs, search_until(call)).await.ok_or(failure)
    }

    /// What a claim calls a dataset that was perhaps made: the one push dataset of its name that was not there before and
    /// has its tables. Several, or none, prove nothing.
    pub(super) async fn look_for_dataset(&self, inputs: &Value, until: Deadline) -> Option<Value> {
        let wanted: Wanted = super::from_value(inputs).ok()?;
        let until = until.within(LOOKING);
        loop {
            match self.made_since(&wanted, until).await {
                Ok(Some(id)) => return Some(made_json(&id, &wanted)),
                Ok(None) => {}
                Err(failure) => tracing::warn!(error = failure.chain(), "could not look for the dataset"),
            }
            if until.remaining() <= LOOK_AGAIN {
                return None;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn made_since(&self, wanted: &Wanted, until: Deadline) -> Result<Option<String>, Failure> {
        let mut new = self.named(&wanted.workspace, &wanted.dataset.name, until).await?;
        new.retain(|id| !wanted.before.contains(id));
        let [id] = new.as_slice() else { return Ok(None) };
        let tables = self.0.neighbours.power_bi.tables(&wanted.workspace, id, until).await?;
        let mut theirs: Vec<String> = tables.into_iter().map(|table| table.name).collect();
        let mut ours: Vec<String> = wanted.dataset.tables.iter().map(|table| table.name.clone()).collect();
        theirs.sort();
        ours.sort();
        Ok((theirs == ours).then(|| id.clone()))
    }

    /// The push datasets of this name.
    async fn named(&self, w: &str, name: &str, deadline: Deadline) -> Result<Vec<String>, Failure> {
        let all = self.0.neighbours.power_bi.datasets(w, deadline).await?;
        let push = all
            .into_iter()
            .filter(|dataset| dataset.name.as_deref() == Some(name) && dataset.add_rows_api_enabled != Some(false));
        Ok(push.map(|dataset| dataset.id).collect())
    }
}

fn made_json(id: &str, wanted: &Wanted) -> Value {
    json!({"id": id, "name": wanted.dataset.name, "tables": wanted.shown})
}
