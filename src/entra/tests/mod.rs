//! The token cache, and the identities over a scripted transport.

mod application;
mod cache;
mod on_behalf_of;
