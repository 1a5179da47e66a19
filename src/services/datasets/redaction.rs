//! Redacts text in an open answer that could identify a person.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::person::Person;
use crate::domain::phone::Phone;

// The fixed patterns compile; the tests below run them.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[\w.+-]+@[\w-]+(\.[\w-]+)+|https?://\S+|www\.\S+").expect("a fixed pattern")
});
// So does this one.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\+?[0-9０-９](?:[ \-－—()（）]?[0-9０-９]){4,}").expect("a fixed pattern")
});

/// The names and e-mail addresses of the people on the list, longest first.
pub struct Redaction {
    names: Vec<String>,
}

impl Redaction {
    /// Builds the redaction from all people on the application's list, since respondents name each
    /// other.
    pub fn of(people: &[(Person, Phone)]) -> Redaction {
        let known = |person: &Person| {
            [person.name.reveal().trim().to_owned(), person.email.reveal().trim().to_owned()]
        };
        let mut names: Vec<String> = people
            .iter()
            .flat_map(|(person, _)| known(person))
            .filter(|name| name.chars().count() >= 2)
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        Redaction { names }
    }

    /// Returns the text without e-mail and web addresses, without runs of five digits or more, and
    /// without the names on the list.
    pub fn apply(&self, text: &str) -> String {
        let mut clean = ADDRESS.replace_all(text, "[…]").into_owned();
        clean = NUMBER.replace_all(&clean, "[…]").into_owned();
        for name in &self.names {
            if clean.contains(name.as_str()) {
                clean = clean.replace(name.as_str(), "[…]");
            }
        }
        clean.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::personal::Personal;
    use phonenumber::country;

    #[test]
    fn names_numbers_and_addresses_are_struck_out() {
        let person = Person { name: Personal::new("王小明"), ..Person::default() };
        let redaction =
            Redaction::of(&[(person, Phone::parse("13800138000", country::CN).unwrap())]);
        for (text, expected) in [
            ("我是王小明，请打138 0013-8000", "我是[…]，请打[…]"),
            ("写信 a.b@c.com 或 https://x.cn/y", "写信 […] 或 […]"),
            ("１３８００１３８０００", "[…]"),
            ("10 分里给 9 分，2026 年买的", "10 分里给 9 分，2026 年买的"),
            ("服务\n很好", "服务 很好"),
        ] {
            assert_eq!(redaction.apply(text), expected);
        }
    }
}
