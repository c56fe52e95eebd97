//! Bytes as text, for golden files that a diff can show.
//!
//! Invariant: 32 bytes a line.

/// Lines of 32 bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
        .collect()
}
