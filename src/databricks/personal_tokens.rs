//! The token API: personal access tokens made, listed and deleted, with the caller as their owner (SDK, TokensAPI;
//! learn.microsoft.com/azure/databricks/dev-tools/auth/pat). When a token is due for another is `rotation`'s.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::call::body;
use super::error::Refused;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// What is shown of a token. Its value is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TokenInfo {
    #[serde(rename = "token_id")]
    pub id: String,
    #[serde(default)]
    pub comment: String,
    /// Milliseconds since 1970; -1 for one that does not end.
    #[serde(rename = "expiry_time", default)]
    pub expires_at_ms: i64,
}

/// A token that was just made.
#[derive(Debug)]
pub struct NewToken {
    pub value: SecretString,
    pub info: TokenInfo,
}

#[derive(Deserialize)]
struct Created {
    token_value: Option<String>,
    token_info: Option<TokenInfo>,
}

#[derive(Deserialize)]
struct TokenList {
    #[serde(default)]
    token_infos: Vec<TokenInfo>,
}

#[derive(Deserialize)]
struct Me {
    #[serde(rename = "userName")]
    user_name: Option<String>,
}

impl Databricks {
    /// Makes a token of whoever we are. An answer that is lost leaves a token that nobody knows, but by its comment.
    pub async fn create_token(
        &self,
        comment: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<NewToken, DatabricksError> {
        let url = self.address(&["api", "2.0", "token", "create"])?;
        let wish = body(&json!({"comment": comment, "lifetime_seconds": life.as_secs()}))?;
        let request = Outbound::post(url).json(wish);
        let made: Created = self.ask(RequestKind::TokenCreate, request, &Subject::Tokens, deadline).await?;
        let value = made.token_value.filter(|value| !value.is_empty());
        let (Some(value), Some(info)) = (value, made.token_info) else {
            let detail = "Databricks answered a request for a token without one.";
            return Err(Failure::new(Code::UpstreamReplyInvalid, detail).effect_possible().into());
        };
        Ok(NewToken { value: value.into(), info })
    }

    /// The tokens of whoever we are.
    pub async fn list_tokens(&self, deadline: Deadline) -> Result<Vec<TokenInfo>, DatabricksError> {
        let url = self.address(&["api", "2.0", "token", "list"])?;
        let list: TokenList = self.ask(RequestKind::TokenList, Outbound::get(url), &Subject::Tokens, deadline).await?;
        Ok(list.token_infos)
    }

    /// Revokes a token; one that is gone is revoked.
    pub async fn delete_token(&self, id: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let url = self.address(&["api", "2.0", "token", "delete"])?;
        let request = Outbound::post(url).json(body(&json!({"token_id": id}))?);
        match self.call(RequestKind::TokenDelete, request, &Subject::Tokens, deadline).await {
            Ok(_) => Ok(()),
            Err(DatabricksError::Refused(refused)) if refused.status == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Our own name: of a service principal its application id (SDK, CurrentUserAPI).
    pub async fn own_name(&self, deadline: Deadline) -> Result<String, DatabricksError> {
        let url = self.address(&["api", "2.0", "preview", "scim", "v2", "Me"])?;
        let me: Me = self.ask(RequestKind::OwnIdentity, Outbound::get(url), &Subject::Workspace, deadline).await?;
        me.user_name.ok_or_else(|| DatabricksError::nonsense(&Subject::Workspace, "it does not say who we are"))
    }

    /// Adds the right to use tokens (SDK, PermissionsAPI: `update` adds, `set` would take from everybody else, and delete
    /// their tokens). Needs an admin of the workspace.
    pub async fn allow_tokens(&self, service_principal: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let url = self.address(&["api", "2.0", "permissions", "authorization", "tokens"])?;
        let access = json!([{"service_principal_name": service_principal, "permission_level": "CAN_USE"}]);
        let request = Outbound { method: "PATCH", ..Outbound::post(url) };
        let request = request.json(body(&json!({"access_control_list": access}))?);
        // What is denied here is no matter of using tokens.
        self.call(RequestKind::TokenPermission, request, &Subject::Workspace, deadline).await.map(drop)
    }
}

/// What a refusal of the token API means; `None` when it is no matter of tokens.
///
/// The words for a missing right are seen in terraform-databricks-examples issue 196, those of a workspace without
/// tokens in Databricks' own pages; no list of them is published, so both are looked for by their parts.
pub(super) fn explained(refused: &Refused) -> Option<(Code, String)> {
    if refused.subject != Subject::Tokens || refused.status >= 500 {
        return None;
    }
    let code = refused.error_code.as_deref().unwrap_or_default();
    let words = refused.message.to_ascii_lowercase();
    let said = format!(" Databricks says: {}", refused.message);
    if code == "QUOTA_EXCEEDED" {
        let detail = "Our identity has as many personal access tokens as a user may have (600): delete those that are not \
                      used.";
        return Some((Code::TokenQuotaExceeded, format!("{detail}{said}")));
    }
    if words.contains("lifetime") {
        let detail = "The workspace allows no personal access token of this lifetime: lower CAUSEWAY_PAT_LIFETIME_DAYS, \
                      or have an admin raise maxTokenLifetimeDays.";
        return Some((Code::TokenLifetimeRefused, format!("{detail}{said}")));
    }
    if !matches!(refused.status, 400 | 401 | 403 | 404) {
        return None;
    }
    if words.contains("permission to use tokens") {
        return Some((Code::TokensNotAllowed, format!("{CAN_USE}{said}")));
    }
    if code == "FEATURE_DISABLED" || (words.contains("token") && words.contains("disabled")) {
        let detail = "Personal access tokens are disabled in this workspace. An admin turns them on under Settings, \
                      Advanced, Personal access tokens (the key enableTokensConfig of /api/2.0/workspace-conf).";
        return Some((Code::TokensDisabled, format!("{detail}{said}")));
    }
    (code == "PERMISSION_DENIED").then(|| (Code::TokensNotAllowed, format!("{CAN_USE}{said}")))
}

const CAN_USE: &str = "Our identity may not use personal access tokens. An admin of the workspace gives it CAN USE on them: \
                       Settings, Advanced, Personal access tokens, Permission settings; or `causeway rotate-pat --allow \
                       APPLICATION_ID` as an admin, which is PATCH /api/2.0/permissions/authorization/tokens.";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::failure::Effect;

    #[rstest]
    #[case(403, "PERMISSION_DENIED", "User does not have permission to use tokens.", Some(Code::TokensNotAllowed))]
    #[case(404, "FEATURE_DISABLED", "Personal access tokens are disabled.", Some(Code::TokensDisabled))]
    #[case(403, "PERMISSION_DENIED", "Tokens are disabled for your organization.", Some(Code::TokensDisabled))]
    #[case(400, "QUOTA_EXCEEDED", "The quota for tokens has been exceeded.", Some(Code::TokenQuotaExceeded))]
    #[case(
        400,
        "INVALID_PARAMETER_VALUE",
        "The token lifetime must be at most 90 days.",
        Some(Code::TokenLifetimeRefused)
    )]
    #[case(403, "403", "Invalid access token.", None)]
    #[case(503, "TEMPORARILY_UNAVAILABLE", "permission to use tokens", None)]
    fn refusals_of_tokens_have_codes_of_their_own(
        #[case] status: u16,
        #[case] error_code: &str,
        #[case] message: &str,
        #[case] code: Option<Code>,
    ) {
        let refused = Refused {
            subject: Subject::Tokens,
            status,
            error_code: Some(error_code.into()),
            message: message.into(),
            request_id: None,
            retry_after: None,
            effect: Effect::None,
        };
        assert_eq!(explained(&refused).map(|(code, _)| code), code);
        let elsewhere = Refused { subject: Subject::Workspace, ..refused };
        assert_eq!(explained(&elsewhere), None);
    }
}
