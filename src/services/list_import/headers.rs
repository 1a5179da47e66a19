//! Detects the columns of a list.

use std::collections::BTreeMap;

use phonenumber::country;
use unicode_normalization::UnicodeNormalization;

use super::table::{TableError, TableRow};
use crate::domain::phone::Phone;

/// A column that the import reads; all other columns are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListColumn {
    Name,
    Organisation,
    JobTitle,
    Mobile,
    Phone,
    Email,
    Segment,
    Remark,
    Language,
}

/// The header words of each column, normalised as in [`normalize_header`]. The configuration can
/// add to them.
const SYNONYMS: [(ListColumn, &str, &[&str]); 9] = [
    (
        ListColumn::Name,
        "name",
        &[
            "姓名",
            "名字",
            "被访者",
            "被访者姓名",
            "联系人",
            "联系人姓名",
            "用户姓名",
            "客户姓名",
            "业主姓名",
            "name",
            "fullname",
            "contact",
            "respondent",
        ],
    ),
    (
        ListColumn::Organisation,
        "organisation",
        &[
            "单位",
            "单位名称",
            "工作单位",
            "公司",
            "公司名称",
            "企业",
            "企业名称",
            "机构",
            "organisation",
            "organization",
            "company",
            "employer",
        ],
    ),
    (
        ListColumn::JobTitle,
        "job_title",
        &["职务", "职位", "岗位", "职称", "title", "jobtitle", "position"],
    ),
    (
        ListColumn::Mobile,
        "mobile",
        &[
            "手机",
            "手机号",
            "手机号码",
            "移动电话",
            "手机电话",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cell",
            "cellphone",
        ],
    ),
    (
        ListColumn::Phone,
        "phone",
        &[
            "电话",
            "联系电话",
            "固定电话",
            "固话",
            "座机",
            "办公电话",
            "电话号码",
            "联系方式",
            "phone",
            "telephone",
            "phonenumber",
            "tel",
            "landline",
        ],
    ),
    (
        ListColumn::Email,
        "email",
        &["邮箱", "电子邮箱", "电子邮件", "email", "mail", "emailaddress"],
    ),
    (
        ListColumn::Segment,
        "segment",
        &[
            "类别",
            "用户类型",
            "用户类别",
            "客户类型",
            "业主类型",
            "业主类别",
            "类型",
            "segment",
            "category",
            "usertype",
            "type",
        ],
    ),
    (
        ListColumn::Remark,
        "remark",
        &["备注", "说明", "备注说明", "remark", "remarks", "note", "notes", "comment"],
    ),
    (ListColumn::Language, "language", &["语言", "语种", "language", "lang"]),
];

/// Known headers of columns that are not needed; they help to recognise the header row.
const IGNORED_HEADERS: [&str; 8] =
    ["序号", "编号", "no", "id", "性别", "地址", "购买日期", "使用时间"];

/// The columns of a list, and its first row of people.
#[derive(Debug, Clone)]
pub struct ColumnLayout {
    pub columns: BTreeMap<ListColumn, usize>,
    /// The columns of the list fields that applications use, by field name.
    pub fields: BTreeMap<String, usize>,
    /// The headers of the columns, for reports; empty where the list has none.
    headers: Vec<String>,
    /// The index of the first row of people.
    pub first_data_row: usize,
}

impl ColumnLayout {
    /// Detects the header row among the first ten rows (lists often begin with a title), or the
    /// columns of a list without one if a column clearly contains phone numbers. `extra_synonyms`
    /// are the configured header words by column name.
    pub fn detect(
        rows: &[TableRow],
        extra_synonyms: &BTreeMap<String, Vec<String>>,
        region: country::Id,
    ) -> Result<ColumnLayout, TableError> {
        let header = rows.iter().take(10).position(|row| is_header(row, extra_synonyms));
        match header {
            Some(at) => {
                let mut columns = BTreeMap::new();
                for (index, cell) in rows[at].cells.iter().enumerate() {
                    if let Some(column) = recognize_column(cell, extra_synonyms) {
                        columns.entry(column).or_insert(index);
                    }
                }
                Ok(ColumnLayout {
                    columns,
                    fields: BTreeMap::new(),
                    headers: rows[at].cells.clone(),
                    first_data_row: at + 1,
                })
            }
            None => detect_columns_without_header(rows, region),
        }
    }

    /// Detects the columns of the list fields. The error contains the header words of the first
    /// missing field.
    pub fn find_fields(&mut self, wanted: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
        for (name, words) in wanted {
            let is_it = |header: &String| {
                words.iter().any(|word| normalize_header(word) == normalize_header(header))
            };
            let column = self.headers.iter().position(is_it).ok_or_else(|| words.join(", "))?;
            self.fields.insert(name.clone(), column);
        }
        Ok(())
    }

    /// Returns the column's name for a report: its header, or its letter in a spreadsheet.
    pub fn column_label(&self, column: ListColumn) -> String {
        let Some(&index) = self.columns.get(&column) else { return String::new() };
        match self.headers.get(index).map(|h| h.trim()) {
            Some(header) if !header.is_empty() => header.to_owned(),
            _ => column_letter(index),
        }
    }
}

