//! The fast readers against the general ones, and the writers against the generated types.
//!
//! Invariant under test: wherever a fast reader answers, the general one gives the same answer.

use model::{
    BusinessMessage, Category, Consent, Event, EventBody, MessageKind, MessageStatus, ProviderVerdict,
    StatusKind, Template, UnixMillis, UserMessage,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message;

use super::{
    event_to_delimited, event_to_json, event_to_protobuf, fast_json, fast_protobuf, json,
    protobuf::{decode_protobuf, read_general},
};
use crate::{framing::Delimited, next_delimited, piece::Piece, proto::event as schema};

/// The beginning of an event whose last member is still to come.
const HEAD: &str = r#""eventId":"wamid.HBgN","occurredAt":"2022-02-03T10:00:00.123Z","accountId":"10","businessPhone":"20","userPhone":"5511987654321""#;

/// Bodies of the usual shape: the fast reader takes them.
const USUAL_BODIES: &[&str] = &[
    r#""userMessage":{"kind":"TEXT"}"#,
    r#""userMessage":{"kind":"MESSAGE_KIND_TEXT"}"#,
    r#""userMessage":{"kind":"IMAGE","referral":{}}"#,
    r#""userMessage":{"referral":{"sourceType":"ad","sourceId":"1","sourceUrl":"https://fb.example/1"},"kind":"TEXT"}"#,
    r#""businessMessage":{"kind":"TEXT"}"#,
    r#""businessMessage":{"kind":"TEMPLATE","template":{"name":"oferta_de_verão","category":"MARKETING"}}"#,
    r#""businessMessage":{"kind":"TEMPLATE","template":{"name":"","category":"CATEGORY_AUTHENTICATION_INTERNATIONAL"}}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT"}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"STATUS_KIND_FAILED","errorCode":131049}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"DELIVERED","errorCode":0,"provider":{}}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"READ","provider":{"conversationId":"c7662d4f","expiresAt":"2022-02-04T10:00:00Z","originType":"user_initiated","billable":true,"pricingModel":"CBP","pricingType":"regular","category":"authentication-international"}}"#,
    r#""userCall":{}"#,
    r#""consent":{"granted":true,"source":"web form"}"#,
    r#""consent":{"granted":false}"#,
    r#""tag":"campanha-7","userMessage":{"kind":"TEXT"}"#,
];

/// Bodies that the fast reader must leave alone, or must read as the general one does.
const OTHER_BODIES: &[&str] = &[
    r#""userMessage":{}"#,
    r#""userMessage":null"#,
    r#""userMessage":{"kind":null}"#,
    r#""userMessage":{"kind":1}"#,
    r#""userMessage":{"kind":"1"}"#,
    r#""userMessage":{"kind":"text"}"#,
    r#""userMessage":{"kind":"HOLOGRAM"}"#,
    r#""userMessage":{"kind":99}"#,
    r#""userMessage":{"kind":-1}"#,
    r#""userMessage":{"kind":"TEXT","referral":null}"#,
    r#""userMessage":{"kind":"TEXT","referral":{"sourceId":5}}"#,
    r#""userMessage":{"kind":"TEXT","referral":{"headline":"new"}}"#,
    r#""userMessage":{"kind":"TEXT","kind":"TEXT"}"#,
    r#""userMessage":{"kind":"T\u0045XT"}"#,
    r#""userMessage":{"kind":"TEXT"},"businessMessage":{"kind":"TEXT"}"#,
    r#""userMessage":{"kind":"TEXT"},"user_message":{"kind":"TEXT"}"#,
    r#""user_message":{"kind":"TEXT"}"#,
    r#""userMessage":{"kind":"TEXT"},"novelty":[1,{"a":null}]"#,
    r#""userMessage":{"kind":"TEXT"},"tag":"""#,
    r#""userMessage":{"kind":"TEXT"},"tag":null"#,
    r#""userMessage":{"kind":"TEXT"},"tag":"say \"hi\"""#,
    r#""userMessage":{"kind":"TEXT"},"eventId":"again""#,
    r#""userMessage":{"kind":"TEXT"},"#,
    r#""userMessage":{"kind":"TEXT",}"#,
    r#""userMessage":{"kind" "TEXT"}"#,
    r#""userMessage":["TEXT"]"#,
    r#""businessMessage":{"kind":"TEMPLATE","template":{}}"#,
    r#""businessMessage":{"kind":"TEMPLATE","template":{"category":"UTILITY"}}"#,
    r#""businessMessage":{"kind":"TEMPLATE","template":{"name":"a","category":"NOVEL"}}"#,
    r#""messageStatus":{"messageId":"wamid.A"}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"UNSPECIFIED"}"#,
    r#""messageStatus":{"messageId":"","status":"SENT"}"#,
    r#""messageStatus":{"status":"SENT"}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","errorCode":"131049"}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","errorCode":131049.0}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","errorCode":-1}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","errorCode":4294967296}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","errorCode":007}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","provider":{"billable":null}}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","provider":{"billable":"true"}}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","provider":{"expiresAt":"soon"}}"#,
    r#""messageStatus":{"messageId":"wamid.A","status":"SENT","provider":{"expiresAt":"1960-01-01T00:00:00Z"}}"#,
    r#""userCall":{"callId":"x"}"#,
    r#""userCall":null"#,
    r#""consent":{}"#,
    r#""consent":{"granted":"yes"}"#,
    r#""tick":{"until":"2022-02-03T10:00:00Z"}"#,
    r#""tick":{}"#,
    r#""configuration":{"contentHash":"AAAA"}"#,
    r#""periodClosed":{"accountId":"10","period":202202}"#,
    r#""userErased":{"user":"AAAA"}"#,
    r#""resubmission":{"topic":"t","partition":1,"offset":"2","value":"AAAA"}"#,
    r#""novelty":{}"#,
];

/// Times in other forms than the usual one.
const TIMES: &[&str] = &[
    "2022-02-03T10:00:00Z",
    "2022-02-03T10:00:00.1Z",
    "2022-02-03T10:00:00.123456789Z",
    "2022-02-03T10:00:00.999999999Z",
    "2022-02-03T10:00:00+00:00",
    "2022-02-03T07:00:00-03:00",
    "2022-02-03t10:00:00z",
    "2022-02-03 10:00:00Z",
    "2022-02-03T10:00:00",
    "2022-02-03T10:00Z",
    "2022-02-30T10:00:00Z",
    "2022-02-03T24:00:00Z",
    "2022-02-03T23:59:60Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "10000-01-01T00:00:00Z",
    "1643882400",
    "",
];

fn general_event(text: &str) -> Option<Event<'static>> {
    match json::read(text) {
        Piece::Event(event) => Some(event),
        Piece::Ignored(_) | Piece::Malformed(_) | Piece::Tick(_) => None,
    }
}

