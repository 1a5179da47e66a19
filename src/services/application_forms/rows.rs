//! A spreadsheet of applications: one row each, under a header.

use std::collections::BTreeMap;

use super::form::{
    MODEL_AND_SPECIFICATION, MODEL_AND_SPECIFICATION_WORDS, category_of, move_mobile,
};
use super::sheets::take_apart;
use super::subjects::{label, without_remarks};
use super::ticks;
use crate::adapters::spreadsheets::{Row, Sheet};
use crate::domain::category::Category;

/// An application of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRow {
    pub row: u32,
    pub applicant: String,
    pub category: Category,
    /// The subject in words; empty where only its fields are given.
    pub subject: String,
    pub fields: BTreeMap<String, String>,
    pub contact: BTreeMap<String, String>,
    /// Whether it cannot be told that the row applies for this category.
    pub is_doubtful: bool,
}

/// A cell of a row: the row and its column's header, its text, and the field that it went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCell {
    pub label: String,
    pub value: String,
    pub field: String,
}

/// What a row of the spreadsheet holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadRow {
    pub applicant: String,
    /// Empty: the row was not read.
    pub applications: Vec<ApplicationRow>,
    pub cells: Vec<RowCell>,
    /// What was not read, or is doubtful, in Chinese and English.
    pub notes: Vec<(String, String)>,
}

/// The columns, by what they are: the applicant, the category, the subject, a field of the subject or
/// of the contact.
const COLUMNS: [(&str, &[&str]); 18] = [
    (
        "applicant",
        &[
            "申请单位",
            "申报单位",
            "企业名称",
            "单位名称",
            "企业/机构名称",
            "申请企业",
            "申报企业",
            "机构名称",
            "申请单位名称",
            "申报单位名称",
            "applicant",
        ],
    ),
    ("category", &["类别", "申报类别", "申请类别", "评价类别", "category"]),
    ("subject", &["申报名称", "名称", "申报对象", "评价对象", "申报项目", "申报内容", "subject"]),
    ("brand", &["品牌", "品牌名称", "商标", "品牌/商标", "商标/品牌", "brand"]),
    ("product", &["产品", "产品名称", "product"]),
    ("model", &["型号", "产品型号", "model"]),
    ("specification", &["规格", "产品规格", "specification"]),
    (MODEL_AND_SPECIFICATION, MODEL_AND_SPECIFICATION_WORDS),
    ("name", &["工程名称", "楼盘名称", "name"]),
    ("place", &["地点", "工程地点", "工程地址", "place"]),
    ("number", &["楼号", "楼栋号", "栋号", "number"]),
    ("service", &["服务", "服务名称", "service"]),
    ("contact", &["经办人", "联系人", "contact"]),
    ("mobile", &["手机", "联系手机", "手机号", "手机号码", "移动电话", "mobile"]),
    ("phone", &["电话", "联系电话", "联系方式", "固定电话", "phone"]),
    ("email", &["邮箱", "电子邮箱", "电子信箱", "email"]),
    ("address", &["联系地址", "地址", "address"]),
    ("remark", &["备注", "remark"]),
];
const OF_CONTACT: [&str; 5] = ["contact", "mobile", "phone", "email", "address"];
/// The rows among which the header is looked for.
const HEADER_ROWS: usize = 10;
/// Fewer columns with the name of a category are those of fields.
const LEAST_TICK_COLUMNS: usize = 3;

/// What the columns of a table are.
struct Columns<'a> {
    header: &'a Row,
    fields: Vec<Option<&'static str>>,
    /// The category that a column is to tick.
    ticks: Vec<Option<Category>>,
}

