//! Our identity in Entra, and Service Bus.

use super::super::clouds::Cloud;
use super::super::concerns::{Entra, ServiceBus};
use super::super::on_behalf_of::{ExchangeProof, OnBehalfOf};
use super::super::reader::{Reader, base_url};
use super::{PLACEHOLDER, is_host_name, is_id, preset};

pub(super) fn entra(reader: &mut Reader<'_>, cloud: &Cloud, uses_client_secret: bool) -> Entra {
    let authority = reader.origin("AZURE_AUTHORITY_HOST").unwrap_or_else(|| preset(cloud.authority));
    if authority.scheme() != "https" {
        reader.problem(
            "AZURE_AUTHORITY_HOST",
            "must begin with https://: the Azure SDK takes no other, loopback included",
        );
    }
    let tenant_id = reader.checked("CAUSEWAY_ENTRA_TENANT_ID", is_id, "a tenant's id or domain");
    let client_id = reader.checked("CAUSEWAY_ENTRA_CLIENT_ID", is_id, "the client id of an Entra application");
    if uses_client_secret {
        for (name, missing) in
            [("CAUSEWAY_ENTRA_TENANT_ID", tenant_id.is_none()), ("CAUSEWAY_ENTRA_CLIENT_ID", client_id.is_none())]
        {
            if missing {
                reader.problem(name, "is missing: signing in with client-secret needs it");
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

/// What is missing for it is told to those who ask for it: nobody else needs it.
pub(super) fn on_behalf_of(reader: &mut Reader<'_>, cloud: &Cloud) -> OnBehalfOf {
    let proof = match reader.one_of("CAUSEWAY_ON_BEHALF_OF_AUTH", &["client-secret", "managed-identity"]) {
        "managed-identity" => ExchangeProof::ManagedIdentity { audience: cloud.token_exchange },
        _ => ExchangeProof::ClientSecret,
    };
    OnBehalfOf { proof }
}

pub(super) fn service_bus(reader: &mut Reader<'_>) -> ServiceBus {
    let url_was_set = reader.text("CAUSEWAY_SERVICE_BUS_URL").is_some();
    let told = reader.origin("CAUSEWAY_SERVICE_BUS_URL");
    let namespace = reader.checked(
        "ServiceBusConnection__fullyQualifiedNamespace",
        is_host_name,
        "the namespace's host name, such as my-bus.servicebus.windows.net",
    );
    let url = told.or_else(|| base_url(&format!("https://{}", namespace.as_deref()?)).ok());
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
