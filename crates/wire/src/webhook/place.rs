//! Where in a body something stands, and what the body says around it.
//!
//! Knows nothing of messages. Invariant: a path is put together only for a problem.

use std::borrow::Cow;

use model::UnixMillis;

use crate::{
    limits::{NAME_BYTES_MAX, required},
    piece::Problem,
    tree::Json,
};

/// One element of a list of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Number of the entry and of the change in it; none in a bare body.
    pub(super) entry_and_change: Option<(usize, usize)>,
    /// Name of the list.
    pub(super) list: &'static str,
    /// Number of the element.
    pub(super) index: usize,
}

impl Place {
    /// Path of a field of the element, or of the element itself if the name is empty.
    pub(super) fn path(self, field: &str) -> Path<'_> {
        Path { place: self, field }
    }
}

/// A path that is put together when a problem needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'f> {
    place: Place,
    field: &'f str,
}

impl From<Path<'_>> for Cow<'static, str> {
    fn from(path: Path<'_>) -> Self {
        let Path { place: Place { entry_and_change, list, index }, field } = path;
        let dot = if field.is_empty() { "" } else { "." };
        Self::Owned(match entry_and_change {
            Some((entry, change)) => {
                format!("entry[{entry}].changes[{change}].value.{list}[{index}]{dot}{field}")
            }
            None => format!("{list}[{index}]{dot}{field}"),
        })
    }
}

/// Who is billed and by which number, as the body or the options say; empty if neither does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'t> {
    pub(super) account: &'t str,
    pub(super) business_phone: &'t str,
}

impl Owner<'_> {
    /// Both must be there before anything can be billed.
    pub(super) fn check(&self, place: Place) -> Result<(), Problem> {
        required(
            OwnerPath { place, in_entry: "id", bare: "account" },
            self.account,
            NAME_BYTES_MAX,
            "give the WhatsApp Business Account with the option --account",
        )?;
        required(
            OwnerPath { place, in_entry: "value.metadata.phone_number_id", bare: "business phone" },
            self.business_phone,
            NAME_BYTES_MAX,
            "give the phone_number_id with the option --business-phone",
        )
    }
}

/// Where the account or the business phone ought to stand.
struct OwnerPath {
    place: Place,
    in_entry: &'static str,
    bare: &'static str,
}

impl From<OwnerPath> for Cow<'static, str> {
    fn from(OwnerPath { place, in_entry, bare }: OwnerPath) -> Self {
        match place.entry_and_change {
            Some((entry, _)) if in_entry == "id" => Self::Owned(format!("entry[{entry}].id")),
            Some((entry, change)) => Self::Owned(format!("entry[{entry}].changes[{change}].{in_entry}")),
            None => Self::Borrowed(bare),
        }
    }
}

/// A time in whole seconds, as text or as a number.
pub(super) fn seconds(place: Place, field: &str, value: Option<&Json<'_>>) -> Result<UnixMillis, Problem> {
    let value = value
        .filter(|value| value.text() != Some(""))
        .ok_or_else(|| Problem::missing(place.path(field), "give the seconds since 1970"))?;
    value
        .whole()
        .filter(|seconds| (0..=UnixMillis::MAX.second()).contains(seconds))
        .map(|seconds| UnixMillis(seconds * 1_000))
        .ok_or_else(|| {
            Problem::out_of_range(place.path(field), "give whole seconds since 1970, not milliseconds")
        })
}

/// Whether an element belongs to a group's traffic, which is billed by other rules.
pub(super) fn is_group(element: &Json<'_>) -> bool {
    element.get("group_id").is_some() || element.text_of("recipient_type") == "group"
}
