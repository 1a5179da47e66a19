//! Puts together what the documents of an applicant say: its applications, and the lists of people
//! for them.

use std::collections::BTreeMap;

use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::documents::{Document, ReadDocument, Unpacked, read, unpack};
use super::form::{ReadCell, ReadForm};
use super::{ApplicationFormError, form, lists, rows, sheets, subjects};
use crate::adapters::spreadsheets::{ForeignFile, Row, Sheet};
use crate::domain::category::Category;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::subject::required_fields;
use crate::services::list_import::TableError;
use crate::services::list_import::find::{
    categories_named, is_continuation, people_in, put_below_each_other,
};

/// What was read of the documents of one applicant. All of it may be personal data.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct ApplicationReading {
    pub applicant: String,
    /// By field: `contact`, `phone`, `mobile`, `email`, `address`, …
    pub contact: BTreeMap<String, String>,
    /// The title that is asked for, and whether the result may be made public.
    pub title: String,
    pub publicity: Option<bool>,
    pub applications: Vec<ReadApplication>,
    pub lists: Vec<ReadList>,
    /// The cells as they stood in the documents, with the fields they went to.
    pub cells: Vec<ReadCell>,
    /// The documents, with what is wrong with those that could not be read.
    pub documents: Vec<(String, Option<DocumentProblem>)>,
    /// What was not read, or is doubtful, by its document.
    #[serde(default)]
    pub notes: Vec<(String, DocumentProblem)>,
}

/// An application for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadApplication {
    pub category: Category,
    /// As the document has it.
    pub subject: String,
    /// Taken apart, by the fields that the category requires.
    pub fields: BTreeMap<String, String>,
    /// Whether the form ticks the category; a subject may stand there without it.
    pub is_ticked: bool,
    /// Whether it cannot be told that the category is ticked; `is_ticked` is false then.
    #[serde(default)]
    pub is_doubtful: bool,
    /// Staff have left it out.
    #[serde(default)]
    pub is_left_out: bool,
}

impl ReadApplication {
    /// The fields that the category requires and that are not there.
    pub fn missing(&self) -> Vec<&'static str> {
        subjects::missing(self.category, &self.fields)
    }
}

/// Why a document, or a part of it, could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DocumentProblem {
    /// A kind of file; what to do about it depends on who is told.
    Foreign { foreign: ForeignFile },
    /// In Chinese and English.
    Localized(LocalizedText),
    /// In one language, as drafts have kept it.
    Plain(String),
}

impl DocumentProblem {
    pub(super) fn new((zh, en): (impl Into<String>, impl Into<String>)) -> DocumentProblem {
        DocumentProblem::Localized(LocalizedText::zh_en(zh, en))
    }

    fn of(error: &TableError) -> DocumentProblem {
        match error {
            TableError::Foreign(kind) => DocumentProblem::Foreign { foreign: *kind },
            error => DocumentProblem::new(error.labels()),
        }
    }

    /// As staff are told it.
    pub fn in_language(&self, language: Language) -> &str {
        match self {
            DocumentProblem::Foreign { foreign } => one_of(foreign.labels(), language),
            DocumentProblem::Localized(text) => text.in_language(language),
            DocumentProblem::Plain(text) => text,
        }
    }

    /// As the applicant is told it, whose document it is.
    pub fn for_applicant(&self, language: Language) -> &str {
        match self {
            DocumentProblem::Foreign { foreign } => one_of(foreign.labels_for_sender(), language),
            other => other.in_language(language),
        }
    }
}

fn one_of((zh, en): (&'static str, &'static str), language: Language) -> &'static str {
    if language == Language::ZH { zh } else { en }
}

/// A list of people.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadList {
    pub document: String,
    pub heading: String,
    /// The categories that it is for; empty: it does not say, so for all.
    pub categories: Vec<Category>,
    /// Its rows with their numbers, the header among them.
    pub rows: Vec<(u32, Vec<String>)>,
    pub people: usize,
}

impl ReadList {
    fn table_rows(&self) -> Vec<Row> {
        let row =
            |(number, cells): &(u32, Vec<String>)| Row { number: *number, cells: cells.clone() };
        self.rows.iter().map(row).collect()
    }
}

