//! Reads the association's forms: the application form (申请书), its information sheets (信息表) and what
//! stands in a spreadsheet of applications, as tables of labels and values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::reading::DocumentProblem;
use super::subjects::{is_numbered, label, without_remarks};
use super::{numbered, sheets, ticks};
use crate::adapters::spreadsheets::{Row, Sheet};
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
    /// Categories of which it cannot be told whether they are ticked.
    pub doubtful: Vec<Category>,
    /// Whether it has a cell of categories.
    pub has_categories: bool,
    /// The cells with the subjects of each category.
    pub subjects: BTreeMap<Category, String>,
    /// From information sheets: fields of the subject of a category, one map for each sheet.
    pub sheets: Vec<(Category, BTreeMap<String, String>)>,
    pub title: String,
    pub publicity: Option<bool>,
    pub cells: Vec<ReadCell>,
    /// What was not read, or is doubtful, by its document.
    pub notes: Vec<(String, DocumentProblem)>,
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
pub const SUBJECT_FIELDS: [(Category, &str, &[&str]); 12] = [
    (Category::Brand, "brand", &["品牌名称", "品牌", "申报品牌"]),
    (
        Category::Product,
        "brand",
        &[
            "产品品牌",
            "商标",
            "商标名称",
            "注册商标",
            "品牌",
            "品牌名称",
            "品牌名",
            "所属品牌",
            "商标/品牌",
            "品牌/商标",
            "商标品牌",
            "品牌商标",
            "商标或品牌",
            "品牌或商标",
            "品牌及商标",
        ],
    ),
    (Category::Product, "product", &["产品名称", "申报产品", "品名"]),
    (Category::Product, "model", &["型号", "产品型号"]),
    (Category::Product, "specification", &["规格", "产品规格"]),
    (Category::Product, MODEL_AND_SPECIFICATION, MODEL_AND_SPECIFICATION_WORDS),
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

/// The field of a column or row with both, which is taken apart where it can be.
pub const MODEL_AND_SPECIFICATION: &str = "model_and_specification";
pub const MODEL_AND_SPECIFICATION_WORDS: &[&str] = &[
    "规格型号",
    "型号规格",
    "规格/型号",
    "型号/规格",
    "规格及型号",
    "型号及规格",
    "规格和型号",
    "型号和规格",
    "产品规格型号",
    "产品型号规格",
    "型号规格参数",
];

/// Reads the tables of a document. Lists of people have been taken out of it.
pub fn read(document: &str, tables: &[&Sheet]) -> ReadForm {
    let mut form = ReadForm::default();
    for table in tables {
        for line in table.name.lines() {
            form.read_line(document, line);
        }
        let of_sheet = sheets::category_of_sheet(table);
        let rows = match of_sheet {
            Some(category) => sheets::read_columns(document, table, category, &mut form),
            None => table.rows.as_slice(),
        };
        form.read_table(document, rows, of_sheet);
    }
    form.move_mobile();
    form
}

/// The cells with the categories, with their rows and columns, and the column of their label.
#[derive(Default)]
struct Choices {
    label_at: usize,
    cells: Vec<(usize, usize, String)>,
}

impl Choices {
    /// Whether a cell is a part of them: words of the form and marks, and nothing else.
    fn is_part(cell: &str) -> bool {
        ticks::is_only_marks(cell) || ticks::is_choice(cell, ticks::CATEGORIES)
    }

    /// Puts the cells together as one: a row of words over a row of marks, or one behind the other.
    fn joined(&self) -> String {
        let rows: BTreeSet<usize> = self.cells.iter().map(|(row, ..)| *row).collect();
        let rows: Vec<usize> = rows.into_iter().collect();
        let of = |row: usize| self.cells.iter().filter(move |(at, ..)| *at == row);
        let is_words = |row: usize| of(row).all(|(.., cell)| !ticks::is_marked(cell));
        let is_marks = |row: usize| of(row).all(|(.., cell)| ticks::is_only_marks(cell));
        if let [first, second] = rows.as_slice() {
            let (words, marks) =
                if is_words(*first) { (*first, *second) } else { (*second, *first) };
            if is_words(words) && is_marks(marks) && of(words).count() > 1 {
                let mark = |column: usize| {
                    let found = of(marks).find(|(_, at, _)| *at == column);
                    found.map_or("□", |(.., cell)| cell.as_str())
                };
                let pair = |(_, at, word): &(usize, usize, String)| format!("{}{word}", mark(*at));
                return of(words).map(pair).collect::<Vec<_>>().join(" ");
            }
        }
        // A word in each row, with its mark or none.
        let words = |row: usize| of(row).filter(|(.., cell)| !ticks::is_only_marks(cell));
        if rows.len() > 1 && rows.iter().all(|row| words(*row).count() == 1) {
            let line = |row: &usize| {
                let mut marks = of(*row).filter(|(.., cell)| ticks::is_only_marks(cell));
                let word = words(*row).map(|(.., cell)| cell.as_str()).next().unwrap_or_default();
                let own = if ticks::is_marked(word) { "" } else { "□" };
                format!("{}{word}", marks.next().map_or(own, |(.., cell)| cell.as_str()))
            };
            return rows.iter().map(line).collect::<Vec<_>>().join(" ");
        }
        let mut joined =
            self.cells.iter().map(|(.., cell)| cell.as_str()).collect::<Vec<_>>().join(" ");
        // A word stands directly beside the label, and marks in cells of their own: behind the words.
        let first = self.cells.first();
        let is_behind = first
            .is_some_and(|(_, at, cell)| *at == self.label_at + 1 && !ticks::is_marked(cell))
            && self.cells.iter().any(|(.., cell)| ticks::is_only_marks(cell))
            && self.cells.last().is_some_and(|(.., cell)| !ticks::is_marked(cell));
        if is_behind {
            joined.push_str(" □");
        }
        joined
    }
}

impl ReadForm {
    /// Reads a table of labels and values. What it has beside them is kept as not used.
    fn read_table(&mut self, document: &str, rows: &[Row], of_sheet: Option<Category>) {
        let mut sheet: BTreeMap<String, String> = BTreeMap::new();
        // What the cells without a label go on with: «2、…» below or beside «1、…».
        let (mut open, mut is_noted): (Option<Category>, bool) = (None, false);
        let mut choices: Option<Choices> = None;
        let (mut has_labels, mut unused) = (false, Vec::new());
        for (row_at, row) in rows.iter().enumerate() {
            let cells: Vec<&str> = row.cells.iter().map(|cell| cell.trim()).collect();
            let mut filled = cells.iter().filter(|cell| !cell.is_empty());
            if let Some(open) = &mut choices {
                let parts = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
                if filled.all(|cell| Choices::is_part(cell)) {
                    let parts = parts.map(|(at, cell)| (row_at, at, (*cell).to_owned()));
                    open.cells.extend(parts);
                    continue;
                }
                self.take_choices(document, choices.take());
            }
            let mut at = 0;
            while at < cells.len() {
                let cell = cells[at];
                if cell.is_empty() || !is_label(cell) {
                    let is_more = open.is_some_and(|open| self.go_on(document, open, cell));
                    // «企业名称：山海医院» in one cell.
                    if !cell.is_empty() && !is_more && !self.read_line(document, cell) {
                        unused.push((row_at, cell.to_owned()));
                        if let Some(category) = open.filter(|_| !is_noted) {
                            self.note(document, beside_subjects(category, cell));
                            is_noted = true;
                        }
                    }
                    at += 1;
                    continue;
                }
                has_labels = true;
                let next = cells[at + 1..].iter().position(|cell| !cell.is_empty());
                let next = next.map(|next| at + 1 + next);
                let folded = fold(cell);
                if is_categories(&folded) {
                    let mut found = Choices { label_at: at, cells: Vec::new() };
                    let mut place = next.unwrap_or(cells.len());
                    while place < cells.len() {
                        let cell = cells[place];
                        let is_first = found.cells.is_empty() && !is_label(cell);
                        if !cell.is_empty() && !is_first && !Choices::is_part(cell) {
                            break;
                        }
                        if !cell.is_empty() {
                            found.cells.push((row_at, place, cell.to_owned()));
                        }
                        place += 1;
                    }
                    (choices, open, at) = (Some(found), None, place);
                    continue;
                }
                let value = next.filter(|next| !is_label(cells[*next]));
                let text = value.map(|value| cells[value]).unwrap_or_default();
                self.take(document, cell, text, of_sheet, &mut sheet);
                (open, is_noted) = (subject_label(&folded), false);
                at = value.unwrap_or(at) + 1;
            }
        }
        self.take_choices(document, choices);
        if let Some(category) = of_sheet.filter(|_| !sheet.is_empty()) {
            self.sheets.push((category, sheet));
        }
        if has_labels {
            self.keep_unused(document, unused);
        }
    }

    /// Keeps cells that went nowhere; two of a row are a label and its value.
    fn keep_unused(&mut self, document: &str, unused: Vec<(usize, String)>) {
        let mut unused = unused.into_iter().peekable();
        while let Some((row, cell)) = unused.next() {
            let value = unused.next_if(|(next, _)| *next == row);
            let (label, value) = match value {
                Some((_, value)) => (cell, value),
                None => (String::new(), cell),
            };
            let document = document.to_owned();
            self.cells.push(ReadCell { document, label, value, field: String::new() });
        }
    }

    fn note(&mut self, document: &str, (zh, en): (String, String)) {
        self.notes.push((document.to_owned(), DocumentProblem::new((zh, en))));
    }

    fn take_choices(&mut self, document: &str, choices: Option<Choices>) {
        let Some(choices) = choices else { return };
        self.take_categories(document, &choices.joined());
        for (place, (.., cell)) in choices.cells.into_iter().enumerate() {
            self.cells.push(ReadCell {
                document: document.to_owned(),
                label: if place == 0 { "申请类别".to_owned() } else { String::new() },
                value: cell,
                field: "categories".to_owned(),
            });
        }
    }

    fn take_categories(&mut self, document: &str, cell: &str) {
        let read = ticks::categories(cell);
        self.has_categories = true;
        self.categories.extend(read.ticked);
        self.categories.sort_unstable();
        self.categories.dedup();
        if !read.doubtful.is_empty() {
            let zh: Vec<&str> = read.doubtful.iter().map(|category| category.chinese()).collect();
            let en: Vec<&str> = read.doubtful.iter().map(|category| category.as_str()).collect();
            self.note(
                document,
                (
                    format!("申请类别中的勾选看不出属于哪一项，请对照原件：{}", zh.join("、")),
                    format!(
                        "it is doubtful what the ticks of the categories belong to; compare them \
                            with the document: {}",
                        en.join(", ")
                    ),
                ),
            );
        }
        if !read.unknown.is_empty() {
            let words = read.unknown.join("、");
            self.note(
                document,
                (
                    format!("勾选了未知的类别：{words}"),
                    format!("what is ticked is no known category: {words}"),
                ),
            );
        }
        self.doubtful.extend(read.doubtful);
    }

    /// A mobile under «联系电话» is the contact's mobile.
    fn move_mobile(&mut self) {
        move_mobile(&mut self.contact);
    }

    /// Reads a line of «label：value», or several of them. Returns whether it has one.
    fn read_line(&mut self, document: &str, line: &str) -> bool {
        let blank = |c: char| c.is_whitespace() || "，,；;。".contains(c);
        // The labels, with where they begin and where their values do.
        let mut labels: Vec<(usize, usize)> = Vec::new();
        for (colon, sign) in line.match_indices(['：', ':']) {
            let from = labels.last().map_or(0, |(_, value)| *value);
            let before = &line[from..colon];
            let cut = before.rfind(blank).map_or(from, |at| {
                from + at + before[at..].chars().next().map_or(1, char::len_utf8)
            });
            let value = colon + sign.len();
            if let Some(at) = [from, cut].into_iter().find(|at| is_label(&line[*at..colon])) {
                labels.push((at, value));
            }
        }
        let mut is_read = false;
        for (place, (at, value)) in labels.iter().enumerate() {
            let end = labels.get(place + 1).map_or(line.len(), |(next, _)| *next);
            let name = line[*at..*value].trim_end_matches(['：', ':']);
            // «企业/机构名称：（加盖公章）山海医院»
            let text = line[*value..end].trim_matches(blank);
            let text =
                text.trim_start_matches("（加盖公章）").trim_start_matches("(加盖公章)").trim();
            if !text.is_empty() {
                self.take(document, name, text, None, &mut BTreeMap::new());
                is_read = true;
            }
        }
        is_read
    }
}

fn beside_subjects(category: Category, cell: &str) -> (String, String) {
    (
        format!("“申报{}名称”旁的内容未读取：{cell}", category.chinese()),
        format!("what stands beside the subjects of «{category}» was not read: {cell}"),
    )
}

/// Moves a mobile that stands as a telephone number.
pub fn move_mobile(contact: &mut BTreeMap<String, String>) {
    if contact.contains_key("mobile") {
        return;
    }
    let Some(phone) = contact.get("phone").cloned() else { return };
    let Some(found) = MOBILE.find(&phone) else { return };
    // Digits on either side make it another number.
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    if is_digit(phone[..found.start()].chars().next_back())
        || is_digit(phone[found.end()..].chars().next())
    {
        return;
    }
    let rest = format!("{} {}", &phone[..found.start()], &phone[found.end()..]);
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric() && c != ')' && c != '）');
    contact.insert("mobile".to_owned(), found.as_str().to_owned());
    if rest.is_empty() {
        contact.remove("phone");
    } else {
        contact.insert("phone".to_owned(), rest.to_owned());
    }
}