impl Columns<'_> {
    /// Reads a row as the header, if it is one of applications: a list of people has no category
    /// beside an applicant.
    fn of(header: &Row) -> Option<Columns<'_>> {
        // «申报类别（可多选）».
        let field = |cell: &String| {
            [label(cell), label(&without_remarks(cell))].iter().find_map(|folded| {
                let mut known = COLUMNS.iter();
                known.find(|(_, words)| words.contains(&folded.as_str())).map(|(name, _)| *name)
            })
        };
        let tick = |cell: &String| {
            // «类别（√）企业».
            let folded = label(cell);
            let bare = folded.trim_start_matches("申请").trim_start_matches("申报");
            category_of(bare.trim_start_matches("类别").trim_end_matches('类'))
        };
        let fields: Vec<_> = header.cells.iter().map(field).collect();
        let mut ticks: Vec<_> = header.cells.iter().map(tick).collect();
        if ticks.iter().flatten().count() < LEAST_TICK_COLUMNS {
            ticks = vec![None; ticks.len()];
        }
        let has = |name| fields.contains(&Some(name));
        let has_category = has("category") || ticks.iter().any(Option::is_some);
        (has_category && has("applicant")).then_some(Columns { header, fields, ticks })
    }

    fn field(&self, place: usize) -> Option<&'static str> {
        let is_tick = self.ticks.get(place).copied().flatten().is_some();
        self.fields.get(place).copied().flatten().filter(|_| !is_tick)
    }

    fn cell(&self, row: &Row, name: &str) -> String {
        let place = (0..self.fields.len()).find(|place| self.field(*place) == Some(name));
        let cell = place.and_then(|place| row.cells.get(place));
        cell.map(|cell| cell.trim().to_owned()).unwrap_or_default()
    }

    /// The categories of a row: of its cell, or of the columns that it ticks. The second: those that
    /// it may mean.
    fn categories(&self, row: &Row) -> (Vec<Category>, Vec<Category>) {
        let cell = self.cell(row, "category");
        let mut read = match Category::parse(cell.trim_end_matches("类别").trim_end_matches('类'))
        {
            Some(category) => (vec![category], Vec::new()),
            None => {
                let apart = cell.replace(['和', '与', '及', '＋', '+', '&'], " ");
                let apart = apart.replace("企业/机构", "企业机构").replace(['/', '／'], " ");
                let read = ticks::categories(&apart);
                // A word that is no category says something else: «产品（见附件）» does not.
                (read.ticked, read.doubtful)
            }
        };
        for (place, category) in self.ticks.iter().enumerate() {
            let cell = row.cells.get(place).map(|cell| cell.trim()).unwrap_or_default();
            if let Some(category) = category
                && !cell.is_empty()
                && !read.0.contains(category)
            {
                match cell {
                    "否" | "无" | "×" | "/" | "-" | "—" | "——" | "0" | "N" | "n" | "□" =>
                        {}
                    "是" | "1" | "Y" | "y" => read.0.push(*category),
                    mark if ticks::is_only_marks(mark) => read.0.push(*category),
                    _ => read.1.push(*category),
                }
            }
        }
        read
    }
}

/// Returns the rows of a table of applications, those that were not read among them; empty: it is no
/// table of applications.
pub fn read(table: &Sheet) -> Vec<ReadRow> {
    let mut header = table.rows.iter().take(HEADER_ROWS).enumerate();
    let Some((at, columns)) = header.find_map(|(at, row)| Some((at, Columns::of(row)?))) else {
        return Vec::new();
    };
    let mut rows: Vec<ReadRow> = Vec::new();
    let mut above = String::new();
    for row in &table.rows[at + 1..] {
        if row.cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let read = read_row(&columns, row, &above);
        if !read.applications.is_empty() {
            above.clone_from(&read.applicant);
        }
        rows.push(read);
    }
    rows
}

fn read_row(columns: &Columns<'_>, row: &Row, above: &str) -> ReadRow {
    let number = row.number;
    let mut read = ReadRow { applicant: columns.cell(row, "applicant"), ..ReadRow::default() };
    let (ticked, mut doubtful) = columns.categories(row);
    doubtful.retain(|category| !ticked.contains(category));
    let told: Vec<&str> =
        row.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    let told: String = told.join(" ").chars().take(80).collect();
    let is_read = !ticked.is_empty() || !doubtful.is_empty();
    for (place, value) in row.cells.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty()) {
        let head = columns.header.cells.get(place).map(|cell| cell.trim()).unwrap_or_default();
        let is_tick = columns.ticks.get(place).copied().flatten().is_some();
        let field = if is_tick { Some("categories") } else { columns.field(place) };
        read.cells.push(RowCell {
            label: format!("{number} · {head}"),
            value: value.trim().to_owned(),
            field: field.filter(|field| is_read && *field != "remark").unwrap_or("").to_owned(),
        });
    }
    if !is_read {
        let cell = columns.cell(row, "category");
        read.notes.push(if cell.is_empty() {
            (
                format!("第 {number} 行未读取：没有申报类别（{told}）"),
                format!("row {number} was not read: it has no category ({told})"),
            )
        } else {
            (
                format!("第 {number} 行未读取：申报类别“{cell}”无法识别（{told}）"),
                format!("row {number} was not read: {cell:?} is no category ({told})"),
            )
        });
        return read;
    }
    if read.applicant.is_empty() && !above.is_empty() {
        above.clone_into(&mut read.applicant);
        read.notes.push((
            format!("第 {number} 行没有申报单位，按上一行归入“{above}”，请核对"),
            format!("row {number} has no applicant; it was put to that of the row above, {above}"),
        ));
    }
    if !doubtful.is_empty() {
        let names: Vec<&str> = doubtful.iter().map(|category| category.chinese()).collect();
        let names = names.join("、");
        read.notes.push((
            format!("第 {number} 行是否申报“{names}”看不清楚，请对照原件"),
            format!("row {number}: it is doubtful whether it applies for {names}"),
        ));
    }
    let several = ticked.len() + doubtful.len() > 1;
    if several {
        read.notes.push((
            format!("第 {number} 行有多个类别，每个类别作为一项申报，评价对象请逐项核对"),
            format!(
                "row {number} has several categories; each became an application, and its subject \
                    is to be checked"
            ),
        ));
    }
    let of = |names: &[&str]| -> BTreeMap<String, String> {
        let filled = names.iter().map(|name| ((*name).to_owned(), columns.cell(row, name)));
        filled.filter(|(_, value)| !value.is_empty()).collect()
    };
    let mut contact = of(&OF_CONTACT);
    move_mobile(&mut contact);
    for category in Category::ALL {
        if !ticked.contains(&category) && !doubtful.contains(&category) {
            continue;
        }
        let required = crate::domain::subject::required_fields(category);
        let mut names: Vec<&str> = required.iter().map(|(name, ..)| *name).collect();
        if category == Category::Product {
            names.push(MODEL_AND_SPECIFICATION);
        }
        let mut fields = of(&names);
        if let Err(whole) = take_apart(&mut fields) {
            read.notes.push(whole_note(number, &whole));
        }
        read.applications.push(ApplicationRow {
            row: number,
            applicant: read.applicant.clone(),
            category,
            subject: columns.cell(row, "subject"),
            fields,
            contact: contact.clone(),
            is_doubtful: doubtful.contains(&category),
        });
    }
    read
}

