//! The way out to addresses that somebody else chose: only hosts on the list, over TLS, straight, and only to the public
//! internet. Where a name leads is decided by the very lookup that the connection uses, so a name that leads elsewhere a
//! moment later gains nothing.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::addresses::is_public;
use super::hosts::{NotAllowed, Rules};
use super::transport::{self, Known};
use super::{Deadline, Http, HttpError, Opened, Outbound, Reply, RequestKind};
use crate::failure::{Code, Failure};
use crate::settings::HostPattern;

/// Sends to allowed addresses; cheap to clone.
#[derive(Clone, Debug)]
pub struct Guarded {
    outside: Arc<Outside>,
    rules: Arc<Rules>,
}

/// One client for all of them, made when it is first needed: most processes never call outside.
#[derive(Debug)]
struct Outside {
    http: OnceLock<Http>,
    lookup: Arc<dyn Lookup>,
    private: bool,
}

impl Guarded {
    /// `private`: addresses inside may be called too.
    pub fn new(hosts: &[HostPattern], private: bool) -> Self {
        Self::over(hosts, private, Arc::new(System))
    }

    /// The same way out, to other hosts.
    #[must_use]
    pub fn to(&self, hosts: &[HostPattern]) -> Self {
        let rules = Rules { hosts: hosts.to_vec(), private: self.rules.private };
        Self { outside: self.outside.clone(), rules: Arc::new(rules) }
    }

    fn over(hosts: &[HostPattern], private: bool, lookup: Arc<dyn Lookup>) -> Self {
        let outside = Outside { http: OnceLock::new(), lookup, private };
        let rules = Rules { hosts: hosts.to_vec(), private };
        Self { outside: Arc::new(outside), rules: Arc::new(rules) }
    }

    /// The URL in `text`, if it may be called. Where its name leads is seen when it is.
    pub fn read(&self, text: &str) -> Result<Url, NotAllowed> {
        self.rules.read(text)
    }

    /// Sends `request` as often as `kind` allows, and holds the answer. `name` is who is called, for the failure.
    pub async fn send(
        &self,
        kind: RequestKind,
        request: Outbound,
        name: &str,
        deadline: Deadline,
    ) -> Result<Reply, Failure> {
        self.rules.check(&request.url).map_err(|why| not_allowed(&why))?;
        let sent = self.outside.http()?.send(kind, request, deadline).await;
        sent.map_err(|error| failed(&error, name))
    }

    /// The same, for whoever wants to know only how it was answered: its status, and the body of a refusal.
    pub async fn deliver(
        &self,
        kind: RequestKind,
        request: Outbound,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<Reply>, Failure> {
        self.rules.check(&request.url).map_err(|why| not_allowed(&why))?;
        match self.outside.http()?.open(kind, request, deadline).await {
            Ok(Opened::Body(_)) => Ok(None),
            Ok(Opened::Refused(reply)) => Ok(Some(reply)),
            Err(error) => Err(failed(&error, name)),
        }
    }
}

impl Outside {
    fn http(&self) -> Result<&Http, Failure> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let resolver = OnlyPublic { lookup: self.lookup.clone(), private: self.private };
        let http = Http::over(transport::guarded_client(Arc::new(resolver))?);
        Ok(self.http.get_or_init(|| http))
    }
}

/// What a caller is told of an address that may not be called.
pub fn not_allowed(why: &NotAllowed) -> Failure {
    Failure::new(Code::HostNotAllowed, format!("This address may not be called: {why}."))
}

fn failed(error: &HttpError, name: &str) -> Failure {
    if let Some(refused) = refused(error) {
        return not_allowed(&NotAllowed::Private(refused.0.clone()));
    }
    if error.known == Known::TooLarge {
        let detail = format!("{name} answered with more than is kept.");
        return Failure::new(Code::OutputTooLarge, detail).caused_by(error.clone());
    }
    error.to_failure("http", name)
}

/// The lookup's own refusal, wherever in the chain of causes it stands.
fn refused(error: &HttpError) -> Option<&LedInside> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<LedInside>() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// A name led to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to an address that is not on the public internet")]
pub(super) struct LedInside(String);

