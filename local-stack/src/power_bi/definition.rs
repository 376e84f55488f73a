//! The definition of a push dataset as a caller sends it, and what of it is refused (swagger, `CreateDatasetRequest`
//! and its patterns; "Push semantic model limitations").

use axum::response::Response;
use serde::Deserialize;

use super::reply::bad;
use super::{Column, DataType, Table};

/// Tables in a dataset, columns in a table, relationships.
const MOST: usize = 75;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewDataset {
    pub(super) name: String,
    tables: Vec<NewTable>,
    default_mode: Option<String>,
    #[serde(default)]
    relationships: Vec<NewRelationship>,
}

#[derive(Deserialize)]
pub(super) struct NewTable {
    pub(super) name: String,
    columns: Vec<NewColumn>,
    #[serde(default)]
    measures: Vec<NewMeasure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewColumn {
    name: String,
    data_type: String,
}

#[derive(Deserialize)]
struct NewMeasure {
    name: String,
    expression: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewRelationship {
    name: String,
    from_table: String,
    from_column: String,
    to_table: String,
    to_column: String,
    cross_filtering_behavior: Option<String>,
}

impl NewDataset {
    pub(super) fn tables(&self) -> Result<Vec<Table>, Response> {
        if self.name.trim().is_empty() || self.tables.is_empty() || self.tables.len() > MOST {
            return Err(bad("A dataset has a name and 1 to 75 tables."));
        }
        match self.default_mode.as_deref() {
            None | Some("Push" | "PushStreaming") => {}
            Some("Streaming" | "AsAzure" | "AsOnPrem") => return Err(bad("This stand-in makes push datasets only.")),
            Some(mode) => return Err(bad(&format!("The defaultMode '{mode}' is not known."))),
        }
        let tables = self.tables.iter().map(NewTable::table).collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) = twice(tables.iter().map(|table| table.name.as_str())) {
            return Err(bad(&format!("There is more than one table '{twice}'.")));
        }
        self.check_relationships(&tables)?;
        Ok(tables)
    }

    fn check_relationships(&self, tables: &[Table]) -> Result<(), Response> {
        if self.relationships.len() > MOST {
            return Err(bad("A dataset has at most 75 relationships."));
        }
        let known = |table: &str, column: &str| {
            let table = tables.iter().find(|known| known.name == table);
            table.is_some_and(|table| table.columns.iter().any(|known| known.name == column))
        };
        for relationship in &self.relationships {
            let NewRelationship { name, from_table, from_column, to_table, to_column, .. } = relationship;
            if !is_table_name(name) || !known(from_table, from_column) || !known(to_table, to_column) {
                return Err(bad(&format!("The relationship '{name}' is not valid.")));
            }
            let behaviour = relationship.cross_filtering_behavior.as_deref().unwrap_or("OneDirection");
            if !["OneDirection", "BothDirections", "Automatic"].contains(&behaviour) {
                return Err(bad(&format!("The crossFilteringBehavior '{behaviour}' is not known.")));
            }
        }
        Ok(())
    }
}

impl NewTable {
    pub(super) fn table(&self) -> Result<Table, Response> {
        if !is_table_name(&self.name) {
            return Err(bad(&format!("The table name '{}' is not valid.", self.name)));
        }
        if self.columns.is_empty() || self.columns.len() > MOST {
            return Err(bad(&format!("The table '{}' does not have 1 to 75 columns.", self.name)));
        }
        if let Some(twice) = twice(self.columns.iter().map(|column| column.name.as_str())) {
            return Err(bad(&format!("There is more than one column '{twice}'.")));
        }
        let mut table = Table::new(&self.name, &[]);
        for column in &self.columns {
            if !is_column_name(&column.name) {
                return Err(bad(&format!("The column name '{}' is not valid.", column.name)));
            }
            let kind = DataType::named(&column.data_type);
            let data_type = kind.ok_or_else(|| bad(&format!("The data type '{}' is not known.", column.data_type)))?;
            table.columns.push(Column { name: column.name.clone(), data_type });
        }
        for measure in &self.measures {
            if !is_column_name(&measure.name) || measure.expression.trim().is_empty() {
                return Err(bad(&format!("The measure '{}' is not valid.", measure.name)));
            }
        }
        Ok(table)
    }
}

/// The first name that comes again; models know no case.
fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        let lower = name.to_lowercase();
        if seen.contains(&lower) {
            return Some(name);
        }
        seen.push(lower);
    }
    None
}

/// The contract's pattern: 1 to 100 characters without quotes, brackets and most punctuation.
fn is_table_name(name: &str) -> bool {
    let good = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r' | ' ' | '#' | '-' | '0'..='9' | '@'..='Z' | '^'..='_' | 'a'..='z')
            || ('~'..='\u{FFFD}').contains(&letter)
            || letter > '\u{FFFF}'
    };
    (1..=100).contains(&name.chars().count()) && name.chars().all(good)
}

fn is_column_name(name: &str) -> bool {
    let good = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r') || (letter >= ' ' && !('\u{FFFE}'..='\u{FFFF}').contains(&letter))
    };
    !name.is_empty() && name.chars().all(good)
}
