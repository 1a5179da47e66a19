//! The sheets of an XLSForm as rows of named cells.

use std::collections::BTreeMap;

use super::columns::{Column, cleaned, collapsed, read_header};
use super::findings::{Findings, Place};
use crate::adapters::spreadsheets::Sheet;

/// A row with its filled cells.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub number: u32,
    cells: BTreeMap<Column, String>,
}

impl Row {
    /// Returns a cell without blanks around it; empty if there is none.
    pub fn get(&self, column: &str) -> &str {
        self.raw(column).map_or("", cleaned)
    }

    /// Returns a cell as it stands.
    pub fn raw(&self, column: &str) -> Option<&str> {
        let column = Column { name: column.to_owned(), language: None };
        self.cells.get(&column).map(String::as_str)
    }

    /// Returns the texts of a column by language, in the order of their names.
    pub fn texts(&self, column: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.cells
            .iter()
            .filter(move |(header, _)| header.name == column)
            .map(|(header, text)| (header.language.as_deref(), cleaned(text)))
            .filter(|(_, text)| !text.is_empty())
    }

    pub fn has(&self, column: &str) -> bool {
        self.texts(column).next().is_some()
    }

    /// Reads `yes`, `true()` and so on; `None` for anything else, such as an expression.
    pub fn yes_or_no(&self, column: &str) -> Option<bool> {
        match self.get(column).trim_start_matches('=').to_lowercase().as_str() {
            "yes" | "true" | "true()" | "1" | "y" | "x" | "是" => Some(true),
            "" | "no" | "false" | "false()" | "0" | "n" | "否" => Some(false),
            _ => None,
        }
    }

    pub fn is_yes(&self, column: &str) -> bool {
        self.yes_or_no(column) == Some(true)
    }
}

/// The sheets that an import reads.
#[derive(Debug, Default)]
pub struct Workbook {
    pub survey: Vec<Row>,
    pub choices: Vec<Row>,
    pub settings: Row,
    /// The languages of the texts, in the order of the columns.
    pub languages: Vec<String>,
    /// Whether there are texts in columns without language.
    pub has_unnamed_language: bool,
}

/// Reads the sheets; `None` if there is no sheet of questions.
pub fn read_workbook(sheets: &[Sheet], findings: &mut Findings) -> Option<Workbook> {
    let named =
        |name: &str| sheets.iter().find(|sheet| collapsed(&sheet.name).eq_ignore_ascii_case(name));
    let survey = named("survey").or_else(|| {
        // One sheet alone is that of the questions, whatever its name.
        let filled: Vec<&Sheet> = sheets.iter().filter(|sheet| !sheet.rows.is_empty()).collect();
        let [only] = filled.as_slice() else { return None };
        let is_header = |cell: &String| read_header(cell).is_some_and(|c| c.name == "type");
        only.rows.first()?.cells.iter().any(is_header).then(|| {
            findings.remark(
                Place { sheet: "survey", row: 0, column: "" },
                format!("the only sheet, «{}», was taken as survey", only.name.trim()),
                "",
            );
            *only
        })
    })?;
    let mut workbook = Workbook::default();
    workbook.survey = workbook.rows("survey", survey, findings);
    if let Some(choices) = named("choices") {
        workbook.choices = workbook.rows("choices", choices, findings);
    }
    if let Some(settings) = named("settings") {
        let rows = workbook.rows("settings", settings, findings);
        workbook.settings = rows.into_iter().next().unwrap_or_default();
    }
    for (sheet, rows, column) in
        [("survey", &workbook.survey, "type"), ("choices", &workbook.choices, "list_name")]
    {
        if !rows.is_empty() && !rows.iter().any(|row| row.has(column)) {
            findings.refuse(
                Place { sheet, row: 1, column: "" },
                format!("there is no column {column}"),
                "write the headers into the first row",
            );
        }
    }
    if named("entities").is_some_and(|sheet| sheet.rows.len() > 1) {
        findings.leave_out(
            Place { sheet: "entities", row: 0, column: "" },
            "entities are not kept here",
            "delete the sheet",
        );
    }
    Some(workbook)
}

impl Workbook {
    fn rows(&mut self, name: &'static str, sheet: &Sheet, findings: &mut Findings) -> Vec<Row> {
        let Some((head, rows)) = sheet.rows.split_first() else { return Vec::new() };
        let at = |column| Place { sheet: name, row: head.number, column };
        let mut columns: Vec<Option<Column>> = Vec::new();
        for cell in &head.cells {
            let column = read_header(cell).map(|column| Column {
                language: column.language.map(|language| self.known_language(name, language)),
                ..column
            });
            if let Some(column) = &column
                && columns.iter().flatten().any(|other| other == column)
            {
                findings.refuse(
                    at(cell.trim()),
                    format!("the column {} stands twice", cell.trim()),
                    "delete or rename one of the two",
                );
            }
            columns.push(column);
        }
        let mut without_header = 0;
        let mut named = |row: &crate::adapters::spreadsheets::Row| {
            let mut cells = BTreeMap::new();
            for (number, text) in row.cells.iter().enumerate() {
                if cleaned(text).is_empty() {
                    continue;
                }
                match columns.get(number).cloned().flatten() {
                    None => without_header += 1,
                    Some(column) => _ = cells.entry(column).or_insert_with(|| text.clone()),
                }
            }
            Row { number: row.number, cells }
        };
        let rows: Vec<Row> =
            rows.iter().map(&mut named).filter(|row| !row.cells.is_empty()).collect();
        if without_header > 0 {
            let what = format!("{without_header} cells stand in columns without a header");
            findings.remark(at(""), what, "give the column a header if they are needed");
        }
        if name != "settings" {
            self.has_unnamed_language |= rows.iter().any(|row| row.raw("label").is_some());
        }
        rows
    }

    /// Returns a language in the spelling in which it stood first, and notes it.
    fn known_language(&mut self, sheet: &str, language: String) -> String {
        let known =
            self.languages.iter().find(|known| known.to_lowercase() == language.to_lowercase());
        match known {
            Some(known) => known.clone(),
            None if sheet == "settings" => language,
            None => {
                self.languages.push(language.clone());
                language
            }
        }
    }
}
