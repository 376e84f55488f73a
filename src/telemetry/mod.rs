//! Logs as JSON lines on stdout, with the invocation they belong to.
