//! Findings of an XLSForm's import in the reader's language, with the remedies of the console. The
//! import words them in English; `xlsform.toml` has the Chinese words for each.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::language::ConsoleLanguage;
use crate::services::questionnaires::{FormFinding as Finding, Otherwise};

/// The label of the console's box that leaves out what cannot be asked, in Chinese and English.
pub const LEAVE_OUT: (&str, &str) =
    ("略去 XLSForm 中无法提问的内容", "Leave out what an XLSForm has and cannot be asked here");

#[derive(Deserialize)]
struct Catalogue {
    finding: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    en: String,
    zh: String,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// A value by its number.
    Value(usize),
}

struct Translation {
    en: Vec<Piece>,
    zh: Vec<Piece>,
}

/// The translations, those with the most words of their own first; a test reads them.
static TRANSLATIONS: LazyLock<Vec<Translation>> = LazyLock::new(|| {
    let written: Vec<Written> = toml::from_str(include_str!("xlsform.toml"))
        .map(|catalogue: Catalogue| catalogue.finding)
        .unwrap_or_default();
    let mut all: Vec<Translation> = written
        .iter()
        .map(|written| Translation { en: pieces(&written.en), zh: pieces(&written.zh) })
        .collect();
    all.sort_by_key(|translation| std::cmp::Reverse(own_length(&translation.en)));
    all
});

fn own_length(pieces: &[Piece]) -> usize {
    let length = |piece: &Piece| match piece {
        Piece::Text(text) => text.len(),
        Piece::Value(_) => 0,
    };
    pieces.iter().map(length).sum()
}

/// Divides a text at `{1}`, `{2}` and so on; other braces are text.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut own = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let number = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        match number.and_then(|(number, behind)| Some((number.parse().ok()?, behind))) {
            Some((number, behind)) => {
                if !own.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut own)));
                }
                pieces.push(Piece::Value(number));
                rest = behind;
            }
            None => {
                own.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if !own.is_empty() {
        pieces.push(Piece::Text(own));
    }
    pieces
}

/// Returns the values in a text that has this form, by their numbers.
fn values<'t>(form: &[Piece], text: &'t str) -> Option<Vec<(usize, &'t str)>> {
    match form {
        [] => text.is_empty().then(Vec::new),
        [Piece::Text(own), rest @ ..] => values(rest, text.strip_prefix(own.as_str())?),
        [Piece::Value(number)] => Some(vec![(*number, text)]),
        [Piece::Value(number), rest @ ..] => {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.find_map(|end| {
                let mut found = values(rest, &text[end..])?;
                found.push((*number, &text[..end]));
                Some(found)
            })
        }
    }
}

/// Returns the Chinese words for what an import says; `None`: there are none.
pub fn chinese(text: &str) -> Option<String> {
    TRANSLATIONS.iter().find_map(|translation| {
        let values = values(&translation.en, text)?;
        let word = |piece: &Piece| match piece {
            Piece::Text(own) => own.clone(),
            Piece::Value(number) => {
                let value = values.iter().find(|(other, _)| other == number);
                let value = value.map_or("", |(_, value)| value);
                chinese(value).unwrap_or_else(|| value.to_owned())
            }
        };
        Some(translation.zh.iter().map(word).collect())
    })
}

/// Returns a finding as the console says it.
pub fn finding_text(finding: &Finding, language: ConsoleLanguage) -> String {
    match language {
        ConsoleLanguage::Zh => finding_zh(finding),
        ConsoleLanguage::En => {
            let plain = Finding { otherwise: Otherwise::Nothing, ..finding.clone() };
            match finding.otherwise {
                Otherwise::LeaveOut => format!("{plain}, or tick «{}»", LEAVE_OUT.1),
                _ => plain.to_string(),
            }
        }
    }
}

fn finding_zh(finding: &Finding) -> String {
    let said = |text: &str| chinese(text).unwrap_or_else(|| text.to_owned());
    let mut text = format!("工作表 {}", finding.sheet);
    if finding.row > 0 {
        text.push_str(&format!("，第 {} 行", finding.row));
    }
    if !finding.column.is_empty() {
        text.push_str(&format!("，{} 列", finding.column));
    }
    let what = finding.what_zh.clone().unwrap_or_else(|| said(&finding.what));
    text.push_str(&format!("：{what}。"));
    if !finding.remedy.is_empty() {
        text.push_str(&said(&finding.remedy));
        if finding.otherwise == Otherwise::LeaveOut {
            text.push_str(&format!("，或勾选“{}”", LEAVE_OUT.0));
        }
        text.push('。');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_translation_can_be_read_and_keeps_the_values() {
        let written: Catalogue = toml::from_str(include_str!("xlsform.toml")).unwrap();
        assert!(!written.finding.is_empty());
        for translation in TRANSLATIONS.iter() {
            let numbers = |pieces: &[Piece]| {
                let mut numbers: Vec<usize> = pieces
                    .iter()
                    .filter_map(|piece| match piece {
                        Piece::Value(number) => Some(*number),
                        Piece::Text(_) => None,
                    })
                    .collect();
                numbers.sort_unstable();
                numbers
            };
            assert_eq!(numbers(&translation.en), numbers(&translation.zh), "{:?}", translation.en);
            assert!(own_length(&translation.en) > 0);
        }
    }

    #[test]
    fn a_finding_is_told_with_its_place_its_reason_and_the_consoles_remedy() {
        let finding = Finding {
            sheet: "survey",
            row: 7,
            column: "relevant".into(),
            what:
                "relevant «${d} = today()»: today() is not possible: conditions look at answers, \
                   not at the day"
                    .into(),
            what_zh: None,
            remedy: "change the condition".into(),
            otherwise: Otherwise::LeaveOut,
        };
        assert_eq!(
            finding_text(&finding, ConsoleLanguage::Zh),
            "工作表 survey，第 7 行，relevant 列：relevant 条件“${d} = today()”：不能用 today()：条件只看\
            回答，不看日期。请修改条件，或勾选“略去 XLSForm 中无法提问的内容”。"
        );
        let english = finding_text(&finding, ConsoleLanguage::En);
        assert!(
            english.ends_with("or tick «Leave out what an XLSForm has and cannot be asked here»")
        );
        assert!(!english.contains("--leave-out") && finding.to_string().contains("--leave-out"));
        assert_eq!(chinese("${#last} looks at an earlier interview"), None);
        assert_eq!(chinese("x has no label; left out").as_deref(), Some("x 没有 label，已略去"));
    }
}
