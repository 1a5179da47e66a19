//! Web pages, and what other systems call `.xls` and is one: each table of an HTML text.

use encoding_rs::Encoding;
use html5gum::{Token, Tokenizer};

use super::{MAX_TEXT, Result, SparseRows, SpreadsheetError, too_much_text};

/// The most columns that a cell may span, as in browsers.
const MAX_SPAN: u32 = 1_000;
/// Tables in tables.
const MAX_DEPTH: usize = 50;

#[derive(Default)]
struct OpenTable {
    rows: SparseRows,
    name: String,
    row: u32,
    column: u32,
    /// By column: the rows below this one that a cell above reaches into.
    reserved: Vec<u32>,
    has_row: bool,
    cell: Option<OpenCell>,
    is_caption: bool,
    /// The row is struck through as a whole.
    is_struck: bool,
}

struct OpenCell {
    text: String,
    columns: u32,
    rows: u32,
    is_struck: bool,
    /// Characters within what is struck through, and others.
    struck: usize,
    standing: usize,
}

impl OpenCell {
    fn is_struck(&self) -> bool {
        self.is_struck || self.struck > 0 && self.standing == 0
    }
}

/// Decodes a page by its mark, its own word, or its bytes.
pub fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode(bytes).0.into_owned();
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]).to_lowercase();
    let named = ["charset=", "encoding="].into_iter().find_map(|key| {
        let rest = &head[head.find(key)? + key.len()..];
        let label: String = rest
            .trim_start_matches(['"', '\''])
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        Encoding::for_label(label.as_bytes())
    });
    let guess = || match std::str::from_utf8(bytes) {
        Ok(_) => encoding_rs::UTF_8,
        Err(_) => encoding_rs::GB18030,
    };
    named.unwrap_or_else(guess).decode(bytes).0.into_owned()
}

/// Passes each table to `add` when it ends.
pub fn for_each_table(
    page: &str,
    add: &mut impl FnMut(String, SparseRows) -> Result<bool>,
) -> Result<()> {
    let (mut open, mut hidden, mut text) = (Vec::<OpenTable>::new(), 0u32, 0usize);
    let mut struck = 0u32;
    for token in Tokenizer::new(page) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let span = |key: &[u8]| {
                    let value = tag.attributes.get(key).map(|value| value.value.to_vec());
                    let value = value.and_then(|value| String::from_utf8(value).ok());
                    value.and_then(|v| v.trim().parse().ok()).unwrap_or(1).clamp(1, MAX_SPAN)
                };
                let style = tag.attributes.get(&b"style"[..]).map(|value| {
                    let style = String::from_utf8_lossy(&value.value).to_lowercase();
                    style.chars().filter(|c| !c.is_whitespace()).collect::<String>()
                });
                let has_style =
                    |words: &str| style.as_ref().is_some_and(|style| style.contains(words));
                let is_struck = has_style("line-through");
                match name.as_str() {
                    "style" | "script" | "template" | "title" if !tag.self_closing => hidden += 1,
                    "table" if open.len() < MAX_DEPTH => open.push(OpenTable::default()),
                    "caption" => {
                        open.iter_mut().next_back().into_iter().for_each(|t| t.is_caption = true);
                    }
                    "tr" => {
                        if let Some(table) = open.last_mut() {
                            table.begin_row()?;
                            table.is_struck = is_struck;
                            if has_style("display:none")
                                || has_style("visibility:collapse")
                                || has_style("visibility:hidden")
                                || tag.attributes.contains_key(&b"hidden"[..])
                            {
                                table.rows.hide(table.row);
                            }
                        }
                    }
                    "td" | "th" => {
                        if let Some(table) = open.last_mut() {
                            table.end_cell()?;
                            table.cell = Some(OpenCell {
                                text: String::new(),
                                columns: span(b"colspan"),
                                rows: span(b"rowspan"),
                                is_struck: table.is_struck || is_struck,
                                struck: 0,
                                standing: 0,
                            });
                            // What was left open ends with its cell.
                            struck = 0;
                        }
                    }
                    "br" | "p" | "div" | "li" => push(&mut open, "\n", false),
                    "s" | "strike" | "del" if !tag.self_closing => struck += 1,
                    _ => {}
                }
            }
            Token::EndTag(tag) => match String::from_utf8_lossy(&tag.name).as_ref() {
                "style" | "script" | "template" | "title" => hidden = hidden.saturating_sub(1),
                "caption" => {
                    open.iter_mut().next_back().into_iter().for_each(|t| t.is_caption = false);
                }
                "td" | "th" => {
                    if let Some(table) = open.last_mut() {
                        table.end_cell()?;
                    }
                }
                "s" | "strike" | "del" => struck = struck.saturating_sub(1),
                "table" => {
                    if let Some(mut table) = open.pop() {
                        table.end_cell()?;
                        if add(table.name.trim().to_owned(), table.rows)? {
                            return Ok(());
                        }
                    }
                }
                _ => {}
            },
            Token::String(string) if hidden == 0 => {
                text += string.value.len();
                if text > MAX_TEXT {
                    return Err(too_much_text());
                }
                push(&mut open, &String::from_utf8_lossy(&string.value), struck > 0);
            }
            _ => {}
        }
    }
    // A page that was cut off.
    while let Some(mut table) = open.pop() {
        table.end_cell()?;
        if add(table.name.trim().to_owned(), table.rows)? {
            return Ok(());
        }
    }
    Ok(())
}