static MOBILE: LazyLock<Regex> = LazyLock::new(|| {
    // A fixed pattern; the tests below run it.
    Regex::new(r"(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}").expect("a fixed pattern")
});

/// Whether a cell is a label of the forms.
pub fn is_label(cell: &str) -> bool {
    let folded = fold(cell);
    folded.chars().count() <= 24 && is_known(&folded)
}

fn is_known(folded: &str) -> bool {
    field_of(folded).is_some()
        || subject_label(folded).is_some()
        || is_categories(folded)
        || is_title(folded)
        || is_publicity(folded)
        || SUBJECT_FIELDS.iter().any(|(.., words)| words.contains(&folded))
}

/// A label as the forms know it: «申请类别（可多选）», «二、申请类别».
fn fold(cell: &str) -> String {
    let whole = label(cell);
    if is_known(&whole) {
        return whole;
    }
    let bare = without_remarks(cell);
    let unnumbered = numbered::after_number(bare.trim()).unwrap_or(&bare);
    [label(&bare), label(unnumbered)].into_iter().find(|folded| is_known(folded)).unwrap_or(whole)
}

fn field_of(folded: &str) -> Option<&'static str> {
    CONTACT.iter().find(|(_, words)| words.contains(&folded)).map(|(field, _)| *field)
}

