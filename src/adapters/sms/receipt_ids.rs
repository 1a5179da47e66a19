//! A gateway's id of a message, as its receipts spell it. SMPP 3.4 leaves open whether the number of
//! an answer in hexadecimal comes back in decimal, with zeros in front, or in capitals.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Lengths to which SMSCs fill ids with zeros.
const WIDTHS: [usize; 5] = [8, 10, 16, 19, 20];

/// Shorter numbers are a decimal and another hexadecimal number too often.
const SHORTEST_NUMBER: usize = 2;

/// How an id may be spelled elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spellings {
    /// The same digits: in capitals or not, with or without zeros in front.
    same: BTreeSet<String>,
    /// The same number in the other base.
    converted: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Way {
    Same,
    Converted,
}

/// How a gateway's receipts spell ids, learnt from the first id that fits in one way only.
#[derive(Debug, Default)]
pub struct ReceiptIds {
    learnt: OnceLock<Way>,
}

impl ReceiptIds {
    /// Returns what has been learnt, as a word to be stored.
    pub fn learnt(&self) -> Option<&'static str> {
        self.learnt.get().map(Into::into)
    }

    /// Takes over what was learnt and stored before.
    pub fn remember(&self, learnt: Option<&str>) {
        if let Some(way) = learnt.and_then(|word| word.parse().ok()) {
            let _ = self.learnt.set(way);
        }
    }

    /// Returns every spelling under which the message of this id may be known.
    pub fn spellings(&self, id: &str) -> Vec<String> {
        let Spellings { same, converted } = Spellings::of(id);
        same.into_iter().chain(converted).collect()
    }

    /// Chooses the id that is meant among those that are `known`. Returns `None` if it may be
    /// several: a receipt for the wrong message is worse than none.
    pub fn choose(&self, id: &str, known: &[String]) -> Option<String> {
        let spellings = Spellings::of(id);
        let among = |set: &BTreeSet<String>| -> Vec<String> {
            known.iter().filter(|known| set.contains(*known)).cloned().collect()
        };
        let (same, converted) = (among(&spellings.same), among(&spellings.converted));
        let way = match (same.is_empty(), converted.is_empty()) {
            (true, true) => return Some(id.to_owned()),
            (false, true) => Way::Same,
            (true, false) => Way::Converted,
            (false, false) => *self.learnt.get()?,
        };
        // The first that fits in one way only stays.
        let _ = self.learnt.set(way);
        let fitting = if way == Way::Same { same } else { converted };
        match &fitting[..] {
            [only] => Some(only.clone()),
            _ => fitting.into_iter().find(|known| known == id),
        }
    }
}

impl Spellings {
    /// Every spelling of an id. The relation is symmetric: what spells the id is spelled by it.
    fn of(id: &str) -> Spellings {
        let same = with_zeros(id);
        let mut converted = BTreeSet::new();
        let digits = id.trim_start_matches('0');
        if digits.len() >= SHORTEST_NUMBER {
            if let (true, Ok(number)) = (is_all(digits, 10), digits.parse::<u64>()) {
                converted.extend(with_zeros(&format!("{number:x}")));
            }
            if let (true, Ok(number)) = (is_all(digits, 16), u64::from_str_radix(digits, 16)) {
                converted.extend(with_zeros(&number.to_string()));
            }
        }
        converted.retain(|spelling| !same.contains(spelling));
        Spellings { same, converted }
    }
}

fn is_all(digits: &str, base: u32) -> bool {
    digits.chars().all(|digit| digit.is_digit(base))
}

/// An id in capitals and not; a number with no zeros in front, or with as many as are usual.
fn with_zeros(id: &str) -> BTreeSet<String> {
    let mut forms = vec![id.to_owned()];
    let bare = id.trim_start_matches('0');
    if is_all(id, 16) && !bare.is_empty() {
        forms.push(bare.to_owned());
        forms.extend(WIDTHS.iter().filter(|w| **w > bare.len()).map(|w| format!("{bare:0>w$}")));
    }
    let cases = |form: &String| [form.clone(), form.to_lowercase(), form.to_uppercase()];
    forms.iter().flat_map(cases).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of public reports: jookies/jasmin#1034, #1129, #916, #535; kneodev/ksmppd#56, #153;
    /// opentelecoms-org/jsmpp#178, #232.
    #[test]
    fn ids_of_answers_and_their_receipts() {
        for (answer, receipt, is_same) in [
            ("39f99dd5", "0972660181", false),
            ("39F99DD5", "972660181", false),
            ("972660181", "39F99DD5", false),
            ("00B8BE19", "B8BE19", true),
            ("B8BE19", "00b8be19", true),
            ("1101C1-C9D03D-F000", "1101c1-c9d03d-f000", true),
            ("05ac1908-7b62-4cab-8266-87b59aa9111d", "05AC1908-7B62-4CAB-8266-87B59AA9111D", true),
            ("812FC7470000001B", "9308878062554710043", false),
            ("m1", "m1", true),
        ] {
            for (one, other) in [(answer, receipt), (receipt, answer)] {
                let spellings = Spellings::of(one);
                let found = if is_same { &spellings.same } else { &spellings.converted };
                assert!(found.contains(other), "{one} {other}: {spellings:?}");
            }
        }
    }

    /// Two messages are known as `10` and `16`: `16` may be either, until another receipt shows how
    /// this SMSC counts.
    #[test]
    fn an_id_that_may_be_two_is_none() {
        let known = ["10".to_owned(), "16".to_owned()];
        for (first, of, expected) in [("255", "ff", "10"), ("m7", "m7", "16")] {
            let ids = ReceiptIds::default();
            assert_eq!(ids.choose("16", &known), None);
            assert_eq!(ids.choose(first, &[of.to_owned()]).as_deref(), Some(of));
            assert_eq!(ids.choose("16", &known).as_deref(), Some(expected));
            // What fits in the other way only is still found.
            assert_eq!(ids.choose("16", &known[..1]).as_deref(), Some("10"));
        }
        let ids = ReceiptIds::default();
        assert_eq!(ids.choose("ab", &["AB".into(), "ab".into()]).as_deref(), Some("ab"));
        assert_eq!(ids.choose("Ab", &["AB".into(), "ab".into()]), None);
        assert_eq!(ids.choose("7", &[]).as_deref(), Some("7"), "it may come before its answer");
    }

    #[test]
    fn what_is_no_number_is_never_converted() {
        for id in ["m1", "", "0", "05ac1908-7b62", "99999999999999999999999999", "\u{ff11}"] {
            assert_eq!(Spellings::of(id).converted, BTreeSet::new(), "{id}");
            assert!(Spellings::of(id).same.contains(id));
        }
    }
}
