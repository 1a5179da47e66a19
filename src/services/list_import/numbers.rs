//! Telephone numbers as people write them into a cell: several, with words around them.

use phonenumber::country;
use unicode_normalization::UnicodeNormalization;

use super::header_words::region_of;
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
    /// Whether digits stand beside them that are no number.
    pub has_unread: bool,
    /// What is wrong with the first part that is none, if there is no number at all.
    pub problem: Option<PhoneError>,
}

/// Reads the numbers of a cell.
pub fn read_cell(cell: &str, region: country::Id) -> CellNumbers {
    read_cell_of(cell, region, None)
}

/// Reads the numbers of a cell in a column or on a list of another region (`of`), unless the cell
/// names one itself («香港 6234 5678»).
pub fn read_cell_of(cell: &str, region: country::Id, of: Option<country::Id>) -> CellNumbers {
    let mut numbers = CellNumbers::default();
    let cell: String = cell.trim().chars().take(MAX_CHARS).collect();
    if cell.is_empty() {
        return numbers;
    }
    let has_words = cell.chars().any(char::is_alphabetic);
    let of = if has_words { region_of(&cell).or(of) } else { of };
    let regions = Regions { home: region, of };
    if let Some(rest) = numbers.read_one_line(&cell, regions) {
        rest.into_iter().for_each(|part| numbers.read_part(part, regions));
    } else {
        match regions.parse(&cell) {
            Ok(phone) => numbers.add(phone),
            Err(error) => {
                numbers.problem = Some(error);
                // One that has lost digits is not to be guessed.
                if error != PhoneError::DigitsLost {
                    let parts = split(&cell);
                    // «13800138000/13»: what the second is nobody can tell.
                    let is_rest = |part: &&str| part.chars().all(is_of_number);
                    numbers.has_unread = parts.len() == 1
                        && cell
                            .split(SEPARATORS)
                            .skip(1)
                            .any(|part| part.chars().any(char::is_numeric) && is_rest(&part));
                    parts.into_iter().for_each(|part| numbers.read_part(part, regions));
                }
            }
        }
    }
    if numbers.phones.is_empty() {
        numbers.has_unread = false;
    } else {
        numbers.problem = None;
    }
    numbers
}

/// Where a number may be from.
#[derive(Clone, Copy)]
struct Regions {
    home: country::Id,
    of: Option<country::Id>,
}

impl Regions {
    /// Parses a number: a mobile of the home region, or one of the region that is named, or one of
    /// home.
    fn parse(self, text: &str) -> Result<Phone, PhoneError> {
        let at_home = Phone::parse(text, self.home);
        let Some(of) = self.of else { return at_home };
        match &at_home {
            Ok(phone) if phone.kind() == PhoneKind::Mobile => at_home,
            _ => Phone::parse(text, of).or(at_home),
        }
    }
}

