//! Word documents (ECMA-376): the tables of `word/document.xml`, each with the text before it as its
//! name. Ticks come out as signs, however they were made: as a character, a symbol of Wingdings, a
//! content control or a form field. In a cell, the numbers of Word's own lists are written out.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::merged::is_number;
use super::numbering::Numbering;
use super::ods::attribute;
use super::{MAX_TEXT, Result, SparseRows, SpreadsheetError, archive, too_much_text};

/// The part that makes a ZIP a Word document.
pub const DOCUMENT: &str = "word/document.xml";

const TICKED: char = '☑';
const NOT_TICKED: char = '□';
/// A table has 63 columns at most in Word.
const MAX_COLUMNS: u32 = 1_000;

/// Rows of a frame above a table in it that are a part of its name.
const MAX_TITLES: usize = 5;

/// A cell being read.
struct OpenCell {
    span: u32,
    /// It belongs to the cell above, which has the text.
    continues: bool,
    /// Cells below may belong to it.
    is_merged: bool,
    text: String,
    /// Characters that are struck through, and others.
    struck: usize,
    standing: usize,
    /// Where the numbers of Word's lists stand in the text.
    labels: Vec<Range<usize>>,
}

/// What the properties of a paragraph say about its number.
#[derive(Default)]
struct ParagraphList {
    style: Option<String>,
    number: Option<u32>,
    level: Option<u32>,
}

/// A content control being read: whether its box is ticked, if it is one, and where its text begins.
struct OpenControl {
    is_ticked: Option<bool>,
    text_from: usize,
}

/// A table being read, which may stand in a cell of another.
#[derive(Default)]
struct OpenTable {
    rows: SparseRows,
    row: u32,
    column: u32,
    cell: Option<OpenCell>,
    /// The cells of the row, by their columns.
    cells: Vec<(u32, OpenCell)>,
    /// By column: the first and the last row of a merged cell that may go on.
    merges: BTreeMap<u32, (u32, u32)>,
    is_in_row_properties: bool,
    /// The row was deleted while changes were tracked, or is hidden.
    row_is_deleted: bool,
    row_is_hidden: bool,
}

impl OpenTable {
    /// Whether it has rows and columns of its own, and is no more than a part of its cell.
    fn is_grid(&self) -> bool {
        let rows = self.rows.rows.len();
        let columns = self.rows.rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
        rows > 1 && columns > 1
    }

    /// Its text, a line for each row.
    fn text(&self) -> String {
        let line = |(_, cells): &(u32, Vec<(u32, String)>)| {
            cells.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")
        };
        self.rows.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Default)]
struct Document {
    /// The text since the last table.
    before: String,
    /// The open tables, the outermost first.
    tables: Vec<OpenTable>,
    /// Tables that have ended, with the text before them.
    ended: Vec<(String, SparseRows)>,
    controls: Vec<OpenControl>,
    field_is_ticked: Option<bool>,
    is_in_run: bool,
    is_in_text: bool,
    is_hidden: bool,
    is_struck: bool,
    /// Depth within what is not shown: what was moved away, what was before a change, and copies for
    /// old programs.
    skipped: u32,
    text: usize,
    numbering: Numbering,
    list: ParagraphList,
    /// The number of this paragraph, until its text begins.
    label: Option<String>,
    /// Whether the run is in Wingdings, whose letters are signs: its second font, or the first.
    font_of_signs: Option<bool>,
}

