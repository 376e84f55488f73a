//! Calling others on behalf of our callers: which application exchanges their tokens, and how it proves itself.

/// What the exchange needs.
#[derive(Clone, Debug)]
pub struct OnBehalfOf {
    /// `CAUSEWAY_ON_BEHALF_OF_AUTH`: `client-secret` (default), the secret of `CAUSEWAY_ENTRA_CLIENT_SECRET_NAME`; or
    /// `managed-identity`, whose tokens the application trusts as a federated credential.
    pub proof: ExchangeProof,
}

/// How the application proves that it is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeProof {
    ClientSecret,
    /// With a token of the managed identity for this audience.
    ManagedIdentity {
        audience: &'static str,
    },
}
