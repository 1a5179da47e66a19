//! Checks a questionnaire file, and makes the questionnaire of it. Every mistake is told at once.

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;

use super::file::{ItemFile, KindFile, OptionFile, Order, QuestionnaireFile, RowFile, ScaleFile};
use super::item::{Choice, ChoiceOption, Item, ItemKind, Range, Scale, Selection};
use super::{Answer, Page, Questionnaire};
use crate::domain::condition::Condition;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::programme::is_code;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "questionnaire.", serialize_all = "snake_case")]
pub enum QuestionnaireError {
    #[error("{0}")]
    Toml(String),
    #[error("{0}")]
    Wrong(Mistakes),
}

/// A mistake in a questionnaire file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `title`, `page 2`, `item sat1`, …
    pub place: String,
    /// In Chinese and English.
    pub what: LocalizedText,
}

impl Mistake {
    pub(super) fn new(
        place: impl Into<String>,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Mistake {
        Mistake { place: place.into(), what: LocalizedText::zh_en(zh, en) }
    }
}

/// All mistakes in a questionnaire file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", mistake.place, mistake.what.en())?;
        }
        Ok(())
    }
}

/// A questionnaire as far as it can be made of its file, for a look at one that is being written.
#[derive(Debug)]
pub struct Sketch {
    /// Items with mistakes are left out, as far as they cannot be shown.
    pub questionnaire: Questionnaire,
    pub mistakes: Vec<Mistake>,
}

impl Questionnaire {
    /// Parses and checks a questionnaire file.
    ///
    /// # Errors
    /// If it cannot be read, or all its mistakes.
    pub fn parse(toml_text: &str) -> Result<Questionnaire, QuestionnaireError> {
        let sketch = QuestionnaireFile::read(toml_text)?.sketch();
        if sketch.mistakes.is_empty() {
            Ok(sketch.questionnaire)
        } else {
            Err(QuestionnaireError::Wrong(Mistakes(sketch.mistakes)))
        }
    }
}

impl QuestionnaireFile {
    /// Makes the questionnaire as far as that can be done, with all mistakes of the file.
    pub fn sketch(mut self) -> Sketch {
        let mut mistakes = Vec::new();
        if !is_code(&self.code) {
            mistakes.push(Mistake::new(
                "code",
                "问卷代码只用字母、数字、“-”和“_”",
                "use letters, digits, «-» and «_»",
            ));
        }
        let languages = self.check_languages(&mut mistakes);
        let names: BTreeSet<String> = self.names();
        let is_core = self.pages.iter().flat_map(|page| &page.items).any(|item| item.core);
        let mut pages = Vec::new();
        for (page, number) in self.pages.into_iter().zip(1..) {
            let place = format!("page {number}");
            let show_if = read_condition(&place, "show_if", page.show_if.as_deref(), &mut mistakes);
            let mut items = Vec::new();
            for item in page.items {
                for item in item.rows(&mut mistakes) {
                    items.extend(item.check(self.scale.as_ref(), &mut mistakes));
                }
            }
            pages.push(Page { title: page.title, show_if, items });
        }
        let questionnaire = Questionnaire {
            code: self.code,
            version: self.version,
            languages,
            title: self.title,
            introduction: self.introduction,
            list_fields: self.list_fields,
            pages,
        };
        if mistakes.is_empty() && !questionnaire.items().any(Item::is_question) {
            mistakes.push(Mistake::new(
                "page",
                "问卷中没有题目，请添加",
                "the questionnaire asks nothing; add an item",
            ));
        } else if !is_core {
            mistakes.push(Mistake::new(
                "core",
                "没有设定核心题；部分完成的判定规则至少需要一道核心题",
                "no item is marked core = true; the rule for partial responses needs at least one",
            ));
        }
        questionnaire.check_names(&names, &mut mistakes);
        let mut told = BTreeSet::new();
        mistakes
            .retain(|mistake| told.insert((mistake.place.clone(), mistake.what.en().to_owned())));
        Sketch { questionnaire, mistakes }
    }

