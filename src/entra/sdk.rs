//! The Azure SDK, tamed: our transport, no retry of its own, our own time around every call.
//!
//! The SDK sleeps for a `Retry-After` of any length and tries eight times by default; so it tries once, and the
//! trying again is here.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use tokio::time::Instant;

use super::refusal::aadsts_in;
use crate::http::{Deadline, Http};

/// Tries of one call, the first included.
const TRIES: u32 = 3;

/// Options for every client and credential of the SDK.
pub(crate) fn client_options(http: &Http) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(http.transport()))),
        ..ClientOptions::default()
    }
}

/// A call of the SDK that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SdkFailure {
    #[error("no answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    #[error("the Azure SDK failed")]
    Sdk(#[source] azure_core::Error),
}

impl SdkFailure {
    /// Status of the neighbour's answer, wherever in the chain it stands: credentials wrap the error that has it.
    pub(crate) fn status(&self) -> Option<u16> {
        self.find(|error| error.http_status().map(u16::from))
    }

    /// Status of the answer of the service that was called, as opposed to one that its credential asked.
    pub(crate) fn answered(&self) -> Option<u16> {
        match self {
            Self::Sdk(error) if matches!(error.kind(), ErrorKind::HttpResponse { .. }) => {
                error.http_status().map(u16::from)
            }
            _ => None,
        }
    }

    /// Whether the neighbour's answer, or what the SDK makes of it, has these words in it.
    pub(crate) fn says(&self, words: &str) -> bool {
        let in_body = self.find(|error| match error.kind() {
            ErrorKind::HttpResponse { raw_response: Some(response), .. } => {
                String::from_utf8_lossy(response.body()).contains(words).then_some(())
            }
            _ => None,
        });
        in_body.is_some() || self.find(|error| error.to_string().contains(words).then_some(())).is_some()
    }

    /// The neighbour's own code, such as `SecretNotFound` or `7000215`.
    pub(crate) fn code(&self) -> Option<String> {
        self.find(|error| match error.kind() {
            ErrorKind::HttpResponse { error_code, .. } => error_code.clone(),
            _ => None,
        })
    }

    /// Entra's own number, such as 700016, out of its words.
    pub(crate) fn aadsts(&self) -> Option<u32> {
        self.find(|error| aadsts_in(&error.to_string()))
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    pub(crate) fn header(&self, name: &'static str) -> Option<String> {
        self.find(|error| match error.kind() {
            ErrorKind::HttpResponse { raw_response: Some(response), .. } => {
                response.headers().get_optional_string(&HeaderName::from_static(name))
            }
            _ => None,
        })
    }

    fn find<T>(&self, look: impl Fn(&azure_core::Error) -> Option<T>) -> Option<T> {
        let Self::Sdk(first) = self else { return None };
        let mut error: Option<&(dyn StdError + 'static)> = Some(first);
        while let Some(current) = error {
            if let Some(found) = current.downcast_ref::<azure_core::Error>().and_then(&look) {
                return Some(found);
            }
            error = current.source();
        }
        None
    }

    fn is_transient(&self) -> bool {
        match self.status() {
            Some(status) => status == 429 || status >= 500,
            // Without a status: no connection, a cut one, or no time. A credential that is wrong in itself is told
            // by the constructor.
            None => true,
        }
    }
}

/// Calls until an answer, a refusal, or the end of `deadline`; one try takes at most `per_try`. Reads only.
pub(crate) async fn patiently<T, F>(
    deadline: Deadline,
    per_try: Duration,
    mut call: impl FnMut() -> F,
) -> Result<T, SdkFailure>
where
    F: Future<Output = azure_core::Result<T>>,
{
    let started = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let limit = per_try.min(deadline.remaining());
        let failure = match tokio::time::timeout(limit, call()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => SdkFailure::Sdk(error),
            Err(_) => SdkFailure::TooSlow(started.elapsed()),
        };
        let pause = failure.retry_after().unwrap_or(Duration::from_millis(200) * (1 << tries));
        if tries >= TRIES || !failure.is_transient() || pause >= deadline.remaining() {
            return Err(failure);
        }
        tokio::time::sleep(pause).await;
    }
}
