//! `causeway settings-page`: docs/settings.md, written from the list of settings. What a setting means is `settings`.

use std::fmt::Write as _;

use crate::settings::{KNOWN, Known, Origin};

const HEAD: &str = "\
<!-- Generated: `cargo run -- settings-page > docs/settings.md`. Edit src/settings/known.rs instead. -->

# Settings

All settings are environment variables: app settings in Azure, `Values` in `local.settings.json` on a machine
([an example with all of them](../local.settings.example.json)). They are read once, when the process starts. An empty
value counts as unset.

`causeway check` tells everything that is missing or wrong, in the environment that it is run in. A deployed app with a
wrong setting stays up: HTTP answers 503 `misconfigured` and names the setting, messages wait. A name that begins with
`CAUSEWAY_` and is not on this page is a warning in the log, and a problem for `causeway check`.

No `CAUSEWAY_` setting holds a secret. Secrets lie in Key Vault, and settings name them: `secret name` below.

";

/// What stands for every name with this beginning.
const VARIABLE: [&str; 4] = [
    "`CAUSEWAY_VAR_*`",
    "text",
    "",
    "`variables.*` in operations, in lower case: `CAUSEWAY_VAR_WORKSPACE` is `variables.workspace`.",
];

const AFTER_VARIABLE: &str = "
After `CAUSEWAY_VAR_` stands a letter, then letters, digits and underscores. A run keeps the values that it began with.
";

/// The tables, in the order of the page: heading, who sets them, and what to say of them first.
const TABLES: [(&str, Origin, &str); 3] = [
    (
        "Set for Causeway",
        Origin::Ours,
        "**Required** ones have no default. Some others are required by another's value.",
    ),
    ("Set for Azure and read by Causeway too", Origin::Azure, "The Functions host, or an SDK, needs these anyway."),
    ("Set by the platform", Origin::Platform, "Nobody sets these: the host and Azure do, when they start the process."),
];

/// The whole page.
pub(super) fn run() -> String {
    let mut page = HEAD.to_owned();
    for (index, (heading, origin, first)) in TABLES.iter().enumerate() {
        if index > 0 {
            page.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = write!(page, "## {heading}\n\n{first}\n\n");
        table(&mut page, KNOWN.iter().filter(|known| known.origin == *origin).map(cells).collect());
        if *origin == Origin::Ours {
            page.push_str("\n## What operations see\n\n");
            table(&mut page, vec![VARIABLE.map(str::to_owned)]);
            page.push_str(AFTER_VARIABLE);
        }
    }
    page
}

fn cells(known: &Known) -> [String; 4] {
    let default = match known.default {
        _ if known.required => "**required**".to_owned(),
        Some(value) => format!("`{value}`"),
        None => String::new(),
    };
    [format!("`{}`", known.name), known.unit.to_owned(), default, known.doc.to_owned()]
}

/// One line a row, the columns padded, so that the page reads as well unrendered.
fn table(page: &mut String, mut rows: Vec<[String; 4]>) {
    rows.insert(0, ["name", "unit", "default", "what it is"].map(str::to_owned));
    let widths: [usize; 4] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    rows.insert(1, widths.map(|width| "-".repeat(width)));
    for row in rows {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(page, "| {cell:<width$} ");
        }
        page.push_str("|\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_list_of_settings() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == run(),
            "docs/settings.md is stale: run `cargo run -- settings-page > docs/settings.md` and commit it"
        );
    }

    #[test]
    fn every_setting_stands_on_the_page_once() {
        let page = run();
        for known in KNOWN {
            let row = format!("\n| `{}` ", known.name);
            assert_eq!(page.matches(&row).count(), 1, "{}", known.name);
        }
    }
}
