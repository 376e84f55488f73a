//! The shape of `http` steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// One call of an address outside, which must be on the operator's list.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["url"]}, {"required": ["url_secret"]}]))]
pub(super) struct Http {
    /// The address: https, and a host that CAUSEWAY_HTTP_HOSTS names.
    url: Option<String>,
    /// Or the name of the secret in Key Vault that holds it.
    url_secret: Option<String>,
    /// Default GET, with a body POST.
    method: Option<HttpMethod>,
    /// By name: a text, or `{secret: name}` of a secret in Key Vault.
    headers: Option<BTreeMap<String, TextOrSecret>>,
    /// Sent as JSON.
    body: Option<Value>,
    /// Calling twice does no harm, so it may be called again when its answer was lost.
    idempotent: Option<bool>,
    /// Statuses that are a success; default any from 200 to 299.
    #[schemars(length(min = 1))]
    expect: Option<Vec<HttpStatus>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// A status of an answer.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct HttpStatus(#[schemars(range(min = 200, max = 599))] u16);

#[derive(JsonSchema)]
#[schemars(untagged)]
enum TextOrSecret {
    Text(String),
    Secret(SecretName),
}

/// A secret in Key Vault, read when it is used.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SecretName {
    secret: String,
}
