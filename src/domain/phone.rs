//! Telephone numbers: parsing of human notation and formatting for gateways.

use std::fmt;

use phonenumber::{Mode, country};
use unicode_normalization::UnicodeNormalization;

/// A valid telephone number. Personal data: `Debug` prints only the kind (invariant I7).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    e164: String,
    kind: PhoneKind,
    region: Option<country::Id>,
}

/// The kind of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhoneKind {
    /// Reachable by SMS and by voice.
    Mobile,
    /// Voice only.
    FixedLine,
}

impl PhoneKind {
    pub fn as_str(self) -> &'static str {
        match self {
            PhoneKind::Mobile => "mobile",
            PhoneKind::FixedLine => "fixed_line",
        }
    }
}

/// The reason for which a text is not a telephone number. The message says what to do and does not
/// repeat the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "phone.", serialize_all = "snake_case")]
pub enum PhoneError {
    #[error("no telephone number stands here; fill it in")]
    Empty,
    #[error(
        "the spreadsheet has cut digits off this number (shown like 1.38E+10); format the column \
            as text and enter it again"
    )]
    DigitsLost,
    #[error(
        "this is not a telephone number; correct it, with the area code for a fixed line and \
            +country code for a number abroad"
    )]
    NotANumber,
    #[error(
        "no such number exists in its region's numbering plan; ask the applicant for the right one"
    )]
    Invalid,
}

impl Phone {
    /// Parses a number in human notation: spaces, dashes, dots, brackets, `+86`/`0086`, full-width
    /// digits, a spreadsheet's `1.3800138E+10` or `13800138000.0`, a leading apostrophe, an
    /// extension (dropped). Without a `+` or `00` the number belongs to `default_region`.
    ///
    /// The `phonenumber` crate (Google's libphonenumber metadata) decides about validity.
    pub fn parse(raw: &str, default_region: country::Id) -> Result<Phone, PhoneError> {
        let cleaned = clean(raw);
        if cleaned.is_empty() {
            return Err(PhoneError::Empty);
        }
        let cleaned = undo_spreadsheet_notation(&cleaned)?;
        let without_extension = cut_extension(&cleaned);
        let digits = without_extension.chars().filter(char::is_ascii_digit).count();
        if digits < 5 || without_extension.chars().any(|c| c.is_alphabetic()) {
            return Err(PhoneError::NotANumber);
        }
        let dialled = match without_extension.strip_prefix("00") {
            Some(abroad) => format!("+{abroad}"),
            // «86 138 …» without a plus: a mainland mobile with its country code.
            None if default_region == country::CN
                && digits == 13
                && without_extension.starts_with("86") =>
            {
                format!("+{without_extension}")
            }
            None => without_extension.to_owned(),
        };
        let number = phonenumber::parse(Some(default_region), &dialled)
            .map_err(|_| PhoneError::NotANumber)?;
        if !phonenumber::is_valid(&number) {
            return Err(PhoneError::Invalid);
        }
        let kind = match number.number_type(&phonenumber::metadata::DATABASE) {
            phonenumber::Type::Mobile
            | phonenumber::Type::FixedLineOrMobile
            | phonenumber::Type::PersonalNumber => PhoneKind::Mobile,
            _ => PhoneKind::FixedLine,
        };
        Ok(Phone {
            e164: number.format().mode(Mode::E164).to_string(),
            kind,
            region: number.country().id(),
        })
    }

    /// Restores a number from storage, which contains only E.164 forms made by [`Phone::parse`].
    pub fn from_e164(e164: &str) -> Result<Phone, PhoneError> {
        if !e164.starts_with('+') {
            return Err(PhoneError::NotANumber);
        }
        // Validation is slow and was done when the number was imported: mainland mobiles, most of
        // all numbers, are recognised by their form.
        let is_mainland_mobile = |national: &str| {
            national.len() == 11
                && national.starts_with('1')
                && national.bytes().all(|b| b.is_ascii_digit())
        };
        if e164.strip_prefix("+86").is_some_and(is_mainland_mobile) {
            return Ok(Phone {
                e164: e164.to_owned(),
                kind: PhoneKind::Mobile,
                region: Some(country::CN),
            });
        }
        Phone::parse(e164, country::CN)
    }

    /// `+8613800138000`.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// Returns the number without country code, as most Chinese gateways expect it: `13800138000`.
    pub fn national(&self) -> String {
        if let Some(national) = self.e164.strip_prefix("+86") {
            return national.to_owned();
        }
        match phonenumber::parse(None, &self.e164) {
            Ok(number) => number.national().to_string(),
            Err(_) => self.e164.trim_start_matches('+').to_owned(),
        }
    }

    /// Returns the number as people of its country write it: `138 0013 8000`, `0571 8997 9209`; one
    /// abroad with its country code.
    pub fn displayed(&self) -> String {
        let mode = match self.e164.starts_with("+86") {
            true => Mode::National,
            false => Mode::International,
        };
        phonenumber::parse(None, &self.e164)
            .map_or_else(|_| self.e164.clone(), |number| number.format().mode(mode).to_string())
    }

    pub fn kind(&self) -> PhoneKind {
        self.kind
    }

    /// Returns the ISO 3166 code of the numbering plan, if it is unambiguous.
    pub fn region(&self) -> Option<&str> {
        self.region.as_ref().map(AsRef::as_ref)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({}, …)", self.kind.as_str())
    }
}

/// Converts full-width forms to ASCII and removes decoration.
fn clean(raw: &str) -> String {
    raw.nfkc()
        .filter_map(|c| match c {
            '\''
            | '‘'
            | '’'
            | '`'
            | '"'
            | '\u{200b}'
            | '\u{200c}'
            | '\u{200d}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'
            | '\u{feff}' => None,
            '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '－' | '_' | '~' | '/' => {
                Some('-')
            }
            c if c.is_whitespace() => Some(' '),
            c => Some(c),
        })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Converts `1.3800138E+10` and `13800138000.0` back to digits; a mantissa with fewer than eight
