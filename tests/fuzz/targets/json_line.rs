//! See `tests::untrusted::json_line`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::untrusted::json_line(bytes));