/// If the fast reader takes the text, the general one reads the same.
fn check_json(text: &str) {
    if let Some(fast) = fast_json::read(text) {
        assert_eq!(Some(fast), general_event(text), "{text}");
    }
}

#[test]
fn the_usual_shapes_are_read_fast_and_borrowed() {
    for body in USUAL_BODIES {
        let text = format!("{{{HEAD},{body}}}");
        let fast = fast_json::read(&text);
        assert!(fast.is_some(), "{text}");
        assert_eq!(fast, general_event(&text), "{text}");
        let reversed = format!("{{{body},{HEAD}}}\n");
        assert_eq!(fast_json::read(&reversed), fast, "{reversed}");
        let spaced = text.replace("\":", "\" : ").replace(",\"", " ,\t\"").replace('}', " }");
        assert_eq!(fast_json::read(&spaced), fast, "{spaced}");
        let event = fast.unwrap();
        assert!(matches!(event.event_id, std::borrow::Cow::Borrowed(_)));
    }
}

#[test]
fn an_unusual_shape_is_read_by_the_general_reader_alone_or_alike() {
    for body in OTHER_BODIES {
        check_json(&format!("{{{HEAD},{body}}}"));
        check_json(&format!("{{{body},{HEAD}}}"));
    }
    for time in TIMES {
        for body in USUAL_BODIES {
            check_json(&format!("{{{HEAD},{body}}}").replace("2022-02-03T10:00:00.123Z", time));
        }
    }
}

