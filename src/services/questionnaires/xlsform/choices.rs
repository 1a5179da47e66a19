//! The lists of the sheet `choices`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::columns::collapsed;
use super::findings::{Findings, Place};
use super::languages::{Languages, Texts, exact_column};
use super::scope::Code;
use super::workbook::Row;
use crate::domain::programme::is_code;

/// A choice of a list.
#[derive(Debug, Clone)]
pub struct ListChoice {
    pub code: Code,
    pub text: Texts,
    pub is_exclusive: bool,
    /// One that stands for «not applicable» and the like in an exported form, and is no option.
    pub is_special: bool,
    /// The row, for filters over its columns.
    pub row: Row,
}

/// The lists by name.
pub type Lists = BTreeMap<String, Vec<ListChoice>>;

/// The codes of a list so far.
#[derive(Default)]
struct Codes {
    /// Ours, by theirs.
    ours: HashMap<String, String>,
    /// Ours in small letters.
    taken: BTreeSet<String>,
}

/// Reads the lists.
pub fn read_lists(
    rows: &[&Row],
    languages: &mut Languages,
    findings: &mut Findings,
    allows_duplicates: bool,
) -> Lists {
    let mut lists = Lists::new();
    let mut seen: BTreeMap<String, Codes> = BTreeMap::new();
    for row in rows {
        let at = |column| Place::choices(row.number, column);
        let list = collapsed(row.get("list_name"));
        let name = collapsed(row.get("name"));
        if list.is_empty() || list.starts_with('#') {
            continue;
        }
        if name.is_empty() {
            findings.refuse(at("name"), format!("a choice of {list} has no name"), "give it one");
            continue;
        }
        let own = lists.entry(list.clone()).or_default();
        let codes = seen.entry(list.clone()).or_default();
        let same = codes.ours.get(&name).cloned();
        let ours = match &same {
            Some(_) if !allows_duplicates => {
                findings.refuse(
                    at("name"),
                    format!("{name} stands twice in the list {list}"),
                    "rename one, or delete it",
                );
                continue;
            }
            Some(same) => same.clone(),
            None => match row.raw("fieldworkd_code") {
                Some(exact) => exact.to_owned(),
                None => new_code(&name, &mut codes.taken),
            },
        };
        codes.ours.insert(name.clone(), ours.clone());
        if ours != name && same.is_none() {
            let what = format!("the choice {name} of {list} is called {ours} here");
            findings.remark(at("name"), what, "");
        }
        let text = languages.text(row, "label").unwrap_or_else(|| {
            let what = format!("{name} has no label; its name was taken");
            findings.remark(at("label"), what, "give it a label; pictures are not shown");
            languages.same(&name)
        });
        let text = raw_texts(row, "text", text);
        own.push(ListChoice {
            code: Code { theirs: name, ours },
            text,
            is_exclusive: row.is_yes("fieldworkd_exclusive"),
            is_special: row.is_yes("fieldworkd_special"),
            row: (*row).clone(),
        });
    }
    lists
}

/// Takes the exact texts of an exported form, where the columns of the standard cannot hold them.
pub fn raw_texts(row: &Row, column: &str, text: Texts) -> Texts {
    text.each(|language, text| row.raw(&exact_column(column, language)).unwrap_or(text).to_owned())
}

/// Returns a code for a name of the form: of letters, digits, `-` and `_`, and not equal to another
/// in whatever case.
fn new_code(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut code: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(40)
        .collect();
    if !is_code(&code) || code.chars().all(|c| c == '_') {
        code = format!("c{}", taken.len() + 1);
    }
    let stem: String = code.chars().take(36).collect();
    let mut number = 2;
    while !taken.insert(code.to_lowercase()) {
        code = format!("{stem}_{number}");
        number += 1;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_made_of_what_we_take() {
        let mut taken = BTreeSet::new();
        let codes = ["yes", "Yes", "1.5", "非常满意", "a b", "a_b", "满意", "n1-c"]
            .map(|n| new_code(n, &mut taken));
        assert_eq!(codes, ["yes", "Yes_2", "1_5", "c4", "a_b", "a_b_2", "c7", "n1-c"]);
    }
}
