//! Sums by account and period, where most of what is added is of an account that was met lately.
//!
//! Knows nothing of what is summed. Invariant: each account and period has one sum, whatever the order of the calls.

use std::collections::BTreeMap;

use ledger::rollup::AccountPeriod;
use model::{Period, Text};

/// A power of two: accounts and months that alternate find their sum with one comparison.
const RECENT: usize = 64;

/// Sums by account and period.
#[derive(Debug)]
pub(crate) struct Places<T> {
    numbers: BTreeMap<AccountPeriod, usize>,
    sums: Vec<T>,
    /// By what accounts and months differ in most: one met lately, with its number.
    recent: Vec<Option<(AccountPeriod, usize)>>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), sums: Vec::new(), recent: vec![None; RECENT] }
    }
}

impl<T: Default> Places<T> {
    /// The sum of an account and period, which begins as nothing.
    pub(crate) fn at(&mut self, account: &Text, period: Period) -> &mut T {
        let recent = &mut self.recent[slot_of(account, period)];
        let number = match recent {
            Some((place, number)) if place.period == period && place.account == *account => *number,
            Some(_) | None => {
                let place = AccountPeriod { account: account.clone(), period };
                let next = self.sums.len();
                let number = *self.numbers.entry(place.clone()).or_insert(next);
                if number == next {
                    self.sums.push(T::default());
                }
                *recent = Some((place, number));
                number
            }
        };
        &mut self.sums[number]
    }

    /// The sum of an account and period, if something was added to it.
    pub(crate) fn get(&self, place: &AccountPeriod) -> Option<&T> {
        self.numbers.get(place).map(|number| &self.sums[*number])
    }

    /// All sums by account and period.
    pub(crate) fn into_sums(self) -> BTreeMap<AccountPeriod, T> {
        let mut sums: Vec<Option<T>> = self.sums.into_iter().map(Some).collect();
        let taken =
            self.numbers.into_iter().filter_map(|(place, number)| Some((place, sums[number].take()?)));
        taken.collect()
    }
}

/// Names of accounts are numbers that differ at their ends.
fn slot_of(account: &str, period: Period) -> usize {
    let end = account.as_bytes().iter().rev().take(4);
    let mixed = end.fold(usize::from(period.month), |mixed, byte| mixed * 31 + usize::from(*byte));
    mixed % RECENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_and_period_has_one_sum_in_any_order() {
        let mut places = Places::<usize>::default();
        for round in 1..=3 {
            // More accounts than are found with one comparison, so that they drive each other out.
            for account in 0..500 {
                let name = Text::from(format!("10229012{account}"));
                for month in 1..=2 {
                    *places.at(&name, Period { year: 2022, month }) += account * usize::from(month);
                    assert_eq!(
                        places.sums.len(),
                        if round > 1 { 1_000 } else { 2 * account + usize::from(month) }
                    );
                }
            }
        }
        let place = |account, month| AccountPeriod::of(account, Period { year: 2022, month });
        assert_eq!(places.get(&place("1022901217", 2)), Some(&(3 * 2 * 17)));
        assert_eq!(places.get(&place("1022901217", 3)), None);
        let sums = places.into_sums();
        assert_eq!(sums.len(), 1_000);
        assert_eq!(sums[&place("10229012499", 1)], 3 * 499);
    }
}
