//! The rules as tables: what arrives, and the conversations that it comes to.

use super::*;
use crate::{
    histories::{
        ACCOUNT, BUSINESS_PHONE, DAY_0, HistoryPlan, USER, boundary_letters, evidence_letters, multisets,
        orders, spell,
    },
    random::{Dice, scatter},
};
use model::{
    BusinessMessage, Category, Consent, EventBody, MessageKind, MessageStatus, StatusKind, Template,
    UserMessage,
};

#[test]
fn the_worked_example_of_the_contract() {
    check(
        "u1 d0 10:00 user
         r1 d0 10:05 reply
         u2 d0 18:00 user
         r2 d1 17:59 reply
         t1 d1 18:00 template
         u3 d2 17:00 user
         u4 d5 09:00 user
         -- d6 09:00 tick",
        "d0 10:00 - d1 18:00 user by u1, charged d0 10:05 by r1, 2 user 2 business
         d1 18:00 - d3 17:00 business by t1, charged d1 18:00 by t1, 1 user 1 business
         d5 09:00 - d6 09:00 user by u4, not charged, 1 user 0 business",
    );
}

#[test]
fn the_end_of_a_window_is_exclusive() {
    check(
        "u1 d0 10:00 user
         r1 d1 09:59:59.999 reply",
        "d0 10:00 - d1 10:00 user by u1, charged d1 09:59:59.999 by r1, 1 user 1 business",
    );
    check(
        "u1 d0 10:00 user
         r1 d1 10:00 reply",
        "d0 10:00 - d1 10:00 user by u1, not charged, 1 user 0 business
         d1 10:00 - d2 10:00 business by r1, charged d1 10:00 by r1, 0 user 1 business",
    );
}

#[test]
fn business_messages_do_not_slide_a_window() {
    check(
        "t1 d0 10:00 template
         r1 d1 09:00 reply
         u1 d1 10:00 user",
        "d0 10:00 - d1 10:00 business by t1, charged d0 10:00 by t1, 0 user 2 business
         d1 10:00 - d2 10:00 user by u1, not charged, 1 user 0 business",
    );
}

#[test]
fn a_fixed_window_never_slides() {
    let settings = Settings { window: Window::Fixed, ..Settings::default() };
    check_with(
        "u1 d0 10:00 user
         r1 d0 20:00 reply
         u2 d1 09:00 user
         u3 d1 10:00 user
         t1 d3 00:00 template
         u4 d3 23:00 user
         r2 d4 00:00 reply",
        "d0 10:00 - d1 10:00 user by u1, charged d0 20:00 by r1, 2 user 1 business
         d1 10:00 - d2 10:00 user by u3, not charged, 1 user 0 business
         d3 00:00 - d4 00:00 business by t1, charged d3 00:00 by t1, 1 user 1 business
         d4 00:00 - d5 00:00 business by r2, charged d4 00:00 by r2, 0 user 1 business",
        &settings,
    );
}

#[test]
fn at_the_same_time_the_user_comes_first_and_templates_before_replies() {
    // The ids are such that their order alone would say the opposite.
    check(
        "a d0 10:00 reply
         b d0 10:00 template
         c d0 10:00 user",
        "d0 10:00 - d1 10:00 user by c, charged d0 10:00 by b, 1 user 2 business",
    );
    // What is only known by its status counts as free-form.
    check(
        "s a d0 10:00 sent
         b d0 10:00 template",
        "d0 10:00 - d1 10:00 business by b, charged d0 10:00 by b, 0 user 2 business",
    );
}

#[test]
fn the_sealed_id_has_the_last_word_on_order() {
    let steps = steps("a d0 10:00 reply\nb d0 10:00 reply");
    let opened_by = |seal: &dyn Fn(&str) -> [u8; 16]| {
        net_result(&steps, &Settings::default(), seal).conversations[0].opened_by.clone()
    };
    assert_eq!(opened_by(&|id| [id.as_bytes()[0]; 16]), "a");
    assert_eq!(opened_by(&|id| [!id.as_bytes()[0]; 16]), "b");
}

