//! Canonical bytes: pinned by golden files, equal to those of the generated types, and read back strictly.

#[path = "common/entries.rs"]
mod entries;
#[path = "common/golden.rs"]
mod golden;
#[path = "common/hex.rs"]
mod hex;

use entries::entries;
use golden::check_golden;
use hex::hex;
use model::{
    Category, Currency, Entry, EntryBody, EntryHash, LeadingDigits, Micros, PartitionId, Period,
    PriceOutcome, Sequence, UnixMillis,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message;
use wire::{
    CanonicalError, EntryDecoder, Words, chain_hash, decode_entry, encode_entry, join_previous_hash,
    proto::billing, split_previous_hash,
};

fn encode(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    encode_entry(entry, &mut out);
    out
}

#[test]
fn every_kind_of_entry_has_the_bytes_of_its_golden_file() {
    for (name, entry) in entries() {
        check_golden(&format!("golden/entries/{name}.hex"), &hex(&encode(&entry)));
    }
}

#[test]
fn the_chain_over_every_kind_of_entry_has_the_hashes_of_its_golden_file() {
    let mut previous = EntryHash::ZERO;
    let mut hashes = String::new();
    for (name, entry) in entries() {
        previous = chain_hash(&previous, &encode(&Entry { previous_hash: previous, ..entry }));
        hashes += &format!("{previous} {name}\n");
    }
    check_golden("golden/chain.txt", &hashes);
}

#[test]
fn every_kind_of_entry_reads_back_and_the_generated_type_writes_the_same_bytes() {
    for (name, entry) in entries() {
        let bytes = encode(&entry);
        assert_eq!(decode_entry(&bytes, &mut Words::new()), Ok(entry), "{name}");
        let generated = billing::Entry::decode(&*bytes).unwrap();
        assert_eq!(generated.encode_to_vec(), bytes, "{name}");
    }
}

#[test]
fn an_entry_that_takes_the_place_of_any_other_reads_as_it_does_alone() {
    let mut decoder = EntryDecoder::default();
    for (before, earlier) in entries() {
        for (name, entry) in entries() {
            assert_eq!(decoder.decode(&encode(&earlier)), Ok(&earlier), "{before}");
            assert_eq!(decoder.decode(&encode(&entry)), Ok(&entry), "{name} after {before}");
            let mut bytes = encode(&entry);
            bytes.pop();
            assert!(decoder.decode(&bytes).is_err(), "{name} cut off");
        }
    }
}

proptest! {
    #[test]
    fn charges_read_one_after_the_other_are_those_that_were_written(
        changes in vec((0_u8..4, 0_u8..3, option::of(-5_i64..5)), 1..40),
    ) {
        let mut decoder = EntryDecoder::default();
        let (_, first) = entries().remove(1);
        for (word, tag, amount) in changes {
            let mut entry = first.clone();
            if let EntryBody::ConversationCharged(charge) = &mut entry.body {
                charge.conversation.subject.account = "ab".repeat(usize::from(word) + 1).into();
                charge.earned_by.tag = "t".repeat(usize::from(tag)).into();
                charge.price.amount = amount.map(Micros);
            }
            prop_assert_eq!(decoder.decode(&encode(&entry)), Ok(&entry));
        }
    }
}

#[test]
fn the_generated_type_sees_the_fields_under_their_names() {
    let (_, entry) = entries().remove(1);
    let generated = billing::Entry::decode(&*encode(&entry)).unwrap();
    let Some(billing::entry::Body::ConversationCharged(charge)) = generated.body else {
        panic!("not a charge");
    };
    let price = charge.price.unwrap();
    let facts = charge.conversation.unwrap();
    let subject = facts.subject.unwrap();
    assert_eq!((generated.sequence, generated.partition, generated.offset), (42, 3, 70_002));
    assert_eq!((price.amount_micros, price.currency.as_str(), price.row), (Some(50_000), "USD", 5));
    assert_eq!(
        (subject.leading_digits.as_str(), subject.period, subject.booked_in),
        ("5511", 202_202, 202_203)
    );
    assert_eq!(facts.initiator, billing::Initiator::Business as i32);
    assert_eq!(generated.previous_hash, [0xab; 32]);
}

#[test]
fn the_previous_hash_is_cut_off_and_put_back() {
    for (name, entry) in entries() {
        let bytes = encode(&entry);
        let (kept, hash) = split_previous_hash(&bytes).unwrap();
        assert_eq!(hash, entry.previous_hash, "{name}");
        assert_eq!(kept.len() + 35, bytes.len());
        let mut joined = Vec::new();
        join_previous_hash(kept, &hash, &mut joined);
        assert_eq!(joined, bytes, "{name}");
    }
}

/// Changes the generated form of an entry and reads it.
fn read_changed(name: &str, change: impl FnOnce(&mut billing::Entry)) -> Result<Entry, CanonicalError> {
    let (_, entry) = entries().into_iter().find(|(known, _)| *known == name).expect("an entry of that name");
    let mut generated = billing::Entry::decode(&*encode(&entry)).expect("canonical bytes are protobuf");
    change(&mut generated);
    decode_entry(&generated.encode_to_vec(), &mut Words::new())
}

fn opened(entry: &mut billing::Entry) -> &mut billing::ConversationFacts {
    match &mut entry.body {
        Some(billing::entry::Body::ConversationOpened(facts)) => facts,
        other => panic!("not an opening: {other:?}"),
    }
}

#[test]
fn numbers_of_enums_that_this_version_does_not_know_are_errors() {
    let unknown = |field, number| Err(CanonicalError::UnknownNumber { field, number });
    assert_eq!(
        read_changed("conversation_opened", |entry| opened(entry).initiator = 3),
        unknown("initiator", 3)
    );
    assert_eq!(
        read_changed("conversation_opened", |entry| opened(entry).initiator = 0),
        unknown("initiator", 0)
    );
    assert_eq!(
        read_changed("conversation_opened", |entry| {
            opened(entry).opened_by.as_mut().unwrap().category = 6;
        }),
        unknown("category", 6)
    );
    for (reason, detail, wanted) in
        [(6, 0, unknown("reason", 6)), (0, 0, unknown("reason", 0)), (1, 10, unknown("detail", 10))]
    {
        let read = read_changed("record_quarantined", |entry| {
            if let Some(billing::entry::Body::RecordQuarantined(record)) = &mut entry.body {
                (record.reason, record.detail) = (reason, detail);
            }
        });
        assert_eq!(read, wanted);
    }
}

#[test]
fn absent_or_misshapen_fields_are_errors_that_name_them() {
    let read = |change: fn(&mut billing::Entry)| read_changed("conversation_opened", change);
    assert_eq!(read(|entry| entry.body = None), Err(CanonicalError::Missing { field: "body" }));
    assert_eq!(
        read(|entry| entry.previous_hash.clear()),
        Err(CanonicalError::Missing { field: "previous_hash" })
    );
    assert_eq!(read(|entry| opened(entry).subject = None), Err(CanonicalError::Missing { field: "subject" }));
    assert_eq!(
        read(|entry| opened(entry).conversation_id.truncate(15)),
        Err(CanonicalError::WrongLength { field: "conversation_id", length: 15, wanted: 16 })
    );
    assert_eq!(
        read(|entry| opened(entry).subject.as_mut().unwrap().period = 202_213),
        Err(CanonicalError::OutOfRange { field: "period", number: 202_213 })
    );
    assert_eq!(
        read(|entry| opened(entry).subject.as_mut().unwrap().leading_digits = "55119".to_owned()),
        Err(CanonicalError::BadText { field: "leading_digits" })
    );
}

#[test]
fn bytes_that_mean_the_same_but_are_written_otherwise_are_refused() {
    let (_, entry) = entries().remove(0);
    let bytes = encode(&entry);
    let mut words = Words::new();
    // Sequence 42 in two bytes instead of one; an explicit zero; a field that this version does not write.
    let long = [&[0x08, 0xaa, 0x00], &bytes[2..]].concat();
    assert_eq!(decode_entry(&long, &mut words), Err(CanonicalError::NotCanonical { field: "sequence" }));
    let zero = [&[0x08, 0x00], &bytes[2..]].concat();
    assert_eq!(decode_entry(&zero, &mut words), Err(CanonicalError::NotCanonical { field: "sequence" }));
    let more = [&bytes[..], &[0xa8, 0x06, 1]].concat();
    assert_eq!(
        decode_entry(&more, &mut words),
        Err(CanonicalError::Unexpected { message: "entry", key: 0xa8 })
    );
    for end in 0..bytes.len() {
        assert!(decode_entry(&bytes[..end], &mut words).is_err(), "cut at {end}");
    }
}

fn word() -> impl Strategy<Value = model::Text> {
    prop_oneof![Just(String::new()), "[a-zA-Z0-9_ .ãé-]{1,40}", "\\PC{130,150}"]
        .prop_map(|word| word.as_str().into())
}

fn period() -> impl Strategy<Value = Period> {
    (1970_u16..=9999, 1_u8..=12).prop_map(|(year, month)| Period { year, month })
}

prop_compose! {
    fn price()(
        amount in option::of(any::<i64>().prop_map(Micros)),
        currency in select(["USD", "EUR", "BRL"].as_slice()).prop_map(|code| Currency::parse(code).expect("a currency code")),
        tariff in word(),
        card in word(),
        row in any::<u32>(),
        reason in word(),
    ) -> PriceOutcome {
        PriceOutcome { amount, currency, tariff, card, row, reason }
    }
}

prop_compose! {
    /// The entries of the golden files with other values in their places.
    fn entry()(
        (_, mut entry) in select(entries()),
        numbers in (any::<u64>(), any::<i64>(), any::<i64>(), any::<u32>()),
        hash in any::<[u8; 32]>(),
        words in (word(), word(), word(), word()),
        periods in (period(), period()),
        user in "[0-9]{0,6}|[A-Z]{2}\\.[0-9]{5}",
        category in select(Category::ALL),
        flags in any::<[bool; 2]>(),
        price in price(),
    ) -> Entry {
        entry.sequence = Sequence(numbers.0);
        entry.event_time = UnixMillis(numbers.1);
        entry.partition = PartitionId(numbers.3);
        entry.previous_hash = EntryHash(hash);
        let facts = match &mut entry.body {
            EntryBody::ConversationOpened(facts) | EntryBody::ConversationWithdrawn(facts) => Some(facts),
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                charge.booking = numbers.3;
                charge.price = price;
                Some(&mut charge.conversation)
            }
            EntryBody::ChargeReversed(reversal) => Some(&mut reversal.charge.conversation),
            EntryBody::ConversationRevised(revised) => {
                revised.open_again = flags[1];
                Some(&mut revised.holds.conversation)
            }
            EntryBody::ConversationClosed(closed) => {
                closed.charged = flags[1];
                Some(&mut closed.conversation)
            }
            EntryBody::ProviderVerdict(facts) => {
                facts.verdict.expires_at = Some(UnixMillis(numbers.2));
                facts.verdict.billable = Some(flags[0]);
                None
            }
            EntryBody::ConsentChanged { granted, source, .. } => {
                *granted = flags[0];
                *source = words.0.clone();
                None
            }
            EntryBody::Configured { .. } | EntryBody::RecordQuarantined(_) => None,
        };
        if let Some(facts) = facts {
            facts.opened_at = UnixMillis(numbers.2);
            facts.without_consent = flags[0];
            facts.opened_by.category = category;
            facts.opened_by.template = words.0;
            facts.opened_by.tag = words.1;
            facts.subject.account = words.2;
            facts.subject.market = words.3;
            facts.subject.leading_digits = LeadingDigits::of(&user);
            (facts.subject.period, facts.subject.booked_in) = periods;
        }
        entry
    }
}

proptest! {
    #[test]
    fn any_entry_reads_back_and_the_generated_type_agrees(entry in entry()) {
        let bytes = encode(&entry);
        prop_assert_eq!(decode_entry(&bytes, &mut Words::new()), Ok(entry));
        prop_assert_eq!(billing::Entry::decode(&*bytes).unwrap().encode_to_vec(), bytes);
    }

    #[test]
    fn what_is_read_is_written_again_as_it_was(
        entry in entry(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = encode(&entry);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(read) = decode_entry(&bytes, &mut Words::new()) {
            prop_assert_eq!(encode(&read), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_are_never_more_than_an_error(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(read) = decode_entry(&bytes, &mut Words::new()) {
            prop_assert_eq!(encode(&read), bytes);
        }
    }
}
