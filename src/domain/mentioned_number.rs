//! Telephone numbers in a text that should hold none.

use phonenumber::country;
use unicode_normalization::UnicodeNormalization as _;

use super::phone::{Phone, PhoneKind};

/// Between the digits of one number stand at most so many signs.
const MAX_GAP: usize = 2;

/// Returns whether a text has something that looks like a mobile number, however it is written:
/// with blanks or dashes, with 86, in full-width or Chinese digits. Days, times and amounts do not.
pub fn mentions_mobile(text: &str) -> bool {
    let mut run = String::new();
    let mut gap = 0;
    let mut found = false;
    // Full-width and circled digits become plain ones; what nobody sees stands between none.
    let seen = text.nfkc().filter(|c| !is_unseen(*c));
    for c in seen.chain([';', ';', ';']) {
        match digit(c) {
            Some(digit) => {
                run.push(digit);
                gap = 0;
            }
            None if gap < MAX_GAP && " -.·\u{a0}\u{3000}()（）—–".contains(c) => gap += 1,
            None => {
                found |= is_mobile(&run);
                run.clear();
                gap = 0;
            }
        }
    }
    found
}

fn digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    let arabic = ['\u{660}', '\u{6f0}']
        .into_iter()
        .find_map(|zero| u32::from(c).checked_sub(u32::from(zero)).filter(|n| *n < 10));
    let chinese = "〇一二三四五六七八九".chars().position(|own| own == c);
    let value = arabic.or_else(|| chinese.and_then(|at| u32::try_from(at).ok()));
    value.or((c == '零').then_some(0)).and_then(|value| char::from_digit(value, 10))
}

/// Marks of direction, joiners and blanks without a width, which come along when text is copied.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// A mobile number of the mainland is alone, behind its country code, or between other digits that
/// stood beside it («12:30 13800138000»): a stretch of eleven that is one.
fn is_mobile(digits: &str) -> bool {
    const LENGTH: usize = 11;
    let is_one = |number: &str| {
        Phone::parse(number, country::CN).is_ok_and(|phone| phone.kind() == PhoneKind::Mobile)
    };
    match digits.len() {
        LENGTH => is_one(digits),
        12..=24 => (0..=digits.len() - LENGTH).any(|at| is_one(&digits[at..at + LENGTH])),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for text in [
            "13800138000",
            "请打 138 0013 8000 找他",
            "138-0013-8000。",
            "+86 13800138000",
            "0086-138-0013-8000",
            "１３８００１３８０００",
            "一三八零零一三八〇〇〇",
            "约在 12 13800138000",
            "电话：(138)00138000",
            "138\u{200b}0013\u{200b}8000",
            "\u{202d}13800138000\u{202c}",
            "①③⑧⓪⓪①③⑧⓪⓪⓪",
            "138٠٠١٣٨٠٠٠",
        ] {
            assert!(mentions_mobile(text), "{text}");
        }
        for text in [
            "",
            "2026-03-02 09:30 已与单位沟通",
            "目标 120 份，完成 85 份",
            "第 3 周，40 小时，2026-11-13 15-17 点",
            "单号 202611131530001234567890123",
            "预算 13800.00 元",
            "12345678901",
            "三月五日，一千三百人",
        ] {
            assert!(!mentions_mobile(text), "{text}");
        }
    }
}
