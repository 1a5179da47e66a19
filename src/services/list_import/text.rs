//! Decodes bytes to text, in the encodings in which spreadsheets and editors save lists.

use std::io::{self, Read};

use encoding_rs::{
    BIG5, CoderResult, Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE,
};

use super::source::ListSource;

/// Detects the encoding of a text file: first by a byte-order mark, then UTF-8 if it is valid,
/// UTF-16 by its zero bytes, else the guess of chardetng for Chinese text, with GB18030 (and so
/// GBK) preferred.
pub fn detect_encoding(source: &ListSource) -> io::Result<&'static Encoding> {
    let mut start = Vec::new();
    source.open()?.take(4096).read_to_end(&mut start)?;
    if let Some((encoding, _)) = Encoding::for_bom(&start) {
        return Ok(encoding);
    }
    if let Some(encoding) = utf_16_by_zeros(&start, source.byte_len()?) {
        return Ok(encoding);
    }
    if decodes_as(source, UTF_8)? {
        return Ok(UTF_8);
    }
    // Most bytes of Big5 are GB18030 as well: the words tell.
    let is_gb = decodes_as(source, GB18030)?;
    if decodes_as(source, BIG5)? && telling_words(&start, BIG5) > telling_words(&start, GB18030) {
        return Ok(BIG5);
    }
    if is_gb {
        return Ok(GB18030);
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    source.for_each_chunk(|chunk| {
        detector.feed(chunk, false);
        true
    })?;
    detector.feed(&[], true);
    Ok(detector.guess(Some(b"cn"), chardetng::Utf8Detection::Deny))
}

/// Counts the words of lists in a text that is read in an encoding.
fn telling_words(start: &[u8], encoding: &'static Encoding) -> usize {
    const WORDS: [&str; 24] = [
        "手机", "手機", "电话", "電話", "姓名", "号码", "號碼", "单位", "單位", "公司", "联系",
        "聯絡", "聯繫", "客户", "客戶", "地址", "备注", "備註", "先生", "小姐", "女士", "职务",
        "職務", "有限",
    ];
    let text = encoding.decode_without_bom_handling(start).0;
    WORDS.iter().map(|word| text.matches(word).count()).sum()
}

fn decodes_as(source: &ListSource, encoding: &'static Encoding) -> io::Result<bool> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut decoded = vec![0u8; 1024 * 1024];
    let mut is_good = true;
    source.for_each_chunk(|chunk| {
        is_good = !is_malformed(&mut decoder, chunk, &mut decoded, false);
        is_good
    })?;
    Ok(is_good && !is_malformed(&mut decoder, &[], &mut decoded, true))
}

fn is_malformed(decoder: &mut Decoder, mut chunk: &[u8], decoded: &mut [u8], last: bool) -> bool {
    loop {
        match decoder.decode_to_utf8_without_replacement(chunk, decoded, last) {
            (DecoderResult::InputEmpty, ..) => return false,
            (DecoderResult::OutputFull, read, _) => chunk = &chunk[read..],
            (DecoderResult::Malformed(..), ..) => return true,
        }
    }
}