/// What stands between the numbers of a cell.
const SEPARATORS: [char; 14] =
    ['/', '、', ',', '，', ';', '；', '|', '｜', '\\', '或', '\n', '\r', '／', '和'];

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

    /// Reads a fixed line with others after it that are cut short: «020-88881236/8»,
    /// «020-88881240、88881241», «020-88881244转12、13». Returns the parts that are none of these; `None`:
    /// the cell holds something else.
    fn read_one_line<'a>(&mut self, cell: &'a str, regions: Regions) -> Option<Vec<&'a str>> {
        if regions.home != country::CN {
            return None;
        }
        let mut parts = cell.split(SEPARATORS).flat_map(|part| part.split(['~', '～', '至']));
        let mut parts = parts.by_ref().map(str::trim).filter(|part| !part.is_empty()).peekable();
        let first = parts.next()?;
        parts.peek()?;
        let phone = Phone::parse(first, country::CN).ok()?;
        let folded: String = first.nfkc().collect();
        let area_and_line = phone.e164().strip_prefix("+86").filter(|_| {
            phone.kind() == PhoneKind::FixedLine && folded.trim_start_matches('(').starts_with('0')
        })?;
        // Areas have two digits without their zero if they begin with 1 or 2, else three.
        let area = if area_and_line.starts_with(['1', '2']) { 2 } else { 3 };
        let (area, mut line) =
            area_and_line.split_at_checked(area).map(|(a, l)| (a, l.to_owned()))?;
        let mut extension = phone.extension().map(str::to_owned);
        let mut others = Vec::new();
        self.add(phone.clone());
        for part in parts {
            let folded: String = part.nfkc().filter(|c| !matches!(c, ' ' | '(' | ')')).collect();
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let (number, own) = match folded.split_once(['转', '轉', '-', '#']) {
                Some((number, own)) if digits(own) && number.len() >= 7 => {
                    (number.to_owned(), Some(own.to_owned()))
                }
                _ => (folded.trim_start_matches(['转', '轉', '-', '#']).to_owned(), None),
            };
            let with = |line: &str, extension: Option<&String>| {
                let extension = extension.map(|own| format!(";ext={own}")).unwrap_or_default();
                Phone::parse(&format!("0{area}{line}{extension}"), country::CN).ok()
            };
            let read = match number.len() {
                _ if !digits(&number) => None,
                7 | 8 if !number.starts_with('0') => {
                    extension = own;
                    line.clone_from(&number);
                    with(&line, extension.as_ref())
                }
                1..=4 => {
                    let (head, tail) = line.split_at(line.len().saturating_sub(number.len()));
                    // «…236/8» and «…1236/1238» are lines, «…1234/801» is an extension.
                    let is_line = number.len() <= 2 || tail.bytes().next() == number.bytes().next();
                    match &extension {
                        None if is_line && folded == number => {
                            with(&format!("{head}{number}"), None)
                        }
                        _ => with(&line, Some(&number)),
                    }
                }
                _ => None,
            };
            match read {
                Some(phone) => self.add(phone),
                None if number.len() < LEAST_DIGITS && digits(&number) => self.has_unread = true,
                None => others.push(part),
            }
        }
        Some(others)
    }

    fn read_part(&mut self, part: &str, region: Regions) {
        if let Ok(phone) = region.parse(part) {
            self.add(phone);
            return;
        }
        let is_word = |c: char| !is_of_number(c);
        for run in part.split(is_word) {
            let run = run.trim_matches(|c: char| !c.is_numeric() && !matches!(c, '+' | '＋'));
            if run.chars().filter(|c| c.is_numeric()).count() < LEAST_DIGITS {
                continue;
            }
            if let Ok(phone) = region.parse(run) {
                self.is_extracted |= run.len() < part.trim().len();
                self.add(phone);
                continue;
            }
            // Several numbers with blanks between them, each perhaps with blanks in it.
            let groups: Vec<&str> = run.split_whitespace().take(MAX_GROUPS).collect();
            let (mut from, mut unread) = (0, 0);
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
                    let is_part = longer.is_some_and(|longer| region.parse(&longer).is_ok());
                    region.parse(&joined).ok().filter(|_| !is_part).map(|phone| (end, phone))
                });
                from = match found {
                    Some((end, phone)) => {
                        self.add(phone);
                        end
                    }
                    None => {
                        unread += groups[from].chars().filter(|c| c.is_numeric()).count();
                        from + 1
                    }
                };
            }
            self.has_unread |= unread >= LEAST_DIGITS;
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
    let parts: Vec<&str> =
        cell.split(SEPARATORS).map(str::trim).filter(|part| !part.is_empty()).collect();
    // «010/65121234» is one number.
    let is_long = |part: &&str| part.chars().filter(|c| c.is_numeric()).count() >= LEAST_DIGITS;
    if parts.iter().filter(|part| is_long(part)).count() > 1 { parts } else { vec![cell] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(cell: &str) -> (Vec<String>, bool) {
        let read = read_cell(cell, country::CN);
        (read.phones.iter().map(|phone| phone.stored().into_owned()).collect(), read.is_extracted)
    }

    #[test]
    fn numbers_are_found_among_separators_and_words() {
        let (one, two) = ("+8613800138000".to_owned(), "+8613900139000".to_owned());
        let both = || vec![one.clone(), two.clone()];
        let lines = |lines: &[&str]| lines.iter().map(|line| format!("+8620{line}")).collect();
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
            ("021-61234567转801", vec!["+862161234567;ext=801".into()], false),
            ("020-88881236/8", lines(&["88881236", "88881238"]), false),
            ("020-88881236、38", lines(&["88881236", "88881238"]), false),
            ("020-88881236/1238", lines(&["88881236", "88881238"]), false),
            ("(020)88881236~8", lines(&["88881236", "88881238"]), false),
            ("020-88881240，88881241", lines(&["88881240", "88881241"]), false),
            ("020-88881250\n88881251", lines(&["88881250", "88881251"]), false),
            ("020-88881244转12、13", lines(&["88881244;ext=12", "88881244;ext=13"]), false),
            ("020-88881244-801/802", lines(&["88881244;ext=801", "88881244;ext=802"]), false),
            ("020-88881234/801", lines(&["88881234", "88881234;ext=801"]), false),
            ("13800138000；020-88881236", vec![one.clone(), "+862088881236".into()], false),
            ("13800138000转李总13900139000", both(), true),
            ("020-88881236、13800138000", vec!["+862088881236".into(), one.clone()], false),
            ("香港 6234 5678", vec!["+85262345678".into()], true),
            (
                "852 62345678 / 853 66123456",
                vec!["+85262345678".into(), "+85366123456".into()],
                false,
            ),
            ("010/65121234", vec!["+861065121234".into()], false),
            ("3号楼 13800138000", vec![one.clone()], true),
        ] {
            assert_eq!(numbers(cell), (expected, is_extracted), "{cell}");
        }
    }

    #[test]
    fn digits_that_are_no_number_beside_one_are_told() {
        for (cell, has_unread) in [
            ("13800138000/1390013900", true),
            ("13800138000/13", true),
            ("020-88881236/888812369", true),
            ("13800138000（3号楼）", false),
            ("13800138000/13900139000", false),
            ("1380013800", false),
        ] {
            assert_eq!(read_cell(cell, country::CN).has_unread, has_unread, "{cell}");
        }
    }

    #[test]
    fn a_column_of_another_region_has_its_numbers() {
        let of = |cell: &str, region| {
            let read = read_cell_of(cell, country::CN, Some(region));
            read.phones.first().map(|phone| phone.e164().to_owned()).unwrap_or_default()
        };
        assert_eq!(of("62345678", country::HK), "+85262345678");
        assert_eq!(of("0912345678", country::TW), "+886912345678");
        assert_eq!(of("6612 3456", country::MO), "+85366123456");
        assert_eq!(of("13800138000", country::HK), "+8613800138000");
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
