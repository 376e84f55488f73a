//! The one shape that every failure has, whoever failed. Only assertions.

use serde_json::Value;

use crate::road::Reply;

impl Reply {
    /// A problem with every member that callers rely on.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.body["type"], format!("urn:causeway:error:{code}"));
        assert_eq!(self.body["status"], status);
        for member in ["title", "detail", "message", "requestId"] {
            assert!(self.body[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {}", self.body);
        }
        assert_eq!(self.body["message"], self.body["detail"], "flows show `message`");
        assert_eq!(self.header("x-request-id"), self.body["requestId"].as_str());
        let seconds = self.body["retryAfterSeconds"].as_u64().map(|seconds| seconds.to_string());
        assert_eq!(self.header("retry-after"), seconds.as_deref());
        assert!(!matches!(status, 429 | 503) || seconds.is_some(), "no retryAfterSeconds: {}", self.body);
        self
    }

    /// What a maker reads.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// A message with these words in it.
    #[track_caller]
    pub(crate) fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.message().contains(word), "{word:?} is not in: {}", self.body);
        }
        self
    }

    /// Work that goes on: `{id, state, statusUrl}` and where to look. The `Location`.
    #[track_caller]
    pub(crate) fn accepted(&self) -> String {
        assert_eq!(self.status, 202, "{}", self.body);
        assert!(self.header("retry-after").is_some_and(|text| text.parse::<u64>().is_ok()), "no Retry-After");
        assert!(self.body["state"].is_string() && self.body.get("id").is_some(), "{}", self.body);
        let location = self.header("location").expect("a Location");
        assert_eq!(self.body["statusUrl"], location);
        assert!(location.starts_with("http://127.0.0.1:") && location.contains("/api/status/v1."), "{location}");
        location.to_owned()
    }

    /// 201 of `mode=start`: the resource's own address, and the status URL in the body.
    #[track_caller]
    pub(crate) fn started(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.body);
        assert!(self.body["state"].is_string() && self.body.get("id").is_some(), "{}", self.body);
        assert!(self.body["statusUrl"].as_str().is_some_and(|url| url.contains("/api/status/")), "{}", self.body);
        self.header("location").expect("a Location").to_owned()
    }

    /// Whether an earlier sending of the same call did the work.
    pub(crate) fn replayed(&self) -> bool {
        self.header("x-causeway-replayed") == Some("true")
    }

    /// A member of the body.
    #[track_caller]
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.body))
    }
}
