//! Telephone numbers as people write them into a cell: several, with words around them.

use phonenumber::country;

use crate::domain::phone::{Phone, PhoneError, PhoneKind};

/// The most of a cell that is looked at; the rest is no number.
const MAX_CHARS: usize = 300;
/// The most groups of digits in a cell that are tried.
const MAX_GROUPS: usize = 24;
/// Groups that may belong to one number, as in `+86 138 0013 8000`.
const MAX_JOINED: usize = 5;
/// A shorter run of digits is a count, a floor or a room.
const LEAST_DIGITS: usize = 7;

/// The numbers of a cell, in their order.
#[derive(Debug, Default)]
pub struct CellNumbers {
    pub phones: Vec<Phone>,
    /// Whether they had to be taken out of other words.
    pub is_extracted: bool,
    /// What is wrong with the first part that is none, if there is no number at all.
    pub problem: Option<PhoneError>,
}

/// Reads the numbers of a cell.
pub fn read_cell(cell: &str, region: country::Id) -> CellNumbers {
    let mut numbers = CellNumbers::default();
    let cell: String = cell.trim().chars().take(MAX_CHARS).collect();
    if cell.is_empty() {
        return numbers;
    }
    match Phone::parse(&cell, region) {
        Ok(phone) => numbers.add(phone),
        Err(error) => {
            numbers.problem = Some(error);
            // One that has lost digits is not to be guessed.
            if error != PhoneError::DigitsLost {
                split(&cell).into_iter().for_each(|part| numbers.read_part(part, region));
            }
        }
    }
    if !numbers.phones.is_empty() {
        numbers.problem = None;
    }
    numbers
}

/// The place of the number to use among those of a row: the first mobile, else the first.
pub fn preferred(phones: &[Phone]) -> Option<usize> {
    let mobile = phones.iter().position(|phone| phone.kind() == PhoneKind::Mobile);
    mobile.or((!phones.is_empty()).then_some(0))
}

impl CellNumbers {
    fn add(&mut self, phone: Phone) {
        if !self.phones.contains(&phone) {
            self.phones.push(phone);
        }
    }

    fn read_part(&mut self, part: &str, region: country::Id) {
        if let Ok(phone) = Phone::parse(part, region) {
            self.add(phone);
            return;
        }
        let is_word = |c: char| !is_of_number(c);
        for run in part.split(is_word) {
            let run = run.trim_matches(|c: char| !c.is_numeric() && !matches!(c, '+' | '＋'));
            if run.chars().filter(|c| c.is_numeric()).count() < LEAST_DIGITS {
                continue;
            }
            if let Ok(phone) = Phone::parse(run, region) {
                self.is_extracted |= run.len() < part.trim().len();
                self.add(phone);
                continue;
            }
            // Several numbers with blanks between them, each perhaps with blanks in it.
            let groups: Vec<&str> = run.split_whitespace().take(MAX_GROUPS).collect();
            let mut from = 0;
            while from < groups.len() {
                let until = (from + MAX_JOINED).min(groups.len());
                let found = (from + 1..=until).find_map(|end| {
                    let joined = groups[from..end].join(" ");
                    let digits = joined.chars().filter(|c| c.is_numeric()).count();
                    if digits < LEAST_DIGITS {
                        return None;
                    }
                    // A longer one that is a number as well is the whole number.
                    let longer = groups.get(end).map(|next| format!("{joined} {next}"));
                    let is_part =
                        longer.is_some_and(|longer| Phone::parse(&longer, region).is_ok());
                    Phone::parse(&joined, region)
                        .ok()
                        .filter(|_| !is_part)
                        .map(|phone| (end, phone))
                });
                from = match found {
                    Some((end, phone)) => {
                        self.add(phone);
                        end
                    }
                    None => from + 1,
                };
            }
        }
    }
}

/// Whether a character can stand in a number.
fn is_of_number(c: char) -> bool {
    c.is_ascii_digit()
        || ('０'..='９').contains(&c)
        || c.is_whitespace()
        || matches!(
            c,
            '+' | '＋' | '-' | '－' | '‐' | '–' | '—' | '.' | '(' | ')' | '（' | '）' | '\''
        )
}

/// Splits a cell at what stands between two numbers.
fn split(cell: &str) -> Vec<&str> {
    let parts: Vec<&str> = cell
        .split(['/', '、', ',', '，', ';', '；', '|', '｜', '\\', '或', '\n', '\r'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    // «010/65121234» is one number.
    let is_long = |part: &&str| part.chars().filter(|c| c.is_numeric()).count() >= LEAST_DIGITS;
    if parts.iter().filter(|part| is_long(part)).count() > 1 { parts } else { vec![cell] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(cell: &str) -> (Vec<String>, bool) {
        let read = read_cell(cell, country::CN);
        (read.phones.iter().map(|phone| phone.e164().to_owned()).collect(), read.is_extracted)
    }

    #[test]
    fn numbers_are_found_among_separators_and_words() {
        let (one, two) = ("+8613800138000".to_owned(), "+8613900139000".to_owned());
        let both = || vec![one.clone(), two.clone()];
        for (cell, expected, is_extracted) in [
            ("13800138000", vec![one.clone()], false),
            ("138 0013 8000", vec![one.clone()], false),
            ("13800138000/13900139000", both(), false),
            ("13800138000、13900139000", both(), false),
            ("13800138000 13900139000", both(), false),
            ("138 0013 8000 139 0013 9000", both(), false),
            ("13800138000\n13900139000", both(), false),
            ("13800138000或13900139000", both(), false),
            ("李总13800138000", vec![one.clone()], true),
            ("13800138000（妻子）", vec![one.clone()], true),
            ("李总：１３８００１３８０００", vec![one.clone()], true),
            ("手机13800138000，家里13900139000", both(), true),
            ("张13800138000 李13900139000", both(), true),
            ("13800138000/13800138000", vec![one.clone()], false),
            ("021-61234567转801", vec!["+862161234567".into()], false),
            ("010/65121234", vec!["+861065121234".into()], false),
            ("3号楼 13800138000", vec![one.clone()], true),
        ] {
            assert_eq!(numbers(cell), (expected, is_extracted), "{cell}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for (cell, problem) in [
            ("", None),
            ("无", Some(PhoneError::NotANumber)),
            ("1380013800", Some(PhoneError::Invalid)),
            ("1.38E+10", Some(PhoneError::DigitsLost)),
            ("身份证110101199001011234", Some(PhoneError::NotANumber)),
        ] {
            let read = read_cell(cell, country::CN);
            assert_eq!((read.phones.len(), read.problem), (0, problem), "{cell}");
        }
        // A long cell costs no more than a short one.
        let long = "1 ".repeat(100_000);
        assert!(read_cell(&long, country::CN).phones.is_empty());
    }
}
