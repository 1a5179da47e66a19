//! The questionnaire's file format (TOML), and its checks.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::item::{Choice, ChoiceOption, Item, ItemKind, Latent, Range, Scale, Selection};
use super::{Answer, Page, Questionnaire};
use crate::domain::condition::Condition;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::programme::is_code;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "questionnaire.", serialize_all = "snake_case")]
pub enum QuestionnaireError {
    #[error("{0}")]
    Toml(String),
    #[error("{place}: {problem}")]
    Wrong { place: String, problem: String },
}

pub(super) fn wrong<T>(
    place: impl Into<String>,
    problem: impl Into<String>,
) -> Result<T, QuestionnaireError> {
    Err(QuestionnaireError::Wrong { place: place.into(), problem: problem.into() })
}

#[derive(JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Questionnaire")]
struct QuestionnaireFile {
    /// Letters, digits, «-» and «_».
    code: String,
    /// Incremented with every change: a launched version is frozen.
    version: u32,
    /// The languages (BCP 47 tags) that every text has; the first is shown to readers of all others.
    /// If absent, those of the title.
    #[serde(default)]
    languages: Vec<Language>,
    title: LocalizedText,
    introduction: LocalizedText,
    /// List fields used by conditions, besides `category`, `segment` and `mode`; the application
    /// stores them under these names.
    #[serde(default)]
    list_fields: Vec<String>,
    /// The ends of every scale that does not set its own.
    scale: Option<ScaleFile>,
    #[serde(rename = "page")]
    pages: Vec<PageFile>,
}

#[derive(JsonSchema, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct ScaleFile {
    from: i64,
    to: i64,
    low: LocalizedText,
    high: LocalizedText,
}

#[derive(JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageFile {
    title: LocalizedText,
    /// A condition in CEL over items of earlier pages and `category`, `segment`, `mode`:
    /// `sat1 <= 4 && 'price' in why`.
    #[serde(default)]
    show_if: Option<String>,
    #[serde(rename = "item")]
    items: Vec<ItemFile>,
}

#[derive(JsonSchema, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    /// Name in forms and conditions.
    id: String,
    /// Column in the dataset; a choice of several options has one column each, `VARIABLE_code`.
    #[serde(default)]
    variable: Option<String>,
    /// Latent variable that a scale measures.
    #[serde(default)]
    latent: Option<Latent>,
    #[serde(rename = "type")]
    kind: KindFile,
    text: LocalizedText,
    /// Hint for the interviewer.
    #[serde(default)]
    hint: Option<LocalizedText>,
    /// Short text for SMS.
    #[serde(default)]
    sms: Option<LocalizedText>,
    #[serde(default = "yes")]
    required: bool,
    /// A response with all core items answered is partial (AAPOR 1.2).
    #[serde(default)]
    core: bool,
    #[serde(default)]
    not_applicable: bool,
    #[serde(default)]
    dont_know: bool,
    /// Whether «rather not say» is offered.
    #[serde(default)]
    refused: bool,
    /// The item is asked only if this condition holds; like that of the page.
    #[serde(default)]
    show_if: Option<String>,
    /// A respondent for whom this holds is not a user of the subject (AAPOR 4.1); it may also use
    /// this item.
    #[serde(default)]
    screen_out_if: Option<String>,
    #[serde(default)]
    scale: Option<ScaleFile>,
    #[serde(default)]
    options: Vec<OptionFile>,
    #[serde(default)]
    order: Order,
    /// Minimum of a number; for several options, the minimum number of them.
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    decimals: u32,
    #[serde(default)]
    unit: Option<LocalizedText>,
    #[serde(default)]
    first: Option<String>,
    #[serde(default)]
    last: Option<String>,
    /// Longest text, as browsers count it (UTF-16 code units).
    #[serde(default)]
    #[schemars(range(min = 1, max = 32767))]
    max_chars: Option<usize>,
    #[serde(default)]
    rows: Vec<RowFile>,
}

#[derive(JsonSchema, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct OptionFile {
    code: String,
    text: LocalizedText,
    #[serde(default)]
    exclusive: bool,
}

/// A row of a grid: an item with the grid's scale or options.
#[derive(JsonSchema, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct RowFile {
    id: String,
    variable: String,
    text: LocalizedText,
    #[serde(default)]
    latent: Option<Latent>,
}

#[derive(JsonSchema, Deserialize, PartialEq, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
enum KindFile {
    Scale,
    Single,
    Multiple,
    Number,
    Date,
    /// `open` is its older name.
    #[serde(alias = "open")]
    Text,
    Rank,
    Grid,
    Info,
}

