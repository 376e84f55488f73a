//! The form of BINARY, learned from a server.