#[test]
fn reports_that_agree_to_the_second_are_duplicates_and_the_earliest_stands() {
    let net = check(
        "u1 d0 10:00:00.500 user
         u1 d0 10:00:00.900 user
         u1 d0 10:00:00.100 user
         r1 d0 11:00:00.700 reply
         r1 d0 11:00:00.200 reply",
        "d0 10:00:00.100 - d1 10:00:00.100 user by u1, charged d0 11:00:00.200 by r1, 1 user 1 business",
    );
    use Disposition::{Applied, Duplicate};
    assert_eq!(net.dispositions, [Applied, Duplicate, Duplicate, Applied, Duplicate]);
}

#[test]
fn another_second_or_content_of_a_known_id_is_a_conflict_and_the_first_stands() {
    for other in [
        "u1 d0 10:00:01 user",
        "u1 d0 09:59:59.999 user",
        "u1 d0 10:00 image",
        "u1 d0 10:00 referral",
        "u1 d0 10:00 user account=other",
        "u1 d0 10:00 user tag=other",
        "u1 d0 10:00 reply",
        "u1 d0 10:00 call",
        "u1 d0 10:00 opt-in",
        "s u1 d0 10:00 delivered",
    ] {
        let net = check(
            &format!("u1 d0 10:00 user\n{other}"),
            "d0 10:00 - d1 10:00 user by u1, not charged, 1 user 0 business",
        );
        assert_eq!(net.dispositions, [Disposition::Applied, Disposition::Conflict], "{other}");
    }
    let net = check(
        "t1 d0 10:00 template
         t1 d0 10:00 marketing",
        "d0 10:00 - d1 10:00 business by t1, charged d0 10:00 by t1, 0 user 1 business",
    );
    assert_eq!(net.dispositions[1], Disposition::Conflict);
}

#[test]
fn a_user_message_conflicts_with_a_status_that_came_before_it() {
    let net = check(
        "s x d0 10:00 read
         x d0 10:00 user",
        "",
    );
    assert_eq!(net.dispositions, [Disposition::Applied, Disposition::Conflict]);
}

#[test]
fn ids_are_known_within_their_thread_alone() {
    let mut steps = steps("u1 d0 10:00 user\nu1 d0 12:00 user");
    if let Step::Event { event, .. } = &mut steps[1] {
        event.user = "4915112345678".into();
    }
    let net = net_result(&steps, &Settings::default(), &seal);
    assert_eq!(net.dispositions, [Disposition::Applied, Disposition::Applied]);
    let users: Vec<&str> = net.conversations.iter().map(|open| open.user.as_str()).collect();
    assert_eq!(users, ["4915112345678", USER]);
}

#[test]
fn sent_or_delivered_of_an_unknown_id_is_the_message_itself() {
    for status in ["sent", "delivered"] {
        check(
            &format!("u1 d0 10:00 user\ns r1 d0 10:05 {status}"),
            "d0 10:00 - d1 10:00 user by u1, charged d0 10:05 by r1, 1 user 1 business",
        );
    }
}

#[test]
fn read_or_failed_of_an_unknown_id_waits_for_another_report() {
    check("s r1 d0 10:00 read", "");
    check("s r1 d0 10:00 failed", "");
    check("s r1 d0 10:00 failed\ns r1 d0 09:00 read", "");
    // Once the message exists, what waited is its earliest evidence.
    check(
        "s r1 d0 10:00 read
         s r1 d0 11:00 sent",
        "d0 10:00 - d1 10:00 business by r1, charged d0 10:00 by r1, 0 user 1 business",
    );
    check(
        "s r1 d0 10:00 read
         r1 d0 11:00 reply",
        "d0 10:00 - d1 10:00 business by r1, charged d0 10:00 by r1, 0 user 1 business",
    );
}

