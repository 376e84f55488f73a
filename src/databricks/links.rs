//! Presigned links to chunks in the workspace's storage account: read, renewed, fetched. Whoever has a link and its
//! headers has the rows, so neither is ever shown, and our token is never sent along.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use url::{Host, Url};

use super::error::Refused;
use super::refusal::{request_id, unexpected};
use super::subject::Subject;
use super::{ChunkInfo, Databricks, DatabricksError};
use crate::failure::{Code, Effect, Failure};
use crate::http::{Deadline, HttpError, Known, Outbound, Reply, RequestKind};

/// New links for one chunk, at most.
const MOST_RENEWALS: u32 = 3;
/// A link this near to its end is renewed before it is used: the fetch takes time too.
const TOO_NEAR: Duration = Duration::from_secs(30);

/// A link to one chunk.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) chunk: ChunkInfo,
    pub(super) next_chunk_index: Option<u64>,
    url: Url,
    headers: Vec<(String, String)>,
    expiration: Option<Timestamp>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a link to chunk {} (REDACTED)", self.chunk.chunk_index)
    }
}

impl Link {
    /// The links of `external_links`. Members are looked up one by one: an error of a JSON reader could quote a secret.
    pub(super) fn all(external_links: &Value, asked: u64) -> Result<Vec<Self>, String> {
        let links = external_links.as_array().ok_or("its external_links are no list")?;
        links.iter().map(|link| Self::read(link, asked)).collect()
    }

    fn read(link: &Value, asked: u64) -> Result<Self, String> {
        let number = |name: &str| link.get(name).and_then(Value::as_u64);
        let url = link.get("external_link").and_then(Value::as_str).ok_or("a link of it has no external_link")?;
        let mut headers = Vec::new();
        match link.get("http_headers") {
            None | Some(Value::Null) => {}
            Some(Value::Object(named)) => {
                for (name, value) in named {
                    let value = value.as_str().ok_or("a header of a link is no text")?;
                    headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
            }
            Some(_) => return Err("the http_headers of a link are no object".to_owned()),
        }
        Ok(Self {
            chunk: ChunkInfo {
                chunk_index: number("chunk_index").unwrap_or(asked),
                row_offset: number("row_offset"),
                row_count: number("row_count"),
                byte_count: number("byte_count"),
            },
            next_chunk_index: number("next_chunk_index"),
            url: Url::parse(url).map_err(|_| "a link of it is no URL")?,
            headers,
            expiration: link.get("expiration").and_then(Value::as_str).and_then(|at| at.parse().ok()),
        })
    }

    /// Whether it is the link to this chunk. Rows tell, since an index may come twice.
    pub(super) fn leads_to(&self, chunk: &ChunkInfo) -> bool {
        match (self.chunk.row_offset, chunk.row_offset) {
            (Some(here), Some(there)) => here == there,
            _ => self.chunk.chunk_index == chunk.chunk_index,
        }
    }

    fn ends_within(&self, time: Duration) -> bool {
        self.expiration.is_some_and(|end| end <= Timestamp::now() + time)
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    fn request(&self) -> Outbound {
        let request = Outbound { sensitive: true, ..Outbound::get(self.url.clone()) };
        Outbound { headers: self.headers.clone(), ..request }
    }
}

/// The body of a link, and what the link said about it.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) chunk: ChunkInfo,
    pub(super) next_chunk_index: Option<u64>,
    pub(super) body: Bytes,
}

impl Databricks {
    /// The bytes of a chunk, by `link` or by one that is asked for.
    pub(super) async fn fetch_linked(
        &self,
        statement_id: &str,
        chunk: &ChunkInfo,
        link: Option<Link>,
        deadline: Deadline,
    ) -> Result<Fetched, DatabricksError> {
        let mut link = match link.filter(|link| !link.ends_within(TOO_NEAR)) {
            Some(link) => link,
            None => self.link(statement_id, chunk, deadline).await?,
        };
        let mut renewals = 0;
        loop {
            self.check_scheme(&link)?;
            let error = match self.http.send(RequestKind::ResultLink, link.request(), deadline).await {
                Ok(reply) if reply.is_success() => return fetched(statement_id, link, reply),
                // Storages say with these that a link has run out (Azure and S3 403, Google 400), and that it leads to
                // nothing any more.
                Ok(reply) if matches!(reply.status, 400 | 401 | 403 | 404 | 410) => {
                    refused_link(statement_id, &link, &reply)
                }
                Ok(reply) => return Err(refused_link(statement_id, &link, &reply)),
                Err(lost)
                    if link.ends_within(Duration::ZERO) && matches!(lost.known, Known::Ambiguous | Known::Cut) =>
                {
                    lost.into()
                }
                Err(lost) => return Err(lost_link(&link, lost, deadline)),
            };
            if renewals == MOST_RENEWALS || deadline.has_passed() {
                return Err(error);
            }
            renewals += 1;
            link = self.link(statement_id, chunk, deadline).await?;
        }
    }

