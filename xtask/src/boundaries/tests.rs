//! Each rule on a small tree in memory: what passes, and what is found where.

use super::source::Source;
use super::{Breach, check, sizes};

/// A file that breaks no rule but what is in `code`, which begins on its line 2.
fn file(path: &str, code: &str) -> Source {
    Source::new(path, format!("//! A file.\n{code}"))
}

fn found(path: &str, code: &str) -> Vec<(usize, String)> {
    check(&[file(path, code)]).into_iter().map(|Breach { line, what, .. }| (line, what)).collect()
}

fn passes(path: &str, code: &str) {
    assert_eq!(found(path, code), [], "{path}: {code}");
}

fn fails(path: &str, code: &str, line: usize, part: &str) {
    let found = found(path, code);
    assert!(found.len() == 1 && found[0].0 == line && found[0].1.contains(part), "{path}: {code}: {found:?}");
}

#[test]
fn rooms_name_those_below_and_what_serves_all() {
    passes("src/triggers/http/sql.rs", "use crate::requests::Call;\nuse crate::failure::Failure;");
    passes("src/requests/body.rs", "use crate::{runs::Runs, steps, http};");
    passes("src/cli/serve.rs", "use crate::app::{self, App};\nuse crate::triggers;");
    passes("src/ledger/open.rs", "use crate::entra::Tokens;\nuse crate::http::Transport;");
    passes("src/databricks/tokens.rs", "use crate::key_vault::Secrets;\nuse crate::rows::Column;");
    passes("src/lib.rs", "pub mod triggers;");
    passes("src/main.rs", "fn main() { causeway::cli::run() }");
    passes("src/runs/mod.rs", "use crate::runs::record::Record;");
}

#[test]
fn a_room_that_names_one_above_it_is_found() {
    fails("src/runs/step.rs", "use std::sync::Arc;\nuse crate::requests::Call;", 3, "arrows point down");
    fails("src/http/send.rs", "fn f() { crate::ledger::open() }", 2, "arrows point down");
    fails("src/operations/steps.rs", "use crate::steps::Step;", 2, "arrows point down");
    fails("src/triggers/mod.rs", "use crate::app::App;", 2, "arrows point down");
}

#[test]
fn every_element_of_a_group_is_read() {
    let code = "use crate::{\n    failure::{Code, Failure},\n    rows,\n    triggers::{http, envelope},\n};";
    fails("src/steps/sql.rs", code, 5, "steps names crate::triggers");
}

#[test]
fn neighbours_in_a_row_are_strangers() {
    fails("src/power_bi/rows.rs", "use crate::databricks::Statements;", 2, "neighbours");
    fails("src/rows/write.rs", "use crate::operations::Catalog;", 2, "neighbours");
    fails("src/entra/sdk.rs", "use crate::ledger::Ledger;", 2, "neighbours");
}

#[test]
fn what_serves_all_names_no_room() {
    fails("src/failure/mod.rs", "use crate::http::Kind;", 2, "serves every room");
    passes("src/telemetry/mod.rs", "use crate::settings::Settings;");
}

#[test]
fn the_engine_asks_the_clock_it_is_given() {
    fails("src/runs/wake.rs", "let now = Timestamp::now();", 2, "the wall clock");
    passes("src/runs/tests/waking.rs", "let now = Timestamp::now();");
    passes("src/requests/token.rs", "let now = Timestamp::now();");
}

#[test]
fn a_room_without_a_place_is_found() {
    fails("src/runs/mod.rs", "use crate::misc::Thing;", 2, "`misc` has no place");
    fails("src/misc/mod.rs", "use crate::http::Kind;", 2, "`misc` has no place");
}

#[test]
fn only_the_tests_of_the_edge_start_the_application() {
    passes("src/triggers/tests/server.rs", "use crate::app::App;");
    fails("src/requests/tests.rs", "use crate::app::App;", 2, "arrows point down");
}

