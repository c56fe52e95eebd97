//! Asking for memory before it is read: what was asked for is on its way while other work is done.
//!
//! Knows nothing of what lies there. Invariant: changes nothing but how long one waits.

use prefetch_index::prefetch_index;

/// Asks for the line of memory in which a value begins, and does not wait for it.
#[inline]
pub(crate) fn ask_for<T>(value: &T) {
    prefetch_index(std::slice::from_ref(value), 0);
}
