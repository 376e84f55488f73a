//! What is kept of a secret's current version: how long it is believed, when it is read again, and what is handed out
//! while the vault does not answer. Knows no vault and no clock but tokio's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::Secret;
use crate::failure::Failure;

/// A value that was refused, read again and found the same is not read again for this long: with a wrong secret every
/// call is refused, and each would ask the vault.
const CONFIRMED: Duration = Duration::from_secs(2);
/// A failure without anything to fall back on stands this long before the vault is asked again.
const FAILURE_STANDS: Duration = Duration::from_secs(2);
/// Pauses between readings of a vault in trouble, while what is kept serves: the first, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No vault's wish is followed for longer.
const LONGEST_WISH: Duration = Duration::from_mins(5);

/// How long a value is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Believed without asking.
    pub(super) cache: Duration,
    /// After that, while the vault does not answer.
    pub(super) grace: Duration,
}

/// One secret's place in the cache.
#[derive(Debug, Default)]
pub(super) struct Entry {
    state: Mutex<State>,
    /// Held by the one who asks the vault.
    pub(super) asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    trouble: Option<Trouble>,
    /// Somebody reads it beside its use, and began while it was fresh: nobody waits for that.
    beside: bool,
}

#[derive(Debug)]
struct Kept {
    secret: Secret,
    /// From here on it is read again beside its use.
    ahead: Instant,
    /// From here on it is read again before it is used.
    due: Instant,
    /// From here on it is not handed out, whatever the vault does.
    end: Instant,
    /// When a neighbour refused it, and when a newer version was told. A reading that began before settles neither: it may
    /// have found what was there until then.
    doubted: Option<Instant>,
    told: Option<Instant>,
    /// When it was read again for a doubt, and found the same.
    confirmed: Option<Instant>,
}

/// The vault's last failures, one after another.
#[derive(Debug)]
struct Trouble {
    times: u32,
    at: Instant,
    /// Not to be asked before.
    next: Instant,
    wished: bool,
    failure: Failure,
}

/// What a user of the secret finds.
#[derive(Debug)]
pub(super) enum Look {
    Fresh(Secret),
    /// Good to use; somebody should read it again meanwhile.
    Serving(Secret),
    /// To be read again first; what is kept serves when the vault does not answer.
    Due,
    /// The vault has just failed, and nothing is kept.
    Failed(Box<Failure>),
    Nothing,
}

impl Entry {
    pub(super) fn look(&self) -> Look {
        let now = Instant::now();
        let mut state = self.state();
        state.kept.take_if(|kept| now >= kept.end);
        let State { kept, trouble, beside } = &*state;
        match (kept, trouble) {
            (Some(kept), _) if !kept.must_be_read() && now < kept.ahead => Look::Fresh(kept.secret.clone()),
            // A refused value is no use: the vault is asked again as soon as may be.
            (Some(kept), Some(trouble)) if kept.doubted.is_some() && now >= trouble.stands_until() => Look::Due,
            (Some(kept), Some(trouble)) if now < trouble.next => Look::Fresh(kept.secret.clone()),
            (Some(kept), None) if kept.must_be_read() || (now >= kept.due && !beside) => Look::Due,
            (Some(kept), _) => Look::Serving(kept.secret.clone()),
            (None, Some(trouble)) if now < trouble.stands_until() => Look::Failed(Box::new(trouble.failure.clone())),
            (None, _) => Look::Nothing,
        }
    }

    /// Somebody begins, or ends, to read it while others use what is kept.
    pub(super) fn read_beside(&self, begins: bool) {
        self.state().beside = begins;
    }

    /// What is kept, when it may be handed out at all.
    pub(super) fn kept(&self) -> Option<Secret> {
        let now = Instant::now();
        self.state().kept.as_ref().filter(|kept| now < kept.end).map(|kept| kept.secret.clone())
    }