/// Passes each table to `add`, with the text before it. What follows the last table is a name without
/// rows. A document without tables is one table: a row for each paragraph, its cells between tabs.
pub fn for_each_table(
    bytes: &[u8],
    add: &mut impl FnMut(String, SparseRows) -> Result<bool>,
) -> Result<()> {
    let mut archive = archive(bytes)?;
    let numbering = Numbering::read(&mut archive);
    let content = archive.by_name(DOCUMENT).map_err(SpreadsheetError::unreadable)?;
    let mut reader = Reader::from_reader(BufReader::new(content));
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut document, mut tables) =
        (Vec::new(), Document { numbering, ..Document::default() }, 0u32);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(SpreadsheetError::unreadable)? {
            Event::Start(tag) => document.start(&tag),
            Event::End(tag) => {
                document.end(tag.local_name().as_ref())?;
                for (name, rows) in document.ended.drain(..) {
                    tables += 1;
                    if add(name, rows)? {
                        return Ok(());
                    }
                }
            }
            Event::Text(text) => document.add_text(&text)?,
            Event::CData(text) => document.add_text(&text)?,
            Event::GeneralRef(entity) => {
                let raw = format!("&{};", &*entity);
                let text = quick_xml::escape::unescape(&raw).map(|text| text.into_owned());
                document.add_text(&text.map_err(SpreadsheetError::unreadable)?)?;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if tables > 0 {
        add(document.before.trim().to_owned(), SparseRows::default())?;
        return Ok(());
    }
    let mut rows = SparseRows::default();
    for (line, row) in document.before.lines().zip(0..) {
        for (cell, column) in line.split('\t').zip(0..MAX_COLUMNS) {
            rows.add((row, column), cell.trim().to_owned())?;
        }
    }
    add(String::new(), rows)?;
    Ok(())
}

impl Document {
    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        let name = name.as_ref();
        let is_not_shown =
            matches!(name, "Fallback" | "moveFrom" | "pPrChange" | "tcPrChange" | "trPrChange");
        if self.skipped > 0 || is_not_shown {
            self.skipped += 1;
            return;
        }
        let value = || attribute(tag, "w:val");
        let is_on = || !matches!(value().as_deref(), Some("0" | "false" | "off"));
        match name {
            "tbl" => self.tables.push(OpenTable::default()),
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.column = 0;
                    (table.row_is_deleted, table.row_is_hidden) = (false, false);
                }
            }
            "trPr" | "del" | "hidden" => {
                if let Some(table) = self.tables.last_mut() {
                    match name {
                        "trPr" => table.is_in_row_properties = true,
                        "del" => table.row_is_deleted |= table.is_in_row_properties,
                        _ if table.is_in_row_properties => table.row_is_hidden = is_on(),
                        _ => {}
                    }
                }
            }
            "gridBefore" => {
                if let Some(table) = self.tables.last_mut() {
                    table.column += number(value());
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cell = Some(OpenCell {
                        span: 1,
                        continues: false,
                        is_merged: false,
                        text: String::new(),
                        struck: 0,
                        standing: 0,
                        labels: Vec::new(),
                    });
                }
            }
            "gridSpan" => {
                if let Some(cell) = self.cell() {
                    cell.span = number(value()).max(1);
                }
            }
            "vMerge" => {
                if let Some(cell) = self.cell() {
                    cell.continues = value().as_deref() != Some("restart");
                    cell.is_merged = true;
                }
            }
            "p" => (self.list, self.label) = (ParagraphList::default(), None),
            "pStyle" => self.list.style = value(),
            "numId" => self.list.number = value().and_then(|id| id.parse().ok()),
            "ilvl" => self.list.level = value().and_then(|level| level.parse().ok()),
            "r" => {
                (self.is_in_run, self.font_of_signs) = (true, None);
                (self.is_hidden, self.is_struck) = (false, false);
            }
            "rFonts" if self.is_in_run => {
                let font = ["w:ascii", "w:hAnsi", "w:cs"].iter().find_map(|n| attribute(tag, n));
                let font = font.filter(|font| font.starts_with("Wingdings"));
                self.font_of_signs = font.map(|font| font.contains('2'));
            }
            "vanish" if self.is_in_run => self.is_hidden = is_on(),
            "strike" | "dstrike" if self.is_in_run => self.is_struck = is_on(),
            "t" => self.is_in_text = self.is_in_run,
            "tab" if self.is_in_run => self.push('\t'),
            "br" | "cr" if self.is_in_run => self.push('\n'),
            "sym" => {
                let font = attribute(tag, "w:font").unwrap_or_default();
                if let Some(sign) = symbol(&font, attribute(tag, "w:char").as_deref()) {
                    self.push(sign);
                }
            }
            "sdt" => {
                let text_from = self.target().len();
                self.controls.push(OpenControl { is_ticked: None, text_from });
            }
            // A content control's box; a form field's stands in `checkBox`.
            "checked" if self.field_is_ticked.is_none() => {
                if let Some(control) = self.controls.last_mut() {
                    control.is_ticked = Some(is_on());
                }
            }
            "checkBox" => self.field_is_ticked = Some(false),
            "default" | "checked" if self.field_is_ticked.is_some() => {
                self.field_is_ticked = Some(is_on());
            }
            _ => {}
        }
    }

    /// The text of the innermost open cell.
    fn cell_text(&self) -> Option<&str> {
        Some(self.tables.last()?.cell.as_ref()?.text.as_str())
    }

    /// The innermost open cell.
    fn cell(&mut self) -> Option<&mut OpenCell> {
        self.tables.last_mut()?.cell.as_mut()
    }

    fn end(&mut self, name: &str) -> Result<()> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(());
        }
        match name {
            "t" => self.is_in_text = false,
            "r" => self.is_in_run = false,
            "trPr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.is_in_row_properties = false;
                }
            }
            "pPr" => {
                let ParagraphList { style, number, level } = std::mem::take(&mut self.list);
                // Above the tables it would become part of their names, and in a list without tables
                // part of the people's.
                let label = self.numbering.next(style.as_deref(), number, level);
                self.label = label.filter(|_| self.cell().is_some());
            }
            "p" => {
                self.label = None;
                self.push('\n');
            }
            "checkBox" => {
                if let Some(is_ticked) = self.field_is_ticked.take() {
                    self.push(if is_ticked { TICKED } else { NOT_TICKED });
                }
            }
            "sdt" => {
                if let Some(OpenControl { is_ticked: Some(is_ticked), text_from }) =
                    self.controls.pop()
                {
                    let own = self.target().get(text_from..).unwrap_or_default();
                    if !own.contains(is_box) {
                        self.push(if is_ticked { TICKED } else { NOT_TICKED });
                    }
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut()
                    && let Some(cell) = table.cell.take()
                {
                    table.follow_merge(&cell);
                    let (column, span) = (table.column, cell.span);
                    if column < MAX_COLUMNS && !cell.continues {
                        table.cells.push((column, cell));
                    }
                    table.column = column.saturating_add(span);
                }
            }
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.end_row()?;
                    table.row += 1;
                }
            }
            "tbl" => self.end_table(),
            _ => {}
        }
        Ok(())
    }

    /// Ends a table. One in a cell of another is a table of its own where it has rows and columns, as
    /// a form or a list in a frame does, and else a part of its cell.
    fn end_table(&mut self) {
        let Some(mut table) = self.tables.pop() else { return };
        for (column, (first, last)) in std::mem::take(&mut table.merges) {
            table.rows.merge((first, column), last);
        }
        let name = match self.tables.as_slice() {
            [] => std::mem::take(&mut self.before),
            _ if table.is_grid() => {
                // What stands above the frame and, in its rows and its cell, above the table.
                let is_first = self.tables.iter().all(|outer| outer.rows.rows.is_empty());
                let above = if is_first { std::mem::take(&mut self.before) } else { String::new() };
                let mut name = above.trim().to_owned();
                let outer = self.tables.last();
                let rows = outer.map_or(&[][..], |outer| outer.rows.rows.as_slice());
                let titles = rows.iter().rev().map_while(|(_, cells)| match cells.as_slice() {
                    [(_, title)] => Some(title.as_str()),
                    _ => None,
                });
                let mut titles: Vec<&str> = titles.take(MAX_TITLES).collect();
                titles.reverse();
                titles.extend(self.cell_text());
                for title in titles {
                    name.push('\n');
                    name.push_str(title.trim());
                }
                name
            }
            _ => {
                let text = table.text();
                if let Some(cell) = self.cell() {
                    cell.text.push_str(&text);
                    cell.text.push(' ');
                }
                return;
            }
        };
        self.ended.push((name.trim().to_owned(), table.rows));
    }

    fn add_text(&mut self, text: &str) -> Result<()> {
        if self.is_in_text && !self.is_hidden && self.skipped == 0 {
            if let Some(label) = self.label.take_if(|_| !text.trim().is_empty()) {
                self.text += label.len();
                let from = self.target().len();
                label.chars().for_each(|c| self.push(c));
                self.push(' ');
                let until = self.target().len();
                self.cell().into_iter().for_each(|cell| cell.labels.push(from..until));
            }
            self.text += text.len();
            if self.text > MAX_TEXT {
                return Err(too_much_text());
            }
            let length = text.chars().filter(|c| !c.is_whitespace()).count();
            let is_struck = self.is_struck;
            if let Some(cell) = self.cell() {
                *(if is_struck { &mut cell.struck } else { &mut cell.standing }) += length;
            }
            let signs = self.font_of_signs;
            // Letters of a font of signs are what they look like in it.
            let shown = |c: char| match (signs, u32::from(c)) {
                (Some(is_second), code @ (0..=0xff | 0xf000..=0xf0ff)) => {
                    sign(is_second, code & 0xff).unwrap_or(c)
                }
                _ => c,
            };
            text.chars().for_each(|c| self.push(shown(c)));
        }
        Ok(())
    }

    fn push(&mut self, c: char) {
        match self.tables.last_mut() {
            Some(table) => table.cell.iter_mut().for_each(|cell| cell.text.push(c)),
            None => self.before.push(c),
        }
    }

    fn target(&self) -> &str {
        let cell = self.tables.last().and_then(|table| table.cell.as_ref());
        cell.map_or(&self.before, |cell| &cell.text)
    }
}

