//! Somebody who calls with an Entra token that has been validated. What may be done with the token stands elsewhere.

use jiff::Timestamp;
use secrecy::SecretString;

/// Who calls, as the claims of a validated access token say it (Microsoft Learn, "Access token claims reference").
#[derive(Clone, Debug)]
pub struct User {
    /// `oid`: the same in every application of a tenant. Claims, statements and runs belong to it.
    pub object_id: String,
    /// `tid`
    pub tenant_id: String,
    /// `roles`: app roles of this application.
    pub roles: Vec<String>,
    /// `idtyp` is `app`: a service, on behalf of which nothing can be exchanged.
    pub is_application: bool,
    /// The token itself: the assertion of an on-behalf-of exchange. Empty when App Service authentication vouches for its
    /// bearer, which hands on no token for us.
    pub token: SecretString,
    /// `exp`
    pub expires: Timestamp,
}
