//! From one row to one person, or to the reason why not.

use std::collections::BTreeMap;

use phonenumber::country;

use super::headers::{Column, Layout};
use super::report::{Decision, Finding};
use super::table::TableRow;
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::{Phone, PhoneError, PhoneKind};
use crate::domain::segment::Segment;

/// A row that can be taken.
#[derive(Debug, Clone)]
pub struct ListedRow {
    pub phone: Phone,
    pub person: Person,
    pub segment: Segment,
    pub language: Language,
    /// What the applications keep of the list beside that.
    pub fields: BTreeMap<String, String>,
}

/// Longer texts in a cell are cut: they are no names.
const MAX_CELL: usize = 200;
/// A list field is a word that many share.
const MAX_FIELD: usize = 40;

fn field(cell: Option<&String>) -> String {
    cell.map(|cell| cell.trim().chars().filter(|c| !c.is_control()).take(MAX_FIELD).collect()).unwrap_or_default()
}

/// Reads a row. A mobile is preferred, wherever it stands; a fixed line is kept for the telephone.
pub fn read_row(row: &TableRow, layout: &Layout, region: country::Id) -> Result<ListedRow, Finding> {
    let cell = |column: Column| -> &str { layout.columns.get(&column).and_then(|&i| row.cells.get(i)).map(|c| c.trim()).unwrap_or_default() };
    let text = |column: Column| Personal::new(cell(column).chars().take(MAX_CELL).collect::<String>());
    let phone = choose_number(&[(Column::Mobile, cell(Column::Mobile)), (Column::Phone, cell(Column::Phone))], region).map_err(
        |(column, error, value)| Finding {
            row: row.number,
            column: if layout.columns.contains_key(&column) { layout.shown(column) } else { layout.shown(Column::Phone) },
            value: masked(value),
            decision: Decision::Rejected,
            what: error.to_string(),
        },
    )?;
    Ok(ListedRow {
        phone,
        person: Person {
            name: text(Column::Name),
            organisation: text(Column::Organisation),
            job_title: text(Column::JobTitle),
            email: text(Column::Email),
            remark: text(Column::Remark),
        },
        segment: Segment::parse(cell(Column::Segment)),
        language: Language::parse(cell(Column::Language)).unwrap_or_default(),
        fields: layout.fields.iter().map(|(name, &at)| (name.clone(), field(row.cells.get(at)))).collect(),
    })
}

/// The first mobile among the cells' numbers, else the first fixed line, else the first cell's problem.
fn choose_number<'a>(cells: &[(Column, &'a str)], region: country::Id) -> Result<Phone, (Column, PhoneError, &'a str)> {
    let mut fixed_line = None;
    let mut problem = None;
    for (column, cell) in cells.iter().filter(|(_, cell)| !cell.is_empty()) {
        for number in numbers_in(cell) {
            match Phone::parse(number, region) {
                Ok(phone) if phone.kind() == PhoneKind::Mobile => return Ok(phone),
                Ok(phone) => _ = fixed_line.get_or_insert(phone),
                Err(error) => _ = problem.get_or_insert((*column, error, number)),
            }
        }
    }
    fixed_line.ok_or_else(|| problem.unwrap_or((Column::Mobile, PhoneError::Empty, "")))
}

/// The numbers of a cell: several may stand in one, parted by a slash, a comma or a line break.
fn numbers_in(cell: &str) -> Vec<&str> {
    let parts: Vec<&str> = cell.split(['/', '、', ',', '，', ';', '；', '\n']).map(str::trim).filter(|p| !p.is_empty()).collect();
    let all_long = parts.iter().all(|part| part.chars().filter(|c| c.is_numeric()).count() >= 7);
    if parts.len() > 1 && all_long { parts } else { vec![cell] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(mobile: &str, phone: &str) -> Result<String, PhoneError> {
        choose_number(&[(Column::Mobile, mobile), (Column::Phone, phone)], country::CN).map(|p| p.e164().to_owned()).map_err(|(_, error, _)| error)
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
