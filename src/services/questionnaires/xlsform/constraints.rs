//! Constraints: limits of numbers, days, texts and numbers of choices, and choices that exclude
//! all others.

use super::evaluate::{Known, Value, evaluate, is_day};
use super::expression::{Expression, Sign};

/// The limits of a number or a day that a constraint states.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Limits {
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub max_chars: Option<usize>,
    /// Whether a part of the constraint is not among these limits.
    pub has_more: bool,
}

/// Splits a condition into the parts that must all hold.
fn parts(constraint: &Expression) -> Vec<&Expression> {
    match constraint {
        Expression::And(all) => all.iter().flat_map(parts).collect(),
        one => vec![one],
    }
}

/// Reads the limits of a number (`smallest_step`: the distance of two neighbours), a day or a text.
pub fn read_limits(constraint: &Expression, smallest_step: f64) -> Limits {
    let mut limits = Limits::default();
    for part in parts(constraint) {
        if !limits.read(part, smallest_step) {
            limits.has_more = true;
        }
    }
    limits
}

impl Limits {
    /// Reads one part; `false` if it is not a limit.
    fn read(&mut self, part: &Expression, step: f64) -> bool {
        let Expression::Compare(sign, left, right) = part else { return false };
        let value = |side: &Expression| evaluate(side, &Known::NOTHING);
        let (sign, checked, value) = match (value(left), value(right)) {
            (None, Some(value)) => (*sign, left.as_ref(), value),
            (Some(value), None) => (sign.flipped(), right.as_ref(), value),
            _ => return false,
        };
        match checked {
            Expression::Current if is_day(&value.text()) => self.read_day(sign, &value.text()),
            Expression::Current => {
                let number = value.number();
                if !number.is_finite() || matches!(value, Value::Truth(_)) {
                    return false;
                }
                self.read_number(sign, number, step)
            }
            Expression::Call(function, of)
                if function == "string-length" && of.as_slice() == [Expression::Current] =>
            {
                let number = value.number();
                let longest = match sign {
                    Sign::AtMost => number,
                    Sign::Less => number.ceil() - 1.0,
                    _ => return false,
                };
                if !(0.0..=9e15).contains(&longest) {
                    return false;
                }
                let longest = longest.floor() as usize;
                self.max_chars = Some(self.max_chars.map_or(longest, |other| other.min(longest)));
                true
            }
            _ => false,
        }
    }

    fn read_number(&mut self, sign: Sign, number: f64, step: f64) -> bool {
        let raise = |limit: &mut Option<f64>, to: f64| {
            *limit = Some(limit.map_or(to, |other| other.max(to)));
        };
        let lower = |limit: &mut Option<f64>, to: f64| {
            *limit = Some(limit.map_or(to, |other| other.min(to)));
        };
        // The neighbour of a limit that is not itself allowed.
        let places = 1.0 / step;
        match sign {
            Sign::AtLeast => raise(&mut self.min, number),
            Sign::AtMost => lower(&mut self.max, number),
            Sign::Greater => {
                raise(&mut self.min, ((number * places + 1e-9).floor() + 1.0) / places)
            }
            Sign::Less => lower(&mut self.max, ((number * places - 1e-9).ceil() - 1.0) / places),
            Sign::Equal => {
                raise(&mut self.min, number);
                lower(&mut self.max, number);
            }
            Sign::NotEqual => return false,
        }
        true
    }

    fn read_day(&mut self, sign: Sign, day: &str) -> bool {
        let Ok(day) = day.parse::<chrono::NaiveDate>() else { return false };
        let (day, is_first) = match sign {
            Sign::AtLeast => (Some(day), true),
            Sign::AtMost => (Some(day), false),
            Sign::Greater => (day.succ_opt(), true),
            Sign::Less => (day.pred_opt(), false),
            _ => return false,
        };
        let Some(day) = day else { return false };
        let limit = if is_first { &mut self.first } else { &mut self.last };
        *limit = Some(day.to_string());
        true
    }
}

/// What a constraint on several choices means: how many, and which choices exclude all others.
#[derive(Debug, PartialEq, Eq)]
pub struct SeveralRule {
    pub min: usize,
    pub max: usize,
    pub exclusive: Vec<String>,
    /// Whether the constraint demands something else besides.
    pub has_more: bool,
}

/// Up to this number of choices, every selection is tried.
const MAX_CODES_FOR_ALL: usize = 10;
/// With more choices, none are tried.
const MAX_CODES: usize = 200;

