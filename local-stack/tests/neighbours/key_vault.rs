//! Key Vault: the challenge, versions, and what it refuses.

use local_stack::certificates::Certificates;
use local_stack::core::History;
use local_stack::entra::Tokens;
use local_stack::key_vault::{AUDIENCE, KeyVault, KeyVaultOptions};

use crate::client::Client;

struct Room {
    vault: KeyVault,
    tokens: Tokens,
    outside: Client,
    inside: Client,
}

async fn start(allowed: &[&str]) -> Room {
    let certificates = Certificates::generate().unwrap();
    let tokens = Tokens::new("tenant");
    let mut options = KeyVaultOptions::new(tokens.clone());
    options.allowed = allowed.iter().map(ToString::to_string).collect();
    let vault = KeyVault::start(options, &certificates.loopback, History::default()).await.unwrap();
    let outside = Client::trusting(&certificates.authority_pem);
    let (token, _) = tokens.issue(AUDIENCE, "app", "object");
    Room { vault, inside: outside.bearer(&token), outside, tokens }
}

#[tokio::test]
async fn a_call_without_a_token_is_challenged_and_reads_nothing() {
    let room = start(&[]).await;
    room.vault.set_secret("one", "value");
    let reply = room.outside.get(&format!("{}/secrets/one/?api-version=2025-07-01", room.vault.url())).await;
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate");
    assert!(challenge.contains("resource=\"https://vault.azure.net\""), "{challenge}");
    assert!(challenge.contains("authorization=\"https://login.microsoftonline.com/tenant\""), "{challenge}");
    let (foreign, _) = room.tokens.issue("https://storage.azure.com", "app", "object");
    assert_eq!(room.outside.bearer(&foreign).get(&format!("{}/secrets/one", room.vault.url())).await.status, 401);
    assert!(room.vault.served.history.of("keyVault", "secretRead").is_empty());
}

#[tokio::test]
async fn a_rotation_changes_the_current_version_and_keeps_the_old_one() {
    let room = start(&[]).await;
    let first = room.vault.set_secret("one", "old");
    let second = room.vault.set_secret("one", "new");
    assert!(first.len() == 32 && first != second);
    let base = format!("{}/secrets/one", room.vault.url());
    for current in [base.clone(), format!("{base}/")] {
        let body = room.inside.get(&current).await.json();
        assert_eq!(body["value"], "new");
        assert!(body["id"].as_str().unwrap().ends_with(&format!("/secrets/one/{second}")));
    }
    assert_eq!(room.inside.get(&format!("{base}/{first}")).await.json()["value"], "old");
    let versions = room.inside.get(&format!("{base}/versions")).await.json();
    assert_eq!(versions["value"].as_array().unwrap().len(), 2);
    assert!(versions["value"][0].get("value").is_none());
    assert_eq!(room.vault.served.history.of("keyVault", "secretRead").len(), 3);
}

#[tokio::test]
async fn missing_disabled_and_forbidden_secrets_are_told_apart() {
    let room = start(&[]).await;
    room.vault.set_secret("off", "value");
    room.vault.set_enabled("off", false);
    let missing = room.inside.get(&format!("{}/secrets/none", room.vault.url())).await;
    assert_eq!((missing.status, missing.json()["error"]["code"].as_str()), (404, Some("SecretNotFound")));
    let disabled = room.inside.get(&format!("{}/secrets/off", room.vault.url())).await;
    assert_eq!(disabled.status, 403);
    assert_eq!(disabled.json()["error"]["innererror"]["code"], "SecretDisabled");
    let name = room.inside.get(&format!("{}/secrets/no_good", room.vault.url())).await;
    assert_eq!((name.status, name.json()["error"]["code"].as_str()), (400, Some("BadParameter")));

    let room = start(&["somebody-else"]).await;
    room.vault.set_secret("one", "value");
    let forbidden = room.inside.get(&format!("{}/secrets/one", room.vault.url())).await;
    assert_eq!((forbidden.status, forbidden.json()["error"]["code"].as_str()), (403, Some("Forbidden")));
}