#[test]
fn a_business_message_has_the_time_of_its_earliest_evidence_of_any_kind() {
    for status in ["sent", "delivered", "read"] {
        check(
            &format!("u1 d0 10:00 user\nr1 d1 12:00 reply\ns r1 d1 09:00 {status}"),
            "d0 10:00 - d1 10:00 user by u1, charged d1 09:00 by r1, 1 user 1 business",
        );
    }
    check(
        "r1 d0 12:00 reply
         s r1 d0 11:00 failed
         s r1 d0 13:00 delivered",
        "d0 11:00 - d1 11:00 business by r1, charged d0 11:00 by r1, 0 user 1 business",
    );
}

#[test]
fn a_failed_message_does_not_exist_unless_it_was_delivered_or_read() {
    let user_alone = "d0 10:00 - d1 10:00 user by u1, not charged, 1 user 0 business";
    let charged = "d0 10:00 - d1 10:00 user by u1, charged d0 10:05 by r1, 1 user 1 business";
    let reports = ["r1 d0 10:05 reply", "s r1 d0 10:06 sent", "s r1 d0 10:07 failed"];
    for order in orders(&[0, 1, 2]) {
        let text: Vec<&str> = order.iter().map(|place| reports[*place]).collect();
        check(&format!("u1 d0 10:00 user\n{}", text.join("\n")), user_alone);
        for beats in ["s r1 d0 12:00 delivered", "s r1 d0 12:00 read"] {
            check(&format!("u1 d0 10:00 user\n{}\n{beats}", text.join("\n")), charged);
            check(&format!("{beats}\nu1 d0 10:00 user\n{}", text.join("\n")), charged);
        }
    }
}

#[test]
fn a_status_is_known_by_message_kind_and_second() {
    let net = check(
        "s r1 d0 10:00:00.500 sent
         s r1 d0 10:00:00.100 sent
         s r1 d0 10:00:01 sent
         s r1 d0 10:00:00.500 delivered
         s r1 d0 10:00:00.500 sent account=other",
        "d0 10:00:00.100 - d1 10:00:00.100 business by r1, charged d0 10:00:00.100 by r1, 0 user 1 business",
    );
    use Disposition::{Applied, Conflict, Duplicate};
    assert_eq!(net.dispositions, [Applied, Duplicate, Applied, Applied, Conflict]);
}

#[test]
fn a_business_message_belongs_to_the_account_of_its_event_or_of_its_earliest_evidence() {
    let account =
        |text: &str| net_result(&steps(text), &Settings::default(), &seal).conversations[0].account.clone();
    assert_eq!(account("s r1 d0 10:00 sent account=a\nr1 d0 11:00 reply account=b"), "b");
    assert_eq!(account("s r1 d0 10:00 sent account=b\ns r1 d0 09:00 delivered account=a"), "a");
    assert_eq!(account("s r1 d0 10:00 delivered account=a\ns r1 d0 10:00 sent account=b"), "b");
    assert_eq!(account("u1 d0 10:00 user account=a\nr1 d0 11:00 reply account=b"), "a");
}

#[test]
fn an_event_is_believed_up_to_five_minutes_ahead_of_its_record_time() {
    let horizon = Some(DurationMillis::from_days(10));
    let settings = Settings { horizon, ..Settings::default() };
    let fate = |record_minus_event_ms: i64, settings: &Settings| {
        let mut steps = steps("u1 d0 10:00 user");
        if let Step::Event { event, record_time } = &mut steps[0] {
            *record_time = event.occurred_at + DurationMillis(record_minus_event_ms);
        }
        net_result(&steps, settings, &seal).dispositions[0]
    };
    assert_eq!(fate(-300_000, &settings), Disposition::Applied);
    assert_eq!(fate(-300_001, &settings), Disposition::Future);
    assert_eq!(fate(864_000_000, &settings), Disposition::Applied);
    assert_eq!(fate(864_000_001, &settings), Disposition::Late);
    assert_eq!(fate(864_000_001, &Settings::default()), Disposition::Applied);
}

#[test]
fn a_call_is_no_message() {
    let net = check(
        "u1 d0 10:00 user
         c1 d0 20:00 call
         c1 d0 20:00 call
         c1 d0 20:01 call
         r1 d1 11:00 reply",
        "d0 10:00 - d1 10:00 user by u1, not charged, 1 user 0 business
         d1 11:00 - d2 11:00 business by r1, charged d1 11:00 by r1, 0 user 1 business",
    );
    use Disposition::{Applied, Conflict, Duplicate};
    assert_eq!(net.dispositions, [Applied, Applied, Duplicate, Conflict, Applied]);
}

