//! Composes the messages of an SMS interview.

use crate::domain::language::Language;
use crate::domain::questionnaire::{
    AnswerProblem, ChoiceOption, Item, ItemKind, Selection, wanted_form,
};

/// The text before a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    None,
    /// The previous reply was not understood, or is no answer that the item takes.
    Rejected(AnswerProblem),
}

impl Prefix {
    fn text(self, language: Language) -> String {
        let zh = language.is_chinese();
        match self {
            Prefix::None => String::new(),
            Prefix::Rejected(AnswerProblem::BeyondLimits) if zh => "抱歉超出了范围。".to_owned(),
            Prefix::Rejected(AnswerProblem::BeyondLimits) => {
                "Sorry, that is beyond the limits. ".to_owned()
            }
            Prefix::Rejected(AnswerProblem::TooLong) if zh => "抱歉太长了。".to_owned(),
            Prefix::Rejected(AnswerProblem::TooLong) => "Sorry, that was too long. ".to_owned(),
            Prefix::Rejected(AnswerProblem::TooFew(least)) if zh => {
                format!("抱歉，至少请选{least}项。")
            }
            Prefix::Rejected(AnswerProblem::TooFew(least)) => {
                format!("Sorry, please choose at least {least}. ")
            }
            Prefix::Rejected(AnswerProblem::TooMany(most)) if zh => {
                format!("抱歉，最多选{most}项。")
            }
            Prefix::Rejected(AnswerProblem::TooMany(most)) => {
                format!("Sorry, please choose at most {most}. ")
            }
            Prefix::Rejected(AnswerProblem::Exclusive) if zh => {
                "抱歉，这些选项不能同选。".to_owned()
            }
            Prefix::Rejected(AnswerProblem::Exclusive) => {
                "Sorry, these cannot be chosen together. ".to_owned()
            }
            Prefix::Rejected(_) if zh => "抱歉没看懂。".to_owned(),
            Prefix::Rejected(_) => "Sorry, that was not clear. ".to_owned(),
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
    let zh = message.language.is_chinese();
    let t = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
    let prefix = message.prefix.text(message.language);
    // Asked again, a number or a day comes with its limits and an example.
    let wanted = (message.prefix != Prefix::None)
        .then(|| wanted_form(message.item, message.language))
        .flatten();
    let listed = || {
        let option = |(number, option): (usize, &&ChoiceOption)| {
            format!(
                "{number}{}{}",
                if zh { "" } else { " " },
                option.text.in_language(message.language)
            )
        };
        (1..).zip(message.options).map(option).collect::<Vec<_>>().join(if zh { " " } else { ", " })
    };
    let how = match &message.item.kind {
        _ if wanted.is_some() => t("回复", "Reply ") + &wanted.unwrap_or_default(),
        ItemKind::Scale(scale) => {
            let (low, high) =
                (scale.low.in_language(message.language), scale.high.in_language(message.language));
            let (from, to) = (scale.from, scale.to);
            if zh {
                format!("回复{from}至{to}（{from}{low}，{to}{high}）")
            } else {
                format!("Reply {from} to {to} ({from} {low}, {to} {high})")
            }
        }
        ItemKind::Choice(choice) => match choice.selection {
            Selection::One => format!("{}{}", t("回复序号：", "Reply a number: "), listed()),
            Selection::Several { .. } => {
                format!("{}{}", t("可选多项，回复序号：", "Reply one or more numbers: "), listed())
            }
            Selection::Ranked => format!(
                "{}{}",
                t("按先后回复全部序号：", "Reply all numbers in your order: "),
                listed()
            ),
        },
        ItemKind::Number(range) => {
            let unit = range
                .unit
                .as_ref()
                .map(|unit| format!("（{}）", unit.in_language(message.language)))
                .unwrap_or_default();
            t("回复数字", "Reply a number") + &unit
        }
        ItemKind::Date { .. } => t("回复日期，如2026-05-13", "Reply a day, such as 2026-05-13"),
        ItemKind::Open { .. } if !message.item.required => {
            t("直接回复即可，没有请回“无”", "Just write; or reply none")
        }
        ItemKind::Open { .. } | ItemKind::Info => t("直接回复即可", "Just write"),
    };
    let not_applicable = match (message.item.not_applicable, message.item.dont_know) {
        (true, _) => t("，不适用请回“不适用”", "; or not applicable"),
        (false, true) => t("，不清楚请回“不清楚”", "; or don't know"),
        (false, false) if message.item.refused => {
            t("，不便回答请回“不想说”", "; or rather not say")
        }
        (false, false) => String::new(),
    };
    let (position, all) = message.position;
    let end = if zh { "。" } else { "." };
    let about = message
        .subject
        .map(|subject| if zh { format!("关于{subject}：") } else { format!("About {subject}: ") })
        .unwrap_or_default();
    format!(
        "【{}】{prefix}{about}({position}/{all}){}{} {how}{not_applicable}{end}",
        message.signature,
        if zh { "" } else { " " },
        message.text
    )
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
    let zh = language.is_chinese();
    let question = ["抱歉", "Sorry,"]
        .iter()
        .any(|apology| question.starts_with(apology))
        .then(|| question.split_once(if zh { "。" } else { ". " }))
        .flatten()
        .map_or(question, |(_, question)| question);
    let words = match (zh, position(question)) {
        (true, Some((at, all))) if at > 1 && all - at < FEW => "还差几题就完成了：",
        (false, Some((at, all))) if at > 1 && all - at < FEW => "Only a few are left: ",
        (true, _) => "请您继续作答：",
        (false, _) => "Please go on: ",
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
    let text = match (language.is_chinese(), is_complete) {
        (true, true) => "谢谢！您的回答已全部保存。",
        (true, false) => "谢谢您的关注，现已无需再答。",
        (false, true) => "Thank you! All your answers are saved.",
        (false, false) => "Thank you for your interest; nothing more is to be answered.",
    };
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
