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
    /// How the person is addressed: 先生, 女士, or the gender as it stands.
    Salutation,
    Organisation,
    JobTitle,
    Mobile,
    Phone,
    Email,
    /// For letters.
    Address,
    Segment,
    Remark,
    Language,
}

impl ListColumn {
    /// Parses the name that the command line and the API use.
    pub fn parse(name: &str) -> Option<ListColumn> {
        SYNONYMS.iter().find(|(_, key, _)| *key == name).map(|(column, ..)| *column)
    }

    pub fn name(self) -> &'static str {
        SYNONYMS.iter().find(|(column, ..)| *column == self).map_or("", |(_, key, _)| key)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        SYNONYMS.iter().map(|(_, key, _)| *key)
    }

    fn is_number(self) -> bool {
        matches!(self, ListColumn::Mobile | ListColumn::Phone)
    }
}

/// The header words of each column, normalised as in [`normalize_header`]. The configuration can
/// add to them.
const SYNONYMS: [(ListColumn, &str, &[&str]); 11] = [
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
            "受访者",
            "受访者姓名",
            "被调查者",
            "被调查人",
            "被访人",
            "联络人",
            "联络人姓名",
            "用户",
            "业主",
            "称呼姓名",
            "name",
            "fullname",
            "contact",
            "respondent",
        ],
    ),
    (
        ListColumn::Salutation,
        "salutation",
        &["称呼", "称谓", "尊称", "性别", "salutation", "gender", "sex"],
    ),
    (
        ListColumn::Organisation,
        "organisation",
        &[
            "单位",
            "单位住址",
            "客户名称",
            "用户名称",
            "顾客名称",
            "门店",
            "门店名称",
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
            "联系手机",
            "行动电话",
            "行动电话号码",
            "手提电话",
            "流动电话",
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
            "联络电话",
            "联络方式",
            "备用电话",
            "其他电话",
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
        ListColumn::Address,
        "address",
        &[
            "地址",
            "通讯地址",
            "通信地址",
            "邮寄地址",
            "联系地址",
            "收件地址",
            "address",
            "mailingaddress",
            "postaladdress",
        ],
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
const IGNORED_HEADERS: [&str; 15] = [
    "原行号",
    "请更正",
    "序号",
    "编号",
    "no",
    "id",
    "住址",
    "购买日期",
    "使用时间",
    "传真",
    "邮编",
    "部门",
    "年龄",
    "省份",
    "城市",
];

/// Rows among which the header is looked for: a title, an explanation and empty lines may stand
/// before it.
const HEADER_ROWS: usize = 30;
/// Rows that a header may have.
const MAX_HEADER_ROWS: usize = 3;

/// The columns of a list, and its first row of people.
#[derive(Debug, Clone)]
pub struct ColumnLayout {
    /// The places of each column. Only telephone numbers may have several.
    pub columns: BTreeMap<ListColumn, Vec<usize>>,
    /// The columns of the list fields that applications use, by field name.
    pub fields: BTreeMap<String, usize>,
    /// The headers of the columns, for reports; empty where the list has none.
    pub headers: Vec<String>,
    /// The index of the first row of people.
    pub first_data_row: usize,
    /// The sheet's name, where a file has several with people.
    pub sheet: Option<String>,
}

impl ColumnLayout {
    /// Detects the header among the first rows (lists often begin with a title), or the columns of
    /// a list without one if a column clearly contains phone numbers. `extra_synonyms` are the
    /// configured header words by column name.
    pub fn detect(
        rows: &[TableRow],
        extra_synonyms: &BTreeMap<String, Vec<String>>,
        region: country::Id,
    ) -> Result<ColumnLayout, TableError> {
        ColumnLayout::by_header(rows, extra_synonyms, region)
            .map_or_else(|| detect_columns_without_header(rows, region), Ok)
    }

    /// Detects the header; `None`: there is none.
    pub fn by_header(
        rows: &[TableRow],
        extra_synonyms: &BTreeMap<String, Vec<String>>,
        region: country::Id,
    ) -> Option<ColumnLayout> {
        let is_word = |cell: &str| {
            recognize_column(cell, extra_synonyms).is_some()
                || IGNORED_HEADERS.contains(&normalize_header(cell).as_str())
        };
        let at =
            rows.iter().take(HEADER_ROWS).position(|row| is_header(row, extra_synonyms, region))?;
        let mut headers = rows[at].cells.clone();
        // The rows below a header that is divided («联系方式»: «手机», «固定电话») hold words only.
        let mut last = at;
        for row in rows.iter().skip(at + 1).take(MAX_HEADER_ROWS - 1) {
            let mut filled = row.cells.iter().filter(|cell| !cell.trim().is_empty()).peekable();
            if filled.peek().is_none() || !filled.all(|cell| is_word(cell)) {
                break;
            }
            last += 1;
            for (place, cell) in row.cells.iter().enumerate().filter(|(_, c)| !c.trim().is_empty())
            {
                if headers.len() <= place {
                    headers.resize(place + 1, String::new());
                }
                headers[place].clone_from(cell);
            }
        }
        // The rows above hold what stands over its own column and reaches down.
        for row in rows[..at].iter().rev().take(MAX_HEADER_ROWS - 1) {
            let filled = row.cells.iter().filter(|cell| !cell.trim().is_empty()).count();
            if filled < 2 {
                break;
            }
            for (place, cell) in row.cells.iter().enumerate().filter(|(_, cell)| is_word(cell)) {
                if headers.len() <= place {
                    headers.resize(place + 1, String::new());
                }
                if headers[place].trim().is_empty() {
                    headers[place].clone_from(cell);
                }
            }
        }
        let mut columns: BTreeMap<ListColumn, Vec<usize>> = BTreeMap::new();
        for (place, cell) in headers.iter().enumerate() {
            if let Some(column) = recognize_column(cell, extra_synonyms) {
                let places = columns.entry(column).or_default();
                if places.is_empty() || column.is_number() {
                    places.push(place);
                }
            }
        }
        Some(ColumnLayout {
            columns,
            fields: BTreeMap::new(),
            headers,
            first_data_row: last + 1,
            sheet: None,
        })
    }

    /// A layout that somebody chose: the columns, and the number of the header row; without one, the
    /// header that is found, if there is one.
    pub fn chosen(
        rows: &[TableRow],
        columns: BTreeMap<ListColumn, Vec<usize>>,
        header_row: Option<u32>,
        found: Option<ColumnLayout>,
    ) -> ColumnLayout {
        let chosen_row = header_row.and_then(|number| rows.iter().position(|r| r.number == number));
        let (headers, first_data_row) = match (chosen_row, &found) {
            (Some(at), _) => (rows[at].cells.clone(), at + 1),
            (None, Some(found)) => (found.headers.clone(), found.first_data_row),
            (None, None) => (Vec::new(), 0),
        };
        let mut all = found.map(|found| found.columns).unwrap_or_default();
        let places: Vec<usize> = columns.values().flatten().copied().collect();
        for known in all.values_mut() {
            known.retain(|place| !places.contains(place));
        }
        // Who says where the numbers are means all of them.
        if columns.keys().any(|column| column.is_number()) {
            all.retain(|column, _| !column.is_number());
        }
        all.extend(columns);
        all.retain(|_, places| !places.is_empty());
        let fields = BTreeMap::new();
        ColumnLayout { columns: all, fields, headers, first_data_row, sheet: None }
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

    /// The places of the telephone numbers, those for mobiles first.
    pub fn number_columns(&self) -> impl Iterator<Item = (ListColumn, usize)> {
        [ListColumn::Mobile, ListColumn::Phone].into_iter().flat_map(|column| {
            self.columns.get(&column).into_iter().flatten().map(move |place| (column, *place))
        })
    }

    /// Returns the name of a place for a report: its header, or its letter in a spreadsheet, with the
    /// sheet where there are several.
    pub fn place_label(&self, place: usize) -> String {
        let label = match self.headers.get(place).map(|h| h.trim()) {
            Some(header) if !header.is_empty() => header.to_owned(),
            _ => column_letter(place),
        };
        match &self.sheet {
            Some(sheet) => format!("{sheet}!{label}"),
            None => label,
        }
    }

    /// Returns the column's name for a report; empty: the list has none.
    pub fn column_label(&self, column: ListColumn) -> String {
        let place = self.columns.get(&column).and_then(|places| places.first());
        place.map(|place| self.place_label(*place)).unwrap_or_default()
    }

    /// The headers under which these columns are found again: as the list has them, or with the
    /// column's usual word where that says nothing («手机（乙列）»).
    pub fn recognizable_headers(
        &self,
        width: usize,
        extra_synonyms: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let header = |place: usize| {
            let header = self.headers.get(place).map(|h| h.trim()).unwrap_or_default();
            let mut columns = self.columns.iter();
            let column = columns.find(|(_, places)| places.contains(&place)).map(|(c, _)| *c);
            let word = column
                .filter(|column| recognize_column(header, extra_synonyms) != Some(*column))
                .and_then(|column| SYNONYMS.iter().find(|(known, ..)| *known == column))
                .and_then(|(.., words)| words.first());
            match word {
                None if self.headers.is_empty() => column_letter(place),
                None => header.to_owned(),
                Some(word) if header.is_empty() => (*word).to_owned(),
                Some(word) => format!("{word}（{header}）"),
            }
        };
        (0..width.max(self.headers.len())).map(header).collect()
    }

    /// Whether a row repeats the header, as at the top of each page.
    pub fn repeats_header(&self, row: &TableRow) -> bool {
        let same = row.cells.iter().enumerate().filter(|(place, cell)| {
            let header = self.headers.get(*place).map(|h| h.trim()).unwrap_or_default();
            !cell.trim().is_empty() && cell.trim() == header
        });
        same.count() >= 2
    }
}

fn is_header(
    row: &TableRow,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> bool {
    // «手机 | 13800138000 | 邮箱 | …» is a line of a form.
    let is_value = |cell: &String| Phone::parse(cell.trim(), region).is_ok() || cell.contains('@');
    if row.cells.iter().any(is_value) {
        return false;
    }
    let columns: Vec<ListColumn> =
        row.cells.iter().filter_map(|cell| recognize_column(cell, extra_synonyms)).collect();
    let has_number = columns.iter().any(|column| column.is_number());
    let known = columns.len()
        + row
            .cells
            .iter()
            .filter(|cell| IGNORED_HEADERS.contains(&normalize_header(cell).as_str()))
            .count();
    has_number && (known >= 2 || row.cells.iter().filter(|c| !c.trim().is_empty()).count() == 1)
}

/// Recognises the column that a header names: by its words, without a number at its end («电话2»),
/// or by the word that it contains («受访者手机号码（必填）»).
pub(super) fn recognize_column(
    header: &str,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> Option<ListColumn> {
    let header = normalize_header(header);
    let length = header.chars().count();
    if length == 0 || length > 20 || header.chars().filter(char::is_ascii_digit).count() > 3 {
        return None;
    }
    let by_words = |header: &str| {
        SYNONYMS
            .iter()
            .find(|(_, key, words)| {
                words.contains(&header)
                    || extra_synonyms.get(*key).is_some_and(|extra_synonyms| {
                        extra_synonyms.iter().any(|word| normalize_header(word) == header)
                    })
            })
            .map(|(column, ..)| *column)
    };
    let is_count = |c: char| c.is_ascii_digit() || "一二三四五".contains(c);
    let without_number = header.trim_end_matches(is_count);
    let contained =
        || CONTAINED.iter().find(|(word, _)| header.contains(word)).map(|(_, column)| *column);
    by_words(&header).or_else(|| by_words(without_number)).or_else(contained)
}

/// Words within a header that say what it is, the most telling first.
const CONTAINED: [(&str, ListColumn); 9] = [
    ("手机", ListColumn::Mobile),
    ("移动电话", ListColumn::Mobile),
    ("mobile", ListColumn::Mobile),
    ("电话", ListColumn::Phone),
    ("联系方式", ListColumn::Phone),
    ("phone", ListColumn::Phone),
    ("姓名", ListColumn::Name),
    ("邮箱", ListColumn::Email),
    ("email", ListColumn::Email),
];

/// Traditional signs of header words with the simplified ones.
const SIMPLIFIED: &str = "機机號号碼码電电話话聯联絡络繫系單单稱称職职務务備备註注類类別别業业戶户語语種种郵邮說说傳传動动線线辦办訪访錄录費费間间產产區区縣县國国員员營营門门與与處处發发時时歲岁齡龄購购買买級级項项顧顾經经責责師师層层樓楼醫医學学";

/// Normalises a header: removes width, case, spaces, punctuation and bracketed text, so that
/// `手機號碼（必填）` becomes `手机号码`.
pub(super) fn normalize_header(header: &str) -> String {
    let folded: String = header.nfkc().collect::<String>().to_lowercase();
    let before_bracket = folded.split(['(', '[', '【', '〔']).next().unwrap_or_default();
    before_bracket.chars().filter(|c| c.is_alphanumeric()).map(simplified).collect()
}

fn simplified(c: char) -> char {
    let mut pairs = SIMPLIFIED.chars();
    while let (Some(traditional), Some(simple)) = (pairs.next(), pairs.next()) {
        if traditional == c {
            return simple;
        }
    }
    c
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
    let mut columns = BTreeMap::from([(ListColumn::Mobile, vec![mobile])]);
    let short_name = |cell: &str| {
        (2..=4).contains(&cell.chars().count())
            && cell.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c) || c == '·')
    };
    if let Some((name, _)) = best(&short_name, 0.7) {
        columns.insert(ListColumn::Name, vec![name]);
    }
    Ok(ColumnLayout {
        columns,
        fields: BTreeMap::new(),
        headers: Vec::new(),
        first_data_row: 0,
        sheet: None,
    })
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
        assert_eq!(found.columns[&ListColumn::Mobile], [1]);
        assert_eq!(
            (found.columns[&ListColumn::Name][0], found.columns[&ListColumn::Segment][0]),
            (2, 3)
        );
        assert_eq!(found.column_label(ListColumn::Mobile), "手机号码（必填）");
        assert_eq!(
            layout(&[&["Name", "Pager"], &["x", "1"]]).err(),
            Some(TableError::NoNumbers),
            "an unknown word is no column"
        );
        assert_eq!(
            layout(&[&["Full Name", "Mobile Number"], &["x", "1"]]).unwrap().columns.len(),
            2
        );
        assert_eq!(
            layout(&[&["姓名", "机主号码"]]).unwrap().columns[&ListColumn::Mobile],
            [1],
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
                found.columns[&ListColumn::Mobile][0],
                found.columns[&ListColumn::Name][0]
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

    /// A header over two rows, with what stands in one cell over both.
    #[test]
    fn a_header_may_be_divided_and_its_words_traditional_or_numbered() {
        let above = [
            &["被访者信息登记表（企业/机构类）"][..],
            &["企业/机构名称：（加盖公章）"],
            &["序号", "被访者姓名", "性别", "被访者信息", "", "", "备注"],
            &["", "", "", "单位", "联系电话", "手机", ""],
            &["1", "刘娜", "女", "某厂", "020-83301230", "13059832468", ""],
        ];
        let found = layout(&above).unwrap();
        assert_eq!(found.first_data_row, 4);
        let place = |column| found.columns[&column][0];
        assert_eq!(
            [
                ListColumn::Name,
                ListColumn::Salutation,
                ListColumn::Organisation,
                ListColumn::Mobile
            ]
            .map(place),
            [1, 2, 3, 5]
        );
        let below = [
            &["姓名", "联系方式", "", "备注"][..],
            &["", "手机", "固定电话", ""],
            &["王", "13800138000", "", ""],
        ];
        let found = layout(&below).unwrap();
        assert_eq!(found.first_data_row, 2);
        assert_eq!(
            found.number_columns().collect::<Vec<_>>(),
            [(ListColumn::Mobile, 1), (ListColumn::Phone, 2)]
        );
        let numbered =
            layout(&[&["客户名称", "联系人", "电话1", "电话2"], &["店", "李", "1", "2"]]).unwrap();
        assert_eq!(numbered.columns[&ListColumn::Phone], [2, 3]);
        let traditional = layout(&[&["姓名", "手機號碼"], &["陳", "1"]]).unwrap();
        assert_eq!(traditional.columns[&ListColumn::Mobile], [1]);
        // A line of a form is no header.
        let form = [
            &["经办人", "李磊", "电话", "020-83300464"][..],
            &["部门", "质量部", "手机", "15869074391"],
        ];
        assert!(ColumnLayout::by_header(&table(&form), &BTreeMap::new(), country::CN).is_none());
    }
}
