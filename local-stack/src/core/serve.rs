//! Serving an axum router on loopback over raw hyper connections, so that a fault can cut a connection where a
//! framework would insist on answering. TLS where the real service insists on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::plan::{Drawn, Slot};
use super::{Action, Faults, History, Moment};

/// A certificate for loopback, in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate_pem: String,
    pub key_pem: String,
}

/// A stand-in that is being served; it stops when this is dropped.
#[derive(Debug)]
pub struct Served {
    pub address: SocketAddr,
    pub faults: Faults,
    /// What goes wrong by chance.
    pub chance: Slot,
    pub history: History,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Served {
    /// Serves `router` as `service` on `127.0.0.1:port`; port 0 takes any free one.
    pub async fn start(
        service: &'static str,
        port: u16,
        tls: Option<&Tls>,
        router: Router,
        history: History,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let faults = Faults::default();
        let acceptor = tls.map(acceptor).transpose()?;
        let chance = Slot::default();
        let (shared, recorded) = (chance.clone(), history.clone());
        let context = Context { service, router, faults: faults.clone(), chance: shared, history: recorded };
        let task = tokio::spawn(accept(listener, acceptor, Arc::new(context)));
        Ok(Self { address, faults, chance, history, task })
    }

    /// `http://127.0.0.1:port`, without a trailing slash.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }
}

struct Context {
    service: &'static str,
    router: Router,
    faults: Faults,
    chance: Slot,
    history: History,
}

fn acceptor(tls: &Tls) -> anyhow::Result<TlsAcceptor> {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let chain = CertificateDer::pem_slice_iter(tls.certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, context: Arc<Context>) {
    // Connections live in this set, so that they end with the stand-in and not some time later.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (context, acceptor) = (context.clone(), acceptor.clone());
        connections.spawn(async move {
            match acceptor {
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, context).await;
                    }
                }
                None => connection(stream, context).await,
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, context: Arc<Context>) {
    let service = service_fn(move |request| answer(request, context.clone()));
    // A cut connection is an error here by design; there is nobody to tell.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, context: Arc<Context>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    if let Some(response) = control(&context, parts.method.as_str(), &target, &body) {
        return Ok(response);
    }
    context.history.record(
        context.service,
        "request",
        json!({"method": parts.method.as_str(), "target": without_signature(&target), "bytes": body.len()}),
    );
    let crash = context.faults.crash();
    let counted = crash.as_ref().map(|crash| crash.count(context.service, parts.method.as_str(), &target));
    let dies = counted.flatten();
    if let (Some(crash), Some(Moment::BeforeCommit)) = (&crash, dies) {
        crash.kill().await;
        return Err(cut());
    }
    let mut action = context.faults.take(parts.method.as_str(), &target, &body);
    let mut drawn = None;
    if let (None, Some(plan)) = (&action, context.chance.plan()) {
        drawn = plan.draw(context.service, parts.method.as_str(), &target, &body);
        action = drawn.as_ref().map(|drawn| drawn.action.clone());
    }
    match &action {
        Some(Action::CutBeforeCommit) => return Err(cut_by(drawn).await),
        Some(Action::Hang) => std::future::pending().await,
        Some(Action::Status { status, headers, body }) => return Ok(instead(*status, headers, body)),
        Some(delay @ Action::Delay { .. }) => tokio::time::sleep(delay.delay().unwrap_or_default()).await,
        _ => {}
    }
    let response = match context.router.clone().oneshot(Request::from_parts(parts, Body::from(body))).await {
        Ok(response) => response,
        Err(infallible) => match infallible as Infallible {},
    };
    if let (Some(crash), Some(Moment::AfterCommit)) = (&crash, dies) {
        crash.kill().await;
        return Err(cut());
    }
    match action {
        Some(Action::CutAfterCommit) => Err(cut_by(drawn).await),
        Some(Action::StatusAfterCommit { status, headers, body }) => Ok(instead(status, &headers, &body)),
        Some(Action::EmptyBody) => {
            let (mut parts, _) = response.into_parts();
            parts.headers.remove(http::header::CONTENT_LENGTH);
            Ok(Response::from_parts(parts, Body::empty()))
        }
        Some(Action::Truncate { bytes }) => Ok(truncated(response, bytes).await),
        Some(delay @ Action::DelayAfterCommit { .. }) => {
            tokio::time::sleep(delay.delay().unwrap_or_default()).await;
            Ok(response)
        }
        _ if response.extensions().get::<CutConnection>().is_some() => Err(cut()),
        _ => Ok(response),
    }
}

/// A presigned link is a secret while it is good, and a history is for reading.
fn without_signature(target: &str) -> String {
    let Some((before, rest)) = target.split_once("sig=") else { return target.to_owned() };
    let after = rest.find('&').map_or("", |end| &rest[end..]);
    format!("{before}sig=hidden{after}")
}

/// Put into a response's extensions, closes the connection instead of answering.
#[derive(Clone, Copy, Debug)]
pub struct CutConnection;

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by a fault")
}

/// A cut that was drawn may be a handler's end.
async fn cut_by(drawn: Option<Drawn>) -> io::Error {
    if let Some(drawn) = drawn {
        drawn.kill().await;
    }
    cut()
}

fn instead(status: u16, headers: &[(String, String)], body: &str) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT));
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body.to_owned())).unwrap_or_default()
}

/// Promises the whole body by Content-Length and breaks off.
async fn truncated(response: Response<Body>, keep: usize) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(whole.len().max(keep + 1)));
    let start: io::Result<Bytes> = Ok(whole.slice(..keep.min(whole.len())));
    let break_off = async {
        // Without this pause nothing at all would have been sent yet, which is another fault.
        tokio::task::yield_now().await;
        Err(cut())
    };
    let stream = stream::iter([start]).chain(stream::once(break_off));
    Response::from_parts(parts, Body::from_stream(stream))
}

fn control(context: &Context, method: &str, target: &str, body: &[u8]) -> Option<Response<Body>> {
    let path = target.strip_prefix("/__stand-in/")?;
    let reply = match (method, path) {
        ("GET", "history") => serde_json::to_string(&context.history.all()).ok()?,
        ("DELETE", "faults") => {
            context.faults.clear();
            "{}".into()
        }
        ("POST", "faults") => match serde_json::from_slice(body) {
            Ok(fault) => {
                context.faults.add(fault);
                "{}".into()
            }
            Err(error) => return Some(instead(400, &[], &error.to_string())),
        },
        // Anything else under the prefix is the stand-in's own control, handled by its router.
        _ => return None,
    };
    Some(instead(200, &[("content-type".into(), "application/json".into())], &reply))
}
