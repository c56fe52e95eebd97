//! An event as a sender reports it: numbers and ids still in clear, borrowed from the input where possible.

use std::borrow::Cow;

use crate::time::UnixMillis;

/// One thing that happened on one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Unique id; for messages the provider's message id (`wamid…`). 1 to 512 bytes.
    pub event_id: Cow<'a, str>,
    /// When it happened.
    pub occurred_at: UnixMillis,
    /// The WhatsApp Business Account that is billed. 1 to 128 bytes.
    pub account: Cow<'a, str>,
    /// The business's number id (`phone_number_id`). 1 to 128 bytes.
    pub business_phone: Cow<'a, str>,
    /// The user's `wa_id` (E.164 digits without `+`), or the provider's user id with its country. 1 to 128 bytes.
    pub user: Cow<'a, str>,
    /// The sender's own label (campaign, cost centre, end customer). At most 256 bytes.
    pub tag: Option<Cow<'a, str>>,
    /// What happened.
    pub body: EventBody<'a>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody<'a> {
    /// A message from the user.
    UserMessage(UserMessage),
    /// A message from the business.
    BusinessMessage(BusinessMessage<'a>),
    /// A status of a business message.
    MessageStatus(MessageStatus<'a>),
    /// The user called the business: opens and extends the provider's service window, is no message.
    UserCall,
    /// Opt-in or opt-out of the user.
    Consent(Consent<'a>),
}

/// A message from the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserMessage {
    /// Its form.
    pub kind: MessageKind,
    /// Whether it came from an ad or a page button.
    pub referral: bool,
}

/// A message from the business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessMessage<'a> {
    /// Its form.
    pub kind: MessageKind,
    /// Absent for a free-form reply.
    pub template: Option<Template<'a>>,
}

/// The template a business message was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'a> {
    /// Its name, may be empty.
    pub name: Cow<'a, str>,
    /// Its category.
    pub category: Category,
}

/// A status of a business message; the event id is its own, the message is named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStatus<'a> {
    /// Id of the message it is about. 1 to 512 bytes.
    pub message_id: Cow<'a, str>,
    /// What it says.
    pub status: StatusKind,
    /// The provider's error code; 0 if none.
    pub error_code: u32,
    /// What the provider says of conversation and price.
    pub provider: Option<Box<ProviderVerdict>>,
}

/// What the provider's status says of a conversation or message. Text as received, empty if absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ProviderVerdict {
    /// The provider's own conversation id.
    pub conversation_id: String,
    /// When the provider says the conversation ends.
    pub expires_at: Option<UnixMillis>,
    /// `business_initiated`, `user_initiated`, `referral_conversion`, `marketing`…
    pub origin_type: String,
    /// Whether the provider means to charge.
    pub billable: Option<bool>,
    /// `NBP`, `CBP`, `PMP`.
    pub pricing_model: String,
    /// `regular`, `free_customer_service`, `free_entry_point`…
    pub pricing_type: String,
    /// `marketing`, `utility`, `service`…
    pub category: String,
}

/// Opt-in or opt-out of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent<'a> {
    /// Opt-in if true.
    pub granted: bool,
    /// Where it was given (web form, keyword…). At most 256 bytes.
    pub source: Cow<'a, str>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number that log and wire carry; never used again for another meaning.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The value behind a code, if there is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The word that outputs show.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

words! {
    /// The form of a message. What matters to billing is only whether it is one.
    MessageKind {
        /// Not told.
        Unspecified = 0, "unspecified";
        /// Text.
        Text = 1, "text";
        /// Picture.
        Image = 2, "image";
        /// Sound or voice.
        Audio = 3, "audio";
        /// Video.
        Video = 4, "video";
        /// Document.
        Document = 5, "document";
        /// Sticker.
        Sticker = 6, "sticker";
        /// Location.
        Location = 7, "location";
        /// Contact cards.
        Contacts = 8, "contacts";
        /// Button, list or form reply, or an interactive message.
        Interactive = 9, "interactive";
        /// Quick reply of a template.
        Button = 10, "button";
        /// Reaction, or its removal.
        Reaction = 11, "reaction";
        /// Order.
        Order = 12, "order";
        /// A template message of the business.
        Template = 13, "template";
        /// Of a form the provider could not pass on (its error 131051): a real message all the same.
        Unsupported = 14, "unsupported";
        /// Any other.
        Other = 15, "other";
    }
}

words! {
    /// A template's category, or what a status says of a message.
    Category {
        /// Not told.
        Unspecified = 0, "unspecified";
        /// Marketing.
        Marketing = 1, "marketing";
        /// Utility.
        Utility = 2, "utility";
        /// Authentication.
        Authentication = 3, "authentication";
        /// Authentication to a user abroad.
        AuthenticationInternational = 4, "authentication_international";
        /// Free-form.
        Service = 5, "service";
    }
}

words! {
    /// What a status says happened to a message.
    StatusKind {
        /// The provider took it.
        Sent = 1, "sent";
        /// It reached the user's device.
        Delivered = 2, "delivered";
        /// The user saw it; implies delivery.
        Read = 3, "read";
        /// It did not reach the user; a `delivered` or `read` beats it.
        Failed = 4, "failed";
    }
}
