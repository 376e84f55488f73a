//! The stand-in for host.
