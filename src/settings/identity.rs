//! Who we are, as settings say it: ways to sign in, and what proves an Entra application. Reading them is `read/`.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// How we prove to Databricks who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabricksAuthentication {
    /// The function app's managed identity, in Entra.
    ManagedIdentity,
    /// An Entra service principal with a client secret ([`Entra`]).
    ClientSecret,
    /// An Entra service principal that another's token proves ([`Federation`]).
    Federated,
    /// A Databricks service principal: client id, and the name of its secret in Key Vault.
    OAuthM2m { client_id: String, secret_name: String },
    /// A personal access token, by its name in Key Vault.
    PersonalAccessToken { secret_name: String },
}

/// How we prove to Power BI who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerBiAuthentication {
    /// The function app's managed identity.
    ManagedIdentity,
    /// An Entra service principal with a client secret ([`Entra`]).
    ClientSecret,
    /// An Entra service principal that another's token proves ([`Federation`]).
    Federated,
    /// A person who has signed in, by a refresh token in Key Vault.
    RefreshToken(RefreshToken),
}

/// A refresh token in Key Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// `CAUSEWAY_POWER_BI_REFRESH_TOKEN_SECRET_NAME`; default `power-bi-refresh-token`.
    pub secret_name: String,
    /// `CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF`: how the application that it was given to proves itself; default
    /// `client-secret`.
    pub proof: RefreshTokenProof,
    /// `CAUSEWAY_POWER_BI_REFRESH_TOKEN_HOURS`: how old the one in the vault grows before a newer one is written there;
    /// default 24.
    pub write_after: Duration,
}

/// How an application proves itself when it uses a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenProof {
    ClientSecret,
    Federated,
    /// Not at all: a public client.
    None,
}

/// Whose token proves an Entra application that has no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// The function app's managed identity.
    ManagedIdentity,
    /// What the platform keeps in the file `AZURE_FEDERATED_TOKEN_FILE` (Azure).
    TokenFile { path: PathBuf },
}

/// Our identity in Entra.
#[derive(Clone, Debug)]
pub struct Entra {
    /// `AZURE_AUTHORITY_HOST` (Azure); default by `CAUSEWAY_CLOUD`.
    pub authority: Url,
    /// `CAUSEWAY_ENTRA_TENANT_ID`; required for `client-secret`, `federated` and `refresh-token`. With a token file its
    /// default is `AZURE_TENANT_ID` (Azure).
    pub tenant_id: Option<String>,
    /// `CAUSEWAY_ENTRA_CLIENT_ID`; required for the same. With a token file its default is `AZURE_CLIENT_ID` (Azure).
    pub client_id: Option<String>,
    /// `CAUSEWAY_ENTRA_CLIENT_SECRET_NAME`: its name in Key Vault; default `entra-client-secret`.
    pub client_secret_name: String,
    /// `CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID`: a user-assigned identity; default the system-assigned one.
    pub managed_identity_client_id: Option<String>,
    /// `IDENTITY_ENDPOINT` (Azure): whether the platform gives a managed identity; else developer tools sign in.
    pub has_managed_identity: bool,
}

/// What proves the Entra application where it has no secret.
#[derive(Clone, Debug)]
pub struct Federation {
    /// `CAUSEWAY_ENTRA_ASSERTION`: `managed-identity` (default) or `token-file`.
    pub assertion: Assertion,
    /// `CAUSEWAY_ENTRA_ASSERTION_AUDIENCE`: of the managed identity's token; default by cloud, `api://AzureADTokenExchange`.
    pub audience: String,
}

/// Audiences that are nobody else's concern.
#[derive(Clone, Debug)]
pub struct Audiences {
    /// `CAUSEWAY_KEY_VAULT_AUDIENCE`: default the one that the vault's challenge names.
    pub key_vault: Option<String>,
    /// What that is expected to be: `key_vault`, else by cloud.
    pub key_vault_expected: String,
    /// `CAUSEWAY_SERVICE_BUS_AUDIENCE`; default by cloud, `https://servicebus.azure.net` in all.
    pub service_bus: String,
    /// `CAUSEWAY_STORAGE_AUDIENCE`; default by cloud, `https://storage.azure.com` in all.
    pub storage: String,
}
