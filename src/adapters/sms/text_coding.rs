//! The texts of replies, in whatever coding a gateway or a carrier hands them over.

use encoding_rs::{Encoding, GB18030, WINDOWS_1252};

use crate::domain::sms_text::decode_gsm7;

/// The coding of a text's octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCoding {
    /// GSM 03.38, an octet for each septet.
    Gsm7,
    Latin1,
    Utf8,
    /// UTF-16 in big-endian order, which UCS-2 has become.
    Utf16,
    Utf16LittleEndian,
    Gb18030,
    Other(&'static Encoding),
}

impl TextCoding {
    /// Reads a charset's name: WHATWG's labels, and those of the SMS world.
    pub fn of_charset(name: &str) -> Option<TextCoding> {
        Some(match name.trim().to_ascii_lowercase().replace('_', "-").as_str() {
            "gsm" | "gsm7" | "gsm-7" | "gsm0338" | "gsm03.38" => TextCoding::Gsm7,
            "utf-16be" | "utf-16" | "utf16" | "ucs-2" | "ucs2" | "ucs-2be" | "unicode" => {
                TextCoding::Utf16
            }
            "utf-16le" | "ucs-2le" => TextCoding::Utf16LittleEndian,
            "latin1" | "iso-8859-1" => TextCoding::Latin1,
            label => match Encoding::for_label(label.as_bytes())? {
                encoding if encoding == encoding_rs::UTF_8 => TextCoding::Utf8,
                encoding if encoding == GB18030 || encoding == encoding_rs::GBK => {
                    TextCoding::Gb18030
                }
                encoding => TextCoding::Other(encoding),
            },
        })
    }

    /// The name under which [`TextCoding::of_charset`] finds it again.
    pub fn name(self) -> &'static str {
        match self {
            TextCoding::Gsm7 => "gsm7",
            TextCoding::Latin1 => "iso-8859-1",
            TextCoding::Utf8 => "utf-8",
            TextCoding::Utf16 => "utf-16be",
            TextCoding::Utf16LittleEndian => "utf-16le",
            TextCoding::Gb18030 => "gb18030",
            TextCoding::Other(encoding) => encoding.name(),
        }
    }

    /// Reads SMPP's `data_coding` (3.4, 5.2.19; 15 is GB 18030 in China). Classes and indications
    /// of GSM 03.38 in the high bits say in their low bits which alphabet it is.
    pub fn of_data_coding(coding: u8) -> TextCoding {
        match coding {
            0x01 => TextCoding::Utf8, // IA5, of which UTF-8 is a superset
            0x03 => TextCoding::Latin1,
            0x08 | 0x18 => TextCoding::Utf16,
            0x05 | 0x0d => TextCoding::Other(encoding_rs::SHIFT_JIS),
            0x06 => TextCoding::Other(encoding_rs::ISO_8859_5),
            0x07 => TextCoding::Other(encoding_rs::ISO_8859_8),
            0x0e => TextCoding::Other(encoding_rs::EUC_KR),
            0x0f => TextCoding::Gb18030,
            0x02 | 0x04 => TextCoding::Latin1,
            // GSM 03.38 message classes (0001 x1xx… with alphabet bits 3–2): 10 is UCS-2.
            class if class & 0xc0 == 0 && class & 0x10 != 0 && class & 0x0c == 0x08 => {
                TextCoding::Utf16
            }
            _ => TextCoding::Gsm7,
        }
    }

    /// Decodes octets. What is no character of the coding becomes U+FFFD (GSM 03.38: «?»).
    pub fn decode(self, octets: &[u8]) -> String {
        let utf16 = |unit: fn([u8; 2]) -> u16| {
            // A byte order mark goes before what is said of the order.
            let (octets, unit) = match octets {
                [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes as fn([u8; 2]) -> u16),
                [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes as fn([u8; 2]) -> u16),
                _ => (octets, unit),
            };
            let units: Vec<u16> =
                octets.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        };
        match self {
            TextCoding::Gsm7 => decode_gsm7(octets),
            TextCoding::Latin1 => octets.iter().map(|&octet| char::from(octet)).collect(),
            TextCoding::Utf8 => {
                let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
                String::from_utf8_lossy(octets).into_owned()
            }
            TextCoding::Utf16 => utf16(u16::from_be_bytes),
            TextCoding::Utf16LittleEndian => utf16(u16::from_le_bytes),
            TextCoding::Gb18030 => GB18030.decode_without_bom_handling(octets).0.into_owned(),
            TextCoding::Other(encoding) => {
                encoding.decode_without_bom_handling(octets).0.into_owned()
            }
        }
    }
}

/// Decodes octets of which nothing is said: UTF-8 where they are UTF-8, else UTF-16 or GB 18030,
/// whichever gives a text that people write, else Latin-1.
pub fn detect(octets: &[u8]) -> String {
    let has_zeros = octets.contains(&0);
    if !has_zeros && std::str::from_utf8(octets).is_ok() {
        return TextCoding::Utf8.decode(octets);
    }
    if !has_zeros && is_mostly_latin(octets) {
        return latin(octets);
    }
    let candidates = if has_zeros {
        [TextCoding::Utf16, TextCoding::Utf16LittleEndian, TextCoding::Gb18030]
    } else {
        [TextCoding::Gb18030, TextCoding::Utf16, TextCoding::Utf16LittleEndian]
    };
    candidates
        .into_iter()
        .map(|coding| coding.decode(octets))
        .find(|text| is_written_by_people(text))
        .unwrap_or_else(|| latin(octets))
}

fn latin(octets: &[u8]) -> String {
    WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned()
}

