//! Chunks against a server.