impl OpenTable {
    /// Adds the cells of a row. The numbers of a list before people are no part of their names.
    fn end_row(&mut self) -> Result<()> {
        if self.row_is_deleted {
            self.cells.clear();
            return Ok(());
        }
        if self.row_is_hidden {
            self.rows.hide(self.row);
        }
        let is_of_person = self.cells.iter().any(|(_, cell)| is_number(&cell.text));
        for (column, mut cell) in std::mem::take(&mut self.cells) {
            for label in cell.labels.drain(..).rev().filter(|_| is_of_person) {
                cell.text.drain(label);
            }
            if cell.struck > 0 && cell.standing == 0 {
                self.rows.strike((self.row, column));
            }
            self.rows.add((self.row, column), cell.text.trim().to_owned())?;
        }
        Ok(())
    }

    /// Follows the cells of a column that are one.
    fn follow_merge(&mut self, cell: &OpenCell) {
        match self.merges.get_mut(&self.column) {
            Some((_, last)) if cell.continues => *last = self.row,
            _ => {
                if let Some((first, last)) = self.merges.remove(&self.column) {
                    self.rows.merge((first, self.column), last);
                }
                if cell.is_merged && !cell.continues {
                    self.merges.insert(self.column, (self.row, self.row));
                }
            }
        }
    }
}