fn is_header(row: &TableRow, extra_synonyms: &BTreeMap<String, Vec<String>>) -> bool {
    let columns: Vec<ListColumn> =
        row.cells.iter().filter_map(|cell| recognize_column(cell, extra_synonyms)).collect();
    let has_number = columns.iter().any(|c| matches!(c, ListColumn::Mobile | ListColumn::Phone));
    let known = columns.len()
        + row
            .cells
            .iter()
            .filter(|cell| IGNORED_HEADERS.contains(&normalize_header(cell).as_str()))
            .count();
    has_number && (known >= 2 || row.cells.iter().filter(|c| !c.trim().is_empty()).count() == 1)
}

fn recognize_column(
    header: &str,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> Option<ListColumn> {
    let header = normalize_header(header);
    if header.is_empty() || header.chars().count() > 20 {
        return None;
    }
    SYNONYMS
        .iter()
        .find(|(_, key, words)| {
            words.contains(&header.as_str())
                || extra_synonyms.get(*key).is_some_and(|extra_synonyms| {
                    extra_synonyms.iter().any(|word| normalize_header(word) == header)
                })
        })
        .map(|(column, ..)| *column)
}

/// Normalises a header: removes width, case, spaces, punctuation and bracketed text, so that
/// `手机号码（必填）` becomes `手机号码`.
fn normalize_header(header: &str) -> String {
    let folded: String = header.nfkc().collect::<String>().to_lowercase();
    let before_bracket = folded.split(['(', '[', '【', '〔']).next().unwrap_or_default();
    before_bracket.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn detect_columns_without_header(
    rows: &[TableRow],
    region: country::Id,
) -> Result<ColumnLayout, TableError> {
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let share = |index: usize, fits: &dyn Fn(&str) -> bool| {
        let cells: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.cells.get(index))
            .map(|c| c.trim())
            .filter(|c| !c.is_empty())
            .collect();
        let fitting = cells.iter().filter(|cell| fits(cell)).count();
        if cells.len() * 2 < rows.len() { 0.0 } else { fitting as f64 / cells.len() as f64 }
    };
    let numbers = |cell: &str| Phone::parse(cell, region).is_ok();
    let best = |fits: &dyn Fn(&str) -> bool, at_least: f64| {
        (0..width)
            .map(|index| (index, share(index, fits)))
            .filter(|(_, s)| *s >= at_least)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    };
    let (mobile, _) = best(&numbers, 0.7).ok_or(TableError::NoNumbers)?;
    let mut columns = BTreeMap::from([(ListColumn::Mobile, mobile)]);
    let short_name = |cell: &str| {
        (2..=4).contains(&cell.chars().count())
            && cell.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c) || c == '·')
    };
    if let Some((name, _)) = best(&short_name, 0.7) {
        columns.insert(ListColumn::Name, name);
    }
    Ok(ColumnLayout { columns, fields: BTreeMap::new(), headers: Vec::new(), first_data_row: 0 })
}

/// Returns the letter of a column: 0 is A, 26 is AA.
fn column_letter(mut index: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + u8::try_from(index % 26).unwrap_or(0)));
        match (index / 26).checked_sub(1) {
            Some(rest) => index = rest,
            None => return letters.into_iter().rev().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> Vec<TableRow> {
        rows.iter()
            .zip(1..)
            .map(|(cells, number)| TableRow {
                number,
                cells: cells.iter().map(|c| (*c).to_owned()).collect(),
            })
            .collect()
    }

    fn layout(rows: &[&[&str]]) -> Result<ColumnLayout, TableError> {
        let extra_synonyms = BTreeMap::from([("mobile".to_owned(), vec!["机主号码".to_owned()])]);
        ColumnLayout::detect(&table(rows), &extra_synonyms, country::CN)
    }

    #[test]
    fn headers_are_found_in_any_order_language_and_below_a_title() {
        let found = layout(&[
            &["被访者信息登记表"],
            &["备注", "手机号码（必填）", " 姓 名 ", "用户类型", "序号"],
            &["", "13800138000", "王小明", "", "1"],
        ])
        .unwrap();
        assert_eq!(found.first_data_row, 2);
        assert_eq!(found.columns[&ListColumn::Mobile], 1);
        assert_eq!((found.columns[&ListColumn::Name], found.columns[&ListColumn::Segment]), (2, 3));
        assert_eq!(found.column_label(ListColumn::Mobile), "手机号码（必填）");
        assert_eq!(
            layout(&[&["Name", "Mobile No."], &["x", "1"]]).err(),
            Some(TableError::NoNumbers),
            "an unknown word is no column"
        );
        assert_eq!(
            layout(&[&["Full Name", "Mobile Number"], &["x", "1"]]).unwrap().columns.len(),
            2
        );
        assert_eq!(
            layout(&[&["姓名", "机主号码"]]).unwrap().columns[&ListColumn::Mobile],
            1,
            "a word of the configuration"
        );
    }

    #[test]
    fn a_list_without_header_is_understood_by_its_numbers() {
        let found = layout(&[
            &["1", "王小明", "13800138000"],
            &["2", "李四", "13900139000"],
            &["3", "赵六", "坏的"],
            &["4", "钱七", "13700137000"],
        ])
        .unwrap();
        assert_eq!(
            (
                found.first_data_row,
                found.columns[&ListColumn::Mobile],
                found.columns[&ListColumn::Name]
            ),
            (0, 2, 1)
        );
        assert_eq!(found.column_label(ListColumn::Mobile), "C");
        assert_eq!(
            layout(&[&["王小明", "北京"], &["李四", "上海"]]).err(),
            Some(TableError::NoNumbers)
        );
        assert_eq!(
            (column_letter(25), column_letter(26), column_letter(701)),
            ("Z".into(), "AA".into(), "ZZ".into())
        );
    }
}
