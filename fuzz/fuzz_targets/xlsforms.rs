//! XLSForms: the text is the sheets, with a line for each row and a tab between cells.
#![no_main]

use fieldworkd::adapters::spreadsheets::{Row, Sheet};
use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::services::questionnaires::{ImportOptions, import_xlsform_sheets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let sheets: Vec<Sheet> = ["survey", "choices", "settings"]
        .iter()
        .zip(text.split('\u{c}'))
        .map(|(name, text)| Sheet {
            name: (*name).to_owned(),
            rows: (1..)
                .zip(text.lines())
                .map(|(number, line)| Row {
                    number,
                    cells: line.split('\t').map(str::to_owned).collect(),
                })
                .collect(),
        })
        .collect();
    for leaves_out in [false, true] {
        let options = ImportOptions { leaves_out, ..ImportOptions::default() };
        if let Ok(imported) = import_xlsform_sheets(&sheets, &options) {
            Questionnaire::parse(&imported.toml).expect("what is imported can be read");
        }
    }
});
