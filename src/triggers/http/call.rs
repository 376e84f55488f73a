//! From a request to a `Call`: mode, wait, keys of idempotency, and the address the caller used.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use url::{Host, Url, form_urlencoded};

use super::super::Limits;
use super::super::function::Verb;
use super::super::layers::Invocation;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::requests::{Call, Mode, Presence};

/// Longest wait a caller may ask for, in seconds: below our own deadline of 110.
const MOST_WAIT_SECONDS: u64 = 105;

/// Longest `Idempotency-Key`, in characters.
const MOST_KEY: usize = 256;

/// The host's own: the function key and its name. Never handed on, so that no log and no ledger can hold them.
const KEY_NAMES: [&str; 2] = ["code", "clientId"];

pub(super) fn decode(
    request: &HttpRequest,
    verb: Verb,
    invocation: &Invocation,
    limits: &Limits,
    presence: Presence,
) -> Result<Call, Failure> {
    let query = query(request.query_string(), known(verb, invocation.route))?;
    let late = limits.stream_deadline.saturating_sub(invocation.arrived.elapsed());
    Ok(Call {
        deadline: invocation.deadline,
        stream_deadline: Deadline::after(late),
        stream_pause: limits.stream_pause,
        presence,
        mode: mode(&query)?,
        idempotency_key: idempotency_key(request.headers())?,
        invocation_id: invocation.id.clone(),
        // The host has checked the function key and does not say which one it was.
        caller: "keys".to_owned(),
        user: None,
        forwarded_base: forwarded_base(request.headers()),
        query,
    })
}

/// What may stand in the query of a route.
fn known(verb: Verb, route: &str) -> &'static [&'static str] {
    const STATEMENTS: &str = "/api/sql/statements";
    match (verb, route) {
        (Verb::Start, STATEMENTS) => &["waitSeconds", "mode", "format", "shape", "decimals", "bigints", "pageSize"],
        (Verb::Start, table) if table.starts_with("/api/sql/catalogs") => {
            &["waitSeconds", "mode", "write", "keys", "warehouseId"]
        }
        (Verb::Start, _) => &["waitSeconds", "mode"],
        (Verb::Get, "/api/sql/statements/{id}/rows") => {
            &["waitSeconds", "format", "shape", "decimals", "bigints", "pageSize", "row", "runAs"]
        }
        (Verb::Get, "/api/sql/statements/{id}") => &["shape", "decimals", "bigints", "runAs"],
        (Verb::Act, "/api/sql/statements/{id}/cancel") => &["runAs"],
        (Verb::Act, "/api/jobs/runs/{id}/cancel" | "/api/runs/{id}/cancel") => &["waitSeconds"],
        (Verb::Act, "/api/runs/{id}/retry") => &["waitSeconds", "mode", "definition"],
        (Verb::Get, "/api/runs") => &["operation", "state", "from", "to", "top"],
        (Verb::Get, "/api/jobs") => &["name", "limit"],
        (Verb::Get, "/api/jobs/{job}/runs") => &["state", "from", "to", "limit"],
        (Verb::Get, list) if is_list(list) || list.ends_with("/datasets/{d}/refreshes") => &["top"],
        (Verb::Get, list) if is_power_bi_list(list) => &["top", "skip", "filter"],
        _ => &[],
    }
}

/// The lists that come in pages.
fn is_list(route: &str) -> bool {
    let last = route.rsplit('/').next().unwrap_or_default();
    route.starts_with("/api/sql/") && ["warehouses", "catalogs", "schemas", "tables"].contains(&last)
}

/// The same, of Power BI.
fn is_power_bi_list(route: &str) -> bool {
    let last = route.rsplit('/').next().unwrap_or_default();
    route.starts_with("/api/power-bi/") && ["workspaces", "datasets", "reports", "dataflows", "tables"].contains(&last)
}

fn query(raw: &str, known: &[&str]) -> Result<Vec<(String, String)>, Failure> {
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        if KEY_NAMES.contains(&name.as_ref()) {
            continue;
        }
        if !known.contains(&name.as_ref()) {
            let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let detail = format!("The query parameter {name:?} is not known here. Known: {takes}.");
            return Err(Failure::new(Code::QueryInvalid, detail).at(format!("query.{name}")));
        }
        // The host joins repeated ones with a comma or not, depending on how it forwards: refused either way.
        if query.iter().any(|(known, _)| *known == name) {
            let detail = format!("The query parameter {name} is given more than once.");
            return Err(Failure::new(Code::QueryInvalid, detail).at(format!("query.{name}")));
        }
        query.push((name.into_owned(), value.into_owned()));
    }
    Ok(query)
}

fn mode(query: &[(String, String)]) -> Result<Mode, Failure> {
    let value = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let wait = value("waitSeconds").map(wait_seconds).transpose()?;
    match value("mode") {
        None | Some("wait") => Ok(Mode::Wait(wait)),
        Some("start") => Ok(Mode::Start),
        Some(_) => {
            let detail = "mode is wait (answer when done) or start (answer 201 at once).";
            Err(Failure::new(Code::QueryInvalid, detail).at("query.mode"))
        }
    }
}

fn wait_seconds(text: &str) -> Result<Duration, Failure> {
    // Digits only: `parse` alone would take `+5`.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if digits && seconds <= MOST_WAIT_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => {
            let detail = format!("waitSeconds is a whole number from 0 to {MOST_WAIT_SECONDS}.");
            Err(Failure::new(Code::QueryInvalid, detail).at("query.waitSeconds"))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut keys = headers.get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if visible && !key.is_empty() && key.len() <= MOST_KEY && keys.next().is_none() => {
            Ok(Some(key.to_owned()))
        }
        _ => {
            let detail = format!("Idempotency-Key is one value of 1 to {MOST_KEY} visible ASCII characters.");
            Err(Failure::new(Code::HeaderInvalid, detail).at("headers.Idempotency-Key"))
        }
    }
}

