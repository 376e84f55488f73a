//! `http` as it is declared: an address or a secret's name, a method, headers, a body.

use std::sync::Arc;

use serde_json::Value;

use super::super::yaml::{Node, Tree};
use super::super::{HttpHeader, HttpStep, HttpUrl};
use super::{Reader, matches};

/// Headers that are ours, or would change what is sent.
const OURS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "idempotency-key", "content-type"];

impl Reader<'_> {
    pub(super) fn http(&mut self, step: &Arc<str>, node: &Node) -> Option<HttpStep> {
        let url = self.http_url(step, node);
        let body = self.optional(step, node, "body");
        let complete = node.get("body").is_none() || body.is_some();
        let method = match (node.text_of("method"), body.is_some()) {
            (None, false) | (Some("GET"), _) => "GET",
            (Some("HEAD"), _) => "HEAD",
            (Some("PUT"), _) => "PUT",
            (Some("PATCH"), _) => "PATCH",
            (Some("DELETE"), _) => "DELETE",
            _ => "POST",
        };
        if let Some(at) = node.get("body").filter(|_| matches!(method, "GET" | "HEAD")) {
            self.problem(at.place, format!("a {method} has no `body`"));
        }
        let headers = self.http_headers(step, node.get("headers"));
        let expect = node.get("expect").map(Node::items).unwrap_or_default();
        let expect = expect.iter().filter_map(|status| match status.to_json() {
            Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
            _ => None,
        });
        Some(HttpStep {
            url: url?,
            method,
            headers: headers.filter(|_| complete)?,
            body,
            idempotent: node.boolean_of("idempotent").unwrap_or(false),
            expect: expect.collect(),
        })
    }

    fn http_url(&mut self, step: &Arc<str>, node: &Node) -> Option<HttpUrl> {
        match (node.get("url"), node.get("url_secret")) {
            (Some(_), Some(secret)) => {
                self.problem(secret.place, "`url_secret` stands beside `url`; only one may");
                None
            }
            (None, None) => {
                if matches!(node.tree, Tree::Mapping(_)) {
                    self.problem(node.place, "http lacks `url` or `url_secret`");
                }
                None
            }
            (None, Some(secret)) => self.secret_name(secret).map(HttpUrl::Secret),
            (Some(url), None) => {
                let text = url.text()?;
                // An address whose beginning is a template is seen when it is filled.
                if !text.starts_with("{{") && !text.starts_with("https://") && !text.starts_with("http://127.0.0.1") {
                    self.problem(url.place, "`url` must begin with https://");
                }
                self.optional(step, node, "url").map(HttpUrl::Given)
            }
        }
    }

    fn http_headers(&mut self, step: &Arc<str>, node: Option<&Node>) -> Option<Vec<(String, HttpHeader)>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let mut headers = Some(Vec::new());
        for (key, value) in node.members() {
            let name = key.name.to_ascii_lowercase();
            if !matches(r"^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$", &name) {
                self.problem(key.place, format!("`{}` is not a header's name", key.name));
            } else if OURS.contains(&name.as_str()) {
                self.problem(key.place, format!("the header `{}` is not a maker's to set", key.name));
            }
            let header = match value.get("secret") {
                Some(secret) => self.secret_name(secret).map(HttpHeader::Secret),
                None => self.optional(step, node, &key.name).map(HttpHeader::Given),
            };
            match (&mut headers, header) {
                (Some(headers), Some(header)) => headers.push((name, header)),
                _ => headers = None,
            }
        }
        headers
    }

    /// A name, and no template: what may be read out of the vault is seen in the file.
    fn secret_name(&mut self, node: &Node) -> Option<String> {
        let name = node.text()?;
        if !matches(r"^[A-Za-z0-9-]{1,127}$", name) {
            let what = "the name of a secret in Key Vault stands here: 1 to 127 letters, digits and hyphens";
            self.problem(node.place, what);
            return None;
        }
        Some(name.to_owned())
    }
}
