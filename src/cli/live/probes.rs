//! What is asked of each neighbour.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::identity::{How, Known, sign_in};
use super::{Answer, Row};
use crate::app::Identities;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::draw_writer;
use crate::power_bi::Portion;
use crate::settings::{DatabricksAuthentication, LedgerPlace, PowerBiAuthentication, RefreshTokenProof, Settings};

/// For one neighbour. A refresh of a token by a slow authority fits.
const PATIENCE: Duration = Duration::from_secs(40);
/// More workspaces are not counted.
const MOST_WORKSPACES: usize = 100;

/// One neighbour's rows.
struct Asking {
    neighbour: &'static str,
    known: Known,
    rows: Vec<Row>,
}

impl Asking {
    fn new(neighbour: &'static str, known: Known) -> Self {
        Self { neighbour, known, rows: Vec::new() }
    }

    fn add(&mut self, asked: impl Into<String>, answer: Answer) {
        let Known { identity, object_id } = self.known.clone();
        self.rows.push(Row { neighbour: self.neighbour, identity, object_id, asked: asked.into(), answer });
    }

    fn add_result(&mut self, asked: impl Into<String>, result: Result<String, Failure>) {
        self.add(asked, result.map_or_else(|failure| Answer::No(Box::new(failure)), Answer::Yes));
    }

    /// The rows where there is no token.
    fn not_signed_in(mut self, failure: Failure) -> Vec<Row> {
        self.add_result("sign in", Err(failure));
        self.rows
    }
}

/// Everybody at once, told in this order.
pub(super) async fn all(settings: &Settings, identities: &Identities<'_>) -> Vec<Row> {
    let deadline = Deadline::after(PATIENCE);
    let (vault, ledger, bus, databricks, power_bi) = futures_util::join!(
        key_vault(settings, identities, deadline),
        ledger(settings, identities, deadline),
        service_bus(settings, identities, deadline),
        databricks(settings, identities, deadline),
        power_bi(settings, identities, deadline),
    );
    [vault, ledger, bus, databricks, power_bi].into_iter().flatten().collect()
}

async fn key_vault(settings: &Settings, identities: &Identities<'_>, deadline: Deadline) -> Vec<Row> {
    let tokens = identities.own(&settings.audiences.key_vault_expected);
    let (known, failure) = sign_in(&How::own(settings), &tokens, deadline).await;
    let mut asking = Asking::new("Key Vault", known);
    if let Some(failure) = failure {
        return asking.not_signed_in(failure);
    }
    for name in secrets(settings) {
        let read = identities.vault.probe(name, deadline).await;
        asking.add_result(format!("read the secret {name}"), read.map(|()| "yes".to_owned()));
    }
    asking.rows
}

/// The secrets that these settings need, each once.
fn secrets(settings: &Settings) -> Vec<&str> {
    let mut names =
        vec![settings.requests.status_key_secret_name.as_str(), settings.outside.sealing_key_secret_name.as_str()];
    let application = settings.entra.client_secret_name.as_str();
    match &settings.databricks.authentication {
        DatabricksAuthentication::ClientSecret => names.push(application),
        DatabricksAuthentication::OAuthM2m { secret_name, .. }
        | DatabricksAuthentication::PersonalAccessToken { secret_name } => names.push(secret_name),
        DatabricksAuthentication::ManagedIdentity | DatabricksAuthentication::Federated => {}
    }
    match &settings.power_bi.authentication {
        PowerBiAuthentication::ClientSecret => names.push(application),
        PowerBiAuthentication::RefreshToken(token) => {
            names.push(&token.secret_name);
            if token.proof == RefreshTokenProof::ClientSecret {
                names.push(application);
            }
        }
        PowerBiAuthentication::ManagedIdentity | PowerBiAuthentication::Federated => {}
    }
    names.sort_unstable();
    names.dedup();
    names
}

async fn ledger(settings: &Settings, identities: &Identities<'_>, deadline: Deadline) -> Vec<Row> {
    let local = |identity: &str| Known { identity: identity.to_owned(), object_id: None };
    let (known, failure) = match &settings.ledger.place {
        LedgerPlace::Memory => (local("none (memory)"), None),
        LedgerPlace::Folder { .. } => (local("none (a folder)"), None),
        LedgerPlace::Blob { .. } => {
            sign_in(&How::own(settings), &identities.own(&settings.audiences.storage), deadline).await
        }
    };
    let mut asking = Asking::new("ledger", known);
    if let Some(failure) = failure {
        return asking.not_signed_in(failure);
    }
    let path = format!("checks/{}", Uuid::new_v4());
    let entry = Bytes::from(json!({ "writer": draw_writer() }).to_string());
    let written = identities.ledger.put(&path, entry, deadline).await;
    let was_written = written.is_ok();
    asking.add_result("write an entry", written.map(|_| "yes".to_owned()).map_err(Failure::from));
    if was_written {
        let read = identities.ledger.get(&path, deadline).await.map_err(Failure::from).and_then(|read| {
            read.map(|_| "yes".to_owned())
                .ok_or_else(|| Failure::new(Code::LedgerUnavailable, "What was written could not be found."))
        });
        asking.add_result("read it", read);
        let deleted = identities.ledger.delete(&path, deadline).await;
        asking.add_result("delete it", deleted.map(|()| "yes".to_owned()).map_err(Failure::from));
    }
    asking.rows
}

