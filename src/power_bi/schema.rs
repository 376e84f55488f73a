//! The tables of a push dataset as they are asked for and as the service takes them: what it would refuse is refused
//! before, with its place ("Push semantic model limitations", "Push semantic model properties"; patterns of Microsoft's
//! swagger).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::DataType;
use crate::failure::{Code, Failure};

/// Columns of a table, and tables of a dataset.
const MOST_COLUMNS: usize = 75;
const MOST_TABLES: usize = 75;
/// Relationships that end at one table.
const MOST_RELATIONSHIPS: usize = 75;
const LONGEST_NAME: usize = 100;
/// What the pattern for names of tables excludes however it is read: its `\u10000` is `\u1000` and a 0 to most engines.
const NOT_IN_NAMES: &[char] = &['!', '"', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '.', '/'];

/// A table: without its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableSchema {
    pub name: String,
    pub columns: Vec<ColumnSchema>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnSchema {
    pub name: String,
    pub data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_string: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort_by_column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summarize_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measure {
    pub name: String,
    /// DAX.
    pub expression: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_string: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relationship {
    pub name: String,
    pub from_table: String,
    pub from_column: String,
    pub to_table: String,
    pub to_column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_filtering_behavior: Option<String>,
}

impl ColumnSchema {
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type: data_type.name().to_owned(),
            format_string: None,
            sort_by_column: None,
            data_category: None,
            is_hidden: None,
            summarize_by: None,
        }
    }

    fn check(&mut self, at: &str) -> Result<(), Failure> {
        text(&self.name, &format!("{at}.name"))?;
        let Some(known) = DataType::named(&self.data_type) else {
            let names = DataType::ALL.map(DataType::name).join(", ");
            let detail = format!("`dataType` is one of {names}; `{}` is not.", self.data_type);
            return Err(invalid(format!("{at}.dataType"), detail));
        };
        known.name().clone_into(&mut self.data_type);
        Ok(())
    }
}

impl TableSchema {
    /// Refuses what the service would refuse, and spells types as it does. `at` is where it stands in the body, such as
    /// `tables[0].`; empty for a table alone.
    pub fn check(&mut self, at: &str) -> Result<(), Failure> {
        name(&self.name, &format!("{at}name"))?;
        if self.columns.is_empty() || self.columns.len() > MOST_COLUMNS {
            let detail =
                format!("A table has 1 to {MOST_COLUMNS} columns; `{}` has {}.", self.name, self.columns.len());
            return Err(invalid(format!("{at}columns"), detail));
        }
        for (number, column) in self.columns.iter_mut().enumerate() {
            column.check(&format!("{at}columns[{number}]"))?;
        }
        for (number, measure) in self.measures.iter().enumerate() {
            text(&measure.name, &format!("{at}measures[{number}].name"))?;
            text(&measure.expression, &format!("{at}measures[{number}].expression"))?;
        }
        let columns = self.columns.iter().map(|column| &column.name);
        distinct(columns.chain(self.measures.iter().map(|measure| &measure.name)), &format!("{at}columns"))?;
        for (number, column) in self.columns.iter().enumerate() {
            if let Some(by) = &column.sort_by_column
                && !self.columns.iter().any(|other| same(&other.name, by))
            {
                let detail = format!("`sortByColumn` names `{by}`, which is no column of `{}`.", self.name);
                return Err(invalid(format!("{at}columns[{number}].sortByColumn"), detail));
            }
        }
        Ok(())
    }
}

/// The tables of a dataset and what joins them.
pub fn check_dataset(tables: &mut [TableSchema], relationships: &mut [Relationship]) -> Result<(), Failure> {
    if tables.is_empty() || tables.len() > MOST_TABLES {
        return Err(invalid("tables", format!("A dataset has 1 to {MOST_TABLES} tables; here are {}.", tables.len())));
    }
    for (number, table) in tables.iter_mut().enumerate() {
        table.check(&format!("tables[{number}]."))?;
    }
    distinct(tables.iter().map(|table| &table.name), "tables")?;
    for (number, relationship) in relationships.iter_mut().enumerate() {
        let at = format!("relationships[{number}]");
        name(&relationship.name, &format!("{at}.name"))?;
        for (side, table, column) in [
            ("from", &relationship.from_table, &relationship.from_column),
            ("to", &relationship.to_table, &relationship.to_column),
        ] {
            let found = tables.iter().find(|known| same(&known.name, table));
            let there = found.is_some_and(|table| table.columns.iter().any(|known| same(&known.name, column)));
            if !there {
                let detail = format!("The tables have no column `{column}` in a table `{table}`.");
                return Err(invalid(format!("{at}.{side}Column"), detail));
            }
        }
        if let Some(given) = &mut relationship.cross_filtering_behavior {
            let known = ["OneDirection", "BothDirections", "Automatic"];
            let Some(spelled) = known.iter().find(|known| known.eq_ignore_ascii_case(given)) else {
                let detail = format!("`crossFilteringBehavior` is one of {}.", known.join(", "));
                return Err(invalid(format!("{at}.crossFilteringBehavior"), detail));
            };
            (*spelled).clone_into(given);
        }
    }
    distinct(relationships.iter().map(|relationship| &relationship.name), "relationships")?;
    for table in tables.iter() {
        let ending = relationships.iter().filter(|known| same(&known.to_table, &table.name)).count();
        if ending > MOST_RELATIONSHIPS {
            let detail = format!("At most {MOST_RELATIONSHIPS} relationships may end at `{}`.", table.name);
            return Err(invalid("relationships", detail));
        }
    }
    Ok(())
}

/// A name of a table or relationship.
fn name(given: &str, at: &str) -> Result<(), Failure> {
    text(given, at)?;
    if given.chars().count() > LONGEST_NAME {
        return Err(invalid(at, format!("A name has at most {LONGEST_NAME} characters.")));
    }
    match given.chars().find(|letter| NOT_IN_NAMES.contains(letter)) {
        Some(letter) => Err(invalid(at, format!("Power BI takes no `{letter}` in the name `{given}`."))),
        None => Ok(()),
    }
}

/// Any text but an empty one, without control characters.
fn text(given: &str, at: &str) -> Result<(), Failure> {
    if given.trim().is_empty() {
        return Err(invalid(at, format!("`{at}` is empty.")));
    }
    if given.chars().any(|letter| letter.is_ascii_control() && !matches!(letter, '\t' | '\n' | '\r')) {
        return Err(invalid(at, "A name has no control characters."));
    }
    Ok(())
}

/// Names in a model are the same whatever their letter case.
fn distinct<'a>(names: impl Iterator<Item = &'a String>, at: &str) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name.to_lowercase()) {
            let detail = format!("The name `{name}` stands twice; capitals make no difference to Power BI.");
            return Err(invalid(at, detail));
        }
    }
    Ok(())
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn invalid(at: impl Into<String>, detail: impl Into<String>) -> Failure {
    Failure::new(Code::BodyInvalid, detail).at(at)
}
