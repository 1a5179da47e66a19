//! The printable questionnaire, for reviewers and for an interviewer whose computer is down.

use std::borrow::Cow;
use std::collections::BTreeMap;

use askama::Template;

use crate::domain::language::{Language, LocalizedText};
use crate::domain::questionnaire::{Item, ItemKind, Page, Questionnaire, Selection, TextPiping};

#[derive(Template)]
#[template(path = "dataset/printable-questionnaire.html")]
pub struct PrintableQuestionnaire<'a> {
    questionnaire: &'a Questionnaire,
    language: Language,
}

impl<'a> PrintableQuestionnaire<'a> {
    pub fn new(questionnaire: &'a Questionnaire, language: Language) -> PrintableQuestionnaire<'a> {
        PrintableQuestionnaire { questionnaire, language }
    }

    /// Returns a text with a line to write on for the subject, the applicant and each answer.
    fn text<'t>(&self, text: &'t LocalizedText) -> Cow<'t, str> {
        let piped = TextPiping {
            questionnaire: self.questionnaire,
            subject: TextPiping::LINE,
            applicant: TextPiping::LINE,
            answers: &BTreeMap::new(),
            language: self.language,
            isolates: false,
        };
        piped.fill_blank(text)
    }

    fn answer_instructions(&self, item: &Item) -> String {
        let zh = self.language.is_chinese();
        let mut parts: Vec<String> = Vec::new();
        match &item.kind {
            ItemKind::Choice(choice) => match choice.selection {
                Selection::One => parts.push(if zh { "单选" } else { "one" }.to_owned()),
                Selection::Several { min, max } => parts.push(if zh {
                    format!("多选 {min}–{max}")
                } else {
                    format!("{min}–{max} of them")
                }),
                Selection::Ranked => parts.push(if zh { "排序" } else { "rank" }.to_owned()),
            },
            ItemKind::Number(range) => parts
                .extend(range.unit.as_ref().map(|unit| unit.in_language(self.language).to_owned())),
            _ => {}
        }
        if item.is_question() && !item.required {
            parts.push(if zh { "可不填" } else { "optional" }.to_owned());
        }
        parts.extend(item.show_if.as_ref().map(|condition| format!("⟨{}⟩", condition.source())));
        parts.extend(
            item.screen_out_if.as_ref().map(|condition| format!("4.1 ⟨{}⟩", condition.source())),
        );
        parts.join(" · ")
    }

    fn condition_of(&self, page: &Page) -> String {
        page.show_if
            .as_ref()
            .map(|condition| format!("⟨{}⟩", condition.source()))
            .unwrap_or_default()
    }
}
