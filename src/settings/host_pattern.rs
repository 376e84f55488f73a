//! Patterns of hosts, as settings name them: `*.logic.azure.com`, `hooks.example.com:8443`. Which of them may be called for
//! what is decided elsewhere.

use url::{Host, Url};

/// A host, or with `*.` before it whatever ends so; with `:port` that port, with `:*` any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case; what `*.` stands before, or the whole.
    name: String,
    any_below: bool,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The scheme's own.
    Usual,
    One(u16),
    Any,
}

impl HostPattern {
    /// `None` when the text is no pattern. `*` alone is none: whoever wants the whole internet names its parts.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let bracketed = text.starts_with('[');
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !bracketed || host.ends_with(']') => (host.to_owned(), Some(port.to_owned())),
            _ => (text, None),
        };
        let port = match port.as_deref() {
            None => Port::Usual,
            Some("*") => Port::Any,
            Some(number) => Port::One(number.parse().ok()?),
        };
        let (name, any_below) = match host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (host.as_str(), false),
        };
        let plain = !name.is_empty()
            && !name.starts_with('.')
            && !name.ends_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
        // As URLs write it: other spellings of a host would never match.
        let as_written = Url::parse(&format!("https://{name}/")).ok().filter(|_| plain)?;
        let address = !matches!(as_written.host()?, Host::Domain(_));
        (as_written.host_str() == Some(name) && !(address && any_below)).then(|| Self {
            name: name.to_owned(),
            any_below,
            port,
        })
    }

    /// Whether this is one of the URLs that it stands for, whatever their scheme.
    pub fn fits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let named = if self.any_below {
            let below = host.strip_suffix(&self.name).and_then(|rest| rest.strip_suffix('.'));
            matches!(url.host(), Some(Host::Domain(_))) && below.is_some_and(|rest| !rest.is_empty())
        } else {
            host == self.name
        };
        named
            && match self.port {
                Port::Any => true,
                Port::One(port) => url.port_or_known_default() == Some(port),
                // The parser leaves out a port that is the scheme's own.
                Port::Usual => url.port().is_none(),
            }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*")]
    #[case("*.")]
    #[case("")]
    #[case("a b")]
    #[case("*.127.0.0.1")]
    #[case("https://a.example")]
    #[case("a.example/path")]
    #[case("a.example:99999")]
    #[case("a.*.example")]
    #[case("0x7f.1")]
    fn what_is_no_pattern_is_refused(#[case] text: &str) {
        assert_eq!(HostPattern::parse(text), None);
    }
}
