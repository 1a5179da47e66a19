//! Puts together what the documents of an applicant say: its applications, and the lists of people
//! for them.

use std::collections::BTreeMap;

use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::documents::{Document, ReadDocument, read, unpack};
use super::form::{ReadCell, ReadForm};
use super::{ApplicationFormError, form, rows, subjects};
use crate::adapters::spreadsheets::{Row, Sheet};
use crate::domain::category::Category;
use crate::domain::language::{Language, LocalizedText};
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
    /// In Chinese and English.
    Localized(LocalizedText),
    /// In one language, as drafts have kept it.
    Plain(String),
}

impl DocumentProblem {
    fn new((zh, en): (impl Into<String>, impl Into<String>)) -> DocumentProblem {
        DocumentProblem::Localized(LocalizedText::zh_en(zh, en))
    }

    pub fn in_language(&self, language: Language) -> &str {
        match self {
            DocumentProblem::Localized(text) => text.in_language(language),
            DocumentProblem::Plain(text) => text,
        }
    }
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

/// Reads documents. Returns one reading for each applicant that they name.
pub fn read_documents(
    documents: Vec<Document>,
    headers: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Result<Vec<ApplicationReading>, ApplicationFormError> {
    let named = |error| ApplicationFormError::Document { name: String::new(), error };
    let documents = unpack(documents).map_err(named)?;
    if documents.is_empty() {
        return Err(ApplicationFormError::Nothing);
    }
    let mut readings: Vec<ApplicationReading> = Vec::new();
    // What says nothing of its applicant belongs to the only one there is.
    let mut nameless = ApplicationReading::default();
    let (mut unread, mut first_error) = (Vec::new(), None);
    for document in &documents {
        let ReadDocument { name, tables } = read(document);
        match tables {
            Err(error) => {
                unread.push((name.clone(), Some(DocumentProblem::new(error.labels()))));
                first_error.get_or_insert((name, error));
            }
            Ok(tables) => {
                for part in read_tables(&name, tables, headers, region) {
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
    if !nameless.documents.is_empty() {
        match readings.as_mut_slice() {
            [only] => only.add(nameless),
            _ => readings.push(nameless),
        }
    }
    readings.retain(|reading| !reading.applications.is_empty() || !reading.lists.is_empty());
    let Some(first) = readings.first_mut() else {
        return Err(match first_error {
            Some((name, error)) => ApplicationFormError::Document { name, error },
            None => ApplicationFormError::NoForm(
                documents.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", "),
            ),
        });
    };
    first.documents.extend(unread);
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
                    for (field, value) in application.fields {
                        known.fields.entry(field).or_insert(value);
                    }
                }
                None => self.applications.push(application),
            }
        }
        self.lists.extend(other.lists);
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
    headers: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Vec<ApplicationReading> {
    let (mut readings, mut lists, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut of_lists = ReadForm::default();
    for table in tables {
        let applications = rows::read(&table);
        if !applications.is_empty() {
            for row in applications {
                readings.push(of_row(document, row));
            }
            continue;
        }
        let mut table = table;
        table.rows = put_below_each_other(table.rows, headers, region);
        let people = people_in(&table.rows, headers, region);
        if people == 0 {
            let last = lists.last_mut().filter(|list: &&mut ReadList| {
                let of_list: Vec<Row> = list
                    .rows
                    .iter()
                    .map(|(number, cells)| Row { number: *number, cells: cells.clone() })
                    .collect();
                is_continuation(&table.rows, &of_list, headers, region)
            });
            if let Some(list) = last {
                let offset = list.rows.last().map_or(0, |(number, _)| *number);
                let below = table.rows.into_iter().map(|row| (row.number + offset, row.cells));
                list.rows.extend(below);
                let rows: Vec<Row> = list
                    .rows
                    .iter()
                    .map(|(number, cells)| Row { number: *number, cells: cells.clone() })
                    .collect();
                list.people = people_in(&rows, headers, region);
                continue;
            }
            others.push(table);
            continue;
        }
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
    let mut form = form::read(document, &others.iter().collect::<Vec<_>>());
    if form.applicant.is_empty() {
        form.applicant = of_lists.applicant;
    }
    if !form.is_empty() || !lists.is_empty() {
        let mut reading = of_form(form);
        reading.lists = lists;
        readings.push(reading);
    }
    let problem = others.iter().any(is_lost_list).then(|| DocumentProblem::new(LOST_LIST));
    for reading in &mut readings {
        reading.documents.push((document.to_owned(), problem.clone()));
    }
    if readings.is_empty() {
        readings.push(ApplicationReading {
            documents: vec![(document.to_owned(), problem)],
            ..ApplicationReading::default()
        });
    }
    readings
}

fn of_row(document: &str, row: rows::ApplicationRow) -> ApplicationReading {
    let mut fields =
        subjects::fields(row.category, &row.subject, row.fields.get("brand").map(String::as_str));
    fields.extend(row.fields);
    let subject = if row.subject.is_empty() {
        fields.values().cloned().collect::<Vec<_>>().join(" ")
    } else {
        row.subject
    };
    let cell = ReadCell {
        document: document.to_owned(),
        label: format!("{} · {}", row.row, row.category.chinese()),
        value: subject.clone(),
        field: format!("{}.subject", row.category),
    };
    ApplicationReading {
        applicant: row.applicant,
        contact: row.contact,
        applications: vec![ReadApplication {
            category: row.category,
            subject,
            fields,
            is_ticked: true,
            is_left_out: false,
        }],
        cells: vec![cell],
        ..ApplicationReading::default()
    }
}

fn of_form(form: ReadForm) -> ApplicationReading {
    let brands = form.subjects.get(&Category::Brand).map(|cell| subjects::split(cell));
    let brand = brands.as_deref().and_then(<[String]>::first).map(|b| b.trim_end_matches('牌'));
    let mut applications: Vec<ReadApplication> = Vec::new();
    for category in Category::ALL {
        let is_ticked = form.categories.contains(&category);
        let mut declared =
            form.subjects.get(&category).map(|cell| subjects::split(cell)).unwrap_or_default();
        let mut sheets: Vec<&BTreeMap<String, String>> = form
            .sheets
            .iter()
            .filter(|(of, _)| *of == category)
            .map(|(_, fields)| fields)
            .collect();
        if declared.is_empty() && is_ticked {
            match (category, sheets.is_empty()) {
                // An organisation applies for itself.
                (Category::Organisation, _) => declared.push(form.applicant.clone()),
                (_, true) => declared.push(String::new()),
                (_, false) => {}
            }
        }
        for subject in declared {
            let mut fields = subjects::fields(category, &subject, brand);
            // The sheet that names the subject, or the next one.
            let place = sheets
                .iter()
                .position(|sheet| sheet.values().any(|value| subject.contains(value.as_str())))
                .or((!sheets.is_empty()).then_some(0));
            if let Some(place) = place {
                for (field, value) in sheets.remove(place) {
                    fields.insert(field.clone(), value.clone());
                }
            }
            applications.push(ReadApplication {
                category,
                subject,
                fields,
                is_ticked,
                is_left_out: false,
            });
        }
        for sheet in sheets {
            let subject = sheet.values().cloned().collect::<Vec<_>>().join(" ");
            let fields = sheet.clone();
            applications.push(ReadApplication {
                category,
                subject,
                fields,
                is_ticked,
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
        ..ApplicationReading::default()
    }
}
