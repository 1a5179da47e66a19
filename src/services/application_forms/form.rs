//! Reads the association's forms: the application form (申请书), its information sheets (信息表) and what
//! stands in a spreadsheet of applications, as tables of labels and values.

use std::collections::BTreeMap;

use super::subjects::{is_numbered, label};
use crate::adapters::spreadsheets::Sheet;
use crate::domain::category::Category;

/// A cell that was read: where it stood, its label and value, and the field that it went to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReadCell {
    pub document: String,
    pub label: String,
    pub value: String,
    /// Empty: it went nowhere.
    pub field: String,
}

/// What an application form says.
#[derive(Debug, Clone, Default)]
pub struct ReadForm {
    pub applicant: String,
    /// By field: `contact`, `phone`, `mobile`, `email`, `address`, …
    pub contact: BTreeMap<String, String>,
    pub categories: Vec<Category>,
    /// The cells with the subjects of each category.
    pub subjects: BTreeMap<Category, String>,
    /// From information sheets: fields of the subject of a category, one map for each sheet.
    pub sheets: Vec<(Category, BTreeMap<String, String>)>,
    pub title: String,
    pub publicity: Option<bool>,
    pub cells: Vec<ReadCell>,
}

impl ReadForm {
    /// Whether anything of a form was found.
    pub fn is_empty(&self) -> bool {
        self.applicant.is_empty()
            && self.categories.is_empty()
            && self.subjects.is_empty()
            && self.sheets.is_empty()
    }
}

/// Labels of the applicant's own fields. The first word of each row is the field.
const CONTACT: [(&str, &[&str]); 12] = [
    (
        "applicant",
        &[
            "企业/机构名称",
            "企业名称",
            "机构名称",
            "单位名称",
            "申请单位",
            "申报单位",
            "申请单位名称",
            "申报单位名称",
            "申请企业",
            "申请企业/机构名称",
            "申请企业名称",
            "企业/机构全称",
            "单位全称",
        ],
    ),
    ("legal_representative", &["法人代表", "法定代表人", "法人", "负责人"]),
    ("registered_at", &["企业/机构注册地", "注册地", "注册地址", "企业注册地"]),
    ("postcode", &["邮政编码", "邮编"]),
    ("contact", &["经办人", "联系人", "经办人姓名", "联系人姓名"]),
    ("phone", &["电话", "联系电话", "固定电话", "办公电话"]),
    ("fax", &["传真"]),
    ("department", &["部门", "所在部门", "经办部门"]),
    ("mobile", &["手机", "手机号", "手机号码", "移动电话"]),
    ("email", &["电子信箱", "电子邮箱", "电子邮件", "邮箱", "email", "e/mail"]),
    ("address", &["联系地址", "通讯地址", "通信地址", "地址"]),
    ("website", &["网址", "网站"]),
];

/// Labels of information sheets, by the category whose subject they describe.
const SUBJECT_FIELDS: [(Category, &str, &[&str]); 11] = [
    (Category::Brand, "brand", &["品牌名称", "品牌", "申报品牌"]),
    (Category::Product, "brand", &["产品品牌", "商标", "商标名称"]),
    (Category::Product, "product", &["产品名称", "申报产品"]),
    (Category::Product, "model", &["型号", "产品型号", "规格型号"]),
    (Category::Product, "specification", &["规格", "产品规格"]),
    (Category::Project, "name", &["工程名称", "项目名称", "申报工程", "楼盘名称"]),
    (
        Category::Project,
        "place",
        &["工程地点", "工程地址", "项目地点", "项目地址", "建设地点", "坐落"],
    ),
    (Category::Project, "number", &["楼号", "楼栋号", "栋号", "幢号"]),
    (Category::Service, "service", &["服务名称", "服务项目", "申报服务", "服务项目名称"]),
    (Category::Organisation, "name", &["申报企业/机构", "申报机构"]),
    (Category::Organisation, "name", &["申报单位全称"]),
];

