//! What a caller can do about the common failures of a statement, and the place in it that Databricks names.
//!
//! Error classes and messages as Databricks' error conditions and Spark's error-conditions.json have them.

use super::history::{KEY_TAG, before_statement};
use super::statements::StatementFailure;

/// What can be said beyond Databricks' own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hint {
    /// A sentence or two: what to do.
    pub advice: Option<&'static str>,
    /// `statement line 1, column 7`.
    pub place: Option<String>,
    /// Names that Databricks proposes instead.
    pub proposals: Option<String>,
}

/// Error classes, or the beginnings of them, and what to do.
const ADVICE: &[(&str, &str)] = &[
    (
        "TABLE_OR_VIEW_NOT_FOUND",
        "Name it with catalog and schema, or send `catalog` and `schema`. Without a grant on it, it is not found either.",
    ),
    (
        "SCHEMA_NOT_FOUND",
        "Name it with its catalog, or send `catalog`. Without USE SCHEMA on it, it is not found either.",
    ),
    ("NO_SUCH_CATALOG", "Without USE CATALOG on it, it is not found either."),
    (
        "UNRESOLVED_ROUTINE",
        "Name the function with its catalog and schema. Without EXECUTE on it, it is not found either.",
    ),
    ("INSUFFICIENT_PERMISSIONS", GRANT),
    ("PERMISSION_DENIED", GRANT),
    ("UNAUTHORIZED_ACCESS", GRANT),
    ("UC_PERMISSION", GRANT),
    ("PARSE_SYNTAX_ERROR", "Values belong into `parameters` as `:name`, names of tables into backticks."),
    ("UNBOUND_SQL_PARAMETER", "Send a value for each `:name` in `parameters`; NULL is `null`."),
    ("DIVIDE_BY_ZERO", "Use try_divide, which gives NULL instead."),
    ("REMAINDER_BY_ZERO", "Use try_mod, which gives NULL instead."),
    ("CAST_INVALID_INPUT", "Use try_cast, which gives NULL instead."),
    ("CAST_OVERFLOW", "Use try_cast, which gives NULL instead, or a wider type."),
    ("CANNOT_PARSE_TIMESTAMP", "Use try_to_timestamp, which gives NULL instead."),
    ("ARITHMETIC_OVERFLOW", "Use try_add, try_subtract or try_multiply, which give NULL instead, or a wider type."),
    ("NUMERIC_VALUE_OUT_OF_RANGE", "Use a wider DECIMAL."),
    ("INVALID_ARRAY_INDEX", "Use try_element_at, or get, which give NULL instead."),
    (
        "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
        "Make the source of the MERGE unique in its keys; trying again does not help.",
    ),
    ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "The column takes no NULL."),
    ("DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "A CHECK constraint of the table refuses the row."),
    ("DELTA_CONCURRENT", "The statement itself must change; trying again does not help."),
    ("MALFORMED_RECORD_IN_PARSING", "from_json with FAILFAST met a value that its schema does not take."),
];

const GRANT: &str = "Have it granted in Unity Catalog to the app's principal: SELECT or MODIFY on the table, EXECUTE on a \
                     function, and USE SCHEMA and USE CATALOG on what holds it.";

/// Words of messages that come without a class, all of which must be there.
const BY_WORDS: &[(&[&str], &str)] = &[
    (&["warehouse", "stopped"], WAREHOUSE),
    (&["endpoint", "stopped"], WAREHOUSE),
    (&["Cannot start", "warehouse"], WAREHOUSE),
    (&["does not have", "on Table"], GRANT),
    (&["does not have", "on Schema"], GRANT),
    (&["does not have", "on Catalog"], GRANT),
];

const WAREHOUSE: &str = "The warehouse does not run. It starts by itself when the app's principal has CAN USE on it and it is \
                         not blocked; look at it in Databricks.";

impl Hint {
    pub(super) fn of(failure: &StatementFailure) -> Self {
        let message = failure.message.as_str();
        let class = failure.error_class.as_deref().unwrap_or_default();
        let by_class = || ADVICE.iter().find(|(begins, _)| class.starts_with(begins)).map(|(_, advice)| *advice);
        let has = |words: &&(&[&str], &str)| words.0.iter().all(|word| message.contains(word));
        let by_words = || BY_WORDS.iter().find(has).map(|(_, advice)| *advice);
        Self { advice: by_class().or_else(by_words), place: place(message), proposals: proposals(message) }
    }

    /// `said`, with what it did not say itself.
    pub(super) fn added_to(&self, said: &str) -> String {
        let mut text = said.to_owned();
        if let Some(proposals) = self.proposals.as_ref().filter(|proposals| !said.contains(proposals.as_str())) {
            text = format!("{text} Databricks proposes {proposals}.");
        }
        if let Some(advice) = self.advice {
            if !text.ends_with(['.', '!', '?', ')']) {
                text.push('.');
            }
            text.push(' ');
            text.push_str(advice);
        }
        text
    }
}

