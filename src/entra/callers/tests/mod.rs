//! Callers' tokens, signed with keys that are drawn here and published over HTTP by a server that counts.

mod good;
mod keys;
mod principal;
mod refused;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Caller, Callers, Given};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::http::{Deadline, Http};
use crate::settings::{self, EntraCallers, Rights};

const TENANT: &str = "72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10";
const ISSUER_1: &str = "https://sts.windows.net/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/";
const ISSUER_2: &str = "https://login.example/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/v2.0";
const OBJECT: &str = "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9";
const AUDIENCE: &str = "api://causeway";
/// What the clock of these tests shows, in seconds of the epoch.
const NOW: i64 = 1_800_000_000;

/// Two keys: one that is published, and another.
fn pairs() -> &'static [KeyPair; 2] {
    static PAIRS: OnceLock<[KeyPair; 2]> = OnceLock::new();
    PAIRS.get_or_init(|| [(); 2].map(|()| KeyPair::generate(KeySize::Rsa2048).unwrap()))
}

fn jwk(kid: &str, pair: &KeyPair) -> Value {
    let public: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
    json!({
        "kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "x5c": ["MIIC"],
        "n": BASE64.encode(public.n), "e": BASE64.encode(public.e),
        "issuer": "https://login.example/{tenantid}/v2.0",
    })
}

fn encoded(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

fn sign(pair: &KeyPair, head: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encoded(head), encoded(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64.encode(signature))
}

fn head() -> Value {
    json!({"typ": "JWT", "alg": "RS256", "kid": "one"})
}

/// A version 1 token of a user.
fn claims() -> Value {
    json!({
        "aud": AUDIENCE, "iss": ISSUER_1, "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 3_600, "tid": TENANT,
        "oid": OBJECT, "appid": "5f1c0000-0000-4000-8000-000000000001", "scp": "user_impersonation",
        "roles": ["Sales", "Unheard"], "ver": "1.0",
    })
}

/// Some members replaced; null takes one out.
#[allow(clippy::needless_pass_by_value, reason = "json!(…) stands where it is called")]
fn with(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        if change.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = change.clone();
        }
    }
    value
}

/// An issuer that can be told what to publish, and the door that believes it.
struct Door {
    server: MockServer,
    callers: Callers,
    now: Arc<Mutex<Timestamp>>,
}

impl Door {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut EntraCallers)) -> Self {
        let server = MockServer::start().await;
        let mut entra = EntraCallers {
            tenant_id: TENANT.into(),
            configuration: format!("{}/configuration", server.uri()).parse().unwrap(),
            issuers: vec![ISSUER_1.into(), ISSUER_2.into()],
            audiences: vec![AUDIENCE.into(), "5f1c".into()],
            clock_skew: Duration::from_mins(1),
            roles: [("Sales".to_owned(), Rights { areas: ["runs"].into(), ..Rights::default() })].into(),
            easy_auth: false,
        };
        change(&mut entra);
        let now = Arc::new(Mutex::new(Timestamp::from_second(NOW).unwrap()));
        let read = now.clone();
        let clock = Clock::reading(move || *read.lock().unwrap());
        let callers = Callers::new(&settings::Callers::Entra(entra), &Http::new().unwrap(), clock);
        let door = Self { server, callers, now };
        door.publish(&[jwk("one", &pairs()[0])]).await;
        door
    }

    /// From now on these keys and no others.
    async fn publish(&self, keys: &[Value]) {
        self.server.reset().await;
        let configuration = json!({"issuer": ISSUER_2, "jwks_uri": format!("{}/keys", self.server.uri())});
        self.answer("/configuration", ResponseTemplate::new(200).set_body_json(configuration)).await;
        self.answer("/keys", ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))).await;
    }

    async fn answer(&self, at: &str, template: ResponseTemplate) {
        Mock::given(path(at)).respond_with(template).mount(&self.server).await;
    }

    /// How often the keys were read since they were last published.
    async fn asked(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/keys").count()
    }

    fn at(&self, second: i64) {
        *self.now.lock().unwrap() = Timestamp::from_second(second).unwrap();
    }

    async fn admit(&self, token: &str) -> Result<Caller, Failure> {
        let given = Given { token: Some(SecretString::from(token.to_owned())), ..Given::default() };
        self.callers.admit(&given, Deadline::after(Duration::from_secs(20))).await
    }
}

fn token(changes: Value) -> String {
    sign(&pairs()[0], &head(), &with(claims(), changes))
}
