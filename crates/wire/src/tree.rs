//! A JSON document as a tree that borrows from its text: for webhook bodies, whose shape varies.
//!
//! Knows nothing of webhooks. Invariant: fractions are never kept, so no float can reach a decision.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// A value.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    OtherNumber,
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// A member of an object that is not null; of several with one name the last, as JSON readers do.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let (_, value) = members.iter().rev().find(|(key, _)| key == name)?;
        (!matches!(value, Self::Null)).then_some(value)
    }

    /// Text, if it is some.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Whole(_)
            | Self::OtherNumber
            | Self::List(_)
            | Self::Object(_) => None,
        }
    }

    /// The text of a member; empty if it is absent or no text.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.get(name).and_then(Self::text).unwrap_or("")
    }

    /// The elements of a list member; none if it is absent or no list.
    pub(crate) fn list_of(&self, name: &str) -> &[Json<'a>] {
        match self.get(name) {
            Some(Self::List(elements)) => elements,
            _ => &[],
        }
    }

    /// A whole number, as a number or as its digits in text.
    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            Self::Null
            | Self::Bool(_)
            | Self::OtherNumber
            | Self::Text(_)
            | Self::List(_)
            | Self::Object(_) => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Whole))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::new();
        while let Some((Key(key), value)) = members.next_entry()? {
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}

/// The name of a member, borrowed where it has no escapes; `Cow` itself would always copy.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyKey;

        impl<'de> Visitor<'de> for AnyKey {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(AnyKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_as_numbers_or_digits() {
        let tree: Json<'_> =
            serde_json::from_str(r#"{"a":1749416383,"b":"1749416383","c":1.5,"d":"-1","e":"","f":null}"#)
                .unwrap();
        assert_eq!(tree.get("a").and_then(Json::whole), Some(1_749_416_383));
        assert_eq!(tree.get("b").and_then(Json::whole), Some(1_749_416_383));
        for other in ["c", "d", "e"] {
            assert_eq!(tree.get(other).unwrap().whole(), None, "{other}");
        }
        assert!(tree.get("f").is_none());
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let tree: Json<'_> = serde_json::from_str(r#"{"id":"first","id":"last"}"#).unwrap();
        assert_eq!(tree.text_of("id"), "last");
    }
}
