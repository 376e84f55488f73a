//! The sovereign clouds: which addresses and audiences go together. Each of them can be set by itself as well.
//! `docs/clouds.md` shows this table, and a test holds them equal.

/// One cloud's addresses and audiences.
///
/// Power BI: learn.microsoft.com, "Embed Power BI content in national clouds". Databricks and Azure Resource Manager:
/// Databricks SDK for Python, environments.py. Key Vault, Service Bus, storage: "Compare Azure Government and global
/// Azure", "Azure China developer guide". The exchange: "Configure an application to trust a managed identity".
#[derive(Clone, Copy, Debug)]
pub struct Cloud {
    /// A value of `CAUSEWAY_CLOUD`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Where Entra is.
    pub authority: &'static str,
    /// What a workspace's host ends in.
    pub databricks_suffix: &'static str,
    pub databricks_audience: &'static str,
    /// Azure Resource Manager's audience; its slash counts.
    pub management_audience: &'static str,
    /// The audience of a token that proves an application.
    pub exchange_audience: &'static str,
    pub power_bi_url: &'static str,
    pub power_bi_audience: &'static str,
    pub key_vault_suffix: &'static str,
    pub key_vault_audience: &'static str,
    pub service_bus_suffix: &'static str,
    pub service_bus_audience: &'static str,
    pub blob_suffix: &'static str,
    pub storage_audience: &'static str,
}

/// Every cloud; the first is the default.
pub const CLOUDS: [Cloud; 5] = [PUBLIC, US_GOVERNMENT_GCC, US_GOVERNMENT, US_GOVERNMENT_DOD, CHINA];

pub(super) const NAMES: &[&str] =
    &[PUBLIC.name, US_GOVERNMENT_GCC.name, US_GOVERNMENT.name, US_GOVERNMENT_DOD.name, CHINA.name];

pub(super) fn cloud(name: &str) -> &'static Cloud {
    CLOUDS.iter().find(|cloud| cloud.name == name).unwrap_or(&CLOUDS[0])
}

const PUBLIC: Cloud = Cloud {
    name: "public",
    title: "Azure",
    authority: "https://login.microsoftonline.com",
    databricks_suffix: "azuredatabricks.net",
    databricks_audience: "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    management_audience: "https://management.core.windows.net/",
    exchange_audience: "api://AzureADTokenExchange",
    power_bi_url: "https://api.powerbi.com",
    power_bi_audience: "https://analysis.windows.net/powerbi/api",
    key_vault_suffix: "vault.azure.net",
    key_vault_audience: "https://vault.azure.net",
    service_bus_suffix: "servicebus.windows.net",
    service_bus_audience: "https://servicebus.azure.net",
    blob_suffix: "blob.core.windows.net",
    storage_audience: "https://storage.azure.com",
};

/// Lives in the public Azure and has a Power BI of its own.
const US_GOVERNMENT_GCC: Cloud = Cloud {
    name: "usgov-gcc",
    title: "US Government, GCC",
    power_bi_url: "https://api.powerbigov.us",
    power_bi_audience: "https://analysis.usgovcloudapi.net/powerbi/api",
    ..PUBLIC
};

/// GCC High, and DoDCON.
const US_GOVERNMENT: Cloud = Cloud {
    name: "usgov",
    title: "US Government, GCC High",
    authority: "https://login.microsoftonline.us",
    databricks_suffix: "databricks.azure.us",
    databricks_audience: PUBLIC.databricks_audience,
    management_audience: "https://management.core.usgovcloudapi.net/",
    exchange_audience: "api://AzureADTokenExchangeUSGov",
    power_bi_url: "https://api.high.powerbigov.us",
    power_bi_audience: "https://high.analysis.usgovcloudapi.net/powerbi/api",
    key_vault_suffix: "vault.usgovcloudapi.net",
    key_vault_audience: "https://vault.usgovcloudapi.net",
    service_bus_suffix: "servicebus.usgovcloudapi.net",
    service_bus_audience: PUBLIC.service_bus_audience,
    blob_suffix: "blob.core.usgovcloudapi.net",
    storage_audience: PUBLIC.storage_audience,
};

/// In the same Azure as GCC High.
const US_GOVERNMENT_DOD: Cloud = Cloud {
    name: "usgov-dod",
    title: "US Government, DoD",
    power_bi_url: "https://api.mil.powerbigov.us",
    power_bi_audience: "https://mil.analysis.usgovcloudapi.net/powerbi/api",
    ..US_GOVERNMENT
};

const CHINA: Cloud = Cloud {
    name: "china",
    title: "China (21Vianet)",
    authority: "https://login.chinacloudapi.cn",
    databricks_suffix: "databricks.azure.cn",
    databricks_audience: PUBLIC.databricks_audience,
    management_audience: "https://management.core.chinacloudapi.cn/",
    exchange_audience: "api://AzureADTokenExchangeChina",
    power_bi_url: "https://api.powerbi.cn",
    power_bi_audience: "https://analysis.chinacloudapi.cn/powerbi/api",
    key_vault_suffix: "vault.azure.cn",
    key_vault_audience: "https://vault.azure.cn",
    service_bus_suffix: "servicebus.chinacloudapi.cn",
    service_bus_audience: PUBLIC.service_bus_audience,
    blob_suffix: "blob.core.chinacloudapi.cn",
    storage_audience: PUBLIC.storage_audience,
};
