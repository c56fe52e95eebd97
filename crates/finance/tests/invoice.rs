//! Invoices from sums: what finance reads on them, and what it must never read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;

use finance::{Grouping, Invoice, InvoiceError, LedgerHead, LedgerSums};
use ledger::rollup::{
    AccountPeriod, LineKey, LinePrice, LineTotals, PeriodSummary, QuarantineCounts, RollupLine,
};
use model::{
    Category, Currency, EntryHash, Initiator, Micros, PartitionId, Period, QuarantineReason, Sequence,
    UnixMillis,
};
use tariff::{AccountRules, AccountSettings, Configuration, Tariff};

const FEBRUARY: Period = Period { year: 2022, month: 2 };

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn rules(currency: &str, zone: &str) -> Arc<AccountRules> {
    let currency = Currency::parse(currency).unwrap();
    let settings = AccountSettings { currency, zone: zone.to_owned(), tracks_consent: false };
    let tariff = Tariff::builtin("whatsapp-2022").unwrap();
    Configuration::new(settings, Vec::new(), tariff).unwrap().account("shop").clone()
}

/// A line of charges: market, initiator, template, tag, rate, how many.
fn charges(market: &str, initiator: Initiator, labels: [&str; 2], rate: i64, count: i64) -> RollupLine {
    let price = LinePrice {
        currency: usd(),
        unit: Some(Micros(rate)),
        tariff: "whatsapp-2022".into(),
        reason: "".into(),
    };
    RollupLine {
        key: key(market, initiator, labels, Some(price)),
        totals: LineTotals {
            charges: count,
            amount_micros: i128::from(rate) * i128::from(count),
            ..LineTotals::default()
        },
    }
}

fn unpriced(market: &str, count: i64) -> RollupLine {
    let price =
        LinePrice { currency: usd(), unit: None, tariff: "whatsapp-2022".into(), reason: "no_rate".into() };
    RollupLine {
        key: key(market, Initiator::User, ["", ""], Some(price)),
        totals: LineTotals { charges: count, ..LineTotals::default() },
    }
}

fn conversations(opened: i64, withdrawn: i64) -> RollupLine {
    let totals = LineTotals { opened, withdrawn, closed: opened - withdrawn, ..LineTotals::default() };
    RollupLine { key: key("Brazil", Initiator::User, ["", ""], None), totals }
}

fn key(market: &str, initiator: Initiator, [template, tag]: [&str; 2], price: Option<LinePrice>) -> LineKey {
    LineKey {
        business_phone: "300000000000011".into(),
        market: market.into(),
        initiator,
        category: Category::from_code(0).unwrap(),
        template: template.into(),
        tag: tag.into(),
        booked_in: FEBRUARY,
        price,
    }
}

