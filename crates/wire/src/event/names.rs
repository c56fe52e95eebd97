//! Names of enum values in JSON, without their prefix, in the order of their codes.
//!
//! Knows nothing of JSON itself. Invariant: the same names and codes as the schema, which a test checks.

use model::{Category, MessageKind, StatusKind};

pub(super) const MESSAGE_KIND_PREFIX: &str = "MESSAGE_KIND_";
pub(super) const CATEGORY_PREFIX: &str = "CATEGORY_";
pub(super) const STATUS_KIND_PREFIX: &str = "STATUS_KIND_";

pub(super) const MESSAGE_KINDS: [&str; 16] = [
    "UNSPECIFIED",
    "TEXT",
    "IMAGE",
    "AUDIO",
    "VIDEO",
    "DOCUMENT",
    "STICKER",
    "LOCATION",
    "CONTACTS",
    "INTERACTIVE",
    "BUTTON",
    "REACTION",
    "ORDER",
    "TEMPLATE",
    "UNSUPPORTED",
    "OTHER",
];

pub(super) const CATEGORIES: [&str; 6] =
    ["UNSPECIFIED", "MARKETING", "UTILITY", "AUTHENTICATION", "AUTHENTICATION_INTERNATIONAL", "SERVICE"];

pub(super) const STATUS_KINDS: [&str; 5] = ["UNSPECIFIED", "SENT", "DELIVERED", "READ", "FAILED"];

#[inline]
fn code(name: &str, prefix: &str, names: &[&str]) -> Option<u8> {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    u8::try_from(names.iter().position(|known| *known == name)?).ok()
}

#[inline]
pub(super) fn message_kind(name: &str) -> Option<MessageKind> {
    MessageKind::from_code(code(name, MESSAGE_KIND_PREFIX, &MESSAGE_KINDS)?)
}

#[inline]
pub(super) fn category(name: &str) -> Option<Category> {
    Category::from_code(code(name, CATEGORY_PREFIX, &CATEGORIES)?)
}

#[inline]
pub(super) fn status_kind(name: &str) -> Option<StatusKind> {
    StatusKind::from_code(code(name, STATUS_KIND_PREFIX, &STATUS_KINDS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::event as schema;

    #[test]
    fn names_and_codes_are_those_of_the_schema() {
        for kind in MessageKind::ALL {
            let in_schema = schema::MessageKind::try_from(i32::from(kind.code())).unwrap();
            let name = in_schema.as_str_name();
            assert_eq!(message_kind(name), Some(*kind));
            assert_eq!(message_kind(&name[MESSAGE_KIND_PREFIX.len()..]), Some(*kind));
            assert_eq!(kind.as_str().to_uppercase(), &name[MESSAGE_KIND_PREFIX.len()..]);
        }
        for kind in Category::ALL {
            let name = schema::Category::try_from(i32::from(kind.code())).unwrap().as_str_name();
            assert_eq!(category(name), Some(*kind));
            assert_eq!(kind.as_str().to_uppercase(), &name[CATEGORY_PREFIX.len()..]);
        }
        for kind in StatusKind::ALL {
            let name = schema::StatusKind::try_from(i32::from(kind.code())).unwrap().as_str_name();
            assert_eq!(status_kind(name), Some(*kind));
            assert_eq!(kind.as_str().to_uppercase(), &name[STATUS_KIND_PREFIX.len()..]);
        }
        assert!(schema::MessageKind::try_from(16).is_err());
        assert!(schema::Category::try_from(6).is_err());
        assert!(schema::StatusKind::try_from(5).is_err());
    }
}