/// Detects UTF-16 without a mark: commas, digits and line ends have a zero in every second byte.
fn utf_16_by_zeros(start: &[u8], bytes: u64) -> Option<&'static Encoding> {
    let sample = &start[..start.len() & !1];
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, quarter) = (zeros(0), zeros(1), sample.len() / 8);
    if !bytes.is_multiple_of(2) || sample.is_empty() {
        None
    } else if odd > quarter && even == 0 {
        Some(UTF_16LE)
    } else if even > quarter && odd == 0 {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// A reader that decodes a text to UTF-8. Line ends become `\n`, including the lone CR of old Mac
/// programs, and the last line gets one. Invalid text is an error of the kind
/// [`io::ErrorKind::InvalidData`].
pub struct Utf8Reader {
    reader: Box<dyn Read + Send>,
    decoder: Decoder,
    chunk: Vec<u8>,
    text: String,
    /// The number of bytes of `text` that have been read.
    position: usize,
    ends_with_cr: bool,
    is_in_line: bool,
    is_at_end: bool,
    /// The number of bytes read from the source so far.
    pub consumed: u64,
    /// Bytes of text that may still be read: the longest record, set before each.
    pub allowance: usize,
}

impl Utf8Reader {
    pub fn new(source: &ListSource, encoding: &'static Encoding) -> io::Result<Utf8Reader> {
        Ok(Utf8Reader {
            reader: source.open()?,
            decoder: encoding.new_decoder(),
            chunk: vec![0u8; 64 * 1024],
            text: String::new(),
            position: 0,
            ends_with_cr: false,
            is_in_line: false,
            is_at_end: false,
            consumed: 0,
            allowance: usize::MAX,
        })
    }

    /// Returns the beginning of the text without consuming it.
    pub fn beginning(&mut self) -> io::Result<&str> {
        self.fill_if_empty()?;
        Ok(&self.text)
    }

    fn fill_if_empty(&mut self) -> io::Result<()> {
        while self.position == self.text.len() && !self.is_at_end {
            self.fill()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        let n = self.reader.read(&mut self.chunk)?;
        self.consumed += n as u64;
        self.is_at_end = n == 0;
        self.text.clear();
        self.position = 0;
        let needed = self.decoder.max_utf8_buffer_length(n).unwrap_or(n * 4 + 16);
        self.text.reserve(needed);
        let (result, _, is_broken) =
            self.decoder.decode_to_string(&self.chunk[..n], &mut self.text, self.is_at_end);
        if is_broken || result == CoderResult::OutputFull || self.text.contains('\0') {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        if self.text.contains('\r') || self.ends_with_cr {
            // The second half of a line end that was split between chunks.
            let rest =
                self.text.strip_prefix('\n').filter(|_| self.ends_with_cr).unwrap_or(&self.text);
            if !self.text.is_empty() {
                self.ends_with_cr = rest.ends_with('\r');
            }
            self.text = rest.replace("\r\n", "\n").replace('\r', "\n");
        }
        if self.is_at_end
            && (self.is_in_line && self.text.is_empty()
                || !self.text.is_empty() && !self.text.ends_with('\n'))
        {
            self.text.push('\n');
        }
        self.is_in_line =
            self.text.chars().next_back().map_or(self.is_in_line, |last| last != '\n');
        Ok(())
    }
}

impl Read for Utf8Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill_if_empty()?;
        let allowed = buffer.len().min(self.allowance);
        let buffer = &mut buffer[..allowed];
        if allowed == 0 && self.position < self.text.len() {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        // Bytes, because a reader may stop within a character.
        let text = &self.text.as_bytes()[self.position..];
        let n = text.len().min(buffer.len());
        buffer[..n].copy_from_slice(&text[..n]);
        self.position += n;
        self.allowance -= n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> io::Result<String> {
        let source = ListSource::from(bytes);
        let mut text = String::new();
        Utf8Reader::new(&source, detect_encoding(&source)?)?.read_to_string(&mut text)?;
        Ok(text)
    }

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
        assert_eq!(decode(&[0xff, 0xfe, 0x00]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    /// Characters and line ends that are split between chunks are read whole, whatever the chunks.
    #[test]
    fn pieces_make_no_difference() {
        struct Slow(Vec<u8>, usize);
        impl Read for Slow {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(self.1);
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0.drain(..n);
                Ok(n)
            }
        }
        let text = "姓\r\n名\r\r\n手\n\r机\r";
        for size in 1..8 {
            for encoding in [UTF_8, GB18030] {
                let mut decoded = Utf8Reader::new(&ListSource::from(&b""[..]), encoding).unwrap();
                decoded.reader = Box::new(Slow(encoding.encode(text).0.into_owned(), size));
                let (mut read, mut buffer) = (Vec::new(), vec![0u8; size]);
                while let n @ 1.. = decoded.read(&mut buffer).unwrap() {
                    read.extend_from_slice(&buffer[..n]);
                }
                assert_eq!(
                    String::from_utf8(read).unwrap(),
                    "姓\n名\n\n手\n\n机\n",
                    "{size} {}",
                    encoding.name()
                );
            }
        }
    }
}