/// Reads the tables of a document. Lists of people have been taken out of it.
pub fn read(document: &str, tables: &[&Sheet]) -> ReadForm {
    let mut form = ReadForm::default();
    for table in tables {
        let mut sheet: BTreeMap<String, String> = BTreeMap::new();
        let is_information = table.name.contains("信息表") && !table.name.contains("被访者");
        let of_sheet = is_information.then(|| category_in(&table.name)).flatten();
        for line in table.name.lines() {
            read_line(document, line, &mut form);
        }
        // What the cells without a label go on with: «2、…» below or beside «1、…».
        let mut open: Option<Continued> = None;
        for row in &table.rows {
            let cells: Vec<&str> = row.cells.iter().map(|cell| cell.trim()).collect();
            let mut at = 0;
            while at < cells.len() {
                let cell = cells[at];
                if cell.is_empty() || !is_label(cell) {
                    let is_more = open.is_some_and(|open| form.go_on(document, open, cell));
                    if !is_more {
                        // «企业名称：山海医院» in one cell.
                        read_line(document, cell, &mut form);
                    }
                    at += 1;
                    continue;
                }
                let next = cells[at + 1..].iter().position(|cell| !cell.is_empty());
                let value = next.map(|next| at + 1 + next).filter(|next| !is_label(cells[*next]));
                let text = value.map(|value| cells[value]).unwrap_or_default();
                form.take(document, cell, text, of_sheet, &mut sheet);
                let folded = label(cell);
                open = match subject_label(&folded) {
                    Some(category) => Some(Continued::Subjects(category)),
                    None => is_categories(&folded).then_some(Continued::Categories),
                };
                at = value.unwrap_or(at) + 1;
            }
        }
        if let Some(category) = of_sheet.filter(|_| !sheet.is_empty()) {
            form.sheets.push((category, sheet));
        }
    }
    form
}

/// A label whose cell may go on in further cells.
#[derive(Debug, Clone, Copy)]
enum Continued {
    Categories,
    Subjects(Category),
}

/// Reads a line «label：value».
fn read_line(document: &str, line: &str, form: &mut ReadForm) {
    let Some((name, value)) = line.split_once(['：', ':']) else { return };
    if is_label(name) && !value.trim().is_empty() {
        // «企业/机构名称：（加盖公章）山海医院»
        let value =
            value.trim().trim_start_matches("（加盖公章）").trim_start_matches("(加盖公章)");
        form.take(document, name, value, None, &mut BTreeMap::new());
    }
}

/// Whether a cell is a label of the forms.
fn is_label(cell: &str) -> bool {
    let folded = label(cell);
    folded.chars().count() <= 24
        && (field_of(&folded).is_some()
            || subject_label(&folded).is_some()
            || is_categories(&folded)
            || is_title(&folded)
            || is_publicity(&folded)
            || SUBJECT_FIELDS.iter().any(|(.., words)| words.contains(&folded.as_str())))
}

fn field_of(folded: &str) -> Option<&'static str> {
    CONTACT.iter().find(|(_, words)| words.contains(&folded)).map(|(field, _)| *field)
}

fn is_categories(folded: &str) -> bool {
    ["申请类别", "申报类别", "评价类别", "申请评价类别"].contains(&folded)
}

fn is_title(folded: &str) -> bool {
    folded.ends_with("申请称号") || folded == "申请称号" || folded.ends_with("拟申报称号")
}

fn is_publicity(folded: &str) -> bool {
    folded.starts_with("是否") && folded.contains("公示")
}

/// The category whose subjects a label is for: «申报产品名称».
fn subject_label(folded: &str) -> Option<Category> {
    let inner = folded.strip_prefix("申报").or_else(|| folded.strip_prefix("申请"))?;
    let inner = inner.strip_suffix("名称")?;
    category_of(inner)
}

fn category_of(word: &str) -> Option<Category> {
    match word {
        "企业/机构" | "企业" | "机构" | "企业机构" => Some(Category::Organisation),
        "品牌" => Some(Category::Brand),
        "产品" => Some(Category::Product),
        "工程" | "工程项目" | "项目" => Some(Category::Project),
        "服务" | "服务项目" => Some(Category::Service),
        _ => None,
    }
}

/// The category that a heading names.
fn category_in(heading: &str) -> Option<Category> {
    let folded = label(heading);
    let words = [
        ("产品", Category::Product),
        ("工程", Category::Project),
        ("服务", Category::Service),
        ("品牌", Category::Brand),
        ("企业", Category::Organisation),
        ("机构", Category::Organisation),
    ];
    words.iter().find(|(word, _)| folded.contains(word)).map(|(_, category)| *category)
}

impl ReadForm {
    /// Takes a cell without a label as a part of the one before. Returns whether it is one.
    fn go_on(&mut self, document: &str, open: Continued, cell: &str) -> bool {
        let is_numbered = is_numbered(cell);
        let field = match open {
            Continued::Subjects(category) if is_numbered => {
                let subjects = self.subjects.entry(category).or_default();
                if !subjects.is_empty() {
                    subjects.push('\n');
                }
                subjects.push_str(cell);
                format!("{category}.subject")
            }
            Continued::Categories if box_at(cell).is_some() => {
                self.categories.extend(ticked(cell));
                self.categories.sort_unstable();
                self.categories.dedup();
                "categories".to_owned()
            }
            _ => return false,
        };
        self.cells.push(ReadCell {
            document: document.to_owned(),
            label: String::new(),
            value: cell.to_owned(),
            field,
        });
        true
    }