#[test]
fn a_business_initiated_conversation_without_opt_in_is_flagged_where_consent_is_tracked() {
    let tracks = Settings { consent_accounts: [ACCOUNT.to_owned()].into(), ..Settings::default() };
    let flagged = |before: &str, settings: &Settings| {
        let text = format!("t1 d0 10:00 template\n{before}");
        net_result(&steps(&text), settings, &seal).conversations[0].without_consent
    };
    assert!(flagged("", &tracks));
    assert!(!flagged("", &Settings::default()));
    assert!(!flagged("o1 d0 09:00 opt-in", &tracks));
    assert!(!flagged("o1 d0 10:00 opt-in", &tracks), "consent comes before a message of the same time");
    assert!(flagged("o1 d0 10:00:00.001 opt-in", &tracks));
    assert!(flagged("o1 d0 09:00 opt-out\no2 d0 08:00 opt-in", &tracks));
    assert!(!flagged("o1 d0 08:00 opt-out\no2 d0 09:00 opt-in", &tracks));
    let user = net_result(&steps("u1 d0 10:00 user"), &tracks, &seal);
    assert!(!user.conversations[0].without_consent, "a user who writes needs no opt-in");
}

#[test]
fn any_order_of_few_events_comes_to_the_same() {
    for letters in [boundary_letters(), evidence_letters()] {
        for choice in multisets(letters.len(), 3) {
            let wanted = net_result(&spell(&letters, &choice), &Settings::default(), &seal).conversations;
            for order in orders(&choice) {
                let steps = spell(&letters, &order);
                let names = || order.iter().map(|place| letters[*place].name).collect::<Vec<_>>();
                let found = net_result(&steps, &Settings::default(), &seal);
                assert_eq!(found.conversations, wanted, "{:?}", names());
                assert!(!found.dispositions.contains(&Disposition::Conflict), "{:?}", names());
            }
        }
    }
}

#[test]
fn any_order_and_any_repeats_of_a_random_history_come_to_the_same() {
    for seed in 0..300 {
        let mut steps = HistoryPlan::default().history(seed);
        let wanted = net_result(&steps, &Settings::default(), &seal).conversations;
        let mut dice = Dice::new(seed);
        let again = dice.pick(&steps).clone();
        steps.push(again);
        dice.shuffle(&mut steps);
        assert_eq!(net_result(&steps, &Settings::default(), &seal).conversations, wanted, "seed {seed}");
    }
}

#[test]
fn every_message_lies_in_one_conversation_and_conversations_do_not_overlap() {
    for seed in 0..300 {
        let plan = HistoryPlan { conflicts: true, untimely: true, ticks: true, ..HistoryPlan::default() };
        let net = net_result(&plan.history(seed), &Settings::default(), &seal);
        for pair in net.conversations.windows(2) {
            let same_thread = pair[0].user == pair[1].user;
            assert!(!same_thread || pair[0].expires_at <= pair[1].opened_at, "seed {seed}");
        }
        for open in &net.conversations {
            let answered = open.business_messages > 0;
            assert_eq!(open.charged_at.is_some(), answered, "seed {seed}");
            assert!(open.user_messages + open.business_messages > 0, "seed {seed}");
            assert!(open.charged_at.is_none_or(|at| open.opened_at <= at && at < open.expires_at));
        }
    }
}

fn check(text: &str, wanted: &str) -> NetResult {
    check_with(text, wanted, &Settings::default())
}

/// Reads the events, one a line, and compares the conversations, one a line.
fn check_with(text: &str, wanted: &str, settings: &Settings) -> NetResult {
    let net = net_result(&steps(text), settings, &seal);
    let found: Vec<String> = net.conversations.iter().map(show).collect();
    let wanted: Vec<&str> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, wanted, "\n{text}");
    net
}