#[test]
fn each_field_may_be_absent_empty_null_repeated_or_too_long() {
    let members: Vec<&str> = HEAD.split(',').collect();
    for (index, member) in members.iter().enumerate() {
        let (key, value) = member.split_once(':').unwrap();
        let long = format!("{key}:\"{}\"", "x".repeat(513));
        let fits = format!("{key}:\"{}\"", "x".repeat(128));
        for other in ["", &format!("{key}:\"\""), &format!("{key}:null"), &format!("{key}:5"), &long, &fits] {
            let mut changed = members.clone();
            changed[index] = other;
            changed.retain(|member| !member.is_empty());
            check_json(&format!("{{{},\"userCall\":{{}}}}", changed.join(",")));
        }
        check_json(&format!("{{{HEAD},{key}:{value},\"userCall\":{{}}}}"));
    }
}

#[test]
fn cut_anywhere_or_followed_by_more_a_line_is_no_event() {
    for body in USUAL_BODIES {
        let text = format!("{{{HEAD},{body}}}");
        for (end, _) in text.char_indices() {
            assert_eq!(fast_json::read(&text[..end]), None);
        }
        assert_eq!(fast_json::read(&format!("{text}{text}")), None);
    }
}

fn text(length_max: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => vec(select(b"abcdefgWAMID.0123456789=:-_/+ ".as_slice()), 1..length_max)
            .prop_map(|bytes| String::from_utf8(bytes).unwrap()),
        1 => vec(any::<char>(), 1..12).prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn time() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![
        1_600_000_000_000..1_800_000_000_000_i64,
        0..=UnixMillis::MAX.0,
        (0..UnixMillis::MAX.second()).prop_map(|seconds| seconds * 1_000),
    ]
    .prop_map(UnixMillis)
}

fn kind() -> impl Strategy<Value = MessageKind> {
    select(MessageKind::ALL)
}

fn provider_verdict() -> impl Strategy<Value = ProviderVerdict> {
    let word = || prop_oneof![Just(String::new()), text(30)];
    (word(), option::of(time()), word(), any::<Option<bool>>(), word(), word(), word()).prop_map(
        |(conversation_id, expires_at, origin_type, billable, pricing_model, pricing_type, category)| {
            ProviderVerdict {
                conversation_id,
                expires_at,
                origin_type,
                billable,
                pricing_model,
                pricing_type,
                category,
            }
        },
    )
}

fn body() -> impl Strategy<Value = EventBody<'static>> {
    let template = (text(40), select(Category::ALL))
        .prop_map(|(name, category)| Template { name: name.into(), category });
    prop_oneof![
        (kind(), any::<bool>())
            .prop_map(|(kind, referral)| EventBody::UserMessage(UserMessage { kind, referral })),
        (kind(), option::of(template))
            .prop_map(|(kind, template)| EventBody::BusinessMessage(BusinessMessage { kind, template })),
        (text(80), select(StatusKind::ALL), any::<u32>(), option::of(provider_verdict())).prop_map(
            |(message_id, status, error_code, provider)| {
                EventBody::MessageStatus(MessageStatus {
                    message_id: message_id.into(),
                    status,
                    error_code,
                    provider: provider.map(Box::new),
                })
            }
        ),
        Just(EventBody::UserCall),
        (any::<bool>(), prop_oneof![Just(String::new()), text(30)])
            .prop_map(|(granted, source)| EventBody::Consent(Consent { granted, source: source.into() })),
    ]
}

