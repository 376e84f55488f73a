//! The sovereign clouds: which addresses go together. Each address can be set by itself as well.

/// One cloud's addresses (learn.microsoft.com, "Embed Power BI content in national clouds"; "Azure Government: compare
/// endpoints"; "Azure China developer guide").
pub(super) struct Cloud {
    pub(super) authority: &'static str,
    pub(super) power_bi_url: &'static str,
    pub(super) power_bi_audience: &'static str,
    pub(super) blob_suffix: &'static str,
}

pub(super) const NAMES: &[&str] = &["public", "usgov", "china"];

pub(super) fn cloud(name: &str) -> &'static Cloud {
    match name {
        "usgov" => &US_GOVERNMENT,
        "china" => &CHINA,
        _ => &PUBLIC,
    }
}

const PUBLIC: Cloud = Cloud {
    authority: "https://login.microsoftonline.com",
    power_bi_url: "https://api.powerbi.com",
    power_bi_audience: "https://analysis.windows.net/powerbi/api",
    blob_suffix: "blob.core.windows.net",
};

/// GCC High. GCC itself signs in to the public authority: set `public` and the two Power BI variables.
const US_GOVERNMENT: Cloud = Cloud {
    authority: "https://login.microsoftonline.us",
    power_bi_url: "https://api.high.powerbigov.us",
    power_bi_audience: "https://high.analysis.usgovcloudapi.net/powerbi/api",
    blob_suffix: "blob.core.usgovcloudapi.net",
};

const CHINA: Cloud = Cloud {
    authority: "https://login.chinacloudapi.cn",
    power_bi_url: "https://api.powerbi.cn",
    power_bi_audience: "https://analysis.chinacloudapi.cn/powerbi/api",
    blob_suffix: "blob.core.chinacloudapi.cn",
};