/// Reads a constraint on several choices; `None` if it cannot be evaluated.
pub fn read_several(constraint: &Expression, codes: &[String]) -> Option<SeveralRule> {
    if codes.len() > MAX_CODES {
        return None;
    }
    let holds = |selection: &[&String]| {
        let answer = selection.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(" ");
        let known = Known { current: Some(&answer), ..Known::NOTHING };
        Some(evaluate(constraint, &known)?.is_true())
    };
    let exclusive = codes
        .iter()
        .filter(|code| {
            codes.len() > 1
                && holds(&[code]) == Some(true)
                && codes
                    .iter()
                    .filter(|other| other != code)
                    .all(|o| holds(&[code, o]) == Some(false))
        })
        .cloned()
        .collect::<Vec<_>>();
    // Where all pairs are refused, the limit is one.
    let exclusive = if exclusive.len() == codes.len() { Vec::new() } else { exclusive };
    let others: Vec<&String> = codes.iter().filter(|code| !exclusive.contains(code)).collect();
    holds(&others[..others.len().min(1)])?;
    let selections = selections(&others);
    let mut sizes: Vec<usize> = selections
        .iter()
        .filter(|selection| holds(selection) == Some(true))
        .map(Vec::len)
        .collect();
    sizes.sort_unstable();
    let (min, max) = (*sizes.first().unwrap_or(&1), *sizes.last().unwrap_or(&others.len()));
    let is_ours = |selection: &[&String]| {
        let has_exclusive = selection.iter().any(|code| exclusive.contains(code));
        if has_exclusive { selection.len() == 1 } else { (min..=max).contains(&selection.len()) }
    };
    let agrees = |selection: &[&String]| holds(selection) == Some(is_ours(selection));
    let with_exclusive = exclusive
        .iter()
        .flat_map(|code| others.iter().map(move |other| vec![code, *other]))
        .chain(exclusive.iter().map(|code| vec![code]));
    let has_more = selections.iter().any(|selection| !agrees(selection))
        || with_exclusive.into_iter().any(|selection| !agrees(&selection));
    let max = if max == others.len() { codes.len() } else { max };
    Some(SeveralRule { min, max, exclusive, has_more })
}

/// Returns selections to try: all of them, or those of up to two choices and one of each size.
fn selections<'c>(codes: &[&'c String]) -> Vec<Vec<&'c String>> {
    if codes.len() <= MAX_CODES_FOR_ALL {
        return (1u32..1 << codes.len())
            .map(|mask| {
                let chosen = codes.iter().enumerate().filter(|(place, _)| mask >> place & 1 == 1);
                chosen.map(|(_, code)| *code).collect()
            })
            .collect();
    }
    let alone = codes.iter().map(|code| vec![*code]);
    let pairs = codes
        .iter()
        .enumerate()
        .flat_map(|(place, one)| codes[place + 1..].iter().map(move |other| vec![*one, *other]));
    let sizes = (3..=codes.len()).map(|size| codes[..size].to_vec());
    alone.chain(pairs).chain(sizes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::expression::parse;
    use super::*;

    #[test]
    fn limits_are_read_from_either_side() {
        let limits = |text: &str, step| {
            let limits = read_limits(&parse(text).unwrap(), step);
            (limits.min, limits.max, limits.has_more)
        };
        for (text, step, expected) in [
            (". >= 18 and . <= 99", 1.0, (Some(18.0), Some(99.0), false)),
            ("18 <= . and 99 >= .", 1.0, (Some(18.0), Some(99.0), false)),
            (". > 0", 1.0, (Some(1.0), None, false)),
            (". < 10", 1.0, (None, Some(9.0), false)),
            (". > 10.51 and . < 18.39", 0.01, (Some(10.52), Some(18.38), false)),
            (". >= 1 and . != 3", 1.0, (Some(1.0), None, true)),
            (". <= ${a}", 1.0, (None, None, true)),
            (". = 1 or . = 3", 1.0, (None, None, true)),
            ("(. >= 2) and ((. <= 4))", 1.0, (Some(2.0), Some(4.0), false)),
        ] {
            assert_eq!(limits(text, step), expected, "{text}");
        }
        let days =
            read_limits(&parse(". >= date('2026-01-01') and . < '2027-01-01'").unwrap(), 1.0);
        assert_eq!(days.first.as_deref(), Some("2026-01-01"));
        assert_eq!(days.last.as_deref(), Some("2026-12-31"));
        assert!(read_limits(&parse(". <= today()").unwrap(), 1.0).has_more);
        assert_eq!(read_limits(&parse("string-length(.) < 11").unwrap(), 1.0).max_chars, Some(10));
    }

    #[test]
    fn rules_on_several_choices_are_found() {
        let codes = ["a", "b", "c", "none"].map(str::to_owned);
        let rule = |text: &str| {
            read_several(&parse(text).unwrap(), &codes)
                .map(|r| (r.min, r.max, r.exclusive.concat(), r.has_more))
        };
        for (text, expected) in [
            ("count-selected(.) <= 2", (1, 2, "", false)),
            ("count-selected(.) = 2", (2, 2, "", false)),
            ("count-selected(.) >= 2 and count-selected(.) <= 3", (2, 3, "", false)),
            ("not(selected(., 'none') and count-selected(.) > 1)", (1, 4, "none", false)),
            ("not(selected(., 'none')) or count-selected(.) = 1", (1, 4, "none", false)),
            (
                "if(selected(., 'none'), count-selected(.) = 1, count-selected(.) <= 2)",
                (1, 2, "none", false),
            ),
            ("not(selected(., 'a') and selected(., 'b'))", (1, 3, "", true)),
        ] {
            let expected = (expected.0, expected.1, expected.2.to_owned(), expected.3);
            assert_eq!(rule(text), Some(expected), "{text}");
        }
        assert_eq!(rule("count-selected(.) <= ${n}"), None);
    }
}
