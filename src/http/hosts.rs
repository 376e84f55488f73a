//! Which URLs from outside may be called at all: by scheme, host and port. Where a name leads is seen at connect time.

use std::net::IpAddr;

use url::{Host, Url};

use super::addresses::is_public;
use crate::settings::HostPattern;

/// Why an address may not be called. Tells nothing of it but its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("it is not an absolute URL")]
    Malformed,
    #[error("it must begin with https://")]
    Scheme,
    #[error("it must not hold a user name or a password")]
    Credentials,
    #[error("{0} is not a host that may be called, or not on this port")]
    Host(String),
    #[error("{0} is not on the public internet")]
    Private(String),
}

/// What may be called.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) hosts: Vec<HostPattern>,
    /// Addresses inside may be called too, and this machine's own loopback without TLS.
    pub(super) private: bool,
}

impl Rules {
    /// The URL in `text`, if it may be called.
    pub(super) fn read(&self, text: &str) -> Result<Url, NotAllowed> {
        let url = Url::parse(text.trim()).map_err(|_| NotAllowed::Malformed)?;
        self.check(&url).map(|()| url)
    }

    pub(super) fn check(&self, url: &Url) -> Result<(), NotAllowed> {
        let Some(host) = url.host() else { return Err(NotAllowed::Malformed) };
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        let own = address.is_some_and(|address| address.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && own && self.private) {
            return Err(NotAllowed::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAllowed::Credentials);
        }
        let shown: String = url.host_str().unwrap_or_default().chars().take(100).collect();
        if !self.hosts.iter().any(|pattern| pattern.fits(url)) {
            return Err(NotAllowed::Host(shown));
        }
        // A name is looked at when it is resolved; these are not resolved.
        if address.is_some_and(|address| !self.private && !is_public(address)) {
            return Err(NotAllowed::Private(shown));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rules(patterns: &[&str], private: bool) -> Rules {
        Rules { hosts: patterns.iter().map(|text| HostPattern::parse(text).unwrap()).collect(), private }
    }

    #[rstest]
    #[case("https://prod-12.westeurope.logic.azure.com:443/workflows/1/runs/2?sig=x")]
    #[case("https://0123.82.environment.api.powerplatform.com/powerautomate/x?sig=y")]
    #[case("https://PROD-12.westeurope.LOGIC.azure.com/")]
    #[case("https://hooks.example.com:8443/a")]
    fn a_url_of_an_allowed_host_may_be_called(#[case] url: &str) {
        let rules = rules(&["*.logic.azure.com", "*.api.powerplatform.com", "hooks.example.com:8443"], false);
        assert!(rules.read(url).is_ok(), "{:?}", rules.read(url));
    }

    #[rstest]
    #[case::another("https://evil.example/logic.azure.com", NotAllowed::Host("evil.example".into()))]
    #[case::the_suffix_itself("https://logic.azure.com/", NotAllowed::Host("logic.azure.com".into()))]
    #[case::glued_on("https://evillogic.azure.com/", NotAllowed::Host("evillogic.azure.com".into()))]
    #[case::behind("https://a.logic.azure.com.evil.example/", NotAllowed::Host("a.logic.azure.com.evil.example".into()))]
    #[case::a_dot_behind("https://a.logic.azure.com./", NotAllowed::Host("a.logic.azure.com.".into()))]
    #[case::another_port("https://a.logic.azure.com:8443/", NotAllowed::Host("a.logic.azure.com".into()))]
    #[case::plain("http://a.logic.azure.com/", NotAllowed::Scheme)]
    #[case::no_web("ftp://a.logic.azure.com/", NotAllowed::Scheme)]
    #[case::a_user("https://me@a.logic.azure.com/", NotAllowed::Credentials)]
    #[case::a_password("https://:pw@a.logic.azure.com/", NotAllowed::Credentials)]
    #[case::a_user_that_looks_like_the_host("https://a.logic.azure.com@evil.example/", NotAllowed::Credentials)]
    #[case::no_url("a.logic.azure.com", NotAllowed::Malformed)]
    #[case::an_address("https://20.1.2.3/", NotAllowed::Host("20.1.2.3".into()))]
    #[case::a_backslash("https://evil.example\\.logic.azure.com/", NotAllowed::Host("evil.example".into()))]
    fn all_else_is_refused(#[case] url: &str, #[case] why: NotAllowed) {
        assert_eq!(rules(&["*.logic.azure.com"], false).read(url).unwrap_err(), why);
    }

    #[rstest]
    #[case("https://127.0.0.1:7080/")]
    #[case("https://2130706433:7080/")]
    #[case("https://0x7f.1:7080/")]
    #[case("http://127.0.0.1:7080/")]
    fn the_machine_itself_is_called_only_when_that_is_allowed(#[case] url: &str) {
        assert!(rules(&["127.0.0.1:*"], true).read(url).is_ok());
        assert!(rules(&["127.0.0.1:*"], false).read(url).is_err());
    }

    #[test]
    fn without_tls_nobody_else_is_called_whatever_is_allowed() {
        let rules = rules(&["10.0.0.4:*", "hooks.example.com:*"], true);
        assert_eq!(rules.read("http://10.0.0.4/").unwrap_err(), NotAllowed::Scheme);
        assert_eq!(rules.read("http://hooks.example.com/").unwrap_err(), NotAllowed::Scheme);
        assert!(rules.read("https://10.0.0.4/").is_ok());
    }

    #[test]
    fn an_address_of_version_6_is_a_pattern_too() {
        let rules = rules(&["[2606:4700::1111]:8443"], false);
        assert!(rules.read("https://[2606:4700::1111]:8443/").is_ok());
        assert!(rules.read("https://[2606:4700::1111]/").is_err());
    }
}
