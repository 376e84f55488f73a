//! The OpenAPI 3.1 document, made of the table of functions and the catalog of operations: for API Management, for client
//! generators, and for whoever throws made-up calls at every route. The Swagger 2.0 of a Power Platform connector is not here.

mod words;

use serde_json::{Map, Value, json};

use super::http::known_query;
use super::{AuthLevel, Function, Handle, Route, Trigger, Verb};
use crate::operations::{Catalog, Operation};
use words::Words;

/// The schemas of the bodies and of what all answers share. JSON, so that nothing of it is code.
const SCHEMAS: &str = include_str!("schemas.json");

/// What a call may answer whose rows are a stream.
const STREAMS: [&str; 4] =
    ["application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"];

/// The document. `server` is the address that callers use, without `/api`.
pub fn document<W>(functions: &[Function<W>], catalog: &Catalog, server: &str) -> Value {
    let mut paths = Map::new();
    for function in functions {
        let Trigger::Http { level, routes } = &function.trigger else { continue };
        for route in *routes {
            let Some(words) = words::of(route.verb, route.path) else { continue };
            put(&mut paths, route.path, route.verb, call(function.name, *level, route, &words));
        }
    }
    for (name, entry) in &catalog.entries {
        let Ok(operation) = &entry.operation else { continue };
        put(&mut paths, &format!("/api/operations/{name}"), Verb::Start, typed(name, operation));
    }
    let mut schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).unwrap_or_default();
    schemas.insert("Anything".to_owned(), json!({}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Causeway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The road between Power Platform and the lakehouse.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
            "responses": {"Problem": {
                "description": "It failed; `code` says how.",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Problem"}},
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
                },
            }},
        },
    })
}

fn put(paths: &mut Map<String, Value>, path: &str, verb: Verb, call: Value) {
    let item = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
    item[verb.method().to_ascii_lowercase()] = call;
}

fn call<W>(area: &str, level: AuthLevel, route: &Route<W>, words: &Words) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect();
    parameters.extend(known_query(route.verb, route.path).iter().map(|name| {
        let (schema, description) = words::of_query(route.path, name);
        json!({"name": name, "in": "query", "description": description, "schema": schema})
    }));
    if route.verb.may_have_effect() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"},
        }));
    }
    let mut call = json!({
        "operationId": words.id,
        "summary": words.summary,
        "tags": [area],
        "parameters": parameters,
        "responses": responses(route.verb, route.path, words.answer),
        "security": security(level),
    });
    if let Some(body) = words.body {
        let mut content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{body}")}}});
        if matches!(route.handle, Handle::Streamed(_)) {
            content["application/x-ndjson"] = json!({"schema": {"type": "string"}});
        }
        call["requestBody"] = json!({"required": true, "content": content});
    }
    call
}

/// Either is enough. Callers of anonymous functions have a signed address, or ask nothing secret.
fn security(level: AuthLevel) -> Value {
    match level {
        AuthLevel::Anonymous => json!([]),
        AuthLevel::Function => json!([{"functionKey": []}, {"functionKeyInQuery": []}, {"bearer": []}]),
    }
}

fn responses(verb: Verb, route: &str, answer: &str) -> Value {
    let schema = json!({"schema": {"$ref": format!("#/components/schemas/{answer}")}});
    let mut content = Map::from_iter([("application/json".to_owned(), schema)]);
    if route == "/api/sql/statements" || route.ends_with("/rows") && verb == Verb::Get || route.contains("/status/") {
        content.extend(STREAMS.map(|media| (media.to_owned(), json!({}))));
    }
    if route.ends_with("/file") || route.contains("/status/") {
        content.insert("*/*".to_owned(), json!({}));
    }
    let going = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Going"}}});
    let location = json!({"Location": {"schema": {"type": "string"}}});
    let problem = json!({"$ref": "#/components/responses/Problem"});
    let mut responses = json!({"200": {"description": "Done.", "content": content}, "4XX": problem, "5XX": problem});
    if verb == Verb::Start || verb == Verb::Make || route.ends_with("/retry") {
        responses["201"] =
            json!({"description": "Begun, or made.", "headers": location, "content": {"application/json": {}}});
    }
    if verb == Verb::Start || route.ends_with("/retry") || verb == Verb::Get && !route.ends_with("/openapi.json") {
        let headers = json!({
            "Location": {"schema": {"type": "string"}},
            "Retry-After": {"schema": {"type": "integer"}},
        });
        responses["202"] =
            json!({"description": "It goes on; look at `Location`.", "headers": headers, "content": going});
    }
    if route != "/api/health" {
        responses["401"] = json!({"description": "The key is missing or wrong; of the host, without a body."});
    }
    responses
}

/// One operation, with its own parameters and output.
fn typed(name: &str, operation: &Operation) -> Value {
    let plain = |mut schema: Value| {
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
        }
        schema
    };
    let mut body = plain(operation.parameters_schema());
    body["properties"]["callbackUrl"] = json!({"type": ["string", "null"], "format": "uri"});
    let route = "/api/operations/{name}";
    let parameters: Vec<Value> = known_query(Verb::Start, route)
        .iter()
        .map(|query| {
            let (schema, description) = words::of_query(route, query);
            json!({"name": query, "in": "query", "description": description, "schema": schema})
        })
        .collect();
    let mut responses = responses(Verb::Start, route, "Anything");
    if operation.output.is_some() {
        responses["200"]["content"]["application/json"]["schema"] = plain(operation.output_schema());
    }
    let mut call = json!({
        "operationId": format!("Run-{name}"),
        "summary": operation.summary,
        "tags": ["operations"],
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": responses,
        "security": security(AuthLevel::Function),
    });
    if let Some(description) = &operation.description {
        call["description"] = json!(description);
    }
    call
}

#[cfg(test)]
mod tests;
