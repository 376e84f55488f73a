//! A body that is a statement: what is to be read, and whether the table is cleared before.

use serde::Deserialize;

use super::super::{body, disposition, guard};
use crate::databricks::is_surely_a_read;
use crate::failure::{Code, Failure};
use crate::settings::Sql;
use crate::steps::JsonParameters;
use crate::steps::push_rows::Query;

/// The members of a body beside `rows`, as they came.
#[derive(Debug, Default)]
pub(super) struct Asked(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QueryBody {
    statement: String,
    #[serde(default)]
    parameters: JsonParameters,
    warehouse_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    clear: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideRows {
    #[serde(default)]
    clear: Option<bool>,
}

impl Asked {
    pub(super) fn member(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        let value = std::str::from_utf8(value)
            .map_err(|_| Failure::new(Code::BodyMalformed, format!("`{name}` is not UTF-8.")).at(name))?;
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&serde_json::to_string(name).unwrap_or_default());
        self.0.push(':');
        self.0.push_str(value);
        Ok(())
    }

    /// Beside rows: whether the table is cleared before.
    pub(super) fn beside_rows(&self) -> Result<bool, Failure> {
        if self.0.is_empty() {
            return Ok(false);
        }
        if self.0.contains("\"statement\":") {
            let detail =
                "The body has `rows` and `statement`. Send one of them: the rows, or the statement that gives them.";
            return Err(Failure::new(Code::BodyInvalid, detail).at("statement"));
        }
        let beside: BesideRows = body::read(self.text().as_bytes())?;
        Ok(beside.clear.unwrap_or(false))
    }

    /// Without rows: the statement that gives them, and whether the table is cleared before.
    pub(super) fn query(
        &self,
        sql: &Sql,
        links: &disposition::Links,
        warehouse: Option<&str>,
    ) -> Result<(Query, bool), Failure> {
        if !self.0.contains("\"statement\":") {
            let detail = "The body has neither `rows` nor a `statement` that gives them.";
            return Err(Failure::new(Code::BodyInvalid, detail).at("rows"));
        }
        let asked: QueryBody = body::read(self.text().as_bytes())?;
        guard::open(sql)?;
        if !is_surely_a_read(&asked.statement) {
            let detail = "`statement` is not surely one that only reads, and its rows must be there to be pushed. Begin it with \
                          SELECT, WITH, VALUES, TABLE, SHOW or DESCRIBE; writes are calls of their own.";
            return Err(Failure::new(Code::StatementNotAllowed, detail).at("statement"));
        }
        let no_warehouse = || {
            let detail = "No warehouse is named: send `warehouseId`, or have CAUSEWAY_DATABRICKS_WAREHOUSE_ID set.";
            Failure::new(Code::WarehouseMissing, detail).at("warehouseId")
        };
        let query = Query {
            parameters: asked.parameters.bind()?,
            warehouse_id: asked.warehouse_id.or_else(|| warehouse.map(str::to_owned)).ok_or_else(no_warehouse)?,
            catalog: asked.catalog,
            schema: asked.schema,
            row_limit: sql.max_rows,
            byte_limit: sql.max_bytes,
            disposition: disposition::of(&asked.statement, None, None, None, sql, links),
            statement: asked.statement,
        };
        query.check()?;
        Ok((query, asked.clear.unwrap_or(false)))
    }

    fn text(&self) -> String {
        format!("{}}}", self.0)
    }
}
