//! Whether host.json says what we rely on: the numbers of the host and ours must agree, or work is killed or done twice.

use std::path::Path;

use serde_json::{Value, json};

/// A place in host.json, what must stand there, and what happens otherwise.
struct Expected {
    pointer: &'static str,
    value: fn() -> Value,
    /// Whether the host's own default is the expected value, so that leaving it out is fine.
    is_default: bool,
    otherwise: &'static str,
}

/// Defaults and meanings: learn.microsoft.com, "host.json reference" and "Azure Service Bus bindings: host.json".
const EXPECTED: &[Expected] = &[
    Expected {
        pointer: "/functionTimeout",
        value: || json!("00:10:00"),
        is_default: false,
        otherwise: "our deadlines (messages up to 9 minutes, streamed bodies 9) assume it, and the host kills the \
                    process when an invocation exceeds it",
    },
    Expected {
        pointer: "/extensions/serviceBus/maxAutoLockRenewalDuration",
        value: || json!("00:10:00"),
        is_default: false,
        otherwise: "a message whose lock ends while we work on it is delivered a second time",
    },
    Expected {
        pointer: "/extensions/serviceBus/prefetchCount",
        value: || json!(0),
        is_default: true,
        otherwise: "prefetched messages lose their lock while they wait, and their deliveries are counted",
    },
    Expected {
        pointer: "/extensions/serviceBus/autoCompleteMessages",
        value: || json!(true),
        is_default: true,
        otherwise: "a custom handler cannot complete a message itself, so every message would be delivered again",
    },
    Expected {
        pointer: "/extensions/serviceBus/maxConcurrentCalls",
        value: || json!(16),
        is_default: false,
        otherwise: "the host's default is 16 for each core, more than our memory is planned for",
    },
    Expected {
        pointer: "/concurrency/dynamicConcurrencyEnabled",
        value: || json!(false),
        is_default: true,
        otherwise: "dynamic concurrency starts at one call at a time and ignores maxConcurrentCalls",
    },
    Expected {
        pointer: "/customHandler/enableProxyingHttpRequest",
        value: || json!(true),
        is_default: false,
        otherwise: "HTTP bodies would be held in memory whole instead of streamed",
    },
    Expected {
        pointer: "/customHandler/enableForwardingHttpRequest",
        value: || json!(true),
        is_default: false,
        otherwise: "HTTP calls would arrive in the host's envelope, without their path and body",
    },
];

/// Reads `host.json` in the app's root: one sentence for each number that does not agree with ours, none when all do.
pub fn host_json_warnings(app_root: &Path) -> Vec<String> {
    let path = app_root.join("host.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => warnings(&text),
        Err(error) => vec![format!(
            "host.json could not be read from {} ({}), so nothing in it was checked",
            path.display(),
            error.kind()
        )],
    }
}

/// The same for a text.
pub(super) fn warnings(text: &str) -> Vec<String> {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => return vec![format!("host.json is not valid JSON ({error}), so nothing in it was checked")],
    };
    EXPECTED.iter().filter_map(|expected| expected.warning(&document)).collect()
}

impl Expected {
    fn warning(&self, document: &Value) -> Option<String> {
        let wanted = (self.value)();
        let found = document.pointer(self.pointer);
        if found == Some(&wanted) || (found.is_none() && self.is_default) {
            return None;
        }
        let name = self.pointer.trim_start_matches('/').replace('/', ".");
        let found = found.map_or_else(|| "missing".to_owned(), |value| format!("{value}"));
        Some(format!("host.json: {name} should be {wanted} and is {found}: {}", self.otherwise))
    }
}
