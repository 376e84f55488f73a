//! The sovereign clouds: which addresses go together. Each address can be set by itself as well.

/// One cloud's addresses (learn.microsoft.com, "Embed Power BI content in national clouds"; "Azure Government: compare
/// endpoints"; "Azure China developer guide").
pub(super) struct Cloud {
    pub(super) authority: &'static str,
    pub(super) power_bi_url: &'static str,
    pub(super) power_bi_audience: &'static str,
    pub(super) blob_suffix: &'static str,
    /// What an application trusts tokens of a managed identity for (learn.microsoft.com, "Configure an application to trust
    /// a managed identity").
    pub(super) token_exchange: &'static str,
}

pub(super) const NAMES: &[&str] = &["public", "usgov-gcc", "usgov", "usgov-dod", "china"];

pub(super) fn cloud(name: &str) -> &'static Cloud {
    match name {
        "usgov-gcc" => &US_GOVERNMENT_GCC,
        "usgov" => &US_GOVERNMENT,
        "usgov-dod" => &US_GOVERNMENT_DOD,
        "china" => &CHINA,
        _ => &PUBLIC,
    }
}

const PUBLIC: Cloud = Cloud {
    authority: "https://login.microsoftonline.com",
    power_bi_url: "https://api.powerbi.com",
    power_bi_audience: "https://analysis.windows.net/powerbi/api",
    blob_suffix: "blob.core.windows.net",
    token_exchange: "api://AzureADTokenExchange",
};

/// GCC lives in the public Azure and has a Power BI of its own.
const US_GOVERNMENT_GCC: Cloud = Cloud {
    power_bi_url: "https://api.powerbigov.us",
    power_bi_audience: "https://analysis.usgovcloudapi.net/powerbi/api",
    ..PUBLIC
};

/// DoD, in the same Azure as GCC High.
const US_GOVERNMENT_DOD: Cloud = Cloud {
    power_bi_url: "https://api.mil.powerbigov.us",
    power_bi_audience: "https://mil.analysis.usgovcloudapi.net/powerbi/api",
    ..US_GOVERNMENT
};

/// GCC High, and DoDCON.
const US_GOVERNMENT: Cloud = Cloud {
    authority: "https://login.microsoftonline.us",
    power_bi_url: "https://api.high.powerbigov.us",
    power_bi_audience: "https://high.analysis.usgovcloudapi.net/powerbi/api",
    blob_suffix: "blob.core.usgovcloudapi.net",
    token_exchange: "api://AzureADTokenExchangeUSGov",
};

const CHINA: Cloud = Cloud {
    authority: "https://login.chinacloudapi.cn",
    power_bi_url: "https://api.powerbi.cn",
    power_bi_audience: "https://analysis.chinacloudapi.cn/powerbi/api",
    blob_suffix: "blob.core.chinacloudapi.cn",
    token_exchange: "api://AzureADTokenExchangeChina",
};
