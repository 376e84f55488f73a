//! How much and how long: the numbers that every invocation is held to.

use std::time::Duration;

/// Limits of the server. The defaults are those of production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From arrival until an HTTP call is answered. Power Automate gives up after 120 s.
    pub http_deadline: Duration,
    /// From arrival until a message or timer invocation ends (`CAUSEWAY_MESSAGE_SECONDS`), far below the host's
    /// `functionTimeout`, whose passing kills the whole process.
    pub message_deadline: Duration,
    /// How long after its deadline a handler that forgot it is cut off.
    pub overrun: Duration,
    /// Longest pause between two pieces of a request's body.
    pub body_pause: Duration,
    /// Largest body of an HTTP call, in bytes, after decompression.
    pub http_body: usize,
    /// Largest envelope, in bytes: Service Bus premium carries 100 MB, and base64 makes a third more of it.
    pub envelope: usize,
    /// How long invocations may go on after SIGTERM.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            http_deadline: Duration::from_secs(110),
            message_deadline: Duration::from_secs(240),
            overrun: Duration::from_secs(2),
            body_pause: Duration::from_secs(30),
            http_body: 32 << 20,
            envelope: 200 << 20,
            grace: Duration::from_secs(25),
        }
    }
}
