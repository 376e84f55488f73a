//! Files as makers write them: what is read, and what each slip says and where.

mod accepting;
mod calls;
mod diagnostics;
mod examples;
mod reading;
mod run_as;

use std::collections::BTreeMap;

use super::{Definition, Diagnostic, Operation};

/// Variables of the tests.
fn variables() -> BTreeMap<String, String> {
    ["workspace", "sales_dataset", "live_dataset"].map(|name| (name.to_owned(), format!("{name}-id"))).into()
}

fn definition(yaml: &str) -> Definition {
    let files = BTreeMap::from([("one.sql".to_owned(), "SELECT 1".to_owned())]);
    Definition { name: "sales".to_owned(), yaml: yaml.to_owned(), files }
}

fn parse(yaml: &str) -> Result<Operation, Vec<Diagnostic>> {
    definition(yaml).parse(&variables())
}

fn good(yaml: &str) -> Operation {
    parse(yaml).unwrap_or_else(|problems| panic!("{problems:?}\n{yaml}"))
}