fn seal(id: &str) -> [u8; 16] {
    let hash = id.bytes().fold(7, |hash, byte| scatter(hash ^ u64::from(byte)));
    u128::from(hash).to_be_bytes()
}

/// Lines of `id day time what [account=…] [tag=…]`, with `s` before the id for a status of it.
fn steps(text: &str) -> Vec<Step<'static>> {
    let record_time = DAY_0 + DurationMillis::from_days(8);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(number, line)| {
            let words: Vec<&str> = line.split(' ').collect();
            let is_status = words[0] == "s";
            let words = &words[usize::from(is_status)..];
            let (id, at, what) = (words[0].to_owned(), time(words[1], words[2]), words[3]);
            if what == "tick" {
                return Step::Tick(at);
            }
            let option = |name: &str| words[4..].iter().find_map(|word| word.strip_prefix(name));
            let event_id = if is_status { format!("status {number}") } else { id.clone() };
            let event = Event {
                event_id: event_id.into(),
                occurred_at: at,
                account: option("account=").unwrap_or(ACCOUNT).to_owned().into(),
                business_phone: BUSINESS_PHONE.into(),
                user: USER.into(),
                tag: option("tag=").map(|tag| tag.to_owned().into()),
                body: body(id, what),
            };
            Step::Event { event, record_time }
        })
        .collect()
}

fn body(id: String, what: &str) -> EventBody<'static> {
    let user = |kind, referral| EventBody::UserMessage(UserMessage { kind, referral });
    let template = |category| Some(Template { name: "order_update".into(), category });
    let business = |kind, template| EventBody::BusinessMessage(BusinessMessage { kind, template });
    let consent = |granted| EventBody::Consent(Consent { granted, source: "form".into() });
    let status = |status| {
        EventBody::MessageStatus(MessageStatus {
            message_id: id.clone().into(),
            status,
            error_code: 0,
            provider: None,
        })
    };
    match what {
        "user" => user(MessageKind::Text, false),
        "image" => user(MessageKind::Image, false),
        "referral" => user(MessageKind::Text, true),
        "reply" => business(MessageKind::Text, None),
        "template" => business(MessageKind::Template, template(Category::Utility)),
        "marketing" => business(MessageKind::Template, template(Category::Marketing)),
        "sent" => status(StatusKind::Sent),
        "delivered" => status(StatusKind::Delivered),
        "read" => status(StatusKind::Read),
        "failed" => status(StatusKind::Failed),
        "call" => EventBody::UserCall,
        "opt-in" => consent(true),
        "opt-out" => consent(false),
        other => panic!("no such event: {other}"),
    }
}

/// `d1 10:00`, `d1 10:00:01`, `d1 10:00:01.500`.
fn time(day: &str, clock: &str) -> UnixMillis {
    let number = |text: &str| text.parse::<i64>().unwrap();
    let (clock, ms) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<i64> = clock.split(':').map(number).collect();
    let seconds = parts[0] * 3_600 + parts[1] * 60 + parts.get(2).copied().unwrap_or(0);
    DAY_0
        + DurationMillis::from_days(number(&day[1..]))
        + DurationMillis::from_seconds(seconds)
        + DurationMillis(number(ms))
}

fn show_time(at: UnixMillis) -> String {
    let ms = (at - DAY_0).0;
    let minutes = ms / 60_000;
    let mut text = format!("d{} {:02}:{:02}", ms / 86_400_000, minutes / 60 % 24, minutes % 60);
    if ms % 60_000 != 0 {
        text += &format!(":{:02}.{:03}", ms / 1_000 % 60, ms % 1_000);
    }
    text
}

fn show(open: &NetConversation) -> String {
    let charge = match (open.charged_at, &open.earned_by) {
        (Some(at), Some(by)) => format!("charged {} by {by}", show_time(at)),
        (None, None) => "not charged".to_owned(),
        other => panic!("half a charge: {other:?}"),
    };
    format!(
        "{} - {} {} by {}, {charge}, {} user {} business",
        show_time(open.opened_at),
        show_time(open.expires_at),
        open.initiator.as_str(),
        open.opened_by,
        open.user_messages,
        open.business_messages
    )
}
