//! Composes the messages of an SMS interview.

use crate::domain::language::Language;
use crate::domain::questionnaire::{ChoiceOption, Item, ItemKind, Selection};

/// The text before a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    None,
    /// The previous reply was not understood.
    NotUnderstood,
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
    let zh = message.language == Language::Zh;
    let t = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
    let prefix = match message.prefix {
        Prefix::None => String::new(),
        Prefix::NotUnderstood => t("抱歉没看懂。", "Sorry, that was not clear. "),
    };
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
        (false, false) => String::new(),
    };
    let (position, all) = message.position;
    let end = if zh { "。" } else { "." };
    let about = message
        .subject
        .map(|subject| if zh { format!("关于{subject}：") } else { format!("About {subject}: ") })
        .unwrap_or_default();
    format!(
        "【{}】{prefix}{about}({position}/{all}){} {how}{not_applicable}{end}",
        message.signature, message.text
    )
}

/// Composes the reminder of a question, sent after a day without a reply.
pub fn compose_reminder(text: &str, language: Language) -> String {
    let words = match language {
        Language::Zh => "还差几题就完成了：",
        Language::En => "Only a few are left: ",
    };
    match text.split_once('】') {
        Some((signature, question)) => format!("{signature}】{words}{question}"),
        None => format!("{words}{text}"),
    }
}

/// Composes the last message.
pub fn compose_goodbye(signature: &str, language: Language, is_complete: bool) -> String {
    let text = match (language, is_complete) {
        (Language::Zh, true) => "谢谢！您的回答已全部保存。",
        (Language::Zh, false) => "谢谢您的关注，现已无需再答。",
        (Language::En, true) => "Thank you! All your answers are saved.",
        (Language::En, false) => "Thank you for your interest; nothing more is to be answered.",
    };
    format!("【{signature}】{text}")
}