/// Reads documents. Returns one reading for each applicant that they name.
pub fn read_documents(
    documents: Vec<Document>,
    headers: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Result<Vec<ApplicationReading>, ApplicationFormError> {
    let named = |error| ApplicationFormError::Document { name: String::new(), error };
    let Unpacked { documents, unread: not_unpacked, same: doubled } =
        unpack(documents).map_err(named)?;
    if documents.is_empty() && not_unpacked.is_empty() {
        return Err(ApplicationFormError::Nothing);
    }
    let mut readings: Vec<ApplicationReading> = Vec::new();
    // What says nothing of its applicant belongs to the only one there is.
    let mut nameless = ApplicationReading::default();
    let (mut unread, mut first_error, mut pdf) = (Vec::new(), None, None);
    for document in &documents {
        let ReadDocument { name, tables, is_pdf } = read(document);
        match tables {
            Err(error) => {
                unread.push((name.clone(), Some(DocumentProblem::of(&error))));
                first_error.get_or_insert((name, error));
            }
            Ok(tables) => {
                if is_pdf {
                    pdf = Some(name.clone());
                }
                for part in read_tables(&name, tables, is_pdf, (headers, region)) {
                    let known = readings.iter_mut().find(|r| same(&r.applicant, &part.applicant));
                    match known {
                        _ if part.applicant.is_empty() => nameless.add(part),
                        Some(known) => known.add(part),
                        None => readings.push(part),
                    }
                }
            }
        }
    }
    for (name, error) in not_unpacked {
        unread.push((name.clone(), Some(DocumentProblem::of(&error))));
        first_error.get_or_insert((name, error));
    }
    if !nameless.documents.is_empty() {
        match readings.as_mut_slice() {
            [only] => only.add(nameless),
            _ => readings.push(nameless),
        }
    }
    let is_any = |reading: &ApplicationReading| {
        !reading.applications.is_empty() || !reading.lists.is_empty()
    };
    // What the others tell is told with the first.
    let (kept, empty): (Vec<_>, Vec<_>) = readings.into_iter().partition(is_any);
    readings = kept;
    let Some(first) = readings.first_mut() else {
        return Err(match first_error {
            Some((name, error)) => ApplicationFormError::Document { name, error },
            None if pdf.is_some() => ApplicationFormError::Document {
                name: pdf.unwrap_or_default(),
                error: TableError::Foreign(ForeignFile::TornPdf),
            },
            None => ApplicationFormError::NoForm(
                documents.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", "),
            ),
        });
    };
    for reading in empty {
        first.documents.extend(reading.documents);
        first.notes.extend(reading.notes);
        first.cells.extend(reading.cells);
    }
    first.documents.extend(unread);
    first.notes.extend(doubled.into_iter().map(|(name, known)| {
        let note = (
            format!("与“{known}”内容相同，只读取一次"),
            format!("it is the same as {known} and was read once"),
        );
        (name, DocumentProblem::new(note))
    }));
    Ok(readings)
}

/// Whether two names mean one applicant.
fn same(one: &str, other: &str) -> bool {
    subjects::label(one) == subjects::label(other)
}

impl ApplicationReading {
    fn add(&mut self, other: ApplicationReading) {
        if self.applicant.is_empty() {
            self.applicant = other.applicant;
        }
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        for (field, value) in other.contact {
            self.contact.entry(field).or_insert(value);
        }
        if self.title.is_empty() {
            self.title = other.title;
        }
        self.publicity = self.publicity.or(other.publicity);
        for application in other.applications {
            let known = self.applications.iter_mut().find(|known| {
                known.category == application.category
                    && (same(&known.subject, &application.subject) || known.subject.is_empty())
            });
            match known {
                Some(known) => {
                    if known.subject.is_empty() {
                        known.subject = application.subject;
                    }
                    known.is_ticked |= application.is_ticked;
                    known.is_doubtful =
                        !known.is_ticked && (known.is_doubtful || application.is_doubtful);
                    for (field, value) in application.fields {
                        known.fields.entry(field).or_insert(value);
                    }
                }
                None => self.applications.push(application),
            }
        }
        for list in other.lists {
            let is_same =
                |known: &&ReadList| known.rows == list.rows && known.categories == list.categories;
            match self.lists.iter().find(is_same) {
                Some(known) => self.notes.push((
                    list.document.clone(),
                    DocumentProblem::new((
                        format!(
                            "其中 {} 人的名单与“{}”中的相同，只取一次",
                            list.people, known.document
                        ),
                        format!(
                            "its list of {} people is the same as that of {} and was taken once",
                            list.people, known.document
                        ),
                    )),
                )),
                None => self.lists.push(list),
            }
        }
        self.cells.extend(other.cells);
        self.documents.extend(other.documents);
    }
}

