//! OpenDocument spreadsheets: `content.xml`, read as a stream. Rows and cells carry repeat counts;
//! a repeated empty row or cell is only counted, a filled one is repeated up to the limits.

use std::io::{BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{MAX_TEXT, Result, SparseRows, SpreadsheetError, archive, shown_number, too_much_text};

/// A cell holds 32,767 characters at most in every program.
const MAX_CELL_BYTES: usize = 4 * 32_767;

/// A cell being read.
#[derive(Default)]
struct OpenCell {
    repeated: u32,
    /// Rows that it reaches over.
    rows: u32,
    /// The value of a number, a date or a truth value; the text of others is what is shown.
    value: Option<String>,
    /// The value of others, if nothing is shown.
    bare_value: Option<String>,
    paragraphs: Vec<String>,
    /// Notes and shapes of a cell are none of its content.
    annotations: u32,
}

/// Passes each sheet to `add` until it returns true.
pub fn for_each_sheet(
    bytes: &[u8],
    add: &mut impl FnMut(String, SparseRows) -> Result<bool>,
) -> Result<()> {
    let mut archive = archive(bytes)?;
    if let Ok(manifest) = archive.by_name("META-INF/manifest.xml") {
        let mut text = String::new();
        let _ = manifest.take(1024 * 1024).read_to_string(&mut text);
        if text.contains("encryption-data") {
            return Err(SpreadsheetError::Unreadable("it has a password".into()));
        }
    }
    let content = archive.by_name("content.xml").map_err(SpreadsheetError::unreadable)?;
    let mut reader = Reader::from_reader(BufReader::new(content));
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    let mut name = String::new();
    let mut rows = SparseRows::default();
    let (mut row, mut row_repeated, mut column) = (0u32, 1u32, 0u32);
    let mut row_text = 0usize;
    let (mut nested_tables, mut is_hidden) = (0u32, false);
    let mut cells: Vec<(u32, String)> = Vec::new();
    let mut cell: Option<OpenCell> = None;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(SpreadsheetError::unreadable)? {
            // A table within a cell is none of the sheet's cells.
            Event::Start(tag) if tag.local_name().as_ref() == "table" && cell.is_some() => {
                nested_tables += 1;
            }
            Event::End(tag) if tag.local_name().as_ref() == "table" && nested_tables > 0 => {
                nested_tables -= 1;
            }
            Event::Start(_) | Event::End(_) | Event::Text(_) if nested_tables > 0 => {}
            Event::Start(tag) => match tag.local_name().as_ref() {
                "table" => {
                    name = attribute(&tag, "table:name").unwrap_or_default();
                    (rows, row) = (SparseRows::default(), 0);
                }
                "table-row" => {
                    row_repeated = repeat_count(&tag, "table:number-rows-repeated");
                    (column, row_text) = (0, 0);
                    cells.clear();
                    let visibility = attribute(&tag, "table:visibility");
                    is_hidden = matches!(visibility.as_deref(), Some("collapse" | "filter"));
                }
                "table-cell" | "covered-table-cell" => {
                    cell = Some(OpenCell {
                        repeated: repeat_count(&tag, "table:number-columns-repeated"),
                        rows: repeat_count(&tag, "table:number-rows-spanned"),
                        value: value_of(&tag),
                        bare_value: bare_value_of(&tag),
                        ..OpenCell::default()
                    });
                }
                "annotation" | "frame" | "custom-shape" | "ruby-text" => {
                    if let Some(cell) = &mut cell {
                        cell.annotations += 1;
                    }
                }
                "p" => {
                    if let Some(cell) = cell.as_mut().filter(|cell| cell.annotations == 0) {
                        cell.paragraphs.push(String::new());
                    }
                }
                "s" => push_text(&mut cell, &" ".repeat(spaces(&tag))),
                "tab" => push_text(&mut cell, "\t"),
                "line-break" => push_text(&mut cell, "\n"),
                _ => {}
            },
            Event::Text(text) => {
                push_text(&mut cell, &text);
            }
            Event::CData(text) => {
                push_text(&mut cell, &text);
            }
            Event::GeneralRef(entity) => {
                let raw = format!("&{};", &*entity);
                let text = quick_xml::escape::unescape(&raw).map(|text| text.into_owned());
                push_text(&mut cell, &text.map_err(SpreadsheetError::unreadable)?);
            }
            Event::End(tag) => match tag.local_name().as_ref() {
                "annotation" | "frame" | "custom-shape" | "ruby-text" => {
                    if let Some(cell) = &mut cell {
                        cell.annotations = cell.annotations.saturating_sub(1);
                    }
                }
                "table-cell" | "covered-table-cell" => {
                    let Some(done) = cell.take() else { continue };
                    let shown = done.paragraphs.join("\n");
                    let text = match done.value {
                        // A code with leading zeros, by its number format.
                        Some(value) if is_padded(&shown, &value) => shown,
                        Some(value) => value,
                        None if done.paragraphs.is_empty() => done.bare_value.unwrap_or_default(),
                        None => shown,
                    };
                    if !text.is_empty() {
                        if done.rows > 1 {
                            rows.merge((row, column), row.saturating_add(done.rows - 1));
                        }
                        // A sheet has 16,384 columns at most.
                        let repeated = done.repeated.min(16_384);
                        row_text += text.len() * repeated as usize;
                        if row_text > MAX_TEXT {
                            return Err(too_much_text());
                        }
                        for at in 0..repeated {
                            cells.push((column.saturating_add(at), text.clone()));
                        }
                    }
                    column = column.saturating_add(done.repeated);
                }
                "table-row" => {
                    if !cells.is_empty() {
                        for at in 0..row_repeated {
                            if is_hidden {
                                rows.hide(row.saturating_add(at));
                            }
                            for (column, text) in &cells {
                                rows.add((row.saturating_add(at), *column), text.clone())?;
                            }
                        }
                    }
                    row = row.saturating_add(row_repeated);
                }
                "table" if add(std::mem::take(&mut name), std::mem::take(&mut rows))? => {
                    return Ok(());
                }
                _ => {}
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// Whether `shown` is the whole number `value` after zeros.
fn is_padded(shown: &str, value: &str) -> bool {
    let zeros = shown.strip_suffix(value).unwrap_or_default();
    !zeros.is_empty()
        && zeros.bytes().all(|b| b == b'0')
        && value.bytes().all(|b| b.is_ascii_digit())
}

fn push_text(cell: &mut Option<OpenCell>, text: &str) {
    if let Some(cell) = cell.as_mut().filter(|cell| cell.annotations == 0)
        && let Some(paragraph) = cell.paragraphs.last_mut()
    {
        // Longer than any cell may be; the rest cannot be meant.
        if paragraph.len() < MAX_CELL_BYTES {
            paragraph.push_str(text);
        }
    }
}

/// Returns an attribute of a tag, whatever its prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    // By the name without its prefix: other programs choose other prefixes.
    let local = name.rsplit(':').next().unwrap_or(name);
    let found = tag.attributes().flatten().find(|one| one.key.local_name().as_ref() == local)?;
    let raw = found.value;
    Some(quick_xml::escape::unescape(&raw).map_or_else(|_| raw.to_string(), |t| t.into_owned()))
}

fn repeat_count(tag: &BytesStart<'_>, name: &str) -> u32 {
    attribute(tag, name).and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
}

/// The number of spaces that `text:s` stands for, up to what a cell may have.
fn spaces(tag: &BytesStart<'_>) -> usize {
    attribute(tag, "text:c").and_then(|count| count.parse().ok()).unwrap_or(1).min(1000)
}

/// What a cell without a paragraph holds.
fn bare_value_of(tag: &BytesStart<'_>) -> Option<String> {
    attribute(tag, "office:string-value")
        .or_else(|| attribute(tag, "office:time-value"))
        .or_else(|| attribute(tag, "office:value")?.parse().ok().map(shown_number))
}

fn value_of(tag: &BytesStart<'_>) -> Option<String> {
    match attribute(tag, "office:value-type")?.as_str() {
        "float" => attribute(tag, "office:value")?.parse().ok().map(shown_number),
        "date" => attribute(tag, "office:date-value"),
        "boolean" => attribute(tag, "office:boolean-value"),
        _ => None,
    }
}
