//! The tests of the client; what they need to make one is here.

mod bodies;
mod calls;
mod examples;
mod lists;
mod push_datasets;
mod queries;
mod raw;
mod refusals;
mod schemas;
mod shapes;
mod stand_in;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::PowerBi;
use crate::entra::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http};

const GROUP: &str = "f089354e-8366-4e18-aea3-4cb4a3a50b48";
const DATASET: &str = "cfafbeb1-8037-4d0c-896e-a46fb27ff229";
const REFRESH: &str = "9399bb89-25d1-44f8-8576-136d7e9014b1";

/// Gives `token-1`, and after each refusal the next.
#[derive(Debug)]
struct Numbered(Mutex<u32>);

#[async_trait]
impl TokenSource for Numbered {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from(format!("token-{}", *self.0.lock().unwrap())))
    }

    fn reject(&self, token: &SecretString) {
        let mut number = self.0.lock().unwrap();
        if token.expose_secret() == format!("token-{number}") {
            *number += 1;
        }
    }
}

pub(crate) fn client(server: &MockServer) -> PowerBi {
    let url = Url::parse(&server.uri()).expect("a server has an address");
    PowerBi::new(Http::new().expect("a transport"), url, Arc::new(Numbered(Mutex::new(1))))
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn at(rest: &str) -> String {
    format!("/v1.0/myorg/groups/{GROUP}/datasets/{DATASET}{rest}")
}

async fn answers(server: &MockServer, verb: &str, at: &str, reply: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(reply).mount(server).await;
}

fn json_reply(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}
