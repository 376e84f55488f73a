//! Whether a caller's app roles allow a call, and which would.

use super::Caller;
use crate::failure::{Code, Failure};
use crate::settings::{Rights, Roles};

pub(super) fn permit(roles: &Roles, caller: &Caller, area: &str, operation: Option<&str>) -> Result<(), Failure> {
    // An operation is one of its area only.
    let operation = operation.filter(|_| area == "operations");
    let allows = |rights: &Rights| match operation {
        Some(operation) => rights.may_call(operation),
        None => rights.may_enter(area),
    };
    if allows(&caller.rights) {
        return Ok(());
    }
    let needed = operation.map_or_else(|| area.to_owned(), |operation| format!("operations/{}", shown(operation)));
    let granting: Vec<&str> =
        roles.iter().filter(|(_, rights)| allows(rights)).map(|(role, _)| role.as_str()).collect();
    let has = caller.user.as_ref().map(|user| user.roles.join(", ")).unwrap_or_default();
    tracing::warn!(oid = caller.id(), roles = has, needed, "refused: no app role of the caller allows it");
    let detail = if granting.is_empty() {
        format!("No app role allows {needed}. The operator gives one that right in CAUSEWAY_CALLER_ROLES.")
    } else {
        format!("None of your app roles allows {needed}. Ask for one of: {}.", granting.join(", "))
    };
    Err(Failure::new(Code::RoleMissing, detail))
}

/// What may be any text.
fn shown(operation: &str) -> String {
    operation.chars().take(63).filter(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}
