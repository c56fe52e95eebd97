//! From what a verification has looked at to what it says: one check after the other.
//!
//! Knows nothing of threads. Invariant: a check that cannot be told is never reported as one that holds.

use std::collections::BTreeMap;

use ledger::{LedgerError, rollup::AccountPeriod, store::Store};
use model::{Currency, Disposition, Offset, QuarantineReason, Quarantined, Sequence};

use crate::{
    EMBEDDED_PARTITION,
    agreement::FirstDifference,
    books::{PeriodSums, StateReader},
    error::PipelineError,
    installation::Installation,
    verify::{Check, Outcome, Together},
};

type Sums = BTreeMap<AccountPeriod, PeriodSums>;

/// All checks, and the sums of the state.
///
/// # Errors
/// Store or state fail where they were readable before.
pub(crate) fn of<S: Store>(
    installation: &Installation<S>,
    together: Together,
) -> Result<(Vec<Check>, Sums), PipelineError> {
    let Together { head, chain, standings, quarantined, state, reached, log } = together;
    let reader = installation.ledger.reader();
    let mut checks = Vec::new();
    let mut check = |name, of: String, outcome| checks.push(Check { name, of, outcome });

    let pinned = reader.secret_fingerprint()?;
    let given = installation.secret.fingerprint();
    check(
        "secret",
        format!("fingerprint {}", &given.to_string()[..16]),
        differs_unless(pinned == Some(given), || "the ledger was made with another secret".to_owned()),
    );

    check(
        "log",
        format!("{} records", head.next_offset.0),
        match &log {
            Err(error) => Outcome::Differs(error.to_string()),
            Ok(extent) => differs_unless(extent.next == head.next_offset, || {
                format!("the log ends at record {}, the ledger at {}", extent.next.0, head.next_offset.0)
            }),
        },
    );

    check(
        "chain",
        format!("{} entries", head.sequence.0),
        match &chain {
            Err(error) => Outcome::Differs(error.to_string()),
            Ok(_) => Outcome::Holds,
        },
    );
    let chain_holds = chain.is_ok();

    let counted = &head.dispositions;
    let accounted = head.accounts_for_every_offset() && installation.projector.counts() == counted;
    check(
        "dispositions",
        format!("{} records", counted.total()),
        differs_unless(accounted, || {
            format!(
                "offsets {} to {} hold {} records by disposition and {} empty offsets; the state has counted {}",
                head.first_offset.unwrap_or_default().0,
                head.next_offset.0,
                counted.total(),
                head.empty_offsets,
                installation.projector.counts().total()
            )
        }),
    );

    let outcome = if chain_holds {
        finding(quarantine(installation, &quarantined, &counted.by_disposition)?)
    } else {
        Outcome::NotTold
    };
    check("quarantine", format!("{} records", quarantined.len()), outcome);

    let rollups = match chain {
        Err(_) => Outcome::NotTold,
        Ok(chain) => match reader.compare_rollups(EMBEDDED_PARTITION, chain) {
            Ok(None) => Outcome::Holds,
            Ok(Some(differences)) => Outcome::Differs(format!(
                "{} rows of sums are not those of the entries; set the folder `ledger` aside, it is made again",
                differences.rows
            )),
            Err(error @ LedgerError::Damaged { .. }) => Outcome::Differs(error.to_string()),
            Err(error) => return Err(error.into()),
        },
    };
    let rollups_hold = rollups == Outcome::Holds;
    let places = reader.accounts_and_periods()?.len();
    check("rollups", format!("{places} accounts and periods"), rollups);

    let (outcome, sums) = match state {
        Err(error) => (Outcome::Differs(format!("the stored state cannot be read: {error}")), Sums::new()),
        Ok(sums) if reached != (head.next_offset, head.sequence) => (
            Outcome::Differs(format!(
                "the stored state has come to record {} and entry {}, the ledger to {} and {}",
                reached.0.0, reached.1.0, head.next_offset.0, head.sequence.0
            )),
            sums,
        ),
        Ok(sums) if !rollups_hold => (Outcome::NotTold, sums),
        Ok(sums) => {
            let different = compare_state(installation, &sums, |place| standings.of(place))?;
            (finding(different), sums)
        }
    };
    let conversations: u64 = sums.values().map(|sums| sums.conversations).sum();
    check("state", format!("{conversations} conversations"), outcome);
    Ok((checks, sums))
}

