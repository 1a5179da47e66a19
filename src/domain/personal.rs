//! Personal text, which must never be logged.

use std::fmt;

/// A piece of personal data (a name, an e-mail address, a remark, an open answer). It has no
/// `Display`, and its `Debug` prints nothing of the content (invariant I7). [`Personal::reveal`] is
/// the only access to the text, so every use can be found by that name.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal(String);

impl Personal {
    pub fn new(text: impl Into<String>) -> Personal {
        Personal(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

/// Masks a value that a person typed, for reports: it shows the shape, never the content.
///
/// Digits beyond the first three and the last two, and every letter but the first, become `*`.
pub fn masked(value: &str) -> String {
    let chars: Vec<char> = value.trim().chars().collect();
    let digits = chars.iter().filter(|c| c.is_numeric()).count();
    let mut seen_digits = 0;
    let mut seen_letters = 0;
    chars
        .iter()
        .map(|&c| {
            if c.is_numeric() {
                seen_digits += 1;
                let is_visible = digits >= 7 && (seen_digits <= 3 || seen_digits > digits - 2);
                if is_visible { c } else { '*' }
            } else if c.is_alphabetic() {
                seen_letters += 1;
                if seen_letters == 1 && digits < 7 { c } else { '*' }
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_nothing_of_the_content() {
        assert_eq!(format!("{:?}", Personal::new("王小明")), "Personal(…)");
    }

    #[test]
    fn a_masked_value_keeps_its_shape_only() {
        assert_eq!(masked("13800138000"), "138******00");
        assert_eq!(masked("王小明"), "王**");
        assert_eq!(masked("12345"), "*****");
        assert_eq!(masked("+86 138-0013-8000"), "+86 1**-****-**00");
    }
}
