//! List Blobs: prefix, delimiter, pages with a marker ("List Blobs", Blob service REST). Names come in the order of
//! their bytes; the marker is opaque to callers.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Service;
use super::reply::{container_not_found, date, error, escape, put, with_body};
use super::store::Stored;

enum Item {
    Blob(String, Box<Stored>),
    Prefix(String),
}

impl Item {
    fn name(&self) -> &str {
        match self {
            Self::Blob(name, _) | Self::Prefix(name) => name,
        }
    }
}

pub(super) fn list(
    service: &Service,
    container: &str,
    query: &BTreeMap<String, String>,
    endpoint: &str,
) -> Response<Body> {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, delimiter) = (field("prefix"), field("delimiter"));
    let Some(found) = service.store.with_prefix(container, prefix) else { return container_not_found() };
    let limit = service.page_size.load(std::sync::atomic::Ordering::Relaxed);
    let asked = match field("maxresults") {
        "" => 5000,
        text => match text.parse::<usize>() {
            Ok(asked @ 1..) => asked,
            _ => {
                return error(
                    StatusCode::BAD_REQUEST,
                    "OutOfRangeQueryParameterValue",
                    "One of the query parameters specified in the request URI is outside the permissible range.",
                );
            }
        },
    };
    let from = match field("marker") {
        "" => String::new(),
        marker => match STANDARD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(name) => name,
            None => {
                return error(
                    StatusCode::BAD_REQUEST,
                    "InvalidQueryParameterValue",
                    "Value for one of the query parameters specified in the request URI is invalid.",
                );
            }
        },
    };

    let mut items: Vec<Item> = Vec::new();
    for (name, blob) in found {
        let rest = &name[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => {
                let folder = &name[..prefix.len() + at + delimiter.len()];
                if items.last().is_none_or(|last| last.name() != folder) {
                    items.push(Item::Prefix(folder.into()));
                }
            }
            None => items.push(Item::Blob(name, Box::new(blob))),
        }
    }
    let mut items = items.into_iter().skip_while(|item| item.name() < from.as_str());
    let page: Vec<Item> = items.by_ref().take(asked.min(limit)).collect();
    let next = items.next().map(|item| STANDARD.encode(item.name())).unwrap_or_default();

    let with_metadata = field("include").split(',').any(|part| part == "metadata");
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}\" ContainerName=\"{}\">",
        escape(endpoint),
        escape(container)
    );
    for (element, value) in
        [("Prefix", prefix), ("Marker", field("marker")), ("MaxResults", field("maxresults")), ("Delimiter", delimiter)]
    {
        if !value.is_empty() {
            xml.extend(["<", element, ">", &escape(value), "</", element, ">"]);
        }
    }
    xml.push_str("<Blobs>");
    for item in &page {
        match item {
            Item::Prefix(name) => xml.extend(["<BlobPrefix><Name>", &escape(name), "</Name></BlobPrefix>"]),
            Item::Blob(name, blob) => xml.push_str(&entry(name, blob, with_metadata)),
        }
    }
    xml.extend(["</Blobs><NextMarker>", &next, "</NextMarker></EnumerationResults>"]);
    let mut headers = HeaderMap::new();
    put(&mut headers, "content-type", "application/xml");
    with_body(StatusCode::OK, headers, Body::from(xml))
}

fn entry(name: &str, blob: &Stored, with_metadata: bool) -> String {
    let metadata = if with_metadata {
        let mut inner = String::from("<Metadata>");
        for (name, value) in &blob.metadata {
            inner.extend(["<", name, ">", &escape(value), "</", name, ">"]);
        }
        inner + "</Metadata>"
    } else {
        String::new()
    };
    format!(
        "<Blob><Name>{}</Name><Properties><Creation-Time>{}</Creation-Time><Last-Modified>{}</Last-Modified><Etag>{}</Etag><Content-Length>{}</Content-Length><Content-Type>{}</Content-Type><Content-Encoding /><Content-Language /><Content-CRC64 /><Content-MD5 /><Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>{metadata}<OrMetadata /></Blob>",
        escape(name),
        date(blob.created),
        date(blob.modified),
        blob.etag,
        blob.bytes.len(),
        escape(&blob.content_type),
    )
}
