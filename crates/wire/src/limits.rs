//! How long each input may be, in bytes of UTF-8. The same for every form of input.
//!
//! Knows nothing of formats. Invariant: an event that passed here fits what `model::Event` promises.

use std::borrow::Cow;

use crate::piece::Problem;

/// A line or message.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// `eventId`, `messageId`.
pub(crate) const MESSAGE_ID_BYTES_MAX: usize = 512;
/// `accountId`, `businessPhone`, `userPhone`.
pub(crate) const NAME_BYTES_MAX: usize = 128;
/// `tag`, `source`, and each text of the provider's verdict.
pub(crate) const LABEL_BYTES_MAX: usize = 256;
/// A template's name, which the provider limits to 512 characters.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 512;

/// Whether a required text is present and not too long.
#[inline]
pub(crate) fn is_required(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len())
}

/// Checks a required text.
pub(crate) fn required(
    field: impl Into<Cow<'static, str>>,
    text: &str,
    bytes_max: usize,
    advice: &str,
) -> Result<(), Problem> {
    if text.is_empty() { Err(Problem::missing(field, advice)) } else { optional(field, text, bytes_max) }
}

/// Checks a text that may be empty.
pub(crate) fn optional(
    field: impl Into<Cow<'static, str>>,
    text: &str,
    bytes_max: usize,
) -> Result<(), Problem> {
    if text.len() <= bytes_max {
        Ok(())
    } else {
        Err(Problem::out_of_range(field, &format!("it may be {bytes_max} bytes long, shorten it")))
    }
}

/// The longest beginning of a text that is within the limit and ends between two characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
