//! Entra and the managed identity endpoint.

use std::time::Duration;

use local_stack::certificates::Certificates;
use local_stack::core::History;
use local_stack::entra::{Application, Entra, EntraOptions, Refusal, Tokens, users};

use crate::client::Client;

async fn start() -> (Entra, Client) {
    let certificates = Certificates::generate().unwrap();
    let mut options = EntraOptions::new(Tokens::new("11111111-2222-4333-8444-555555555555"));
    options.applications = vec![Application {
        client_id: "app".into(),
        client_secret: "right & proper".into(),
        object_id: "object".into(),
    }];
    let entra = Entra::start(options, &certificates.loopback, History::default()).await.unwrap();
    (entra, Client::trusting(&certificates.authority_pem))
}

fn form(secret: &str, scope: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", "app"),
            ("client_secret", secret),
            ("scope", scope),
        ])
        .finish()
}

#[tokio::test]
async fn a_client_secret_gets_a_token_for_the_resource_of_its_scope() {
    let (entra, client) = start().await;
    let url = format!("{}{}/oauth2/v2.0/token", entra.authority_host(), entra.tokens.tenant());
    let reply = client.send("POST", &url, form("right & proper", "https://vault.azure.net/.default")).await;
    assert_eq!(reply.status, 200);
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let claims = entra.tokens.check(&token, &["https://vault.azure.net"]).unwrap();
    assert_eq!((claims.oid.as_str(), claims.appid.as_str()), ("object", "app"));
    assert_eq!(entra.tokens.check(&token, &["https://storage.azure.com"]), Err(Refusal::WrongAudience));
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_app_and_a_bare_scope_are_refused_in_entras_words() {
    let (entra, client) = start().await;
    let url = format!("{}{}/oauth2/v2.0/token", entra.authority_host(), entra.tokens.tenant());
    let wrong = client.send("POST", &url, form("wrong", "https://vault.azure.net/.default")).await;
    assert_eq!((wrong.status, wrong.json()["error_codes"][0].as_u64()), (401, Some(7_000_215)));
    assert!(wrong.json()["error_description"].as_str().unwrap().starts_with("AADSTS7000215: Invalid client secret"));
    let scope = client.send("POST", &url, form("right & proper", "https://vault.azure.net")).await;
    assert_eq!((scope.status, scope.json()["error"].as_str()), (400, Some("invalid_scope")));
    let unknown = client.send("POST", &url, form("x", "y/.default").replace("client_id=app", "client_id=other")).await;
    assert_eq!((unknown.status, unknown.json()["error_codes"][0].as_u64()), (400, Some(700_016)));
    let tenant = format!("{}other/oauth2/v2.0/token", entra.authority_host());
    assert_eq!(client.send("POST", &tenant, form("x", "y/.default")).await.json()["error_codes"][0], 90_002);
}

#[tokio::test]
async fn the_managed_identity_endpoint_wants_its_header_and_answers_expiry_as_text() {
    let (entra, client) = start().await;
    entra.tokens.set_life(Duration::from_mins(2));
    let url = format!("{}?resource=https://vault.azure.net&api-version=2019-08-01", entra.identity_endpoint());
    assert_eq!(client.get(&url).await.status, 401);
    let inside = client.with("x-identity-header", &entra.identity_header);
    let reply = inside.get(&url).await;
    assert_eq!(reply.status, 200);
    let claims =
        entra.tokens.check(reply.json()["access_token"].as_str().unwrap(), &["https://vault.azure.net"]).unwrap();
    assert_eq!(reply.json()["expires_on"].as_str(), Some(claims.exp.to_string().as_str()));
    assert_eq!(claims.exp - claims.iat, 120);
    assert_eq!(inside.get(&url.replace("2019-08-01", "2018-02-01")).await.status, 400);
    assert_eq!(inside.get(&format!("{url}&client_id=nobody")).await.status, 400);
}

#[tokio::test]
async fn keys_and_issuers_are_published_for_both_forms_of_tokens() {
    let (entra, client) = start().await;
    let tenant = entra.tokens.tenant();
    for (version, issuer) in [("/v2.0", entra.tokens.issuer()), ("", entra.tokens.first_issuer())] {
        let url = format!("{}{tenant}{version}/.well-known/openid-configuration", entra.authority_host());
        let document = client.send("GET", &url, "").await.json();
        assert_eq!(document["issuer"], issuer);
        let keys = client.send("GET", document["jwks_uri"].as_str().unwrap(), "").await.json();
        assert_eq!(keys["keys"][0]["kid"], entra.tokens.key_id());
        assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["e"]), (&"RSA".into(), &"AQAB".into()));
    }
    assert!(entra.tokens.issuer().starts_with(&entra.authority_host()));
    entra.tokens.roll_keys();
    let url = format!("{}{tenant}/discovery/v2.0/keys", entra.authority_host());
    let keys = client.send("GET", &url, "").await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kid"], entra.tokens.key_id());
    let token = entra.user_token(&users::SALES_GERMANY, "api://app", &["Reader"]);
    assert_eq!(entra.tokens.check(&token, &["api://app"]).unwrap().oid, users::SALES_GERMANY.object_id);
}
