//! Imports questionnaires from XLSForm (<https://xlsform.org>), the usual format of survey
//! fieldwork.
//!
//! The input is a workbook with the sheets `survey` and `choices` (and optionally `settings`); the
//! output is a questionnaire as TOML, to be reviewed like any other, with remarks on what was left
//! out or decided. Unsupported types (pictures, places, calculations that others depend on) are
//! refused with their row. Two additional columns are supported: `latent` (the latent variable) and
//! `core`.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::xpath::{QuestionTypes, translate_condition};
use crate::domain::questionnaire::{Questionnaire, QuestionnaireError};
use crate::services::list_import::table::{TableError, TableRow, sheets};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "xlsform.", serialize_all = "snake_case")]
pub enum XlsFormError {
    #[error(transparent)]
    #[strum(transparent)]
    Workbook(#[from] TableError),
    #[error("there is no sheet «{0}»; an XLSForm has the sheets survey and choices")]
    NoSheet(&'static str),
    #[error("sheet {sheet}, row {row}: {problem}")]
    Row { sheet: &'static str, row: u32, problem: String },
    #[error("read so far, but {0}")]
    #[strum(transparent)]
    Questionnaire(#[from] QuestionnaireError),
}

/// The questionnaire file, and the remarks on its conversion.
#[derive(Debug)]
pub struct ImportedQuestionnaire {
    pub toml: String,
    pub remarks: Vec<String>,
}

/// A row with its cells by column name.
struct NamedRow {
    number: u32,
    cells: BTreeMap<String, String>,
}

impl NamedRow {
    fn get(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", |cell| cell.trim())
    }

    fn is_yes(&self, column: &str) -> bool {
        ["yes", "true", "true()", "1"].contains(&self.get(column).to_lowercase().as_str())
    }

    /// Returns a text in both languages (`label::中文 (zh)`, `label::English (en)`); a single
    /// language is used for both.
    fn text(&self, column: &str) -> Option<(Table, bool)> {
        let of = |tags: &[&str]| {
            let is_it = |name: &&String| {
                name.strip_prefix(column)
                    .and_then(|rest| rest.strip_prefix("::"))
                    .is_some_and(|l| tags.iter().any(|t| l.to_lowercase().contains(t)))
            };
            self.cells.keys().find(is_it).map(|name| self.get(name)).filter(|text| !text.is_empty())
        };
        let plain = Some(self.get(column)).filter(|text| !text.is_empty());
        let any = || {
            self.cells
                .iter()
                .find(|(name, text)| {
                    name.starts_with(&format!("{column}::")) && !text.trim().is_empty()
                })
                .map(|(_, text)| text.trim())
        };
        let (zh, en) = (of(&["(zh", "中文", "chinese"]), of(&["(en", "english"]));
        let either = zh.or(en).or(plain).or_else(any)?;
        // `${name}` in a text is an earlier answer.
        let piped = |text: &str| Value::String(text.replace("${", "{answer:"));
        let whole = Table::from_iter([
            ("zh".to_owned(), piped(zh.unwrap_or(either))),
            ("en".to_owned(), piped(en.unwrap_or(either))),
        ]);
        Some((whole, zh.is_none() || en.is_none()))
    }
}

fn read_named_rows(sheet: &[TableRow]) -> Vec<NamedRow> {
    let Some((head, rows)) = sheet.split_first() else { return Vec::new() };
    let name = |cells: &TableRow| NamedRow {
        number: cells.number,
        cells: head
            .cells
            .iter()
            .map(|h| h.trim().to_lowercase())
            .zip(cells.cells.iter().cloned())
            .filter(|(name, _)| !name.is_empty())
            .collect(),
    };
    rows.iter().map(name).collect()
}

/// Imports a workbook.
pub fn import(bytes: &[u8]) -> Result<ImportedQuestionnaire, XlsFormError> {
    let sheets = sheets(bytes)?;
    let sheet = |name: &'static str| {
        sheets
            .iter()
            .find(|sheet| sheet.name.trim().eq_ignore_ascii_case(name))
            .map(|sheet| read_named_rows(&sheet.rows))
    };
    let survey = sheet("survey").ok_or(XlsFormError::NoSheet("survey"))?;
    let choices = sheet("choices").unwrap_or_default();
    let settings = sheet("settings").unwrap_or_default();
    let mut reader = FormReader {
        question_types: question_types(&survey),
        has_core: survey.iter().any(|row| !row.get("core").is_empty()),
        choices,
        pages: Vec::new(),
        groups: Vec::new(),
        page_names: BTreeSet::new(),
        remarks: Vec::new(),
        untranslated: 0,
    };
    for row in &survey {
        reader.read_row(row)?;
    }
    reader.finish(settings.first())
}

/// Returns the type of each question, which determines the translation of conditions.
fn question_types(survey: &[NamedRow]) -> QuestionTypes {
    survey
        .iter()
        .map(|row| {
            (
                to_identifier(row.get("name")),
                row.get("type").split_whitespace().next().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// Conditions parse «-» and «.» as operators.
fn to_identifier(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

/// Parses the limits of a constraint like `. >= 18 and . <= 99`; `None`: it has another form.
fn parse_limits(constraint: &str) -> Option<Vec<(&'static str, f64)>> {
    let limit = |part: &str| {
        let part = part.trim().strip_prefix('.')?.trim_start();
        let (key, number) = part
            .strip_prefix(">=")
            .map(|n| ("min", n))
            .or_else(|| part.strip_prefix("<=").map(|n| ("max", n)))?;
        Some((key, number.trim().parse().ok()?))
    };
    (!constraint.is_empty()).then(|| constraint.split(" and ").map(limit).collect()).flatten()
}

struct FormReader {
    question_types: QuestionTypes,
    has_core: bool,
    choices: Vec<NamedRow>,
    pages: Vec<Table>,
    /// The title and condition of each open group.
    groups: Vec<(Option<Table>, Option<String>)>,
    /// The item names on the current page.
    page_names: BTreeSet<String>,
    remarks: Vec<String>,
    untranslated: usize,
}

impl FormReader {
    fn row_error<T>(row: &NamedRow, problem: impl Into<String>) -> Result<T, XlsFormError> {
        Err(XlsFormError::Row { sheet: "survey", row: row.number, problem: problem.into() })
    }

    fn read_row(&mut self, row: &NamedRow) -> Result<(), XlsFormError> {
        let kind =
            row.get("type").replace("begin group", "begin_group").replace("end group", "end_group");
        let mut words = kind.split_whitespace();
        match words.next().unwrap_or_default() {
            "" => Ok(()),
            "begin_group" => {
                let title = self.text(row, "label");
                let condition = self.condition(row)?;
                self.groups.push((title, condition));
                self.pages.push(self.new_page());
                self.page_names.clear();
                Ok(())
            }
            "end_group" if self.groups.pop().is_none() => {
                Self::row_error(row, "a group ends that has not begun")
            }
            "end_group" => {
                self.pages.push(self.new_page());
                self.page_names.clear();
                Ok(())
            }
            "begin_repeat" | "begin" | "end_repeat" => Self::row_error(
                row,
                "a repeated group cannot be asked here; ask each of them as an item of its own",
            ),
            "start" | "end" | "today" | "deviceid" | "username" | "phonenumber" | "audit"
            | "simserial" | "subscriberid" | "hidden" => {
                self.remarks.push(format!(
                    "row {}: {kind} is left out; times, device and mode \
                    are kept with every response anyway",
                    row.number
                ));
                Ok(())
            }
            word => self.read_item(row, word, words.next()),
        }
    }

    fn text(&mut self, row: &NamedRow, column: &str) -> Option<Table> {
        let (text, is_one) = row.text(column)?;
        self.untranslated += usize::from(is_one);
        Some(text)
    }

    fn condition(&self, row: &NamedRow) -> Result<Option<String>, XlsFormError> {
        let relevant = row.get("relevant");
        if relevant.is_empty() {
            return Ok(None);
        }
        translate_condition(relevant, &self.question_types)
            .map(Some)
            .or_else(|problem| Self::row_error(row, format!("relevant «{relevant}»: {problem}")))
    }

    fn new_page(&self) -> Table {
        let unnamed = || {
            Table::from_iter([
                ("zh".to_owned(), Value::from("问题")),
                ("en".to_owned(), Value::from("Questions")),
            ])
        };
        let title =
            self.groups.iter().rev().find_map(|(title, _)| title.clone()).unwrap_or_else(unnamed);
        let mut page = Table::from_iter([("title".to_owned(), Value::Table(title))]);
        let conditions: Vec<String> =
            self.groups.iter().filter_map(|(_, condition)| condition.clone()).collect();
        if !conditions.is_empty() {
            page.insert("show_if".to_owned(), Value::from(join_conditions(&conditions)));
        }
        page.insert("item".to_owned(), Value::Array(Vec::new()));
        page
    }

    fn read_item(
        &mut self,
        row: &NamedRow,
        kind: &str,
        list: Option<&str>,
    ) -> Result<(), XlsFormError> {
        let name = to_identifier(row.get("name"));
        let Some(text) = self.text(row, "label") else {
            return Self::row_error(row, format!("{name} has no label"));
        };
        let mut item = Table::from_iter([("id".to_owned(), Value::from(name.as_str()))]);
        let mut set = |key: &str, value: Value| _ = item.insert(key.to_owned(), value);
        let latent = row.get("latent");
        let is_scale = kind == "range" && !latent.is_empty();
        let item_type = match kind {
            "select_one" => "single",
            "select_multiple" => "multiple",
            "rank" => "rank",
            "integer" | "decimal" | "range" if !is_scale => "number",
            "range" => "scale",
            "text" => "text",
            "date" => "date",
            "note" => "info",
            other => {
                return Self::row_error(
                    row,
                    format!("type {other} cannot be asked here; ask it in words, or leave it out"),
                );
            }
        };
        set("type", Value::from(item_type));
        set("text", Value::Table(text));
        if item_type != "info" {
            set("variable", Value::from(name.as_str()));
            let is_required = row.is_yes("required");
            set("required", Value::from(is_required));
            if if self.has_core { row.is_yes("core") } else { is_required } {
                set("core", Value::from(true));
            }
        }
        if !latent.is_empty() {
            set("latent", Value::from(latent));
        }
        if kind == "decimal" {
            set("decimals", Value::from(2));
        }
        if kind == "range" {
            let parameter = |key: &str| {
                row.get("parameters")
                    .split([' ', ';', ','])
                    .find_map(|p| p.strip_prefix(key)?.strip_prefix('=')?.parse::<i64>().ok())
            };
            let (from, to) = (parameter("start").unwrap_or(0), parameter("end").unwrap_or(10));
            if is_scale {
                let end = |n: i64| {
                    Value::Table(Table::from_iter([
                        ("zh".to_owned(), Value::from(n.to_string())),
                        ("en".to_owned(), Value::from(n.to_string())),
                    ]))
                };
                let ends = [
                    ("from", Value::from(from)),
                    ("to", Value::from(to)),
                    ("low", end(from)),
                    ("high", end(to)),
                ];
                set(
                    "scale",
                    Value::Table(
                        ends.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                    ),
                );
                self.remarks.push(format!(
                    "row {}: {name} is a scale; give its ends words (low, high)",
                    row.number
                ));
            } else {
                set("min", Value::from(from as f64));
                set("max", Value::from(to as f64));
            }
        }
        if let Some(list) = list.filter(|_| ["single", "multiple", "rank"].contains(&item_type)) {
            let options = self.read_options(row, list)?;
            item.insert("options".to_owned(), Value::Array(options));
            if row.get("parameters").contains("randomize=true") {
                item.insert("order".to_owned(), Value::from("random"));
            }
        }
        if let Some(hint) = self.text(row, "hint") {
            item.insert("hint".to_owned(), Value::Table(hint));
        }
        let limits = (item_type == "number").then(|| parse_limits(row.get("constraint"))).flatten();
        for (key, limit) in limits.iter().flatten() {
            item.insert((*key).to_owned(), Value::from(*limit));
        }
        for column in ["constraint", "calculation", "choice_filter"] {
            let is_taken_over = column == "constraint" && limits.is_some();
            if !is_taken_over && !row.get(column).is_empty() {
                self.remarks.push(format!(
                    "row {}: the {column} of {name} is left out; set it in \
                    our own words if it is needed",
                    row.number
                ));
            }
        }
        self.add_to_page(row, name, item)
    }

    /// Adds an item to the page, or to a new one if its condition depends on an item of the current
    /// page, since a page is shown as a whole.
    fn add_to_page(
        &mut self,
        row: &NamedRow,
        name: String,
        mut item: Table,
    ) -> Result<(), XlsFormError> {
        let condition = self.condition(row)?;
        let looks_at = |names: &BTreeSet<String>, text: &str| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| names.contains(word))
        };
        let texts = toml::to_string(&item).unwrap_or_default();
        let needs_new_page = condition.as_ref().is_some_and(|c| looks_at(&self.page_names, c))
            || self.page_names.iter().any(|n| texts.contains(&format!("{{answer:{n}}}")));
        if self.pages.is_empty() || needs_new_page {
            self.pages.push(self.new_page());
            self.page_names.clear();
        }
        if let Some(condition) = condition {
            item.insert("show_if".to_owned(), Value::from(condition));
        }
        self.page_names.insert(name);
        if let Some(Value::Array(items)) =
            self.pages.last_mut().and_then(|page| page.get_mut("item"))
        {
            items.push(Value::Table(item));
        }
        Ok(())
    }

    fn read_options(&mut self, row: &NamedRow, list: &str) -> Result<Vec<Value>, XlsFormError> {
        let mut options = Vec::new();
        let mut untranslated = 0;
        for choice in self
            .choices
            .iter()
            .filter(|choice| choice.get("list_name") == list || choice.get("list name") == list)
        {
            let Some((text, is_one)) = choice.text("label") else {
                return Err(XlsFormError::Row {
                    sheet: "choices",
                    row: choice.number,
                    problem: format!("{} has no label", choice.get("name")),
                });
            };
            untranslated += usize::from(is_one);
            options.push(Value::Table(Table::from_iter([
                ("code".to_owned(), Value::from(choice.get("name"))),
                ("text".to_owned(), Value::Table(text)),
            ])));
        }
        self.untranslated += untranslated;
        if options.is_empty() {
            Self::row_error(row, format!("the list {list} has no choices"))
        } else {
            Ok(options)
        }
    }

    fn finish(
        mut self,
        settings: Option<&NamedRow>,
    ) -> Result<ImportedQuestionnaire, XlsFormError> {
        if !self.groups.is_empty() {
            return Err(XlsFormError::Row {
                sheet: "survey",
                row: 0,
                problem: "a group begins that does not end".to_owned(),
            });
        }
        self.pages.retain(|page| {
            page.get("item").and_then(Value::as_array).is_some_and(|items| !items.is_empty())
        });
        let setting = |name: &str| settings.map_or("", |settings| settings.get(name));
        let or = |text: &str, otherwise: &str| {
            if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
        };
        let both = |text: String| {
            Value::Table(Table::from_iter([
                ("zh".to_owned(), Value::from(text.as_str())),
                ("en".to_owned(), Value::from(text.as_str())),
            ]))
        };
        let title = or(setting("form_title"), "XLSForm");
        let version = setting("version")
            .parse::<i64>()
            .ok()
            .filter(|version| (1..=i64::from(u32::MAX)).contains(version))
            .unwrap_or(1);
        let file = Table::from_iter([
            ("code".to_owned(), Value::from(or(setting("form_id"), "xlsform"))),
            ("version".to_owned(), Value::from(version)),
            ("title".to_owned(), both(title.clone())),
            ("introduction".to_owned(), both(title)),
            ("page".to_owned(), Value::Array(self.pages.into_iter().map(Value::Table).collect())),
        ]);
        if self.untranslated > 0 {
            self.remarks.push(format!(
                "{} texts stand in one language only and were taken for both; translate them",
                self.untranslated
            ));
        }
        if !self.has_core {
            self.remarks
                .push("there is no column core; every required item counts as core".to_owned());
        }
        // A table of texts, numbers and lists can always be written as TOML.
        let toml = toml::to_string_pretty(&file).unwrap_or_default();
        Questionnaire::parse(&toml)?;
        Ok(ImportedQuestionnaire { toml, remarks: self.remarks })
    }
}

fn join_conditions(conditions: &[String]) -> String {
    match conditions {
        [one] => one.clone(),
        several => several
            .iter()
            .map(|condition| format!("({condition})"))
            .collect::<Vec<_>>()
            .join(" && "),
    }
}
