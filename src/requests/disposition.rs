//! How a statement's result is to come, decided before it is sent: no statement runs twice to find out.

use crate::databricks::Disposition;
use crate::settings::{ResultDisposition, Sql};

/// The disposition of a statement.
pub(super) fn of(_statement: &str, _row_limit: Option<u64>, sql: &Sql) -> Disposition {
    match sql.disposition {
        ResultDisposition::ExternalLinks => Disposition::ExternalLinks,
        ResultDisposition::Auto | ResultDisposition::Inline => Disposition::Inline,
    }
}
