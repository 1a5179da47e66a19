//! Writes an SPSS system file (`.sav`), compressed by bytes, in UTF-8.
//!
//! Source: «System File Format» in the developer's guide of GNU PSPP
//! (<https://www.gnu.org/software/pspp/pspp-dev/html_node/System-File-Format.html>).

use std::io::{self, Write};

use super::names::Names;

/// Bytes of a text value, of a variable's label and of a value's label (limits of SPSS).
pub const LONGEST_TEXT: usize = 32_767;
pub const LONGEST_LABEL: usize = 255;
pub const LONGEST_VALUE_LABEL: usize = 120;
/// Bytes of the file's label, and of a line of the documents.
const FILE_LABEL: usize = 64;
const LINE: usize = 80;

/// A text that is wider is stored in segments of this width.
const SEGMENT: usize = 255;
/// The width that a segment stands for: those of older programs held no more.
const COUNTED_SEGMENT: usize = 252;
/// A text up to this width is a short one: its labels and missing values are stored as numbers' are.
const SHORT_TEXT: usize = 8;

/// The value that is missing without a reason.
const SYSTEM_MISSING: f64 = -f64::MAX;
/// Whole numbers from `1 - BIAS` to `251 - BIAS` take one byte.
const BIAS: f64 = 100.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Nominal = 1,
    Ordinal = 2,
    Scale = 3,
}

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Characters, of them decimals.
    Decimal { width: u8, decimals: u8 },
    /// `2026-03-02` as `2026/03/02`, of seconds since [`EPOCH`].
    Day,
    /// `02-MAR-2026 09:30:00`, of seconds since [`EPOCH`].
    Time,
}

/// The second 0 of days and times, 1582-10-14T00:00:00, in seconds since 1970.
pub const EPOCH: i64 = -12_219_379_200;

/// A variable.
pub struct Variable {
    /// As from [`Names::long`].
    pub name: String,
    /// Cut where it is too long.
    pub label: String,
    pub measure: Measure,
    pub kind: VariableKind,
}

pub enum VariableKind {
    Number {
        format: Format,
        /// The lowest and the highest of the values that stand for a reason why there is none.
        missing: Option<(f64, f64)>,
        labels: Vec<(f64, String)>,
    },
    /// An empty text is a missing value.
    Text {
        /// The bytes of the longest one, from 1 to [`LONGEST_TEXT`].
        width: usize,
        labels: Vec<(String, String)>,
    },
}

/// Variables of ones and zeros that are the options of one question.
pub struct MultipleResponses {
    /// As from [`Names::long`].
    pub name: String,
    pub label: String,
    /// The places of the variables.
    pub variables: Vec<usize>,
}

/// What the file says of its contents.
pub struct Dictionary<'d> {
    pub label: &'d str,
    /// The local time at which the contents came about.
    pub created: chrono::NaiveDateTime,
    pub cases: u64,
    pub variables: &'d [Variable],
    pub sets: &'d [MultipleResponses],
    /// Lines for readers of the file.
    pub documents: &'d [String],
}

/// Returns the start of a text that takes at most so many bytes, with «…» at its end where it was cut.
pub fn fitting(text: &str, bytes: usize) -> String {
    const MARK: char = '…';
    if text.len() <= bytes {
        return text.to_owned();
    }
    let kept = (0..=bytes.saturating_sub(MARK.len_utf8())).rev();
    let kept = kept.into_iter().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}{MARK}", &text[..kept])
}

/// Returns the widths of the segments of a text.
fn segments(width: usize) -> Vec<usize> {
    if width <= SEGMENT {
        return vec![width];
    }
    let count = width.div_ceil(COUNTED_SEGMENT);
    let mut widths = vec![SEGMENT; count];
    widths[count - 1] = width - (count - 1) * COUNTED_SEGMENT;
    widths
}

/// A file whose values are written one by one, in the order of the variables.
pub struct SystemFile<W: Write> {
    out: W,
    /// Up to eight codes, and the values that are not in their code.
    codes: Vec<u8>,
    values: Vec<u8>,
}

