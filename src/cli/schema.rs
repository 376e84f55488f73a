//! `causeway schema`: the JSON Schema of an operation's YAML, for completion in an editor.

use crate::operations::format_schema;

/// The schema as it stands in `docs/operations.schema.json`, a line feed at its end.
pub fn run() -> String {
    format!("{:#}\n", format_schema())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_in_the_docs_is_the_one_that_is_generated() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, super::run(), "write it anew: causeway schema > docs/operations.schema.json");
    }
}
