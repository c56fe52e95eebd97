//! See `tests::untrusted::protobuf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::untrusted::protobuf(bytes));