impl<W: Write> SystemFile<W> {
    /// Writes everything before the first case.
    pub fn begin(mut out: W, dictionary: &Dictionary<'_>) -> io::Result<SystemFile<W>> {
        out.write_all(&dictionary.to_bytes())?;
        Ok(SystemFile { out, codes: Vec::with_capacity(8), values: Vec::with_capacity(64) })
    }

    /// Writes a number; `None`: missing without a reason.
    pub fn number(&mut self, number: Option<f64>) -> io::Result<()> {
        let Some(number) = number else { return self.unit(255, None) };
        let code = number + BIAS;
        if code.fract() == 0.0 && (1.0..=251.0).contains(&code) {
            return self.unit(code as u8, None);
        }
        self.unit(253, Some(number.to_le_bytes()))
    }

    /// Writes a text, cut to the variable's width.
    pub fn text(&mut self, text: &str, width: usize) -> io::Result<()> {
        let text = fitting(text, width);
        let mut rest = text.as_bytes();
        for segment in segments(width) {
            let (own, others) = rest.split_at(rest.len().min(segment));
            rest = others;
            for place in 0..segment.div_ceil(8) {
                let from = own.len().min(place * 8);
                let part = &own[from..own.len().min(from + 8)];
                let mut unit = [b' '; 8];
                unit[..part.len()].copy_from_slice(part);
                match unit == [b' '; 8] {
                    true => self.unit(254, None)?,
                    false => self.unit(253, Some(unit))?,
                }
            }
        }
        Ok(())
    }

    fn unit(&mut self, code: u8, value: Option<[u8; 8]>) -> io::Result<()> {
        self.codes.push(code);
        self.values.extend(value.iter().flatten());
        if self.codes.len() == 8 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.codes.resize(8, 0);
        self.out.write_all(&self.codes)?;
        self.out.write_all(&self.values)?;
        self.codes.clear();
        self.values.clear();
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.codes.is_empty() {
            self.flush()?;
        }
        Ok(self.out)
    }
}

/// A variable as it is stored: its place and the names of its segments.
struct Stored<'d> {
    variable: &'d Variable,
    /// The place of its record, from 1 on.
    index: i32,
    short_names: Vec<String>,
}