    /// The vault gave this, asked at `asked`; `life` is what is left until its own end.
    pub(super) fn read(&self, secret: &Secret, life: Option<Duration>, rules: Rules, asked: Instant) {
        let now = Instant::now();
        let mut state = self.state();
        let later = |since: &Instant| *since > asked;
        let told = state.kept.as_ref().and_then(|kept| kept.told).filter(later);
        let same = state.kept.as_ref().filter(|kept| kept.secret.version == secret.version);
        let doubted = same.and_then(|kept| kept.doubted).filter(later);
        let settled = same.is_some_and(|kept| kept.doubted.is_some()) && doubted.is_none();
        let confirmed = if settled { Some(now) } else { same.and_then(|kept| kept.confirmed) };
        let whole = life.unwrap_or(Duration::MAX);
        let believed = rules.cache.min(whole);
        let end = rules.cache.saturating_add(rules.grace).min(whole);
        state.kept = Some(Kept {
            secret: secret.clone(),
            ahead: now + believed - believed / 5,
            due: now + believed,
            end: now + end,
            doubted,
            told,
            confirmed,
        });
        state.trouble = None;
    }

    /// The vault did not give it. `refused`: it has answered that we may not have it, so what is kept counts no more.
    pub(super) fn failed(&self, failure: &Failure, refused: bool) {
        let now = Instant::now();
        let mut state = self.state();
        let times = state.trouble.as_ref().map_or(0, |trouble| trouble.times) + 1;
        if refused {
            state.kept = None;
        }
        let own = FIRST_PAUSE.saturating_mul(1 << (times - 1).min(5)).min(LONGEST_PAUSE);
        let throttled = failure.upstream.as_ref().is_some_and(|upstream| upstream.status == Some(429));
        let wish = failure.retry_after_seconds.filter(|_| throttled).map(Duration::from_secs);
        let pause = wish.map_or(own, |wish| wish.clamp(own, LONGEST_WISH));
        state.trouble =
            Some(Trouble { times, at: now, next: now + pause, wished: wish.is_some(), failure: failure.clone() });
    }

    /// A neighbour has refused `value`: it is read again before its next use.
    pub(super) fn doubt(&self, value: &SecretString) {
        let now = Instant::now();
        let mut state = self.state();
        let same = |kept: &&mut Kept| kept.secret.value.expose_secret() == value.expose_secret();
        if let Some(kept) = state.kept.as_mut().filter(same)
            && kept.confirmed.is_none_or(|confirmed| now >= confirmed + CONFIRMED)
        {
            kept.doubted = Some(now);
        }
    }

