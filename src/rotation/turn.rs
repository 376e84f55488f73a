//! One worker's turn at a rotation: reads how far it is, does the next step, writes it down, until there is nothing to do
//! now. Holds the slot, and renews it before each call with an effect; a call ends before another may take over.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::audited::audit;
use super::record::{Record, State};
use super::{InHand, Parts, Seen, Standing, Tell, Wish};
use crate::databricks::{Databricks, DatabricksError};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::key_vault::{SecretStore as _, Stored, marker_path};
use crate::ledger::{Held, Put, Slot, draw_writer, entry_path, segment};

/// Tokens that one turn makes at most: one, and another when an answer was lost.
const MOST_MADE: u32 = 2;
/// Older entries are swept behind the newest.
const KEPT: u64 = 64;
/// The tag of a version that names the rotation that stored it, and the one that names its token.
pub(super) const ROTATION_TAG: &str = "causeway-rotation";
pub(super) const TOKEN_TAG: &str = "databricks-token-id";

pub(super) struct Turn<'a> {
    pub(super) parts: &'a Parts,
    held: Option<Held>,
    slot: String,
    by: String,
    pub(super) deadline: Deadline,
    pub(super) tell: Tell<'a>,
    log: String,
    seq: Option<u64>,
    /// The rotation that this turn has just intended, and so knows that it has made nothing yet.
    pub(super) own: Option<String>,
    made: u32,
}

impl<'a> Turn<'a> {
    /// `None` while another has the slot.
    pub(super) async fn take(parts: &'a Parts, deadline: Deadline, tell: Tell<'a>) -> Result<Option<Self>, Failure> {
        let slot = format!("rotate-{}", parts.settings.secret_name.to_ascii_lowercase());
        let by = draw_writer();
        let hold = parts.window + parts.margin;
        let Some(held) = Slot::take(&parts.ledger, &slot, &by, hold, deadline).await? else { return Ok(None) };
        let log = log(parts);
        Ok(Some(Self { parts, held: Some(held), slot, by, deadline, tell, log, seq: None, own: None, made: 0 }))
    }

    pub(super) async fn go(&mut self, wish: Wish, seen: Seen) -> Result<Standing, Failure> {
        let mut wish = wish;
        let mut last = self.newest().await?;
        if self.seq != seen {
            (wish.begin, wish.again) = (false, false);
        }
        loop {
            let now = self.now();
            let wanted = wish.begin || wish.again;
            match &last {
                Some(record) if record.state == State::Intended => {
                    if self.own.take().as_ref() == Some(&record.rotation) {
                        self.make(record).await?;
                    } else {
                        self.recover(record).await?;
                    }
                    (wish.begin, wish.again) = (false, false);
                }
                Some(record) if record.state == State::Stored => {
                    self.prove(record).await?;
                    (wish.begin, wish.again) = (false, false);
                }
                Some(record) if record.state == State::Proved && !wish.again => {
                    let until = record.revoke_after.unwrap_or(now);
                    if now < until && !wish.revoke_now {
                        return Ok(Standing::Waiting(until));
                    }
                    self.revoke(record).await?;
                    let due = record.due(self.parts.settings.before).unwrap_or(now);
                    return Ok(Standing::Done(due));
                }
                last => {
                    let due = last.as_ref().and_then(|last| last.due(self.parts.settings.before));
                    if let Some(due) = due.filter(|due| now < *due && !wanted) {
                        return Ok(Standing::NotDue(due));
                    }
                    (wish.begin, wish.again) = (false, false);
                    self.intend(last.as_ref()).await?;
                }
            }
            last = self.newest().await?;
        }
    }

    /// A new rotation, in place of one that cannot be gone on with.
    pub(super) async fn intend(&mut self, last: Option<&Record>) -> Result<(), Failure> {
        if self.made == MOST_MADE {
            let detail = "Databricks lost its answers about new tokens. The next turn goes on: run it again later.";
            return Err(Failure::new(Code::UpstreamUnavailable, detail));
        }
        self.made += 1;
        let rotation = Uuid::new_v4().simple().to_string();
        self.append(Record::intended(last, &rotation, self.now())).await?;
        self.own = Some(rotation);
        Ok(())
    }

