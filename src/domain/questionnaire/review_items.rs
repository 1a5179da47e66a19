//! Review of single items and texts: limits that are missing or too wide, and names in braces that
//! nothing replaces.
//!
//! These are findings rather than errors of the file, so that a version that was launched before
//! there was such a rule can still be read.

use std::collections::BTreeSet;

use super::item::MAX_TEXT;
use super::piping::placeholders;
use super::review::{Finding, Severity};
use super::{Item, ItemKind, Questionnaire};
use crate::domain::language::{Language, LocalizedText};

pub(super) fn review_items(questionnaire: &Questionnaire) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut earlier = BTreeSet::new();
    findings.extend(unknown_names("introduction", &[&questionnaire.introduction], &earlier));
    for (number, page) in questionnaire.pages.iter().enumerate() {
        findings.extend(unknown_names(&format!("page {}", number + 1), &[&page.title], &earlier));
        for item in &page.items {
            let place = format!("item {}", item.id);
            let hint: Vec<&LocalizedText> = item.hint.iter().collect();
            findings.extend(unknown_names(&place, &hint, &earlier));
            findings.extend(names_in_choices(&place, item));
            findings.extend(differing_names(&place, item));
            findings.extend(unused_languages(&place, item, &questionnaire.languages));
            findings.extend(limits(place, item));
        }
        earlier.extend(page.items.iter().filter(|i| i.is_question()).map(|i| i.id.as_str()));
    }
    findings
}

fn names_of(text: &LocalizedText) -> impl Iterator<Item = &str> {
    text.iter().flat_map(|(_, text)| placeholders(text))
}

/// Returns names in braces that stand for nothing at that place.
fn unknown_names(place: &str, texts: &[&LocalizedText], earlier: &BTreeSet<&str>) -> Vec<Finding> {
    let is_known = |name: &str| match name.strip_prefix("answer:") {
        Some(id) => earlier.contains(id),
        None => matches!(name, "subject" | "applicant"),
    };
    let unknown: BTreeSet<&str> =
        texts.iter().flat_map(|text| names_of(text)).filter(|name| !is_known(name)).collect();
    unknown
        .into_iter()
        .map(|name| Finding {
            severity: Severity::Error,
            place: place.to_owned(),
            what: LocalizedText::zh_en(format!(
                "{{{name}}} 在此无所指；可用 {{subject}}（评价对象）、{{applicant}}（申报单位）或前面页面\
                    题目的 {{answer:题目代码}}"
            ), format!(
                "{{{name}}} names nothing here; take {{subject}}, {{applicant}} or {{answer:ID}} \
                    of an item on an earlier page"
            )),
        })
        .collect()
}

/// Finds a text whose languages show different names: a reader of one misses what the others see.
fn differing_names(place: &str, item: &Item) -> Option<Finding> {
    let names = |text: &str| {
        let names: BTreeSet<String> = placeholders(text).into_iter().map(str::to_owned).collect();
        names
    };
    let texts = [Some(&item.text), item.heading.as_ref(), item.hint.as_ref(), item.sms.as_ref()];
    texts.into_iter().flatten().find_map(|text| {
        let wanted = names(text.first());
        let (language, _) = text.iter().find(|(_, text)| names(text) != wanted)?;
        let first = text.languages().next().unwrap_or_default();
        Some(Finding {
            severity: Severity::Warning,
            place: place.to_owned(),
            what: LocalizedText::zh_en(
                format!("{}文字中的占位符与{}的不同", language.autonym(), first.autonym()),
                format!("the text in {language} has other placeholders than that in {first}"),
            ),
        })
    })
}

/// Finds a text in a language that the questionnaire does not have.
fn unused_languages(place: &str, item: &Item, languages: &[Language]) -> Option<Finding> {
    let unused = item.text.languages().find(|language| !languages.contains(language))?;
    Some(Finding {
        severity: Severity::Warning,
        place: place.to_owned(),
        what: LocalizedText::zh_en(
            format!(
                "此题有{}文字，但问卷没有这种语言：标题或别的文字缺译；请补全，并把它加入问卷语言",
                unused.autonym()
            ),
            format!(
                "nobody is asked in {unused}, which this text has: the title or another text lacks it; \
                translate them all, and name it in languages"
            ),
        ),
    })
}

/// Returns names in braces where texts are shown as they stand: options, the ends of a scale, units,
/// messages.
fn names_in_choices(place: &str, item: &Item) -> Option<Finding> {
    let mut texts: Vec<&LocalizedText> = match &item.kind {
        ItemKind::Choice(choice) => choice.options.iter().map(|option| &option.text).collect(),
        ItemKind::Scale(scale) => vec![&scale.low, &scale.high],
        ItemKind::Number(range) => range.unit.iter().collect(),
        ItemKind::Date { .. } | ItemKind::Open { .. } | ItemKind::Info => Vec::new(),
    };
    texts.extend(item.wrong_answer.iter().chain(&item.missing_answer));
    let is_ours =
        |name: &&str| matches!(*name, "subject" | "applicant") || name.starts_with("answer:");
    let name = texts.into_iter().flat_map(names_of).find(is_ours)?;
    Some(Finding {
        severity: Severity::Error,
        place: place.to_owned(),
        what: LocalizedText::zh_en(
            format!("{{{name}}} 在选项、标尺两端、单位和提示中不会被替换，请写进题干"),
            format!(
                "{{{name}}} is not replaced in options, the ends of a scale, units and messages; say it in the \
                question"
            ),
        ),
    })
}

