//! host.json against our own deadlines. The host reads that file, not we; numbers that do not agree would show only
//! as invocations killed half-way, so they are compared and named.

use std::path::Path;

use serde_json::Value;

/// What must stand where, and what happens otherwise.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("/functionTimeout", "\"00:10:00\"", "a shorter one kills the whole process in the middle of its invocations"),
    ("/customHandler/enableProxyingHttpRequest", "true", "HTTP calls would arrive in the envelope"),
    ("/customHandler/enableForwardingHttpRequest", "true", "on older hosts HTTP calls would arrive in the envelope"),
    ("/extensions/serviceBus/maxAutoLockRenewalDuration", "\"00:10:00\"", "a message would come again while we work"),
    ("/extensions/serviceBus/prefetchCount", "0", "messages would lose their lock while they wait in the host"),
    ("/extensions/serviceBus/autoCompleteMessages", "true", "messages that succeeded would come again"),
    ("/extensions/serviceBus/maxConcurrentCalls", "16", "more at once than we hold in memory"),
    ("/concurrency/dynamicConcurrencyEnabled", "false", "maxConcurrentCalls would be ignored"),
];

/// What is wrong with the host.json in this folder, one sentence each; none when it is as it should be.
pub(crate) fn problems(app_root: &Path) -> Vec<String> {
    let path = app_root.join("host.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return vec![format!("{} cannot be read: {error}", path.display())],
    };
    match serde_json::from_str(&text) {
        Ok(file) => compare(&file),
        Err(error) => vec![format!("{} is not JSON: {error}", path.display())],
    }
}

fn compare(file: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (pointer, expected, otherwise) in EXPECTED {
        let found = file.pointer(pointer).unwrap_or(&Value::Null).to_string();
        if found != *expected {
            let name = pointer.trim_start_matches('/').replace('/', ".");
            problems.push(format!("{name} is {found} and should be {expected}: {otherwise}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_host_json_is_as_it_should_be() {
        assert_eq!(problems(Path::new(env!("CARGO_MANIFEST_DIR"))), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_named_with_what_it_leads_to() {
        let file = serde_json::json!({ "functionTimeout": "00:05:00", "customHandler": {} });
        let problems = compare(&file);
        assert_eq!(problems.len(), EXPECTED.len());
        assert!(problems[0].starts_with("functionTimeout is \"00:05:00\" and should be \"00:10:00\": a shorter one"));
        assert!(problems[1].starts_with("customHandler.enableProxyingHttpRequest is null"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(problems(folder.path())[0].contains("host.json cannot be read"));
    }
}
