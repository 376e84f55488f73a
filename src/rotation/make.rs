//! Making a token and storing it: the two calls between which its value is nowhere but here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::{Record, State, Token};
use super::turn::{ROTATION_TAG, TOKEN_TAG, Turn};
use crate::databricks::NewToken;
use crate::failure::{Effect, Failure};
use crate::key_vault::{NewVersion, SecretStore as _};

impl Turn<'_> {
    /// Makes the token that `record` intends, tries it, and stores it. A lost answer is left to recovery.
    pub(super) async fn make(&mut self, record: &Record) -> Result<(), Failure> {
        let until = self.guard().await?;
        let comment = self.comment(&record.rotation);
        let made = self.parts.maker.create_token(&comment, self.parts.settings.lifetime, until).await;
        let made = match made.map_err(Failure::from) {
            Ok(made) => made,
            Err(failure) if failure.effect == Effect::None => return self.refused(record, failure).await,
            Err(failure) => {
                // Found by its comment, and revoked; its value is lost.
                (self.tell)(format!("no answer about the new token ({})", failure.code));
                return Ok(());
            }
        };
        (self.tell)(format!("token {} is made", made.info.id));
        // Before it is in the vault: one that does not work must never be the newest version.
        if let Err(error) = self.try_out(made.value.clone()).await {
            return self.undo(record, &made, error.into()).await;
        }
        let until = self.guard().await?;
        let expires = Timestamp::from_millisecond(made.info.expires_at_ms).ok().filter(|end| *end > self.now());
        let version = NewVersion {
            value: made.value.clone(),
            tags: BTreeMap::from([
                (ROTATION_TAG.to_owned(), record.rotation.clone()),
                (TOKEN_TAG.to_owned(), made.info.id.clone()),
            ]),
            expires,
            content_type: Some("text/plain".to_owned()),
        };
        let secret = self.parts.settings.secret_name.clone();
        let version = match self.parts.vault.write(&secret, version, until).await {
            Ok(version) => version,
            Err(failure) if failure.effect == Effect::None => return self.undo(record, &made, failure).await,
            Err(failure) => {
                // It may yet come to stand there: whoever goes on looks when it must have arrived.
                self.keep_holding();
                return Err(failure);
            }
        };
        let token = Token {
            rotation: record.rotation.clone(),
            id: made.info.id.clone(),
            version,
            expires: expires.unwrap_or_else(|| self.now()),
        };
        (self.tell)(format!("it is stored in the secret {secret} as version {}", token.version));
        self.append(Record { token: Some(token), ..record.then(State::Stored, self.now()) }).await
    }

    /// The new token is of no use.
    async fn undo(&mut self, record: &Record, made: &NewToken, failure: Failure) -> Result<(), Failure> {
        (self.tell)(format!("token {} cannot be used ({}) and is revoked", made.info.id, failure.code));
        let until = self.guard().await?;
        let mut record = record.clone();
        if let Err(error) = self.parts.maker.delete_token(&made.info.id, until).await {
            // The next rotation that ends well revokes it.
            tracing::warn!(token = made.info.id, error = %error, "a token could not be revoked");
            record.stale.push(record.rotation.clone());
        }
        self.refused(&record, failure).await
    }

    async fn refused(&mut self, record: &Record, failure: Failure) -> Result<(), Failure> {
        self.append(Record { code: Some(failure.code), ..record.then(State::Failed, self.now()) }).await?;
        Err(failure)
    }
}
