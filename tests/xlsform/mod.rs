//! XLSForm: import of a corpus of forms, export, and both together.

mod corpus;
mod round_trip;

use std::path::Path;

use fieldworkd::domain::language::Language;
use fieldworkd::services::questionnaires::{
    ImportOptions, ImportedQuestionnaire, XlsFormError, import_xlsform,
};

/// A form of the corpus: a text with its source, what is expected, and its sheets as tables.
pub struct Form {
    pub name: String,
    pub expectations: Vec<(String, String)>,
    pub options: ImportOptions,
    pub workbook: Vec<u8>,
}

impl Form {
    pub fn expects(&self, word: &str) -> impl Iterator<Item = &str> {
        self.expectations.iter().filter(move |(own, _)| own == word).map(|(_, text)| text.as_str())
    }

    pub fn import(&self) -> Result<ImportedQuestionnaire, XlsFormError> {
        import_xlsform(&self.workbook, &self.options)
    }

    pub fn import_with(&self, leaves_out: bool) -> Result<ImportedQuestionnaire, XlsFormError> {
        let options = ImportOptions { leaves_out, ..self.options.clone() };
        import_xlsform(&self.workbook, &options)
    }
}

pub fn forms() -> Vec<Form> {
    let mut files: Vec<_> = std::fs::read_dir("tests/fixtures/xlsforms")
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| read_form(file)).collect()
}

fn read_form(file: &Path) -> Form {
    let text = std::fs::read_to_string(file).unwrap().replace("&nbsp;", "\u{a0}");
    let mut form = Form {
        name: file.file_stem().unwrap().to_string_lossy().into_owned(),
        expectations: Vec::new(),
        options: ImportOptions::default(),
        workbook: Vec::new(),
    };
    let mut sheets: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for line in text.lines() {
        if let Some(expected) = line.strip_prefix("> ") {
            let (word, rest) = expected.split_once(": ").unwrap_or((expected, ""));
            match (word, rest.split_once('=')) {
                ("option", None) => form.options.leaves_out = true,
                ("option", Some((own, language))) => {
                    let own = Language::parse(own).unwrap();
                    form.options.languages.push((own, language.to_owned()));
                }
                _ => form.expectations.push((word.to_owned(), rest.to_owned())),
            }
        } else if let Some(name) = line.strip_prefix("## ") {
            sheets.push((name.to_owned(), Vec::new()));
        } else if let Some(cells) = line.strip_prefix('|') {
            let cells = cells.trim_end().trim_end_matches('|').split('|');
            // Blanks that are meant are non-breaking.
            let cells = cells.map(|cell| cell.trim_matches(' ').to_owned()).collect();
            sheets.last_mut().unwrap().1.push(cells);
        }
    }
    form.workbook = workbook(&sheets);
    form
}

/// Writes a workbook; numbers as numbers, as spreadsheet programs do.
pub fn workbook(sheets: &[(String, Vec<Vec<String>>)]) -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    for (name, rows) in sheets {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name).unwrap();
        for (row, cells) in (0..).zip(rows) {
            for (column, cell) in (0..).zip(cells) {
                match cell.as_str() {
                    "" => continue,
                    "TRUE" => _ = sheet.write_boolean(row, column, true).unwrap(),
                    text => match text.parse::<f64>() {
                        Ok(number) => _ = sheet.write_number(row, column, number).unwrap(),
                        Err(_) => _ = sheet.write_string(row, column, text).unwrap(),
                    },
                }
            }
        }
    }
    workbook.save_to_buffer().unwrap()
}