    /// There may be a newer version.
    pub(super) fn make_due(&self) {
        let now = Instant::now();
        if let Some(kept) = &mut self.state().kept {
            (kept.ahead, kept.due, kept.told) = (now, now, Some(now));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn must_be_read(&self) -> bool {
        self.doubted.is_some() || self.told.is_some()
    }
}

impl Trouble {
    fn stands_until(&self) -> Instant {
        if self.wished { self.next } else { self.next.min(self.at + FAILURE_STANDS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Code, Upstream};

    const RULES: Rules = Rules { cache: Duration::from_mins(10), grace: Duration::from_hours(1) };

    fn secret(value: &str) -> Secret {
        Secret { value: value.into(), version: value.to_owned() }
    }

    fn entry() -> Entry {
        let entry = Entry::default();
        entry.read(&secret("one"), None, RULES, Instant::now());
        entry
    }

    fn away() -> Failure {
        Failure::new(Code::KeyVaultUnavailable, "away")
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_ahead_of_its_end_and_then_before_its_use() {
        let entry = entry();
        assert!(matches!(entry.look(), Look::Fresh(_)));
        pass(8 * 60).await;
        assert!(matches!(entry.look(), Look::Serving(_)));
        pass(2 * 60).await;
        assert!(matches!(entry.look(), Look::Due));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_reading_that_began_while_the_value_was_fresh_unless_it_was_refused() {
        let entry = entry();
        pass(9 * 60).await;
        entry.read_beside(true);
        pass(61).await;
        assert!(matches!(entry.look(), Look::Serving(_)));
        entry.doubt(&"one".into());
        assert!(matches!(entry.look(), Look::Due));
        entry.read_beside(false);
    }

    #[tokio::test(start_paused = true)]
    async fn a_vault_in_trouble_is_asked_rarely_and_what_is_kept_serves_until_the_grace_has_passed() {
        let entry = entry();
        pass(10 * 60).await;
        entry.failed(&away(), false);
        assert!(matches!(entry.look(), Look::Fresh(_)));
        pass(1).await;
        assert!(matches!(entry.look(), Look::Serving(_)));
        entry.failed(&away(), false);
        pass(1).await;
        assert!(matches!(entry.look(), Look::Fresh(_)), "the second pause is longer");
        pass(60 * 60).await;
        assert!(matches!(entry.look(), Look::Nothing), "the grace has passed, and a try is due");
        entry.failed(&away(), false);
        assert!(matches!(entry.look(), Look::Failed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_ends_with_its_own_life_and_no_grace_lengthens_it() {
        let entry = Entry::default();
        entry.read(&secret("one"), Some(Duration::from_secs(30)), RULES, Instant::now());
        pass(29).await;
        assert!(entry.kept().is_some());
        entry.failed(&away(), false);
        pass(1).await;
        assert!(entry.kept().is_none());
        assert!(matches!(entry.look(), Look::Failed(_) | Look::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_value_is_read_again_but_not_again_and_again() {
        let entry = entry();
        entry.doubt(&"another".into());
        assert!(matches!(entry.look(), Look::Fresh(_)), "it is another's");
        entry.doubt(&"one".into());
        assert!(matches!(entry.look(), Look::Due));
        entry.read(&secret("one"), None, RULES, Instant::now());
        entry.doubt(&"one".into());
        assert!(matches!(entry.look(), Look::Fresh(_)), "it has just been found the same");
        pass(2).await;
        entry.doubt(&"one".into());
        assert!(matches!(entry.look(), Look::Due));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_began_before_the_value_was_refused_settles_nothing() {
        let entry = entry();
        pass(1).await;
        let asked = Instant::now();
        pass(1).await;
        // Stored and revoked meanwhile; the reading found what had been there before.
        entry.doubt(&"one".into());
        entry.read(&secret("one"), None, RULES, asked);
        assert!(matches!(entry.look(), Look::Due));
        entry.read(&secret("two"), None, RULES, asked);
        assert!(matches!(entry.look(), Look::Fresh(_)), "the new one is another");
        entry.make_due();
        entry.read(&secret("two"), None, RULES, asked);
        assert!(matches!(entry.look(), Look::Due), "it was told after the reading began");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_value_does_not_wait_for_the_long_pauses_of_a_vault_in_trouble() {
        let entry = entry();
        pass(1).await;
        for _ in 0..9 {
            entry.failed(&away(), false);
        }
        entry.doubt(&"one".into());
        assert!(matches!(entry.look(), Look::Fresh(_)), "the vault has just failed");
        pass(2).await;
        assert!(matches!(entry.look(), Look::Due));
    }

    #[tokio::test(start_paused = true)]
    async fn a_vaults_wish_is_followed_and_its_refusal_ends_what_is_kept() {
        let entry = entry();
        let upstream = Upstream { service: "key-vault".into(), status: Some(429), code: None, request_id: None };
        entry.make_due();
        entry.failed(&away().from_upstream(upstream).retry_after(Duration::from_secs(20)), false);
        pass(19).await;
        assert!(matches!(entry.look(), Look::Fresh(_)));
        pass(1).await;
        assert!(matches!(entry.look(), Look::Serving(_)));
        entry.failed(&away(), true);
        assert!(entry.kept().is_none());
    }
}
