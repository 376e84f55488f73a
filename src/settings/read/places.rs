//! Addresses that differ by cloud: a name alone is completed, and an address of another cloud is told.

use url::Url;

use super::super::clouds::{CLOUDS, Cloud};
use super::super::reader::Reader;

/// A service whose hosts end in something else in each cloud.
pub(super) struct Service {
    pub(super) suffix: fn(&Cloud) -> &'static str,
    /// Whether a value is a name alone.
    pub(super) is_name: fn(&str) -> bool,
}

pub(super) const DATABRICKS: Service = Service {
    suffix: |cloud| cloud.databricks_suffix,
    // `adb-` and the workspace's number, then a digit or two (learn.microsoft.com/azure/databricks/workspace/workspace-details).
    is_name: |text| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.strip_prefix("adb-").and_then(|rest| rest.split_once('.'));
        parts.is_some_and(|(workspace, shard)| digits(workspace) && digits(shard))
    },
};

pub(super) const KEY_VAULT: Service = Service { suffix: |cloud| cloud.key_vault_suffix, is_name: is_label };

pub(super) const SERVICE_BUS: Service = Service { suffix: |cloud| cloud.service_bus_suffix, is_name: is_label };

/// One label of a host name. `localhost` is a host.
fn is_label(text: &str) -> bool {
    (3..=50).contains(&text.len())
        && text != "localhost"
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Service {
    /// The address in `variable`; `None` when unset or wrong, which is told.
    pub(super) fn origin(&self, reader: &mut Reader<'_>, variable: &str, cloud: &Cloud) -> Option<Url> {
        let text = reader.text(variable)?;
        let whole = if (self.is_name)(&text) { format!("https://{text}.{}", (self.suffix)(cloud)) } else { text };
        let url = reader.origin_in(variable, &whole)?;
        self.same_cloud(reader, variable, &url, cloud);
        Some(url)
    }

    /// Tells an address of another cloud. One that is in none (a proxy, a stand-in) is as good as ours.
    pub(super) fn same_cloud(&self, reader: &mut Reader<'_>, variable: &str, url: &Url, cloud: &Cloud) {
        let own = (self.suffix)(cloud);
        let ends_in = |suffix: &str| {
            url.host_str().and_then(|host| host.strip_suffix(suffix)).is_some_and(|rest| rest.ends_with('.'))
        };
        let of_another = |other: &&Cloud| (self.suffix)(other) != own && ends_in((self.suffix)(other));
        let others: Vec<&str> = CLOUDS.iter().filter(of_another).map(|other| other.name).collect();
        if let Some(first) = others.first() {
            let names = others.join(" or ");
            let found = CLOUDS.iter().find(|other| other.name == *first).map(self.suffix).unwrap_or_default();
            reader.problem(
                variable,
                format!(
                    "ends in {found}, which is the cloud {names}, but CAUSEWAY_CLOUD is {}, where it would end in {own}: \
                     set CAUSEWAY_CLOUD to {names}, or correct the address",
                    cloud.name
                ),
            );
        }
    }
}
