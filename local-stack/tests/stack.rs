//! The whole stack: every neighbour is where the stack says, and what it says opens it. The SQL engine stays out.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

#[path = "neighbours/client.rs"]
mod client;

use std::time::Duration;

use client::Client;
use local_stack::stack::{DatabricksAuthentication, Stack, StackOptions};
use serde_json::{Value, json};

fn options(folder: &tempfile::TempDir) -> StackOptions {
    let host = json!({
        "version": "2.0",
        "customHandler": {
            "description": {"defaultExecutablePath": "handler"},
            "enableProxyingHttpRequest": true,
            "enableForwardingHttpRequest": true,
        },
    });
    let function = json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "function", "methods": ["get"]},
        {"type": "http", "direction": "out", "name": "res"},
    ]});
    std::fs::write(folder.path().join("host.json"), host.to_string()).unwrap();
    let functions = folder.path().join("function-definitions/echo");
    std::fs::create_dir_all(&functions).unwrap();
    std::fs::write(functions.join("function.json"), function.to_string()).unwrap();
    let mut options = StackOptions::new(folder.path());
    options.data = folder.path().join("data");
    options.databricks.engine = false;
    options.handler = Some(env!("CARGO_BIN_EXE_scripted-handler").into());
    options
}

/// A token from the managed identity endpoint, asked for as the handler does: by its environment alone.
async fn token(environment: &Value, resource: &str) -> String {
    let url =
        format!("{}?api-version=2019-08-01&resource={resource}", environment["IDENTITY_ENDPOINT"].as_str().unwrap());
    let client = Client::default().with("x-identity-header", environment["IDENTITY_HEADER"].as_str().unwrap());
    client.get(&url).await.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_neighbour_takes_the_managed_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.host = false;
    let stack = Stack::start(options).await.unwrap();
    let facts = serde_json::to_value(stack.facts()).unwrap();
    let (endpoints, environment) = (&facts["endpoints"], &facts["handlerEnvironment"]);
    assert!(endpoints["host"].is_null());
    let ca = std::fs::read_to_string(environment["SSL_CERT_FILE"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    for (resource, url, status) in [
        (
            "https://vault.azure.net",
            format!("{}/secrets/causeway-status-key", text(&environment["CAUSEWAY_KEY_VAULT_URL"])),
            200,
        ),
        (
            "https://analysis.windows.net/powerbi/api",
            format!("{}/v1.0/myorg/groups", text(&environment["CAUSEWAY_POWER_BI_URL"])),
            200,
        ),
        (
            "https://storage.azure.com",
            format!("{}?restype=container&comp=list", text(&environment["CAUSEWAY_LEDGER_URL"])),
            200,
        ),
        (
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
            format!("{}/api/2.0/sql/warehouses", text(&environment["CAUSEWAY_DATABRICKS_HOST"])),
            200,
        ),
    ] {
        let client = Client::trusting(&ca).with("x-ms-version", "2023-11-03");
        let bad = client.get(&url).await.status;
        assert!(bad == 401 || bad == 403, "{url} answers {bad} without a token");
        let reply = client.bearer(&token(environment, resource).await).get(&url).await;
        assert_eq!(reply.status, status, "{url}: {}", reply.text);
    }
    let client = Client::default().bearer(&token(environment, "https://servicebus.azure.net").await);
    let url = format!("{}/causeway-requests/messages", text(&environment["CAUSEWAY_SERVICE_BUS_URL"]));
    assert_eq!(client.send("POST", &url, "{}").await.status, 201);
    stack.until(Duration::from_secs(5), |history| !history.of("keyVault", "secretRead").is_empty()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_runs_the_handler_and_its_keys_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(options(&folder)).await.unwrap();
    stack.ready().await.unwrap();
    let facts = serde_json::to_value(stack.facts()).unwrap();
    let url = format!("{}/api/echo", facts["endpoints"]["host"].as_str().unwrap());
    assert_eq!(Client::default().get(&url).await.status, 401);
    let key = facts["credentials"]["functionKeys"]["echo"].as_str().unwrap();
    assert_eq!(Client::default().with("x-functions-key", key).get(&url).await.status, 200);
    let secrets = stack.every_secret();
    assert!(secrets.iter().any(|secret| secret == key));
    assert!(secrets.contains(&stack.key_vault.secret("causeway-status-key").unwrap()));
    let bundle = stack.ca_file.clone();
    stack.stop().await;
    assert!(!bundle.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_can_be_added_replaced_and_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.host = false;
    options.databricks_authentication = DatabricksAuthentication::OAuthM2m;
    for (name, value) in [("CAUSEWAY_LOG", "debug"), ("CAUSEWAY_VAR_WORKSPACE", "other"), ("IDENTITY_HEADER", "")] {
        options.extra_environment.insert(name.into(), value.into());
    }
    let environment = Stack::start(options).await.unwrap().handler_environment();
    assert_eq!(environment["CAUSEWAY_LOG"], "debug");
    assert_eq!(environment["CAUSEWAY_VAR_WORKSPACE"], "other");
    assert!(!environment.contains_key("IDENTITY_HEADER"));
    assert_eq!(environment["CAUSEWAY_DATABRICKS_AUTH"], "oauth-m2m");
    assert!(environment.contains_key("CAUSEWAY_DATABRICKS_CLIENT_ID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_there_for_the_next_stack() {
    let folder = tempfile::tempdir().unwrap();
    for expected in [None, Some(b"once".as_slice())] {
        let mut options = options(&folder);
        (options.host, options.keep) = (false, true);
        let stack = Stack::start(options).await.unwrap();
        let kept = stack.blob.read("causeway-ledger", "runs/1/00000000");
        assert_eq!(kept.as_deref(), expected);
        let (token, _) = stack.entra.tokens.issue("https://storage.azure.com", "app", "object");
        let client = Client::default().bearer(&token).with("x-ms-version", "2023-11-03");
        let client = client.with("x-ms-blob-type", "BlockBlob");
        let url = format!("{}/runs/1/00000000", stack.blob.container_url("causeway-ledger"));
        let reply = client.send("PUT", &url, "once").await;
        assert_eq!(reply.status, 201);
        assert!(!reply.header("etag").is_empty());
    }
}
