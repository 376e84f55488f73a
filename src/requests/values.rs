//! How a call wants its values written: `decimals=auto|number|string` and `bigints=number|string` in the query.

use serde::{Deserialize, Serialize};

use super::Call;
use crate::failure::{Code, Failure};
use crate::rows::ValueOptions;

/// The two choices, small enough to travel in a status token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Values {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<bool>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    b: bool,
}

impl Values {
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let d = match call.query("decimals") {
            None | Some("auto") => None,
            Some("number") => Some(true),
            Some("string") => Some(false),
            Some(_) => return Err(wrong("decimals", "auto, number or string")),
        };
        let b = match call.query("bigints") {
            None | Some("number") => false,
            Some("string") => true,
            Some(_) => return Err(wrong("bigints", "number or string")),
        };
        Ok(Self { d, b })
    }

    pub(super) fn options(self) -> ValueOptions {
        ValueOptions { decimals_as_number: self.d, bigints_as_string: self.b }
    }
}

fn wrong(name: &str, right: &str) -> Failure {
    Failure::new(Code::QueryInvalid, format!("`{name}` is {right}.")).at(name)
}