    /// A new link to the chunk.
    async fn link(&self, statement_id: &str, chunk: &ChunkInfo, deadline: Deadline) -> Result<Link, DatabricksError> {
        let links = self.links(statement_id, chunk.chunk_index, deadline).await?;
        links.into_iter().find(|link| link.leads_to(chunk)).ok_or_else(|| DatabricksError::Incomplete {
            statement_id: statement_id.to_owned(),
            what: format!("there is no link to chunk {}", chunk.chunk_index),
        })
    }

    /// HTTPS only; plain HTTP where the workspace itself is a stand-in on this machine.
    fn check_scheme(&self, link: &Link) -> Result<(), Failure> {
        let local = self.host.scheme() == "http"
            && match self.host.host() {
                Some(Host::Domain(name)) => name == "localhost",
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
        let plain = link.url.username().is_empty() && link.url.password().is_none() && link.url.has_host();
        if plain && (link.url.scheme() == "https" || (local && link.url.scheme() == "http")) {
            return Ok(());
        }
        Err(Failure::new(
            Code::UpstreamReplyInvalid,
            "Databricks gave a link to the result that is not an HTTPS address; it was not followed.",
        ))
    }
}

/// What the storage sent, unless it is no chunk.
fn fetched(statement_id: &str, link: Link, reply: Reply) -> Result<Fetched, DatabricksError> {
    let index = link.chunk.chunk_index;
    if reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        // What stands between us and the storage answered, a proxy or a firewall.
        return Err(DatabricksError::StorageBlocked { host: link.host(), status: Some(reply.status), source: None });
    }
    if reply.body.is_empty() {
        return Err(DatabricksError::Incomplete {
            statement_id: statement_id.to_owned(),
            what: format!("chunk {index} is empty"),
        });
    }
    Ok(Fetched { chunk: link.chunk, next_chunk_index: link.next_chunk_index, body: reply.body })
}

/// What a link's refusal means. The body is left out: Azure quotes in it what was signed.
fn refused_link(statement_id: &str, link: &Link, reply: &Reply) -> DatabricksError {
    let subject = Subject::Rows(statement_id.to_owned());
    match reply.status {
        401 | 403 => DatabricksError::StorageBlocked { host: link.host(), status: Some(reply.status), source: None },
        300..=399 => unexpected(reply, RequestKind::ResultLink, &subject, "a redirect of the storage account"),
        status => Refused {
            subject,
            status,
            error_code: None,
            message: format!("the storage account {} answered {status}", link.host()),
            request_id: request_id(reply).or_else(|| reply.header("x-ms-request-id").map(str::to_owned)),
            retry_after: reply.retry_after(),
            effect: Effect::None,
        }
        .into(),
    }
}

fn lost_link(link: &Link, lost: HttpError, deadline: Deadline) -> DatabricksError {
    // Who is slow to answer may be reached.
    let slow = lost.known == Known::Ambiguous && lost.timed_out;
    match lost.known {
        // A firewall takes no connection, or closes it without a word (one that looks at names does).
        Known::NeverSent | Known::Ambiguous if !deadline.has_passed() && !slow => {
            DatabricksError::StorageBlocked { host: link.host(), status: None, source: Some(lost) }
        }
        Known::TooLarge => Failure::new(
            Code::ResultTooLarge,
            format!(
                "A chunk of the result has more than {} MiB, which is the most that is held in memory. Ask for fewer \
                 columns, or for shorter values.",
                RequestKind::ResultLink.allowance().reply_bytes >> 20
            ),
        )
        .caused_by(lost)
        .into(),
        _ => lost.into(),
    }
}
