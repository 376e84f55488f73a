//! Reading settings: what is found, what is told, and that the example shows everything.

mod clouds;
mod identity;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn least() -> BTreeMap<String, String> {
    map(&[
        ("CAUSEWAY_DATABRICKS_HOST", "https://adb-1.2.azuredatabricks.net"),
        ("CAUSEWAY_KEY_VAULT_URL", "https://my-vault.vault.azure.net"),
        ("ServiceBusConnection__fullyQualifiedNamespace", "bus.servicebus.windows.net"),
        ("AzureWebJobsStorage__accountName", "causeway1"),
    ])
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Reading {
    let mut variables = least();
    variables.extend(map(pairs));
    Reading::from(&variables)
}

/// In another cloud: names alone, which it completes.
fn within(cloud: &str, pairs: &[(&str, &str)]) -> Settings {
    let names = [
        ("CAUSEWAY_CLOUD", cloud),
        ("CAUSEWAY_DATABRICKS_HOST", "adb-1.2"),
        ("CAUSEWAY_KEY_VAULT_URL", "my-vault"),
        ("CAUSEWAY_SERVICE_BUS_URL", "my-bus"),
        ("ServiceBusConnection__fullyQualifiedNamespace", ""),
    ];
    with(&[&names, pairs].concat()).settings.unwrap()
}

fn problems(reading: &Reading) -> Vec<&str> {
    reading.settings.as_ref().unwrap_err().iter().map(|problem| problem.variable.as_str()).collect()
}

#[test]
fn the_least_is_enough_and_the_rest_has_its_default() {
    let settings = with(&[]).settings.unwrap();
    assert_eq!(settings.power_bi.url.as_str(), "https://api.powerbi.com/");
    assert_eq!(settings.entra.authority.as_str(), "https://login.microsoftonline.com/");
    assert_eq!(settings.service_bus.url.as_str(), "https://bus.servicebus.windows.net/");
    assert_eq!(settings.runs.send_window, Duration::from_secs(30));
    assert_eq!(settings.requests.claim_life, Duration::from_hours(24));
    assert_eq!(settings.databricks.authentication, DatabricksAuthentication::ManagedIdentity);
    assert_eq!(settings.operations.folder, Path::new("./operations"));
    assert!(!settings.entra.has_managed_identity);
}

#[test]
fn nothing_set_tells_every_missing_variable_at_once() {
    let reading = Reading::from(&BTreeMap::new());
    assert_eq!(
        problems(&reading),
        ["CAUSEWAY_DATABRICKS_HOST", "CAUSEWAY_KEY_VAULT_URL", "CAUSEWAY_SERVICE_BUS_URL", "CAUSEWAY_LEDGER_URL"]
    );
    assert_eq!(reading.host.port, 0);
    assert_eq!(reading.telemetry.filter, "info");
}

#[rstest]
#[case("CAUSEWAY_SEND_WINDOW_SECONDS", "0")]
#[case("CAUSEWAY_SEND_MARGIN_SECONDS", "0.5")]
#[case("CAUSEWAY_MESSAGE_SECONDS", "600")]
#[case("CAUSEWAY_CLOUD", "moon")]
#[case("CAUSEWAY_DATABRICKS_HOST", "http://adb-1.2.azuredatabricks.net")]
#[case("CAUSEWAY_DATABRICKS_HOST", "adb-1.2.azuredatabricks.net")]
#[case("CAUSEWAY_DATABRICKS_HOST", "https://adb-1.2.azuredatabricks.net/?o=1")]
#[case("CAUSEWAY_DATABRICKS_HOST", "https://adb-1.2.azuredatabricks.net/sql")]
#[case("CAUSEWAY_DATABRICKS_WAREHOUSE_ID", "/sql/1.0/warehouses/0123456789abcdef")]
#[case("CAUSEWAY_KEY_VAULT_URL", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/x)")]
#[case("CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE", "no")]
#[case("CAUSEWAY_STATUS_KEY_SECRET_NAME", "not/a name")]
#[case("CAUSEWAY_REPLY_QUEUES", "good, -bad-")]
#[case("CAUSEWAY_LEDGER_URL", "https://account.blob.core.windows.net/")]
#[case("CAUSEWAY_LEDGER_URL", "ftp://account")]
#[case("AZURE_AUTHORITY_HOST", "http://127.0.0.1:7075")]
#[case("FUNCTIONS_CUSTOMHANDLER_PORT", "70000")]
#[case("CAUSEWAY_VAR_1ST", "x")]
fn a_wrong_value_is_named(#[case] name: &str, #[case] value: &str) {
    let reading = with(&[(name, value)]);
    assert_eq!(problems(&reading), [name]);
}

#[test]
fn an_invocation_has_time_for_more_than_the_window_to_send() {
    let tight = |message| with(&[("CAUSEWAY_SEND_WINDOW_SECONDS", "20"), ("CAUSEWAY_MESSAGE_SECONDS", message)]);
    let refused = tight("29").settings.unwrap_err();
    assert_eq!(refused[0].variable, "CAUSEWAY_MESSAGE_SECONDS");
    let said = &refused[0].problem;
    assert!(said.starts_with("must be at least 30 where CAUSEWAY_SEND_WINDOW_SECONDS is 20"), "{said}");
    assert!(tight("30").settings.is_ok());
    assert!(with(&[("CAUSEWAY_SEND_WINDOW_SECONDS", "231")]).settings.is_err(), "beside the default of the other");
}

#[test]
fn a_secret_in_the_place_of_its_name_is_not_repeated() {
    let reading = with(&[("CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME", "dapi=0123456789abcdef0123456789abcdef")]);
    let problems = reading.settings.unwrap_err();
    assert!(!problems[0].problem.contains("dapi"), "{problems:?}");
}

#[test]
fn http_is_taken_on_loopback_alone() {
    for host in ["http://127.0.0.1:7072", "http://localhost:7072", "http://[::1]:7072"] {
        assert!(with(&[("CAUSEWAY_DATABRICKS_HOST", host)]).settings.is_ok(), "{host}");
    }
    assert!(with(&[("CAUSEWAY_DATABRICKS_HOST", "http://127.0.0.1.example.com")]).settings.is_err());
}

#[test]
fn a_cloud_is_a_preset_and_each_part_of_it_can_be_set() {
    let china = within("china", &[("CAUSEWAY_POWER_BI_URL", "https://bi.example")]);
    assert_eq!(china.entra.authority.as_str(), "https://login.chinacloudapi.cn/");
    assert_eq!(china.power_bi.url.as_str(), "https://bi.example/");
    assert_eq!(china.power_bi.audience, "https://analysis.chinacloudapi.cn/powerbi/api");
    assert_eq!(blob(&china), "https://causeway1.blob.core.chinacloudapi.cn/causeway-ledger");
}

// learn.microsoft.com, "Embed Power BI content in national clouds".
#[rstest]
#[case("public", "api.powerbi.com", "analysis.windows.net", "login.microsoftonline.com")]
#[case("usgov-gcc", "api.powerbigov.us", "analysis.usgovcloudapi.net", "login.microsoftonline.com")]
#[case("usgov", "api.high.powerbigov.us", "high.analysis.usgovcloudapi.net", "login.microsoftonline.us")]
#[case("usgov-dod", "api.mil.powerbigov.us", "mil.analysis.usgovcloudapi.net", "login.microsoftonline.us")]
#[case("china", "api.powerbi.cn", "analysis.chinacloudapi.cn", "login.chinacloudapi.cn")]
fn every_cloud_has_its_own_power_bi(
    #[case] cloud: &str,
    #[case] host: &str,
    #[case] audience: &str,
    #[case] authority: &str,
) {
    let settings = within(cloud, &[]);
    assert_eq!(settings.power_bi.url.host_str(), Some(host));
    assert_eq!(settings.power_bi.audience, format!("https://{audience}/powerbi/api"));
    assert_eq!(settings.entra.authority.host_str(), Some(authority));
}

fn blob(settings: &Settings) -> &str {
    match &settings.ledger.place {
        LedgerPlace::Blob { url } => url.as_str(),
        other => panic!("not a container: {other:?}"),
    }
}

#[rstest]
#[case(&[("AzureWebJobsStorage__blobServiceUri", "https://a.blob.core.windows.net/")], "https://a.blob.core.windows.net/causeway-ledger")]
#[case(&[("AzureWebJobsStorage", "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=eA==;EndpointSuffix=core.usgovcloudapi.net")], "https://acc.blob.core.usgovcloudapi.net/causeway-ledger")]
#[case(&[("AzureWebJobsStorage", "UseDevelopmentStorage=true")], "http://127.0.0.1:10000/devstoreaccount1/causeway-ledger")]
#[case(&[("CAUSEWAY_LEDGER_URL", "http://127.0.0.1:10000/acc/c"), ("AzureWebJobsStorage", "AccountName=other")], "http://127.0.0.1:10000/acc/c")]
fn the_ledger_is_found_from_the_hosts_storage(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
    let mut variables = least();
    variables.remove("AzureWebJobsStorage__accountName");
    variables.extend(map(pairs));
    assert_eq!(blob(&Reading::from(&variables).settings.unwrap()), expected);
}

#[test]
fn a_folder_and_memory_are_ledgers_too() {
    let folder = with(&[("CAUSEWAY_LEDGER_URL", "file:///var/causeway")]).settings.unwrap().ledger.place;
    assert_eq!(folder, LedgerPlace::Folder { path: "/var/causeway".into() });
    let memory = with(&[("CAUSEWAY_LEDGER_URL", "memory:")]).settings.unwrap().ledger.place;
    assert_eq!(memory, LedgerPlace::Memory);
}

#[test]
fn what_a_way_to_sign_in_needs_is_asked_for() {
    assert_eq!(
        problems(&with(&[("CAUSEWAY_DATABRICKS_AUTH", "client-secret")])),
        ["CAUSEWAY_ENTRA_TENANT_ID", "CAUSEWAY_ENTRA_CLIENT_ID"]
    );
    assert_eq!(problems(&with(&[("CAUSEWAY_DATABRICKS_AUTH", "oauth-m2m")])), ["CAUSEWAY_DATABRICKS_CLIENT_ID"]);
    let pat = with(&[("CAUSEWAY_DATABRICKS_AUTH", "pat")]).settings.unwrap().databricks.authentication;
    assert_eq!(pat, DatabricksAuthentication::PersonalAccessToken { secret_name: "databricks-token".to_owned() });
}

const TENANT: (&str, &str) = ("CAUSEWAY_CALLER_TENANT_ID", "72F0C1DE-5a3b-4e8f-9c61-2d4b7a9e0c10");
const AUDIENCE: (&str, &str) = ("CAUSEWAY_CALLER_AUDIENCES", "api://causeway, 5f1c");
const BY_TOKEN: (&str, &str) = ("CAUSEWAY_AUTH", "entra");

#[test]
fn callers_have_keys_unless_tokens_are_asked_for() {
    assert!(matches!(with(&[]).settings.unwrap().callers, Callers::Keys));
    assert!(matches!(with(&[TENANT, AUDIENCE]).settings.unwrap().callers, Callers::Keys));
    let Callers::Entra(entra) = with(&[BY_TOKEN, TENANT, AUDIENCE]).settings.unwrap().callers else {
        panic!("keys");
    };
    assert_eq!(entra.audiences, ["api://causeway", "5f1c"]);
    assert_eq!(
        entra.issuers,
        [
            "https://sts.windows.net/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/",
            "https://login.microsoftonline.com/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/v2.0"
        ]
    );
    assert_eq!(
        entra.configuration.as_str(),
        "https://login.microsoftonline.com/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/v2.0/.well-known/openid-configuration"
    );
    assert!(!entra.easy_auth && entra.clock_skew == Duration::from_mins(1));
    assert!(entra.roles["Causeway.Admin"].everybodys && !entra.roles["Causeway.Operations"].everybodys);
}

#[test]
fn tokens_are_not_taken_without_issuer_and_audience() {
    assert_eq!(problems(&with(&[BY_TOKEN])), ["CAUSEWAY_CALLER_AUDIENCES", "CAUSEWAY_CALLER_TENANT_ID"]);
    // Our own tenant is the callers' unless another is named; a domain is never in a token.
    assert!(with(&[BY_TOKEN, AUDIENCE, ("CAUSEWAY_ENTRA_TENANT_ID", TENANT.1)]).settings.is_ok());
    let domain = with(&[BY_TOKEN, AUDIENCE, ("CAUSEWAY_ENTRA_TENANT_ID", "contoso.onmicrosoft.com")]);
    assert_eq!(problems(&domain), ["CAUSEWAY_CALLER_TENANT_ID"]);
}

#[rstest]
#[case(&[("CAUSEWAY_AUTH", "none")], "CAUSEWAY_AUTH")]
#[case(&[("CAUSEWAY_CALLER_TENANT_ID", "contoso.com")], "CAUSEWAY_CALLER_TENANT_ID")]
#[case(&[("CAUSEWAY_CALLER_ISSUERS", "sts.windows.net")], "CAUSEWAY_CALLER_ISSUERS")]
#[case(&[("CAUSEWAY_CALLER_ISSUERS", "http://sts.windows.net/")], "CAUSEWAY_CALLER_ISSUERS")]
#[case(&[("CAUSEWAY_CALLER_CLOCK_SKEW_SECONDS", "301")], "CAUSEWAY_CALLER_CLOCK_SKEW_SECONDS")]
#[case(&[("CAUSEWAY_CALLER_ROLES", "Admin=all")], "CAUSEWAY_CALLER_ROLES")]
#[case(&[("CAUSEWAY_EASY_AUTH", "true"), ("WEBSITE_AUTH_ENABLED", "True")], "CAUSEWAY_EASY_AUTH")]
#[case(&[("CAUSEWAY_EASY_AUTH", "true"), BY_TOKEN, TENANT, AUDIENCE], "CAUSEWAY_EASY_AUTH")]
fn what_would_let_in_the_wrong_ones_is_named(#[case] pairs: &[(&str, &str)], #[case] name: &str) {
    assert_eq!(problems(&with(pairs)), [name]);
}

#[test]
fn chinas_tokens_bear_other_names() {
    let china = within("china", &[BY_TOKEN, TENANT, AUDIENCE]);
    let Callers::Entra(entra) = china.callers else { panic!("keys") };
    assert!(entra.issuers[0].starts_with("https://sts.chinacloudapi.cn/72f0"));
    assert!(entra.issuers[1].starts_with("https://login.partner.microsoftonline.cn/72f0"));
}

#[test]
fn a_misspelt_name_is_told_and_variables_are_not() {
    let reading = with(&[("CAUSEWAY_SEND_WINDOWS", "3"), ("CAUSEWAY_VAR_Sales_Dataset", "d-1"), ("PATH", "/bin")]);
    assert_eq!(reading.unknown, ["CAUSEWAY_SEND_WINDOWS"]);
    assert_eq!(reading.settings.unwrap().operations.variables, map(&[("sales_dataset", "d-1")]));
}

/// Remembers what was asked for.
#[derive(Default)]
struct Watched(Mutex<BTreeSet<String>>);

impl Variables for Watched {
    fn get(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap().insert(name.to_owned());
        None
    }
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_list_holds_what_is_read_and_nothing_else() {
    let watched = Watched::default();
    Reading::from(&watched);
    let listed: BTreeSet<String> = KNOWN.iter().map(|known| known.name.to_owned()).collect();
    assert_eq!(watched.0.into_inner().unwrap(), listed);
}

fn example() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("local.settings.example.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["IsEncrypted"], false);
    file["Values"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().expect("the Functions tools read strings only").to_owned()))
        .collect()
}

#[test]
fn the_example_shows_every_setting_with_its_default() {
    let example = example();
    for known in KNOWN.iter().filter(|known| known.origin != Origin::Platform) {
        let shown = example.get(known.name);
        assert!(shown.is_some(), "{} is missing in local.settings.example.json", known.name);
        if let Some(default) = known.default {
            assert_eq!(shown.unwrap(), default, "{}", known.name);
        }
    }
    for name in example.keys() {
        let read = name == "FUNCTIONS_WORKER_RUNTIME" || name.starts_with(VARIABLE_PREFIX);
        assert!(read || KNOWN.iter().any(|known| known.name == name), "{name} is shown but not read");
    }
}

#[test]
fn the_example_works_as_it_is() {
    let example = example();
    assert_eq!(example["FUNCTIONS_WORKER_RUNTIME"], "custom");
    let reading = Reading::from(&example);
    assert!(reading.settings.is_ok(), "{:?}", reading.settings);
    assert!(reading.unknown.is_empty());
}

fn good_host_json() -> Value {
    json!({
        "version": "2.0",
        "functionTimeout": "00:10:00",
        "extensions": { "serviceBus": { "maxAutoLockRenewalDuration": "00:10:00", "maxConcurrentCalls": 16 } },
        "customHandler": { "enableProxyingHttpRequest": true, "enableForwardingHttpRequest": true }
    })
}

#[test]
fn a_host_json_that_agrees_is_passed_in_silence() {
    assert_eq!(host_json::warnings(&good_host_json().to_string()), [""; 0]);
}

#[rstest]
#[case("/functionTimeout", json!("00:05:00"))]
#[case("/extensions/serviceBus/maxAutoLockRenewalDuration", json!("00:05:00"))]
#[case("/extensions/serviceBus/maxConcurrentCalls", json!(64))]
#[case("/customHandler/enableProxyingHttpRequest", json!(false))]
#[case("/customHandler/enableForwardingHttpRequest", Value::Null)]
fn a_number_that_does_not_agree_is_told(#[case] pointer: &str, #[case] value: Value) {
    let mut document = good_host_json();
    *document.pointer_mut(pointer).unwrap() = value;
    let warnings = host_json::warnings(&document.to_string());
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains(&pointer[1..].replace('/', ".")), "{warnings:?}");
}

#[test]
fn what_the_host_does_by_default_may_be_left_out_but_not_turned() {
    let mut document = good_host_json();
    document["extensions"]["serviceBus"]["prefetchCount"] = json!(20);
    document["extensions"]["serviceBus"]["autoCompleteMessages"] = json!(false);
    document["concurrency"] = json!({ "dynamicConcurrencyEnabled": true });
    assert_eq!(host_json::warnings(&document.to_string()).len(), 3);
}

#[test]
fn a_missing_or_broken_host_json_is_one_warning() {
    assert_eq!(host_json::warnings("{ // comment").len(), 1);
    assert_eq!(host_json_warnings(Path::new("/nowhere/at/all")).len(), 1);
}
