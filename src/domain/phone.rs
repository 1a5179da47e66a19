//! Telephone numbers: parsing of human notation and formatting for gateways.

use std::borrow::Cow;
use std::fmt;

use phonenumber::{Mode, country};
use unicode_normalization::UnicodeNormalization;

/// A valid telephone number. Personal data: `Debug` prints only the kind (invariant I7).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    e164: String,
    /// The digits that are dialled after the number is answered; whoever has one is reached by voice
    /// only.
    extension: Option<String>,
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
    /// extension (kept). Without a `+` or `00` the number belongs to `default_region`; in the mainland,
    /// one that begins with the code of Hong Kong, Macau or Taiwan (852, 853, 886) and has its length
    /// belongs there, since no area of the mainland has these codes.
    ///
    /// The `phonenumber` crate (Google's libphonenumber metadata) decides about validity.
    pub fn parse(raw: &str, default_region: country::Id) -> Result<Phone, PhoneError> {
        let cleaned = clean(raw);
        if cleaned.is_empty() {
            return Err(PhoneError::Empty);
        }
        let cleaned = undo_spreadsheet_notation(&cleaned)?;
        let (without_extension, extension) = cut_extension(&cleaned);
        let digits = without_extension.chars().filter(char::is_ascii_digit).count();
        // The parser of numbers would drop what stands after a semicolon.
        let is_foreign = |c: char| c.is_alphabetic() || c == ';';
        if digits < 5 || without_extension.chars().any(is_foreign) {
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
            None if default_region == country::CN => {
                beside_mainland(without_extension).unwrap_or_else(|| without_extension.to_owned())
            }
            None => without_extension.to_owned(),
        };
        let number = phonenumber::parse(Some(default_region), &dialled)
            .map_err(|_| PhoneError::NotANumber)?;
        if !phonenumber::is_valid(&number) {
            return Err(PhoneError::Invalid);
        }
        let kind = match number.number_type(&phonenumber::metadata::DATABASE) {
            // A mobile with an extension is a relay of a delivery service: messages end there.
            _ if extension.is_some() => PhoneKind::FixedLine,
            phonenumber::Type::Mobile
            | phonenumber::Type::FixedLineOrMobile
            | phonenumber::Type::PersonalNumber => PhoneKind::Mobile,
            _ => PhoneKind::FixedLine,
        };
        Ok(Phone {
            e164: number.format().mode(Mode::E164).to_string(),
            extension,
            kind,
            region: number.country().id(),
        })
    }

    /// Restores a number from storage, which contains only forms made by [`Phone::stored`].
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
                extension: None,
                kind: PhoneKind::Mobile,
                region: Some(country::CN),
            });
        }
        Phone::parse(e164, country::CN)
    }

    /// `+8613800138000`; without the extension.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// The form for storage and comparison: E.164, with the extension as in RFC 3966
    /// (`+862088881234;ext=801`). Two people behind one switchboard differ by it.
    pub fn stored(&self) -> Cow<'_, str> {
        match &self.extension {
            None => Cow::Borrowed(&self.e164),
            Some(extension) => Cow::Owned(format!("{};ext={extension}", self.e164)),
        }
    }

    /// The extension behind a switchboard.
    pub fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
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
    /// abroad with its country code. The extension follows (`020 8888 1234 转 801`).
    pub fn displayed(&self) -> String {
        let mode = match self.e164.starts_with("+86") {
            true => Mode::National,
            false => Mode::International,
        };
        let shown = phonenumber::parse(None, &self.e164)
            .map_or_else(|_| self.e164.clone(), |number| number.format().mode(mode).to_string());
        match &self.extension {
            None => shown,
            Some(extension) => format!("{shown} 转 {extension}"),
        }
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

/// Returns a number with the country code of Hong Kong, Macau or Taiwan, written without a plus, in
/// full; `None`: it is none. Their numbers have eight digits, those of Taiwan eight or nine, or ten
/// with a zero before.
fn beside_mainland(number: &str) -> Option<String> {
    if !number.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')' | '.')) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    // The areas that had 0852 and 0853 have 0851 today; written with eight digits it is the code of a
    // country after all.
    let bare = match digits.strip_prefix('0') {
        Some(rest) if rest.starts_with("852") || rest.starts_with("853") => rest,
        Some(_) => return None,
        None => &digits,
    };
    let (code, own) = bare.split_at_checked(3)?;
    let is_it = match code {
        "852" | "853" => own.len() == 8,
        "886" => matches!(own.len(), 8 | 9) || own.len() == 10 && own.starts_with('0'),
        _ => false,
    };
    let own = if code == "886" { own.trim_start_matches('0') } else { own };
    is_it.then(|| format!("+{code}{own}"))
}

/// The most digits of an extension.
const MAX_EXTENSION: usize = 6;