/// Where names lead.
trait Lookup: Send + Sync + std::fmt::Debug {
    fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// As this machine looks names up.
#[derive(Debug)]
struct System;

impl Lookup for System {
    fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// Hands the connection public addresses, or none.
#[derive(Clone, Debug)]
struct OnlyPublic {
    lookup: Arc<dyn Lookup>,
    private: bool,
}

impl Resolve for OnlyPublic {
    fn resolve(&self, name: Name) -> Resolving {
        let own = self.clone();
        Box::pin(async move {
            let looked_up = tokio::task::spawn_blocking(move || own.allowed(name.as_str())).await;
            let addresses = looked_up.map_err(Box::new)??;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl OnlyPublic {
    /// One address inside among public ones is a trap, not a mistake: all are refused.
    fn allowed(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn StdError + Send + Sync>> {
        let addresses = self.lookup.addresses(name)?;
        if self.private || addresses.iter().all(|address| is_public(*address)) {
            return Ok(addresses);
        }
        Err(Box::new(LedInside(name.chars().take(100).collect())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use rstest::rstest;
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    /// Answers from a script, then with the last of it.
    #[derive(Debug)]
    struct Script(Mutex<VecDeque<Vec<&'static str>>>);

    impl Lookup for Script {
        fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            let mut script = self.0.lock().unwrap();
            let answer = if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() };
            Ok(answer.into_iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    fn only_public(script: &[&[&'static str]]) -> OnlyPublic {
        let script = script.iter().map(|answer| answer.to_vec()).collect();
        OnlyPublic { lookup: Arc::new(Script(Mutex::new(script))), private: false }
    }

    #[test]
    fn a_name_that_leads_outside_first_and_inside_then_is_refused_the_second_time() {
        let resolver = only_public(&[&["20.1.2.3"], &["169.254.169.254"]]);
        assert_eq!(resolver.allowed("rebound.example").unwrap().len(), 1);
        let refused = resolver.allowed("rebound.example").unwrap_err();
        assert!(refused.downcast_ref::<LedInside>().is_some(), "{refused}");
    }

    #[rstest]
    #[case(&["20.1.2.3", "10.0.0.4"])]
    #[case(&["10.0.0.4", "20.1.2.3"])]
    #[case(&["2606:4700::1111", "::ffff:127.0.0.1"])]
    fn one_address_inside_spoils_all(#[case] answer: &[&'static str]) {
        assert!(only_public(&[answer]).allowed("mixed.example").is_err());
    }

    fn to(server: &MockServer, host: &str, script: &[&[&'static str]], private: bool) -> (Guarded, Outbound) {
        let port = server.address().port();
        let hosts = [HostPattern::parse(&format!("{host}:{port}")).unwrap()];
        let script = script.iter().map(|answer| answer.to_vec()).collect();
        let guarded = Guarded::over(&hosts, private, Arc::new(Script(Mutex::new(script))));
        (guarded, Outbound::post(format!("https://{host}:{port}/secret?sig=1").parse().unwrap()))
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[tokio::test]
    async fn a_connection_is_made_only_where_the_lookup_allows() {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
        let (guarded, request) = to(&server, "inside.example", &[&["127.0.0.1"]], false);
        let failure = guarded.send(RequestKind::HttpStepWrite, request, "The receiver", soon()).await.unwrap_err();
        assert_eq!(failure.code, Code::HostNotAllowed);
        assert!(failure.detail.contains("inside.example") && !failure.chain().contains("sig"), "{}", failure.chain());
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let server = MockServer::start().await;
        let elsewhere = ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/metadata");
        Mock::given(any()).respond_with(elsewhere).expect(1).mount(&server).await;
        let hosts = [HostPattern::parse(&format!("127.0.0.1:{}", server.address().port())).unwrap()];
        let guarded = Guarded::new(&hosts, true);
        let request = Outbound::post(server.uri().parse().unwrap());
        let reply = guarded.send(RequestKind::HttpStepWrite, request, "It", soon()).await.unwrap();
        assert_eq!(reply.status, 302);
    }

    #[tokio::test]
    async fn what_is_not_on_the_list_is_never_looked_up() {
        let guarded = Guarded::over(&[], false, Arc::new(Script(Mutex::default())));
        let request = Outbound::post("https://nobody.example/".parse().unwrap());
        let failure = guarded.deliver(RequestKind::CallbackSend, request, "It", soon()).await.unwrap_err();
        assert_eq!(failure.code, Code::HostNotAllowed);
    }
}