fn number(value: Option<String>) -> u32 {
    value.and_then(|text| text.parse().ok()).unwrap_or(1).min(MAX_COLUMNS)
}

fn is_box(c: char) -> bool {
    matches!(c, '☑' | '☒' | '☐' | '□' | '■' | '√' | '✓' | '✔' | '●' | '○')
}

/// A symbol of Wingdings; other symbols say nothing.
fn symbol(font: &str, code: Option<&str>) -> Option<char> {
    let code = u32::from_str_radix(code?, 16).ok()? & 0xff;
    font.starts_with("Wingdings").then(|| sign(font.contains('2'), code))?
}

/// A sign of Wingdings, or of its second font.
fn sign(is_second: bool, code: u32) -> Option<char> {
    match (is_second, code) {
        // Tick and cross, bare and in a box.
        (false, 0xfb..=0xfe) | (true, 0x4f..=0x54) => Some(TICKED),
        (false, 0x6f | 0x70 | 0x71 | 0x72 | 0xa8) | (true, 0xa3) => Some(NOT_TICKED),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::adapters::spreadsheets::{Sheet, Sheets, read_here};

    /// A document with this body.
    pub fn document(body: &str) -> Vec<u8> {
        let xml = format!(
            "<w:document xmlns:w=\"w\" xmlns:w14=\"w14\" xmlns:mc=\"mc\"><w:body>{body}</w:body></w:document>"
        );
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(DOCUMENT, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(xml.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn tables(body: &str) -> Vec<(String, Vec<Vec<String>>)> {
        let sheets: Vec<Sheet> = read_here(&document(body), Sheets::Visible).unwrap();
        let rows = |sheet: Sheet| sheet.rows.into_iter().map(|row| row.cells).collect();
        sheets.into_iter().map(|sheet| (sheet.name.clone(), rows(sheet))).collect()
    }

    fn p(text: &str) -> String {
        format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
    }

    /// Unstructured#2106, anytomd-rs#93, xberg#1549: merged cells repeat their text, or move columns.
    #[test]
    fn tables_come_with_the_text_before_them_and_merged_cells_keep_their_columns() {
        let cell = |inner: &str| format!("<w:tc>{inner}</w:tc>");
        let body = format!(
            "{}<w:tbl><w:tr>{}{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>{}",
            p("登记表（工程类）"),
            cell(&format!("<w:tcPr><w:vMerge w:val=\"restart\"/></w:tcPr>{}", p("姓名"))),
            cell(&format!("<w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>{}", p("电话"))),
            cell(&p("备注")),
            cell(&format!("<w:tcPr><w:vMerge/></w:tcPr>{}", p("姓名"))),
            cell(&p("手机")),
            cell(&format!("{}{}", p("固"), p("话"))),
            p("填表人"),
        );
        let told = tables(&body);
        assert_eq!(told[0].0, "登记表（工程类）");
        assert_eq!(told[0].1, [vec!["姓名", "电话", "", "备注"], vec!["", "手机", "固\n话"]]);
        assert_eq!(told[1], ("填表人".to_owned(), vec![]));
    }

    /// Tencent/WeKnora#2657, pydocx#45, docx4j#37: the cells below a merged one say so without a word.
    #[test]
    fn an_organisation_beside_several_people_is_that_of_each() {
        let cell =
            |merge: &str, text: &str| format!("<w:tc><w:tcPr>{merge}</w:tcPr>{}</w:tc>", p(text));
        let (restart, goes_on) = ("<w:vMerge w:val=\"restart\"/>", "<w:vMerge/>");
        let row = |cells: &[(&str, &str)]| {
            let cells: String = cells.iter().map(|(merge, text)| cell(merge, text)).collect();
            format!("<w:tr>{cells}</w:tr>")
        };
        let body = format!(
            "<w:tbl>{}{}{}{}{}{}</w:tbl>",
            row(&[(restart, "单位"), ("", "姓名"), ("", "电话")]),
            row(&[(goes_on, ""), ("", ""), ("", "手机")]),
            row(&[(restart, "甲公司"), ("", "王"), ("", "13800138000")]),
            row(&[(goes_on, ""), ("", "李"), ("", "13900139000")]),
            row(&[(restart, "乙公司"), ("", "钱"), ("", "13700137000")]),
            row(&[(goes_on, ""), ("", "合计"), ("", "3")]),
        );
        assert_eq!(
            tables(&body)[0].1,
            [
                vec!["单位", "姓名", "电话"],
                vec!["", "", "手机"],
                vec!["甲公司", "王", "13800138000"],
                vec!["甲公司", "李", "13900139000"],
                vec!["乙公司", "钱", "13700137000"],
                vec!["", "合计", "3"],
            ]
        );
    }

    /// python-docx#224, npoi#449, docx2python#24 (a field that is checked without saying so).
    #[test]
    fn every_kind_of_tick_is_a_sign_and_what_is_not_shown_is_not_read() {
        let control = |checked: &str, content: &str| {
            format!(
                "<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val=\"{checked}\"/>\
                 </w14:checkbox></w:sdtPr><w:sdtContent><w:r><w:t>{content}</w:t></w:r>\
                 </w:sdtContent></w:sdt>"
            )
        };
        let field = |checked: &str| {
            format!(
                "<w:r><w:fldChar><w:ffData><w:checkBox><w:default w:val=\"0\"/>{checked}\
                 </w:checkBox></w:ffData></w:fldChar></w:r>"
            )
        };
        let symbol = |font: &str, code: &str| {
            format!("<w:r><w:sym w:font=\"{font}\" w:char=\"{code}\"/></w:r>")
        };
        let text = |text: &str| format!("<w:r><w:t>{text}</w:t></w:r>");
        let hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>\
            <w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>\
            <w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>\
            <mc:AlternateContent><mc:Choice><w:r><w:t>once</w:t></w:r></mc:Choice>\
            <mc:Fallback><w:r><w:t>again</w:t></w:r></mc:Fallback></mc:AlternateContent>";
        let runs = [
            control("1", "☒"),
            control("0", "☐"),
            control("1", ""),
            field("<w:checked/>"),
            field(""),
            symbol("Wingdings 2", "F052"),
            symbol("Wingdings", "F0FE"),
            symbol("Wingdings", "F0A8"),
            text("A&amp;B"),
            hidden.to_owned(),
        ];
        let body = format!(
            "<w:tbl><w:tr><w:tc><w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr>{}</w:p>\
             <w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>",
            runs.concat(),
            p("inner")
        );
        assert_eq!(tables(&body)[0].1, [["☒☐☑☑□☑☑□A&Bonce\ninner"]]);
    }

    /// vue-office#40, python-docx#826: letters in a font of signs.
    #[test]
    fn letters_in_a_font_of_signs_are_signs() {
        let run = |font: &str, text: &str| {
            format!("<w:r><w:rPr><w:rFonts w:ascii=\"{font}\"/></w:rPr><w:t>{text}</w:t></w:r>")
        };
        let body = format!(
            "<w:tbl><w:tr><w:tc><w:p>{}{}{}{}{}{}</w:p></w:tc></w:tr></w:tbl>",
            run("Wingdings 2", "R"),
            run("宋体", "品牌 "),
            run("Wingdings 2", "£"),
            run("宋体", "产品 R2 "),
            run("Wingdings", "\u{f0fe}"),
            run("Wingdings", "服务"),
        );
        assert_eq!(tables(&body)[0].1, [["☑品牌 □产品 R2 ☑服务"]]);
    }

    /// agentscope#2760, anydoc#14: a form or a list in a frame.
    #[test]
    fn a_table_in_a_frame_is_a_table_and_boxes_in_a_cell_are_text() {
        let cell = |inner: &str| format!("<w:tc>{inner}</w:tc>");
        let row = |cells: &[&str]| {
            let cells: String = cells.iter().map(|text| cell(&p(text))).collect();
            format!("<w:tr>{cells}</w:tr>")
        };
        let list = format!("<w:tbl>{}{}</w:tbl>", row(&["姓名", "手机"]), row(&["王", "1"]));
        let boxes = format!("<w:tbl>{}</w:tbl>", row(&["☑品牌", "□产品"]));
        let body = format!(
            "{}<w:tbl><w:tr>{}</w:tr><w:tr>{}{}</w:tr></w:tbl>",
            p("附件"),
            cell(&format!("{}{list}{}", p("登记表（品牌类）"), p("")),),
            cell(&p("申请类别")),
            cell(&boxes),
        );
        let of = |cells: &[&[&str]]| -> Vec<Vec<String>> {
            cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
        };
        let tables = tables(&body);
        assert_eq!(tables[0].0, "附件\n登记表（品牌类）");
        assert_eq!(tables[0].1, of(&[&["姓名", "手机"], &["王", "1"]]));
        assert_eq!(tables[1].1, of(&[&["登记表（品牌类）"], &["申请类别", "☑品牌 □产品"]]));
    }

    #[test]
    fn rows_that_were_deleted_hidden_or_struck_through_are_not_read() {
        let row = |properties: &str, run: &str, name: &str, number: &str| {
            let cell = |text: &str| {
                format!("<w:tc><w:p><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p></w:tc>")
            };
            format!("<w:tr><w:trPr>{properties}</w:trPr>{}{}</w:tr>", cell(name), cell(number))
        };
        let body = format!(
            "<w:tbl>{}{}{}{}{}</w:tbl>",
            row("", "", "姓名", "手机"),
            row("<w:del w:id=\"1\"/>", "", "王", "13800138000"),
            row("<w:hidden/>", "", "李", "13800138001"),
            row("", "<w:strike/>", "赵", "13800138002"),
            row("<w:hidden w:val=\"0\"/>", "<w:strike w:val=\"false\"/>", "钱", "13800138003"),
        );
        let sheet = read_here(&document(&body), Sheets::Visible).unwrap().remove(0);
        let rows: Vec<u32> = sheet.rows.iter().map(|row| row.number).collect();
        assert_eq!(rows, [1, 5]);
        assert_eq!((sheet.left_out.hidden, sheet.left_out.struck), (vec![3], vec![4]));
    }

    #[test]
    fn a_document_without_tables_is_a_list_by_its_tabs() {
        let line = |name: &str, number: &str| {
            format!("<w:p><w:r><w:t>{name}</w:t><w:tab/><w:t>{number}</w:t></w:r></w:p>")
        };
        let told = tables(&format!("{}{}", line("姓名", "手机"), line("王", "13800138000")));
        assert_eq!(told[0].1, [["姓名", "手机"], ["王", "13800138000"]]);
    }
}