    fn take(
        &mut self,
        document: &str,
        name: &str,
        value: &str,
        of_sheet: Option<Category>,
        sheet: &mut BTreeMap<String, String>,
    ) {
        let folded = label(name);
        let value = value.trim();
        let of_subject = SUBJECT_FIELDS.iter().find(|(category, _, words)| {
            of_sheet.is_none_or(|of_sheet| of_sheet == *category)
                && words.contains(&folded.as_str())
        });
        let field = if let (Some(_), Some((_, field, _))) = (of_sheet, of_subject) {
            if !value.is_empty() {
                sheet.insert((*field).to_owned(), value.to_owned());
            }
            format!("subject.{field}")
        } else if let Some(category) = subject_label(&folded) {
            if !value.is_empty() {
                self.subjects.insert(category, value.to_owned());
            }
            format!("{category}.subject")
        } else if is_categories(&folded) {
            self.categories = ticked(value);
            "categories".to_owned()
        } else if is_title(&folded) {
            self.title = ticked_words(value).join("、");
            "title".to_owned()
        } else if is_publicity(&folded) {
            self.publicity = ticked_words(value).first().map(|word| word.starts_with('是'));
            "publicity".to_owned()
        } else if let Some(field) = field_of(&folded) {
            if field == "applicant" {
                if self.applicant.is_empty() {
                    self.applicant = value.to_owned();
                }
            } else if !value.is_empty() {
                self.contact.entry(field.to_owned()).or_insert_with(|| value.to_owned());
            }
            field.to_owned()
        } else {
            String::new()
        };
        self.cells.push(ReadCell {
            document: document.to_owned(),
            label: name.trim().to_owned(),
            value: value.to_owned(),
            field,
        });
    }
}

/// The categories that are ticked in a cell with all of them.
pub fn ticked(cell: &str) -> Vec<Category> {
    let words = ticked_words(cell);
    let mut categories: Vec<Category> =
        words.iter().filter_map(|word| category_of(&label(word))).collect();
    categories.sort_unstable();
    categories.dedup();
    categories
}

