//! The neighbours without their programs: Entra, Key Vault, Blob, Power BI, asked over the wire. One binary, since
//! each links slowly. What other people's clients say of them is `judges.rs`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

mod blob;
mod client;
mod identity;
mod judges;
mod key_vault;
mod on_behalf_of;
mod power_bi;
mod power_bi_exports;
mod power_bi_lists;
mod power_bi_queries;
mod power_bi_refreshes;
#[path = "../../../tests/conformance/power_bi_swagger.rs"]
mod power_bi_swagger;
mod power_bi_upkeep;
mod prism;
mod pushed_datasets;
mod pushed_numbers;
mod pushed_rows;