    /// Somebody has intended it and come no further, as far as is known.
    async fn recover(&mut self, record: &Record) -> Result<(), Failure> {
        (self.tell)("an earlier turn ended before its token was known to be stored".to_owned());
        let found = self.vault_now().await?;
        if let Some(token) = found.and_then(|found| stored(&record.rotation, &found)) {
            (self.tell)("its token is in Key Vault".to_owned());
            return self.append(Record { token: Some(token), ..record.then(State::Stored, self.now()) }).await;
        }
        // Its value is lost, if it was made at all.
        self.revoke_tokens(std::slice::from_ref(&record.rotation)).await?;
        self.intend(Some(record)).await
    }

    /// What the vault gives is tried; if it works, the old tokens have had their day.
    async fn prove(&mut self, record: &Record) -> Result<(), Failure> {
        let Some(token) = record.token.clone() else { return self.intend(Some(record)).await };
        let settings = &self.parts.settings;
        let marker =
            serde_json::json!({"writer": draw_writer(), "secret": settings.secret_name, "version": token.version});
        let path = marker_path(&settings.secret_name, &token.version);
        // So every instance reads it, also where no event tells them.
        self.parts.ledger.put(&path, Bytes::from(marker.to_string()), self.deadline).await?;
        let found = self.vault_now().await?;
        let now = self.now();
        let until = now.checked_add(settings.grace).unwrap_or(now);
        let mut next = Record { revoke_after: Some(until), ..record.then(State::Proved, now) };
        next.stale.extend(record.current.as_ref().map(|old| old.rotation.clone()));
        let Some(found) = found.filter(|found| stored(&record.rotation, found).is_some()) else {
            (self.tell)("somebody has put another version into the secret meanwhile; it is left alone".to_owned());
            next.stale.push(record.rotation.clone());
            // Renewed when the life of a token has passed, as if it had been made now.
            let expires = now.checked_add(settings.lifetime).unwrap_or(now);
            next.token = Some(super::record::Token { rotation: String::new(), expires, ..token });
            return self.append(next).await;
        };
        match self.works(&found).await {
            Ok(name) => {
                (self.tell)(format!("the secret's newest version works, as {name}"));
                self.append(next).await
            }
            Err(DatabricksError::Refused(refused)) if matches!(refused.status, 401 | 403) => {
                (self.tell)("the stored token does not work; another is made".to_owned());
                self.intend(Some(record)).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn works(&self, found: &Stored) -> Result<String, DatabricksError> {
        self.try_out(found.secret.value.clone()).await
    }

    /// One call with a token: who it is.
    pub(super) async fn try_out(&self, token: secrecy::SecretString) -> Result<String, DatabricksError> {
        let tokens = std::sync::Arc::new(InHand(token));
        let user = Databricks::new(self.parts.http.clone(), self.parts.host.clone(), tokens);
        user.own_name(self.deadline).await
    }

    async fn revoke(&mut self, record: &Record) -> Result<(), Failure> {
        let revoked = self.revoke_tokens(&record.stale).await?;
        (self.tell)(match (revoked, &record.current) {
            (0, None) => {
                "no earlier token of Causeway's was there; one made by hand is to be deleted by hand".to_owned()
            }
            (count, _) => format!("{count} old tokens are revoked"),
        });
        self.append(Record { stale: Vec::new(), ..record.then(State::Done, self.now()) }).await
    }

    /// Revokes what these rotations have made; how many there were.
    pub(super) async fn revoke_tokens(&mut self, rotations: &[String]) -> Result<usize, Failure> {
        let comments: Vec<String> = rotations.iter().map(|rotation| self.comment(rotation)).collect();
        let listed = self.parts.maker.list_tokens(self.deadline).await?;
        let mut revoked = 0;
        for token in listed.iter().filter(|token| comments.contains(&token.comment)) {
            let until = self.guard().await?;
            self.parts.maker.delete_token(&token.id, until).await?;
            (self.tell)(format!("token {} is revoked", token.id));
            revoked += 1;
        }
        Ok(revoked)
    }

    /// The comment of a rotation's token; no other deployment's has the same.
    pub(super) fn comment(&self, rotation: &str) -> String {
        format!("Causeway: secret {}, rotation {rotation}", self.parts.settings.secret_name)
    }

    pub(super) async fn vault_now(&self) -> Result<Option<Stored>, Failure> {
        match self.parts.vault.newest(&self.parts.settings.secret_name, self.deadline).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.code == Code::SecretNotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Before each call with an effect: it is still our turn, and until when the call may take.
    pub(super) async fn guard(&mut self) -> Result<Deadline, Failure> {
        let until = self.deadline.within(self.parts.window);
        let hold = self.parts.window + self.parts.margin;
        self.held = match self.held.take() {
            Some(held) => held.renew(hold, self.deadline).await?,
            None => None,
        };
        if self.held.is_none() && self.nobody_went_on().await? {
            self.held = Slot::take(&self.parts.ledger, &self.slot, &self.by, hold, self.deadline).await?;
            if !self.nobody_went_on().await? {
                self.held = None;
            }
        }
        if self.held.is_none() {
            let detail = "Another instance has taken over the rotation. It goes on there.";
            return Err(Failure::new(Code::LedgerUnavailable, detail));
        }
        Ok(until)
    }

    /// A slow turn may outlive its hold, and is ours still when nobody has written since.
    async fn nobody_went_on(&self) -> Result<bool, Failure> {
        let newest = newest(self.parts, self.deadline).await?;
        Ok(newest.map(|(seq, _)| seq) == self.seq)
    }

    /// Lets others take over only when what we have sent must have arrived.
    pub(super) fn keep_holding(&mut self) {
        self.held = None;
    }

    /// Lets go of the slot.
    pub(super) async fn end(&mut self) {
        if let Some(held) = self.held.take()
            && let Err(error) = held.release(self.deadline).await
        {
            tracing::debug!(%error, "the slot of a rotation was not released; it ends by itself");
        }
    }

    async fn newest(&mut self) -> Result<Option<Record>, Failure> {
        let newest = newest(self.parts, self.deadline).await?;
        self.seq = newest.as_ref().map(|(seq, _)| *seq);
        newest.map(|(_, bytes)| Record::read(&bytes)).transpose()
    }

    pub(super) async fn append(&mut self, record: Record) -> Result<(), Failure> {
        let seq = self.seq.map_or(0, |seq| seq + 1);
        let record = Record { writer: draw_writer(), ..record };
        let bytes = serde_json::to_vec(&record)
            .map_err(|error| Failure::new(Code::Internal, "A rotation could not be written down.").caused_by(error))?;
        match self.parts.ledger.put(&entry_path(&self.log, seq), Bytes::from(bytes), self.deadline).await? {
            Put::Written => {}
            Put::Lost(_) => {
                let detail = "Another instance has gone on with the rotation.";
                return Err(Failure::new(Code::LedgerUnavailable, detail));
            }
        }
        self.seq = Some(seq);
        audit(&record, &self.parts.settings.secret_name);
        if let Some(old) = seq.checked_sub(KEPT)
            && let Err(error) = self.parts.ledger.delete(&entry_path(&self.log, old), self.deadline).await
        {
            tracing::debug!(%error, "an old entry of a rotation could not be swept");
        }
        Ok(())
    }
}

fn log(parts: &Parts) -> String {
    format!("rotations/{}", segment(&parts.settings.secret_name.to_ascii_lowercase()))
}

/// The newest entry, and its number.
pub(super) async fn newest(parts: &Parts, deadline: Deadline) -> Result<Option<(u64, Bytes)>, Failure> {
    Ok(parts.ledger.newest(&log(parts), deadline).await?)
}

/// The token in this version, if that rotation has stored it.
pub(super) fn stored(rotation: &str, found: &Stored) -> Option<super::record::Token> {
    (found.tags.get(ROTATION_TAG).map(String::as_str) == Some(rotation)).then(|| super::record::Token {
        rotation: rotation.to_owned(),
        id: found.tags.get(TOKEN_TAG).cloned().unwrap_or_default(),
        version: found.secret.version.clone(),
        expires: found.expires.unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
