//! Texts that must not be told, taken out of what others say: a neighbour's refusal likes to quote what it was sent.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::failure::Failure;

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// Shorter texts are found everywhere; to hide them would hide what was said.
const LEAST_CHARACTERS: usize = 4;

/// The texts to hide; cheap to clone.
#[derive(Clone, Default)]
pub struct Scrub(Arc<[String]>);

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrub({})", self.0.len())
    }
}

impl Scrub {
    /// Hides every text and number within `values`, in the spellings in which it may come back.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut texts = Vec::new();
        values.into_iter().for_each(|value| leaves(value, &mut texts));
        Self::texts(texts)
    }

    pub fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        let mut hidden: Vec<String> = texts
            .into_iter()
            .filter(|text| text.chars().count() >= LEAST_CHARACTERS)
            .flat_map(|text| {
                let in_json = Value::from(text.as_str()).to_string();
                let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                [in_json.trim_matches('"').to_owned(), encoded, text]
            })
            .collect();
        // The longest first: a part of a secret taken out of it would leave the rest.
        hidden.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        hidden.dedup();
        Self(hidden.into())
    }

    pub fn text(&self, said: &str) -> String {
        self.0.iter().fold(said.to_owned(), |said, hidden| said.replace(hidden.as_str(), HIDDEN))
    }

    /// Every text within `value`.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (self.text(&name), self.value(member))).collect()
            }
            other => other,
        }
    }

    /// What is told outside and what is logged.
    #[must_use]
    pub fn failure(&self, failure: Failure) -> Failure {
        if self.0.is_empty() {
            return failure;
        }
        let chain = self.text(&failure.chain());
        let detail = self.text(&failure.detail);
        let cause = chain.strip_prefix(&format!("{detail}: ")).map(str::to_owned);
        let failed_rows = failure.failed_rows.clone().map(|mut rows| {
            rows.first.iter_mut().for_each(|row| row.message = self.text(&row.message));
            rows
        });
        let failed_tasks = failure.failed_tasks.clone().map(|mut tasks| {
            for task in &mut tasks.first {
                task.error = task.error.as_deref().map(|error| self.text(error));
                task.error_trace = task.error_trace.as_deref().map(|trace| self.text(trace));
            }
            tasks
        });
        let scrubbed = Failure { detail, failed_rows, failed_tasks, source: None, ..failure };
        match cause {
            Some(cause) => scrubbed.caused_by(cause),
            None => scrubbed,
        }
    }
}

fn leaves(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, texts)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, texts)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Code;

    #[test]
    fn a_secret_is_hidden_in_every_spelling() {
        let scrub = Scrub::of([&json!({"pin": "pass \"word\"/1", "n": 123_456, "no": true})]);
        let said = r#"got pass "word"/1 and "pass \"word\"\/1" or pass%20%22word%22%2F1 for 123456"#;
        let told = scrub.text(said);
        assert!(!told.contains("word\"/1") && !told.contains("word%22") && !told.contains("123456"), "{told}");
        assert_eq!(scrub.text("ordinary"), "ordinary");
    }

    #[test]
    fn a_failure_keeps_its_code_and_loses_the_secret_also_in_its_causes() {
        let scrub = Scrub::texts(["hunter2".to_owned()]);
        let failure = Failure::new(Code::StatementFailed, "cannot cast hunter2").caused_by("sent hunter2 to it");
        let told = scrub.failure(failure);
        assert_eq!((told.code, told.chain().as_str()), (Code::StatementFailed, "cannot cast ***: sent *** to it"));
    }

    #[test]
    fn what_is_too_short_to_be_told_apart_stays() {
        assert_eq!(Scrub::of([&json!("abc"), &json!(7)]).text("abc 7"), "abc 7");
    }
}
