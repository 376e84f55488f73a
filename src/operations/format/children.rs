//! The shapes of `operation` and `for_each`: what becomes runs of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// Another operation, to its end: a run of its own.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Operation {
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    name: String,
    parameters: Option<BTreeMap<String, Value>>,
}

/// The step is done once for each item of a list; expressions see `item` and `item_index`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ForEach {
    /// A list, or an expression for one; at most 500 items.
    #[schemars(rename = "in")]
    items: ItemList,
    /// How many items are under way at once; default 1.
    #[schemars(range(min = 1, max = 10))]
    parallel: Option<u32>,
    /// What happens to the other items when one has failed; default stop: those under way end, no more begin.
    on_item_failure: Option<OnItemFailure>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ItemList {
    Expression(String),
    List(Vec<Value>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnItemFailure {
    Stop,
    Continue,
}
