//! DAX queries. A result is whole or an error. It is a read: without an effect, it makes no claim.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Requests};
use crate::failure::{Code, Failure};
use crate::operations::RunAs;
use crate::power_bi::DaxQuery;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    query: String,
    /// Blank values are `null` in their rows unless this says otherwise.
    include_nulls: Option<bool>,
    impersonated_user_name: Option<String>,
    #[serde(default)]
    names: Names,
    #[serde(default)]
    run_as: RunAs,
}

/// How the members of a row are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Names {
    /// `Year` for `Calendar[Year]` and for `[Year]`, where no other column is called so.
    #[default]
    Short,
    /// As Power BI has them.
    Full,
}

impl Requests {
    /// `POST …/datasets/{d}/query`.
    pub async fn query_dataset(&self, call: &Call, w: &str, d: &str, body: Bytes) -> Result<Answer, Failure> {
        let body: Body = super::body::read(&body)?;
        if body.query.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "`query` is empty.").at("query"));
        }
        let query = DaxQuery {
            query: body.query,
            include_nulls: body.include_nulls.unwrap_or(true),
            impersonated_user_name: body.impersonated_user_name,
        };
        let this = self.running_as(body.run_as, call).await?;
        let rows = this.0.neighbours.power_bi.query(w, d, &query, call.deadline.less(super::TO_ANSWER)).await?;
        let names = match body.names {
            Names::Full => rows.columns.clone(),
            Names::Short => short(&rows.columns),
        };
        let columns: Vec<Value> =
            names.iter().zip(&rows.columns).map(|(name, source)| json!({"name": name, "source": source})).collect();
        let head = json!({"rowCount": rows.count, "columns": columns});
        // The rows are text already: they are put in where the head's closing brace stands.
        let mut body = head.to_string().into_bytes();
        body.pop();
        body.extend_from_slice(b",\"rows\":");
        rows.write(&names, &mut body)?;
        body.push(b'}');
        Ok(Answer::done(body))
    }
}

/// What stands in the brackets at the end, but where two columns would be called the same.
fn short(columns: &[String]) -> Vec<String> {
    let inside = |column: &str| -> Option<String> {
        let (_, name) = column.strip_suffix(']')?.split_once('[')?;
        // Within a name a closing bracket is written twice.
        (!name.is_empty()).then(|| name.replace("]]", "]"))
    };
    let mut uses: HashMap<String, usize> = HashMap::new();
    for column in columns {
        *uses.entry(inside(column).unwrap_or_else(|| column.clone())).or_default() += 1;
        // A full name that stays could be another's short one.
        *uses.entry(column.clone()).or_default() += usize::from(inside(column).is_some());
    }
    columns
        .iter()
        .map(|column| inside(column).filter(|name| uses.get(name) == Some(&1)).unwrap_or_else(|| column.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(columns: &[&str]) -> Vec<String> {
        short(&columns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_member_is_called_by_what_stands_in_brackets() {
        assert_eq!(named(&["Calendar[Year]", "[Total]", "Odd[a]]b]", "bare"]), ["Year", "Total", "a]b", "bare"]);
    }

    #[test]
    fn two_columns_of_one_name_keep_their_tables() {
        assert_eq!(named(&["A[Name]", "B[Name]", "B[Id]"]), ["A[Name]", "B[Name]", "Id"]);
        assert_eq!(named(&["A[x]", "[x]", "x"]), ["A[x]", "[x]", "x"]);
    }
}
