//! Who may call over HTTP, as the operator says it. What a token must be is `entra::callers`'; here are only the words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;

/// The areas that rights are given for: every HTTP function but those that anybody may call.
pub const AREAS: &[&str] = &["sql", "jobs", "power-bi", "power-bi-raw", "operations", "runs", "connector"];

/// The HTTP functions that anybody may call: a signed address speaks for itself, and whether we are alive is no secret.
pub const FOR_ANYBODY: &[&str] = &["status", "health"];

/// `CAUSEWAY_AUTH`: who may call over HTTP.
#[derive(Clone, Debug)]
pub enum Callers {
    /// Whoever has a function key, which the host checks.
    Keys,
    /// Whoever has an Entra token with an app role, which we check.
    Entra(EntraCallers),
}

/// What a caller's Entra token must say, and what its roles may do.
#[derive(Clone, Debug)]
pub struct EntraCallers {
    /// `CAUSEWAY_CALLER_TENANT_ID`, a GUID in small letters; default `CAUSEWAY_ENTRA_TENANT_ID`.
    pub tenant_id: String,
    /// Where the tenant's OpenID configuration is: `{authority}/{tenant}/v2.0/.well-known/openid-configuration`.
    pub configuration: Url,
    /// `CAUSEWAY_CALLER_ISSUERS`; default the tenant's two, of tokens of version 1 and 2.
    pub issuers: Vec<String>,
    /// `CAUSEWAY_CALLER_AUDIENCES`, at least one.
    pub audiences: Vec<String>,
    /// `CAUSEWAY_CALLER_CLOCK_SKEW_SECONDS`; default 60.
    pub clock_skew: Duration,
    /// `CAUSEWAY_CALLER_ROLES`
    pub roles: Roles,
    /// `CAUSEWAY_EASY_AUTH`: whether `X-MS-CLIENT-PRINCIPAL` is the platform's word; default `false`.
    pub easy_auth: bool,
}

/// What each app role may do, by its value in the token's `roles`.
pub type Roles = BTreeMap<String, Rights>;

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Whole areas, of [`AREAS`].
    pub areas: BTreeSet<&'static str>,
    /// Single operations, by name.
    pub operations: BTreeSet<String>,
    /// Whether the runs and statements of others are seen too.
    pub everybodys: bool,
}

impl Rights {
    /// All of it: what a function key gives, and `*`.
    pub fn all() -> Self {
        Self { areas: AREAS.iter().copied().collect(), operations: BTreeSet::new(), everybodys: true }
    }

    /// Adds what `other` has.
    pub fn extend(&mut self, other: &Self) {
        self.areas.extend(&other.areas);
        self.operations.extend(other.operations.iter().cloned());
        self.everybodys |= other.everybodys;
    }

    /// Whether anything in an area may be called. Who may call one operation may look for it in the list.
    pub fn may_enter(&self, area: &str) -> bool {
        self.areas.contains(area) || (area == "operations" && !self.operations.is_empty())
    }

    /// Whether an operation may be looked at and called.
    pub fn may_call(&self, operation: &str) -> bool {
        self.areas.contains("operations") || self.operations.contains(operation)
    }
}

/// Reads `role=right,right; role=…`. The error is what would be right, and quotes what is not.
pub(super) fn roles(text: &str) -> Result<Roles, String> {
    let mut roles = Roles::new();
    for row in text.split(';').map(str::trim).filter(|row| !row.is_empty()) {
        let Some((role, rights)) = row.split_once('=') else {
            return Err(format!("must be role=rights, separated by semicolons; {row:?} has no ="));
        };
        let role = role.trim();
        if !is_role(role) {
            return Err(format!("{role:?} is no value of an app role (letters, digits, and inside it . - _ : /)"));
        }
        let entry = roles.entry(role.to_owned()).or_default();
        let mut named = false;
        for right in rights.split(',').map(str::trim).filter(|right| !right.is_empty()) {
            entry.extend(&right_of(right)?);
            named = true;
        }
        if !named {
            return Err(format!("{role:?} has no rights: leave it out, or say what it may do"));
        }
    }
    if roles.is_empty() { Err("names no role, so nobody could call".to_owned()) } else { Ok(roles) }
}

fn right_of(text: &str) -> Result<Rights, String> {
    let mut rights = Rights::default();
    match text.split_once('/') {
        None if text == "*" => rights = Rights::all(),
        Some(("runs", "*")) => {
            rights.areas.insert("runs");
            rights.everybodys = true;
        }
        Some(("operations", name)) if is_operation(name) => {
            rights.operations.insert(name.to_owned());
        }
        _ => match AREAS.iter().find(|area| **area == text) {
            Some(area) => {
                rights.areas.insert(area);
            }
            None => {
                return Err(format!(
                    "{text:?} is no right: it is one of {}, operations/{{name}}, runs/* or *",
                    AREAS.join(", ")
                ));
            }
        },
    }
    Ok(rights)
}

/// Entra allows more; what these are made of needs no quoting here (learn.microsoft.com, "Add app roles").
fn is_role(text: &str) -> bool {
    (1..=120).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte))
}

fn is_operation(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_table_of_roles_is_read() {
        let roles =
            roles("Admin=*; Analyst = sql, power-bi ;Sales=operations/refresh-sales,runs; Analyst=jobs;").unwrap();
        assert_eq!(roles["Admin"], Rights::all());
        assert_eq!(roles["Analyst"].areas, ["jobs", "power-bi", "sql"].into());
        let sales = &roles["Sales"];
        assert!(sales.may_enter("operations") && sales.may_enter("runs") && !sales.may_enter("sql"));
        assert!(sales.may_call("refresh-sales") && !sales.may_call("company-health") && !sales.everybodys);
        assert!(right_of("operations").unwrap().may_call("anything"));
        assert!(right_of("runs/*").unwrap().everybodys);
    }

    #[rstest]
    #[case("")]
    #[case(" ; ")]
    #[case("Admin")]
    #[case("Admin=")]
    #[case("Admin=everything")]
    #[case("Admin=sql/")]
    #[case("Admin=operations/")]
    #[case("Admin=operations/../runs")]
    #[case("=sql")]
    #[case("two words=sql")]
    #[case("Admin=status")]
    fn what_is_no_table_is_refused(#[case] text: &str) {
        assert!(roles(text).is_err(), "{text:?}");
    }
}
