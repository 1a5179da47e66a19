//! Reads a TOML table key by key and collects all errors, so that they can be reported together.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use toml::{Table, Value};

/// Keys that had another name in version 0.1.0, and their new names.
const RENAMED: [(&str, &str); 11] = [
    ("dispatch.ask_after", "dispatch.query_after"),
    ("dispatch.show_doubt_after", "dispatch.escalate_in_doubt_after"),
    ("housekeeping.keep_conversations", "housekeeping.keep_gateway_log"),
    ("housekeeping.keep_waiting_receipts", "housekeeping.keep_unmatched_receipts"),
    ("quota.keep_place_for", "quota.reservation_time"),
    ("notify.at_most_every", "notify.min_interval"),
    ("contact.quiet_after_contact", "contact.min_gap"),
    ("console.launch", "console.launch_approval, which is \"none\" or \"second_person\""),
    ("intake", "list_import"),
    ("telephone.dial", "telephone.dialer_file"),
    ("telephone.user", "telephone.dialer_user"),
];

/// A table under a dotted prefix, with the errors found so far.
pub struct Reader<'a> {
    table: &'a Table,
    prefix: String,
    used: BTreeSet<String>,
    problems: &'a mut Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(table: &'a Table, prefix: &str, problems: &'a mut Vec<String>) -> Reader<'a> {
        Reader { table, prefix: prefix.to_owned(), used: BTreeSet::new(), problems }
    }

    /// Reads a sub-table with `read`. A missing one is read as empty, so that defaults apply and
    /// missing required keys are reported.
    pub fn section<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        self.used.insert(key.to_owned());
        let empty = Table::new();
        let name = self.name(key);
        let table = match self.table.get(key) {
            None => &empty,
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.problems.push(format!("{name}: must be a section, [{name}]"));
                &empty
            }
        };
        let mut reader = Reader::new(table, &name, self.problems);
        let value = read(&mut reader);
        reader.reject_unknown_keys();
        value
    }

    /// Returns the names of the sub-tables of a section.
    pub fn keys_of(&self, key: &str) -> Vec<String> {
        self.table
            .get(key)
            .and_then(Value::as_table)
            .map(|t| t.keys().cloned().collect())
            .unwrap_or_default()
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                let label = other.to_string();
                self.problem(key, format!("must be a text in quotes, not {label}"));
                None
            }
        }
    }

    /// Reads a list of texts. A comma-separated text is also accepted, because environment
    /// variables are texts.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::String(text)) => text
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect(),
            Some(Value::Array(values)) if values.iter().all(Value::is_str) => {
                values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            }
            Some(_) => {
                self.problem(key, "must be a list of texts, [\"…\", \"…\"]".into());
                Vec::new()
            }
        }
    }

    /// Reads a text and parses it into a type.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str, default: &str) -> Option<T> {
        let raw = self.text(key).unwrap_or_else(|| default.to_owned());
        match raw.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, format!("«{raw}»: {error}"));
                None
            }
        }
    }

    /// Reads an integer within bounds. A text of digits is also accepted, because environment
    /// variables are texts.
    pub fn number(
        &mut self,
        key: &str,
        default: i64,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> i64 {
        let number = match self.take(key) {
            None => return default,
            Some(Value::Integer(number)) => Some(*number),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(number) if bounds.contains(&number) => number,
            _ => {
                self.problem(
                    key,
                    format!("must be a whole number from {} to {}", bounds.start(), bounds.end()),
                );
                default
            }
        }
    }

    pub fn decimal(&mut self, key: &str, default: f64) -> f64 {
        let number = match self.take(key) {
            None => return default,
            Some(Value::Float(number)) => Some(*number),
            Some(Value::Integer(number)) => Some(*number as f64),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(number) if number.is_finite() && number >= 0.0 => number,
            _ => {
                self.problem(key, "must be a number of at least 0".into());
                default
            }
        }
    }

    pub fn duration(&mut self, key: &str, default: &str) -> std::time::Duration {
        let raw = self.text(key).unwrap_or_else(|| default.to_owned());
        crate::domain::time::parse_duration(&raw).unwrap_or_else(|| {
            self.problem(key, format!("«{raw}» is no duration; write it like 20s, 5m, 24h or 3d"));
            std::time::Duration::ZERO
        })
    }

    /// Reads one of a set of words.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let raw = self.text(key);
        let chosen = raw
            .as_deref()
            .map_or(Some(&choices[0]), |raw| choices.iter().find(|(word, _)| *word == raw));
        match chosen {
            Some((_, value)) => *value,
            None => {
                let words = choices
                    .iter()
                    .map(|(word, _)| format!("\"{word}\""))
                    .collect::<Vec<_>>()
                    .join(" or ");
                self.problem(key, format!("must be {words}"));
                choices[0].1
            }
        }
    }

    pub fn problem(&mut self, key: &str, problem: String) {
        let name = self.name(key);
        self.problems.push(format!("{name}: {problem}"));
    }

    fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.used.insert(key.to_owned());
        self.table.get(key)
    }

    fn name(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) }
    }

    /// Reports every key that was not read as an error, so that a misspelt key is not ignored.
    pub fn reject_unknown_keys(&mut self) {
        let unknown: Vec<&String> =
            self.table.keys().filter(|key| !self.used.contains(*key)).collect();
        for key in unknown {
            let known = self.used.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let name = self.name(key);
            let problem = match RENAMED.iter().find(|(old, _)| *old == name) {
                Some((_, new)) => format!("{name}: was renamed to {new}"),
                None => format!("{name}: no such key; known here: {known}"),
            };
            self.problems.push(problem);
        }
    }
}
