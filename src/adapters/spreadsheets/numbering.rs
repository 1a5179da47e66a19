//! Word's own numbers of paragraphs (ECMA-376, 17.9): `word/numbering.xml` says how the lists count,
//! `word/styles.xml` which styles are numbered. Such a number is in no text; Word counts when it
//! shows the document, and so does [`Numbering::next`].

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read, Seek};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::ods::attribute;

const LEVELS: usize = 9;
/// Lists, styles and styles that a style is based on.
const MAX_ENTRIES: usize = 20_000;
const MAX_BASES: usize = 20;
/// Characters of a label; Word has 255 for its text.
const MAX_LABEL: usize = 300;

#[derive(Debug, Clone, Default)]
struct Level {
    format: String,
    /// Such as `%1.`, with the numbers of the levels in it.
    text: String,
    start: u32,
    is_legal: bool,
}

#[derive(Debug, Default)]
struct Abstract {
    levels: [Level; LEVELS],
    /// The style whose list it stands for.
    style: Option<String>,
}

#[derive(Debug, Default)]
struct Number {
    of: u32,
    /// Where a list begins anew, by its level.
    starts: [Option<u32>; LEVELS],
    levels: HashMap<usize, Level>,
}

#[derive(Debug, Default, Clone)]
struct Style {
    based_on: Option<String>,
    number: Option<u32>,
    level: Option<u32>,
}

/// The lists of a document, and how far each has counted.
#[derive(Default)]
pub struct Numbering {
    abstracts: HashMap<u32, Abstract>,
    numbers: HashMap<u32, Number>,
    styles: HashMap<String, Style>,
    counts: HashMap<u32, [Option<u32>; LEVELS]>,
    begun: HashSet<u32>,
}

impl Numbering {
    /// Reads the lists of a document. What cannot be read numbers nothing.
    pub fn read<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Numbering {
        let mut numbering = Numbering::default();
        if let Ok(part) = archive.by_name("word/numbering.xml") {
            numbering.read_lists(part);
        }
        if !numbering.numbers.is_empty()
            && let Ok(part) = archive.by_name("word/styles.xml")
        {
            numbering.read_styles(part);
        }
        numbering
    }

    fn read_lists(&mut self, part: impl Read) {
        let mut of_abstract: Option<(u32, Abstract)> = None;
        let mut number: Option<(u32, Number)> = None;
        let mut level: Option<(usize, Level)> = None;
        let mut overridden = 0usize;
        for_each_tag(part, |tag| match tag {
            Tag::Start(name, tag) => {
                let value = || attribute(tag, "w:val");
                let figure = |key| attribute(tag, key).and_then(|n| n.parse::<u32>().ok());
                let place = || (figure("w:ilvl").unwrap_or(0) as usize).min(LEVELS - 1);
                match name {
                    "abstractNum" => {
                        of_abstract = figure("w:abstractNumId").map(|id| (id, Abstract::default()));
                    }
                    "numStyleLink" => {
                        if let Some((_, of_abstract)) = &mut of_abstract {
                            of_abstract.style = value();
                        }
                    }
                    "num" => number = figure("w:numId").map(|id| (id, Number::default())),
                    "abstractNumId" => {
                        if let Some((_, number)) = &mut number {
                            number.of = figure("w:val").unwrap_or(u32::MAX);
                        }
                    }
                    "lvlOverride" => overridden = place(),
                    "startOverride" => {
                        if let Some((_, number)) = &mut number {
                            number.starts[overridden] = figure("w:val");
                        }
                    }
                    "lvl" => {
                        let new = Level { format: "decimal".into(), start: 0, ..Level::default() };
                        level = Some((place(), new));
                    }
                    _ => {
                        let Some((_, level)) = &mut level else { return };
                        match name {
                            "start" => level.start = figure("w:val").unwrap_or(0),
                            "numFmt" => level.format = value().unwrap_or_default(),
                            "lvlText" => level.text = value().unwrap_or_default(),
                            "isLgl" => level.is_legal = value().as_deref() != Some("0"),
                            _ => {}
                        }
                    }
                }
            }
            Tag::End("lvl") => {
                let Some((place, level)) = level.take() else { return };
                match (&mut of_abstract, &mut number) {
                    (Some((_, of_abstract)), _) => of_abstract.levels[place] = level,
                    (None, Some((_, number))) => _ = number.levels.insert(place, level),
                    _ => {}
                }
            }
            Tag::End("abstractNum") => {
                if let Some((id, read)) = of_abstract.take()
                    && self.abstracts.len() < MAX_ENTRIES
                {
                    self.abstracts.insert(id, read);
                }
            }
            Tag::End("num") => {
                if let Some((id, read)) = number.take()
                    && self.numbers.len() < MAX_ENTRIES
                {
                    self.numbers.insert(id, read);
                }
            }
            Tag::End(_) => {}
        });
    }

