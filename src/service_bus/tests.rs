//! Messages on the wire.
