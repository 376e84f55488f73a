//! Where a raw call may lead.

use std::sync::{Arc, Mutex};

use rstest::rstest;
use url::Url;

use super::Numbered;
use crate::failure::Code;
use crate::http::Http;
use crate::power_bi::PowerBi;

fn address(path: &str) -> Result<String, Code> {
    let url = Url::parse("https://api.powerbi.com").unwrap();
    let client = PowerBi::new(Http::new().unwrap(), url, Arc::new(Numbered(Mutex::new(1))));
    let query = [("$top".to_owned(), "1&x=y".to_owned())];
    client.raw_address(path, &query).map(|url| url.to_string()).map_err(|failure| failure.code)
}

#[rstest]
#[case("/groups", "/v1.0/myorg/groups")]
#[case("groups", "/v1.0/myorg/groups")]
#[case("/v1.0/myorg/admin/groups", "/v1.0/myorg/admin/groups")]
#[case("/datasets/1/Default.TakeOver", "/v1.0/myorg/datasets/1/Default.TakeOver")]
#[case("/tables/a%20b ü", "/v1.0/myorg/tables/a%20b%20%C3%BC")]
#[case("/a@evil.example", "/v1.0/myorg/a@evil.example")]
#[case("/100%25", "/v1.0/myorg/100%25")]
fn a_path_stays_on_the_host(#[case] path: &str, #[case] expected: &str) {
    assert_eq!(address(path), Ok(format!("https://api.powerbi.com{expected}?%24top=1%26x%3Dy")));
}

#[rstest]
#[case("")]
#[case("/")]
#[case("//evil.example/x")]
#[case("https://evil.example/x")]
#[case("/https://evil.example")]
#[case("/groups/..")]
#[case("/../admin")]
#[case("/v1.0/../x")]
#[case("/%2e%2e/x")]
#[case("/.%2E/x")]
#[case("/%252e%252e/x")]
#[case("/a%2fb")]
#[case("/a%252Fb")]
#[case("/a%5cb")]
#[case("/a\\b")]
#[case("/groups?x=1")]
#[case("/groups#x")]
#[case("/groups/")]
#[case("/a%00b")]
#[case("/a\r\nb")]
#[case("/%ff")]
fn what_could_lead_elsewhere_is_refused(#[case] path: &str) {
    assert_eq!(address(path), Err(Code::BodyInvalid), "{path:?}");
}