/// «café» in Latin-1: small letters, and one octet that is no UTF-8. Chinese texts are not like it.
fn is_mostly_latin(octets: &[u8]) -> bool {
    let small = octets.iter().filter(|octet| octet.is_ascii_lowercase() || **octet == b' ').count();
    small * 10 >= octets.len() * 7
}

/// Decodes octets that are declared to be UTF-16 and may be UTF-8 all the same: gateways say
/// «Unicode» of texts that they have converted already.
pub fn detect_unicode(octets: &[u8]) -> String {
    let utf16 = TextCoding::Utf16.decode(octets);
    let is_utf8 = !octets.contains(&0) && std::str::from_utf8(octets).is_ok();
    let is_likely = || match octets.iter().all(u8::is_ascii_graphic) {
        // «STOP» reads as two characters as well, but not as two that are in daily use.
        true => utf16.chars().all(is_in_daily_use),
        false => is_written_by_people(&utf16),
    };
    let is_utf16 = octets.len().is_multiple_of(2) && (!is_utf8 || is_likely());
    if is_utf16 { utf16 } else { detect(octets) }
}

/// Whether every character is one that people write in a message: ASCII, Latin letters, Chinese
/// characters and marks of GB 2312 or Big5, emoji. Octets read in a wrong coding give others.
fn is_written_by_people(text: &str) -> bool {
    let is_usual = |c: char| match c {
        '\n' | '\r' | '\t' => true,
        ' '..='~' | '\u{a0}'..='\u{24f}' => true,
        '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff5e}' => true,
        '\u{200d}' | '\u{20e3}' | '\u{fe0e}' | '\u{fe0f}' | '\u{2190}'..='\u{2bff}' => true,
        '\u{1f000}'..='\u{1faff}' => true,
        '\u{4e00}'..='\u{9fff}' => is_common(c),
        _ => false,
    };
    text.chars().all(is_usual)
}

/// One of the 3,755 characters of GB 2312's first level.
fn is_in_daily_use(c: char) -> bool {
    let mut buffer = [0; 4];
    let (octets, _, failed) = encoding_rs::GBK.encode(c.encode_utf8(&mut buffer));
    !failed && octets.len() == 2 && (0xb0..=0xd7).contains(&octets[0]) && octets[1] >= 0xa1
}

/// A Chinese character of GB 2312 (simplified, 6,763) or of Big5's first level (traditional).
fn is_common(c: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let lead = |encoding: &'static Encoding| {
        let (octets, _, failed) = encoding.encode(text);
        (!failed && octets.len() == 2).then(|| (octets[0], octets[1]))
    };
    lead(encoding_rs::GBK)
        .is_some_and(|(first, second)| (0xb0..=0xf7).contains(&first) && second >= 0xa1)
        || lead(encoding_rs::BIG5).is_some_and(|(first, _)| (0xa4..=0xc6).contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    fn gbk(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    const TEXTS: [&str; 14] = [
        "退订",
        "TD",
        "T",
        "别再发了",
        "你们从哪里弄到我的号码？",
        "不要再发了，谢谢",
        "取消",
        "唔好再send",
        "請停止傳送",
        "8",
        "很好👍",
        "STOP",
        "质量不错，就是贵了点",
        "不",
    ];

    #[test]
    fn texts_of_which_nothing_is_said() {
        for text in TEXTS {
            assert_eq!(detect(text.as_bytes()), text);
            assert_eq!(detect(&gbk(text)), text, "GB 18030");
            // Only ASCII octets look like ASCII («不» is 4E 0D); then the gateway must say more.
            if !utf16(text).is_ascii() || utf16(text).contains(&0) {
                assert_eq!(detect(&utf16(text)), text, "UTF-16");
            }
        }
        assert_eq!(detect(b"caf\xe9"), "café");
        assert_eq!(detect(b""), "");
    }

    #[test]
    fn texts_that_are_called_unicode() {
        for text in TEXTS {
            assert_eq!(detect_unicode(&utf16(text)), text, "UTF-16");
            assert_eq!(detect_unicode(text.as_bytes()), text, "UTF-8");
        }
    }

    #[test]
    fn a_byte_order_mark_is_believed() {
        for octets in [&b"\xfe\xff\x59\x7d"[..], b"\xff\xfe\x7d\x59", b"\x59\x7d"] {
            assert_eq!(TextCoding::Utf16.decode(octets), "好");
        }
    }

    #[test]
    fn charsets_by_name_and_data_codings() {
        for (name, coding) in [
            ("UTF-8", TextCoding::Utf8),
            ("UTF-16BE", TextCoding::Utf16),
            ("UCS-2", TextCoding::Utf16),
            ("GSM", TextCoding::Gsm7),
            ("gbk", TextCoding::Gb18030),
            ("GB2312", TextCoding::Gb18030),
            ("iso-8859-1", TextCoding::Latin1),
        ] {
            assert_eq!(TextCoding::of_charset(name), Some(coding), "{name}");
            assert_eq!(TextCoding::of_charset(coding.name()), Some(coding), "{name}");
        }
        assert_eq!(TextCoding::of_charset("no-such"), None);
        for (code, coding) in [
            (0, TextCoding::Gsm7),
            (3, TextCoding::Latin1),
            (8, TextCoding::Utf16),
            (0x18, TextCoding::Utf16),
            (0x19, TextCoding::Utf16),
            (0xf0, TextCoding::Gsm7),
            (0x11, TextCoding::Gsm7),
            (15, TextCoding::Gb18030),
        ] {
            assert_eq!(TextCoding::of_data_coding(code), coding, "{code}");
        }
    }
}