/// The address that the caller used. Proxying, the host sets X-Forwarded-Host and -Proto and its own `Host`;
/// forwarding, it leaves the caller's `Host`. Azure's front end ends TLS and says so in X-ARR-SSL.
fn forwarded_base(headers: &HeaderMap) -> Option<Url> {
    // A chain of proxies appends; the first entry is the one nearest to the caller.
    let first = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let host = first("x-forwarded-host").or_else(|| first(header::HOST.as_str()))?;
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    if !plain {
        return None;
    }
    let secure = headers.contains_key("x-arr-ssl") || first("x-forwarded-proto").is_some_and(|it| it == "https");
    let mut base = Url::parse(&format!("http://{host}/")).ok()?;
    let local = match base.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    // Azure serves nothing without TLS, whatever the hops behind its front end say; its names carry no port.
    if secure || (!local && base.port().is_none()) {
        base.set_scheme("https").ok()?;
    }
    Some(base)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_said("", Mode::Wait(None))]
    #[case::a_wait("waitSeconds=0&mode=wait", Mode::Wait(Some(Duration::ZERO)))]
    #[case::the_longest_wait("waitSeconds=105&code=k&clientId=default", Mode::Wait(Some(Duration::from_secs(105))))]
    #[case::a_start("mode=start", Mode::Start)]
    fn a_mode_is_read(#[case] raw: &str, #[case] expected: Mode) {
        let query = query(raw, known(Verb::Start, "/api/operations/{name}")).unwrap();
        assert!(query.iter().all(|(name, _)| name != "code"), "a key was handed on");
        assert_eq!(mode(&query).unwrap(), expected);
    }

    #[rstest]
    #[case("waitSeconds=106", "query.waitSeconds")]
    #[case("waitSeconds=-1", "query.waitSeconds")]
    #[case("waitSeconds=%2B5", "query.waitSeconds")]
    #[case("waitSeconds=1.5", "query.waitSeconds")]
    #[case("waitSeconds=", "query.waitSeconds")]
    #[case("waitSeconds=1&waitSeconds=1", "query.waitSeconds")]
    #[case("waitSeconds=1,1", "query.waitSeconds")]
    #[case("mode=later", "query.mode")]
    #[case("wait=5", "query.wait")]
    fn a_wrong_query_names_its_place(#[case] raw: &str, #[case] place: &str) {
        let failure =
            query(raw, known(Verb::Start, "/api/operations/{name}")).and_then(|query| mode(&query)).unwrap_err();
        assert_eq!((failure.code, failure.place.as_deref()), (Code::QueryInvalid, Some(place)));
    }

    #[test]
    fn only_calls_that_start_work_take_a_wait() {
        assert_eq!(query("waitSeconds=5", &[]).unwrap_err().code, Code::QueryInvalid);
        assert!(query("code=key", &[]).unwrap().is_empty());
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii_of_at_most_256_characters() {
        let read = |keys: &[&str]| {
            let mut request = TestRequest::default();
            for key in keys {
                request = request.append_header(("Idempotency-Key", *key));
            }
            idempotency_key(request.to_http_request().headers())
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["order-7"]).unwrap().as_deref(), Some("order-7"));
        assert!(read(&["x".repeat(256).as_str()]).is_ok());
        for wrong in [&[""][..], &["two words"], &["größe"], &["x".repeat(257).as_str()], &["a", "b"]] {
            assert_eq!(read(wrong).unwrap_err().code, Code::HeaderInvalid, "{wrong:?}");
        }
    }

    #[rstest]
    #[case::proxied(&[("host", "127.0.0.1:5000"), ("x-forwarded-host", "app.azurewebsites.net"), ("x-forwarded-proto", "https")], "https://app.azurewebsites.net/")]
    #[case::behind_the_front_end(&[("x-forwarded-host", "app.azurewebsites.net"), ("x-forwarded-proto", "http")], "https://app.azurewebsites.net/")]
    #[case::local(&[("x-forwarded-host", "127.0.0.1:7071"), ("x-forwarded-proto", "http")], "http://127.0.0.1:7071/")]
    #[case::forwarded(&[("host", "app.azurewebsites.net"), ("x-arr-ssl", "2048|256")], "https://app.azurewebsites.net/")]
    #[case::a_container(&[("x-forwarded-host", "stack:7071"), ("x-forwarded-proto", "http")], "http://stack:7071/")]
    #[case::a_chain(&[("x-forwarded-host", "front.example.com, app.azurewebsites.net")], "https://front.example.com/")]
    fn the_base_is_the_address_that_the_caller_used(#[case] headers: &[(&str, &str)], #[case] expected: &str) {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.insert_header(*header);
        }
        let base = forwarded_base(request.to_http_request().headers()).unwrap();
        assert_eq!(base.as_str(), expected);
    }

    #[test]
    fn a_host_with_a_path_or_a_user_is_not_believed() {
        for host in ["evil.example/x", "user@evil.example", "a b", ""] {
            let request = TestRequest::default().insert_header(("x-forwarded-host", host)).to_http_request();
            let base = forwarded_base(request.headers());
            assert!(base.is_none_or(|base| base.host_str() != Some("evil.example")), "{host}");
        }
    }
}
