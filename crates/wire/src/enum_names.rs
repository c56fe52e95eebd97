//! Enum values of events in JSON: written with their prefix, read with or without it, or as a number.
//!
//! Knows nothing of `model`. Invariant: an unknown name or number is an error, never another value.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use crate::proto::event::{Category, MessageKind, StatusKind};

macro_rules! names {
    ($enum:ident, $prefix:literal) => {
        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str_name())
            }
        }

        impl<'de> Deserialize<'de> for $enum {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct NameOrNumber;

                impl Visitor<'_> for NameOrNumber {
                    type Value = $enum;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a name such as ", $prefix, "… or its number"))
                    }

                    fn visit_str<E: Error>(self, name: &str) -> Result<$enum, E> {
                        $enum::from_str_name(name)
                            .or_else(|| $enum::from_str_name(&format!(concat!($prefix, "{}"), name)))
                            .ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
                    }

                    fn visit_i64<E: Error>(self, number: i64) -> Result<$enum, E> {
                        i32::try_from(number)
                            .ok()
                            .and_then(|number| $enum::try_from(number).ok())
                            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
                    }

                    fn visit_u64<E: Error>(self, number: u64) -> Result<$enum, E> {
                        i32::try_from(number)
                            .ok()
                            .and_then(|number| $enum::try_from(number).ok())
                            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
                    }
                }

                deserializer.deserialize_any(NameOrNumber)
            }
        }
    };
}

names!(MessageKind, "MESSAGE_KIND_");
names!(Category, "CATEGORY_");
names!(StatusKind, "STATUS_KIND_");
