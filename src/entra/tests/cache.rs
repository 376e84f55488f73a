//! The token cache on a paused clock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::advance;

use super::super::{FetchToken, FetchedToken, TokenCache, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::Deadline;

const HOUR: Duration = Duration::from_hours(1);

/// Gives `token-1`, `token-2`, …, each after a second; or fails while told to.
#[derive(Debug)]
struct Issuer {
    life: Duration,
    asked: AtomicU32,
    renewed: AtomicU32,
    failing: Mutex<bool>,
}

#[async_trait]
impl FetchToken for Issuer {
    async fn fetch(&self, _deadline: Deadline) -> Result<FetchedToken, Failure> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if *self.failing.lock().unwrap() {
            return Err(Failure::new(Code::IdentityUnavailable, "down"));
        }
        Ok(FetchedToken { token: SecretString::from(format!("token-{number}")), life: self.life })
    }

    fn renew(&self) {
        self.renewed.fetch_add(1, Ordering::SeqCst);
    }
}

fn cache(life: Duration) -> TokenCache<Issuer> {
    TokenCache::new(Issuer { life, asked: AtomicU32::new(0), renewed: AtomicU32::new(0), failing: Mutex::new(false) })
}

impl TokenCache<Issuer> {
    async fn get(&self) -> Result<String, Failure> {
        self.token(Deadline::after(Duration::from_secs(30))).await.map(|token| token.expose_secret().to_owned())
    }

    fn fail(&self, failing: bool) {
        *self.fetch.failing.lock().unwrap() = failing;
    }

    fn asked(&self) -> u32 {
        self.fetch.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_request() {
    let cache = cache(HOUR);
    let tokens = futures_util::future::join_all((0..20).map(|_| cache.get())).await;
    assert!(tokens.iter().all(|token| token.as_ref().unwrap() == "token-1"));
    assert_eq!(cache.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_five_minutes_ahead() {
    let cache = cache(HOUR);
    cache.get().await.unwrap();
    advance(Duration::from_mins(54)).await;
    assert_eq!(cache.get().await.unwrap(), "token-1");
    advance(Duration::from_mins(2)).await;
    assert_eq!(cache.get().await.unwrap(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn while_one_refreshes_ahead_the_others_do_not_wait() {
    let cache = cache(HOUR);
    cache.get().await.unwrap();
    advance(Duration::from_mins(56)).await;
    let (first, second) = tokio::join!(cache.get(), cache.get());
    assert_eq!((first.unwrap().as_str(), second.unwrap().as_str()), ("token-2", "token-1"));
}

#[tokio::test(start_paused = true)]
async fn a_still_valid_token_serves_while_the_issuer_is_down_and_not_every_call_asks() {
    let cache = cache(HOUR);
    cache.get().await.unwrap();
    advance(Duration::from_mins(56)).await;
    cache.fail(true);
    assert_eq!(cache.get().await.unwrap(), "token-1");
    assert_eq!(cache.get().await.unwrap(), "token-1");
    assert_eq!(cache.asked(), 2);
    advance(Duration::from_secs(6)).await;
    cache.fail(false);
    assert_eq!(cache.get().await.unwrap(), "token-3");
}

#[tokio::test(start_paused = true)]
async fn a_token_in_its_last_forty_seconds_is_not_handed_out() {
    let cache = cache(HOUR);
    cache.get().await.unwrap();
    advance(Duration::from_secs(3600 - 39)).await;
    cache.fail(true);
    assert!(cache.get().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failure_stands_for_a_few_seconds() {
    let cache = cache(HOUR);
    cache.fail(true);
    assert!(cache.get().await.is_err());
    assert!(cache.get().await.is_err());
    assert_eq!(cache.asked(), 1);
    cache.fail(false);
    advance(Duration::from_secs(6)).await;
    assert!(cache.get().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_replaced_once() {
    let cache = cache(HOUR);
    cache.get().await.unwrap();
    let old = SecretString::from("token-1");
    cache.reject(&old);
    assert_eq!(cache.get().await.unwrap(), "token-2");
    // The second caller with the same old token comes late.
    cache.reject(&old);
    assert_eq!(cache.get().await.unwrap(), "token-2");
    assert_eq!(cache.fetch.renewed.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_lived_token_is_not_asked_for_by_every_call() {
    let cache = cache(Duration::from_mins(4));
    cache.get().await.unwrap();
    advance(Duration::from_mins(1)).await;
    cache.get().await.unwrap();
    assert_eq!(cache.asked(), 1);
    advance(Duration::from_mins(2)).await;
    assert_eq!(cache.get().await.unwrap(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_does_not_wait_for_anothers_request() {
    let cache = cache(HOUR);
    let hurried = async {
        let deadline = Deadline::after(Duration::from_millis(100));
        cache.token(deadline).await.unwrap_err()
    };
    let (patient, hurried) = tokio::join!(cache.get(), hurried);
    assert_eq!(patient.unwrap(), "token-1");
    assert_eq!(hurried.code, Code::IdentityUnavailable);
}
