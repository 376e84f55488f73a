//! What handlers need and when they get it. The server listens long before the clients exist; here the early wait.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::entra::Callers;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::requests::Requests;
use crate::rotation::Rotation;
use crate::runs::Runs;

/// The rooms below, as handlers see them.
#[derive(Debug)]
pub struct Work {
    pub requests: Requests,
    pub runs: Runs,
    pub callers: Callers,
    pub rotation: Rotation,
}

/// What stands behind the door, and who is let in.
pub trait Guarded: Send + Sync + 'static {
    fn callers(&self) -> &Callers;
}

impl Guarded for Work {
    fn callers(&self) -> &Callers {
        &self.callers
    }
}

/// How warm-up ended. `Err` is for good: a setting is wrong, and every answer names it.
pub type Warm<W> = Result<Arc<W>, Failure>;

/// Warm-up, running in the background or over.
#[derive(Debug)]
pub(crate) struct WarmUp<W>(watch::Receiver<Option<Warm<W>>>);

impl<W: Send + Sync + 'static> WarmUp<W> {
    /// Starts it; invocations that come before its end wait for it.
    pub(crate) fn start(warm_up: impl Future<Output = Warm<W>> + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let warm = warm_up.await;
            match &warm {
                Ok(_) => tracing::info!("warmed up"),
                Err(failure) => tracing::error!(code = %failure.code, error = failure.chain(), "warm-up failed"),
            }
            // The causes are in the log now; every invocation would repeat them.
            let warm = warm.map_err(|failure| Failure { source: None, ..failure });
            // Nobody listens only when the server is already gone.
            let _ = sender.send(Some(warm));
        });
        Self(receiver)
    }

    /// Its end, or a failure when that does not come before the deadline.
    pub(crate) async fn wait(&self, deadline: Deadline) -> Warm<W> {
        let mut receiver = self.0.clone();
        let ended = tokio::time::timeout_at(deadline.instant(), receiver.wait_for(Option::is_some)).await;
        let Ok(known) = ended else {
            return Err(Failure::new(Code::DeadlineExceeded, "Causeway is still starting. Try again."));
        };
        match known.as_deref() {
            Ok(Some(warm)) => warm.clone(),
            // The sender is gone without a word: warm-up panicked, and the panic is in the log.
            _ => {
                Err(Failure::new(Code::Internal, "Causeway could not start. Its operator finds the reason in the log."))
            }
        }
    }
}
