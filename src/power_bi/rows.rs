//! Rows of push datasets: one batch, and all of a table's rows away. Which rows, and when, is told by others.

use bytes::Bytes;

use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// Tells pushes apart ("New features for the Power BI Dataset API", Power BI blog).
const SEQUENCE_NUMBER: &str = "x-powerbi-pushdata-sequencenumber";

impl PowerBi {
    /// One batch: `rows` is a JSON array. Power BI answers when the rows are in; a lost answer leaves open whether they are.
    pub async fn push_rows(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        rows: &str,
        sequence_number: Option<i64>,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (url, subject) = self.rows_of(workspace, dataset, table)?;
        let mut body = Vec::with_capacity(rows.len() + 16);
        body.extend_from_slice(br#"{"rows":"#);
        body.extend_from_slice(rows.as_bytes());
        body.push(b'}');
        let mut request = Outbound::post(url).json(Bytes::from(body));
        if let Some(number) = sequence_number {
            request = request.header(SEQUENCE_NUMBER, number.to_string());
        }
        self.call(RequestKind::RowsPush, request, &subject, deadline).await?;
        Ok(())
    }

    /// Deletes all rows of a table; some of them cannot be deleted alone.
    pub async fn delete_rows(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (url, subject) = self.rows_of(workspace, dataset, table)?;
        self.call(RequestKind::RowsDelete, Outbound::delete(url), &subject, deadline).await?;
        Ok(())
    }

    pub(super) fn rows_of(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
    ) -> Result<(url::Url, Subject), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        // URLs drop such segments, however they are encoded: the rest would be another address.
        if matches!(table, "" | "." | "..") {
            let detail = format!("`{table}` is no name of a table of {place}.");
            return Err(Failure::new(Code::DatasetNotFound, detail).into());
        }
        let url = self.address_in(&place, &["tables", table, "rows"])?;
        Ok((url, Subject::Rows { place, table: table.to_owned() }))
    }
}