/// digits has lost some.
fn undo_spreadsheet_notation(cleaned: &str) -> Result<String, PhoneError> {
    if let Some((mantissa, exponent)) = cleaned.split_once(['e', 'E']) {
        let exponent: usize = match exponent.trim_start_matches('+').parse() {
            Ok(exponent) => exponent,
            Err(_) => return Ok(cleaned.to_owned()),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits =
            !whole.is_empty() && whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit());
        if !all_digits || exponent > 20 {
            return Ok(cleaned.to_owned());
        }
        if fraction.len() < 7 || fraction.len() > exponent {
            return Err(PhoneError::DigitsLost);
        }
        return Ok(format!("{whole}{fraction}{}", "0".repeat(exponent - fraction.len())));
    }
    match cleaned.rsplit_once('.') {
        Some((whole, fraction))
            if whole.len() >= 7
                && fraction.chars().all(|c| c == '0')
                && whole.chars().all(|c| c.is_ascii_digit()) =>
        {
            Ok(whole.to_owned())
        }
        _ => Ok(cleaned.to_owned()),
    }
}

/// Removes `转801`, `ext. 12`, `x12`, `#12`, `分机12` and a lone trailing `-801` after a fixed line.
fn cut_extension(cleaned: &str) -> &str {
    let lower = cleaned.to_ascii_lowercase();
    let marks = ["转", "分机", "extension", "ext", "x", "#", ";"];
    let cut = marks.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(cleaned.len());
    let number = cleaned[..cut].trim_end_matches([' ', '-', '.', ',', '(', ')']);
    // 021-12345678-801: a third group of one to four digits after an area code and a subscriber
    // number.
    let groups: Vec<&str> = number.split('-').collect();
    match groups.as_slice() {
        [area, subscriber, extension]
            if area.starts_with('0')
                && !area.starts_with("00")
                && subscriber.len() >= 7
                && extension.len() <= 4 =>
        {
            &number[..number.len() - extension.len() - 1]
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(raw: &str) -> Result<String, PhoneError> {
        Phone::parse(raw, country::CN).map(|p| p.e164().to_owned())
    }

    #[test]
    fn a_stored_number_is_the_one_that_was_judged() {
        for raw in
            ["13800138000", "010-62345678", "0571 8765 4321", "+4915112345678", "+85261234567"]
        {
            let judged = Phone::parse(raw, country::CN).unwrap();
            let stored = Phone::from_e164(judged.e164()).unwrap();
            let parsed = phonenumber::parse(None, judged.e164()).unwrap();
            assert_eq!(
                (stored.e164(), stored.kind(), stored.region()),
                (judged.e164(), judged.kind(), judged.region()),
                "{raw}"
            );
            assert_eq!(stored.national(), parsed.national().to_string(), "{raw}");
        }
        assert!(Phone::from_e164("13800138000").is_err() && Phone::from_e164("+86138").is_err());
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        for raw in [
            "13800138000",
            " 138 0013 8000 ",
            "138-0013-8000",
            "+86 138 0013 8000",
            "0086-13800138000",
            "8613800138000",
            "１３８００１３８０００",
            "1.3800138E+10",
            "1.3800138e10",
            "'13800138000",
            "13800138000.0",
            "(+86)13800138000",
            "138—0013—8000",
            "\u{202a}13800138000\u{202c}",
        ] {
            assert_eq!(e164(raw).as_deref(), Ok("+8613800138000"), "{raw}");
        }
    }

    #[test]
    fn fixed_lines_are_told_from_mobiles_and_lose_their_extension() {
        for raw in [
            "021-61234567",
            "021-61234567转801",
            "021 6123 4567 ext. 12",
            "021-61234567-801",
            "(021)61234567",
        ] {
            let phone = Phone::parse(raw, country::CN).unwrap_or_else(|e| panic!("{raw}: {e}"));
            assert_eq!(
                (phone.e164(), phone.kind()),
                ("+862161234567", PhoneKind::FixedLine),
                "{raw}"
            );
        }
        assert_eq!(Phone::parse("13800138000", country::CN).unwrap().kind(), PhoneKind::Mobile);
    }

    #[test]
    fn numbers_abroad_come_with_a_plus() {
        let phone = Phone::parse("+49 151 23456789", country::CN).unwrap();
        assert_eq!((phone.region(), phone.kind()), (Some("DE"), PhoneKind::Mobile));
        assert_eq!(phone.national(), "15123456789");
        // A fixed line without the zero of its area code cannot be dialled.
        for (raw, displayed) in [
            ("13800138000", "138 0013 8000"),
            ("0571-89979209", "0571 8997 9209"),
            ("010-65121234", "010 6512 1234"),
            ("+85261234567", "+852 6123 4567"),
        ] {
            assert_eq!(Phone::parse(raw, country::CN).unwrap().displayed(), displayed);
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        assert_eq!(e164("  "), Err(PhoneError::Empty));
        assert_eq!(e164("1.38E+10"), Err(PhoneError::DigitsLost));
        assert_eq!(e164("1380013800"), Err(PhoneError::Invalid));
        assert_eq!(e164("12345678901"), Err(PhoneError::Invalid));
        assert_eq!(e164("见备注"), Err(PhoneError::NotANumber));
        assert_eq!(e164("1234"), Err(PhoneError::NotANumber));
    }

    #[test]
    fn debug_prints_no_digit() {
        let phone = Phone::parse("13800138000", country::CN).unwrap();
        assert!(!format!("{phone:?}").chars().any(|c| c.is_ascii_digit()));
    }
}