#[test]
fn comments_and_literals_name_nothing() {
    passes(
        "src/runs/mod.rs",
        "/// See [`crate::requests`].\n// reqwest\n/* actix_web /* azure_core */ object_store */",
    );
    passes("src/runs/mod.rs", r##"const A: &str = "crate::requests \" reqwest"; const B: &str = r#"reqwest " "#;"##);
    passes("src/runs/mod.rs", "const A: [char; 3] = ['\"', '\\'', 'r']; const B: &[u8] = b\"reqwest\"; fn f<'a>() {}");
    fails("src/runs/mod.rs", "const A: char = '\"'; use reqwest::Client; const B: char = '\"';", 2, "reqwest");
    fails("src/runs/mod.rs", "fn f<'a>(x: &'a str) { r#type(\"\n\n\"); reqwest::get(x) }", 4, "reqwest");
}

#[test]
fn owned_crates_are_named_by_their_owners_only() {
    for (owner, other, name) in [
        ("src/triggers/route.rs", "src/requests/call.rs", "actix_web"),
        ("src/app/wiring.rs", "src/cli/serve.rs", "actix_rt"),
        ("src/http/send.rs", "src/entra/sdk.rs", "reqwest"),
        ("src/entra/sdk.rs", "src/http/send.rs", "azure_core"),
        ("src/entra/sdk.rs", "src/app.rs", "azure_identity"),
        ("src/key_vault/vault.rs", "src/app.rs", "azure_security_keyvault_secrets"),
        ("src/ledger/put.rs", "src/runs/log.rs", "object_store"),
    ] {
        passes(owner, &format!("use {name}::Thing;"));
        fails(other, &format!("fn f() -> {name}::Thing {{}}"), 2, name);
        passes("tests/it/main.rs", &format!("use {name}::Thing;"));
    }
}

#[test]
fn the_environment_is_read_in_settings_and_tests() {
    fails("src/app.rs", "fn f() { std::env::var(\"A\"); }", 2, "environment");
    fails("src/app.rs", "use std::env;\nfn f() { env::vars_os(); }", 3, "environment");
    passes("src/settings/variables.rs", "fn f() { std::env::var(\"A\"); }");
    passes("src/triggers/tests/server.rs", "fn f() { std::env::var(\"A\"); }");
    passes("src/main.rs", "fn f() { std::env::args_os(); env!(\"A\"); }");
}

#[test]
fn stand_ins_do_not_know_the_handler() {
    fails("local-stack/src/lib.rs", "use causeway::rows;", 2, "causeway");
    fails("local-stack/tests/host.rs", "fn f() { causeway::rows::write() }", 2, "causeway");
    fails("local-stack/src/lib.rs", "extern crate causeway;", 2, "causeway");
    passes("local-stack/src/lib.rs", "fn f(causeway: &str) { g(causeway) }");
    passes("tests/it/main.rs", "use causeway::rows;");
}

#[test]
fn modules_have_names_that_say_something() {
    fails("src/http/util.rs", "", 1, "`util`");
    fails("local-stack/src/common/mod.rs", "", 1, "`common`");
    fails("tests/it/main.rs", "mod helpers {}", 2, "`helpers`");
    passes("src/http/utility_bills.rs", "fn helpers() {}");
}

#[test]
fn a_file_says_what_it_is() {
    let breaches = check(&[Source::new("src/http/mod.rs", "use std::fmt;\n")]);
    assert!(breaches.len() == 1 && breaches[0].what.contains("`//!`"), "{breaches:?}");
}

#[test]
fn no_file_is_too_long() {
    passes("xtask/src/a.rs", "\n".repeat(100).as_str());
    let long = [file("xtask/src/a.rs", &"\n".repeat(500)), file("xtask/src/b.rs", ""), file("xtask/src/c.rs", "")];
    let breaches = check(&long);
    assert!(breaches.iter().any(|breach| breach.line == 501 && breach.what.starts_with("501 lines")), "{breaches:?}");
}

#[test]
fn the_shares_are_held() {
    let tree = |lengths: &[usize]| {
        let file = |(index, length): (usize, &usize)| file(&format!("xtask/src/{index}.rs"), &"\n".repeat(length - 1));
        lengths.iter().enumerate().map(file).collect::<Vec<_>>()
    };
    let whats = |lengths: &[usize]| check(&tree(lengths)).into_iter().map(|breach| breach.what).collect::<Vec<_>>();
    assert_eq!(whats(&[120, 120, 400]).len(), 1, "the third of three is in the nine of ten");
    assert_eq!(whats(&[120, 10, 10, 10, 10, 300, 300, 300, 300, 400]), [] as [String; 0]);
    assert!(whats(&[121, 121, 121])[0].starts_with("50 in 100"));
    let ten = tree(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert!(sizes::figures(&ten).starts_with("10 files, 55 lines: median 5 "), "{}", sizes::figures(&ten));
}