#[derive(JsonSchema, Deserialize, PartialEq, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    AsWritten,
    Random,
}

fn yes() -> bool {
    true
}

impl Questionnaire {
    /// Returns the JSON Schema of the file format.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(QuestionnaireFile).to_value()
    }

    /// Parses and checks a questionnaire file.
    pub fn parse(toml_text: &str) -> Result<Questionnaire, QuestionnaireError> {
        let mut file: QuestionnaireFile = toml::from_str(toml_text)
            .map_err(|e| QuestionnaireError::Toml(e.to_string().trim().replace('\n', " ")))?;
        if !is_code(&file.code) {
            return wrong("code", "use letters, digits, «-» and «_»");
        }
        let languages = file.check_languages()?;
        let mut pages = Vec::new();
        for (number, page) in file.pages.into_iter().enumerate() {
            let place = format!("page {}", number + 1);
            let show_if = read_condition(&place, "show_if", page.show_if.as_deref())?;
            let mut items = Vec::new();
            for item in page.items {
                for item in item.rows()? {
                    items.push(item.check(file.scale.as_ref())?);
                }
            }
            pages.push(Page { title: page.title, show_if, items });
        }
        let questionnaire = Questionnaire {
            code: file.code,
            version: file.version,
            languages,
            title: file.title,
            introduction: file.introduction,
            list_fields: file.list_fields,
            pages,
        };
        if !questionnaire.items().any(Item::is_question) {
            return wrong("page", "the questionnaire asks nothing; add an item");
        }
        if !questionnaire.items().any(|item| item.core) {
            return wrong(
                "core",
                "no item is marked core = true; the rule for partial responses needs at least one",
            );
        }
        questionnaire.check_names()?;
        Ok(questionnaire)
    }
}

impl QuestionnaireFile {
    /// Returns every text with its place.
    fn texts(&mut self) -> Vec<(String, &mut LocalizedText)> {
        let mut texts = vec![
            ("title".to_owned(), &mut self.title),
            ("introduction".to_owned(), &mut self.introduction),
        ];
        if let Some(scale) = &mut self.scale {
            texts.extend(scale.texts().map(|text| ("scale".to_owned(), text)));
        }
        for (page, number) in self.pages.iter_mut().zip(1..) {
            texts.push((format!("page {number}"), &mut page.title));
            for item in &mut page.items {
                texts.extend(item.texts());
            }
        }
        texts
    }

    /// Returns the languages of the questionnaire, in which every text must be there. Puts all
    /// texts into their order, so that each knows which language comes first.
    fn check_languages(&mut self) -> Result<Vec<Language>, QuestionnaireError> {
        let mut languages: Vec<Language> = Vec::new();
        for language in &self.languages {
            if languages.contains(language) {
                return wrong("languages", format!("{language} stands twice"));
            }
            languages.push(*language);
        }
        if languages.is_empty() {
            languages = self.title.languages().collect();
        }
        for (place, text) in self.texts() {
            let is_missing =
                |language: &&Language| text.get(**language).is_none_or(|t| t.trim().is_empty());
            if let Some(language) = languages.iter().find(is_missing) {
                return wrong(place, format!("the text in language {language} is missing"));
            }
            text.sort_by_preference(&languages);
        }
        Ok(languages)
    }
}

impl ScaleFile {
    fn texts(&mut self) -> impl Iterator<Item = &mut LocalizedText> {
        [&mut self.low, &mut self.high].into_iter()
    }
}

fn read_condition(
    place: &str,
    key: &str,
    source: Option<&str>,
) -> Result<Option<Condition>, QuestionnaireError> {
    source.map(Condition::parse).transpose().or_else(|error| {
        wrong(place, format!("{key} «{}» cannot be read: {error}", source.unwrap_or_default()))
    })
}

impl ItemFile {
    /// Returns every text with its place.
    fn texts(&mut self) -> impl Iterator<Item = (String, &mut LocalizedText)> {
        let place = format!("item {}", self.id);
        std::iter::once(&mut self.text)
            .chain(&mut self.hint)
            .chain(&mut self.sms)
            .chain(&mut self.unit)
            .chain(self.options.iter_mut().map(|option| &mut option.text))
            .chain(self.scale.iter_mut().flat_map(ScaleFile::texts))
            .map(move |text| (place.clone(), text))
            .chain(self.rows.iter_mut().map(|row| (format!("item {}", row.id), &mut row.text)))
    }

