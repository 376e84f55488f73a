//! `targets::dataverse` for libFuzzer.
#![no_main]

#[allow(dead_code)] // each program has one of them
#[path = "../../tests/fuzz/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::dataverse(data));
