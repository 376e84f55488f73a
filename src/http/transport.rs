//! The one transport: how connections are made, and how one try is made over it. No retry here.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderName, HeaderValue};

use super::Outbound;
use super::guarded::LedInside;
use crate::failure::{Code, Failure};
use crate::telemetry::Trace;

/// `causeway/<version>`, sent with every request; neighbours' support asks for it.
pub const USER_AGENT: &str = concat!("causeway/", env!("CARGO_PKG_VERSION"));

/// The largest reply of most kinds that is held in memory, in bytes: above the 25 MiB that Databricks allows for an inline result.
pub const MAX_REPLY_BYTES: usize = 64 * 1024 * 1024;

/// Shorter than any kind's time for a try, so that a dead address is known as "never sent".
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Shorter than the neighbours keep an idle connection: one that they close under us costs an ambiguous failure.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// Roots come from the system's store (or `SSL_CERT_FILE`). Redirects are answers, never followed: a private-link
/// refusal of Databricks is a redirect to a login page, and a token must not travel on.
pub(super) fn client() -> Result<reqwest::Client, Failure> {
    built(builder())
}

/// The same for addresses that somebody else chose: names are looked up by `resolver` alone, and no proxy stands between,
/// which would look them up itself.
pub(super) fn guarded_client(resolver: Arc<dyn reqwest::dns::Resolve>) -> Result<reqwest::Client, Failure> {
    built(builder().no_proxy().dns_resolver(resolver))
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_nodelay(true)
        .referer(false)
        .gzip(true)
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Failure> {
    builder.build().map_err(|error| {
        Failure::new(
            Code::Misconfigured,
            "No HTTPS client could be made: check that the system's certificates (package ca-certificates) or \
             SSL_CERT_FILE can be read.",
        )
        .caused_by(error)
    })
}

/// Turns our request into the library's; fails for a header that HTTP cannot carry.
pub(super) fn build(request: &Outbound) -> Result<reqwest::Request, Broken> {
    let never = |source: Arc<dyn StdError + Send + Sync>| Broken {
        known: Known::NeverSent,
        transient: false,
        timed_out: false,
        source,
    };
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| never(Arc::new(error)))?;
    let mut built = reqwest::Request::new(method, request.url.clone());
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| never(Arc::new(error)))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| never(Arc::new(error)))?;
        value.set_sensitive(request.sensitive || name == reqwest::header::AUTHORIZATION);
        built.headers_mut().append(name, value);
    }
    // Service Bus would take the headers for properties of the message, which has its own.
    let has = |wanted: &str| request.headers.iter().any(|(name, _)| name == wanted);
    if let Some(trace) = Trace::current()
        && !has("traceparent")
        && !has("diagnostic-id")
    {
        let state = trace.tracestate().map(|state| ("tracestate", state.to_owned()));
        for (name, value) in [("traceparent", trace.traceparent())].into_iter().chain(state) {
            let value = HeaderValue::from_str(&value).map_err(|error| never(Arc::new(error)))?;
            built.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(body) = &request.body {
        *built.body_mut() = Some(body.clone().into());
    } else if request.method == "POST" {
        // Some servers refuse a POST without a length.
        built.headers_mut().insert(reqwest::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(built)
}

/// What is known about a try without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// No byte of the request can have reached the neighbour.
    NeverSent,
    /// It may have been received; no answer came.
    Ambiguous,
    /// It was answered, and the answer broke off.
    Cut,
    /// It was answered, with more than we hold.
    TooLarge,
}

/// A try without a whole answer.
pub(super) struct Broken {
    pub(super) known: Known,
    /// Whether another try could fare better.
    pub(super) transient: bool,
    pub(super) timed_out: bool,
    pub(super) source: Arc<dyn StdError + Send + Sync>,
}

impl Broken {
    /// The time was up before anything went out.
    pub(super) fn before_sending() -> Self {
        Self { known: Known::NeverSent, transient: false, timed_out: true, source: Arc::new(TooLate) }
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

#[derive(Debug, thiserror::Error)]
#[error("no whole answer within {} ms", .0.as_millis())]
struct TooSlow(Duration);

#[derive(Debug, thiserror::Error)]
#[error("the deadline passed before the request was sent")]
struct TooLate;

#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {0} bytes")]
struct TooLarge(usize);

/// One try: sends and reads the whole body, of at most `most` bytes, within `limit`.
pub(super) async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    limit: Duration,
    most: usize,
) -> Result<Answer, Broken> {
    match tokio::time::timeout(limit, read(client, request, most)).await {
        Ok(result) => result,
        Err(_) => Err(too_slow(limit)),
    }
}

/// One try, up to the head of its answer.
pub(super) async fn head(
    client: &reqwest::Client,
    request: &Outbound,
    limit: Duration,
) -> Result<reqwest::Response, Broken> {
    if limit.is_zero() {
        return Err(Broken::before_sending());
    }
    match tokio::time::timeout(limit, client.execute(build(request)?)).await {
        Ok(answered) => answered.map_err(broken),
        Err(_) => Err(too_slow(limit)),
    }
}

/// The rest of an answer that is to be held after all.
pub(super) async fn rest(response: reqwest::Response, limit: Duration, most: usize) -> Result<Answer, Broken> {
    tokio::time::timeout(limit, whole(response, most)).await.unwrap_or_else(|_| Err(too_slow(limit)))
}

async fn read(client: &reqwest::Client, request: reqwest::Request, most: usize) -> Result<Answer, Broken> {
    whole(client.execute(request).await.map_err(broken)?, most).await
}

async fn whole(mut response: reqwest::Response, most: usize) -> Result<Answer, Broken> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    // A body that grows by doubling could hold twice its size.
    let told = response.content_length().unwrap_or(0);
    if told > most as u64 {
        return Err(too_large(most));
    }
    let mut body = BytesMut::with_capacity(usize::try_from(told).unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if body.len() + chunk.len() > most {
            return Err(too_large(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

fn too_slow(limit: Duration) -> Broken {
    Broken { known: Known::Ambiguous, transient: true, timed_out: true, source: Arc::new(TooSlow(limit)) }
}

fn too_large(most: usize) -> Broken {
    Broken { known: Known::TooLarge, transient: false, timed_out: false, source: Arc::new(TooLarge(most)) }
}

/// The library prints the URL in its errors; ours never do.
fn broken(error: reqwest::Error) -> Broken {
    let known = if error.is_connect() || error.is_builder() { Known::NeverSent } else { Known::Ambiguous };
    Broken {
        known,
        transient: !error.is_builder() && !led_inside(&error),
        timed_out: error.is_timeout(),
        source: Arc::new(error.without_url()),
    }
}

/// The lookup refused where the name leads; it would again.
fn led_inside(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<LedInside>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whatever the library calls a failure while the body is read (a cut shows up as "decode"), the request had arrived.
fn cut(error: reqwest::Error) -> Broken {
    Broken { known: Known::Cut, transient: true, timed_out: error.is_timeout(), source: Arc::new(error.without_url()) }
}