    /// Expands a grid into one item per row; any other item remains one.
    fn rows(self) -> Result<Vec<ItemInFile>, QuestionnaireError> {
        if self.kind != KindFile::Grid {
            return if self.rows.is_empty() {
                Ok(vec![ItemInFile { heading: None, grid: None, item: self }])
            } else {
                wrong(format!("item {}", self.id), "only a grid has rows")
            };
        }
        if self.rows.is_empty() {
            return wrong(format!("item {}", self.id), "a grid needs rows");
        }
        let kind = if self.options.is_empty() { KindFile::Scale } else { KindFile::Single };
        let row = |(number, row): (usize, &RowFile)| ItemInFile {
            heading: (number == 0).then(|| self.text.clone()),
            grid: Some(self.text.clone()),
            item: ItemFile {
                id: row.id.clone(),
                variable: Some(row.variable.clone()),
                text: row.text.clone(),
                latent: row.latent.or(self.latent),
                kind,
                rows: Vec::new(),
                ..self.clone()
            },
        };
        Ok(self.rows.iter().enumerate().map(row).collect())
    }
}

struct ItemInFile {
    heading: Option<LocalizedText>,
    grid: Option<LocalizedText>,
    item: ItemFile,
}

impl ItemInFile {
    fn check(self, common: Option<&ScaleFile>) -> Result<Item, QuestionnaireError> {
        let ItemInFile { heading, grid, item: file } = self;
        let place = format!("item {}", file.id);
        let variable = match (&file.variable, file.kind) {
            (Some(variable), _) => variable.clone(),
            (None, KindFile::Info) => String::new(),
            (None, _) => return wrong(place, "its variable is missing: the column in the dataset"),
        };
        // Conditions parse «-» as minus.
        let is_name = |name: &str| is_code(name) && !name.contains('-');
        if !is_name(&file.id) || (file.kind != KindFile::Info && !is_name(&variable)) {
            return wrong(place, "id and variable take letters, digits and «_»");
        }
        if file.core && !file.required {
            return wrong(place, "a core item must be required");
        }
        let asks = file.core || file.not_applicable || file.dont_know || file.refused;
        if file.kind == KindFile::Info && asks {
            return wrong(
                place,
                "an information asks nothing: no core, not_applicable, dont_know or refused",
            );
        }
        let kind = file.kind_of(&place, common)?;
        Ok(Item {
            show_if: read_condition(&place, "show_if", file.show_if.as_deref())?,
            screen_out_if: read_condition(&place, "screen_out_if", file.screen_out_if.as_deref())?,
            required: file.required && file.kind != KindFile::Info,
            id: file.id,
            variable,
            latent: file.latent,
            heading,
            grid,
            text: file.text,
            hint: file.hint,
            sms: file.sms,
            core: file.core,
            not_applicable: file.not_applicable,
            dont_know: file.dont_know,
            refused: file.refused,
            kind,
        })
    }
}

impl ItemFile {
    fn kind_of(
        &self,
        place: &str,
        common: Option<&ScaleFile>,
    ) -> Result<ItemKind, QuestionnaireError> {
        let takes_options =
            matches!(self.kind, KindFile::Single | KindFile::Multiple | KindFile::Rank);
        if takes_options == self.options.is_empty() {
            return wrong(
                place,
                if takes_options { "it needs options" } else { "it takes no options" },
            );
        }
        match self.kind {
            KindFile::Scale => self.scale(place, common).map(ItemKind::Scale),
            KindFile::Single => self.choice(place, Selection::One).map(ItemKind::Choice),
            KindFile::Rank => self.choice(place, Selection::Ranked).map(ItemKind::Choice),
            KindFile::Multiple => {
                let whole = |number: f64| {
                    (number.fract() == 0.0 && (0.0..=1000.0).contains(&number))
                        .then_some(number as usize)
                };
                let (Some(min), Some(max)) = (
                    whole(self.min.unwrap_or(1.0)),
                    whole(self.max.unwrap_or(self.options.len() as f64)),
                ) else {
                    return wrong(place, "min and max are numbers of options");
                };
                if min > max || max > self.options.len() {
                    return wrong(
                        place,
                        format!(
                            "min {min} and max {max} do not fit {} options",
                            self.options.len()
                        ),
                    );
                }
                self.choice(place, Selection::Several { min, max }).map(ItemKind::Choice)
            }
            KindFile::Number if self.min.zip(self.max).is_some_and(|(min, max)| min > max) => {
                wrong(place, "min is larger than max")
            }
            KindFile::Number => Ok(ItemKind::Number(Range {
                min: self.min,
                max: self.max,
                decimals: self.decimals.min(6),
                unit: self.unit.clone(),
            })),
            KindFile::Date => {
                let day = |raw: &Option<String>| {
                    raw.as_deref().map(|raw| raw.parse::<NaiveDate>()).transpose()
                };
                match (day(&self.first), day(&self.last)) {
                    (Ok(first), Ok(last)) => Ok(ItemKind::Date { first, last }),
                    _ => wrong(place, "first and last are days like 2026-05-13"),
                }
            }
            KindFile::Text => Ok(ItemKind::Open { max_chars: self.max_chars.unwrap_or(500) }),
            KindFile::Info | KindFile::Grid => Ok(ItemKind::Info),
        }
    }

