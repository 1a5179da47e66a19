//! The questionnaire's file form (TOML), and its checks.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::item::{Item, ItemKind, Latent, Scale};
use super::{Page, Questionnaire};
use crate::domain::language::Text;
use crate::domain::programme::is_code;

#[derive(Debug, thiserror::Error)]
pub enum QuestionnaireError {
    #[error("{0}")]
    Toml(String),
    #[error("{place}: {problem}")]
    Wrong { place: String, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionnaireFile {
    code: String,
    version: u32,
    title: Text,
    introduction: Text,
    /// The ends of every scale that does not set its own.
    scale: ScaleFile,
    #[serde(rename = "page")]
    pages: Vec<PageFile>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct ScaleFile {
    from: i64,
    to: i64,
    low: Text,
    high: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageFile {
    title: Text,
    #[serde(rename = "item")]
    items: Vec<ItemFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    id: String,
    variable: String,
    #[serde(default)]
    latent: Option<Latent>,
    #[serde(rename = "type")]
    kind: KindFile,
    text: Text,
    #[serde(default)]
    scale: Option<ScaleFile>,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    core: bool,
    #[serde(default)]
    not_applicable: bool,
    #[serde(default)]
    max_chars: Option<usize>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum KindFile {
    Scale,
    Open,
}

fn yes() -> bool {
    true
}

impl Questionnaire {
    /// Reads and checks a questionnaire file.
    pub fn parse(toml_text: &str) -> Result<Questionnaire, QuestionnaireError> {
        let file: QuestionnaireFile = toml::from_str(toml_text).map_err(|e| QuestionnaireError::Toml(e.to_string().trim().replace('\n', " ")))?;
        let wrong = |place: &str, problem: &str| Err(QuestionnaireError::Wrong { place: place.into(), problem: problem.into() });
        if !is_code(&file.code) {
            return wrong("code", "use letters, digits, «-» and «_»");
        }
        if file.pages.iter().all(|page| page.items.is_empty()) {
            return wrong("page", "the questionnaire asks nothing; add an item");
        }
        let mut ids = BTreeSet::new();
        let mut variables = BTreeSet::new();
        let mut pages = Vec::new();
        for page in file.pages {
            let mut items = Vec::new();
            for item in page.items {
                if !is_code(&item.id) || !is_code(&item.variable) {
                    return wrong(&format!("item {}", item.id), "id and variable take letters, digits, «-» and «_»");
                }
                if !ids.insert(item.id.clone()) {
                    return wrong(&format!("item {}", item.id), "this id stands twice");
                }
                if !variables.insert(item.variable.clone()) {
                    return wrong(&format!("item {}", item.id), &format!("the variable {} stands twice", item.variable));
                }
                items.push(item.check(&file.scale)?);
            }
            pages.push(Page { title: page.title, items });
        }
        let questionnaire = Questionnaire { code: file.code, version: file.version, title: file.title, introduction: file.introduction, pages };
        if !questionnaire.items().any(|item| item.core) {
            return wrong("core", "no item is marked core = true; the rule for partial responses needs at least one");
        }
        Ok(questionnaire)
    }
}

impl ItemFile {
    fn check(self, common: &ScaleFile) -> Result<Item, QuestionnaireError> {
        let wrong = |problem: &str| Err(QuestionnaireError::Wrong { place: format!("item {}", self.id), problem: problem.into() });
        let scale = self.scale.clone().unwrap_or_else(|| common.clone());
        if scale.from >= scale.to || scale.to - scale.from > 100 {
            return wrong("a scale goes from a smaller to a larger number, with at most 101 points");
        }
        if self.kind == KindFile::Scale && self.latent.is_none() {
            return wrong("a scale item needs its latent variable (latent = \"satisfaction\", …)");
        }
        if self.core && !self.required {
            return wrong("a core item must be required");
        }
        let kind = match self.kind {
            KindFile::Scale => {
                ItemKind::Scale(Scale { from: scale.from, to: scale.to, low: scale.low, high: scale.high, not_applicable: self.not_applicable })
            }
            KindFile::Open => ItemKind::Open { max_chars: self.max_chars.unwrap_or(500) },
        };
        Ok(Item { id: self.id, variable: self.variable, latent: self.latent, text: self.text, required: self.required, core: self.core, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::{Answer, AnswerProblem, Completion};
    use std::collections::BTreeMap;

    const FILE: &str = r#"
code = "t"
version = 1
title = { zh = "题", en = "T" }
introduction = { zh = "介", en = "I" }
scale = { from = 1, to = 10, low = { zh = "低", en = "low" }, high = { zh = "高", en = "high" } }
[[page]]
title = { zh = "页", en = "P" }
item = [
  { id = "a", variable = "SAT1", latent = "satisfaction", type = "scale", text = { zh = "一", en = "One" }, core = true },
  { id = "b", variable = "LOY1", latent = "loyalty", type = "scale", text = { zh = "二", en = "Two" }, not_applicable = true },
  { id = "c", variable = "OPEN", type = "open", text = { zh = "三", en = "Three" }, required = false, max_chars = 5 },
]
"#;

    #[test]
    fn answers_are_checked_against_their_item() {
        let q = Questionnaire::parse(FILE).unwrap();
        let parse = |id: &str, raw: &str| Answer::parse(q.item(id).unwrap(), Some(raw));
        assert_eq!(parse("a", "10"), Ok(Some(Answer::Number(10))));
        assert_eq!(parse("a", "11"), Err(AnswerProblem::OutOfRange));
        assert_eq!(parse("a", "na"), Err(AnswerProblem::OutOfRange));
        assert_eq!(parse("b", "na"), Ok(Some(Answer::NotApplicable)));
        assert_eq!(parse("a", ""), Err(AnswerProblem::Missing));
        assert_eq!(parse("c", ""), Ok(None));
        assert_eq!(parse("c", "123456"), Err(AnswerProblem::TooLong));
    }

    #[test]
    fn completion_follows_required_and_core_items() {
        let q = Questionnaire::parse(FILE).unwrap();
        let mut answers = BTreeMap::new();
        assert_eq!((q.completion(&answers), q.first_open_page(&answers)), (Completion::TooLittle, Some(0)));
        answers.insert("a".into(), Answer::Number(3));
        assert_eq!(q.completion(&answers), Completion::Partial);
        answers.insert("b".into(), Answer::NotApplicable);
        assert_eq!((q.completion(&answers), q.first_open_page(&answers)), (Completion::Complete, None));
    }

    #[test]
    fn mistakes_name_their_item() {
        let error = |from: &str, to: &str| Questionnaire::parse(&FILE.replace(from, to)).expect_err(to).to_string();
        assert!(error("\"LOY1\"", "\"SAT1\"").contains("item b: the variable SAT1 stands twice"));
        assert!(error("id = \"b\"", "id = \"a\"").contains("item a: this id stands twice"));
        assert!(error("core = true", "core = false").contains("core"));
        assert!(error("\"loyalty\"", "\"loyality\"").contains("loyality"));
    }
}
