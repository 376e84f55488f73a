//! Key Vault's own events: a new version of a secret leaves a marker in the ledger, at which every instance looks while it
//! uses the secret (`key_vault/markers.rs`).

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Event, Kind};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::key_vault::marker_path;
use crate::ledger::draw_writer;
use crate::runs::Engine;

impl Engine {
    /// Whether the event was Key Vault's about a secret; what it asks of us is then done.
    pub(super) async fn note_secret(&self, event: &Event, deadline: Deadline) -> Result<bool, Failure> {
        let Kind::EventGrid { of_type, .. } = &event.kind else { return Ok(false) };
        // learn.microsoft.com/azure/event-grid/event-schema-key-vault
        let about = match of_type.strip_prefix("Microsoft.KeyVault.Secret") {
            Some(about @ ("NewVersionCreated" | "NearExpiry" | "Expired")) => about,
            _ => return Ok(false),
        };
        let data = event.shown.get("data").unwrap_or(&Value::Null);
        let (Some(name), Some(version)) = (member(data, "objectName"), member(data, "version")) else {
            return Ok(false);
        };
        if about == "NewVersionCreated" {
            let entry = json!({"writer": draw_writer(), "secret": name, "version": version});
            self.ledger.put(&marker_path(name, version), Bytes::from(entry.to_string()), deadline).await?;
            tracing::info!(secret = name, version, "a secret has a new version; every instance will read it");
        } else {
            tracing::warn!(secret = name, version, about, "a secret's version is near its end, or past it");
        }
        Ok(true)
    }
}

/// The page shows its members with a capital in one example and without in the next.
fn member<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    let found = data.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    found.1.as_str().filter(|text| !text.is_empty())
}
