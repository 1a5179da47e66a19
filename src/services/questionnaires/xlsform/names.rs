//! Names of items and columns: what the form calls them may not be a name here, or be taken.

use std::collections::BTreeSet;

use crate::domain::programme::is_code;
use crate::domain::questionnaire::{FIXED_COLUMNS, ROUTING_FACTS};

/// Words that conditions read as something else.
const RESERVED: [&str; 27] = [
    "in",
    "true",
    "false",
    "null",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "size",
    "has",
    "int",
    "double",
    "string",
    "type",
];

/// The names given so far, in small letters: statistics programs do not tell `Q1` and `q1` apart.
#[derive(Debug, Default)]
pub struct Names {
    ids: BTreeSet<String>,
    columns: BTreeSet<String>,
}

/// Returns the columns of a dataset for a variable: one, or one for each code.
fn columns(variable: &str, codes: &[String]) -> Vec<String> {
    let own = if codes.is_empty() {
        vec![variable.to_owned()]
    } else {
        codes.iter().map(|code| format!("{variable}_{code}")).collect()
    };
    own.iter()
        .flat_map(|name| [name.to_lowercase(), format!("{name}_missing").to_lowercase()])
        .collect()
}

impl Names {
    /// Gives an item its id, as near to the form's name as possible. `codes` are those of an item
    /// with several columns.
    pub fn give(&mut self, name: &str, codes: &[String]) -> String {
        let is_free = |names: &Names, id: &str| {
            !names.ids.contains(&id.to_lowercase())
                && !RESERVED.contains(&id)
                && !ROUTING_FACTS.contains(&id)
                && columns(id, codes).iter().all(|column| {
                    !names.columns.contains(column)
                        && !FIXED_COLUMNS
                            .iter()
                            .any(|fixed| *column == *fixed || *column == format!("{fixed}_missing"))
                })
        };
        let stem = to_identifier(name);
        let mut id = stem.clone();
        let mut number = 2;
        while !is_free(self, &id) {
            let stem: String = stem.chars().take(35).collect();
            id = format!("{stem}_{number}");
            number += 1;
        }
        self.take(&id, &id, codes);
        id
    }

    /// Notes the id of something without a column.
    pub fn take_id(&mut self, id: &str) {
        self.ids.insert(id.to_lowercase());
    }

    /// Notes names that an exported form gives exactly.
    pub fn take(&mut self, id: &str, variable: &str, codes: &[String]) {
        self.ids.insert(id.to_lowercase());
        self.columns.extend(columns(variable, codes));
    }
}

/// Makes a name of letters, digits and `_` that conditions can use.
pub fn to_identifier(name: &str) -> String {
    let mut id: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .take(40)
        .collect();
    if id.chars().all(|c| c == '_') {
        id = "q".to_owned();
    }
    if id.starts_with(|c: char| c.is_ascii_digit()) {
        id = format!("q{id}").chars().take(40).collect();
    }
    id
}

/// Makes a code of a form's id or title.
pub fn to_code(name: &str) -> Option<String> {
    if is_code(name) {
        return Some(name.to_owned());
    }
    let code: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(40)
        .collect();
    let code = code.trim_matches('_').to_owned();
    is_code(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_we_take_and_taken_once() {
        let mut names = Names::default();
        let form = ["age", "Age", "q-1", "q.1", "性别", "1a", "language", "segment", "in", "满意"];
        let ids = form.map(|name| names.give(name, &[]));
        assert_eq!(
            ids,
            ["age", "Age_2", "q_1", "q_1_2", "q", "q1a", "language_2", "segment_2", "in_2", "q_2"]
        );
        let codes = ["price".to_owned(), "other".to_owned()];
        assert_eq!(names.give("why", &codes), "why");
        assert_eq!(names.give("why_other", &[]), "why_other_2");
    }
}
