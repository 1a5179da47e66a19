//! Exports questionnaires as XLSForm.
//!
//! Other programs read the standard's columns. What the standard cannot express (exact conditions,
//! latent variables, «not applicable», units, short texts) goes to columns whose names begin with
//! `fieldworkd_`. Other programs ignore them, and the import restores the same questionnaire from
//! them.

mod cel;
mod items;
mod names;
mod sheets;
mod xpath;

use super::XlsFormError;
use crate::domain::questionnaire::Questionnaire;

/// A form, and what other programs do not get of it.
#[derive(Debug)]
pub struct ExportedForm {
    /// The workbook (XLSX).
    pub bytes: Vec<u8>,
    pub remarks: Vec<String>,
}

/// Exports a questionnaire.
///
/// # Errors
/// If a text is longer than a cell of a worksheet.
pub fn export(questionnaire: &Questionnaire) -> Result<ExportedForm, XlsFormError> {
    items::Exporter::new(questionnaire).export()
}

/// Returns the `relevant` of a condition; `false()` if XLSForm cannot express it, so that nobody is
/// asked who should not be.
pub fn relevant_of(cel: &str, name: &dyn Fn(&str) -> String) -> String {
    expressible(cel, name).unwrap_or_else(|_| "false()".to_owned())
}

fn expressible(cel: &str, name: &dyn Fn(&str) -> String) -> Result<String, String> {
    xpath::write(&cel::parse(cel)?, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_relevant() {
        for (cel, xpath) in [
            ("sat1 <= 4 && 'price' in why", "${sat1} <= 4 and selected(${why}, 'price')"),
            ("use == 'never' || sat1 > 8.5", "${use} = 'never' or ${sat1} > 8.5"),
            ("(a == 1 || b == 2) && c != null", "(${a} = 1 or ${b} = 2) and ${c} != ''"),
            ("!(sat1 > 4)", "${sat1} != '' and not(${sat1} > 4)"),
            ("!(use == 'never')", "not(${use} = 'never')"),
            ("use in ['a', 'b']", "${use} = 'a' or ${use} = 'b'"),
            ("size(why) >= 2", "count-selected(${why}) >= 2"),
            ("order[0] == 'a'", "selected-at(${order}, 0) = 'a'"),
            ("(a > 1 ? b == 2 : true)", "if(${a} > 1, ${b} = 2, true())"),
            ("segment == 'it\\'s'", "${segment} = \"it's\""),
            ("segment.startsWith('A')", "false()"),
            ("has(x.y)", "false()"),
        ] {
            assert_eq!(relevant_of(cel, &str::to_owned), xpath, "{cel}");
        }
        let deep = format!("{}a == 1{}", "(".repeat(3000), ")".repeat(3000));
        assert_eq!(relevant_of(&deep, &str::to_owned), "false()");
    }
}
