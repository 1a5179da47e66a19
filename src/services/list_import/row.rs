//! Reads one row into one person, or returns the reason why it is rejected.

use std::collections::BTreeMap;

use phonenumber::country;

use super::headers::{ColumnLayout, ListColumn};
use super::report::{ImportFinding, RowDecision};
use super::table::TableRow;
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::{Phone, PhoneError, PhoneKind};
use crate::domain::segment::Segment;

/// A valid row.
#[derive(Debug, Clone)]
pub struct ListedRow {
    pub phone: Phone,
    pub person: Person,
    pub segment: Segment,
    pub language: Language,
    /// The other list fields that applications use.
    pub fields: BTreeMap<String, String>,
}

/// A longer cell is cut: it is not a name.
const MAX_CELL_CHARS: usize = 200;
/// A list field is a value that many people share, so it is short.
const MAX_FIELD_CHARS: usize = 40;

fn read_list_field(cell: Option<&String>) -> String {
    cell.map(|cell| cell.trim().chars().filter(|c| !c.is_control()).take(MAX_FIELD_CHARS).collect())
        .unwrap_or_default()
}

/// Reads a row. A mobile number is preferred in whichever column it is; a fixed line is kept for
/// calls.
pub fn read_row(
    row: &TableRow,
    layout: &ColumnLayout,
    region: country::Id,
) -> Result<ListedRow, ImportFinding> {
    let cell = |column: ListColumn| -> &str {
        layout
            .columns
            .get(&column)
            .and_then(|&i| row.cells.get(i))
            .map(|c| c.trim())
            .unwrap_or_default()
    };
    let text = |column: ListColumn| {
        Personal::new(cell(column).chars().take(MAX_CELL_CHARS).collect::<String>())
    };
    let phone = choose_phone(
        &[
            (ListColumn::Mobile, cell(ListColumn::Mobile)),
            (ListColumn::Phone, cell(ListColumn::Phone)),
        ],
        region,
    )
    .map_err(|(column, error, value)| {
        let column = if layout.columns.contains_key(&column) {
            layout.column_label(column)
        } else {
            layout.column_label(ListColumn::Phone)
        };
        ImportFinding::new(row.number, column, masked(value), RowDecision::Rejected, error.into())
    })?;
    Ok(ListedRow {
        phone,
        person: Person {
            name: text(ListColumn::Name),
            organisation: text(ListColumn::Organisation),
            job_title: text(ListColumn::JobTitle),
            email: text(ListColumn::Email),
            remark: text(ListColumn::Remark),
        },
        segment: Segment::parse(cell(ListColumn::Segment)),
        language: Language::parse(cell(ListColumn::Language)).unwrap_or_default(),
        fields: layout
            .fields
            .iter()
            .map(|(name, &at)| (name.clone(), read_list_field(row.cells.get(at))))
            .collect(),
    })
}

/// Returns the first mobile number among the cells, else the first fixed line, else the first
/// cell's problem.
fn choose_phone<'a>(
    cells: &[(ListColumn, &'a str)],
    region: country::Id,
) -> Result<Phone, (ListColumn, PhoneError, &'a str)> {
    let mut fixed_line = None;
    let mut problem = None;
    for (column, cell) in cells.iter().filter(|(_, cell)| !cell.is_empty()) {
        for number in split_numbers(cell) {
            match Phone::parse(number, region) {
                Ok(phone) if phone.kind() == PhoneKind::Mobile => return Ok(phone),
                Ok(phone) => _ = fixed_line.get_or_insert(phone),
                Err(error) => _ = problem.get_or_insert((*column, error, number)),
            }
        }
    }
    fixed_line.ok_or_else(|| problem.unwrap_or((ListColumn::Mobile, PhoneError::Empty, "")))
}

/// Splits a cell into numbers, separated by a slash, a comma, a semicolon or a line break.
fn split_numbers(cell: &str) -> Vec<&str> {
    let parts: Vec<&str> = cell
        .split(['/', '、', ',', '，', ';', '；', '\n'])
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    let all_long = parts.iter().all(|part| part.chars().filter(|c| c.is_numeric()).count() >= 7);
    if parts.len() > 1 && all_long { parts } else { vec![cell] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(mobile: &str, phone: &str) -> Result<String, PhoneError> {
        choose_phone(&[(ListColumn::Mobile, mobile), (ListColumn::Phone, phone)], country::CN)
            .map(|p| p.e164().to_owned())
            .map_err(|(_, error, _)| error)
    }

    #[test]
    fn a_mobile_is_preferred_wherever_it_stands() {
        assert_eq!(number("", "13800138000").as_deref(), Ok("+8613800138000"));
        assert_eq!(number("021-61234567", "13800138000").as_deref(), Ok("+8613800138000"));
        assert_eq!(number("021-61234567/13800138000", "").as_deref(), Ok("+8613800138000"));
        assert_eq!(number("021-61234567", "").as_deref(), Ok("+862161234567"));
        assert_eq!(number("1234", "021-61234567").as_deref(), Ok("+862161234567"));
        assert_eq!(number("1380013800", ""), Err(PhoneError::Invalid));
        assert_eq!(number("", ""), Err(PhoneError::Empty));
    }
}
