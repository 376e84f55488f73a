//! What a caller wants done with the rows: the mode, the keys and the warehouse, from the body or from the query.

use serde_json::from_slice;

use super::super::Call;
use crate::failure::{Code, Failure};
use crate::steps::write_rows::WriteMode;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub mode: Option<WriteMode>,
    pub keys: Option<Vec<String>>,
    /// Where to write; `None` is the app's.
    pub warehouse: Option<String>,
    /// From the query, which the body then may not say again.
    in_query: bool,
    /// Rows have been read by it: what comes now comes too late.
    fixed: bool,
}

impl Asked {
    /// `write=insert|upsert|delete&keys=a,b&warehouseId=…`. A name with a comma in it is told in the body.
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let mode = match call.query("write") {
            None => None,
            Some(text) => Some(mode(text).ok_or_else(|| {
                Failure::new(Code::QueryInvalid, "`write` is insert, upsert or delete.").at("query.write")
            })?),
        };
        let keys = call.query("keys").map(|keys| keys.split(',').map(|key| key.trim().to_owned()).collect());
        if keys.is_some() && mode.is_none() {
            return Err(Failure::new(Code::QueryInvalid, "`keys` needs `write` beside it.").at("query.keys"));
        }
        let warehouse = call.query("warehouseId").filter(|id| !id.is_empty()).map(str::to_owned);
        Ok(Self { mode, keys, warehouse, in_query: mode.is_some(), fixed: false })
    }

    /// From here on rows are read by what was asked.
    pub(super) fn fix(&mut self) {
        self.fixed = true;
    }

    /// A member of the body beside `rows`.
    pub(super) fn member(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        let invalid = |detail: &str| Failure::new(Code::BodyInvalid, detail).at(name.to_owned());
        let twice = match name {
            "mode" => self.mode.is_some(),
            "keys" => self.keys.is_some(),
            "warehouseId" => self.warehouse.is_some(),
            _ if self.in_query => {
                let detail = "With `write` in the query the body is an array of rows; rows that stand one a line have \
                              the Content-Type application/x-ndjson.";
                return Err(invalid(detail));
            }
            _ => {
                let detail =
                    format!("The body has a member `{name}`; it takes `mode`, `keys`, `warehouseId` and `rows`.");
                return Err(invalid(&detail));
            }
        };
        if self.in_query {
            return Err(invalid("The query says what to do with the rows; the body says it again. Leave one out."));
        }
        if self.fixed {
            return Err(invalid(&format!("`{name}` comes after `rows`; put it before them.")));
        }
        if twice {
            return Err(invalid(&format!("`{name}` stands in the body twice.")));
        }
        match name {
            "mode" => {
                let text = from_slice::<String>(value).ok();
                let mode = text.as_deref().and_then(mode);
                self.mode = Some(mode.ok_or_else(|| invalid("`mode` is \"insert\", \"upsert\" or \"delete\"."))?);
            }
            // Flows send null for what they leave open.
            "keys" => {
                let keys = from_slice::<Option<Vec<String>>>(value);
                self.keys = keys.map_err(|_| invalid("`keys` is a list of column names."))?;
            }
            _ => {
                let id = from_slice::<Option<String>>(value);
                self.warehouse = id.map_err(|_| invalid("`warehouseId` is a text."))?.filter(|id| !id.is_empty());
            }
        }
        Ok(())
    }
}

fn mode(text: &str) -> Option<WriteMode> {
    match text {
        "insert" => Some(WriteMode::Insert),
        "upsert" => Some(WriteMode::Upsert),
        "delete" => Some(WriteMode::Delete),
        _ => None,
    }
}
