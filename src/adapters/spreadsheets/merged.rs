//! Cells that reach over several rows: an organisation that stands once beside its people belongs to
//! each of them.

use super::{MAX_TEXT, SparseRows};

/// Merged cells of a table; those beyond are left as they stand.
const MAX_MERGES: usize = 20_000;
/// Cells that are filled in a table.
const MAX_FILLED: usize = 200_000;
/// Rows that are looked at for the merged cells of a table.
const MAX_VISITED: usize = 4_000_000;
/// The least digits of what may be a telephone number.
const LEAST_DIGITS: usize = 7;

/// A cell that reaches over rows, by its first row and column and its last row, from 0.
pub struct Merge {
    row: u32,
    column: u32,
    last: u32,
}

impl SparseRows {
    /// Notes that the cell reaches down to a row.
    pub(super) fn merge(&mut self, (row, column): (u32, u32), last: u32) {
        if last > row && self.merges.len() < MAX_MERGES {
            self.merges.push(Merge { row, column, last });
        }
    }

    /// Writes the text of merged cells into the rows that they reach over, where both rows hold a
    /// number of their own, as the rows of people do: a header over two rows, a title and the labels
    /// of a form stay as they stand. A row that has nothing but such a cell stays empty. The rows are
    /// in order.
    pub(super) fn fill_merged(&mut self) {
        if self.merges.is_empty() {
            return;
        }
        let of_person: Vec<bool> = self
            .rows
            .iter()
            .map(|(_, cells)| cells.iter().any(|(_, text)| is_number(text)))
            .collect();
        let (mut filled, mut visited) = (0, 0);
        for merge in std::mem::take(&mut self.merges) {
            let Ok(first) = self.rows.binary_search_by_key(&merge.row, |(row, _)| *row) else {
                continue;
            };
            let own = self.rows[first].1.iter().find(|(column, _)| *column == merge.column);
            let Some(text) = own.map(|(_, text)| text.clone()).filter(|_| of_person[first]) else {
                continue;
            };
            // A number belongs to whoever it stands beside.
            if is_number(&text) {
                continue;
            }
            let below = self.rows[first + 1..].iter_mut().zip(&of_person[first + 1..]);
            for ((_, cells), of_person) in below.take_while(|((row, _), _)| *row <= merge.last) {
                visited += 1 + cells.len();
                if visited > MAX_VISITED {
                    return;
                }
                let is_empty = cells.iter().all(|(column, _)| *column != merge.column);
                if !of_person || !is_empty {
                    continue;
                }
                filled += 1;
                self.text += text.len();
                if filled > MAX_FILLED || self.text > MAX_TEXT {
                    return;
                }
                self.filled += 1;
                cells.push((merge.column, text.clone()));
            }
        }
    }
}

/// Whether a text may be a telephone number, alone or in a cell with words.
pub(super) fn is_number(text: &str) -> bool {
    let mut digits = 0;
    for c in text.chars() {
        match c {
            '0'..='9' | '０'..='９' => digits += 1,
            ' ' | '-' | '－' | '(' | ')' | '（' | '）' | '+' | '\u{a0}' | '\u{3000}' => {}
            _ => digits = 0,
        }
        if digits >= LEAST_DIGITS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, SparseRows};

    fn filled(rows: &[&[&str]], merges: &[((u32, u32), u32)]) -> Vec<Vec<String>> {
        let mut sparse = SparseRows::default();
        for (row, number) in rows.iter().zip(0..) {
            for (cell, column) in row.iter().zip(0..) {
                sparse.add((number, column), (*cell).to_owned()).unwrap();
            }
        }
        merges.iter().for_each(|(from, last)| sparse.merge(*from, *last));
        let rows = Budget::default().finish(sparse).unwrap();
        rows.into_iter().map(|row| row.cells).collect()
    }

    /// Tencent/WeKnora#2657, Icinga/icingaweb2-module-fileshipper#16, ClosedXML#1106: only the first
    /// row of a merged cell has its value.
    #[test]
    fn an_organisation_over_several_people_belongs_to_each_and_nothing_else_is_repeated() {
        let rows: &[&[&str]] = &[
            &["单位", "姓名", "电话"],
            &["", "", "手机"],
            &["甲公司", "王", "138 0013 8000"],
            &["", "李", "13900139000"],
            &["", "", ""],
            &["", "钱", "13700137000"],
            &["合计", "3"],
            &["", "填表人：张 13600136000"],
        ];
        let merges = [((0, 0), 1), ((2, 0), 5), ((2, 2), 3), ((6, 0), 7), ((40, 0), 50)];
        let told = filled(rows, &merges);
        let organisations: Vec<&str> = told.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(organisations, ["单位", "", "甲公司", "甲公司", "甲公司", "合计", ""]);
        assert_eq!(told[3][2], "13900139000");
    }

    #[test]
    fn a_merge_over_a_million_rows_costs_what_stands_there() {
        let merges = vec![((0, 0), u32::MAX); 30_000];
        let told = filled(&[&["甲", "13800138000"], &["", "13900139000"]], &merges);
        assert_eq!(told, [["甲", "13800138000"], ["甲", "13900139000"]]);
    }
}
