//! Names of variables that SPSS takes.

use std::collections::{BTreeMap, BTreeSet};

/// Words of the command language (SPSS Statistics, «Variable names»).
const RESERVED: [&str; 13] =
    ["ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"];
/// Bytes of a name.
const LONGEST: usize = 64;
/// Bytes of the name in the variable's own record, and of the part that the names of a long text's
/// segments share.
const SHORT: usize = 8;
const SHARED: usize = 5;

pub struct Names {
    /// In capitals: case makes no difference.
    taken: BTreeSet<String>,
    /// The next number by beginning.
    next: BTreeMap<String, u32>,
}

impl Default for Names {
    fn default() -> Names {
        Names { taken: RESERVED.map(str::to_owned).into(), next: BTreeMap::new() }
    }
}

impl Names {
    /// Returns the name for a column, which is its own wherever SPSS takes it: it begins with a
    /// letter, has letters, digits and `_`, at most 64 bytes, no `_` at its end, is no reserved
    /// word, and no other variable has it in other letters.
    pub fn long(&mut self, column: &str) -> String {
        let mut name: String =
            column.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let is_letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_letter || RESERVED.contains(&name.to_ascii_uppercase().as_str()) {
            name.insert_str(0, "v_");
        }
        name.truncate(LONGEST);
        name.truncate(name.trim_end_matches('_').len());
        let mut own = name.clone();
        for number in 2.. {
            if self.taken.insert(own.to_ascii_uppercase()) {
                break;
            }
            let suffix = format!("_{number}");
            own = format!("{}{suffix}", &name[..name.len().min(LONGEST - suffix.len())]);
        }
        own
    }

    /// Returns the name of at most 8 bytes for the record of a variable.
    pub fn short(&mut self, long: &str) -> String {
        let name: String = long.chars().take(SHORT).collect::<String>().to_ascii_uppercase();
        if self.taken.insert(name.clone()) { name } else { self.numbered(long) }
    }

    /// Returns the name of a further segment of a long text. SPSS joins only segments whose names
    /// begin with the same five bytes.
    pub fn numbered(&mut self, long: &str) -> String {
        let shared: String = long.chars().take(SHARED).collect::<String>().to_ascii_uppercase();
        let next = self.next.entry(shared.clone()).or_default();
        loop {
            // Three such digits are enough for 46,656 segments.
            let name = format!("{shared}{}", base_36(*next));
            *next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

fn base_36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit(number % 36, 36).map(|digit| digit.to_ascii_uppercase()));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roche/pyreadstat#115, onaio/onadata#1447: reserved words; onaio/onadata#3146: other letters.
    #[test]
    fn every_column_gets_a_name_that_spss_takes() {
        let mut names = Names::default();
        let long = "x".repeat(70);
        let columns = [
            "SAT1", "ALL", "with", "1st", "_a", "WHY_a-b", "WHY_a_b", "sat1", "end_", &long, &long,
        ];
        let made = columns.map(|column| names.long(column));
        let expected = [
            "SAT1",
            "v_ALL",
            "v_with",
            "v_1st",
            "v__a",
            "WHY_a_b",
            "WHY_a_b_2",
            "sat1_2",
            "end",
            &long[..64],
            &format!("{}_2", &long[..62]),
        ];
        assert_eq!(made.each_ref().map(String::as_str), expected);
    }

    /// WizardMac/ReadStat#380: a segment's name that a variable has already.
    #[test]
    fn short_names_are_unique_and_segments_share_their_beginning() {
        let mut names = Names::default();
        let variables = ["LONGA", "LONGA0", "OPEN_missing", "OPEN_mistake", "AN"];
        let made = variables.map(|long| names.short(long));
        assert_eq!(made, ["LONGA", "LONGA0", "OPEN_MIS", "OPEN_0", "AN"]);
        let segments: Vec<String> = (0..200).map(|_| names.numbered("LONGA")).collect();
        assert_eq!((segments[0].as_str(), segments[199].as_str()), ("LONGA1", "LONGA5K"));
        let all: BTreeSet<&String> = segments.iter().chain(&made).collect();
        assert_eq!(all.len(), 205);
        let segments: Vec<String> = (0..20).map(|_| names.numbered("AN")).collect();
        assert!(!segments.contains(&"AND".to_owned()), "{segments:?}");
    }
}