/// `(line 1, pos 6)`, or `; line 1 pos 6`: the line from 1 and the position from 0.
fn place(message: &str) -> Option<String> {
    message.match_indices("line ").find_map(|(at, word)| {
        let (line, rest) = number(&message[at + word.len()..])?;
        let rest = rest.trim_start_matches([',', ' ']).strip_prefix("pos ")?;
        let (position, _) = number(rest)?;
        let position = if line == 1 { as_sent(position, message)? } else { position };
        Some(format!("statement line {line}, column {}", position + 1))
    })
}

/// A position on the first line, without the comment that we may have put there. Before its end nothing can be wrong, so
/// that a smaller position had none; about a larger one only the statement in the message tells.
fn as_sent(position: u32, message: &str) -> Option<u32> {
    match position.checked_sub(before_statement()) {
        None => Some(position),
        Some(behind) if message.contains(&format!("/* {KEY_TAG}: ")) => Some(behind),
        Some(_) if message.contains("== SQL") => Some(position),
        Some(_) => None,
    }
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// ``Did you mean one of the following? [`a`, `b`]``
fn proposals(message: &str) -> Option<String> {
    let behind = message.split_once("Did you mean one of the following? [")?.1;
    let inside = behind.split_once(']')?.0.trim();
    (!inside.is_empty()).then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error_class: Option<&str>, message: &str) -> StatementFailure {
        StatementFailure {
            error_code: "BAD_REQUEST".into(),
            message: message.into(),
            sql_state: None,
            error_class: error_class.map(Into::into),
        }
    }

    #[rstest::rstest]
    #[case(Some("TABLE_OR_VIEW_NOT_FOUND"), "", "`catalog` and `schema`")]
    #[case(Some("INSUFFICIENT_PERMISSIONS"), "User does not have SELECT on Table main.a.b", "SELECT or MODIFY")]
    #[case(None, "PERMISSION_DENIED: User does not have USE SCHEMA on Schema 'main.a'.", "USE SCHEMA")]
    #[case(Some("UNBOUND_SQL_PARAMETER"), "Found the unbound parameter: id.", "`parameters`")]
    #[case(Some("DIVIDE_BY_ZERO"), "", "try_divide")]
    #[case(Some("CAST_INVALID_INPUT"), "", "try_cast")]
    #[case(Some("ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION"), "", "try_add")]
    #[case(None, "Cannot start the warehouse 1234.", "CAN USE")]
    fn the_common_failures_come_with_advice(#[case] class: Option<&str>, #[case] message: &str, #[case] says: &str) {
        let text = Hint::of(&failure(class, message)).added_to("It failed: why");
        assert!(text.starts_with("It failed: why. ") && text.contains(says), "{text}");
    }

    #[test]
    fn what_is_not_known_is_left_as_it_is() {
        let hint = Hint::of(&failure(Some("SOMETHING_NEW"), "on line of thought"));
        assert_eq!((hint.added_to("why"), hint.place), ("why".to_owned(), None));
    }

    #[rstest::rstest]
    #[case(
        "[PARSE_SYNTAX_ERROR] Syntax error at or near 'INSER'. SQLSTATE: 42601 (line 1, pos 0)",
        "statement line 1, column 1"
    )]
    #[case("[UNRESOLVED_COLUMN] …; line 3 pos 7;\n'Project", "statement line 3, column 8")]
    fn the_place_is_told_as_people_count(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(place(message).as_deref(), Some(expected));
    }

    #[test]
    fn the_comment_that_we_put_before_a_statement_is_not_counted() {
        let comment = crate::databricks::with_key("", &"a".repeat(64));
        let at = comment.len() + 3;
        let echoed = |sql: &str| place(&format!("Syntax error (line 1, pos {at})\n\n== SQL ==\n{sql}"));
        assert_eq!(echoed(&format!("{comment}INSER")).as_deref(), Some("statement line 1, column 4"));
        assert_eq!(echoed("SELECT …"), Some(format!("statement line 1, column {}", at + 1)));
        assert_eq!(place(&format!("; line 1 pos {at}")), None, "it may or may not be there");
    }

    #[test]
    fn names_that_databricks_proposes_are_told_once() {
        let message = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column `nme` cannot be resolved.\n\
                       Did you mean one of the following? [`name`, `t`.`id`]. SQLSTATE: 42703";
        let hint = Hint::of(&failure(Some("UNRESOLVED_COLUMN.WITH_SUGGESTION"), message));
        assert_eq!(hint.added_to("No column."), "No column. Databricks proposes `name`, `t`.`id`.");
        assert_eq!(hint.added_to("No column: `name`, `t`.`id`."), "No column: `name`, `t`.`id`.");
    }
}
