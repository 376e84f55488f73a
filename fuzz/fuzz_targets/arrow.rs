//! `targets::arrow` for libFuzzer.
#![no_main]

#[allow(dead_code)] // each program has one of them
#[path = "../../tests/fuzz/mod.rs"]
mod targets;

// The decoder panics on some streams, which its caller catches and tells: only what nobody catches is a find.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |data: &[u8]| targets::arrow(data));