    fn scale(&self, place: &str, common: Option<&ScaleFile>) -> Result<Scale, QuestionnaireError> {
        let Some(scale) = self.scale.as_ref().or(common) else {
            return wrong(place, "it has no scale, and the questionnaire has no common one");
        };
        if scale.from >= scale.to || scale.to - scale.from > 100 {
            return wrong(
                place,
                "a scale goes from a smaller to a larger number, with at most 101 points",
            );
        }
        if self.latent.is_none() {
            return wrong(
                place,
                "a scale item needs its latent variable (latent = \"satisfaction\", …)",
            );
        }
        Ok(Scale {
            from: scale.from,
            to: scale.to,
            low: scale.low.clone(),
            high: scale.high.clone(),
        })
    }

    fn choice(&self, place: &str, selection: Selection) -> Result<Choice, QuestionnaireError> {
        let mut codes = BTreeSet::new();
        for option in &self.options {
            if !is_code(&option.code) {
                return wrong(
                    place,
                    format!("option «{}»: a code takes letters, digits, «-» and «_»", option.code),
                );
            }
            let forms = [
                (self.not_applicable, Answer::NOT_APPLICABLE, "not_applicable"),
                (self.dont_know, Answer::DONT_KNOW, "dont_know"),
                (self.refused, Answer::REFUSED, "refused"),
            ];
            for (is_offered, code, key) in forms {
                if is_offered && option.code == code {
                    return wrong(
                        place,
                        format!(
                            "option «{code}» and {key} = true are the same answer; keep one of \
                                the two, or give the option another code"
                        ),
                    );
                }
            }
            if !codes.insert(&option.code) {
                return wrong(place, format!("option {} stands twice", option.code));
            }
            if option.exclusive && selection == Selection::Ranked {
                return wrong(
                    place,
                    format!("option {}: in a ranking no option is exclusive", option.code),
                );
            }
        }
        let option = |o: &OptionFile| ChoiceOption {
            code: o.code.clone(),
            text: o.text.clone(),
            is_exclusive: o.exclusive,
        };
        Ok(Choice {
            options: self.options.iter().map(option).collect(),
            selection,
            is_shuffled: self.order == Order::Random,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::{
        Answer, AnswerProblem, Completion, ReadingContext, RoutingFacts,
    };
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
        let parse = |id: &str, raw: &str| {
            Answer::parse(q.item(id).unwrap(), Some(raw), ReadingContext::sample(Language::ZH))
        };
        assert_eq!(parse("a", "10"), Ok(Some(Answer::Point(10))));
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
        let stands = |answers: &BTreeMap<String, Answer>| {
            (
                q.path(answers, &RoutingFacts::default()).completion(),
                q.path(answers, &RoutingFacts::default()).furthest_page(),
            )
        };
        assert_eq!(stands(&answers), (Completion::Insufficient, 0));
        answers.insert("a".into(), Answer::Point(3));
        assert_eq!(stands(&answers).0, Completion::Partial);
        answers.insert("b".into(), Answer::NotApplicable);
        assert_eq!(stands(&answers), (Completion::Complete, 0));
    }

    #[test]
    fn mistakes_name_their_item() {
        let error = |from: &str, to: &str| {
            Questionnaire::parse(&FILE.replace(from, to)).expect_err(to).to_string()
        };
        assert!(error("\"LOY1\"", "\"SAT1\"").contains("item b: the variable SAT1 stands twice"));
        assert!(error("id = \"b\"", "id = \"a\"").contains("item a: this id stands twice"));
        assert!(error("core = true", "core = false").contains("core"));
        assert!(error("\"loyalty\"", "\"loyality\"").contains("loyality"));
    }
}
