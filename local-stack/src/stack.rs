//! All stand-ins together, started by one call.
