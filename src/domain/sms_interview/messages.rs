//! Composes the messages of an SMS interview.

use crate::domain::language::Language;
use crate::domain::questionnaire::{
    AnswerProblem, ChoiceOption, Item, ItemKind, Selection, wanted_form,
};
use crate::domain::words::{SmsWords, Words, fill};

/// The text before a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    None,
    /// The previous reply was not understood, or is no answer that the item takes.
    Rejected(AnswerProblem),
}

impl Prefix {
    fn text(self, words: &SmsWords) -> String {
        let Prefix::Rejected(problem) = self else { return String::new() };
        let count = |text: &str, number: usize| fill(text, &[("number", &number.to_string())]);
        match problem {
            AnswerProblem::BeyondLimits => words.beyond_limits.clone(),
            AnswerProblem::TooLong => words.too_long.clone(),
            AnswerProblem::TooFew(least) => count(&words.too_few, least),
            AnswerProblem::TooMany(most) => count(&words.too_many, most),
            AnswerProblem::Exclusive => words.exclusive.clone(),
            _ => words.unclear.clone(),
        }
    }
}

/// The parts of a question message.
pub struct QuestionMessage<'a> {
    pub item: &'a Item,
    /// The item's short text for SMS, or its text, with placeholders replaced.
    pub text: &'a str,
    /// The options in the order displayed to this respondent.
    pub options: &'a [&'a ChoiceOption],
    /// Number of the question, from 1, and the total.
    pub position: (usize, usize),
    pub signature: &'a str,
    /// The rated subject; included in the first question, and in each one if there are several
    /// subjects.
    pub subject: Option<&'a str>,
    pub language: Language,
    pub prefix: Prefix,
}

/// Composes the message that asks an item.
pub fn compose_question(message: &QuestionMessage<'_>) -> String {
    let words = Words::of(message.language);
    let sms = &words.sms;
    // Asked again, a number or a day comes with its limits and an example.
    let wanted =
        (message.prefix != Prefix::None).then(|| wanted_form(message.item, words)).flatten();
    let how = match wanted {
        Some(wanted) => fill(&sms.wanted, &[("wanted", &wanted)]),
        None => instruction(message, sms),
    };
    let others = match (message.item.not_applicable, message.item.dont_know) {
        (true, _) => &sms.not_applicable,
        (false, true) => &sms.dont_know,
        (false, false) if message.item.refused => &sms.rather_not_say,
        (false, false) => "",
    };
    let (position, all) = message.position;
    let question = fill(
        &sms.question,
        &[
            ("position", &position.to_string()),
            ("all", &all.to_string()),
            ("text", message.text),
            ("how", &how),
            ("others", others),
        ],
    );
    let about = message.subject.map(|subject| fill(&sms.about, &[("subject", subject)]));
    format!(
        "【{}】{}{}{question}",
        message.signature,
        message.prefix.text(sms),
        about.unwrap_or_default()
    )
}

/// Says how the item is answered.
fn instruction(message: &QuestionMessage<'_>, sms: &SmsWords) -> String {
    let listed = || {
        let option = |(number, option): (usize, &&ChoiceOption)| {
            let text = option.text.in_language(message.language);
            fill(&sms.option, &[("number", &number.to_string()), ("text", text)])
        };
        let options = (1..).zip(message.options).map(option);
        options.collect::<Vec<_>>().join(&sms.option_separator)
    };
    match &message.item.kind {
        ItemKind::Scale(scale) => fill(
            &sms.scale,
            &[
                ("from", &scale.from.to_string()),
                ("to", &scale.to.to_string()),
                ("low", scale.low.in_language(message.language)),
                ("high", scale.high.in_language(message.language)),
            ],
        ),
        ItemKind::Choice(choice) => {
            let text = match choice.selection {
                Selection::One => &sms.one,
                Selection::Several { .. } => &sms.several,
                Selection::Ranked => &sms.rank,
            };
            fill(text, &[("options", &listed())])
        }
        ItemKind::Number(range) => {
            let unit = range.unit.as_ref().map(|unit| unit.in_language(message.language));
            let unit = unit.map(|unit| fill(&sms.unit, &[("unit", unit)])).unwrap_or_default();
            format!("{}{unit}", sms.number)
        }
        ItemKind::Date { .. } => sms.day.clone(),
        ItemKind::Open { .. } if !message.item.required => sms.text_optional.clone(),
        ItemKind::Open { .. } | ItemKind::Info => sms.text.clone(),
    }
}

/// «A few» questions.
const FEW: usize = 5;

/// Composes the reminder of a question, sent after a day without a reply, from the message that
/// asked it. An apology in that message is not repeated, and only the last questions are «a few».
pub fn compose_reminder(text: &str, language: Language) -> String {
    let (signature, question) = match text.split_once('】') {
        Some((signature, question)) => (format!("{signature}】"), question),
        None => (String::new(), text),
    };
    let sms = &Words::of(language).sms;
    let question = question
        .starts_with(&sms.apology)
        .then(|| question.split_once(&sms.sentence_end))
        .flatten()
        .map_or(question, |(_, question)| question);
    let words = match position(question) {
        Some((at, all)) if at > 1 && all - at < FEW => &sms.few_left,
        _ => &sms.go_on,
    };
    format!("{signature}{words}{question}")
}

/// Returns the number of the question and the total in a message.
fn position(question: &str) -> Option<(usize, usize)> {
    question.split('(').skip(1).find_map(|rest| {
        let (at, all) = rest.split_once(')')?.0.split_once('/')?;
        let (at, all) = (at.parse().ok()?, all.parse().ok()?);
        (at <= all).then_some((at, all))
    })
}

/// Composes the last message.
pub fn compose_goodbye(signature: &str, language: Language, is_complete: bool) -> String {
    let sms = &Words::of(language).sms;
    let text = if is_complete { &sms.complete } else { &sms.over };
    format!("【{signature}】{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_repeats_no_apology_and_promises_an_end_only_near_it() {
        for (language, asked, reminder) in [
            (
                Language::ZH,
                "【质协】抱歉没看懂。关于A牌：(1/15)好吗？ 回复1至5。",
                "【质协】请您继续作答：关于A牌：(1/15)好吗？ 回复1至5。",
            ),
            (Language::ZH, "【质协】(12/15)好吗？", "【质协】还差几题就完成了：(12/15)好吗？"),
            (Language::ZH, "【质协】(3/15)好吗？", "【质协】请您继续作答：(3/15)好吗？"),
            (Language::ZH, "【质协】(1/3)好吗？", "【质协】请您继续作答：(1/3)好吗？"),
            (
                Language::EN,
                "【Q】Sorry, that was not clear. (2/3) Good? Reply 1 to 5.",
                "【Q】Only a few are left: (2/3) Good? Reply 1 to 5.",
            ),
            (Language::EN, "【Q】(1/15) Good?", "【Q】Please go on: (1/15) Good?"),
            (Language::ZH, "好吗？", "请您继续作答：好吗？"),
        ] {
            assert_eq!(compose_reminder(asked, language), reminder, "{asked}");
        }
    }
}
