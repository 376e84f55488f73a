//! The stand-in for service_bus.
