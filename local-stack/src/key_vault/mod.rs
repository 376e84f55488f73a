//! The stand-in for key_vault.
