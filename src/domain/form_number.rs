//! Numbers of paper forms: nine random digits and a check digit. A number identifies a form, and
//! authorises nothing.

use std::fmt;

/// The digits before the check digit.
const DIGITS: usize = 9;
/// Numbers begin with another digit than 0, which a spreadsheet program would drop.
const FIRST: u32 = 100_000_000;
const COUNT: u32 = 900_000_000;

/// The totally anti-symmetric quasigroup of order ten of H. Michael Damm's dissertation
/// («Total anti-symmetrische Quasigruppen», Marburg 2004). Its check digit finds every single wrong
/// digit and every two neighbours that were exchanged.
const QUASIGROUP: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The number of a paper form, with its check digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormNumber(String);

/// Why a text is no form number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormNumberProblem {
    /// Not ten digits.
    Length,
    /// A digit is wrong, or two are exchanged.
    CheckDigit,
}

impl FormNumber {
    /// Makes the number from random bits.
    pub fn from_random(random: u32) -> FormNumber {
        let digits = (FIRST + random % COUNT).to_string();
        let check = check_digit(digits.bytes());
        FormNumber(format!("{digits}{check}"))
    }

    /// Parses a number as people key it: with blanks or hyphens between groups, and also in full
    /// width.
    pub fn parse(raw: &str) -> Result<FormNumber, FormNumberProblem> {
        let is_separator = |c: &char| c.is_whitespace() || ['-', '－', '–', '·'].contains(c);
        let digits: Option<String> = raw
            .chars()
            .filter(|c| !is_separator(c))
            .map(|c| match c {
                '0'..='9' => Some(c),
                '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
                _ => None,
            })
            .collect();
        match digits {
            Some(digits) if digits.len() == DIGITS + 1 => {
                if check_digit(digits.bytes()) == 0 {
                    Ok(FormNumber(digits))
                } else {
                    Err(FormNumberProblem::CheckDigit)
                }
            }
            _ => Err(FormNumberProblem::Length),
        }
    }

    /// Returns the ten digits, as stored and as in the QR code.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// Returns the digit that makes the check of all digits 0; of digits with their check digit, 0.
fn check_digit(digits: impl Iterator<Item = u8>) -> u8 {
    digits.fold(0, |interim, digit| {
        let column = usize::from(digit.wrapping_sub(b'0')).min(9);
        QUASIGROUP[usize::from(interim)][column]
    })
}

/// In groups, as printed: `1234 567 890`.
impl fmt::Display for FormNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, rest) = self.0.split_at(4);
        let (second, third) = rest.split_at(3);
        write!(f, "{first} {second} {third}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_digit_is_the_one_of_the_published_example() {
        assert_eq!(check_digit("572".bytes()), 4);
        assert_eq!(check_digit("5724".bytes()), 0);
    }

    #[test]
    fn a_number_is_read_as_people_key_it() {
        let number = FormNumber::from_random(234_567_890);
        assert_eq!(number.digits().len(), 10);
        assert_eq!(number.to_string().len(), 12);
        let wide: String = number
            .digits()
            .chars()
            .map(|c| char::from_u32(u32::from(c) - u32::from('0') + u32::from('０')).unwrap())
            .collect();
        for raw in [
            number.to_string(),
            number.digits().to_owned(),
            format!(" {} ", number.to_string().replace(' ', "-")),
            wide,
        ] {
            assert_eq!(FormNumber::parse(&raw), Ok(number.clone()), "{raw}");
        }
        for raw in ["", "123", "12345678901", "1234x67890"] {
            assert_eq!(FormNumber::parse(raw), Err(FormNumberProblem::Length), "{raw}");
        }
    }

    proptest! {
        /// One wrong digit, and two neighbours exchanged, are always found.
        #[test]
        fn a_mistyped_number_is_never_another_one(
            random: u32,
            place in 0..10usize,
            wrong in b'0'..=b'9',
        ) {
            let number = FormNumber::from_random(random);
            prop_assert_eq!(FormNumber::parse(number.digits()), Ok(number.clone()));
            let digits = number.digits().as_bytes().to_vec();
            let read = |digits: &[u8]| FormNumber::parse(&String::from_utf8_lossy(digits));
            let mut mistyped = digits.clone();
            mistyped[place] = wrong;
            if mistyped != digits {
                prop_assert_eq!(read(&mistyped), Err(FormNumberProblem::CheckDigit));
            }
            let mut exchanged = digits.clone();
            exchanged.swap(place, (place + 1).min(9));
            if exchanged != digits {
                prop_assert_eq!(read(&exchanged), Err(FormNumberProblem::CheckDigit));
            }
        }
    }
}