/// What to do about a list whose cells are lost.
const LOST_LIST: (&str, &str) = (
    "最后一份名单的表格已散开，请另存为 .docx 后再读取",
    "its last list has lost its cells; save it as .docx and read that",
);

/// Whether a heading of a list is followed by numbers and no table: LibreOffice takes the cells away
/// from a table that ends a document of Word 97 without a paragraph behind it. Said, so that nobody
/// is left out unseen.
fn is_lost_list(table: &Sheet) -> bool {
    const OF_TWO_MOBILES: usize = 22;
    table.rows.is_empty()
        && table.name.contains("登记表")
        && table.name.chars().filter(char::is_ascii_digit).count() >= OF_TWO_MOBILES
}

/// Reads the tables of one document: lists, a form, rows of applications.
fn read_tables(
    document: &str,
    tables: Vec<Sheet>,
    is_pdf: bool,
    (headers, region): (&BTreeMap<String, Vec<String>>, country::Id),
) -> Vec<ApplicationReading> {
    let (mut readings, mut lists, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut notes: Vec<DocumentProblem> = Vec::new();
    // The headings of lists that no list has followed yet.
    let mut pending: Vec<String> = Vec::new();
    let mut of_lists = ReadForm::default();
    for table in tables {
        let left_out = table.left_out.hidden.len() + table.left_out.struck.len();
        if left_out > 0 {
            notes.push(DocumentProblem::new((
                format!("有 {left_out} 行隐藏、被筛选掉或划掉的内容未读取"),
                format!(
                    "{left_out} rows that are hidden, filtered out or struck through were not read"
                ),
            )));
        }
        let rows = rows::read(&table);
        if !rows.is_empty() {
            read_rows(document, rows, &mut readings, &mut notes);
            continue;
        }
        for table in lists::split(table) {
            pending.extend(lists::headings(&table).into_iter().map(str::to_owned));
            let mut table = table;
            table.rows = put_below_each_other(table.rows, headers, region);
            let people = people_in(&table.rows, headers, region);
            if people == 0 {
                let last = lists.last_mut().filter(|list: &&mut ReadList| {
                    is_continuation(&table.rows, &list.table_rows(), headers, region)
                });
                if let Some(list) = last {
                    let offset = list.rows.last().map_or(0, |(number, _)| *number);
                    let below = table.rows.into_iter().map(|row| (row.number + offset, row.cells));
                    list.rows.extend(below);
                    list.people = people_in(&list.table_rows(), headers, region);
                    continue;
                }
                let unread = lists::rows_with_mobiles(&table);
                if unread > 1 {
                    notes.push(DocumentProblem::new((
                        format!("有一个含 {unread} 行手机号码的表格未作为名单读取，请核对"),
                        format!(
                            "a table with {unread} rows of mobile numbers was not read as a list"
                        ),
                    )));
                }
                others.push(table);
                continue;
            }
            pending.clear();
            // «企业/机构名称：（加盖公章）山海医院» stands above the list.
            let heading = Sheet { name: table.name.clone(), ..Sheet::default() };
            let told = form::read(document, &[&heading]);
            if of_lists.applicant.is_empty() {
                of_lists.applicant = told.applicant;
            }
            lists.push(ReadList {
                document: document.to_owned(),
                categories: categories_named(&table.name),
                heading: table.name,
                rows: table.rows.into_iter().map(|row| (row.number, row.cells)).collect(),
                people,
            });
        }
    }
    // A list in a frame stands before the frame's own text; a list that is torn apart has its problem.
    let is_told = |heading: &String| {
        lists.iter().any(|list| list.heading.lines().any(|line| line.trim() == heading))
            || others.iter().any(is_lost_list)
    };
    pending.retain(|heading| !is_told(heading));
    notes.extend(pending.into_iter().map(|heading| {
        DocumentProblem::new((
            format!("“{heading}”之后没有读到名单，请对照原件"),
            format!(
                "no list was read behind the heading {heading:?}; compare it with the document"
            ),
        ))
    }));
    let mut form = form::read(document, &others.iter().collect::<Vec<_>>());
    if form.applicant.is_empty() {
        form.applicant = of_lists.applicant;
    }
    // Labels without an applicant beside them: the cells have come apart, and subjects would stand
    // under the wrong category.
    let is_torn = is_pdf && form.applicant.is_empty() && !form.subjects.is_empty();
    if is_torn {
        let mut cells = std::mem::take(&mut form.cells);
        cells.iter_mut().for_each(|cell| cell.field.clear());
        form = ReadForm { cells, ..ReadForm::default() };
    }
    if is_pdf && (form.has_categories || !form.subjects.is_empty()) {
        notes.push(DocumentProblem::new(TICKS_OF_PDF));
        form.doubtful = form.subjects.keys().copied().collect();
        form.doubtful.append(&mut form.categories);
    }
    if is_torn || !form.is_empty() || !lists.is_empty() {
        let mut reading = of_form(document, form);
        reading.lists = lists;
        readings.push(reading);
    }
    let problem = match others.iter().any(is_lost_list) {
        _ if is_torn => Some(DocumentProblem::Foreign { foreign: ForeignFile::TornPdf }),
        true => Some(DocumentProblem::new(LOST_LIST)),
        false => None,
    };
    if readings.is_empty() {
        notes.push(DocumentProblem::new(NOTHING_READ));
        readings.push(ApplicationReading::default());
    }
    for reading in &mut readings {
        reading.documents.push((document.to_owned(), problem.clone()));
    }
    readings[0].notes.extend(notes.into_iter().map(|note| (document.to_owned(), note)));
    readings
}

/// Said of a document that is neither a form nor a list.
const NOTHING_READ: (&str, &str) = (
    "其中没有读到申请书、信息表或名单",
    "no application form, information sheet or list was read in it",
);

/// What a PDF does not tell.
const TICKS_OF_PDF: (&str, &str) = (
    "这是 PDF，勾选无法可靠读取，没有框线的栏目可能错位，请对照原件核对类别、评价对象、称号和公示",
    "it is a PDF, whose ticks cannot be read with certainty and whose cells without lines may be \
        displaced; compare the categories, the subjects, the title and the consent with the document",
);

/// Reads the rows of a spreadsheet of applications; those that were not read are kept with the first.
fn read_rows(
    document: &str,
    rows: Vec<rows::ReadRow>,
    readings: &mut Vec<ApplicationReading>,
    notes: &mut Vec<DocumentProblem>,
) {
    let mut unread = Vec::new();
    let begin = readings.len();
    for row in rows {
        let cells = row.cells.into_iter().map(|cell| ReadCell {
            document: document.to_owned(),
            label: cell.label,
            value: cell.value,
            field: cell.field,
        });
        let cells: Vec<ReadCell> = cells.collect();
        if row.applications.is_empty() {
            unread.extend(cells);
            notes.extend(row.notes.into_iter().map(DocumentProblem::new));
            continue;
        }
        let place = readings.len();
        readings.extend(row.applications.into_iter().map(of_row));
        readings[place].cells = cells;
        let told = row.notes.into_iter().map(DocumentProblem::new);
        readings[place].notes = told.map(|note| (document.to_owned(), note)).collect();
    }
    match readings.get_mut(begin) {
        Some(first) => first.cells.extend(unread),
        None => readings.push(ApplicationReading { cells: unread, ..Default::default() }),
    }
}

fn of_row(row: rows::ApplicationRow) -> ApplicationReading {
    let brand = row.fields.get("brand").map(String::as_str);
    let mut fields = subjects::fields(row.category, &row.subject, brand);
    fields.extend(row.fields);
    let subject =
        if row.subject.is_empty() { subject_of(row.category, &fields) } else { row.subject };
    ApplicationReading {
        applicant: row.applicant,
        contact: row.contact,
        applications: vec![ReadApplication {
            category: row.category,
            subject,
            fields,
            is_ticked: !row.is_doubtful,
            is_doubtful: row.is_doubtful,
            is_left_out: false,
        }],
        ..ApplicationReading::default()
    }
}

/// The words of a subject, from its fields in their order.
fn subject_of(category: Category, fields: &BTreeMap<String, String>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for (field, ..) in required_fields(category) {
        let Some(value) = fields.get(*field) else { continue };
        // «云台 云台绿茶» names its brand twice.
        if words.last().is_some_and(|last| value.starts_with(*last)) {
            words.pop();
        }
        words.push(value);
    }
    words.join(" ")
}

/// A sheet that describes a subject: one of its values stands in the subject.
fn describes(sheet: &BTreeMap<String, String>, subject: &str) -> bool {
    sheet.values().any(|value| subject.contains(value.as_str()))
}

/// What an applicant writes in place of its own name.
const IS_THE_APPLICANT: [&str; 5] = ["同上", "本单位", "本公司", "本企业", "同企业名称"];

fn of_form(document: &str, form: ReadForm) -> ApplicationReading {
    let brands = form.subjects.get(&Category::Brand).map(|cell| subjects::split(cell));
    let brand = brands.as_deref().and_then(<[String]>::first).map(|b| b.trim_end_matches('牌'));
    let mut notes = form.notes;
    let mut note = |zh: String, en: String| {
        notes.push((document.to_owned(), DocumentProblem::new((zh, en))));
    };
    let mut applications: Vec<ReadApplication> = Vec::new();
    for category in Category::ALL {
        let is_ticked = form.categories.contains(&category);
        let is_doubtful = !is_ticked && form.doubtful.contains(&category);
        let mut declared =
            form.subjects.get(&category).map(|cell| subjects::split(cell)).unwrap_or_default();
        let own = form.sheets.iter().filter(|(of, _)| *of == category);
        let mut sheets: Vec<BTreeMap<String, String>> =
            own.flat_map(|(_, fields)| sheets::subjects_of(category, fields)).collect();
        for sheet in &mut sheets {
            if let Err(whole) = sheets::take_apart(sheet) {
                note(
                    format!("规格型号“{whole}”未能拆分，整体填入型号，请补规格"),
                    format!("{whole:?} was not taken apart into model and specification"),
                );
            }
        }
        if declared.is_empty() && is_ticked {
            match (category, sheets.is_empty()) {
                // An organisation applies for itself.
                (Category::Organisation, _) => declared.push(form.applicant.clone()),
                (_, true) => declared.push(String::new()),
                (_, false) => {}
            }
        }
        for subject in declared {
            if subjects::may_be_several(category, &subject) {
                note(
                    format!("“{subject}”可能是多个评价对象，按一个读取，请核对"),
                    format!("{subject:?} may be several subjects; it was read as one"),
                );
            }
            let mut fields = subjects::fields(category, &subject, brand);
            if category == Category::Organisation && IS_THE_APPLICANT.contains(&subject.as_str()) {
                fields.insert("name".to_owned(), form.applicant.clone());
            }
            // The sheet that names the subject, or the next one.
            let place = sheets
                .iter()
                .position(|sheet| describes(sheet, &subject))
                .or((!sheets.is_empty()).then_some(0));
            if let Some(place) = place {
                fields.extend(sheets.remove(place));
            }
            applications.push(ReadApplication {
                category,
                subject,
                fields,
                is_ticked,
                is_doubtful,
                is_left_out: false,
            });
        }
        for sheet in sheets {
            let subject = subject_of(category, &sheet);
            applications.push(ReadApplication {
                category,
                subject,
                fields: sheet,
                is_ticked,
                is_doubtful,
                is_left_out: false,
            });
        }
    }
    ApplicationReading {
        applicant: form.applicant,
        contact: form.contact,
        title: form.title,
        publicity: form.publicity,
        applications,
        cells: form.cells,
        notes,
        ..ApplicationReading::default()
    }
}
