//! The columns of a push table, taken from those of a statement. The statement is analysed and none of its rows are read.

use std::time::Duration;

use serde::Deserialize;

use super::{Requests, guard};
use crate::databricks::{ColumnInfo, Disposition, Reading, StatementState, SubmitStatement, reading};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::power_bi::{ColumnSchema, DataType};
use crate::steps::JsonParameters;

/// Longest that one submission may wait at Databricks.
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// A statement that stands for columns.
#[derive(Debug)]
pub(super) struct Derivation {
    pub statement: String,
    pub parameters: JsonParameters,
    pub warehouse_id: Option<String>,
    pub catalog: Option<String>,
    pub schema: Option<String>,
    pub unsupported: Unsupported,
    /// Where the statement stands in the body.
    pub place: String,
}

/// What becomes of a column whose values Power BI has no type for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Unsupported {
    #[default]
    Refuse,
    /// They are pushed as text.
    Text,
}

/// A column, and the SQL type that it comes from.
#[derive(Debug)]
pub(super) struct Derived {
    pub column: ColumnSchema,
    pub source: String,
}

impl Requests {
    /// The columns that the statement's rows would need.
    pub(super) async fn derive(&self, from: Derivation, deadline: Deadline) -> Result<Vec<Derived>, Failure> {
        let at = |failure: Failure| Failure { place: Some(from.place.clone()), ..failure };
        guard::allowed(&from.statement, &self.0.sql).map_err(at)?;
        let statement = shape_of(&from.statement).map_err(at)?;
        let warehouse = from.warehouse_id.as_ref().or(self.0.neighbours.warehouse_id.as_ref());
        let submit = SubmitStatement {
            statement,
            warehouse_id: warehouse.cloned().ok_or_else(super::statement_body::no_warehouse)?,
            catalog: from.catalog.clone(),
            schema: from.schema.clone(),
            parameters: from.parameters.bind()?,
            row_limit: None,
            byte_limit: None,
            disposition: Disposition::Inline,
            wait: deadline.remaining().min(LONGEST_WAIT),
            query_tags: Vec::new(),
            read: true,
        };
        let databricks = &self.0.neighbours.databricks;
        let first = databricks.submit(&submit, deadline).await?;
        let seen = databricks.wait_for(first, deadline).await?;
        if seen.outcome().map_err(at)?.is_none() {
            if seen.state != StatementState::Closed
                && let Err(error) =
                    databricks.cancel_statement(&seen.statement_id, Deadline::after(super::TO_ANSWER)).await
            {
                tracing::warn!(error = Failure::from(error).chain(), "a statement could not be cancelled");
            }
            let detail = "The columns of the statement were not known in time; the warehouse may be starting. Nothing was \
                          made: call again.";
            return Err(Failure::new(Code::DeadlineExceeded, detail));
        }
        columns(&seen.columns, from.unsupported).map_err(at)
    }
}

/// The statement with nothing of its rows.
fn shape_of(statement: &str) -> Result<String, Failure> {
    let trimmed = statement.trim_end().trim_end_matches(';');
    // On lines of its own: the statement may end in a comment.
    let wrapped = format!("SELECT * FROM (\n{trimmed}\n) LIMIT 0");
    let is_query = trimmed
        .trim_start()
        .get(..4)
        .is_none_or(|word| !["SHOW", "DESC", "EXPL"].iter().any(|other| other.eq_ignore_ascii_case(word)));
    if is_query && reading(statement) == Reading::Read && reading(&wrapped) == Reading::Read {
        return Ok(wrapped);
    }
    let detail = "Columns come from one query that only reads: SELECT, WITH … SELECT, VALUES or TABLE, without a second \
                  statement behind it.";
    Err(Failure::new(Code::StatementNotAllowed, detail))
}

/// Everything that does not fit is named at once.
fn columns(from: &[ColumnInfo], unsupported: Unsupported) -> Result<Vec<Derived>, Failure> {
    let mut lost = Vec::new();
    let derived = from
        .iter()
        .map(|column| {
            let data_type = power_bi_type(column).unwrap_or_else(|| {
                lost.push(format!("`{}` ({})", column.name, column.type_text));
                DataType::String
            });
            Derived { column: ColumnSchema::new(&column.name, data_type), source: column.type_text.clone() }
        })
        .collect();
    if lost.is_empty() || unsupported == Unsupported::Text {
        return Ok(derived);
    }
    let detail = format!(
        "Power BI has no type that keeps the values of {}. Cast them in the statement, such as CAST(x AS DECIMAL(18,4)), \
         or have them pushed as text with `unsupported`: \"text\".",
        lost.join(", ")
    );
    Err(Failure::new(Code::BodyInvalid, detail))
}

/// The type that keeps every value of a column, or at least refuses the ones that it cannot.
fn power_bi_type(column: &ColumnInfo) -> Option<DataType> {
    match column.type_name.as_str() {
        "BYTE" | "SHORT" | "INT" | "LONG" => Some(DataType::Int64),
        "FLOAT" | "DOUBLE" => Some(DataType::Double),
        "BOOLEAN" => Some(DataType::Boolean),
        "DATE" | "TIMESTAMP" | "TIMESTAMP_NTZ" => Some(DataType::Datetime),
        "STRING" | "CHAR" | "VARCHAR" => Some(DataType::String),
        // Digits behind the point would be lost in silence; too many before it are refused when they are pushed.
        "DECIMAL" => column.scale.is_some_and(|scale| scale <= DataType::DECIMAL_SCALE).then_some(DataType::Decimal),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
