//! Holds requests and replies against Microsoft's own contract of the Power BI REST API
//! (`tests/fixtures/power-bi-swagger.json`). Included by path wherever a test sees such traffic; needs `jsonschema`.

use std::sync::OnceLock;

use serde_json::{Value, json};

const TEXT: &str = include_str!("../fixtures/power-bi-swagger.json");

fn swagger() -> &'static Value {
    static SWAGGER: OnceLock<Value> = OnceLock::new();
    SWAGGER.get_or_init(|| serde_json::from_str(TEXT).expect("the fixture is JSON"))
}

/// The operation of a method and a path (with or without a query), as the contract has it.
fn operation(method: &str, path: &str) -> Result<&'static Value, String> {
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.trim_matches('/').split('/').collect();
        parts.len() == segments.len()
            && parts.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    let paths = swagger()["paths"].as_object().ok_or("no paths")?;
    let found = paths.iter().find(|(template, _)| fits(template)).ok_or(format!("the contract has no path {path}"))?;
    found.1.get(method.to_ascii_lowercase()).ok_or(format!("the contract has no {method} {path}"))
}

/// Whether a request is one that the contract allows; `body` is `None` when it has none.
pub(crate) fn check_request(method: &str, path: &str, body: Option<&Value>) -> Result<(), String> {
    let operation = operation(method, path)?;
    let parameter =
        operation["parameters"].as_array().into_iter().flatten().find(|parameter| parameter["in"] == "body");
    match (parameter, body) {
        (Some(parameter), Some(body)) => validate(&parameter["schema"], body),
        (Some(parameter), None) if parameter["required"] == true => Err(format!("{method} {path} needs a body")),
        (None, Some(_)) => Err(format!("{method} {path} takes no body")),
        _ => Ok(()),
    }
}

/// Whether a reply is one that the contract allows. Errors are not in the contract: they are empty, or JSON with
/// `error` or a message, which begins with a capital where the framework below the service answers.
pub(crate) fn check_reply(method: &str, path: &str, status: u16, body: &str) -> Result<(), String> {
    let operation = operation(method, path)?;
    if status >= 400 {
        let good = body.is_empty()
            || serde_json::from_str::<Value>(body).is_ok_and(|body| {
                body["error"].is_object() || body["message"].is_string() || body["Message"].is_string()
            });
        return if good { Ok(()) } else { Err(format!("not an error of the service: {body}")) };
    }
    let response =
        operation["responses"].get(status.to_string()).ok_or(format!("{method} {path} never answers {status}"))?;
    match response.get("schema") {
        None => Ok(()),
        Some(schema) if schema["type"] == "file" => Ok(()),
        Some(schema) => {
            let body = serde_json::from_str(body).map_err(|cause| format!("the reply is not JSON: {cause}"))?;
            validate(schema, &body)
        }
    }
}

fn validate(schema: &Value, instance: &Value) -> Result<(), String> {
    // References go to the definitions, so those travel along. Formats are left alone: the service's times have no
    // zone, although the contract calls them `date-time`.
    let whole = json!({"allOf": [schema], "definitions": swagger()["definitions"]});
    let validator = jsonschema::draft4::options()
        .should_validate_formats(false)
        .build(&whole)
        .map_err(|cause| format!("the contract cannot be read: {cause}"))?;
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}