/// The words of a cell that are ticked: «√企业/机构 □品牌», «[√]是 [ ]否», «产品☑ 工程□».
fn ticked_words(cell: &str) -> Vec<String> {
    // What explains the boxes is none of them.
    let cut = ["说明", "注：", "注:", "*", "※"].iter().filter_map(|word| cell.find(word)).min();
    let cell = &cell[..cut.unwrap_or(cell.len())];
    let mut pieces: Vec<(Option<bool>, String)> = vec![(None, String::new())];
    let mut rest = cell;
    while let Some(c) = rest.chars().next() {
        match box_at(rest) {
            Some((is_ticked, length)) => {
                pieces.push((Some(is_ticked), String::new()));
                rest = &rest[length..];
            }
            None => {
                if let Some((_, text)) = pieces.last_mut() {
                    text.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    let trimmed = |text: &str| {
        text.trim_matches(|c: char| c.is_whitespace() || "，,、；;".contains(c)).to_owned()
    };
    let before = trimmed(&pieces[0].1);
    // Where words stand before the first box, each box belongs to the words before it.
    if !before.is_empty() && pieces.len() > 1 && !before.ends_with(['：', ':']) {
        return pieces
            .windows(2)
            .filter(|pair| pair[1].0 == Some(true))
            .map(|pair| trimmed(&pair[0].1))
            .filter(|text| !text.is_empty())
            .collect();
    }
    let own = pieces.iter().skip(1).filter(|(is_ticked, _)| *is_ticked == Some(true));
    own.map(|(_, text)| trimmed(text)).filter(|text| !text.is_empty()).collect()
}

/// A box at the beginning of a text: whether it is ticked, and its length in bytes.
fn box_at(text: &str) -> Option<(bool, usize)> {
    const TICKED: [&str; 14] =
        ["☑", "☒", "■", "√", "✓", "✔", "✅", "●", "◉", "▣", "◼", "⊠", "🗹", "✗"];
    const OPEN: [&str; 8] = ["□", "☐", "○", "◯", "▢", "◻", "🗆", "❑"];
    if let Some(sign) = TICKED.iter().find(|sign| text.starts_with(**sign)) {
        // «√» before an empty box is that box, ticked by hand.
        let length = sign.len();
        let behind = OPEN.iter().find(|open| text[length..].starts_with(**open));
        return Some((true, length + behind.map_or(0, |open| open.len())));
    }
    if let Some(sign) = OPEN.iter().find(|sign| text.starts_with(**sign)) {
        // «□√» is a box, ticked by hand behind it.
        let length = sign.len();
        let behind = ["√", "✓", "✔"].iter().find(|tick| text[length..].starts_with(**tick));
        return Some((behind.is_some(), length + behind.map_or(0, |tick| tick.len())));
    }
    for (open, close) in [("[", "]"), ("［", "］"), ("【", "】"), ("(", ")"), ("（", "）")] {
        let Some(rest) = text.strip_prefix(open) else { continue };
        let Some((inside, _)) = rest.split_once(close) else { continue };
        let mark = inside.trim();
        let is_mark = mark.is_empty()
            || TICKED.contains(&mark)
            || ["x", "X", "v", "V", "×", "*", "✕"].contains(&mark);
        if is_mark && inside.chars().count() <= 3 {
            return Some((!mark.is_empty(), open.len() + inside.len() + close.len()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::spreadsheets::Row;

    /// python-docx#998: the box behind its word.
    #[test]
    fn every_way_to_tick_a_box_is_read() {
        let all = |cell| ticked(cell).iter().map(|c| c.as_str()).collect::<Vec<_>>().join(" ");
        for (cell, expected) in [
            (
                "√企业/机构  □品牌  □产品  ☑工程  □服务*说明：1、申请企业/机构可多选",
                "organisation project",
            ),
            ("[ ]企业/机构  [ ]品牌  [√]产品  [ ]工程  [ ]服务", "product"),
            ("□企业/机构  □品牌  □产品  ☒工程  ☑服务", "project service"),
            ("■企业 □品牌", "organisation"),
            ("□企业/机构 □√品牌 □产品", "brand"),
            ("□企业/机构 √□品牌", "brand"),
            ("（√）企业/机构 （ ）品牌 （x）服务", "organisation service"),
            ("企业/机构☑ 品牌□ 产品☑", "organisation product"),
            ("企业/机构[ ] 品牌[x]", "brand"),
            ("□企业/机构 □品牌", ""),
            ("", ""),
        ] {
            assert_eq!(all(cell), expected, "{cell}");
        }
        assert_eq!(ticked_words("[√]用户满意  [ ]用户满意标杆"), ["用户满意"]);
        assert_eq!(ticked_words("☑是 □否"), ["是"]);
    }

    fn sheet(name: &str, rows: &[&[&str]]) -> Sheet {
        let row = |(cells, number): (&&[&str], u32)| Row {
            number,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        Sheet {
            name: name.to_owned(),
            rows: rows.iter().zip(1..).map(row).collect(),
            ..Sheet::default()
        }
    }

    /// A merged label over several rows, or several cells.
    #[test]
    fn subjects_and_boxes_go_on_in_further_cells() {
        let form = sheet(
            "申请书",
            &[
                &["企业名称", "甲"],
                &["申请类别", "□企业/机构", "☑产品"],
                &["", "□工程"],
                &["", "☑服务"],
                &["申报产品名称", "1、热水器"],
                &["", "2、洗衣机"],
                &["", "3、"],
                &["", "2.5"],
                &["备注说明", "无"],
            ],
        );
        let read = read("x", &[&form]);
        assert_eq!(read.categories, [Category::Product, Category::Service]);
        assert_eq!(read.subjects[&Category::Product], "1、热水器\n2、洗衣机\n3、");
    }

    #[test]
    fn labels_and_values_are_told_apart_and_information_sheets_add_fields() {
        let form = sheet(
            "附件1\n申请书",
            &[
                &["企业/机构名称", "山海医院", "", "", "法人代表", "黄敏"],
                &["经办人", "李磊", "电话", "020-83300464", "传真", ""],
                &["申请类别", "√企业/机构 □品牌 ☑产品"],
                &["申报企业/机构名称", "1、山海医院"],
                &["申报产品名称", "1、"],
                &[
                    "如达到AAA级，拟申请称号",
                    "☑用户满意 □用户满意标杆",
                    "",
                    "",
                    "是否申请公示",
                    "□是 ☑否",
                ],
            ],
        );
        let information = sheet(
            "附件2 产品信息表",
            &[&["产品名称", "热水器", "商标", "远帆"], &["型号", "H3", "规格", "16L"]],
        );
        let read = read("申请书.docx", &[&form, &information]);
        assert_eq!(read.applicant, "山海医院");
        assert_eq!(
            (read.contact["contact"].as_str(), read.contact["phone"].as_str()),
            ("李磊", "020-83300464")
        );
        assert!(!read.contact.contains_key("fax"));
        assert_eq!(read.categories, [Category::Organisation, Category::Product]);
        assert_eq!(read.subjects[&Category::Organisation], "1、山海医院");
        assert_eq!((read.title.as_str(), read.publicity), ("用户满意", Some(false)));
        let (category, fields) = &read.sheets[0];
        assert_eq!(
            (*category, fields["brand"].as_str(), fields["model"].as_str()),
            (Category::Product, "远帆", "H3")
        );
        assert!(read.cells.iter().all(|cell| !cell.field.is_empty()));
    }
}
