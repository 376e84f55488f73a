//! Ways to sign in: what each needs, and what is said when it is not there.

use std::time::Duration;

use rstest::rstest;

use super::super::*;
use super::{problems, with};

/// Variable and problem of each, as they are told.
fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let problems = with(pairs).settings.unwrap_err();
    problems.into_iter().map(|problem| (problem.variable, problem.problem)).collect()
}

#[rstest]
#[case("CAUSEWAY_DATABRICKS_AUTH", "client-secret")]
#[case("CAUSEWAY_DATABRICKS_AUTH", "federated")]
#[case("CAUSEWAY_POWER_BI_AUTH", "client-secret")]
#[case("CAUSEWAY_POWER_BI_AUTH", "federated")]
#[case("CAUSEWAY_POWER_BI_AUTH", "refresh-token")]
fn what_an_application_needs_is_told_with_the_value_that_needs_it(#[case] variable: &str, #[case] value: &str) {
    let missing = format!("is missing: signing in with {value} needs it");
    let expected =
        ["CAUSEWAY_ENTRA_TENANT_ID", "CAUSEWAY_ENTRA_CLIENT_ID"].map(|name| (name.to_owned(), missing.clone()));
    assert_eq!(told(&[(variable, value)]), expected);
}

#[test]
fn a_token_file_is_wanted_where_it_is_to_prove_something() {
    let federated = [("CAUSEWAY_DATABRICKS_AUTH", "federated"), ("CAUSEWAY_ENTRA_ASSERTION", "token-file")];
    let path = "is missing: CAUSEWAY_ENTRA_ASSERTION is token-file, and the platform that mounts the token sets this path \
                (workload identity)";
    assert_eq!(told(&federated)[0], ("AZURE_FEDERATED_TOKEN_FILE".to_owned(), path.to_owned()));
    // Nobody is asked for it where nothing is federated.
    assert!(with(&federated[1..]).settings.is_ok());
}

#[test]
fn workload_identity_brings_its_own_tenant_and_client() {
    let mut all = vec![
        ("CAUSEWAY_DATABRICKS_AUTH", "federated"),
        ("CAUSEWAY_ENTRA_ASSERTION", "token-file"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token"),
        ("AZURE_TENANT_ID", "t-1"),
        ("AZURE_CLIENT_ID", "c-1"),
    ];
    let settings = with(&all).settings.unwrap();
    assert_eq!((settings.entra.tenant_id.as_deref(), settings.entra.client_id.as_deref()), (Some("t-1"), Some("c-1")));
    let path = "/var/run/secrets/azure/tokens/azure-identity-token".into();
    assert_eq!(settings.federation.assertion, Assertion::TokenFile { path });
    all.push(("CAUSEWAY_ENTRA_CLIENT_ID", "c-2"));
    assert_eq!(with(&all).settings.unwrap().entra.client_id.as_deref(), Some("c-2"));
    // With the managed identity they mean something else: a user-assigned one, to Azure's SDKs.
    all[1].1 = "managed-identity";
    assert_eq!(problems(&with(&all)), ["CAUSEWAY_ENTRA_TENANT_ID"]);
}

#[test]
fn a_refresh_token_has_its_defaults() {
    let settings = with(&[
        ("CAUSEWAY_POWER_BI_AUTH", "refresh-token"),
        ("CAUSEWAY_ENTRA_TENANT_ID", "t"),
        ("CAUSEWAY_ENTRA_CLIENT_ID", "c"),
    ])
    .settings
    .unwrap();
    let expected = RefreshToken {
        secret_name: "power-bi-refresh-token".to_owned(),
        proof: RefreshTokenProof::ClientSecret,
        write_after: Duration::from_hours(24),
    };
    assert_eq!(settings.power_bi.authentication, PowerBiAuthentication::RefreshToken(expected));
}

#[rstest]
#[case("oauth-m2m")]
#[case("pat")]
fn a_second_token_is_of_use_to_identities_of_entra_only(#[case] value: &str) {
    let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";
    let all = [
        ("CAUSEWAY_DATABRICKS_AUTH", value),
        ("CAUSEWAY_DATABRICKS_CLIENT_ID", "c"),
        ("CAUSEWAY_DATABRICKS_RESOURCE_ID", resource),
    ];
    let problem = format!(
        "is of use to an identity of Entra only, but CAUSEWAY_DATABRICKS_AUTH is {value}: take one of the two out"
    );
    assert_eq!(told(&all), [("CAUSEWAY_DATABRICKS_RESOURCE_ID".to_owned(), problem)]);
}

#[rstest]
#[case("/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/")]
#[case("/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/w")]
#[case("my-workspace")]
#[case("/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w\u{e9}")]
fn what_is_no_workspace_in_azure_is_refused(#[case] value: &str) {
    assert_eq!(problems(&with(&[("CAUSEWAY_DATABRICKS_RESOURCE_ID", value)])), ["CAUSEWAY_DATABRICKS_RESOURCE_ID"]);
}