fn whole_note(number: u32, whole: &str) -> (String, String) {
    (
        format!("第 {number} 行的规格型号“{whole}”未能拆分，整体填入型号，请补规格"),
        format!("row {number}: {whole:?} was not taken apart into model and specification"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<ReadRow> {
        let row = |(cells, number): (&&[&str], u32)| Row {
            number,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let rows = rows.iter().zip(1..).map(row).collect();
        read(&Sheet { rows, ..Sheet::default() })
    }

    #[test]
    fn each_row_is_an_application() {
        let read = rows(&[
            &["申报汇总表"],
            &["序号", "申请单位", "申报类别", "申报名称", "型号", "规格", "联系人", "手机"],
            &["1", "山海医院", "企业/机构", "山海医院", "", "", "李磊", "13800138000"],
            &["2", "山海电器", "产品类", "远帆牌热水器", "H3", "16L", "", ""],
            &["合计", "", "", "2"],
        ]);
        let all: Vec<&ApplicationRow> = read.iter().flat_map(|row| &row.applications).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].row, all[0].category), (3, Category::Organisation));
        assert_eq!(all[0].contact["mobile"], "13800138000");
        assert_eq!(
            (all[1].subject.as_str(), all[1].fields["model"].as_str()),
            ("远帆牌热水器", "H3")
        );
        // What is not read is named by its row, and its cells are kept.
        assert_eq!(read[2].notes[0].1, "row 5 was not read: it has no category (合计 2)");
        assert_eq!(read[2].cells[0].field, "");
    }

    #[test]
    fn rows_with_several_categories_a_mobile_under_telephone_and_both_in_one_cell_are_read() {
        let read = rows(&[
            &["申报单位", "申报类别", "申报名称", "品牌", "规格型号", "联系电话"],
            &["绿洲电器厂", "产品", "热水器", "绿洲", "GZ60 60L", "13917363362"],
            &["绿洲电器厂", "品牌/服务", "绿洲", "", "", "0518-85551234、13917363362"],
            &["", "企业/机构", "绿洲电器厂", "", "", ""],
            &["绿洲电器厂", "其它", "", "", "", ""],
            &["绿洲电器厂", "☑品牌 □服务", "绿洲", "", "", ""],
        ]);
        let first = &read[0].applications[0];
        assert_eq!(
            (first.fields["model"].as_str(), first.fields["specification"].as_str()),
            ("GZ60", "60L")
        );
        assert_eq!(first.contact["mobile"], "13917363362");
        assert!(!first.contact.contains_key("phone"));
        let categories: Vec<Category> = read[1].applications.iter().map(|a| a.category).collect();
        assert_eq!(categories, [Category::Brand, Category::Service]);
        let contact = &read[1].applications[0].contact;
        assert_eq!(
            (contact["mobile"].as_str(), contact["phone"].as_str()),
            ("13917363362", "0518-85551234")
        );
        assert_eq!(read[2].applications[0].applicant, "绿洲电器厂");
        assert_eq!(read[2].notes.len(), 1);
        assert!(read[3].applications.is_empty() && read[3].notes[0].0.contains("其它"));
        assert_eq!(read[4].applications.len(), 1);
    }

    #[test]
    fn columns_to_tick_name_the_categories() {
        let read = rows(&[
            &["企业名称", "类别（√）企业", "品牌", "产品", "工程", "服务", "申报内容"],
            &["甲厂", "", "√", "×", "", "1", "甲牌"],
        ]);
        let categories: Vec<Category> = read[0].applications.iter().map(|a| a.category).collect();
        assert_eq!(categories, [Category::Brand, Category::Service]);
        assert_eq!(read[0].applications[0].subject, "甲牌");
        assert!(read[0].applications[0].fields.is_empty());
    }
}
