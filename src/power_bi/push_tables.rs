//! What the service tells of a push table: its columns, and whether it keeps sequence numbers. Believed for some minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::listed::{Column, Table};
use super::{DataType, Place, PowerBi, PowerBiError};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// How long what was told is believed.
const BELIEVED: Duration = Duration::from_mins(5);
/// Tables that are remembered.
const MOST: usize = 500;

/// A column of a push table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushColumn {
    pub name: String,
    /// `None` when it is none that is known here.
    pub data_type: Option<DataType>,
}

/// A push table, as the service tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTable {
    /// Empty when the service names the table and nothing in it.
    pub columns: Vec<PushColumn>,
    /// Whether sequence numbers tell which pushes have come.
    pub has_sequence_numbers: bool,
    /// Told just now, as opposed to minutes ago.
    pub fresh: bool,
}

/// What is known of the tables, by workspace, dataset and table.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<HashMap<[String; 3], Known>>);

type Known = (Instant, Arc<PushTable>);

#[derive(Deserialize)]
struct TablesBody {
    #[serde(default)]
    value: Vec<Table>,
}

impl PowerBi {
    /// The table; with `anew` asked for again whatever is known.
    pub async fn push_table(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        anew: bool,
        deadline: Deadline,
    ) -> Result<Arc<PushTable>, PowerBiError> {
        let key = [workspace, dataset, table].map(str::to_owned);
        if !anew && let Some(known) = self.tables.get(&key) {
            return Ok(known);
        }
        let (_, subject) = self.rows_of(workspace, dataset, table)?;
        let url = self.address_in(&Place::of(workspace, dataset)?, &["tables"])?;
        let body: TablesBody = self.ask(RequestKind::PushTableGet, Outbound::get(url), &subject, deadline).await?;
        let found = body.value.into_iter().find(|found| found.name == table);
        let found = found.ok_or_else(|| {
            Failure::new(Code::DatasetNotFound, format!("Power BI does not know {subject}: check the table's name."))
        })?;
        let has_sequence_numbers = self.sequence_numbers(workspace, dataset, table, deadline).await?.is_some();
        let column = |column: Column| PushColumn {
            data_type: column.data_type.as_deref().and_then(DataType::named),
            name: column.name,
        };
        let columns = found.columns.into_iter().map(column).collect();
        let told = Arc::new(PushTable { columns, has_sequence_numbers, fresh: true });
        self.tables.know(key, &told);
        Ok(told)
    }
}

impl Tables {
    fn get(&self, key: &[String; 3]) -> Option<Arc<PushTable>> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(key).filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, table)| table.clone())
    }

    fn know(&self, key: [String; 3], table: &PushTable) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.len() >= MOST {
            tables.clear();
        }
        tables.insert(key, (Instant::now(), Arc::new(PushTable { fresh: false, ..table.clone() })));
    }
}