prop_compose! {
    fn event()(
        event_id in text(100),
        occurred_at in time(),
        account in text(30),
        business_phone in text(30),
        user in text(30),
        tag in option::of(text(30)),
        body in body(),
    ) -> Event<'static> {
        Event {
            event_id: event_id.into(),
            occurred_at,
            account: account.into(),
            business_phone: business_phone.into(),
            user: user.into(),
            tag: tag.map(Into::into),
            body,
        }
    }
}

proptest! {
    #[test]
    fn an_event_reads_back_from_json_and_is_written_as_the_mapping_says(event in event()) {
        let mut out = Vec::new();
        event_to_json(&event, &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(general_event(&text), Some(event.clone()));
        check_json(&text);
        let mut generated = serde_json::from_str::<schema::Event>(&text).unwrap();
        // The generated code writes UTC as an offset, where the mapping asks for `Z`.
        let with_z = |text: &str| text.replace("+00:00\"", "Z\"");
        prop_assert_eq!(with_z(&serde_json::to_string(&generated).unwrap()), with_z(&text));
        let mut bytes = Vec::new();
        event_to_protobuf(&event, &mut bytes);
        generated.tag = event.tag.clone().unwrap_or_default().into_owned();
        prop_assert_eq!(generated.encode_to_vec(), bytes);
    }

    #[test]
    fn an_event_reads_back_from_protobuf(event in event()) {
        let mut bytes = Vec::new();
        event_to_protobuf(&event, &mut bytes);
        prop_assert_eq!(fast_protobuf::read(&bytes), Some(event.clone()));
        prop_assert_eq!(read_general(&bytes), Piece::Event(event.clone()));
        // Fields that this version does not know are passed over.
        bytes.extend([0xa0, 0x06, 5, 0xaa, 0x06, 2, b'h', b'i', 0xb5, 0x06, 1, 2, 3, 4]);
        prop_assert_eq!(decode_protobuf(&bytes), Piece::Event(event.clone()));
        let mut file = Vec::new();
        event_to_delimited(&event, &mut file);
        let Delimited::Message { message, consumed } = next_delimited(&file) else {
            return Err(TestCaseError::fail("not a whole message"));
        };
        prop_assert_eq!(consumed, file.len());
        prop_assert_eq!(decode_protobuf(message), Piece::Event(event));
    }

    #[test]
    fn a_damaged_line_is_read_alike_or_not_at_all(
        event in event(),
        damage in vec((any::<prop::sample::Index>(), select(b"\"\\{}:,0e-n \x00az\xc3".as_slice())), 1..4),
    ) {
        let mut out = Vec::new();
        event_to_json(&event, &mut out);
        for (place, byte) in damage {
            let place = place.index(out.len());
            out[place] = byte;
        }
        if let Ok(text) = std::str::from_utf8(&out) {
            check_json(text);
        }
    }

    #[test]
    fn a_damaged_message_is_read_alike_or_not_at_all(
        event in event(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut out = Vec::new();
        event_to_protobuf(&event, &mut out);
        for (place, byte) in damage {
            let place = place.index(out.len());
            out[place] = byte;
        }
        if let Some(cut) = cut {
            out.truncate(cut.index(out.len()));
        }
        if let Some(fast) = fast_protobuf::read(&out) {
            prop_assert_eq!(Piece::Event(fast), read_general(&out));
        }
    }

    #[test]
    fn two_messages_in_a_row_merge_alike(first in event(), second in event()) {
        let mut out = Vec::new();
        event_to_protobuf(&first, &mut out);
        event_to_protobuf(&second, &mut out);
        if let Some(fast) = fast_protobuf::read(&out) {
            prop_assert_eq!(Piece::Event(fast), read_general(&out));
        }
    }
}
