//! From bytes to text: the encodings in which spreadsheets and notepads save lists.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use super::table::TableError;

/// Decodes a text file: a byte-order mark decides, then UTF-8 where it fits, UTF-16 by its zero bytes, else what chardetng says for a
/// Chinese house, with GB18030 (and so GBK) first. Line ends become `\n`, also the lone CR of old Mac programs.
pub fn decode(bytes: &[u8]) -> Result<String, TableError> {
    let (text, _, broken) = encoding_of(bytes).decode(bytes);
    if broken || text.contains('\0') {
        return Err(TableError::Encoding);
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn encoding_of(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = utf_16_by_zeros(bytes) {
        return encoding;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    if !GB18030.decode_without_bom_handling(bytes).1 {
        return GB18030;
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(Some(b"cn"), chardetng::Utf8Detection::Deny)
}

/// UTF-16 without a mark: commas, digits and line ends leave a zero in every second byte.
fn utf_16_by_zeros(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, quarter) = (zeros(0), zeros(1), sample.len() / 8);
    if !bytes.len().is_multiple_of(2) || sample.is_empty() {
        None
    } else if odd > quarter && even == 0 {
        Some(UTF_16LE)
    } else if even > quarter && odd == 0 {
        Some(UTF_16BE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_the_house_gives_the_same_text() {
        let text = "姓名,手机\r\n王小明,13800138000\r李四,13900139000\n";
        let expected = "姓名,手机\n王小明,13800138000\n李四,13900139000\n";
        let utf16 = |big: bool, mark: bool| -> Vec<u8> {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            units.flat_map(|u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        let with_mark = [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat();
        for bytes in [
            text.as_bytes().to_vec(),
            with_mark,
            GB18030.encode(text).0.into_owned(),
            encoding_rs::GBK.encode(text).0.into_owned(),
            utf16(false, true),
            utf16(true, true),
            utf16(false, false),
            utf16(true, false),
        ] {
            assert_eq!(decode(&bytes).unwrap(), expected);
        }
        assert!(matches!(decode(&[0xff, 0xfe, 0x00]), Err(TableError::Encoding)));
    }
}
