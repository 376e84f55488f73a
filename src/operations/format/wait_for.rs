//! The shape of `wait_for`.

use schemars::JsonSchema;

use super::Sql;
use super::http::Http;

/// Goes on when a time has come, or when what is looked at is as it should be. Nothing is held in between.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["delay"]}, {"required": ["time"]}, {"required": ["sql", "until"]},
    {"required": ["http", "until"]}]))]
pub(super) struct WaitFor {
    /// How long to wait, such as 10m.
    delay: Option<String>,
    /// Until when to wait: RFC 3339, or an expression for it.
    time: Option<String>,
    /// A statement that only reads, looked at again and again.
    sql: Option<Sql>,
    /// Or a GET of an address, with the keys of an `http` step.
    http: Option<Http>,
    /// An expression over `result`, which is what the look gave.
    until: Option<String>,
    /// The pause between looks, such as 30s, or `{first, longest}`, which doubles; default from 10s to 5m.
    every: Option<Every>,
    /// How long to look in all; default 24h.
    timeout: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Every {
    Fixed(String),
    Growing(Growing),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Growing {
    first: String,
    longest: String,
}
