//! Text piping: replaces `{subject}`, `{applicant}` and `{answer:ID}` in texts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Answer, Questionnaire};
use crate::domain::language::{Language, LocalizedText};
use crate::domain::words::Words;

/// Returns the names between braces in a text.
pub(super) fn placeholders(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// The values for texts of one respondent.
pub struct TextPiping<'a> {
    pub questionnaire: &'a Questionnaire,
    pub subject: &'a str,
    pub applicant: &'a str,
    pub answers: &'a BTreeMap<String, Answer>,
    pub language: Language,
    /// Whether values are set apart from a text that runs in the other direction (Unicode Standard
    /// Annex 9, FSI and PDI), for pages: a message would show the marks as boxes on old phones.
    pub isolates: bool,
}

impl TextPiping<'_> {
    /// A line to write on.
    pub const LINE: &'static str = "________";

    /// Returns the text with its names replaced; a missing answer becomes «…».
    pub fn fill<'t>(&self, text: &'t LocalizedText) -> Cow<'t, str> {
        self.fill_with(text, "…")
    }

    /// Returns the text for a form on paper or a preview, where nobody has answered yet: an answer
    /// becomes a line to write on.
    pub fn fill_blank<'t>(&self, text: &'t LocalizedText) -> Cow<'t, str> {
        self.fill_with(text, Self::LINE)
    }

    fn fill_with<'t>(&self, text: &'t LocalizedText, missing: &str) -> Cow<'t, str> {
        let text = text.in_language(self.language);
        if !text.contains('{') {
            return Cow::Borrowed(text);
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((name, behind)) => {
                    let value = self.value(name, missing);
                    if self.isolates && self.mixes_directions(&value) {
                        filled.extend(["\u{2068}", &value, "\u{2069}"]);
                    } else {
                        filled.push_str(&value);
                    }
                    rest = behind;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }

    fn mixes_directions(&self, value: &str) -> bool {
        let is_right_to_left =
            |c: char| matches!(c as u32, 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff);
        self.language.direction() == "rtl" || value.chars().any(is_right_to_left)
    }

    fn value(&self, name: &str, missing: &str) -> String {
        match name {
            "subject" => self.subject.to_owned(),
            "applicant" => self.applicant.to_owned(),
            _ => name
                .strip_prefix("answer:")
                .and_then(|id| self.answer(id))
                .unwrap_or_else(|| missing.to_owned()),
        }
    }

    /// Returns an answer in the respondent's language.
    fn answer(&self, id: &str) -> Option<String> {
        let (item, answer) = (self.questionnaire.item(id)?, self.answers.get(id)?);
        match answer {
            Answer::Codes(codes) => {
                let super::ItemKind::Choice(choice) = &item.kind else { return None };
                let label = |code: &String| {
                    choice
                        .options
                        .iter()
                        .find(|option| option.code == *code)
                        .map(|o| o.text.in_language(self.language))
                };
                let separator = &Words::of(self.language).form.list_separator;
                Some(codes.iter().filter_map(label).collect::<Vec<_>>().join(separator))
            }
            Answer::NotApplicable | Answer::DontKnow | Answer::Refused => None,
            Answer::Open(text) => Some(text.reveal().to_owned()),
            other => other.to_stored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_nobody_gave_is_a_line_on_paper() {
        let file = include_str!("../../../tests/fixtures/every_kind.toml");
        let questionnaire = Questionnaire::parse(file).unwrap_or_else(|error| panic!("{error}"));
        let answers = BTreeMap::new();
        let piped = TextPiping {
            questionnaire: &questionnaire,
            subject: "A",
            applicant: "B",
            answers: &answers,
            language: Language::ZH,
            isolates: false,
        };
        let text = &questionnaire.item("why").unwrap().text;
        assert_eq!(piped.fill_blank(text), "________使用，为什么不满意？");
        assert_eq!(piped.fill(text), "…使用，为什么不满意？");
    }
}
