//! The stand-in for entra.
