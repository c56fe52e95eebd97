//! One entry of every kind, with every field set.
//!
//! Invariant: nothing here is random, so that the golden bytes stand.

use model::{
    Category, Charge, ChargeId, Closed, ContentHash, ConversationFacts, ConversationId, Currency, Entry,
    EntryBody, EntryHash, Initiator, LeadingDigits, MessageEvidence, MessageRef, Micros, Offset, PartitionId,
    Period, PriceOutcome, ProviderVerdict, QuarantineReason, Quarantined, Reversal, Revised, Sequence,
    Subject, UnixMillis, UserRef, VerdictFacts,
};

pub(crate) fn subject() -> Subject {
    Subject {
        account: "102290129340398".into(),
        business_phone: "106540352242922".into(),
        user: UserRef([0x51; 16]),
        leading_digits: LeadingDigits::of("5511987654321"),
        market: "Brazil".into(),
        period: Period { year: 2022, month: 2 },
        booked_in: Period { year: 2022, month: 3 },
    }
}

pub(crate) fn evidence(byte: u8) -> MessageEvidence {
    MessageEvidence {
        message: MessageRef([byte; 16]),
        at: UnixMillis(1_643_882_400_123),
        offset: Offset(70_001),
        template: "oferta_de_verão".into(),
        category: Category::Marketing,
        tag: "campaign-7".into(),
    }
}

pub(crate) fn conversation() -> ConversationFacts {
    ConversationFacts {
        subject: subject(),
        conversation: ConversationId([0xc0; 16]),
        initiator: Initiator::Business,
        opened_at: UnixMillis(1_643_882_400_123),
        expires_at: UnixMillis(1_643_968_800_123),
        opened_by: evidence(0xe1),
        without_consent: true,
        previous_about: Sequence(41),
    }
}

pub(crate) fn charge() -> Charge {
    Charge {
        conversation: conversation(),
        charge: ChargeId([0xcc; 16]),
        booking: 2,
        earned_by: evidence(0xe2),
        price: PriceOutcome {
            amount: Some(Micros(50_000)),
            currency: Currency::parse("USD").expect("USD is a currency code"),
            tariff: "whatsapp-2022".into(),
            card: "2022-02-01_USD.csv".into(),
            row: 5,
            reason: "".into(),
        },
    }
}

fn unpriced() -> Charge {
    let mut charge = charge();
    charge.conversation.initiator = Initiator::User;
    charge.price.amount = None;
    charge.price.card = "".into();
    charge.price.row = 0;
    charge.price.reason = "no rate for Other in BRL".into();
    charge
}

fn taken_back() -> Charge {
    let mut charge = charge();
    charge.price.amount = Some(Micros(-50_000));
    charge
}

fn closed() -> Closed {
    Closed { conversation: conversation(), charged: true, user_messages: 2, business_messages: 3 }
}

/// The entries by the name of their golden file.
pub(crate) fn entries() -> Vec<(&'static str, Entry)> {
    let verdict = ProviderVerdict {
        conversation_id: "c7662d4fa5d580e5238260cdbb77483a".to_owned(),
        expires_at: Some(UnixMillis(1_643_968_800_000)),
        origin_type: "business_initiated".to_owned(),
        billable: Some(false),
        pricing_model: "CBP".to_owned(),
        pricing_type: "regular".to_owned(),
        category: "authentication-international".to_owned(),
    };
    let silent = VerdictFacts {
        subject: subject(),
        message: MessageRef([0xe3; 16]),
        verdict: ProviderVerdict::default(),
    };
    let quarantined =
        Quarantined { reason: QuarantineReason::Malformed, detail: 6, original: ContentHash([0x0f; 32]) };
    let bodies = vec![
        ("conversation_opened", EntryBody::ConversationOpened(conversation())),
        ("conversation_charged", EntryBody::ConversationCharged(Box::new(charge()))),
        ("conversation_charged_unpriced", EntryBody::ConversationCharged(Box::new(unpriced()))),
        ("message_charged", EntryBody::MessageCharged(Box::new(charge()))),
        (
            "charge_reversed",
            EntryBody::ChargeReversed(Box::new(Reversal { charge: taken_back(), reverses: Sequence(40) })),
        ),
        (
            "conversation_revised",
            EntryBody::ConversationRevised(Box::new(Revised { holds: closed(), open_again: true })),
        ),
        ("conversation_withdrawn", EntryBody::ConversationWithdrawn(conversation())),
        ("conversation_closed", EntryBody::ConversationClosed(Box::new(closed()))),
        (
            "provider_verdict",
            EntryBody::ProviderVerdict(Box::new(VerdictFacts { verdict, ..silent.clone() })),
        ),
        ("provider_verdict_silent", EntryBody::ProviderVerdict(Box::new(silent))),
        (
            "consent_changed",
            EntryBody::ConsentChanged { subject: subject(), granted: false, source: "keyword".into() },
        ),
        (
            "configured",
            EntryBody::Configured { content: ContentHash([0x0c; 32]), effective_from: UnixMillis(-1) },
        ),
        ("record_quarantined", EntryBody::RecordQuarantined(quarantined)),
        (
            "record_quarantined_late",
            EntryBody::RecordQuarantined(Quarantined {
                reason: QuarantineReason::Late,
                detail: 0,
                ..quarantined
            }),
        ),
    ];
    let entry = |(name, body)| (name, Entry { body, ..frame() });
    bodies.into_iter().map(entry).collect()
}

fn frame() -> Entry {
    Entry {
        sequence: Sequence(42),
        event_time: UnixMillis(1_643_882_400_123),
        record_time: UnixMillis(1_643_882_401_456),
        partition: PartitionId(3),
        offset: Offset(70_002),
        previous_hash: EntryHash([0xab; 32]),
        body: EntryBody::Configured { content: ContentHash([0; 32]), effective_from: UnixMillis(0) },
    }
}
