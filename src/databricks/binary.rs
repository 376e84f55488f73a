//! How a warehouse writes BINARY in JSON_ARRAY, learned by asking it once.
//!
//! The JDBC driver reads base64 (ByteArrayConverter), the Python one hexadecimal (conversion.py), and the API's pages say
//! neither. A value does not tell: `8AD7` is both. So a value is never guessed from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Databricks, SubmitStatement};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::rows::BinaryForm;

/// Three bytes that each form writes in its own way.
const PROBE: &str = "SELECT unhex('f000fb')";
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// What is known of the workspace's warehouses.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// A statement that was submitted elsewhere, or before this process began, does not tell which warehouse ran it. The
    /// warehouses of one workspace run the same release of the same service, so the app's own one speaks for it.
    default_warehouse: Option<String>,
    forms: Mutex<HashMap<String, Arc<OnceCell<BinaryForm>>>>,
}

impl Learned {
    pub(super) fn by_default(warehouse: Option<String>) -> Self {
        Self { default_warehouse: warehouse, forms: Mutex::default() }
    }
}

impl Databricks {
    /// The form of the warehouse, or of the default one. Those who ask at the same time wait for one answer; when that
    /// fails, the next one asks again.
    pub(super) async fn binary_form(&self, warehouse: Option<&str>, deadline: Deadline) -> Result<BinaryForm, Failure> {
        let learned = &self.binary;
        let warehouse = warehouse.or(learned.default_warehouse.as_deref()).ok_or_else(|| {
            Failure::new(
                Code::WarehouseMissing,
                "The result has a BINARY column, and no warehouse is known to ask how it writes BINARY: set \
                 CAUSEWAY_DATABRICKS_WAREHOUSE_ID, or select hex(column) or base64(column).",
            )
        })?;
        let cell = {
            let mut forms = learned.forms.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(forms.entry(warehouse.to_owned()).or_default())
        };
        cell.get_or_try_init(|| self.ask_binary_form(warehouse, deadline)).await.copied()
    }

    async fn ask_binary_form(&self, warehouse: &str, deadline: Deadline) -> Result<BinaryForm, Failure> {
        let written = self.probe_binary(warehouse, deadline).await.map_err(|failure| {
            let detail = format!(
                "The result has a BINARY column, and warehouse {warehouse} could not be asked how it writes BINARY. {} \
                 To do without, select hex(column) or base64(column).",
                failure.detail
            );
            Failure { detail, ..failure }
        })?;
        match written.as_deref() {
            Some("8AD7") => Ok(BinaryForm::Base64),
            Some("F000FB" | "f000fb") => Ok(BinaryForm::Hexadecimal),
            _ => Err(Failure::new(
                Code::UpstreamReplyInvalid,
                format!(
                    "Warehouse {warehouse} writes BINARY neither in base64 nor in hexadecimal. Select hex(column) or \
                     base64(column)."
                ),
            )),
        }
    }

    /// What the warehouse answers; not through `chunks`, which would ask for the form.
    async fn probe_binary(&self, warehouse: &str, deadline: Deadline) -> Result<Option<String>, Failure> {
        let submit = SubmitStatement::question(PROBE, warehouse, deadline.remaining().min(LONGEST_WAIT));
        let first = self.submit(&submit, deadline).await?;
        let statement = self.wait_for(first, deadline).await?;
        if statement.outcome()?.is_none() {
            return Err(Failure::new(Code::DeadlineExceeded, "It did not answer in time."));
        }
        let rows = statement.chunk.map(|chunk| chunk.rows()).transpose()?.unwrap_or_default();
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }
}