impl Dictionary<'_> {
    fn to_bytes(&self) -> Vec<u8> {
        let stored = self.stored();
        let mut bytes = self.header(&stored);
        stored.iter().for_each(|stored| stored.write_records(&mut bytes));
        write_value_labels(&mut bytes, &stored);
        self.write_documents(&mut bytes);
        self.write_extensions(&mut bytes, &stored);
        put_integers(&mut bytes, [999, 0]);
        bytes
    }

    fn stored(&self) -> Vec<Stored<'_>> {
        let mut names = Names::default();
        // All variables first: a segment takes a name that is left.
        let firsts: Vec<String> =
            self.variables.iter().map(|variable| names.short(&variable.name)).collect();
        let (mut index, mut all) = (1, Vec::new());
        for (variable, first) in self.variables.iter().zip(firsts) {
            let widths = variable.widths();
            let more = (1..widths.len()).map(|_| names.numbered(&variable.name));
            let short_names = std::iter::once(first).chain(more).collect();
            all.push(Stored { variable, index, short_names });
            index += widths.iter().map(|width| units(*width)).sum::<i32>();
        }
        all
    }

    fn header(&self, stored: &[Stored<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(b"$FL2");
        put_padded(&mut bytes, "@(#) SPSS DATA FILE fieldworkd", 60);
        let of_variable =
            |stored: &Stored<'_>| -> i32 { stored.variable.widths().into_iter().map(units).sum() };
        let size = stored.iter().map(of_variable).sum();
        // The size of a case, compressed by bytes, without a weight: who wants it sets it.
        put_integers(&mut bytes, [2, size, 1, 0, i32::try_from(self.cases).unwrap_or(-1)]);
        bytes.extend(BIAS.to_le_bytes());
        bytes.extend(self.created.format("%d %b %y%H:%M:%S").to_string().bytes());
        put_padded(&mut bytes, &fitting(self.label, FILE_LABEL), FILE_LABEL);
        bytes.extend([0; 3]);
        bytes
    }

    fn write_documents(&self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<String> = Vec::new();
        for document in self.documents {
            let mut line = String::new();
            for c in document.chars() {
                if line.len() + c.len_utf8() > LINE {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
            lines.push(line);
        }
        if !lines.is_empty() {
            put_integers(bytes, [6, lines.len() as i32]);
            lines.iter().for_each(|line| put_padded(bytes, line, LINE));
        }
    }

    /// Writes the records of type 7, in the order of their numbers.
    fn write_extensions(&self, bytes: &mut Vec<u8>, stored: &[Stored<'_>]) {
        // A version of SPSS that knows all of this, and UTF-8 in little-endian order.
        put_integers(bytes, [7, 3, 4, 8, 20, 0, 0, -1, 1, 1, 2, 65_001]);
        put_integers(bytes, [7, 4, 8, 3]);
        let lowest = f64::from_bits(0xffef_ffff_ffff_fffe);
        [SYSTEM_MISSING, f64::MAX, lowest]
            .iter()
            .for_each(|number| bytes.extend(number.to_le_bytes()));
        let sets: String = self.sets.iter().map(|set| set.to_text(stored)).collect();
        put_extension(bytes, 7, sets.as_bytes());

        let shown: Vec<[i32; 3]> = stored.iter().flat_map(|stored| stored.shown()).collect();
        put_integers(bytes, [7, 11, 4, 3 * shown.len() as i32]);
        shown.into_iter().for_each(|three| put_integers(bytes, three));

        let names = stored.iter().map(|s| format!("{}={}", s.short_names[0], s.variable.name));
        put_extension(bytes, 13, names.collect::<Vec<_>>().join("\t").as_bytes());
        let is_long = |stored: &&Stored<'_>| stored.short_names.len() > 1;
        let width = |s: &Stored<'_>| match s.variable.kind {
            VariableKind::Text { width, .. } => width,
            VariableKind::Number { .. } => 0,
        };
        let widths: String = stored
            .iter()
            .filter(is_long)
            .map(|stored| format!("{}={:05}\0\t", stored.short_names[0], width(stored)))
            .collect();
        put_extension(bytes, 14, widths.as_bytes());
        put_integers(bytes, [7, 16, 8, 2]);
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(self.cases.to_le_bytes());
        put_extension(bytes, 20, b"UTF-8");

        let (mut labels, mut missing) = (Vec::new(), Vec::new());
        for Stored { variable, .. } in stored {
            let VariableKind::Text { width, labels: own } = &variable.kind else { continue };
            if *width <= SHORT_TEXT {
                continue;
            }
            if !own.is_empty() {
                put_counted(&mut labels, variable.name.as_bytes());
                put_integers(&mut labels, [*width as i32, own.len() as i32]);
                for (code, label) in own {
                    put_integers(&mut labels, [*width as i32]);
                    put_padded(&mut labels, code, *width);
                    put_counted(&mut labels, fitting(label, LONGEST_VALUE_LABEL).as_bytes());
                }
            }
            put_counted(&mut missing, variable.name.as_bytes());
            missing.push(1);
            put_counted(&mut missing, &[b' '; 8]);
        }
        put_extension(bytes, 21, &labels);
        put_extension(bytes, 22, &missing);
    }
}

impl Variable {
    /// The widths of its segments; 0 for a number.
    fn widths(&self) -> Vec<usize> {
        match &self.kind {
            VariableKind::Number { .. } => vec![0],
            VariableKind::Text { width, .. } => segments(*width),
        }
    }
}

impl Stored<'_> {
    fn write_records(&self, bytes: &mut Vec<u8>) {
        let label = fitting(&self.variable.label, LONGEST_LABEL);
        for ((name, width), is_first) in self
            .short_names
            .iter()
            .zip(self.variable.widths())
            .zip([true].into_iter().chain(std::iter::repeat(false)))
        {
            let (format, missing) = match &self.variable.kind {
                VariableKind::Number { format, missing, .. } => (
                    format.code(),
                    missing
                        .map(|(low, high)| (-2, [low.to_le_bytes(), high.to_le_bytes()].concat())),
                ),
                // A long text has its missing values in a record of their own.
                VariableKind::Text { .. } => {
                    let is_short = self.short_names.len() == 1 && width <= SHORT_TEXT;
                    (1 << 16 | (width as i32) << 8, is_short.then(|| (1, vec![b' '; 8])))
                }
            };
            let has_label = is_first && !label.is_empty();
            let missing_count = missing.as_ref().map_or(0, |(count, _)| *count);
            let head = [2, width as i32, i32::from(has_label), missing_count, format, format];
            put_integers(bytes, head);
            put_padded(bytes, name, 8);
            if has_label {
                put_integers(bytes, [label.len() as i32]);
                put_padded(bytes, &label, label.len().next_multiple_of(4));
            }
            bytes.extend(missing.iter().flat_map(|(_, values)| values));
            for _ in 1..units(width) {
                put_integers(bytes, [2, -1, 0, 0, 0, 0]);
                put_padded(bytes, "", 8);
            }
        }
    }

    /// Returns the measure, the width of the column and the alignment of each segment.
    fn shown(&self) -> Vec<[i32; 3]> {
        let width = match &self.variable.kind {
            VariableKind::Number { format: Format::Decimal { width, .. }, .. } => {
                i32::from(*width).clamp(8, 20)
            }
            VariableKind::Number { format: Format::Day, .. } => 10,
            VariableKind::Number { format: Format::Time, .. } => 20,
            VariableKind::Text { width, .. } => (*width).clamp(8, 40) as i32,
        };
        let is_text = matches!(self.variable.kind, VariableKind::Text { .. });
        let one = [self.variable.measure as i32, width, i32::from(!is_text)];
        vec![one; self.short_names.len()]
    }

    /// Returns the labels of a number or of a short text, by their eight bytes.
    fn short_labels(&self) -> Vec<([u8; 8], &str)> {
        match &self.variable.kind {
            VariableKind::Number { labels, .. } => {
                labels.iter().map(|(value, label)| (value.to_le_bytes(), label.as_str())).collect()
            }
            VariableKind::Text { width, labels } if *width <= SHORT_TEXT => labels
                .iter()
                .map(|(code, label)| {
                    let mut value = [b' '; 8];
                    let bytes = &code.as_bytes()[..code.len().min(8)];
                    value[..bytes.len()].copy_from_slice(bytes);
                    (value, label.as_str())
                })
                .collect(),
            VariableKind::Text { .. } => Vec::new(),
        }
    }
}

impl MultipleResponses {
    fn to_text(&self, stored: &[Stored<'_>]) -> String {
        let label = fitting(&self.label, LONGEST_LABEL);
        let variables: String = self
            .variables
            .iter()
            .map(|at| format!(" {}", stored[*at].short_names[0].to_ascii_lowercase()))
            .collect();
        format!("${}=D1 1 {} {label}{variables}\n", self.name, label.len())
    }
}

impl Format {
    fn code(self) -> i32 {
        let of = |kind: i32, width: u8, decimals: u8| {
            kind << 16 | i32::from(width) << 8 | i32::from(decimals)
        };
        match self {
            Format::Decimal { width, decimals } => of(5, width, decimals),
            Format::Day => of(39, 10, 0),
            Format::Time => of(22, 20, 0),
        }
    }
}

/// The labels of the values of one variable or of several.
struct LabelSet<'d> {
    labels: Vec<([u8; 8], &'d str)>,
    is_text: bool,
    /// The places of the variables.
    indices: Vec<i32>,
}

/// Writes the labels of values, each set once for all variables that have it.
fn write_value_labels(bytes: &mut Vec<u8>, stored: &[Stored<'_>]) {
    let mut sets: Vec<LabelSet<'_>> = Vec::new();
    for one in stored {
        let labels = one.short_labels();
        let is_text = matches!(one.variable.kind, VariableKind::Text { .. });
        match sets.iter_mut().find(|set| set.labels == labels && set.is_text == is_text) {
            _ if labels.is_empty() => {}
            Some(set) => set.indices.push(one.index),
            None => sets.push(LabelSet { labels, is_text, indices: vec![one.index] }),
        }
    }
    for LabelSet { labels, indices, .. } in sets {
        put_integers(bytes, [3, labels.len() as i32]);
        for (value, label) in labels {
            let label = fitting(label, LONGEST_VALUE_LABEL);
            bytes.extend(value);
            bytes.push(label.len() as u8);
            put_padded(bytes, &label, (label.len() + 1).next_multiple_of(8) - 1);
        }
        put_integers(bytes, [4, indices.len() as i32]);
        put_integers(bytes, indices);
    }
}

/// The number of eight-byte units of a segment; 0 is the width of a number.
fn units(width: usize) -> i32 {
    width.div_ceil(8).max(1) as i32
}

fn put_integers(bytes: &mut Vec<u8>, integers: impl IntoIterator<Item = i32>) {
    integers.into_iter().for_each(|integer| bytes.extend(integer.to_le_bytes()));
}

/// Puts a text with spaces behind it.
fn put_padded(bytes: &mut Vec<u8>, text: &str, width: usize) {
    bytes.extend(text.bytes());
    bytes.extend(std::iter::repeat_n(b' ', width.saturating_sub(text.len())));
}

fn put_counted(bytes: &mut Vec<u8>, content: &[u8]) {
    put_integers(bytes, [content.len() as i32]);
    bytes.extend(content);
}

/// Puts a record of type 7 that consists of single bytes, unless it is empty.
fn put_extension(bytes: &mut Vec<u8>, subtype: i32, content: &[u8]) {
    if !content.is_empty() {
        put_integers(bytes, [7, subtype, 1]);
        put_counted(bytes, content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, bytes, expected) in [
            ("满意", 6, "满意"),
            ("满意", 5, "…"),
            ("很满意", 8, "很…"),
            ("😀😀", 7, "😀…"),
            ("abcdef", 5, "ab…"),
        ] {
            assert_eq!(fitting(text, bytes), expected);
            assert!(expected.len() <= bytes);
        }
    }

    /// The example of the guide: 79 segments of 255 bytes and one of 92.
    #[test]
    fn a_wide_text_has_segments() {
        let widths = segments(20_000);
        assert_eq!((widths.len(), widths[0], widths[79]), (80, 255, 92));
        assert_eq!(segments(255), [255]);
        assert_eq!(segments(256), [255, 4]);
        // tiamo/spss#44: no segment is empty.
        assert!((1..=LONGEST_TEXT).all(|width| segments(width).iter().all(|width| *width > 0)));
    }

    #[test]
    fn numbers_take_a_byte_or_eight() {
        let dictionary = Dictionary {
            label: "",
            created: chrono::NaiveDateTime::default(),
            cases: 0,
            variables: &[],
            sets: &[],
            documents: &[],
        };
        let head = dictionary.to_bytes().len();
        let mut file = SystemFile::begin(Vec::new(), &dictionary).unwrap();
        for number in [Some(-99.0), Some(151.0), Some(-100.0), Some(0.5), None] {
            file.number(number).unwrap();
        }
        file.text("ab", 9).unwrap();
        let written = file.finish().unwrap();
        assert_eq!(written[head..head + 8], [1, 251, 253, 253, 255, 253, 254, 0]);
        assert_eq!(written.len(), head + 8 + 3 * 8);
        assert!(written.ends_with(b"ab      "));
    }
}
