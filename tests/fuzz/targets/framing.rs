//! See `tests::untrusted::framing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::untrusted::framing(bytes));
