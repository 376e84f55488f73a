//! What is written down of a rotation: `rotations/{secret}/{seq}`, never the token's value. The newest entry tells
//! everything; only the holder of the slot appends.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};

/// How far a rotation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    /// A token is about to be made: there may be one, whose value nobody has.
    Intended,
    /// The new token is the newest version of the secret.
    Stored,
    /// What the vault gives works; the old tokens are good until `revokeAfter`.
    Proved,
    /// The old tokens are revoked.
    Done,
    /// Refused: no token was made, or it is among the stale.
    Failed,
}

/// A token by everything but its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    /// The rotation that made it, which its comment names.
    pub rotation: String,
    /// In Databricks.
    pub id: String,
    /// Of the secret.
    pub version: String,
    pub expires: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub v: u32,
    pub writer: String,
    pub at: Timestamp,
    pub state: State,
    pub rotation: String,
    /// What this rotation has made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The last one that was proved, by an earlier rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Token>,
    /// Rotations whose tokens are to be revoked, if there are any. A lost request may still make one.
    #[serde(default)]
    pub stale: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke_after: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl Record {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::new(Code::Internal, "The record of a rotation is unreadable.").caused_by(error))
    }

    /// The first of a new rotation, after `last`.
    pub(super) fn intended(last: Option<&Self>, rotation: &str, now: Timestamp) -> Self {
        let mut stale = last.map(|last| last.stale.clone()).unwrap_or_default();
        // What it may have made and never proved. A proved one is the current.
        if let Some(last) = last.filter(|last| matches!(last.state, State::Intended | State::Stored)) {
            stale.push(last.rotation.clone());
        }
        Self {
            v: 1,
            writer: String::new(),
            at: now,
            state: State::Intended,
            rotation: rotation.to_owned(),
            token: None,
            current: last.and_then(Self::proved).cloned(),
            stale,
            revoke_after: None,
            code: None,
        }
    }

    /// The token that was proved last.
    pub(super) fn proved(&self) -> Option<&Token> {
        match self.state {
            State::Proved | State::Done => self.token.as_ref().or(self.current.as_ref()),
            State::Intended | State::Stored | State::Failed => self.current.as_ref(),
        }
    }

    /// The next entry of the same rotation.
    pub(super) fn then(&self, state: State, now: Timestamp) -> Self {
        Self { state, at: now, ..self.clone() }
    }

    /// When the token is due for another; at once when none is known.
    pub(super) fn due(&self, before: Duration) -> Option<Timestamp> {
        let expires = self.proved()?.expires;
        Some(expires.checked_sub(before).unwrap_or(expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(rotation: &str, expires: i64) -> Token {
        Token {
            rotation: rotation.into(),
            id: "t".into(),
            version: "v".into(),
            expires: Timestamp::from_second(expires).unwrap(),
        }
    }

    #[test]
    fn what_was_intended_and_never_proved_is_stale_and_what_was_proved_is_current() {
        let now = Timestamp::UNIX_EPOCH;
        let first = Record::intended(None, "a", now);
        assert_eq!((first.due(Duration::ZERO), first.stale.len()), (None, 0));
        let second = Record::intended(Some(&first), "b", now);
        assert_eq!(second.stale, ["a"]);
        let proved = Record { token: Some(token("b", 100)), ..second.then(State::Proved, now) };
        let third = Record::intended(Some(&proved), "c", now);
        assert_eq!((third.stale.as_slice(), third.current.clone()), (&["a".to_owned()][..], Some(token("b", 100))));
        assert_eq!(third.due(Duration::from_secs(40)), Some(Timestamp::from_second(60).unwrap()));
        let failed = third.then(State::Failed, now);
        assert_eq!(Record::intended(Some(&failed), "d", now).stale, ["a"], "a refusal has made nothing");
    }
}