fn is_categories(folded: &str) -> bool {
    [
        "申请类别",
        "申报类别",
        "评价类别",
        "参评类别",
        "申请类型",
        "申报类型",
        "申请评价类别",
        "申报评价类别",
    ]
    .contains(&folded)
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

pub fn category_of(word: &str) -> Option<Category> {
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
pub fn category_in(heading: &str) -> Option<Category> {
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
    /// Takes a cell without a label as a part of the subjects before. Returns whether it is one.
    fn go_on(&mut self, document: &str, category: Category, cell: &str) -> bool {
        if !is_numbered(cell) {
            return false;
        }
        let subjects = self.subjects.entry(category).or_default();
        if !subjects.is_empty() {
            subjects.push('\n');
        }
        subjects.push_str(cell);
        self.cells.push(ReadCell {
            document: document.to_owned(),
            label: String::new(),
            value: cell.to_owned(),
            field: format!("{category}.subject"),
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
        let folded = fold(name);
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
            self.take_categories(document, value);
            "categories".to_owned()
        } else if is_title(&folded) {
            let read = ticks::ticks(value, ticks::TITLES);
            if read.doubtful.len() + read.ticked.len() > 1
                || !read.doubtful.is_empty() && read.is_marked
            {
                self.note(
                    document,
                    (
                        "拟申请称号的勾选不明确（多项或看不清），请对照原件".to_owned(),
                        "it is doubtful which title is ticked, or several are; compare it with the \
                            document"
                            .to_owned(),
                    ),
                );
            }
            self.title = read.ticked.join("、");
            "title".to_owned()
        } else if is_publicity(&folded) {
            let read = ticks::ticks(value, ticks::CONSENTS);
            self.publicity = match read.ticked.as_slice() {
                [only] => match only.as_str() {
                    "是" | "同意" => Some(true),
                    "否" | "不同意" => Some(false),
                    _ => None,
                },
                _ => None,
            };
            if self.publicity.is_none()
                && read.ticked.len() + read.doubtful.len() > 0
                && read.is_marked
            {
                self.note(
                    document,
                    (
                        "是否公示的勾选看不清楚，请对照原件".to_owned(),
                        "it is doubtful whether the result may be made public; compare it with \
                            the document"
                            .to_owned(),
                    ),
                );
            }
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

#[cfg(test)]
mod tests {
    use super::super::sheet_of;
    use super::*;

    /// A merged label over several rows, or several cells.
    #[test]
    fn subjects_and_boxes_go_on_in_further_cells() {
        let form = sheet_of(
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

    /// A box in a cell of its own: behind the words, under them, or beside one in each row.
    #[test]
    fn boxes_in_cells_of_their_own_are_read() {
        let brand_and_service: &[&[&[&str]]] = &[
            &[&["申请类别", "企业/机构", "□", "品牌", "☑", "产品", "□", "服务", "☑"]],
            &[&["申请类别（可多选）", "企业/机构", "", "品牌", "√", "产品", "", "服务", "√"]],
            &[&["二、申请类别", "□", "企业/机构", "☑", "品牌", "□", "产品", "☑", "服务"]],
            &[
                &["申请类别", "企业/机构", "品牌", "产品", "服务"],
                &["", "", "√", "", "√"],
                &["申报品牌名称", "远帆"],
            ],
            &[
                &["申请类别", "", "企业/机构"],
                &["", "√", "品牌"],
                &["", "", "产品"],
                &["", "√", "服务"],
            ],
            &[&["申请类别", "企业/机构", ""], &["", "品牌", "√"], &["", "服务", "√"]],
            &[&["申请类别：企业/机构 √品牌 产品 工程 √服务"]],
        ];
        for rows in brand_and_service {
            let read = read("x", &[&sheet_of("申请书", rows)]);
            assert_eq!(read.categories, [Category::Brand, Category::Service], "{rows:?}");
            assert!(read.doubtful.is_empty(), "{rows:?}");
        }
        let rows: &[&[&str]] = &[&["申请类别", "", "企业/机构", "√", "品牌", "", "产品"]];
        let read = read("x", &[&sheet_of("申请书", rows)]);
        assert!(read.categories.is_empty() && read.notes.len() == 1);
        assert_eq!(read.doubtful, [Category::Organisation, Category::Brand]);
    }

    #[test]
    fn several_labels_of_a_line_and_a_mobile_under_telephone_are_read() {
        let rows: &[&[&str]] = &[
            &["企业名称：甲公司"],
            &["经办人：苏小妹  联系电话：0518-85551234、13917355443  电子信箱：q@x.example"],
        ];
        let contact = read("x", &[&sheet_of("", rows)]).contact;
        for (field, value) in [
            ("contact", "苏小妹"),
            ("phone", "0518-85551234"),
            ("mobile", "13917355443"),
            ("email", "q@x.example"),
        ] {
            assert_eq!(contact[field], value);
        }
    }

    #[test]
    fn labels_and_values_are_told_apart_and_information_sheets_add_fields() {
        let form = sheet_of(
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
        let information = sheet_of(
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
