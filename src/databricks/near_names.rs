//! Tables that a caller may have meant: a table that is not there, and the names of its schema that are close to it.
//!
//! Databricks proposes columns itself (`hints.rs`), tables it does not. One list of Unity Catalog, within moments; what
//! cannot be had is left out, since the failure stands without it.

use std::time::Duration;

use strsim::osa_distance;

use super::Databricks;
use super::statement::Statement;
use crate::failure::Failure;
use crate::http::Deadline;

/// For the list. The caller has a failure already, and waits for nothing else.
const TO_LOOK: Duration = Duration::from_secs(2);
/// Tables of the schema that are looked through.
const LOOKED_THROUGH: usize = 500;
/// Names that are proposed.
const PROPOSED: usize = 3;

impl Databricks {
    /// The failure of a statement; where a table of three parts was not found, with the tables of its schema whose names
    /// are close.
    pub async fn with_near_names(&self, failure: Failure, statement: &Statement, deadline: Deadline) -> Failure {
        let Some([catalog, schema, table]) = statement.failure.as_ref().and_then(|why| {
            let class = why.error_class.as_deref()?;
            class.starts_with("TABLE_OR_VIEW_NOT_FOUND").then(|| parts(&why.message))?
        }) else {
            return failure;
        };
        let listed = match self.tables(&catalog, &schema, LOOKED_THROUGH, None, deadline.within(TO_LOOK)).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::debug!(error = Failure::from(error).chain(), "names of tables could not be looked for");
                return failure;
            }
        };
        let near = near(&table, listed.items.iter().map(|item| item.name.as_str()));
        if near.is_empty() {
            return failure;
        }
        let names: Vec<String> = near.iter().map(|name| format!("{schema}.{name}")).collect();
        let detail = format!("{} In catalog {catalog} there is {}.", failure.detail, names.join(", "));
        Failure { detail, ..failure }
    }
}

/// The three parts of the first quoted name (Spark, error-conditions.json: "The table or view <relationName> cannot be
/// found", where each part stands in backticks, and one inside is doubled).
fn parts(message: &str) -> Option<[String; 3]> {
    let mut rest = &message[message.find('`')?..];
    let mut parts = Vec::with_capacity(3);
    loop {
        rest = rest.strip_prefix('`')?;
        let mut part = String::new();
        loop {
            let end = rest.find('`')?;
            part.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            let Some(doubled) = rest.strip_prefix('`') else { break };
            part.push('`');
            rest = doubled;
        }
        parts.push(part);
        let Some(next) = rest.strip_prefix('.') else { break };
        rest = next;
    }
    parts.try_into().ok()
}

/// Those that differ by a third of their letters at most, the closest first. Databricks compares names without case.
fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let most = (wanted.chars().count() / 3).max(1);
    let mut close: Vec<(usize, &str)> = names
        .map(|name| (osa_distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| (1..=most).contains(distance))
        .collect();
    close.sort_unstable();
    close.truncate(PROPOSED);
    close.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("The table or view `main`.`sales`.`custmers` cannot be found.", Some(["main", "sales", "custmers"]))]
    #[case("The table or view `a``b`.`c.d`.`e f` cannot be found.", Some(["a`b", "c.d", "e f"]))]
    #[case("The table or view `custmers` cannot be found.", None)]
    #[case("The table or view `a`.`b`.`c`.`d` cannot be found.", None)]
    #[case("The table or view custmers cannot be found.", None)]
    #[case("The table or view `main`.`sales", None)]
    fn a_name_of_three_parts_is_read(#[case] message: &str, #[case] expected: Option<[&str; 3]>) {
        assert_eq!(parts(message), expected.map(|parts| parts.map(str::to_owned)));
    }

    #[test]
    fn names_are_proposed_that_differ_by_little_the_closest_first() {
        let names = ["customer", "orders", "Customers", "custmers_2026", "custmers"];
        assert_eq!(near("custmers", names.into_iter()), ["Customers", "customer"]);
        assert_eq!(near("customres", ["customers"].into_iter()), ["customers"]);
        assert!(near("t1", ["t1", "products"].into_iter()).is_empty(), "the same name is no proposal");
        assert_eq!(near("abc", ["abd", "abe", "abf", "abg"].into_iter()).len(), PROPOSED);
    }
}