fn limits(place: String, item: &Item) -> Option<Finding> {
    match &item.kind {
        ItemKind::Open { max_chars } if !(1..=MAX_TEXT).contains(max_chars) => Some(Finding {
            severity: Severity::Error,
            place,
            what: LocalizedText::zh_en(
                format!("字数上限 {max_chars} 应在 1 至 {MAX_TEXT} 之间（表格单元格的上限）"),
                format!(
                    "max_chars {max_chars} is not from 1 to {MAX_TEXT}, which is what a cell of a \
                    worksheet holds; choose a number between, or ask in several items"
                ),
            ),
        }),
        ItemKind::Number(range) if range.min.is_none() || range.max.is_none() => {
            let (zh, missing) = match (range.min, range.max) {
                (None, None) => ("最小值和最大值", "min and max"),
                (None, Some(_)) => ("最小值", "min"),
                _ => ("最大值", "max"),
            };
            Some(Finding {
                severity: Severity::Warning,
                place,
                what: LocalizedText::zh_en(
                    format!("未设{zh}，将接受 -999999 至 999999 的数；请设为合理的范围"),
                    format!(
                        "without {missing}, numbers are taken from -999999 to 999999; set {missing} \
                        to what can be meant"
                    ),
                ),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::review::review;
    use super::*;

    const FILE: &str = include_str!("../../../tests/fixtures/every_kind.toml");

    /// Returns what a change of the file adds to its review.
    fn found(from: &str, to: &str) -> Vec<String> {
        assert!(FILE.contains(from), "{from}");
        let reviewed = |file: &str| {
            let questionnaire = Questionnaire::parse(file).unwrap_or_else(|e| panic!("{to}: {e}"));
            let word = |severity| if severity == Severity::Error { "mistake" } else { "remark" };
            review(&questionnaire)
                .into_iter()
                .map(|f| format!("{} {}: {}", word(f.severity), f.place, f.what.en()))
                .collect::<Vec<_>>()
        };
        let before = reviewed(FILE);
        reviewed(&FILE.replace(from, to)).into_iter().filter(|f| !before.contains(f)).collect()
    }

    /// EUSurvey/EUSURVEY#240, openstax/tutor-server#1000: a text that no cell holds breaks the export.
    #[test]
    fn limits_are_set_and_no_wider_than_every_format() {
        assert_eq!(found("max_chars = 200", "max_chars = 32767"), Vec::<String>::new());
        assert_eq!(found("max_chars = 200", "max_chars = 1"), Vec::<String>::new());
        for wrong in ["32768", "0", "4000000000"] {
            let said = found("max_chars = 200", &format!("max_chars = {wrong}"));
            let start = format!("mistake item open1: max_chars {wrong} is not from 1 to 32767");
            assert!(said.len() == 1 && said[0].starts_with(&start), "{said:?}");
        }
        for (to, missing) in [
            ("max = 100000, decimals = 2", "min"),
            ("min = 0, decimals = 2", "max"),
            ("decimals = 2", "min and max"),
        ] {
            let said = found("min = 0, max = 100000, decimals = 2", to);
            let start = format!("remark item paid: without {missing}, numbers are taken from");
            assert!(said.len() == 1 && said[0].starts_with(&start), "{said:?}");
        }
    }

    /// surveyjs/survey-library#10909, LimeSurvey/LimeSurvey#1821: names in titles.
    #[test]
    fn names_that_nothing_replaces_are_found_wherever_they_stand() {
        for (from, to) in [
            ("zh = \"原因\"", "zh = \"{subject}：{answer:use}的原因\""),
            ("zh = \"关于{subject}\"", "zh = \"{applicant}：关于{subject}\""),
            ("zh = \"请逐字念出\"", "zh = \"{answer:use}，请逐字念出\""),
        ] {
            let mut said = found(from, to);
            // The English text is as it was.
            said.retain(|said| !said.contains("other placeholders than"));
            assert_eq!(said, Vec::<String>::new(), "{to}");
        }
        for (from, to, said) in [
            ("zh = \"原因\"", "zh = \"{sbject}\"", "mistake page 3: {sbject} names nothing here"),
            ("zh = \"原因\"", "zh = \"{answer:why}\"", "mistake page 3: {answer:why} names"),
            ("About {subject}", "About {answer:use}", "mistake introduction: {answer:use} names"),
            ("zh = \"请逐字念出\"", "zh = \"{answer:g1}\"", "mistake item sat1: {answer:g1} names"),
            ("zh = \"质量\"", "zh = \"{subject}\"", "mistake item why: {subject} is not replaced"),
            ("zh = \"元\"", "zh = \"{answer:use}\"", "mistake item paid: {answer:use} is not"),
            ("zh = \"好\"", "zh = \"{subject}\"", "mistake item g1: {subject} is not replaced"),
        ] {
            let found = found(from, to);
            assert!(found.iter().any(|f| f.starts_with(said)), "{found:?}\n{said}");
        }
        assert_eq!(found("zh = \"质量\"", "zh = \"{质量}\""), Vec::<String>::new());
    }
}
