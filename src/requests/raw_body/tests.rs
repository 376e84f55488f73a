//! What a raw call makes go out, and what it may not.

use serde_json::json;

use super::*;

fn body(value: &Value) -> Body {
    serde_json::from_str(&value.to_string()).expect("a body")
}

fn sent(value: &Value) -> Result<(Headers, Option<Bytes>), Failure> {
    body(value).content()
}

#[test]
fn data_goes_out_as_it_stands() {
    let text = r#"{"method":"post","path":"/x","data":{"n":12345678901234567890.123, "a":[]},"headers":{"X-PowerBI-Profile-Id":"p"}}"#;
    let body: Body = serde_json::from_str(text).unwrap();
    let (headers, content) = body.content().unwrap();
    assert_eq!(content.unwrap(), r#"{"n":12345678901234567890.123, "a":[]}"#);
    let has = |name: &str, value: &str| headers.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("content-type", "application/json") && has("x-powerbi-profile-id", "p"), "{headers:?}");
    assert_eq!(body.method().unwrap(), "POST");
}

#[test]
fn a_form_has_its_fields_and_its_files() {
    let (headers, content) = sent(&json!({
        "method": "POST", "path": "/imports", "formData": {"a\"b": "1", "n": 2},
        "fileData": {"file": "aGVsbG8=", "other": ""}, "fileNames": {"file": "Sales\n.pbix"},
    }))
    .unwrap();
    let kind = &headers.iter().find(|(name, _)| name == "content-type").unwrap().1;
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Sales%0A.pbix\"\r\n\
         Content-Type: application/octet-stream\r\n\r\nhello\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"other\"; filename=\"other\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\r\n\
         --{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8(content.unwrap().to_vec()).unwrap(), expected);
}

#[test]
fn a_query_takes_lists() {
    let body = body(&json!({"method": "GET", "path": "/x", "query": {"$top": 5, "tag": ["a", true]}}));
    let pairs = [("$top", "5"), ("tag", "a"), ("tag", "true")];
    assert_eq!(body.query().unwrap(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn pauses_grow_when_they_are_told_to() {
    let retry = Retry { max: 3, delay_ms: 100, exponential: true, on_all_errors: false };
    let pauses: Vec<u128> = (1..=4).map(|tries| retry.pause(tries).as_millis()).collect();
    assert_eq!(pauses, [100, 200, 400, 800]);
    assert_eq!(Retry { exponential: false, ..retry }.pause(4).as_millis(), 100);
}

#[test]
fn what_cannot_be_sent_is_named() {
    for (change, place) in [
        (json!({"method": "TRACE"}), "method"),
        (json!({"query": {"a": {"b": 1}}}), "query.a"),
        (json!({"headers": {"Authorization": "Bearer x"}}), "headers.Authorization"),
        (json!({"headers": {"host": "evil.example"}}), "headers.host"),
        (json!({"headers": {"Proxy-Authorization": "x"}}), "headers.Proxy-Authorization"),
        (json!({"headers": {"x": "a\r\nb: c"}}), "headers.x"),
        (json!({"headers": {"a b": "x"}}), "headers.a b"),
        (json!({"data": 1, "formData": {"a": "b"}}), "data"),
        (json!({"method": "GET", "data": {}}), "data"),
        (json!({"formData": {"a": "b"}, "headers": {"Content-Type": "text/plain"}}), "headers"),
        (json!({"fileData": {"f": "not base64!"}}), "fileData.f"),
        (json!({"fileNames": {"f": "x"}}), "fileNames"),
        (json!({"timeoutSeconds": 0}), "timeoutSeconds"),
        (json!({"timeoutSeconds": 106}), "timeoutSeconds"),
        (json!({"retry": {"max": 11}}), "retry.max"),
        (json!({"retry": {"delayMs": 60_001}}), "retry.delayMs"),
    ] {
        let mut whole = json!({"method": "POST", "path": "/x"});
        for (name, value) in change.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let body = body(&whole);
        let checked = body
            .method()
            .and_then(|_| body.query())
            .and_then(|_| body.content())
            .and_then(|_| body.timeout())
            .and_then(|_| body.retry());
        let failure = checked.expect_err(place);
        assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some(place)));
    }
}