fn invoice_with(
    lines: &[RollupLine],
    by: Grouping,
    change: impl FnOnce(&mut LedgerSums<'_>),
) -> Result<Invoice, InvoiceError> {
    let place = AccountPeriod::of("shop", FEBRUARY);
    let heads = [LedgerHead { partition: PartitionId(0), sequence: Sequence(42), hash: EntryHash([7; 32]) }];
    let mut sums = LedgerSums {
        place: &place,
        lines,
        summary: PeriodSummary::default(),
        quarantined: QuarantineCounts::default(),
        heads: &heads,
    };
    change(&mut sums);
    Invoice::from_rollups(&sums, &rules("USD", "UTC"), by)
}

fn invoice(lines: &[RollupLine], by: Grouping) -> Invoice {
    invoice_with(lines, by, |_| {}).unwrap()
}

/// Every line as `group market initiator quantity x rate = gross -> net`, then the totals.
fn shown(invoice: &Invoice) -> Vec<String> {
    let mut shown = Vec::new();
    for bill in &invoice.bills {
        for line in &bill.lines {
            let group = line.group.as_deref().map(|group| format!("[{group}] ")).unwrap_or_default();
            let (market, initiator) = (&line.market, line.initiator.as_str());
            let (quantity, rate, gross, net) = (line.quantity, line.unit_rate, line.gross, line.net);
            shown.push(format!("{group}{market} {initiator} {quantity} x {rate} = {gross} -> {net}"));
        }
        let (currency, total, exact, rounding) = (bill.currency, bill.total, bill.exact, bill.rounding);
        shown.push(format!("{currency} {total}, exact {exact}, rounding {rounding}"));
    }
    shown
}

#[test]
fn a_line_is_quantity_times_rate_and_is_rounded_once() {
    let lines = [
        charges("Brazil", Initiator::User, ["", ""], 30_000, 3),
        charges("Brazil", Initiator::Business, ["sale", "spring"], 50_000, 2),
        charges("India", Initiator::User, ["", ""], 4_900, 5),
        charges("Mexico", Initiator::User, ["", ""], 26_100, 1),
    ];
    assert_eq!(
        shown(&invoice(&lines, Grouping::Market)),
        [
            "Brazil user 3 x 0.0300 = 0.0900 -> 0.0900",
            "Brazil business 2 x 0.0500 = 0.1000 -> 0.1000",
            "India user 5 x 0.0049 = 0.0245 -> 0.0200",
            "Mexico user 1 x 0.0261 = 0.0261 -> 0.0300",
            "USD 0.2400, exact 0.2406, rounding -0.0006",
        ]
    );
}

#[test]
fn charges_of_one_market_are_one_line_whatever_their_template_and_tag() {
    let lines = [
        charges("Brazil", Initiator::Business, ["sale", "spring"], 5_000, 1),
        charges("Brazil", Initiator::Business, ["notice", ""], 5_000, 1),
    ];
    // Rounded one by one they would cost two hundredths.
    assert_eq!(
        shown(&invoice(&lines, Grouping::Market)),
        ["Brazil business 2 x 0.0050 = 0.0100 -> 0.0100", "USD 0.0100, exact 0.0100, rounding 0.0000"]
    );
    assert_eq!(
        shown(&invoice(&lines, Grouping::Tag)),
        [
            "[] Brazil business 1 x 0.0050 = 0.0050 -> 0.0100",
            "[spring] Brazil business 1 x 0.0050 = 0.0050 -> 0.0100",
            "USD 0.0200, exact 0.0100, rounding 0.0100",
        ]
    );
    let groups = |by| -> Vec<String> {
        let invoice = invoice(&lines, by);
        invoice.bills[0].lines.iter().filter_map(|line| Some(line.group.as_deref()?.to_owned())).collect()
    };
    assert_eq!(groups(Grouping::Template), ["notice", "sale"]);
    assert_eq!(groups(Grouping::Phone), ["300000000000011"]);
}

#[test]
fn another_rate_in_the_same_month_is_another_line() {
    let lines = [
        charges("Brazil", Initiator::User, ["", ""], 30_000, 2),
        charges("Brazil", Initiator::User, ["", ""], 31_000, 1),
    ];
    assert_eq!(
        shown(&invoice(&lines, Grouping::Market)),
        [
            "Brazil user 2 x 0.0300 = 0.0600 -> 0.0600",
            "Brazil user 1 x 0.0310 = 0.0310 -> 0.0300",
            "USD 0.0900, exact 0.0910, rounding -0.0010",
        ]
    );
}

#[test]
fn currencies_are_never_added_together() {
    let mut euros = charges("Germany", Initiator::User, ["", ""], 70_000, 1);
    let price = euros.key.price.as_mut().unwrap();
    price.currency = Currency::parse("EUR").unwrap();
    let lines = [euros, charges("Germany", Initiator::User, ["", ""], 80_000, 1)];
    assert_eq!(
        shown(&invoice(&lines, Grouping::Market)),
        [
            "Germany user 1 x 0.0700 = 0.0700 -> 0.0700",
            "EUR 0.0700, exact 0.0700, rounding 0.0000",
            "Germany user 1 x 0.0800 = 0.0800 -> 0.0800",
            "USD 0.0800, exact 0.0800, rounding 0.0000",
        ]
    );
}

#[test]
fn charges_without_a_rate_are_named_and_in_no_total() {
    let lines = [unpriced("Hungary", 2), charges("Brazil", Initiator::User, ["", ""], 30_000, 1)];
    let invoice = invoice(&lines, Grouping::Market);
    assert_eq!(shown(&invoice).last().unwrap(), "USD 0.0300, exact 0.0300, rounding 0.0000");
    let [line] = &invoice.unpriced[..] else { panic!("{:?}", invoice.unpriced) };
    assert_eq!((&*line.market, &*line.reason, line.quantity), ("Hungary", "no_rate", 2));
    assert_eq!(invoice.unpriced_quantity(), 2);
}

#[test]
fn open_conversations_and_quarantined_records_are_named() {
    let lines = [conversations(9, 1), charges("Brazil", Initiator::User, ["", ""], 30_000, 5)];
    let invoice = invoice_with(&lines, Grouping::Market, |sums| {
        sums.summary.open_conversations = 2;
        sums.quarantined.0[usize::from(QuarantineReason::Late.code()) - 1] = 3;
    })
    .unwrap();
    let counts = invoice.conversations;
    assert_eq!((counts.opened, counts.charged, counts.not_charged, counts.open), (8, 5, 3, 2));
    assert_eq!(invoice.quarantined, [(QuarantineReason::Late, 3)]);
}

#[test]
fn a_month_without_charges_owes_nothing_in_the_accounts_currency() {
    assert_eq!(
        shown(&invoice(&[conversations(1, 0)], Grouping::Market)),
        ["USD 0.0000, exact 0.0000, rounding 0.0000"]
    );
    // Charged and taken back again.
    let nothing = charges("Brazil", Initiator::User, ["", ""], 30_000, 0);
    assert_eq!(shown(&invoice(&[nothing], Grouping::Market)), ["USD 0.0000, exact 0.0000, rounding 0.0000"]);
}

#[test]
fn the_month_begins_at_midnight_of_the_accounts_zone() {
    let place = AccountPeriod::of("shop", FEBRUARY);
    let sums = LedgerSums {
        place: &place,
        lines: &[],
        summary: PeriodSummary::default(),
        quarantined: QuarantineCounts::default(),
        heads: &[],
    };
    let invoice = Invoice::from_rollups(&sums, &rules("EUR", "Europe/Berlin"), Grouping::Market).unwrap();
    assert_eq!(invoice.begins_at, UnixMillis(1_643_670_000_000));
    assert_eq!(invoice.ends_at, UnixMillis(1_646_089_200_000));
}

#[test]
fn sums_that_contradict_each_other_make_no_invoice() {
    let mut line = charges("Brazil", Initiator::User, ["", ""], 30_000, 2);
    line.totals.amount_micros += 1;
    let error = invoice_with(&[line], Grouping::Market, |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sums of account shop for 2022-02 contradict each other: 2 charges at 0.0300 are kept as 60001 \
         millionths; check the ledger with `tarifa verify`"
    );
}

#[test]
fn more_than_money_can_be_is_an_error_and_no_wrapped_total() {
    let huge = charges("Brazil", Initiator::User, ["", ""], i64::MAX / 2, 1);
    let lines = [huge.clone(), charges("India", Initiator::User, ["", ""], i64::MAX / 2, 1), huge];
    let error = invoice_with(&lines, Grouping::Market, |_| {}).unwrap_err();
    assert!(matches!(error, InvoiceError::TooLarge { .. }), "{error}");
}

#[test]
fn the_page_says_what_the_invoice_says_and_escapes_every_text() {
    let lines = [
        charges("Brazil", Initiator::Business, ["", "<b>\"sale\" & more</b>"], 50_000, 3),
        charges("India", Initiator::User, ["", ""], 4_900, 1),
        unpriced("Hungary", 2),
        conversations(9, 0),
    ];
    let invoice = invoice_with(&lines, Grouping::Tag, |sums| {
        sums.summary.open_conversations = 2;
        sums.quarantined.0[0] = 1;
    })
    .unwrap();
    let page = invoice.to_html(|at| format!("T{}", at.0));
    for text in [
        "&#60;b&#62;&#34;sale&#34; &#38; more&#60;/b&#62;",
        "<td class=\"n\">0.1500</td><td class=\"n\">0.15</td>",
        "<td>(none)</td><td>India</td>",
        "Conversations still open: 2.",
        "<dt>malformed</dt><dd>1</dd>",
        "no_rate",
        "excluding tax",
        "from T1643673600000, before T1646092800000",
        "up to entry 42, hash 0707",
    ] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(!page.contains("<b>"), "{page}");
}
