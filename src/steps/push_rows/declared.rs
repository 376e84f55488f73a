//! What a declared step pushes: rows that are given, or what a statement gives.

use serde::Deserialize;
use serde_json::Map;

use super::super::sql::{no_warehouse, surely_read};
use super::super::{Neighbours, bind_parameters, expression_failed, mismatched};
use super::inputs::{Push, Query, Source};
use crate::databricks::{Disposition, is_surely_small_read};
use crate::failure::{Code, Failure};
use crate::operations::{PushRowsStep, PushedRows, Scope, SqlStep, Template};
use crate::settings::ResultDisposition;

pub(super) fn declared(step: &PushRowsStep, scope: &Scope, neighbours: &Neighbours) -> Result<Push, Failure> {
    let source = match &step.rows {
        PushedRows::Given(rows) => {
            let rows = rows.render(scope).map_err(|error| expression_failed(&error))?;
            let rows = Vec::deserialize(&rows)
                .map_err(|_| Failure::new(Code::RowsInvalid, "`rows` is a list of objects, one a row.").at("rows"))?;
            Source::Given(rows)
        }
        PushedRows::Query(sql) => Source::Query(query(sql, scope, neighbours)?),
    };
    Ok(Push {
        workspace: step.workspace.render_text(scope).map_err(|error| expression_failed(&error))?,
        dataset: step.dataset.render_text(scope).map_err(|error| expression_failed(&error))?,
        table: step.table.render_text(scope).map_err(|error| expression_failed(&error))?,
        source,
        clear: step.clear,
    })
}

fn query(step: &SqlStep, scope: &Scope, neighbours: &Neighbours) -> Result<Query, Failure> {
    surely_read(&step.statement, "statement")?;
    let text = |template: &Option<Template>| {
        template
            .as_ref()
            .map(|template| template.render_text(scope))
            .transpose()
            .map_err(|error| expression_failed(&error))
    };
    let parameters = match &step.parameters {
        Some(template) => template.render(scope).map_err(|error| expression_failed(&error))?,
        None => Map::new().into(),
    };
    let query = Query {
        parameters: bind_parameters(parameters.as_object().ok_or_else(mismatched)?)?,
        warehouse_id: text(&step.warehouse)?.or_else(|| neighbours.warehouse_id.clone()).ok_or_else(no_warehouse)?,
        catalog: text(&step.catalog)?,
        schema: text(&step.schema)?,
        row_limit: neighbours.sql.max_rows,
        byte_limit: neighbours.sql.max_bytes,
        disposition: disposition(&step.statement, neighbours),
        statement: step.statement.clone(),
    };
    query.check()?;
    Ok(query)
}

/// Links carry any number of rows; what surely fits comes in the answer.
fn disposition(statement: &str, neighbours: &Neighbours) -> Disposition {
    match neighbours.sql.disposition {
        ResultDisposition::Inline => Disposition::Inline,
        ResultDisposition::Auto if is_surely_small_read(statement) => Disposition::Inline,
        ResultDisposition::Auto | ResultDisposition::ExternalLinks => Disposition::ExternalLinks,
    }
}
