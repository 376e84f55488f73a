//! Reading one typed value: takes the default from the list, collects the problem, goes on. What may not live here:
//! the names of variables.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use url::{Host, Url};

use super::known::known;
use super::{HostPattern, SettingProblem, Variables};

/// Reads and remembers what was wrong.
pub(super) struct Reader<'a> {
    variables: &'a dyn Variables,
    pub(super) problems: Vec<SettingProblem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(variables: &'a dyn Variables) -> Self {
        Self { variables, problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, variable: &str, problem: impl Into<String>) {
        self.problems.push(SettingProblem { variable: variable.to_owned(), problem: problem.into() });
    }

    /// The value without spaces around it, or the default from the list.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let set = self.variables.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if set.as_deref().is_some_and(|value| value.starts_with("@Microsoft.KeyVault(")) {
            self.problem(
                name,
                "holds a Key Vault reference that the platform could not resolve: check the reference and the identity's \
                 access to that vault",
            );
            return default_of(name);
        }
        set.or_else(|| default_of(name))
    }

    pub(super) fn required(&mut self, name: &str, example: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            // An unresolved reference has been told already.
            if !self.problems.iter().any(|problem| problem.variable == name) {
                self.problem(name, format!("is missing: set it to {example}"));
            }
            String::new()
        })
    }

    /// A text with a form of its own, described by `right`.
    pub(super) fn checked(&mut self, name: &str, valid: fn(&str) -> bool, right: &str) -> Option<String> {
        let value = self.text(name)?;
        if !valid(&value) {
            self.problem(name, format!("must be {right}"));
        }
        Some(value)
    }

    pub(super) fn secret_name(&mut self, name: &str) -> String {
        self.checked(
            name,
            is_secret_name,
            "the name of a secret in Key Vault (1 to 127 letters, digits and hyphens), not its value",
        )
        .unwrap_or_default()
    }

    pub(super) fn queue(&mut self, name: &str) -> String {
        self.checked(name, is_queue, QUEUE_FORM).unwrap_or_default()
    }

    /// Texts separated by commas.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn queues(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let queues: Vec<String> =
            text.split(',').map(str::trim).filter(|queue| !queue.is_empty()).map(str::to_owned).collect();
        if queues.iter().any(|queue| !is_queue(queue)) {
            self.problem(name, format!("must be names separated by commas, each {QUEUE_FORM}"));
        }
        queues
    }

    pub(super) fn hosts(&mut self, name: &str) -> Vec<HostPattern> {
        let text = self.text(name).unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read: Option<Vec<HostPattern>> = parts.map(HostPattern::parse).collect();
        read.unwrap_or_else(|| {
            let form = "must be hosts separated by commas, each like hooks.example.com, *.logic.azure.com (not * alone) \
                        or hooks.example.com:8443, in small letters and without https://";
            self.problem(name, form);
            Vec::new()
        })
    }

    pub(super) fn one_of(&mut self, name: &str, choices: &[&'static str]) -> &'static str {
        let value = self.text(name).unwrap_or_default();
        choices.iter().find(|choice| **choice == value).copied().unwrap_or_else(|| {
            self.problem(name, format!("must be one of {}, not {value:?}", choices.join(", ")));
            choices[0]
        })
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.one_of(name, &["true", "false"]) == "true"
    }

    pub(super) fn whole(&mut self, name: &str, range: RangeInclusive<u64>, unit: &str) -> u64 {
        let value = self.text(name).unwrap_or_default();
        match value.parse::<u64>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = (*range.start(), *range.end());
                self.problem(
                    name,
                    format!("must be a whole number of {unit} from {least} to {most}, not {}", shown(&value)),
                );
                // The default, so that checks between settings don't blame another variable for this one.
                default_of(name).and_then(|default| default.parse().ok()).unwrap_or(least)
            }
        }
    }

    pub(super) fn seconds(&mut self, name: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.whole(name, range, "seconds"))
    }

    /// An absolute https URL (http on loopback) without credentials, query or fragment; `None` when unset or wrong.
    pub(super) fn url(&mut self, name: &str) -> Option<Url> {
        let text = self.text(name)?;
        self.url_in(name, &text)
    }

    fn url_in(&mut self, name: &str, text: &str) -> Option<Url> {
        match base_url(text) {
            Ok(url) => Some(url),
            Err(problem) => {
                self.problem(name, problem);
                None
            }
        }
    }

    /// The same, without a path.
    pub(super) fn origin(&mut self, name: &str) -> Option<Url> {
        let text = self.text(name)?;
        self.origin_in(name, &text)
    }

    /// The same of what was read already.
    pub(super) fn origin_in(&mut self, name: &str, text: &str) -> Option<Url> {
        let url = self.url_in(name, text)?;
        if url.path() != "/" {
            self.problem(name, "must be an address without a path, such as https://host.example");
        }
        Some(url)
    }
}

const QUEUE_FORM: &str = "the name of a queue (letters, digits, and inside it . - _ /; at most 260)";

fn default_of(name: &str) -> Option<String> {
    debug_assert!(known(name).is_some(), "{name} is read but not listed in known.rs");
    known(name)?.default.map(str::to_owned)
}

/// Key Vault: 1 to 127 letters, digits and hyphens (learn.microsoft.com, "Key Vault keys, secrets and certificates").
pub(super) fn is_secret_name(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Service Bus: up to 260 letters, digits, periods, hyphens, underscores and slashes, alphanumeric at both ends.
fn is_queue(name: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 260
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte))
}

pub(super) fn base_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an absolute URL that begins with https://")?;
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !allowed {
        return Err("must begin with https:// (http:// only for this machine's own loopback addresses)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or a fragment (no `?`, no `#`)");
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// A number typed wrong is worth showing; anything long might be a secret in the wrong place.
fn shown(value: &str) -> String {
    if value.len() <= 12 { format!("{value:?}") } else { "what is there".to_owned() }
}
