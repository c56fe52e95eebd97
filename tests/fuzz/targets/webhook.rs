//! See `tests::untrusted::webhook`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::untrusted::webhook(bytes));
