//! Codes from names: the first letters of their pinyin, and a number where one is taken.

use pinyin::ToPinyin;

/// The most letters of a code that come from a name.
const MAX_LETTERS: usize = 8;

/// Returns the initials of a name, in capitals: `山海医院` is `SHYY`. Letters and digits stand for
/// themselves. A name without any gives `APP`.
pub fn initials(name: &str) -> String {
    let initial = |c: char| match c.to_pinyin() {
        Some(sound) => sound.first_letter().chars().next(),
        None => Some(c).filter(char::is_ascii_alphanumeric),
    };
    let letters: String =
        name.chars().filter_map(initial).take(MAX_LETTERS).collect::<String>().to_uppercase();
    if letters.is_empty() { "APP".to_owned() } else { letters }
}

/// Returns the first of `stem`, `stem2`, `stem3`, … that is not taken.
pub fn free(stem: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{stem}{number}"));
    std::iter::once(stem.to_owned())
        .chain(numbered)
        .find(|code| !is_taken(code))
        .unwrap_or_else(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_made_of_a_names_sounds() {
        assert_eq!(initials("山海医院"), "SHYY");
        assert_eq!(initials("山海电器有限公司（华东）"), "SHDQYXGS");
        assert_eq!(initials("A3科技"), "A3KJ");
        assert_eq!(initials("——"), "APP");
        assert_eq!(free("SHYY", |code| code == "SHYY" || code == "SHYY2"), "SHYY3");
    }
}
