//! Whose token it is, in words: by the settings, and by what the token says. Of the token itself nothing is told.

use std::sync::Arc;

use crate::entra::{Holder, TokenSource};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::settings::{DatabricksAuthentication, PowerBiAuthentication, Settings};

/// How a token is got.
#[derive(Clone, Debug)]
pub(super) enum How {
    Own {
        managed: bool,
    },
    Application(&'static str),
    Person,
    /// Not of Entra.
    Named(String),
}

impl How {
    pub(super) fn own(settings: &Settings) -> Self {
        Self::Own { managed: settings.entra.has_managed_identity }
    }

    pub(super) fn databricks(settings: &Settings) -> Self {
        match &settings.databricks.authentication {
            DatabricksAuthentication::ManagedIdentity => Self::own(settings),
            DatabricksAuthentication::ClientSecret => Self::Application("secret"),
            DatabricksAuthentication::Federated => Self::Application("federated"),
            DatabricksAuthentication::OAuthM2m { client_id, .. } => {
                Self::Named(format!("Databricks principal {client_id}"))
            }
            DatabricksAuthentication::PersonalAccessToken { .. } => Self::Named("personal access token".to_owned()),
        }
    }

    pub(super) fn power_bi(settings: &Settings) -> Self {
        match &settings.power_bi.authentication {
            PowerBiAuthentication::ManagedIdentity => Self::own(settings),
            PowerBiAuthentication::ClientSecret => Self::Application("secret"),
            PowerBiAuthentication::Federated => Self::Application("federated"),
            PowerBiAuthentication::RefreshToken(_) => Self::Person,
        }
    }

    /// What is said of it without a token.
    fn alone(&self) -> String {
        match self {
            Self::Own { managed: true } => "managed identity".to_owned(),
            Self::Own { managed: false } => "developer (az, azd)".to_owned(),
            Self::Application(proof) => format!("application ({proof})"),
            Self::Person => "person (refresh token)".to_owned(),
            Self::Named(name) => name.clone(),
        }
    }

    fn holding(&self, holder: &Holder) -> String {
        match (self, &holder.user, &holder.client_id) {
            (Self::Named(name), _, _) => name.clone(),
            (_, Some(user), _) => format!("person {user}"),
            (Self::Application(proof), None, Some(id)) => format!("application {id} ({proof})"),
            (_, None, Some(id)) => format!("managed identity {id}"),
            (_, None, None) => self.alone(),
        }
    }
}

/// Who we are to one neighbour.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) identity: String,
    pub(super) object_id: Option<String>,
}

/// Signs in; the failure where no token is had.
pub(super) async fn sign_in(how: &How, tokens: &Arc<dyn TokenSource>, deadline: Deadline) -> (Known, Option<Failure>) {
    match tokens.token(deadline).await {
        Ok(token) => {
            let holder = Holder::of(&token);
            (Known { identity: how.holding(&holder), object_id: holder.object_id }, None)
        }
        Err(failure) => (Known { identity: how.alone(), object_id: None }, Some(failure)),
    }
}
