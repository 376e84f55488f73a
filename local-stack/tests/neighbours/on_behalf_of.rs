//! The on-behalf-of grant of Entra, over the wire.

use std::time::Duration;

use local_stack::certificates::Certificates;
use local_stack::core::History;
use local_stack::entra::users::{SALES_FRANCE, SALES_GERMANY};
use local_stack::entra::{Application, Entra, EntraOptions, Tokens};
use serde_json::Value;

use crate::client::{Client, Reply};

const API: &str = "3b8e5f71-c2a4-4d96-8e07-1f6a9b4c2d11";
const RESOURCE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

struct Room {
    entra: Entra,
    client: Client,
}

impl Room {
    async fn start() -> Self {
        let certificates = Certificates::generate().unwrap();
        let mut options = EntraOptions::new(Tokens::new("11111111-2222-4333-8444-555555555555"));
        options.federated = vec![options.managed_identity.object_id.clone()];
        options.applications =
            vec![Application { client_id: API.into(), client_secret: "secret".into(), object_id: "object".into() }];
        let entra = Entra::start(options, &certificates.loopback, History::default()).await.unwrap();
        Self { entra, client: Client::trusting(&certificates.authority_pem) }
    }

    async fn exchange(&self, assertion: &str, proof: &[(&str, &str)]) -> Reply {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("requested_token_use", "on_behalf_of"),
                ("client_id", API),
                ("scope", &format!("{RESOURCE}/.default")),
                ("assertion", assertion),
            ])
            .extend_pairs(proof)
            .finish();
        let url = format!("{}{}/oauth2/v2.0/token", self.entra.authority_host(), self.entra.tokens.tenant());
        self.client.send("POST", &url, form).await
    }

    /// The code and error of a refusal.
    async fn refused(&self, assertion: &str) -> (u64, String, Value) {
        let reply = self.exchange(assertion, &[("client_secret", "secret")]).await;
        let body = reply.json();
        assert_eq!(reply.status, 400, "{body}");
        let code = body["error_codes"][0].as_u64().unwrap();
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")), "{body}");
        (code, body["error"].as_str().unwrap().to_owned(), body)
    }
}

#[tokio::test]
async fn a_users_token_is_exchanged_for_one_of_the_same_user() {
    let room = Room::start().await;
    let (own, _) = room.entra.tokens.issue(
        "api://AzureADTokenExchange",
        "identity",
        &EntraOptions::new(room.entra.tokens.clone()).managed_identity.object_id,
    );
    let federated = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", own.as_str()),
    ];
    for audience in [API.to_owned(), format!("api://{API}")] {
        let assertion = room.entra.user_token(&SALES_GERMANY, &audience, &[]);
        for proof in [&[("client_secret", "secret")][..], &federated] {
            let reply = room.exchange(&assertion, proof).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            let token = reply.json()["access_token"].as_str().unwrap().to_owned();
            let claims = room.entra.tokens.check(&token, &[RESOURCE]).unwrap();
            assert_eq!((claims.oid.as_str(), claims.appid.as_str()), (SALES_GERMANY.object_id, API));
            assert_eq!(claims.scp, "user_impersonation");
        }
    }
}

#[tokio::test]
async fn what_is_no_assertion_for_this_application_is_refused_in_entras_words() {
    let room = Room::start().await;
    let tokens = &room.entra.tokens;
    let claims = tokens.user_claims(&SALES_GERMANY, API, &[]);
    let cases = [
        (500_131, tokens.user_token(&SALES_GERMANY, "api://other", &[])),
        (500_133, tokens.expired_user_token(&SALES_GERMANY, API, &[], Duration::from_mins(1))),
        (50_013, tokens.signed_with_another_key(&claims)),
        (50_013, tokens.without_signature(&claims)),
        (7_000_114, tokens.issue(API, "app", "object").0),
    ];
    for (expected, assertion) in cases {
        let (code, error, _) = room.refused(&assertion).await;
        assert_eq!((code, error.as_str()), (expected, "invalid_grant"));
    }
    let good = tokens.sign(&claims);
    let wrong = room.exchange(&good, &[("client_secret", "wrong")]).await;
    assert_eq!((wrong.status, wrong.json()["error_codes"][0].as_u64()), (401, Some(7_000_215)));
    let (foreign, _) = tokens.issue("api://AzureADTokenExchange", "identity", "somebody");
    let unknown = room.exchange(&good, &[("client_assertion", &foreign)]).await;
    assert_eq!((unknown.status, unknown.json()["error_codes"][0].as_u64()), (401, Some(700_213)));
}

#[tokio::test]
async fn consent_and_policies_are_asked_before_a_token_is_given() {
    let room = Room::start().await;
    let token = room.entra.user_token(&SALES_GERMANY, API, &[]);
    room.entra.policies.revoke_consent(RESOURCE);
    let (code, _, body) = room.refused(&token).await;
    assert_eq!((code, body["suberror"].as_str()), (65_001, Some("consent_required")));
    room.entra.policies.grant_consent(RESOURCE);
    for (enrolled, expected) in [(true, 50_076), (false, 50_079)] {
        room.entra.policies.challenge(&SALES_GERMANY, RESOURCE, enrolled);
        let (code, error, body) = room.refused(&token).await;
        assert_eq!((code, error.as_str()), (expected, "interaction_required"));
        let claims: Value = serde_json::from_str(body["claims"].as_str().unwrap()).unwrap();
        assert!(claims["access_token"].is_object());
        let other = room.entra.user_token(&SALES_FRANCE, API, &[]);
        assert_eq!(room.exchange(&other, &[("client_secret", "secret")]).await.status, 200);
        room.entra.policies.satisfy(&SALES_GERMANY);
    }
    assert_eq!(room.exchange(&token, &[("client_secret", "secret")]).await.status, 200);
}
