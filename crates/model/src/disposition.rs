//! What became of an input record. Each gets exactly one disposition, and each is counted.

/// The one fate of an input record, in the order in which they are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Cannot be decoded, or a required field is missing or out of range. Quarantined.
    Malformed(MalformedReason),
    /// Its key is not the thread of its value, or not on its partition. Quarantined.
    Misrouted,
    /// Tick, configuration, period, erasure or resubmission.
    Control,
    /// Well-formed, but no billing event.
    Ignored(IgnoredReason),
    /// Its event time is more than five minutes after its record time. Quarantined; moves no clock.
    Future,
    /// Known, same content.
    Duplicate,
    /// A known message id with another content or second. Quarantined; the first stands.
    Conflict,
    /// Older than the horizon, or it would change what lies before the memory. Quarantined.
    Late,
    /// The rest: entries, or none.
    Applied,
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number that the log and the wire carry; never used again for another meaning.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The reason behind a code, if there is one.
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

reasons! {
    /// Why a record could not be read.
    MalformedReason {
        /// Not JSON, or cut in the middle.
        UnreadableJson = 1, "unreadable_json";
        /// Not protobuf of the expected message.
        UnreadableProtobuf = 2, "unreadable_protobuf";
        /// Bytes that are no UTF-8.
        InvalidUtf8 = 3, "invalid_utf8";
        /// A line or message longer than 1 MiB.
        TooLong = 4, "too_long";
        /// The last line or message of the input ends in its middle.
        CutOff = 5, "cut_off";
        /// A required field is absent or empty.
        MissingField = 6, "missing_field";
        /// A field has a value outside its range or form.
        OutOfRange = 7, "out_of_range";
        /// JSON, but neither an event nor a webhook body.
        UnknownShape = 8, "unknown_shape";
        /// A compressed input whose bytes do not decompress.
        Undecompressable = 9, "undecompressable";
    }
}

reasons! {
    /// Why a well-formed record is no billing event.
    IgnoredReason {
        /// A line with nothing on it.
        EmptyLine = 1, "empty_line";
        /// A `system` message, such as a change of number.
        SystemMessage = 2, "system_message";
        /// A notice of errors without a message.
        ErrorNotice = 3, "error_notice";
        /// An edit of a message.
        Edit = 4, "edit";
        /// A message taken back by its sender.
        Revocation = 5, "revocation";
        /// A message that the business typed in its own app.
        Echo = 6, "echo";
        /// A call's status, or a call the business made.
        CallStatus = 7, "call_status";
        /// Group traffic.
        Group = 8, "group";
        /// A notice about the account, a template or a number.
        AccountNotice = 9, "account_notice";
        /// A status that bills nothing, such as `played` or `deleted`.
        OtherStatus = 10, "other_status";
        /// A field or type that this version does not know.
        UnknownType = 11, "unknown_type";
        /// A webhook body that carries nothing.
        EmptyBody = 12, "empty_body";
        /// A user's request for a welcome message: no message.
        RequestWelcome = 13, "request_welcome";
    }
}

reasons! {
    /// Why a record is in quarantine.
    QuarantineReason {
        /// See [`MalformedReason`].
        Malformed = 1, "malformed";
        /// See [`Disposition::Misrouted`].
        Misrouted = 2, "misrouted";
        /// See [`Disposition::Future`].
        Future = 3, "future";
        /// See [`Disposition::Conflict`].
        Conflict = 4, "conflict";
        /// See [`Disposition::Late`].
        Late = 5, "late";
    }
}

impl Disposition {
    /// The words that outputs and metrics show, in the order of [`DispositionCounts`].
    pub const WORDS: [&str; 9] = [
        "malformed",
        "misrouted",
        "control",
        "ignored",
        "future",
        "duplicate",
        "conflict",
        "late",
        "applied",
    ];

    /// Place among [`Self::WORDS`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Malformed(_) => 0,
            Self::Misrouted => 1,
            Self::Control => 2,
            Self::Ignored(_) => 3,
            Self::Future => 4,
            Self::Duplicate => 5,
            Self::Conflict => 6,
            Self::Late => 7,
            Self::Applied => 8,
        }
    }

    /// The reason for quarantine, for those that are kept there.
    #[must_use]
    pub const fn quarantine(self) -> Option<QuarantineReason> {
        match self {
            Self::Malformed(_) => Some(QuarantineReason::Malformed),
            Self::Misrouted => Some(QuarantineReason::Misrouted),
            Self::Future => Some(QuarantineReason::Future),
            Self::Conflict => Some(QuarantineReason::Conflict),
            Self::Late => Some(QuarantineReason::Late),
            Self::Control | Self::Ignored(_) | Self::Duplicate | Self::Applied => None,
        }
    }
}

/// How many records met each fate. Their total is the number of records read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DispositionCounts {
    /// In the order of [`Disposition::WORDS`].
    pub by_disposition: [u64; 9],
    /// In the order of [`IgnoredReason::ALL`].
    pub ignored: [u64; 13],
    /// In the order of [`MalformedReason::ALL`].
    pub malformed: [u64; 9],
}

impl DispositionCounts {
    /// Counts one record.
    pub fn count(&mut self, disposition: Disposition) {
        self.by_disposition[disposition.index()] += 1;
        match disposition {
            Disposition::Ignored(reason) => self.ignored[usize::from(reason.code()) - 1] += 1,
            Disposition::Malformed(reason) => self.malformed[usize::from(reason.code()) - 1] += 1,
            Disposition::Misrouted
            | Disposition::Control
            | Disposition::Future
            | Disposition::Duplicate
            | Disposition::Conflict
            | Disposition::Late
            | Disposition::Applied => {}
        }
    }

    /// All records counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_disposition.iter().sum()
    }

    /// Adds another count, member by member.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.pairs(other) {
            *mine += theirs;
        }
    }

    /// Takes off an earlier count of the same records.
    pub fn subtract(&mut self, earlier: &Self) {
        for (mine, theirs) in self.pairs(earlier) {
            *mine = mine.saturating_sub(*theirs);
        }
    }

    fn pairs<'a>(&'a mut self, other: &'a Self) -> impl Iterator<Item = (&'a mut u64, &'a u64)> {
        let pairs = self.by_disposition.iter_mut().zip(&other.by_disposition);
        let pairs = pairs.chain(self.ignored.iter_mut().zip(&other.ignored));
        pairs.chain(self.malformed.iter_mut().zip(&other.malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_run_from_one_without_gaps_and_read_back() {
        for (index, reason) in IgnoredReason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.code()), index + 1);
            assert_eq!(IgnoredReason::from_code(reason.code()), Some(*reason));
        }
        for (index, reason) in MalformedReason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.code()), index + 1);
            assert_eq!(MalformedReason::from_code(reason.code()), Some(*reason));
        }
    }

    #[test]
    fn a_total_counts_each_record_once() {
        let mut counts = DispositionCounts::default();
        counts.count(Disposition::Applied);
        counts.count(Disposition::Ignored(IgnoredReason::EmptyLine));
        counts.count(Disposition::Malformed(MalformedReason::CutOff));
        assert_eq!(counts.total(), 3);
        assert_eq!((counts.ignored[0], counts.malformed[4]), (1, 1));
    }
}
