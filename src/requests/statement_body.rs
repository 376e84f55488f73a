//! The body of a statement: read strictly, checked whole, and kept as what will be sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::follow::OnTimeout;
use crate::databricks::{Disposition, KEY_TAG, Parameter, SubmitStatement, is_surely_a_read, with_key};
use crate::failure::{Code, Failure};
use crate::operations::RunAs;
use crate::steps::JsonParameters;

/// Tags that begin like this are ours.
const RESERVED: &str = "causeway-";
/// Tags of one statement (Databricks SDK, execute_statement); one of them is ours.
const MOST_TAGS: usize = 20;
/// Characters of a tag's key and of its value (Databricks, query tags, general limits).
const LONGEST_TAG: usize = 128;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    pub statement: String,
    #[serde(default)]
    parameters: JsonParameters,
    warehouse_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    row_limit: Option<u64>,
    byte_limit: Option<u64>,
    #[serde(default)]
    disposition: Option<Wish>,
    #[serde(default)]
    pub on_timeout: OnTimeout,
    #[serde(default)]
    run_as: RunAs,
    #[serde(default)]
    query_tags: Map<String, Value>,
}

/// How the caller wants the result to come to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Wish {
    Auto,
    Inline,
    ExternalLinks,
}

/// A statement as it will be sent, but for its key: what a claim keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    pub statement: String,
    pub parameters: Vec<Parameter>,
    pub warehouse_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_limit: Option<u64>,
    #[serde(default)]
    pub disposition: Disposition,
    pub on_timeout: OnTimeout,
    #[serde(default, skip_serializing_if = "RunAs::is_app")]
    pub run_as: RunAs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_tags: Vec<(String, String)>,
}

impl Body {
    /// Checks everything that can be told before anything is sent. `warehouse` is that of statements that name none;
    /// `rows` and `bytes` are our ceilings.
    pub(super) fn wanted(
        self,
        disposition: Disposition,
        warehouse: Option<&str>,
        (rows, bytes): (Option<u64>, Option<u64>),
    ) -> Result<Wanted, Failure> {
        let wanted = Wanted {
            parameters: self.parameters.bind()?,
            warehouse_id: self.warehouse_id.or_else(|| warehouse.map(str::to_owned)).ok_or_else(no_warehouse)?,
            catalog: self.catalog,
            schema: self.schema,
            row_limit: lower(limit(self.row_limit, "rowLimit")?, rows),
            byte_limit: lower(limit(self.byte_limit, "byteLimit")?, bytes),
            disposition,
            on_timeout: self.on_timeout,
            run_as: self.run_as,
            query_tags: tags(self.query_tags)?,
            statement: self.statement,
        };
        wanted.submission(None, std::time::Duration::ZERO).check()?;
        Ok(wanted)
    }

    /// The disposition that the caller wants; `None` to have it decided.
    pub(super) fn asked(&self) -> Option<Disposition> {
        match self.disposition? {
            Wish::Auto => None,
            Wish::Inline => Some(Disposition::Inline),
            Wish::ExternalLinks => Some(Disposition::ExternalLinks),
        }
    }

    /// `rowLimit` and `byteLimit` as the caller sent them.
    pub(super) fn limits(&self) -> (Option<u64>, Option<u64>) {
        (self.row_limit, self.byte_limit)
    }
}

impl Wanted {
    pub(super) fn submission(&self, key: Option<&str>, wait: std::time::Duration) -> SubmitStatement {
        let statement = match key {
            Some(key) => with_key(&self.statement, key),
            None => self.statement.clone(),
        };
        // Ours is the first: Databricks drops what is too many.
        let ours = key.map(|key| (KEY_TAG.to_owned(), key.to_owned()));
        SubmitStatement {
            statement,
            warehouse_id: self.warehouse_id.clone(),
            catalog: self.catalog.clone(),
            schema: self.schema.clone(),
            parameters: self.parameters.clone(),
            row_limit: self.row_limit,
            byte_limit: self.byte_limit,
            disposition: self.disposition,
            wait,
            query_tags: ours.into_iter().chain(self.query_tags.iter().cloned()).collect(),
            read: is_surely_a_read(&self.statement),
        }
    }
}

fn limit(limit: Option<u64>, name: &str) -> Result<Option<u64>, Failure> {
    match limit {
        Some(0) => Err(Failure::new(Code::BodyInvalid, format!("`{name}` is at least 1.")).at(name)),
        Some(most) if i64::try_from(most).is_err() => {
            Err(Failure::new(Code::BodyInvalid, format!("`{name}` is at most {}.", i64::MAX)).at(name))
        }
        limit => Ok(limit),
    }
}

fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn tags(tags: Map<String, Value>) -> Result<Vec<(String, String)>, Failure> {
    let wrong = |key: &str, what: &str| {
        Failure::new(Code::BodyInvalid, format!("Query tag \"{key}\" {what}")).at(format!("queryTags.{key}"))
    };
    if tags.len() >= MOST_TAGS {
        let detail = format!(
            "There are {} query tags; Databricks takes {MOST_TAGS}, of which one is Causeway's own.",
            tags.len()
        );
        return Err(Failure::new(Code::BodyInvalid, detail).at("queryTags"));
    }
    tags.into_iter()
        .map(|(key, value)| {
            if key.to_ascii_lowercase().starts_with(RESERVED) {
                return Err(wrong(&key, "begins with `causeway-`, which is reserved."));
            }
            if key.trim().is_empty() || key.chars().count() > LONGEST_TAG {
                return Err(wrong(&key, "needs a name of 1 to 128 characters."));
            }
            match value {
                Value::Null => Ok((key, String::new())),
                Value::String(value) if value.chars().count() <= LONGEST_TAG => Ok((key, value)),
                Value::String(_) => Err(wrong(&key, "has a value of more than 128 characters.")),
                _ => Err(wrong(&key, "has a value that is no text.")),
            }
        })
        .collect()
}

pub(super) fn no_warehouse() -> Failure {
    Failure::new(
        Code::WarehouseMissing,
        "No warehouse is named: send `warehouseId`, or have CAUSEWAY_DATABRICKS_WAREHOUSE_ID set.",
    )
    .at("warehouseId")
}