async fn service_bus(settings: &Settings, identities: &Identities<'_>, deadline: Deadline) -> Vec<Row> {
    let tokens = identities.own(&settings.audiences.service_bus);
    let (known, failure) = sign_in(&How::own(settings), &tokens, deadline).await;
    let mut asking = Asking::new("Service Bus", known);
    if let Some(failure) = failure {
        return asking.not_signed_in(failure);
    }
    let bus = identities.service_bus(tokens);
    let queues = &settings.service_bus;
    let mut entities = vec![&queues.work_queue, &queues.parking_queue, &queues.request_queue];
    entities.extend(queues.reply_queues.iter().chain(&queues.send_queues));
    for entity in entities {
        let may = bus.may_send(entity, deadline).await;
        asking.add_result(format!("send to {entity}"), may.map(|()| "yes".to_owned()));
    }
    asking.rows
}

async fn databricks(settings: &Settings, identities: &Identities<'_>, deadline: Deadline) -> Vec<Row> {
    let tokens = identities.databricks_tokens(&settings.databricks.authentication);
    let (known, failure) = sign_in(&How::databricks(settings), &tokens, deadline).await;
    let mut asking = Asking::new("Databricks", known);
    if let Some(failure) = failure {
        return asking.not_signed_in(failure);
    }
    let databricks = identities.databricks(tokens);
    let me = databricks.me(deadline).await.map_err(Failure::from);
    let is_out = me.as_ref().is_err_and(|failure| failure.code == Code::DatabricksAccessDenied);
    let me = me.map(|me| {
        let name = me.user_name.or(me.display_name).unwrap_or_default();
        format!("yes, as {name}")
    });
    asking.add_result("who am I", me.map_err(|failure| outside(failure, settings)));
    if is_out {
        return asking.rows;
    }
    let Some(warehouse) = settings.databricks.warehouse_id.as_deref() else {
        let hint = "CAUSEWAY_DATABRICKS_WAREHOUSE_ID is not set: each statement must name its warehouse.";
        asking.add("use a warehouse", Answer::Open("none is set".to_owned(), hint.to_owned()));
        return asking.rows;
    };
    let asked = format!("use the warehouse {warehouse}");
    match databricks.probe(Some(warehouse), deadline).await {
        Ok(Some(state)) if state == "RUNNING" => {
            let used = databricks.try_warehouse(warehouse, deadline).await;
            asking.add_result(asked, used.map(|()| "yes".to_owned()).map_err(Failure::from));
        }
        Ok(state) => {
            let state = state.unwrap_or_default();
            let hint = "It may be seen. Whether it may be used is known once it runs: a check starts no warehouse.";
            asking.add(asked, Answer::Open(format!("not tried, {state}"), hint.to_owned()));
        }
        Err(failure) => asking.add_result(asked, Err(failure)),
    }
    asking.rows
}

/// A principal that Entra knows and the workspace does not.
fn outside(mut failure: Failure, settings: &Settings) -> Failure {
    if failure.code == Code::DatabricksAccessDenied {
        failure.detail.push_str(if settings.databricks.azure_resource.is_some() {
            " The principal is not in the workspace: add it there, or make it Contributor on the workspace that \
             CAUSEWAY_DATABRICKS_RESOURCE_ID names."
        } else {
            " Is the principal in the workspace? Add it there; or, where it is Contributor on the workspace in Azure, set \
             CAUSEWAY_DATABRICKS_RESOURCE_ID."
        });
    }
    failure
}

async fn power_bi(settings: &Settings, identities: &Identities<'_>, deadline: Deadline) -> Vec<Row> {
    let tokens = identities.power_bi_tokens();
    let (known, failure) = sign_in(&How::power_bi(settings), &tokens, deadline).await;
    let mut asking = Asking::new("Power BI", known);
    if let Some(failure) = failure {
        return asking.not_signed_in(failure);
    }
    let power_bi = identities.power_bi(tokens);
    let all = Portion { filter: None, top: MOST_WORKSPACES, skip: 0 };
    match power_bi.workspaces(&all, deadline).await {
        Ok(found) if found.is_empty() => {
            let hint = "The identity is in no workspace: add it there as Contributor. A new right takes some minutes.";
            asking.add("list workspaces", Answer::Open("yes, but there is none".to_owned(), hint.to_owned()));
        }
        Ok(found) => asking.add("list workspaces", Answer::Yes(format!("yes, {} of them", found.len()))),
        Err(error) => asking.add_result("list workspaces", Err(error.into())),
    }
    if matches!(settings.power_bi.authentication, PowerBiAuthentication::RefreshToken(_)) {
        let mine = power_bi.datasets("me", deadline).await.map(|found| format!("yes, {} datasets", found.len()));
        asking.add_result("look into My Workspace", mine.map_err(Failure::from));
    }
    asking.rows
}
