//! What is set for an account, and the file that lists the accounts.
//!
//! Knows no tariff.
//! Invariant: an account stands once; what its table leaves out is as for accounts that are not listed.

use model::Currency;

use crate::{
    currency::known_currency,
    document::{Section, parse},
    finding::{Finding, Findings, Source},
    zone::Zone,
};

/// What is set for an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountSettings {
    /// It is billed in this currency.
    pub currency: Currency,
    /// IANA name of the zone in which its months and dates begin.
    pub zone: String,
    /// Flags conversations that the business opens with a user who had not opted in.
    pub tracks_consent: bool,
}

/// The accounts file: settings for accounts that are not listed, and for those that are.
///
/// ```toml
/// [defaults]
/// currency = "USD"
///
/// [accounts.acme-brasil]
/// zone = "America/Sao_Paulo"
/// tracks_consent = true
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsFile {
    /// For accounts that are not listed.
    pub defaults: AccountSettings,
    /// By account id, sorted.
    pub accounts: Vec<(String, AccountSettings)>,
}

const KEYS: [&str; 3] = ["currency", "zone", "tracks_consent"];

/// Longest id of an account, in bytes.
pub(crate) const ACCOUNT_ID_LEN_MAX: usize = 128;

impl AccountsFile {
    /// Reads the file; `file` is the name that findings show, `base` holds where it says nothing.
    ///
    /// # Errors
    /// Text that is no TOML, unknown keys, currencies and zones, values of a wrong type, ids longer than 128 bytes.
    pub fn parse(file: &str, text: &str, base: &AccountSettings) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let source = Source { file, text };
        let read = parse(source, &mut findings).map(|table| {
            let root = Section::root(source, &table);
            root.only(&["defaults", "accounts"], &mut findings);
            read_accounts(root, base, &zone_in_database, &mut findings)
        });
        match read {
            Some(read) if findings.is_empty() => Ok(read),
            Some(_) | None => Err(Findings::sorted(findings)),
        }
    }
}

/// Says what to write in place of a zone's name, if there is no such zone.
pub(crate) type ZoneAdvice<'a> = &'a dyn Fn(&str) -> Option<String>;

fn zone_in_database(name: &str) -> Option<String> {
    let unknown = Zone::check_name(name).err()?;
    Some(match unknown.nearest {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write an IANA name such as America/Sao_Paulo or UTC".to_owned(),
    })
}

/// The tables `defaults` and `accounts` of a document.
pub(crate) fn read_accounts(
    root: Section<'_>,
    base: &AccountSettings,
    zone_advice: ZoneAdvice<'_>,
    findings: &mut Vec<Finding>,
) -> AccountsFile {
    let defaults = match root.table("defaults", findings) {
        Some(section) => read_settings(section, base, zone_advice, findings),
        None => base.clone(),
    };
    let mut accounts = Vec::new();
    if let Some(section) = root.table("accounts", findings) {
        for account in section.keys() {
            if account.value.is_empty() || account.value.len() > ACCOUNT_ID_LEN_MAX {
                let problem = format!("an account id of {} bytes", account.value.len());
                findings.push(root.source().finding_at(account.at, problem, "ids have 1 to 128 bytes"));
            }
            if let Some(settings) = section.table(account.value, findings) {
                let settings = read_settings(settings, &defaults, zone_advice, findings);
                accounts.push((account.value.to_owned(), settings));
            }
        }
    }
    accounts.sort_by(|a, b| a.0.cmp(&b.0));
    AccountsFile { defaults, accounts }
}

fn read_settings(
    section: Section<'_>,
    base: &AccountSettings,
    zone_advice: ZoneAdvice<'_>,
    findings: &mut Vec<Finding>,
) -> AccountSettings {
    section.only(&KEYS, findings);
    let mut settings = base.clone();
    if let Some(code) = section.text("currency", findings) {
        match known_currency(code.value) {
            Ok(currency) => settings.currency = currency,
            Err(advice) => {
                let problem = format!("unknown currency `{}`", code.value);
                findings.push(section.source().finding_at(code.at, problem, advice));
            }
        }
    }
    if let Some(zone) = section.text("zone", findings) {
        if let Some(advice) = zone_advice(zone.value) {
            let problem = format!("unknown time zone `{}`", zone.value);
            findings.push(section.source().finding_at(zone.at, problem, advice));
        }
        zone.value.clone_into(&mut settings.zone);
    }
    if let Some(flag) = section.flag("tracks_consent", findings) {
        settings.tracks_consent = flag;
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> AccountSettings {
        AccountSettings {
            currency: Currency::parse("USD").unwrap(),
            zone: "UTC".to_owned(),
            tracks_consent: false,
        }
    }

    fn complaints(text: &str) -> Vec<String> {
        let findings = AccountsFile::parse("accounts.toml", text, &base()).unwrap_err();
        findings.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_an_account_leaves_out_is_as_for_accounts_that_are_not_listed() {
        let text = "[defaults]\ncurrency = 'EUR'\n[accounts.b]\ntracks_consent = true\n\
                    [accounts.'a 1']\nzone = 'Asia/Kolkata'\ncurrency = 'INR'\n";
        let file = AccountsFile::parse("accounts.toml", text, &base()).unwrap();
        let shown = |settings: &AccountSettings| {
            format!("{} {} {}", settings.currency, settings.zone, settings.tracks_consent)
        };
        assert_eq!(shown(&file.defaults), "EUR UTC false");
        let accounts: Vec<_> =
            file.accounts.iter().map(|(id, one)| format!("{id}: {}", shown(one))).collect();
        assert_eq!(accounts, ["a 1: INR Asia/Kolkata false", "b: EUR UTC true"]);
        let empty = AccountsFile::parse("accounts.toml", "", &base()).unwrap();
        assert_eq!((empty.defaults, empty.accounts), (base(), Vec::new()));
    }

    #[test]
    fn what_is_misspelt_is_named_with_its_place_and_the_nearest_known_word() {
        let text = "[default]\n[accounts.a]\ncurency = 'EUR'\ncurrency = 'ERU'\nzone = 'America/Sao_Paolo'\n\
                    tracks_consent = 'yes'\n";
        assert_eq!(
            complaints(text),
            [
                "accounts.toml:1:2: unknown key `default`; did you mean `defaults`?",
                "accounts.toml:3:1: unknown key `curency`; did you mean `currency`?",
                "accounts.toml:4:12: unknown currency `ERU`; \
                 write an ISO 4217 code in capital letters; did you mean EUR?",
                "accounts.toml:5:8: unknown time zone `America/Sao_Paolo`; did you mean `America/Sao_Paulo`?",
                "accounts.toml:6:18: `tracks_consent` is of type string; write true or false",
            ]
        );
    }

    #[test]
    fn an_account_that_stands_twice_or_has_no_usable_id_is_refused() {
        assert!(complaints("[accounts.a]\n[accounts.a]\n")[0].starts_with("accounts.toml:2:"));
        assert!(complaints("[accounts.'']\n")[0].contains("an account id of 0 bytes"));
        assert!(complaints(&format!("[accounts.{}]\n", "x".repeat(129)))[0].contains("129 bytes"));
        assert!(complaints("accounts = 3\n")[0].contains("write a table"));
        assert!(complaints("[accounts]\na = 'EUR'\n")[0].contains("`a` is of type string; write a table"));
    }
}
