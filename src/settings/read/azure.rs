//! Our identity in Entra, audiences, and Service Bus.

use std::path::PathBuf;

use super::super::clouds::Cloud;
use super::super::concerns::ServiceBus;
use super::super::identity::{Assertion, Audiences, Entra, Federation};
use super::super::on_behalf_of::{ExchangeProof, OnBehalfOf};
use super::super::reader::{Reader, base_url};
use super::{PLACEHOLDER, is_host_name, is_id, or_preset, places, preset};

/// `needed_for` is the value of a setting that wants an application.
pub(super) fn entra(reader: &mut Reader<'_>, cloud: &Cloud, assertion: &Assertion, needed_for: Option<&str>) -> Entra {
    let authority = reader.origin("AZURE_AUTHORITY_HOST").unwrap_or_else(|| preset(cloud.authority));
    if authority.scheme() != "https" {
        reader.problem(
            "AZURE_AUTHORITY_HOST",
            "must begin with https://: the Azure SDK takes no other, loopback included",
        );
    }
    let is_file = matches!(assertion, Assertion::TokenFile { .. });
    let tenant_id = reader.checked("CAUSEWAY_ENTRA_TENANT_ID", is_id, "a tenant's id or domain");
    let client_id = reader.checked("CAUSEWAY_ENTRA_CLIENT_ID", is_id, "the client id of an Entra application");
    // What workload identity sets beside its file.
    let platform = [reader.text("AZURE_TENANT_ID"), reader.text("AZURE_CLIENT_ID")];
    let [its_tenant, its_client] = platform.map(|id| id.filter(|_| is_file));
    let (tenant_id, client_id) = (tenant_id.or(its_tenant), client_id.or(its_client));
    if let Some(value) = needed_for {
        for (name, missing) in
            [("CAUSEWAY_ENTRA_TENANT_ID", tenant_id.is_none()), ("CAUSEWAY_ENTRA_CLIENT_ID", client_id.is_none())]
        {
            if missing {
                reader.problem(name, format!("is missing: signing in with {value} needs it"));
            }
        }
    }
    Entra {
        authority,
        tenant_id,
        client_id,
        client_secret_name: reader.secret_name("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME"),
        managed_identity_client_id: reader.checked(
            "CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID",
            is_id,
            "the client id of a user-assigned identity (not its resource id)",
        ),
        has_managed_identity: reader.text("IDENTITY_ENDPOINT").is_some(),
    }
}

pub(super) fn federation(reader: &mut Reader<'_>, cloud: &Cloud, needed_for: Option<&str>) -> Federation {
    const VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";
    let path = reader.text(VARIABLE).map(PathBuf::from);
    let audience = or_preset(reader, "CAUSEWAY_ENTRA_ASSERTION_AUDIENCE", cloud.exchange_audience);
    if reader.one_of("CAUSEWAY_ENTRA_ASSERTION", &["managed-identity", "token-file"]) == "managed-identity" {
        return Federation { assertion: Assertion::ManagedIdentity, audience };
    }
    if path.is_none() && needed_for.is_some() {
        reader.problem(
            VARIABLE,
            "is missing: CAUSEWAY_ENTRA_ASSERTION is token-file, and the platform that mounts the token sets this path \
             (workload identity)",
        );
    }
    Federation { assertion: Assertion::TokenFile { path: path.unwrap_or_default() }, audience }
}

pub(super) fn audiences(reader: &mut Reader<'_>, cloud: &Cloud) -> Audiences {
    let key_vault = reader.text("CAUSEWAY_KEY_VAULT_AUDIENCE");
    Audiences {
        key_vault_expected: key_vault.clone().unwrap_or_else(|| cloud.key_vault_audience.to_owned()),
        key_vault,
        service_bus: or_preset(reader, "CAUSEWAY_SERVICE_BUS_AUDIENCE", cloud.service_bus_audience),
        storage: or_preset(reader, "CAUSEWAY_STORAGE_AUDIENCE", cloud.storage_audience),
    }
}

/// What is missing for it is told to those who ask for it: nobody else needs it.
pub(super) fn on_behalf_of(reader: &mut Reader<'_>, cloud: &Cloud) -> OnBehalfOf {
    let proof = match reader.one_of("CAUSEWAY_ON_BEHALF_OF_AUTH", &["client-secret", "managed-identity"]) {
        "managed-identity" => ExchangeProof::ManagedIdentity { audience: cloud.exchange_audience },
        _ => ExchangeProof::ClientSecret,
    };
    OnBehalfOf { proof }
}

pub(super) fn service_bus(reader: &mut Reader<'_>, cloud: &Cloud) -> ServiceBus {
    let url_was_set = reader.text("CAUSEWAY_SERVICE_BUS_URL").is_some();
    let told = places::SERVICE_BUS.origin(reader, "CAUSEWAY_SERVICE_BUS_URL", cloud);
    let namespace = reader.checked(
        "ServiceBusConnection__fullyQualifiedNamespace",
        is_host_name,
        "the namespace's host name, such as my-bus.servicebus.windows.net",
    );
    let of_namespace = namespace.as_deref().and_then(|host| base_url(&format!("https://{host}")).ok());
    if let Some(url) = &of_namespace {
        places::SERVICE_BUS.same_cloud(reader, "ServiceBusConnection__fullyQualifiedNamespace", url, cloud);
    }
    let url = told.or(of_namespace);
    if url.is_none() && !url_was_set && namespace.is_none() {
        reader.problem(
            "CAUSEWAY_SERVICE_BUS_URL",
            "is missing: set ServiceBusConnection__fullyQualifiedNamespace to the namespace's host name, such as \
             my-bus.servicebus.windows.net (a connection string holds no identity and is not used)",
        );
    }
    ServiceBus {
        url: url.unwrap_or_else(|| preset(PLACEHOLDER)),
        request_queue: reader.queue("CAUSEWAY_REQUEST_QUEUE"),
        work_queue: reader.queue("CAUSEWAY_WORK_QUEUE"),
        parking_queue: reader.queue("CAUSEWAY_PARKING_QUEUE"),
        request_topic: reader.text("CAUSEWAY_REQUEST_TOPIC").map(|_| reader.queue("CAUSEWAY_REQUEST_TOPIC")),
        request_subscription: reader.queue("CAUSEWAY_REQUEST_SUBSCRIPTION"),
        reply_queues: reader.queues("CAUSEWAY_REPLY_QUEUES"),
        send_queues: reader.queues("CAUSEWAY_SEND_QUEUES"),
    }
}
