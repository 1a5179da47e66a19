//! Open answers as people type them in a browser: what is kept of the text, and how long it is.

use super::{Answer, AnswerProblem, Item};
use crate::domain::personal::Personal;

/// Parses the text of an open answer. Text of which nothing can be seen is no answer.
pub(super) fn parse(
    item: &Item,
    max_chars: usize,
    raw: &str,
) -> Result<Option<Answer>, AnswerProblem> {
    let text = clean(raw);
    match text.trim() {
        "" if item.required => Err(AnswerProblem::Missing),
        "" => Ok(None),
        text if length(text) > max_chars => Err(AnswerProblem::TooLong),
        text => Ok(Some(Answer::Open(Personal::new(text)))),
    }
}

/// The length of a text in UTF-16 code units, as a browser counts it for `maxlength` (HTML Living
/// Standard, «API value» of a textarea): a line break is one, an emoji two. A form sends a line
/// break as two characters, so the text is cleaned first.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns the text with `\n` as its only line break, and without characters that are not seen and
/// do harm in files and on pages: control characters except the tab, byte order marks, what turns
/// the direction of the text around it, and what XML 1.0 cannot hold.
pub fn clean(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                text.push('\n');
            }
            '\n' | '\t' => text.push(c),
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cleaned_and_counted_as_a_browser_does() {
        for (raw, kept, units) in [
            ("一\r\n二", "一\n二", 3),
            ("一\r二\n三\r\n\r\n四", "一\n二\n三\n\n四", 8),
            ("\r\r\n\n", "\n\n\n", 3),
            ("a\tb", "a\tb", 3),
            ("a\0b\u{1}\u{1b}[31m\u{7f}\u{9b}", "ab[31m", 6),
            ("\u{feff}a\u{feff}b", "ab", 2),
            ("价\u{202e}格\u{202c} \u{2066}x\u{2069}", "价格 x", 4),
            // An emoji of a family: three of two units each, and two joiners, which stay.
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧", 8),
            ("\u{20000}", "\u{20000}", 2),
            // Marks that Arabic and Hebrew need turn nothing around.
            ("\u{200f}א", "\u{200f}א", 2),
            ("a\u{ffff}\u{fffe}", "a", 1),
        ] {
            let text = clean(raw);
            assert_eq!((text.as_str(), length(&text)), (kept, units), "{raw:?}");
        }
    }
}