    fn read_styles(&mut self, part: impl Read) {
        let mut style: Option<(String, Style)> = None;
        for_each_tag(part, |tag| match tag {
            Tag::Start("style", tag) => {
                style = attribute(tag, "w:styleId").map(|id| (id, Style::default()));
            }
            Tag::Start(name, tag) => {
                let Some((_, style)) = &mut style else { return };
                let value = attribute(tag, "w:val");
                let figure = || value.as_deref().and_then(|n| n.parse().ok());
                match name {
                    "basedOn" => style.based_on = value,
                    "numId" => style.number = figure(),
                    "ilvl" => style.level = figure(),
                    _ => {}
                }
            }
            Tag::End("style") => {
                if let Some((id, read)) = style.take()
                    && self.styles.len() < MAX_ENTRIES
                {
                    self.styles.insert(id, read);
                }
            }
            Tag::End(_) => {}
        });
    }

    /// Counts a paragraph of this style and list. Returns its number as Word shows it: `1.`, `（一）`;
    /// `None`: it has none, or a sign.
    pub fn next(
        &mut self,
        style: Option<&str>,
        number: Option<u32>,
        level: Option<u32>,
    ) -> Option<String> {
        if self.numbers.is_empty() {
            return None;
        }
        let of_style = style.map(|style| self.of_style(style)).unwrap_or_default();
        // Number 0 takes a paragraph out of the list of its style.
        let id = number.or(of_style.number).filter(|id| *id != 0)?;
        let level = (level.or(of_style.level).unwrap_or(0) as usize).min(LEVELS - 1);
        let list = self.list_of(id)?;
        let number = self.numbers.get(&id)?;
        let of_abstract = self.abstracts.get(&list)?;
        let level_at =
            |place: usize| number.levels.get(&place).unwrap_or(&of_abstract.levels[place]);
        let counts = self.counts.entry(list).or_default();
        if self.begun.insert(id) {
            for (count, start) in counts.iter_mut().zip(number.starts) {
                *count = if start.is_some() { None } else { *count };
            }
        }
        let start_at = |place: usize| number.starts[place].unwrap_or_else(|| level_at(place).start);
        counts[level] =
            Some(counts[level].map_or_else(|| start_at(level), |count| count.saturating_add(1)));
        counts[level + 1..].fill(None);
        let Level { format, text, is_legal, .. } = level_at(level);
        if matches!(format.as_str(), "bullet" | "none") {
            return None;
        }
        let mut label = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            label.push_str(before);
            let place = after.chars().next().and_then(|c| c.to_digit(10)).filter(|n| *n >= 1);
            match place {
                Some(place) => {
                    let place = place as usize - 1;
                    let count = counts[place].unwrap_or_else(|| start_at(place));
                    let format = if *is_legal { "decimal" } else { &level_at(place).format };
                    label.push_str(&written(count, format));
                    rest = &after[1..];
                }
                None => {
                    label.push('%');
                    rest = after;
                }
            }
        }
        label.push_str(rest);
        let label: String = label.trim().chars().take(MAX_LABEL).collect();
        // A bare number would run into the words behind it.
        let is_bare = label.ends_with(|c: char| c.is_ascii_alphanumeric());
        (!label.is_empty()).then(|| if is_bare { format!("{label}.") } else { label })
    }

    /// The list and the level that a style has, from itself or what it is based on.
    fn of_style(&self, style: &str) -> Style {
        let mut found = Style::default();
        let mut name = Some(style.to_owned());
        for _ in 0..MAX_BASES {
            let Some(style) = name.take().and_then(|name| self.styles.get(&name)) else { break };
            found.number = found.number.or(style.number);
            found.level = found.level.or(style.level);
            name.clone_from(&style.based_on);
        }
        found
    }

    /// The list that a number belongs to, through the style that it stands for.
    fn list_of(&self, id: u32) -> Option<u32> {
        let list = self.numbers.get(&id)?.of;
        match self.abstracts.get(&list)?.style.as_deref() {
            Some(style) => {
                let of_style = self.of_style(style).number?;
                Some(self.numbers.get(&of_style)?.of)
            }
            None => Some(list),
        }
    }
}

