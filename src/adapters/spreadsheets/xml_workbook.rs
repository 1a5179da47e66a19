//! XML Spreadsheet 2003 (`urn:schemas-microsoft-com:office:spreadsheet`), which other systems save
//! under the name `.xls`.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::ods::attribute;
use super::{MAX_TEXT, Result, SparseRows, SpreadsheetError, shown_number, too_much_text};

/// What such a file names.
pub const NAMESPACE: &str = "urn:schemas-microsoft-com:office:spreadsheet";

/// Passes each sheet to `add` until it returns true.
pub fn for_each_sheet(
    text: &str,
    add: &mut impl FnMut(String, SparseRows) -> Result<bool>,
) -> Result<()> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut name, mut rows, mut is_hidden) = (String::new(), SparseRows::default(), false);
    let (mut row, mut column, mut across) = (0u32, 0u32, 0u32);
    let (mut is_data, mut is_number, mut in_visible) = (false, false, false);
    let (mut cell, mut read) = (String::new(), 0usize);
    loop {
        match reader.read_event().map_err(SpreadsheetError::unreadable)? {
            Event::Start(tag) => {
                let place = || attribute(&tag, "ss:Index").and_then(|at| at.parse::<u32>().ok());
                match tag.local_name().as_ref() {
                    "Worksheet" => {
                        name = attribute(&tag, "ss:Name").unwrap_or_default();
                        (rows, row, is_hidden) = (SparseRows::default(), 0, false);
                    }
                    "Row" => {
                        row = place().map_or(row, |at| at.saturating_sub(1));
                        column = 0;
                        if attribute(&tag, "ss:Hidden").is_some_and(|hidden| hidden != "0") {
                            rows.hide(row);
                        }
                    }
                    "Cell" => {
                        column = place().map_or(column, |at| at.saturating_sub(1));
                        across = attribute(&tag, "ss:MergeAcross")
                            .and_then(|n| n.parse().ok())
                            .unwrap_or(0);
                        cell.clear();
                    }
                    "Data" => {
                        is_data = true;
                        is_number = attribute(&tag, "ss:Type").as_deref() == Some("Number");
                    }
                    "Visible" => in_visible = true,
                    _ => {}
                }
            }
            Event::Text(text) if in_visible => is_hidden |= text.trim().contains("Hidden"),
            Event::Text(text) if is_data => {
                read += text.len();
                cell.push_str(&text);
            }
            Event::CData(text) if is_data => {
                read += text.len();
                cell.push_str(&text);
            }
            Event::GeneralRef(entity) if is_data => {
                let raw = format!("&{};", &*entity);
                let text = quick_xml::escape::unescape(&raw).map(|text| text.into_owned());
                cell.push_str(&text.map_err(SpreadsheetError::unreadable)?);
            }
            Event::End(tag) => match tag.local_name().as_ref() {
                "Data" => is_data = false,
                "Visible" => in_visible = false,
                "Cell" => {
                    let number = cell.trim().parse().ok().filter(|_| is_number);
                    let text = number.map_or_else(|| cell.trim().to_owned(), shown_number);
                    if column < 16_384 {
                        rows.add((row, column), text)?;
                    }
                    column = column.saturating_add(1).saturating_add(across);
                    is_number = false;
                }
                "Row" => row = row.saturating_add(1),
                "Worksheet"
                    if !is_hidden && add(std::mem::take(&mut name), std::mem::take(&mut rows))? =>
                {
                    return Ok(());
                }
                _ => {}
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
        if read > MAX_TEXT {
            return Err(too_much_text());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::spreadsheets::{Sheets, read_here};

    #[test]
    fn cells_stand_where_they_say() {
        let file = "<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\" \
            xmlns:ss=\"urn:schemas-microsoft-com:office:spreadsheet\"><Worksheet ss:Name=\"名单\"><Table>\
            <Row ss:Index=\"2\"><Cell ss:MergeAcross=\"1\"><Data ss:Type=\"String\">姓名</Data></Cell>\
            <Cell><Data ss:Type=\"String\">手机</Data></Cell></Row><Row><Cell><Data ss:Type=\"String\">王&amp;李\
            </Data></Cell><Cell ss:Index=\"3\"><Data ss:Type=\"Number\">1.3800138E10</Data></Cell></Row>\
            </Table></Worksheet></Workbook>";
        let sheets = read_here(file.as_bytes(), Sheets::Visible).unwrap();
        assert_eq!(sheets[0].name, "名单");
        let rows: Vec<(u32, Vec<String>)> =
            sheets[0].rows.iter().map(|row| (row.number, row.cells.clone())).collect();
        let expected = [(2, vec!["姓名", "", "手机"]), (3, vec!["王&李", "", "13800138000"])];
        let expected =
            expected.map(|(n, cells)| (n, cells.into_iter().map(str::to_owned).collect()));
        assert_eq!(rows, expected);
    }
}
