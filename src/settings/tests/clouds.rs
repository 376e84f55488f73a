//! Clouds: the table against the page and against what settings become, names that are completed, addresses of another cloud.

use std::fmt::Write as _;

use rstest::rstest;

use super::super::{CLOUDS, Cloud};
use super::{blob, problems, with, within};

/// The rows of docs/clouds.md.
/// A row of the page, and where the code has it.
type Row = (&'static str, fn(&Cloud) -> &'static str);

fn rows() -> Vec<Row> {
    vec![
        ("`CAUSEWAY_CLOUD`", |cloud| cloud.name),
        ("Entra", |cloud| cloud.authority),
        ("Databricks, hosts end in", |cloud| cloud.databricks_suffix),
        ("Databricks, audience", |cloud| cloud.databricks_audience),
        ("Azure Resource Manager, audience", |cloud| cloud.management_audience),
        ("Token exchange, audience", |cloud| cloud.exchange_audience),
        ("Power BI", |cloud| cloud.power_bi_url),
        ("Power BI, audience", |cloud| cloud.power_bi_audience),
        ("Key Vault, hosts end in", |cloud| cloud.key_vault_suffix),
        ("Key Vault, audience", |cloud| cloud.key_vault_audience),
        ("Service Bus, hosts end in", |cloud| cloud.service_bus_suffix),
        ("Service Bus, audience", |cloud| cloud.service_bus_audience),
        ("Blob Storage, hosts end in", |cloud| cloud.blob_suffix),
        ("Storage, audience", |cloud| cloud.storage_audience),
    ]
}

#[test]
fn the_page_shows_the_table_of_the_code() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clouds.md"));
    for cloud in CLOUDS {
        let mut table = format!("## {}\n\n| what | value |\n| --- | --- |\n", cloud.title);
        for (what, value) in rows() {
            writeln!(table, "| {what} | `{}` |", value(&cloud)).unwrap();
        }
        assert!(page.contains(&table), "docs/clouds.md should have:\n{table}");
    }
    assert_eq!(page.matches("| what | value |").count(), CLOUDS.len());
}

// reference: learn.microsoft.com, "Embed Power BI content in national clouds"; Databricks SDK for Python, environments.py.
#[rstest]
#[case("public", "azuredatabricks.net", "https://management.core.windows.net/", "vault.azure.net")]
#[case("usgov-gcc", "azuredatabricks.net", "https://management.core.windows.net/", "vault.azure.net")]
#[case("usgov", "databricks.azure.us", "https://management.core.usgovcloudapi.net/", "vault.usgovcloudapi.net")]
#[case("usgov-dod", "databricks.azure.us", "https://management.core.usgovcloudapi.net/", "vault.usgovcloudapi.net")]
#[case("china", "databricks.azure.cn", "https://management.core.chinacloudapi.cn/", "vault.azure.cn")]
fn names_alone_are_completed_by_the_cloud(
    #[case] cloud: &str,
    #[case] databricks: &str,
    #[case] management: &str,
    #[case] vault: &str,
) {
    let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";
    let more = [("CAUSEWAY_DATABRICKS_HOST", "adb-1234567890123456.7"), ("CAUSEWAY_DATABRICKS_RESOURCE_ID", resource)];
    let settings = within(cloud, &more);
    assert_eq!(settings.databricks.host.as_str(), format!("https://adb-1234567890123456.7.{databricks}/"));
    assert_eq!(settings.databricks.azure_resource.unwrap().management_audience, management);
    assert_eq!(settings.key_vault.url.as_str(), format!("https://my-vault.{vault}/"));
    assert_eq!(settings.audiences.key_vault_expected, format!("https://{vault}"));
    let bus = CLOUDS.iter().find(|known| known.name == cloud).unwrap().service_bus_suffix;
    assert_eq!(settings.service_bus.url.as_str(), format!("https://my-bus.{bus}/"));
}

#[test]
fn each_address_and_audience_can_be_set_by_itself() {
    let settings = with(&[
        ("CAUSEWAY_CLOUD", "china"),
        ("CAUSEWAY_DATABRICKS_HOST", "https://workspace.example"),
        ("CAUSEWAY_DATABRICKS_AUDIENCE", "a-1"),
        (
            "CAUSEWAY_DATABRICKS_RESOURCE_ID",
            "/subscriptions/s/resourceGroups/g/providers/microsoft.databricks/workspaces/w",
        ),
        ("CAUSEWAY_MANAGEMENT_AUDIENCE", "a-2"),
        ("CAUSEWAY_POWER_BI_URL", "https://bi.example"),
        ("CAUSEWAY_POWER_BI_AUDIENCE", "a-3"),
        ("CAUSEWAY_KEY_VAULT_URL", "https://vault.example"),
        ("CAUSEWAY_KEY_VAULT_AUDIENCE", "a-4"),
        ("ServiceBusConnection__fullyQualifiedNamespace", "bus.example"),
        ("CAUSEWAY_SERVICE_BUS_AUDIENCE", "a-5"),
        ("AzureWebJobsStorage__blobServiceUri", "https://blob.example"),
        ("CAUSEWAY_STORAGE_AUDIENCE", "a-6"),
        ("CAUSEWAY_ENTRA_ASSERTION_AUDIENCE", "a-7"),
        ("AZURE_AUTHORITY_HOST", "https://login.example"),
    ])
    .settings
    .unwrap();
    assert_eq!(settings.databricks.host.as_str(), "https://workspace.example/");
    assert_eq!(settings.power_bi.url.as_str(), "https://bi.example/");
    assert_eq!(settings.key_vault.url.as_str(), "https://vault.example/");
    assert_eq!(settings.service_bus.url.as_str(), "https://bus.example/");
    assert_eq!(settings.entra.authority.as_str(), "https://login.example/");
    assert_eq!(blob(&settings), "https://blob.example/causeway-ledger");
    let audiences = [
        settings.databricks.audience,
        settings.databricks.azure_resource.unwrap().management_audience,
        settings.power_bi.audience,
        settings.audiences.key_vault.unwrap(),
        settings.audiences.service_bus,
        settings.audiences.storage,
        settings.federation.audience,
    ];
    assert_eq!(audiences, ["a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "a-7"]);
}

#[rstest]
#[case(
    "CAUSEWAY_DATABRICKS_HOST",
    "https://adb-1.2.databricks.azure.cn",
    "databricks.azure.cn",
    "china",
    "azuredatabricks.net"
)]
#[case(
    "CAUSEWAY_KEY_VAULT_URL",
    "https://v.vault.usgovcloudapi.net",
    "vault.usgovcloudapi.net",
    "usgov or usgov-dod",
    "vault.azure.net"
)]
#[case(
    "ServiceBusConnection__fullyQualifiedNamespace",
    "b.servicebus.chinacloudapi.cn",
    "servicebus.chinacloudapi.cn",
    "china",
    "servicebus.windows.net"
)]
fn an_address_of_another_cloud_is_told(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] found: &str,
    #[case] cloud: &str,
    #[case] own: &str,
) {
    let reading = with(&[(variable, value)]);
    assert_eq!(problems(&reading), [variable]);
    assert_eq!(
        reading.settings.unwrap_err()[0].problem,
        format!(
            "ends in {found}, which is the cloud {cloud}, but CAUSEWAY_CLOUD is public, where it would end in {own}: set \
             CAUSEWAY_CLOUD to {cloud}, or correct the address"
        )
    );
}
