//! The languages of a form: each becomes one of the questionnaire, by its tag.

use toml::{Table, Value};

use super::findings::{Findings, Place};
use super::workbook::{Row, Workbook};
use crate::domain::language::Language;

/// The columns that a text is taken from, for each language of the questionnaire in this order.
/// `None` is the column without language.
#[derive(Debug)]
pub struct Languages {
    orders: Vec<(Language, Vec<Option<String>>)>,
    /// Whether columns name the languages; otherwise one column was taken for Chinese and English.
    are_named: bool,
    /// How many texts stand in some of the languages only.
    pub untranslated: usize,
}

/// What to do about a language that is not known.
const TAG: &str = "name the language by its tag, as in label::Français (fr)";

/// Returns the languages of the questionnaire, each with its column in the form.
fn known_columns(
    workbook: &Workbook,
    chosen: &[(Language, String)],
) -> Vec<(Language, Option<String>)> {
    let named = &workbook.languages;
    let default = workbook.settings.get("default_language");
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    let mut columns: Vec<(Language, Option<String>)> = Vec::new();
    let mut add = |language: Language, column: Option<String>| {
        if !columns.iter().any(|(known, _)| *known == language) {
            columns.push((language, column));
        }
    };
    for (language, wanted) in chosen {
        add(*language, named.iter().find(|name| same(name, wanted)).cloned());
    }
    for name in named {
        if !chosen.iter().any(|(_, wanted)| same(name, wanted))
            && let Some(language) = Language::parse(name)
        {
            add(language, Some(name.clone()));
        }
    }
    // The column without language is that of the default language, if that has no column itself.
    let has_unnamed =
        workbook.has_unnamed_language && !named.iter().any(|name| same(name, default));
    if let Some(language) = Language::parse(default).filter(|_| has_unnamed) {
        add(language, None);
    }
    // Chinese and English first, like in files, then in the order of the form.
    columns.sort_by_key(|(language, _)| match *language {
        Language::ZH => 0,
        Language::EN => 1,
        _ => 2,
    });
    // An exported form says the order, where it is another.
    let exact: Vec<Language> = workbook
        .settings
        .get("fieldworkd_languages")
        .split_whitespace()
        .filter_map(Language::from_tag)
        .collect();
    if !exact.is_empty() {
        let place = |language: &Language| exact.iter().position(|other| other == language);
        columns.sort_by_key(|(language, _)| place(language).unwrap_or(exact.len()));
        return columns;
    }
    let first = Language::parse(default);
    if !columns.iter().any(|(language, _)| *language == Language::ZH)
        && let Some(at) = columns.iter().position(|(language, _)| Some(*language) == first)
    {
        let default = columns.remove(at);
        columns.insert(0, default);
    }
    columns
}

/// Chooses the languages; `chosen` are the user's, such as `(fr, "French")`. The error lists the
/// languages of the form.
pub fn choose(
    workbook: &Workbook,
    chosen: &[(Language, String)],
    findings: &mut Findings,
) -> Result<Languages, String> {
    let named = &workbook.languages;
    let listed = || if named.is_empty() { "none by name".to_owned() } else { named.join(", ") };
    let default = workbook.settings.get("default_language");
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    for (_, name) in chosen {
        if !named.iter().any(|language| same(language, name)) {
            return Err(format!("the form has no language «{name}»; it has: {}", listed()));
        }
    }
    let at = Place { sheet: "survey", row: 0, column: "label" };
    let columns = known_columns(workbook, chosen);
    let mut rest: Vec<Option<String>> = Vec::new();
    rest.extend(workbook.has_unnamed_language.then_some(None));
    rest.extend(named.iter().filter(|name| same(name, default)).cloned().map(Some));
    rest.extend(named.iter().cloned().map(Some));
    let first_choice = rest.first().cloned();
    // A hint or a title may stand in one column without language beside labels in several.
    rest.push(None);
    if columns.is_empty() {
        let what = match &first_choice {
            Some(Some(name)) => format!(
                "the form has no language that is known (its languages: {}); «{name}» was taken \
                 for Chinese and English",
                listed()
            ),
            _ if named.is_empty() => {
                "the labels name no language; they were taken for Chinese and English".to_owned()
            }
            _ => format!(
                "the labels without language were taken for Chinese and English (the others: {})",
                listed()
            ),
        };
        findings.remark_on_language(at, what, TAG, "NAME");
        let orders = [Language::ZH, Language::EN].map(|language| (language, rest.clone())).into();
        return Ok(Languages { orders, are_named: false, untranslated: 0 });
    }
    for name in named {
        let is_used = columns.iter().any(|(_, column)| column.as_ref() == Some(name));
        if !is_used && Language::parse(name).is_none() {
            let what = format!("the language «{name}» is not known; its texts are left out");
            findings.remark_on_language(at, what, TAG, name);
        }
    }
    let order = |own: &Option<String>| {
        let mut order: Vec<Option<String>> = vec![own.clone()];
        let others = columns.iter().map(|(_, column)| column);
        for column in others.chain(&rest) {
            if !order.contains(column) {
                order.push(column.clone());
            }
        }
        order
    };
    let orders = columns.iter().map(|(language, column)| (*language, order(column))).collect();
    Ok(Languages { orders, are_named: true, untranslated: 0 })
}

