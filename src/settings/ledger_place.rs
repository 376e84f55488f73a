//! Where the ledger is: told, or found from the storage account that the Functions host has anyway.

use url::Url;

use super::LedgerPlace;
use super::clouds::Cloud;
use super::reader::{Reader, base_url};

const VARIABLE: &str = "CAUSEWAY_LEDGER_URL";
const CONTAINER: &str = "causeway-ledger";
const FORMS: &str = "must be a container (https://account.blob.core.windows.net/container), a folder (file:///path) or \
                     memory:";

/// The place; on any problem `Memory`, which nobody sees since a problem refuses all settings.
pub(super) fn ledger_place(reader: &mut Reader<'_>, cloud: &Cloud) -> LedgerPlace {
    let told = reader.text(VARIABLE);
    let account = default_url(reader, cloud);
    let place = match told {
        Some(text) => told_place(&text),
        None => match account {
            Some(text) => told_place(&text),
            None => Err("is missing, and no storage account is known from AzureWebJobsStorage__accountName, \
                         AzureWebJobsStorage__blobServiceUri or AzureWebJobsStorage: set one of them"),
        },
    };
    place.unwrap_or_else(|problem| {
        reader.problem(VARIABLE, problem);
        LedgerPlace::Memory
    })
}

fn told_place(text: &str) -> Result<LedgerPlace, &'static str> {
    if text == "memory:" {
        return Ok(LedgerPlace::Memory);
    }
    let url = Url::parse(text).map_err(|_| FORMS)?;
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| FORMS)?;
        return Ok(LedgerPlace::Folder { path });
    }
    let url = base_url(text).map_err(|problem| if url.query().is_some() { problem } else { FORMS })?;
    let segments = url.path().split('/').filter(|segment| !segment.is_empty()).count();
    // An emulator has the account in the path, the service in the host name.
    let emulated =
        url.scheme() == "http" || url.host_str().is_some_and(|host| host.parse::<std::net::IpAddr>().is_ok());
    if segments == 1 || (emulated && segments == 2) { Ok(LedgerPlace::Blob { url }) } else { Err(FORMS) }
}

/// Reads all three kin, so that each is checked whichever wins.
fn default_url(reader: &mut Reader<'_>, cloud: &Cloud) -> Option<String> {
    let name = reader.checked("AzureWebJobsStorage__accountName", is_account, ACCOUNT_FORM);
    let service = reader.url("AzureWebJobsStorage__blobServiceUri");
    let connection = reader.text("AzureWebJobsStorage");
    service
        .map(|url| format!("{}/{CONTAINER}", url.as_str().trim_end_matches('/')))
        .or_else(|| name.map(|name| format!("https://{name}.{}/{CONTAINER}", cloud.blob_suffix)))
        .or_else(|| connection.and_then(|text| from_connection_string(&text, cloud)))
}

const ACCOUNT_FORM: &str = "the name of a storage account: 3 to 24 small letters and digits";

fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// `AccountName=…;EndpointSuffix=…` or `BlobEndpoint=…` (learn.microsoft.com, "Configure Azure Storage connection
/// strings"). The key in it is not ours to use: the ledger is reached with an identity.
fn from_connection_string(text: &str, cloud: &Cloud) -> Option<String> {
    let part = |name: &str| {
        text.split(';').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    if part("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Some(format!("http://127.0.0.1:10000/devstoreaccount1/{CONTAINER}"));
    }
    if let Some(endpoint) = part("BlobEndpoint") {
        return Some(format!("{}/{CONTAINER}", endpoint.trim_end_matches('/')));
    }
    let account = part("AccountName")?;
    let suffix = part("EndpointSuffix").map_or_else(|| cloud.blob_suffix.to_owned(), |suffix| format!("blob.{suffix}"));
    Some(format!("https://{account}.{suffix}/{CONTAINER}"))
}
