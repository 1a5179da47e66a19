//! The languages of a form, and which of them stands for Chinese and which for English.

use toml::{Table, Value};

use super::findings::{Findings, Place};
use super::workbook::{Row, Workbook};
use crate::domain::language::Language;

/// The columns that a text is taken from, for each of our languages in this order. `None` is the
/// column without language.
#[derive(Debug)]
pub struct Languages {
    zh: Vec<Option<String>>,
    en: Vec<Option<String>>,
    /// Whether the form has texts in both languages at all.
    has_both: bool,
    /// How many texts stand in one of the two languages only.
    pub untranslated: usize,
}

/// Returns which of our languages the name of a language means: `English (en)`, `zh-Hans`, `中文`.
pub fn ours(name: &str) -> Option<Language> {
    let lower = name.to_lowercase();
    let tag = lower.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(tag, _)| tag);
    let by_tag = |tag: &str| {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default().to_owned();
        match primary.as_str() {
            "zh" | "zho" | "chi" | "cmn" => Some(Language::ZH),
            "en" | "eng" => Some(Language::EN),
            _ => None,
        }
    };
    if let Some(tag) = tag
        && tag.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        return by_tag(tag);
    }
    const CHINESE: [&str; 8] =
        ["chinese", "mandarin", "中文", "汉语", "漢語", "普通话", "简体", "繁体"];
    const ENGLISH: [&str; 3] = ["english", "英文", "英语"];
    let contains = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if contains(&CHINESE) {
        return Some(Language::ZH);
    }
    if contains(&ENGLISH) {
        return Some(Language::EN);
    }
    by_tag(&lower)
}

/// Chooses the languages; `chosen` are the user's, such as `(Zh, "French (fr)")`. The error lists
/// the languages of the form.
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
    // The column without language is that of the default language, if that has no column itself.
    let unnamed_is = ours(default).filter(|_| !named.iter().any(|name| same(name, default)));
    let first = |language: Language| -> Option<Option<String>> {
        let wanted = chosen.iter().find(|(own, _)| *own == language).map(|(_, name)| name);
        if let Some(wanted) = wanted {
            return named.iter().find(|name| same(name, wanted)).cloned().map(Some);
        }
        let found = named.iter().find(|name| ours(name) == Some(language)).cloned().map(Some);
        found.or_else(|| (unnamed_is == Some(language)).then_some(None))
    };
    let (zh, en) = (first(Language::ZH), first(Language::EN));
    let mut rest: Vec<Option<String>> = Vec::new();
    rest.extend(workbook.has_unnamed_language.then_some(None));
    rest.extend(named.iter().filter(|name| same(name, default)).cloned().map(Some));
    rest.extend(named.iter().cloned().map(Some));
    let first_choice = rest.first().cloned();
    // A hint or a title may stand in one column without language beside labels in several.
    rest.push(None);
    let order = |own: &Option<Option<String>>, other: &Option<Option<String>>| {
        let mut order: Vec<Option<String>> = own.iter().chain(other).cloned().collect();
        for column in &rest {
            if !order.contains(column) {
                order.push(column.clone());
            }
        }
        order
    };
    let at = Place { sheet: "survey", row: 0, column: "label" };
    match (&zh, &en) {
        (Some(_), Some(_)) => {}
        (None, None) => {
            let what = match &first_choice {
                Some(Some(name)) => format!(
                    "the form has neither Chinese nor English (its languages: {}); «{name}» was \
                     taken for both",
                    listed()
                ),
                _ if named.is_empty() => {
                    "the labels name no language; they were taken for Chinese and English"
                        .to_owned()
                }
                _ => format!(
                    "the labels without language were taken for Chinese and English (the others: \
                     {})",
                    listed()
                ),
            };
            let remedy = "translate the texts, or choose others with --language zh=NAME and \
                          --language en=NAME";
            findings.remark(at, what, remedy);
        }
        (known, _) => {
            let (there, missing, tag) = match known {
                Some(_) => ("Chinese", "English", Language::EN),
                None => ("English", "Chinese", Language::ZH),
            };
            let what = format!(
                "the form has {there} but no {missing} (its languages: {}); its texts were taken \
                 for both",
                listed()
            );
            let remedy = format!("translate them, or choose one with --language {tag}=NAME");
            findings.remark(at, what, remedy);
        }
    }
    Ok(Languages {
        has_both: zh.is_some() && en.is_some(),
        zh: order(&zh, &en),
        en: order(&en, &zh),
        untranslated: 0,
    })
}

/// A text in both languages, with the `${name}` of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Both {
    pub zh: String,
    pub en: String,
}

impl Both {
    pub fn of(zh: &str, en: &str) -> Both {
        Both { zh: zh.to_owned(), en: en.to_owned() }
    }

    pub fn same(text: &str) -> Both {
        Both::of(text, text)
    }

    pub fn map<E>(self, change: impl Fn(&str) -> Result<String, E>) -> Result<Both, E> {
        Ok(Both { zh: change(&self.zh)?, en: change(&self.en)? })
    }

    pub fn with_suffix(&self, suffix: &str) -> Both {
        Both { zh: format!("{}{suffix}", self.zh), en: format!("{}{suffix}", self.en) }
    }

    pub fn into_value(self) -> Value {
        Value::Table(Table::from_iter([
            ("zh".to_owned(), Value::String(self.zh)),
            ("en".to_owned(), Value::String(self.en)),
        ]))
    }
}

impl Languages {
    /// Returns a text in both languages; a text that stands in one language only is used for both.
    pub fn text(&mut self, row: &Row, column: &str) -> Option<Both> {
        let texts: Vec<(Option<&str>, &str)> = row.texts(column).collect();
        let find = |order: &[Option<String>]| {
            order.iter().enumerate().find_map(|(place, wanted)| {
                let text = texts.iter().find(|(language, _)| *language == wanted.as_deref())?;
                Some((place, text.1.to_owned()))
            })
        };
        let ((at_zh, zh), (at_en, en)) = (find(&self.zh)?, find(&self.en)?);
        self.untranslated += usize::from(self.has_both && (at_zh > 0 || at_en > 0));
        Some(Both { zh, en })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_languages_are_known_in_every_spelling() {
        for (name, language) in [
            ("English (en)", Some(Language::EN)),
            ("english", Some(Language::EN)),
            ("EN", Some(Language::EN)),
            ("en-GB", Some(Language::EN)),
            ("中文 (zh)", Some(Language::ZH)),
            ("Chinese", Some(Language::ZH)),
            ("zh_Hans", Some(Language::ZH)),
            ("简体中文", Some(Language::ZH)),
            ("French (fr)", None),
            ("français", None),
            ("Bengali", None),
            ("English creole (kri)", None),
        ] {
            assert_eq!(ours(name), language, "{name}");
        }
    }
}
