//! A message as the content of submits: one, or one for each part.

use super::fields::Content;
use crate::adapters::sms::MessagePart;
use crate::adapters::sms::user_data::header_of_part;
use crate::domain::sms_text::{Encoding, split_parts};

/// Msg_Fmt (7.4.3.1)
pub const ASCII: u8 = 0;
pub const UCS2: u8 = 8;

/// UTF-16 code units in a single part, and in each of several beside the header.
const SINGLE: usize = 70;
const SEVERAL: usize = 67;

/// What one submit carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: u8,
    pub total: u8,
    pub msg_fmt: u8,
    /// Whether the content begins with a user data header.
    pub has_header: bool,
    pub content: Content,
}

/// The parts to submit now: all of them, or those of `part`. `None` if there are too many.
///
/// Msg_Fmt 0 is ASCII and not the alphabet of GSM 03.38, so «é» goes as UCS-2 here and may need
/// more parts than were reckoned at the launch.
pub fn parts_to_submit(
    text: &str,
    part: Option<MessagePart>,
    own_reference: u8,
) -> Option<Vec<Part>> {
    let (msg_fmt, cut) = cut(text);
    let total = u8::try_from(cut.len()).ok()?;
    let reference = part.map_or(own_reference, |part| part.reference);
    let all = (1..=total).zip(cut).map(|(number, octets)| {
        let header = header_of_part(reference, number, total);
        let header: &[u8] = if total > 1 { &header } else { &[] };
        let content = Content::new([header, &octets].concat());
        Part { number, total, msg_fmt, has_header: total > 1, content }
    });
    let is_wanted = |number| part.is_none_or(|part| part.number == number);
    Some(all.filter(|part| is_wanted(part.number)).collect())
}

/// Returns in how many parts a text goes out.
pub fn count(text: &str) -> u32 {
    u32::try_from(cut(text).1.len()).unwrap_or(u32::MAX)
}

fn cut(text: &str) -> (u8, Vec<Vec<u8>>) {
    match split_parts(text) {
        (Encoding::Gsm7, parts) if text.is_ascii() => {
            (ASCII, parts.into_iter().map(String::into_bytes).collect())
        }
        _ => (UCS2, cut_ucs2(text)),
    }
}

/// Cuts as [`split_parts`] does; a surrogate pair is never split.
fn cut_ucs2(text: &str) -> Vec<Vec<u8>> {
    let units = text.encode_utf16().count();
    let room = if units <= SINGLE { SINGLE } else { SEVERAL };
    let mut parts = vec![Vec::new()];
    let mut used = 0;
    for c in text.chars() {
        if used + c.len_utf16() > room {
            parts.push(Vec::new());
            used = 0;
        }
        used += c.len_utf16();
        if let Some(last) = parts.last_mut() {
            last.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sms::TextCoding;
    use proptest::prelude::*;

    #[test]
    fn ascii_goes_as_ascii_and_the_rest_as_ucs2() {
        for (text, msg_fmt, lengths) in [
            ("", ASCII, &[0][..]),
            ("Reply STOP @ $_", ASCII, &[15]),
            (&"a".repeat(160), ASCII, &[160]),
            (&"a".repeat(161), ASCII, &[6 + 153, 6 + 8]),
            (&"字".repeat(70), UCS2, &[140]),
            (&"字".repeat(71), UCS2, &[140, 6 + 8]),
            // In the GSM alphabet, but not in ASCII.
            ("café", UCS2, &[8]),
            (&"é".repeat(71), UCS2, &[140, 14]),
            // A backtick is in no GSM alphabet.
            ("`", UCS2, &[2]),
        ] {
            let parts = parts_to_submit(text, None, 7).unwrap();
            let found: Vec<usize> = parts.iter().map(|p| p.content.octets().len()).collect();
            assert_eq!((parts[0].msg_fmt, found.as_slice()), (msg_fmt, lengths), "{text}");
        }
        assert_eq!(parts_to_submit(&"字".repeat(67 * 256), None, 7), None);
    }

    #[test]
    fn one_part_is_that_part() {
        let text = "字".repeat(140);
        let all = parts_to_submit(&text, None, 9).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[1].content.octets()[..6], [5, 0, 3, 9, 3, 2]);
        for number in 1..=3 {
            let part = MessagePart { number, total: 3, reference: 9 };
            let one = parts_to_submit(&text, Some(part), 200).unwrap();
            assert_eq!(one, [all[usize::from(number) - 1].clone()]);
        }
        // Two parts of GSM 03.38, five of UCS-2.
        assert_eq!(count(&"é".repeat(300)), 5);
    }

    proptest! {
        /// What is cut here is counted there, and nothing is lost.
        #[test]
        fn parts_agree_with_those_that_are_reckoned(text in "[a-z字😀\\[€]{0,300}") {
            let parts = parts_to_submit(&text, None, 1).unwrap();
            let (encoding, reckoned) = split_parts(&text);
            if encoding == Encoding::Ucs2 || text.is_ascii() {
                prop_assert_eq!(parts.len(), reckoned.len());
            }
            let mut whole = String::new();
            for part in &parts {
                let octets = &part.content.octets()[if part.has_header { 6 } else { 0 }..];
                let room = if part.msg_fmt == ASCII { 160 } else { 140 };
                prop_assert!(octets.len() <= room);
                let coding = if part.msg_fmt == ASCII { TextCoding::Utf8 } else { TextCoding::Utf16 };
                whole += &coding.decode(octets);
            }
            prop_assert_eq!(whole, text);
        }
    }
}