fn push(open: &mut [OpenTable], text: &str, is_struck: bool) {
    let Some(table) = open.last_mut() else { return };
    match &mut table.cell {
        Some(cell) => {
            let shown = text.chars().filter(|c| !c.is_whitespace()).count();
            *(if is_struck { &mut cell.struck } else { &mut cell.standing }) += shown;
            cell.text.push_str(text);
        }
        None if table.is_caption => table.name.push_str(text),
        None => {}
    }
}

impl OpenTable {
    fn begin_row(&mut self) -> Result<()> {
        self.end_cell()?;
        if self.has_row {
            self.row = self.row.saturating_add(1);
            self.reserved.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        }
        (self.has_row, self.column) = (true, 0);
        Ok(())
    }

    fn end_cell(&mut self) -> Result<()> {
        let Some(cell) = self.cell.take() else { return Ok(()) };
        while self.reserved.get(self.column as usize).is_some_and(|rows| *rows > 0) {
            self.column += 1;
        }
        if self.column > 16_384 {
            return Err(SpreadsheetError::TooLarge("16,384 columns".into()));
        }
        if cell.is_struck() {
            self.rows.strike((self.row, self.column));
        }
        // Line ends of the source are blanks, and so is what the page has instead of them.
        let lines = cell.text.replace('\u{a0}', " ");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> =
            lines.split('\n').map(words).filter(|line| !line.is_empty()).collect();
        self.rows.add((self.row, self.column), lines.join("\n"))?;
        if cell.rows > 1 {
            self.rows.merge((self.row, self.column), self.row.saturating_add(cell.rows - 1));
            let until = (self.column + cell.columns) as usize;
            if self.reserved.len() < until {
                self.reserved.resize(until, 0);
            }
            // This row is over when the next one begins.
            self.reserved[self.column as usize..until].fill(cell.rows);
        }
        self.column += cell.columns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::spreadsheets::{Sheets, read_here};

    fn rows(page: &str) -> Vec<Vec<Vec<String>>> {
        let sheets = read_here(page.as_bytes(), Sheets::Visible).unwrap();
        sheets.into_iter().map(|s| s.rows.into_iter().map(|r| r.cells).collect()).collect()
    }

    #[test]
    fn tables_of_a_page_are_read_with_their_spans_entities_and_unclosed_cells() {
        let page = "<html><style>td{}</style><table border=1><tr><td rowspan=2>姓名<td colspan=2>电话\
            <tr><td>手机<td>固话<tr><td>王&amp;李<br>二&nbsp;<td style=\"mso-number-format:'\\@'\">\
            13800138000</td><td></table>";
        let expected: [Vec<&str>; 3] =
            [vec!["姓名", "电话"], vec!["", "手机", "固话"], vec!["王&李\n二", "13800138000"]];
        assert_eq!(rows(page)[0], expected);
    }

    #[test]
    fn a_cell_beside_several_people_is_that_of_each() {
        let told = rows(
            "<table><tr><td rowspan=2>甲公司<td>王<td>13800138000<tr><td>李<td>13900139000</table>",
        );
        assert_eq!(told[0], [["甲公司", "王", "13800138000"], ["甲公司", "李", "13900139000"]]);
    }

    #[test]
    fn a_table_within_a_cell_is_a_table_of_its_own_and_a_page_may_be_cut_off() {
        let told = rows("<table><tr><td>menu<table><tr><td>a<td>b</table><td>x");
        assert_eq!(told, [vec![vec!["a", "b"]], vec![vec!["menu", "x"]]]);
    }
}
