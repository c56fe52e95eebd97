//! See `tests::untrusted::log`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::untrusted::log(bytes));