/// Entries of quarantined records against the counts, and against the originals that are kept.
fn quarantine<S: Store>(
    installation: &Installation<S>,
    entries: &[(Offset, Quarantined)],
    counts: &[u64; Disposition::WORDS.len()],
) -> Result<Option<String>, PipelineError> {
    for reason in QuarantineReason::ALL {
        let booked = entries.iter().filter(|(_, record)| record.reason == *reason).count() as u64;
        let counted = Disposition::WORDS.iter().position(|word| *word == reason.as_str());
        let counted = counted.map_or(0, |index| counts[index]);
        if booked != counted {
            return Ok(Some(format!(
                "{counted} records were counted as {}, {booked} entries say so",
                reason.as_str()
            )));
        }
    }
    let originals = installation.quarantine.list()?;
    let kept: BTreeMap<Offset, _> = originals.iter().map(|original| (original.offset, original)).collect();
    for (offset, record) in entries {
        let at = offset.0;
        let Some(original) = kept.get(offset) else {
            return Ok(Some(format!("the original of record {at} is not in the folder `quarantine`")));
        };
        let hash = original.bytes.as_ref().map_or(original.original, |bytes| ledger::Quarantine::hash(bytes));
        if (hash, original.reason) != (record.original, record.reason) {
            return Ok(Some(format!(
                "the original of record {at} is not the one that the ledger has the hash of"
            )));
        }
    }
    Ok(None)
}

/// The state against the ledger, whose sums have been compared with its entries before.
fn compare_state<S: Store>(
    installation: &Installation<S>,
    sums: &Sums,
    standing: impl Fn(&AccountPeriod) -> crate::agreement::Standing,
) -> Result<Option<String>, PipelineError> {
    let reader = installation.ledger.reader();
    let mut places = reader.accounts_and_periods()?;
    let known: Vec<AccountPeriod> = places.iter().map(|(place, _)| place.clone()).collect();
    places.extend(
        sums.keys().filter(|place| !known.contains(place)).map(|place| (place.clone(), <_>::default())),
    );
    let nothing = PeriodSums::default();
    for (place, summary) in &places {
        let held = sums.get(place).unwrap_or(&nothing);
        let mut charges = 0;
        let mut amounts: BTreeMap<Currency, i128> = BTreeMap::new();
        for line in reader.rollup_lines(place)? {
            if let Some(price) = &line.key.price {
                charges += line.totals.charges;
                *amounts.entry(price.currency).or_default() += line.totals.amount_micros;
            }
        }
        // A currency in which everything was taken back has no line of its own in the state.
        let nonzero = |amounts: &BTreeMap<Currency, i128>| -> Vec<_> {
            amounts.iter().filter(|(_, sum)| **sum != 0).map(|(currency, sum)| (*currency, *sum)).collect()
        };
        let same = i64::try_from(held.charges) == Ok(charges)
            && i64::try_from(held.open) == Ok(summary.open_conversations)
            && i64::try_from(held.unpriced) == Ok(summary.unpriced)
            && nonzero(&held.amounts) == nonzero(&amounts)
            && held.standing == standing(place);
        if !same {
            let first = first_difference(installation, place)?;
            return Ok(Some(format!(
                "account {}, period {}: the state has {} charges and {} open conversations, the ledger {charges} and \
                 {}; {}",
                place.account,
                place.period,
                held.charges,
                held.open,
                summary.open_conversations,
                first.unwrap_or_else(|| "no single conversation differs".to_owned())
            )));
        }
    }
    Ok(None)
}

/// Walks the entries and the state of one account and period. Slower than comparing sums, so done only when those
/// differ.
fn first_difference<S: Store>(
    installation: &Installation<S>,
    place: &AccountPeriod,
) -> Result<Option<String>, PipelineError> {
    let mut first = FirstDifference::new(place.clone());
    for entry in installation.ledger.reader().entries(EMBEDDED_PARTITION, Sequence(1))? {
        first.entry(&entry?);
    }
    StateReader::new(installation)?.each(&mut |net| first.net(net))?;
    Ok(first.in_words())
}

fn differs_unless(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Outcome::Holds } else { Outcome::Differs(what()) }
}

fn finding(found: Option<String>) -> Outcome {
    found.map_or(Outcome::Holds, Outcome::Differs)
}