    /// The ids of all items and rows.
    pub fn names(&self) -> BTreeSet<String> {
        let items = self.pages.iter().flat_map(|page| &page.items);
        items
            .flat_map(|item| {
                std::iter::once(&item.id).chain(item.rows.iter().map(|row| &row.id)).cloned()
            })
            .collect()
    }

    /// Returns every text with its place.
    pub(super) fn texts(&mut self) -> Vec<(String, &mut LocalizedText)> {
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

    /// The languages of the questionnaire: those that it names, or those of its title.
    pub fn all_languages(&self) -> Vec<Language> {
        let mut languages: Vec<Language> = Vec::new();
        for language in &self.languages {
            if !languages.contains(language) {
                languages.push(*language);
            }
        }
        if languages.is_empty() {
            languages = self.title.languages().collect();
        }
        languages
    }

    /// Returns the languages of the questionnaire, in which every text must be there. Puts all
    /// texts into their order, so that each knows which language comes first.
    fn check_languages(&mut self, mistakes: &mut Vec<Mistake>) -> Vec<Language> {
        for (number, language) in self.languages.iter().enumerate() {
            if self.languages[..number].contains(language) {
                mistakes.push(Mistake::new(
                    "languages",
                    format!("语言 {language} 重复"),
                    format!("{language} stands twice"),
                ));
            }
        }
        let languages = self.all_languages();
        for (place, text) in self.texts() {
            let is_missing =
                |language: &&Language| text.get(**language).is_none_or(|t| t.trim().is_empty());
            for language in languages.iter().filter(is_missing) {
                mistakes.push(Mistake::new(
                    place.clone(),
                    format!("缺少{}文字", language.autonym()),
                    format!("the text in language {language} is missing"),
                ));
            }
            text.sort_by_preference(&languages);
        }
        languages
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
    mistakes: &mut Vec<Mistake>,
) -> Option<Condition> {
    let source = source?;
    Condition::parse(source)
        .map_err(|error| {
            mistakes.push(Mistake::new(
                place,
                format!("条件“{source}”无法读取（{error}）"),
                format!("{key} «{source}» cannot be read: {error}"),
            ));
        })
        .ok()
}

impl ItemFile {
    /// Returns every text with its place.
    fn texts(&mut self) -> impl Iterator<Item = (String, &mut LocalizedText)> {
        let place = format!("item {}", self.id);
        std::iter::once(&mut self.text)
            .chain(&mut self.hint)
            .chain(&mut self.sms)
            .chain(&mut self.wrong_answer)
            .chain(&mut self.missing_answer)
            .chain(&mut self.unit)
            .chain(self.options.iter_mut().map(|option| &mut option.text))
            .chain(self.scale.iter_mut().flat_map(ScaleFile::texts))
            .map(move |text| (place.clone(), text))
            .chain(self.rows.iter_mut().map(|row| (format!("item {}", row.id), &mut row.text)))
    }

    /// Expands a grid into one item per row; any other item remains one.
    fn rows(self, mistakes: &mut Vec<Mistake>) -> Vec<ItemInFile> {
        let place = format!("item {}", self.id);
        if self.kind != KindFile::Grid {
            if !self.rows.is_empty() {
                mistakes.push(Mistake::new(place, "只有矩阵题才有行", "only a grid has rows"));
            }
            return vec![ItemInFile { heading: None, grid: None, grid_id: None, item: self }];
        }
        if self.rows.is_empty() {
            mistakes.push(Mistake::new(place, "矩阵题至少要有一行", "a grid needs rows"));
        }
        let kind = if self.options.is_empty() { KindFile::Scale } else { KindFile::Single };
        let row = |(number, row): (usize, &RowFile)| ItemInFile {
            heading: (number == 0).then(|| self.text.clone()),
            grid: Some(self.text.clone()),
            grid_id: Some(self.id.clone()),
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
        self.rows.iter().enumerate().map(row).collect()
    }
}

struct ItemInFile {
    heading: Option<LocalizedText>,
    grid: Option<LocalizedText>,
    grid_id: Option<String>,
    item: ItemFile,
}

impl ItemInFile {
    fn check(self, common: Option<&ScaleFile>, mistakes: &mut Vec<Mistake>) -> Option<Item> {
        let ItemInFile { heading, grid, grid_id, item: file } = self;
        let place = format!("item {}", file.id);
        let is_info = file.kind == KindFile::Info;
        let mut say = |zh: &str, en: &str| mistakes.push(Mistake::new(place.clone(), zh, en));
        let variable = file.variable.clone().unwrap_or_default();
        // Conditions parse «-» as minus.
        let is_name = |name: &str| is_code(name) && !name.contains('-');
        if file.variable.is_none() && !is_info {
            say("缺少变量名（数据中的列名）", "its variable is missing: the column in the dataset");
        } else if !is_name(&file.id) || (!is_info && !is_name(&variable)) {
            say(
                "题目代码和变量名只用字母、数字和“_”",
                "id and variable take letters, digits and «_»",
            );
        }
        if file.core && !file.required {
            say("核心题必须设为必答", "a core item must be required");
        }
        let asks = file.core || file.not_applicable || file.dont_know || file.refused;
        if is_info && asks {
            say(
                "说明文字不是题目，不能设为核心题，也没有“不适用”“不知道”“不想回答”",
                "an information asks nothing: no core, not_applicable, dont_know or refused",
            );
        }
        let kind = file.kind_of(common, &mut say);
        let show_if = read_condition(&place, "show_if", file.show_if.as_deref(), mistakes);
        let screen_out_if =
            read_condition(&place, "screen_out_if", file.screen_out_if.as_deref(), mistakes);
        Some(Item {
            show_if,
            screen_out_if,
            required: file.required && !is_info,
            id: file.id,
            variable,
            latent: file.latent,
            heading,
            grid,
            grid_id,
            text: file.text,
            hint: file.hint,
            sms: file.sms,
            wrong_answer: file.wrong_answer,
            missing_answer: file.missing_answer,
            core: file.core,
            not_applicable: file.not_applicable,
            dont_know: file.dont_know,
            refused: file.refused,
            kind: kind?,
        })
    }
}

impl ItemFile {
    /// `None`: the item cannot be shown.
    fn kind_of(
        &self,
        common: Option<&ScaleFile>,
        say: &mut impl FnMut(&str, &str),
    ) -> Option<ItemKind> {
        let takes_options =
            matches!(self.kind, KindFile::Single | KindFile::Multiple | KindFile::Rank);
        if takes_options && self.options.is_empty() {
            say("缺少选项", "it needs options");
            return None;
        }
        if !takes_options && !self.options.is_empty() {
            say("这类题目没有选项", "it takes no options");
        }
        match self.kind {
            KindFile::Scale => self.scale(common, say).map(ItemKind::Scale),
            KindFile::Single => Some(ItemKind::Choice(self.choice(Selection::One, say))),
            KindFile::Rank => Some(ItemKind::Choice(self.choice(Selection::Ranked, say))),
            KindFile::Multiple => {
                let whole = |number: f64| {
                    (number.fract() == 0.0 && (0.0..=1000.0).contains(&number))
                        .then_some(number as usize)
                };
                let count = self.options.len();
                let (Some(min), Some(max)) =
                    (whole(self.min.unwrap_or(1.0)), whole(self.max.unwrap_or(count as f64)))
                else {
                    say("最少和最多可选的个数应为整数", "min and max are numbers of options");
                    return None;
                };
                if min > max || max > count {
                    say(
                        &format!("最少选 {min} 个、最多选 {max} 个，与 {count} 个选项不符"),
                        &format!("min {min} and max {max} do not fit {count} options"),
                    );
                }
                Some(ItemKind::Choice(self.choice(Selection::Several { min, max }, say)))
            }
            KindFile::Number => {
                if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
                    say("最小值大于最大值", "min is larger than max");
                }
                Some(ItemKind::Number(Range {
                    min: self.min,
                    max: self.max,
                    decimals: self.decimals.min(6),
                    unit: self.unit.clone(),
                }))
            }
            KindFile::Date => {
                let day = |raw: &Option<String>| {
                    raw.as_deref().map(|raw| raw.parse::<NaiveDate>()).transpose()
                };
                let (Ok(first), Ok(last)) = (day(&self.first), day(&self.last)) else {
                    say(
                        "最早和最晚日期的写法应如 2026-05-13",
                        "first and last are days like 2026-05-13",
                    );
                    return None;
                };
                Some(ItemKind::Date { first, last })
            }
            KindFile::Text => Some(ItemKind::Open { max_chars: self.max_chars.unwrap_or(500) }),
            KindFile::Info | KindFile::Grid => Some(ItemKind::Info),
        }
    }

    fn scale(&self, common: Option<&ScaleFile>, say: &mut impl FnMut(&str, &str)) -> Option<Scale> {
        let Some(scale) = self.scale.as_ref().or(common) else {
            say(
                "没有评分标尺，问卷也没有统一的标尺",
                "it has no scale, and the questionnaire has no common one",
            );
            return None;
        };
        if self.latent.is_none() {
            say(
                "评分题要指明所测的潜变量（如“满意度”）",
                "a scale item needs its latent variable (latent = \"satisfaction\", …)",
            );
        }
        let points = scale.to.checked_sub(scale.from);
        if points.is_none_or(|points| !(1..=100).contains(&points)) {
            say(
                "标尺应从较小的数到较大的数，最多 101 级",
                "a scale goes from a smaller to a larger number, with at most 101 points",
            );
            return None;
        }
        Some(Scale {
            from: scale.from,
            to: scale.to,
            low: scale.low.clone(),
            high: scale.high.clone(),
        })
    }

    fn choice(&self, selection: Selection, say: &mut impl FnMut(&str, &str)) -> Choice {
        let mut codes = BTreeSet::new();
        for option in &self.options {
            let code = &option.code;
            if !is_code(code) {
                say(
                    &format!("选项“{code}”：代码只用字母、数字、“-”和“_”"),
                    &format!("option «{code}»: a code takes letters, digits, «-» and «_»"),
                );
            }
            let forms = [
                (self.not_applicable, Answer::NOT_APPLICABLE, "not_applicable", "不适用"),
                (self.dont_know, Answer::DONT_KNOW, "dont_know", "不知道"),
                (self.refused, Answer::REFUSED, "refused", "不想回答"),
            ];
            for (is_offered, form, key, name) in forms {
                if is_offered && code == form {
                    say(
                        &format!("选项“{code}”与“{name}”是同一个答案，请去掉其一或更换选项代码"),
                        &format!(
                            "option «{code}» and {key} = true are the same answer; keep one of \
                                the two, or give the option another code"
                        ),
                    );
                }
            }
            if !codes.insert(code) {
                say(&format!("选项代码 {code} 重复"), &format!("option {code} stands twice"));
            }
            if option.exclusive && selection == Selection::Ranked {
                say(
                    &format!("选项 {code}：排序题没有互斥选项"),
                    &format!("option {code}: in a ranking no option is exclusive"),
                );
            }
        }
        let option = |o: &OptionFile| ChoiceOption {
            code: o.code.clone(),
            text: o.text.clone(),
            is_exclusive: o.exclusive,
        };
        Choice {
            options: self.options.iter().map(option).collect(),
            selection,
            is_shuffled: self.order == Order::Random,
        }
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