enum Tag<'a, 'b> {
    Start(&'a str, &'a BytesStart<'b>),
    End(&'a str),
}

fn for_each_tag(part: impl Read, mut each: impl FnMut(Tag<'_, '_>)) {
    let mut reader = Reader::from_reader(BufReader::new(part));
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => each(Tag::Start(tag.local_name().as_ref(), &tag)),
            Ok(Event::End(tag)) => each(Tag::End(tag.local_name().as_ref())),
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Writes a number in a format of ECMA-376, 17.18.59; one that is not known, in digits.
fn written(number: u32, format: &str) -> String {
    let of = |signs: &str| -> Option<String> {
        let place = (number as usize).checked_sub(1)?;
        signs.chars().nth(place).map(String::from)
    };
    match format {
        "none" => String::new(),
        "decimalZero" => format!("{number:02}"),
        "upperLetter" => letters(number, 'A'),
        "lowerLetter" => letters(number, 'a'),
        "upperRoman" => roman(number),
        "lowerRoman" => roman(number).to_lowercase(),
        "chineseCounting"
        | "chineseCountingThousand"
        | "japaneseCounting"
        | "taiwaneseCounting"
        | "taiwaneseCountingThousand" => chinese(number, "〇一二三四五六七八九", "十百千"),
        "ideographDigital" | "japaneseDigitalTenThousand" | "taiwaneseDigital" => number
            .to_string()
            .chars()
            .filter_map(|c| "〇一二三四五六七八九".chars().nth(c.to_digit(10)? as usize))
            .collect(),
        "chineseLegalSimplified" => chinese(number, "零壹贰叁肆伍陆柒捌玖", "拾佰仟"),
        "ideographLegalTraditional" => chinese(number, "零壹貳參肆伍陸柒捌玖", "拾佰仟"),
        "ideographTraditional" => of("甲乙丙丁戊己庚辛壬癸").unwrap_or_else(|| number.to_string()),
        "ideographZodiac" => of("子丑寅卯辰巳午未申酉戌亥").unwrap_or_else(|| number.to_string()),
        "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" => {
            of("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳").unwrap_or_else(|| number.to_string())
        }
        "decimalFullWidth" | "decimalFullWidth2" => number
            .to_string()
            .chars()
            .filter_map(|c| "０１２３４５６７８９".chars().nth(c.to_digit(10)? as usize))
            .collect(),
        _ => number.to_string(),
    }
}

/// A, …, Z, AA, BB, …
fn letters(number: u32, first: char) -> String {
    let Some(place) = number.checked_sub(1) else { return String::new() };
    let letter = char::from_u32(first as u32 + place % 26).unwrap_or(first);
    std::iter::repeat_n(letter, (place / 26 + 1).min(30) as usize).collect()
}

fn roman(number: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut rest = if number < 4_000 { number } else { return number.to_string() };
    let mut text = String::new();
    for (value, sign) in SIGNS {
        while rest >= value {
            text.push_str(sign);
            rest -= value;
        }
    }
    text
}

/// 一, 十, 十一, 二十, 一百〇一; with ten thousands or more, in digits.
fn chinese(number: u32, digits: &str, units: &str) -> String {
    if number > 9_999 {
        return number.to_string();
    }
    let digit = |n: u32| digits.chars().nth(n as usize).unwrap_or_default();
    if number == 0 {
        return digit(0).to_string();
    }
    let (mut text, mut has_gap) = (String::new(), false);
    for (power, unit) in [
        (3u32, units.chars().nth(2)),
        (2, units.chars().nth(1)),
        (1, units.chars().next()),
        (0, None),
    ] {
        let n = number / 10u32.pow(power) % 10;
        if n == 0 {
            has_gap = !text.is_empty();
            continue;
        }
        if has_gap {
            text.push(digit(0));
            has_gap = false;
        }
        // 十一, not 一十一.
        if !(power == 1 && n == 1 && text.is_empty()) {
            text.push(digit(n));
        }
        text.extend(unit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::adapters::spreadsheets::{Sheets, read_here};

    #[test]
    fn numbers_are_written_as_word_shows_them() {
        for (number, format, expected) in [
            (12, "decimal", "12"),
            (3, "decimalZero", "03"),
            (28, "lowerLetter", "bb"),
            (14, "upperRoman", "XIV"),
            (10, "chineseCounting", "十"),
            (21, "chineseCountingThousand", "二十一"),
            (101, "japaneseCounting", "一百〇一"),
            (3, "chineseLegalSimplified", "叁"),
            (12, "ideographDigital", "一二"),
            (2, "ideographTraditional", "乙"),
            (11, "ideographTraditional", "11"),
            (3, "decimalEnclosedCircleChinese", "③"),
            (10, "decimalFullWidth", "１０"),
            (7, "hebrew1", "7"),
            (0, "chineseCounting", "〇"),
        ] {
            assert_eq!(written(number, format), expected, "{number} {format}");
        }
    }

    fn level(place: u32, format: &str, text: &str) -> String {
        format!(
            "<w:lvl w:ilvl=\"{place}\"><w:start w:val=\"1\"/><w:numFmt w:val=\"{format}\"/>\
             <w:lvlText w:val=\"{text}\"/></w:lvl>"
        )
    }

    fn paragraph(properties: &str, text: &str) -> String {
        format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    }

    fn of_list(number: u32, level: u32) -> String {
        format!("<w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{number}\"/></w:numPr>")
    }

    fn cells(body: &str) -> Vec<String> {
        let lists = format!(
            "<w:numbering xmlns:w=\"w\"><w:abstractNum w:abstractNumId=\"5\">{}{}</w:abstractNum>\
             <w:abstractNum w:abstractNumId=\"6\">{}</w:abstractNum>\
             <w:abstractNum w:abstractNumId=\"7\">{}</w:abstractNum>\
             <w:abstractNum w:abstractNumId=\"8\"><w:numStyleLink w:val=\"Lists\"/></w:abstractNum>\
             <w:num w:numId=\"1\"><w:abstractNumId w:val=\"5\"/></w:num>\
             <w:num w:numId=\"2\"><w:abstractNumId w:val=\"5\"/><w:lvlOverride w:ilvl=\"0\">\
             <w:startOverride w:val=\"1\"/></w:lvlOverride></w:num>\
             <w:num w:numId=\"3\"><w:abstractNumId w:val=\"6\"/></w:num>\
             <w:num w:numId=\"4\"><w:abstractNumId w:val=\"7\"/></w:num>\
             <w:num w:numId=\"5\"><w:abstractNumId w:val=\"8\"/></w:num></w:numbering>",
            level(0, "decimal", "%1、"),
            level(1, "lowerLetter", "%1.%2)"),
            level(0, "chineseCounting", "（%1）"),
            level(0, "bullet", "l"),
        );
        let styles = "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"Base\"><w:pPr><w:numPr>\
            <w:numId w:val=\"3\"/></w:numPr></w:pPr></w:style><w:style w:styleId=\"Own\">\
            <w:basedOn w:val=\"Base\"/></w:style><w:style w:styleId=\"Lists\"><w:pPr><w:numPr>\
            <w:numId w:val=\"3\"/></w:numPr></w:pPr></w:style><w:style w:styleId=\"Subtitle\">\
            <w:pPr><w:numPr><w:ilvl w:val=\"1\"/></w:numPr></w:pPr></w:style></w:styles>";
        let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in [
            ("word/document.xml", document.as_str()),
            ("word/numbering.xml", &lists),
            ("word/styles.xml", styles),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let content = zip.finish().unwrap().into_inner();
        let sheets = read_here(&content, Sheets::Visible).unwrap();
        sheets[0].rows.iter().flat_map(|row| row.cells.clone()).collect()
    }

    fn table(cells: &[String]) -> String {
        let cells: String = cells.iter().map(|cell| format!("<w:tc>{cell}</w:tc>")).collect();
        format!("<w:tbl><w:tr>{cells}</w:tr></w:tbl>")
    }

    /// python-docx#180, #471 and #1454, python-docx2txt#24, xberg#1550: the numbers of a list are in
    /// no text of the document.
    #[test]
    fn lists_count_across_cells_begin_anew_and_restart_below() {
        let told = cells(&table(&[
            [
                paragraph(&of_list(1, 0), "甲产品"),
                paragraph("", "型号H3"),
                paragraph(&of_list(1, 1), "一"),
                paragraph(&of_list(1, 1), "二"),
                paragraph(&of_list(1, 0), ""),
                paragraph(&of_list(1, 0), "乙产品"),
                paragraph(&of_list(1, 1), "三"),
            ]
            .concat(),
            paragraph(&of_list(1, 0), "丙产品"),
            [paragraph(&of_list(2, 0), "丁产品"), paragraph(&of_list(2, 0), "戊")].concat(),
            paragraph(&of_list(4, 0), "圆点"),
            paragraph(&of_list(99, 0), "没有"),
        ]));
        assert_eq!(
            told,
            [
                "1、 甲产品\n型号H3\n1.a) 一\n1.b) 二\n\n3、 乙产品\n3.a) 三",
                "4、 丙产品",
                "1、 丁产品\n2、 戊",
                "圆点",
                "没有",
            ]
        );
    }

    /// all2md#485: the list may be that of the style, or of what it is based on; a style with a level
    /// alone is none; pydocx#52: a document may lack the part.
    #[test]
    fn styles_number_and_number_zero_does_not() {
        let style = |name: &str| format!("<w:pStyle w:val=\"{name}\"/>");
        let before =
            "<w:pPrChange><w:pPr><w:numPr><w:numId w:val=\"1\"/></w:numPr></w:pPr></w:pPrChange>";
        let told = cells(&table(&[
            paragraph(&style("Own"), "甲"),
            paragraph(&of_list(5, 0), "乙"),
            paragraph(&format!("{}{}", style("Own"), of_list(0, 0)), "丙"),
            paragraph(&style("Subtitle"), "丁"),
            paragraph(before, "戊"),
        ]));
        assert_eq!(told, ["（一） 甲", "（二） 乙", "丙", "丁", "戊"]);
    }

    #[test]
    fn a_number_before_a_person_is_no_part_of_the_name() {
        let told =
            cells(&table(&[paragraph(&of_list(1, 0), "王伟"), paragraph("", "138 0013 8000")]));
        assert_eq!(told, ["王伟", "138 0013 8000"]);
    }

    #[test]
    fn outside_tables_nothing_is_numbered() {
        let told = cells(&paragraph(&of_list(1, 0), "王\t13800138000"));
        assert_eq!(told, ["王", "13800138000"]);
    }
}