/// A text in every language of the questionnaire, with the `${name}` of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts(Vec<(Language, String)>);

impl Texts {
    /// Returns the languages and their texts.
    pub fn iter(&self) -> impl Iterator<Item = (Language, &str)> {
        self.0.iter().map(|(language, text)| (*language, text.as_str()))
    }

    pub fn map<E>(self, change: impl Fn(&str) -> Result<String, E>) -> Result<Texts, E> {
        let changed = self.0.into_iter().map(|(language, text)| Ok((language, change(&text)?)));
        changed.collect::<Result<_, E>>().map(Texts)
    }

    /// Changes the text of each language.
    pub fn each(&self, change: impl Fn(Language, &str) -> String) -> Texts {
        Texts(self.iter().map(|(language, text)| (language, change(language, text))).collect())
    }

    pub fn with_suffix(&self, suffix: &str) -> Texts {
        self.each(|_, text| format!("{text}{suffix}"))
    }

    pub fn get(&self, language: Language) -> &str {
        self.0.iter().find(|(own, _)| *own == language).map_or("", |(_, text)| text)
    }

    /// Whether the text is empty in some language.
    pub fn has_gap(&self) -> bool {
        self.0.iter().any(|(_, text)| text.trim().is_empty())
    }

    /// Whether a row of an exported form has the exact text beside the one for other programs.
    pub fn is_exact(&self, row: &Row, column: &str) -> bool {
        self.0.iter().any(|(language, _)| row.raw(&exact_column(column, *language)).is_some())
    }

    pub fn into_value(self) -> Value {
        let entry =
            |(language, text): (Language, String)| (language.to_string(), Value::String(text));
        Value::Table(self.0.into_iter().map(entry).collect::<Table>())
    }
}

/// The column of an exact text in an exported form, such as `fieldworkd_text_zh_hant`.
pub fn exact_column(column: &str, language: Language) -> String {
    format!("fieldworkd_{column}_{}", language.tag().to_lowercase().replace('-', "_"))
}

/// The words by which other programs know a language: `Português (pt)`.
pub fn column_language(language: Language) -> String {
    match (language, language.autonym()) {
        (Language::ZH, _) => "中文 (zh)".to_owned(),
        (_, name) if name == language.tag() || name.ends_with(&format!("({language})")) => name,
        (_, name) => format!("{name} ({language})"),
    }
}

impl Languages {
    pub fn list(&self) -> impl Iterator<Item = Language> {
        self.orders.iter().map(|(language, _)| *language)
    }

    /// Returns a text of the program, for languages that it has no own words for in English.
    pub fn words(&self, zh: &str, en: &str) -> Texts {
        let text = |language: Language| if language.is_chinese() { zh } else { en };
        Texts(self.list().map(|language| (language, text(language).to_owned())).collect())
    }

    pub fn same(&self, text: &str) -> Texts {
        self.words(text, text)
    }

    /// Returns a text in every language; where it lacks one, the text of another stands there.
    pub fn text(&mut self, row: &Row, column: &str) -> Option<Texts> {
        let texts: Vec<(Option<&str>, &str)> = row.texts(column).collect();
        let find = |order: &[Option<String>]| {
            order.iter().enumerate().find_map(|(place, wanted)| {
                let text = texts.iter().find(|(language, _)| *language == wanted.as_deref())?;
                Some((place, text.1.to_owned()))
            })
        };
        let mut found = Vec::with_capacity(self.orders.len());
        let mut has_gap = false;
        for (language, order) in &self.orders {
            let (place, text) = find(order)?;
            has_gap |= place > 0;
            found.push((*language, text));
        }
        self.untranslated += usize::from(self.are_named && self.orders.len() > 1 && has_gap);
        Some(Texts(found))
    }
}
