//! Any call of the Power BI API, as a caller describes it. The address never leaves the host: a path is taken apart and put
//! together again. What may be asked, and how often, is decided above.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use url::Url;

use super::refusal::refused;
use super::{PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

/// Longest address, in characters; servers take about as many.
const LONGEST: usize = 8 << 10;

/// A call that has been checked.
#[derive(Clone, Debug)]
pub struct RawCall {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
}

impl PowerBi {
    /// The address of a path below `/v1.0/myorg`, or below the host when it begins with `/v1.0/`.
    pub fn raw_address(&self, path: &str, query: &[(String, String)]) -> Result<Url, Failure> {
        let segments = segments(path)?;
        let whole = segments.first().is_some_and(|first| first.eq_ignore_ascii_case("v1.0"));
        let root: &[&str] = if whole { &[] } else { &["v1.0", "myorg"] };
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "CAUSEWAY_POWER_BI_URL is not a URL that has paths."))?
            .pop_if_empty()
            .extend(root)
            .extend(&segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        if url.as_str().len() > LONGEST {
            let detail = format!("`path` and `query` make an address of more than {LONGEST} characters.");
            return Err(Failure::new(Code::BodyInvalid, detail).at(if query.is_empty() { "path" } else { "query" }));
        }
        Ok(url)
    }

    /// Sends once, and gives back whatever came.
    pub async fn raw(&self, call: &RawCall, deadline: Deadline) -> Result<Reply, PowerBiError> {
        let kind = if call.method == "GET" { RequestKind::RawRead } else { RequestKind::RawWrite };
        let mut request = Outbound { method: call.method, body: call.body.clone(), ..Outbound::get(call.url.clone()) };
        request.headers.clone_from(&call.headers);
        let about_the_token =
            |reply: &Reply| !reply.is_success() && refused(reply, kind, &Subject::Service).is_about_the_token();
        Ok(self.way.send(kind, request, deadline, about_the_token).await?)
    }
}

/// What a call that was refused means.
pub fn raw_refusal(reply: &Reply, method: &str) -> Failure {
    let kind = if method == "GET" { RequestKind::RawRead } else { RequestKind::RawWrite };
    PowerBiError::from(refused(reply, kind, &Subject::Service)).into()
}

/// The decoded segments of a path. Whatever could lead elsewhere is refused, in every spelling.
fn segments(path: &str) -> Result<Vec<String>, Failure> {
    let invalid = |what: &str| {
        let detail = format!(
            "`path` is a path of the Power BI API such as /groups or /v1.0/myorg/groups; {what}. What follows a `?` goes \
             into `query`."
        );
        Failure::new(Code::BodyInvalid, detail).at("path")
    };
    if path.contains(['?', '#', '\\']) || path.contains("://") {
        return Err(invalid("it has no scheme, host, `?`, `#` or backslash"));
    }
    let inside = path.strip_prefix('/').unwrap_or(path);
    if inside.is_empty() {
        return Err(invalid("it is empty"));
    }
    inside
        .split('/')
        .map(|raw| {
            let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| invalid("it is no UTF-8"))?;
            // Decoded once more it must stay as it is: somebody on the way might do so.
            let again = percent_decode_str(&decoded).decode_utf8_lossy();
            let tricky = decoded.is_empty()
                || [decoded.as_ref(), again.as_ref()].iter().any(|text| {
                    matches!(text.trim(), "." | "..")
                        || text.contains(['/', '\\'])
                        || text.chars().any(char::is_control)
                });
            if tricky {
                return Err(invalid("it has no empty part, no `.` or `..`, and no slash in disguise"));
            }
            Ok(decoded.into_owned())
        })
        .collect()
}
