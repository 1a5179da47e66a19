//! The lists of people among the tables of an application: several in one table are told apart, and
//! what looks like a list and could not be read as one is named.

use std::sync::LazyLock;

use regex::Regex;

use super::form::is_label;
use super::subjects::label;
use crate::adapters::spreadsheets::{Row, Sheet};
use crate::services::list_import::find::categories_named;

/// Words that the header of a list of people holds at least two of.
const HEADER_WORDS: [&str; 5] = ["姓名", "电话", "手机", "序号", "联系方式"];

// Fixed patterns; the tests below run them.
static HEADING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:附件[\d一二三四五六七八九十\-—、：: ]*)?[^，。；,;]{0,16}(?:登记表|名单|名册)\s*(?:[（(][^（）()]{1,30}[）)])?\s*[:：]?$")
        .expect("a fixed pattern")
});
static MOBILE: LazyLock<Regex> = LazyLock::new(|| {
    // A fixed pattern.
    Regex::new(r"(?:^|\D)1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?:\D|$)").expect("a fixed pattern")
});

/// Whether a line is the heading of a list of people.
pub fn is_heading(line: &str) -> bool {
    HEADING.is_match(line.trim())
}

/// The only text of a row, if it has one.
fn only_cell(row: &Row) -> Option<&str> {
    let mut filled = row.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
    let first = filled.next()?;
    // A merged cell may be written into each of its columns.
    filled.all(|cell| cell == first).then_some(first)
}

fn is_header(row: &Row) -> bool {
    let found = HEADER_WORDS.iter().filter(|word| {
        row.cells.iter().any(|cell| cell.chars().count() <= 12 && label(cell).contains(**word))
    });
    found.count() > 1 && !row.cells.iter().any(|cell| MOBILE.is_match(cell))
}

/// Splits a table where a list with a header of its own begins: under the first list, or under a form.
/// The heading within the table becomes a part of its name.
pub fn split(table: Sheet) -> Vec<Sheet> {
    let headers: Vec<usize> =
        (0..table.rows.len()).filter(|at| is_header(&table.rows[*at])).collect();
    let mut begins: Vec<usize> = Vec::new();
    for header in &headers {
        // The lines above the header that are its heading.
        let above = table.rows[..*header].iter().rev().take_while(|row| {
            only_cell(row).is_some_and(|cell| {
                !is_label(cell) && (is_heading(cell) || !categories_named(cell).is_empty())
            })
        });
        begins.push(header - above.count());
    }
    let has_form = |until: usize| {
        let labels = table.rows[..until].iter().flat_map(|row| &row.cells);
        labels.filter(|cell| is_label(cell.trim())).count() > 2
    };
    let is_split = begins.len() > 1 || begins.first().is_some_and(|at| has_form(*at));
    if !is_split {
        return vec![with_heading(table)];
    }
    if begins.first().is_some_and(|at| !has_form(*at)) {
        begins[0] = 0;
    }
    let mut rest = table.rows;
    let mut parts = Vec::new();
    for at in begins.iter().rev() {
        parts.push(Sheet { rows: rest.split_off(*at), ..Sheet::default() });
    }
    if !rest.is_empty() {
        parts.push(Sheet { rows: rest, ..Sheet::default() });
    }
    parts.reverse();
    parts[0].name = table.name;
    parts.into_iter().map(with_heading).collect()
}

/// Adds a heading in the first rows of a list to its name.
fn with_heading(mut table: Sheet) -> Sheet {
    let lines: Vec<String> = table
        .rows
        .iter()
        .map_while(|row| only_cell(row).map(str::to_owned))
        .filter(|cell| is_heading(cell) || !categories_named(cell).is_empty())
        .collect();
    let is_list = table.rows.iter().any(is_header);
    for line in lines.into_iter().filter(|_| is_list) {
        if !table.name.is_empty() {
            table.name.push('\n');
        }
        table.name.push_str(&line);
    }
    table
}

/// How many rows of a table hold a mobile number.
pub fn rows_with_mobiles(table: &Sheet) -> usize {
    table.rows.iter().filter(|row| row.cells.iter().any(|cell| MOBILE.is_match(cell))).count()
}

/// The headings of lists that stand before, in or behind tables that are none.
pub fn headings(table: &Sheet) -> Vec<&str> {
    let cells = table.rows.iter().filter_map(only_cell).flat_map(str::lines);
    table.name.lines().chain(cells).map(str::trim).filter(|line| is_heading(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sheet_of;
    use super::*;

    #[test]
    fn lists_in_one_table_are_told_apart() {
        let header: &[&str] = &["序号", "被访者姓名", "联系电话"];
        let of = |rows: &[&[&str]]| -> Vec<(String, usize)> {
            split(sheet_of("", rows)).into_iter().map(|part| (part.name, part.rows.len())).collect()
        };
        assert_eq!(
            of(&[
                &["被访者信息登记表（品牌类）"],
                header,
                &["1", "甲", "13917300001"],
                &["被访者信息登记表（产品类）"],
                header,
                &["1", "乙", "13917300002"],
                &["2", "丙", "13917300003"],
            ]),
            [
                ("被访者信息登记表（品牌类）".to_owned(), 3),
                ("被访者信息登记表（产品类）".to_owned(), 4)
            ]
        );
        // A form with a list below.
        assert_eq!(
            of(&[
                &["企业名称", "甲公司", "法人代表", "乙"],
                &["经办人", "丙", "电话", "1"],
                &["被访者名单"],
                header,
                &["1", "甲", "13917300001"],
            ]),
            [(String::new(), 2), ("被访者名单".to_owned(), 3)]
        );
        assert_eq!(of(&[header, &["1", "甲", "13917300001"]]), [(String::new(), 2)]);
    }

    #[test]
    fn the_heading_of_a_list_is_one_line() {
        for line in ["被访者信息登记表（工程类、服务类）", "附件3：被访者信息登记表", "用户名单"]
        {
            assert!(is_heading(line), "{line}");
        }
        for line in ["请填写被访者信息登记表，并于5月前交回", "申请书", ""] {
            assert!(!is_heading(line), "{line}");
        }
    }
}
