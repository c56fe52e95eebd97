//! Who talks to whom: the account, business phone and user of each thread, all from the thread's number.
//!
//! Does not know what they say. Invariant: no two threads have the same user, and nothing is kept per thread.

use super::{plan::TrafficPlan, short_text::ShortText};
use crate::random::scatter;

/// An account's or business phone's id: 15 digits.
pub(super) type BusinessId = ShortText<15>;
/// A user's number: E.164 digits without `+`.
pub(super) type UserNumber = ShortText<15>;

/// A country whose users write: calling code, ten beginnings of mobile numbers, digits in all, share in per cent.
struct Country(&'static str, [&'static str; 10], usize, u64);

const COUNTRIES: [Country; 16] = [
    Country("55", ["119", "219", "319", "419", "519", "619", "719", "819", "859", "929"], 13, 24),
    Country("91", ["98", "97", "99", "93", "94", "95", "88", "87", "70", "63"], 12, 20),
    Country("62", ["811", "812", "813", "821", "822", "852", "853", "856", "877", "896"], 12, 10),
    Country("52", ["55", "33", "81", "222", "442", "449", "477", "614", "664", "998"], 12, 8),
    Country("1", ["212", "305", "310", "312", "404", "415", "512", "617", "702", "713"], 11, 6),
    Country("49", ["151", "152", "157", "160", "162", "163", "170", "171", "175", "176"], 13, 5),
    Country("44", ["71", "72", "73", "74", "75", "76", "77", "78", "79", "70"], 12, 5),
    Country("27", ["60", "61", "62", "71", "72", "73", "76", "82", "83", "84"], 11, 4),
    Country("34", ["60", "61", "62", "63", "64", "65", "66", "67", "68", "69"], 11, 3),
    Country("39", ["320", "327", "328", "330", "333", "338", "340", "347", "348", "349"], 12, 3),
    Country("234", ["701", "703", "803", "805", "806", "807", "810", "813", "816", "903"], 13, 3),
    Country("90", ["530", "532", "533", "535", "542", "544", "551", "552", "555", "505"], 12, 2),
    Country("54", ["911", "9221", "9223", "9261", "9264", "9291", "9341", "9351", "9381", "9387"], 13, 2),
    Country("57", ["300", "301", "304", "310", "311", "312", "313", "315", "318", "320"], 12, 2),
    Country("971", ["50", "51", "52", "53", "54", "55", "56", "57", "58", "59"], 12, 2),
    Country("31", ["61", "62", "63", "64", "65", "66", "67", "68", "69", "60"], 11, 1),
];

/// The people of one plan.
#[derive(Debug, Clone)]
pub(super) struct People {
    seed: u64,
    accounts: Vec<BusinessId>,
    phones: Vec<BusinessId>,
}

impl People {
    pub(super) fn of(plan: &TrafficPlan) -> Self {
        let ids = |count: u32, first: u64| {
            (0..u64::from(count)).map(|number| business_id(plan.seed, number, first)).collect()
        };
        Self { seed: plan.seed, accounts: ids(plan.accounts, 102), phones: ids(plan.phones, 106) }
    }

    /// Account and business phone of a thread.
    pub(super) fn business(&self, thread: u32) -> (BusinessId, BusinessId) {
        let place = |list: &[BusinessId], number: usize| list[number % list.len()];
        let phone = usize::try_from(thread).unwrap_or(0) % self.phones.len();
        (place(&self.accounts, phone), place(&self.phones, phone))
    }

    /// The user of a thread.
    pub(super) fn user(&self, thread: u32) -> UserNumber {
        let chance = scatter(self.seed.rotate_left(17) ^ (u64::from(thread) << 8) ^ 0x75);
        let mut left = chance % 100;
        let mut country = &COUNTRIES[0];
        for candidate in &COUNTRIES {
            country = candidate;
            if left < candidate.3 {
                break;
            }
            left -= candidate.3;
        }
        let Country(code, beginnings, length, _) = country;
        // One-to-one among eight digits, as the factor has none in common with ten: no number comes twice.
        let eight = (u64::from(thread) * 73_939_133 + self.seed % 100_000_000) % 100_000_000;
        let (beginning, seven) = (eight / 10_000_000, eight % 10_000_000);
        let mut number = UserNumber::EMPTY;
        number.push_str(code);
        let beginning = beginnings[usize::try_from(beginning).unwrap_or(0)];
        number.push_str(beginning);
        let between = length.saturating_sub(code.len() + beginning.len() + 7);
        number.push_digits_if(chance >> 32, between);
        number.push_digits(seven, 7);
        number
    }
}

impl UserNumber {
    fn push_digits_if(&mut self, number: u64, digits: usize) {
        if digits > 0 {
            self.push_digits(number, u32::try_from(digits).unwrap_or(1));
        }
    }
}

/// Three digits that tell the sort of id, then twelve that differ for every number.
fn business_id(seed: u64, number: u64, first: u64) -> BusinessId {
    let mut id = BusinessId::EMPTY;
    id.push_digits(first, 3);
    id.push_digits(
        (scatter(seed ^ first) % 1_000_000_000 + number * 290_129_340_401) % 1_000_000_000_000,
        12,
    );
    id
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn shares_of_the_countries_add_up() {
        assert_eq!(COUNTRIES.iter().map(|country| country.3).sum::<u64>(), 100);
    }

    #[test]
    fn every_thread_has_a_user_of_its_own_and_the_numbers_look_like_numbers() {
        let people = People::of(&TrafficPlan::default());
        let users: Vec<UserNumber> = (0..100_000).map(|thread| people.user(thread)).collect();
        let different: BTreeSet<&str> = users.iter().map(ShortText::as_str).collect();
        assert_eq!(different.len(), users.len());
        assert!(different.iter().all(|user| (11..=13).contains(&user.len())));
        for Country(code, beginnings, length, share) in &COUNTRIES {
            let here = different.iter().filter(|user| {
                user.len() == *length
                    && beginnings.iter().any(|beginning| user.starts_with(&format!("{code}{beginning}")))
            });
            let per_mille = here.count() / 100;
            let wanted = usize::try_from(*share).unwrap() * 10;
            assert!(per_mille.abs_diff(wanted) <= 3, "{code}: {per_mille} per mille, wanted {wanted}");
        }
    }

    #[test]
    fn accounts_and_phones_have_fifteen_digits_and_a_phone_one_account() {
        let plan = TrafficPlan { accounts: 30, phones: 100, ..TrafficPlan::default() };
        let people = People::of(&plan);
        let pairs: BTreeSet<(String, String)> = (0..10_000)
            .map(|thread| people.business(thread))
            .map(|(account, phone)| (account.as_str().to_owned(), phone.as_str().to_owned()))
            .collect();
        assert_eq!(pairs.len(), 100);
        assert_eq!(pairs.iter().map(|(account, _)| account).collect::<BTreeSet<_>>().len(), 30);
        assert_eq!(pairs.iter().map(|(_, phone)| phone).collect::<BTreeSet<_>>().len(), 100);
        for (account, phone) in &pairs {
            assert_eq!((account.len(), phone.len()), (15, 15));
        }
    }
}
