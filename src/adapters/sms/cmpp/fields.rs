//! The fields of a CMPP message: integers in network order, and octet strings of a fixed width that
//! are filled up with zeros (CMPP 2.0, 7.1).

use std::fmt;

/// A message's text as octets. Personal data: `Debug` prints only how many there are (invariant
/// I7).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Content(Vec<u8>);

impl Content {
    /// Takes at most as many octets as a message's length field can count.
    pub fn new(mut octets: Vec<u8>) -> Content {
        octets.truncate(usize::from(u8::MAX));
        Content(octets)
    }

    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} octets)", self.0.len())
    }
}

/// Reads fields in the order of a table; `None` where the message ends too early.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn octets(&mut self, width: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        Some(field)
    }

    pub fn array<const WIDTH: usize>(&mut self) -> Option<[u8; WIDTH]> {
        self.octets(WIDTH)?.try_into().ok()
    }

    pub fn octet(&mut self) -> Option<u8> {
        self.array().map(|[octet]| octet)
    }

    pub fn word(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// An octet string up to its first zero. Some peers fill it up with spaces.
    pub fn text(&mut self, width: usize) -> Option<String> {
        let field = self.octets(width)?;
        let end = field.iter().position(|octet| *octet == 0).unwrap_or(width);
        Some(String::from_utf8_lossy(&field[..end]).trim().to_owned())
    }

    /// The octets that a length before them counts.
    pub fn content(&mut self) -> Option<Content> {
        let length = self.octet()?;
        Some(Content::new(self.octets(usize::from(length))?.to_vec()))
    }

    /// A field at the end that some peers cut off.
    pub fn last_text(&mut self, width: usize) -> String {
        let width = width.min(self.0.len());
        self.text(width).unwrap_or_default()
    }
}

/// Writes fields in the order of a table.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn octets(&mut self, octets: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(octets);
        self
    }

    pub fn octet(&mut self, octet: u8) -> &mut Writer {
        self.octets(&[octet])
    }

    pub fn word(&mut self, word: u32) -> &mut Writer {
        self.octets(&word.to_be_bytes())
    }

    pub fn long(&mut self, long: u64) -> &mut Writer {
        self.octets(&long.to_be_bytes())
    }

    /// An octet string; what does not fit is cut off, so its owner checks it first.
    pub fn text(&mut self, text: &str, width: usize) -> &mut Writer {
        let end = self.0.len() + width;
        self.0.extend(text.bytes().take(width));
        self.0.resize(end, 0);
        self
    }

    pub fn content(&mut self, content: &Content) -> &mut Writer {
        let length = u8::try_from(content.octets().len()).unwrap_or(u8::MAX);
        self.octet(length).octets(&content.octets()[..usize::from(length)])
    }
}
