//! The stand-in for blob.