/// Parts a number from its extension: `转801`, `ext. 12`, `x12`, `#12`, `分机12`, `;ext=12`, `*12` and a
/// lone trailing `-801` after a fixed line.
fn cut_extension(cleaned: &str) -> (&str, Option<String>) {
    const MARKS: [&str; 10] =
        ["转", "轉", "分机", "分機", "内线", "extension", "ext", "x", "#", ";ext"];
    let lower = cleaned.to_ascii_lowercase();
    let digits_of = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    // A star hides digits («138****8000»), unless a whole number stands before it.
    let star = lower.find('*').filter(|at| digits_of(&lower[..*at]) >= 10);
    let cut = MARKS.iter().filter_map(|mark| lower.find(mark)).chain(star).min();
    let cut = cut.unwrap_or(cleaned.len());
    // «转李总 13900139000» is another number.
    if digits_of(&cleaned[cut..]) > MAX_EXTENSION {
        return (cleaned, None);
    }
    let number = cleaned[..cut].trim_end_matches([' ', '-', '.', ',', '(', ')']);
    let marked: String = cleaned[cut..]
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    if !marked.is_empty() {
        return (number, Some(marked));
    }
    // 021-12345678-801: one to five digits after an area code and a subscriber number.
    if let Some((before, extension)) = number.rsplit_once(['-', ' ']) {
        let digits: String = before.chars().filter(char::is_ascii_digit).collect();
        let is_line = (digits.starts_with('0') && !digits.starts_with("00"))
            && (10..=12).contains(&digits.len())
            || (digits.starts_with("400") || digits.starts_with("800")) && digits.len() == 10
            || before.starts_with("+86") && (11..=13).contains(&digits.len());
        let is_extension =
            (1..=5).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_digit());
        let is_fixed = |phone: Phone| phone.kind() == PhoneKind::FixedLine;
        if is_line && is_extension && Phone::parse(before, country::CN).is_ok_and(is_fixed) {
            return (before, Some(extension.to_owned()));
        }
    }
    (number, None)
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
    fn fixed_lines_are_told_from_mobiles_and_keep_their_extension() {
        for (raw, extension) in [
            ("021-61234567", None),
            ("021-61234567转801", Some("801")),
            ("021-61234567轉 801", Some("801")),
            ("021-61234567（转801）", Some("801")),
            ("021-61234567*801", Some("801")),
            ("021 6123 4567 ext. 12", Some("12")),
            ("021-61234567-801", Some("801")),
            ("(021)61234567-801", Some("801")),
            ("+86-21-61234567-801", Some("801")),
            ("021 61234567 801", Some("801")),
            ("021-6123-4567-801", Some("801")),
            ("(021)61234567", None),
            ("021-6123-4567", None),
        ] {
            let phone = Phone::parse(raw, country::CN).unwrap_or_else(|e| panic!("{raw}: {e}"));
            assert_eq!(
                (phone.e164(), phone.kind(), phone.extension()),
                ("+862161234567", PhoneKind::FixedLine, extension),
                "{raw}"
            );
            let stored = Phone::from_e164(&phone.stored()).unwrap();
            assert!(stored == phone, "{raw}");
        }
        let phone = Phone::parse("021-61234567-801", country::CN).unwrap();
        assert_eq!(phone.stored(), "+862161234567;ext=801");
        assert_eq!(phone.displayed(), "021 6123 4567 转 801");
        // Two numbers are no number with an extension.
        for raw in ["13800138000;020-88881234", "13800138000转李总13900139000"] {
            assert_eq!(e164(raw), Err(PhoneError::NotANumber), "{raw}");
        }
        // A relay of a delivery service.
        let relay = Phone::parse("13800138000转1234", country::CN).unwrap();
        assert_eq!((relay.kind(), relay.extension()), (PhoneKind::FixedLine, Some("1234")));
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
            ("400-811-1234", "400 811 1234"),
            ("4008111234转2", "400 811 1234 转 2"),
            ("800-820-1234", "800 820 1234"),
            ("0757-8630 0100-8012", "0757 8630 0100 转 8012"),
            ("0310-3012345", "0310 301 2345"),
            ("13800138000", "138 0013 8000"),
        ] {
            let phone = Phone::parse(raw, country::CN);
            assert_eq!(phone.map(|phone| phone.displayed()).as_deref(), Ok(displayed), "{raw}");
        }
    }

    #[test]
    fn numbers_of_hong_kong_macau_and_taiwan_need_no_plus() {
        for (raw, expected) in [
            ("(852)62345678", "+85262345678"),
            ("852-62345678", "+85262345678"),
            ("852 6234 5678", "+85262345678"),
            ("85262345678", "+85262345678"),
            ("0852-62345678", "+85262345678"),
            ("00852 62345678", "+85262345678"),
            ("（８５２）６２３４５６７８", "+85262345678"),
            ("852-2345 6789", "+85223456789"),
            ("853 66123456", "+85366123456"),
            ("(886)912345678", "+886912345678"),
            ("886-0912-345-678", "+886912345678"),
            ("886 2 2345 6789", "+886223456789"),
        ] {
            assert_eq!(e164(raw).as_deref(), Ok(expected), "{raw}");
        }
        // Of the length of such a number, and none.
        assert_eq!(e164("852-12345678"), Err(PhoneError::Invalid));
        // Those of the mainland stay there: Guiyang, a mobile, Hangzhou.
        for raw in ["0851-85851234", "13800138000", "0571-88861234"] {
            assert!(e164(raw).unwrap().starts_with("+86"), "{raw}");
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
