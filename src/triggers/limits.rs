//! How much and how long: the numbers that every invocation is held to.

use std::time::Duration;

/// Limits of the server. The defaults are those of production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From arrival until an HTTP call is answered. Power Automate gives up after 120 s.
    pub http_deadline: Duration,
    /// The same for calls that may have waited for this process to start, and how long a process counts as young:
    /// their caller's 120 s began before we could see them.
    pub young_http_deadline: Duration,
    pub young: Duration,
    /// From arrival until the last byte of a streamed answer: below the host's `functionTimeout` of ten minutes.
    pub stream_deadline: Duration,
    /// A streamed answer is cut when its caller takes nothing for this long: before the host's own 240 s.
    pub stream_pause: Duration,
    /// From arrival until a message or timer invocation ends (`CAUSEWAY_MESSAGE_SECONDS`), far below the host's
    /// `functionTimeout`, whose passing kills the whole process.
    pub message_deadline: Duration,
    /// How long after its deadline a handler that forgot it is cut off.
    pub overrun: Duration,
    /// How long a request's head may take.
    pub head: Duration,
    /// Longest path and query, in bytes: what the host's own server takes (Kestrel, `MaxRequestLineSize`).
    pub url: usize,
    /// Largest headers, in bytes, names and values: twice what the host's own server takes, since proxies add theirs.
    pub headers: usize,
    /// Longest pause between two pieces of a request's body.
    pub body_pause: Duration,
    /// Largest body of an HTTP call, in bytes, after decompression.
    pub http_body: usize,
    /// Largest body of a call that takes it as it comes, in bytes, after decompression: what fits the caller's time.
    pub streamed_body: usize,
    /// Largest envelope, in bytes: Service Bus premium carries 100 MB, and base64 makes a third more of it.
    pub envelope: usize,
    /// How long invocations may go on after SIGTERM.
    pub grace: Duration,
}

impl Limits {
    /// How long a call may take that arrives at this age of the process.
    pub(super) fn http_deadline_at(&self, age: Duration) -> Duration {
        if age < self.young { self.young_http_deadline.min(self.http_deadline) } else { self.http_deadline }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            http_deadline: Duration::from_secs(110),
            young_http_deadline: Duration::from_secs(85),
            young: Duration::from_mins(1),
            stream_deadline: Duration::from_mins(9),
            stream_pause: Duration::from_mins(1),
            message_deadline: Duration::from_mins(4),
            overrun: Duration::from_secs(2),
            head: Duration::from_secs(15),
            url: 8 << 10,
            headers: 64 << 10,
            body_pause: Duration::from_secs(30),
            http_body: 32 << 20,
            streamed_body: 256 << 20,
            envelope: 200 << 20,
            grace: Duration::from_secs(25),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_a_young_process_is_answered_sooner() {
        let limits = Limits::default();
        assert_eq!(limits.http_deadline_at(Duration::ZERO), Duration::from_secs(85));
        assert_eq!(limits.http_deadline_at(limits.young), Duration::from_secs(110));
    }
}
