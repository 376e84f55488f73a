//! The REST face.
use axum::Router;
use super::Broker;
pub(super) fn router(broker: Broker) -> Router { let _ = broker; Router::new() }
