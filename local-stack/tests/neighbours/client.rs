//! A plain HTTP/1.1 client for these tests, which trusts exactly one authority. It retries nothing.

use std::sync::Arc;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) authority_pem: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn trusting(authority_pem: &str) -> Self {
        Self { authority_pem: Some(authority_pem.into()), headers: Vec::new() }
    }

    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.into(), value.into()));
        client
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.send("GET", url, String::new()).await
    }

    pub(crate) async fn send(&self, method: &str, url: &str, body: impl Into<Bytes>) -> Reply {
        let url: url::Url = url.parse().unwrap();
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
        let mut request = Request::builder().method(method).uri(&url[url::Position::BeforePath..]);
        request = request.header("host", format!("{host}:{port}"));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let stream = TcpStream::connect((host, port)).await.unwrap();
        if url.scheme() == "http" {
            return exchange(stream, request).await;
        }
        let mut roots = RootCertStore::empty();
        let pem = self.authority_pem.as_deref().expect("https needs an authority");
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(host.to_owned()).unwrap();
        exchange(connector.connect(name, stream).await.unwrap(), request).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Reply {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&body).into_owned() }
}
