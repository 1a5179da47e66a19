//! Parses a reply as an answer: `8`, `８`, `八`, «8分», «给8分吧», `B`, the words of an option.
//!
//! The item's own options come before general words («没有» skips an item only where it is no
//! option), and general words are general only as the whole reply. Numbers, days and options are
//! read by [`crate::domain::questionnaire`], like on the web.

use super::rating::read_rating;
use crate::domain::questionnaire::{
    Answer, AnswerProblem, ChoiceOption, Item, ItemKind, OptionReading, ReadingContext, Selection,
    folded, read_exact_option, read_options,
};

/// The meaning of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedReply {
    /// In the form that [`Answer::parse`] reads.
    Answer(String),
    /// The respondent skips an optional item.
    Skip,
    /// No answer to the question was recognised.
    Unclear,
    /// It is an answer that the item does not take.
    Rejected(AnswerProblem),
}

/// Returns whether a short reply agrees to take part.
pub fn is_agreement(text: &str) -> bool {
    let bare: String = folded(text).chars().filter(|c| c.is_alphanumeric()).collect();
    const WORDS: [&str; 18] = [
        "1", "一", "好", "好的", "可以", "同意", "行", "是", "是的", "愿意", "开始", "yes", "y",
        "ok", "願意", "開始", "sim", "aceito",
    ];
    WORDS.contains(&bare.as_str())
}

/// The words of a reply that requests the link.
const LINK_WORDS: [&str; 11] =
    ["链接", "网址", "网页", "上网", "連結", "鏈接", "網址", "網頁", "上網", "link", "online"];

/// Returns whether a short reply requests the link.
pub fn requests_link(text: &str) -> bool {
    let folded = folded(text);
    folded.chars().count() <= 16 && LINK_WORDS.iter().any(|word| folded.contains(word))
}

/// Returns whether a reply to this item requests the link. The words of an option are an answer,
/// and an answer in free text may mention a web page: there the request must be the whole reply.
pub fn requests_link_instead(item: &Item, choices: &[&ChoiceOption], text: &str) -> bool {
    const POLITE: [&str; 16] = [
        "请", "发", "给", "我", "要", "把", "一下", "下", "个", "的", "吧", "please", "send", "me",
        "the", "a",
    ];
    match &item.kind {
        ItemKind::Open { .. } => {
            let mut bare: String = folded(text)
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !(word.is_ascii() && POLITE.contains(word)))
                .collect();
            for word in POLITE.iter().filter(|word| !word.is_ascii()) {
                bare = bare.replace(word, "");
            }
            LINK_WORDS.contains(&bare.as_str())
        }
        ItemKind::Choice(choice) => {
            requests_link(text)
                && read_options(choices, choice.selection, text) == OptionReading::Unclear
        }
        _ => requests_link(text),
    }
}

/// Parses a reply to an item. `choices` contains the options in the order in which they were
/// numbered.
pub fn parse_reply(
    item: &Item,
    choices: &[&ChoiceOption],
    text: &str,
    context: ReadingContext,
) -> ParsedReply {
    let folded = folded(text);
    let bare: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
    if bare.is_empty() {
        return ParsedReply::Unclear;
    }
    if let ItemKind::Choice(choice) = &item.kind
        && choice.selection != Selection::Ranked
        && let Some(code) = read_exact_option(choices, text)
    {
        return ParsedReply::Answer(code.to_owned());
    }
    let is_one_of = |words: &[&str]| words.contains(&bare.as_str());
    if item.not_applicable
        && is_one_of(&[
            "不适用",
            "没用过",
            "没有用过",
            "不涉及",
            "不適用",
            "沒用過",
            "沒有用過",
            "na",
            "notapplicable",
            "nãoseaplica",
            "naoseaplica",
        ])
    {
        return ParsedReply::Answer(Answer::not_applicable_form(item).to_owned());
    }
    if item.dont_know
        && is_one_of(&[
            "不知道",
            "不清楚",
            "说不清",
            "說不清",
            "dk",
            "dontknow",
            "idontknow",
            "nãosei",
            "naosei",
        ])
    {
        return ParsedReply::Answer(Answer::dont_know_form(item).to_owned());
    }
    if item.refused
        && is_one_of(&[
            "不想说",
            "不想說",
            "不想回答",
            "不愿回答",
            "不愿意回答",
            "不便回答",
            "不方便说",
            "拒绝回答",
            "保密",
            "refused",
            "rathernotsay",
            "prefernottosay",
            "noanswer",
            "prefironãoresponder",
            "prefironaoresponder",
        ])
    {
        return ParsedReply::Answer(Answer::refused_form(item).to_owned());
    }
    if !item.required
        && is_one_of(&[
            "无", "没有", "没了", "跳过", "略", "無", "沒有", "none", "no", "skip", "nothing",
            "nada",
        ])
    {
        return ParsedReply::Skip;
    }
    match &item.kind {
        ItemKind::Scale(scale) => match read_rating(item, scale, text, context) {
            Some(point) => ParsedReply::Answer(point.to_string()),
            None => ParsedReply::Unclear,
        },
        ItemKind::Number(_) | ItemKind::Date { .. } => {
            match Answer::parse(item, Some(text), context) {
                Ok(answer) => match answer.and_then(|answer| answer.to_stored()) {
                    Some(stored) => ParsedReply::Answer(stored),
                    None => ParsedReply::Unclear,
                },
                Err(AnswerProblem::OutOfRange) => ParsedReply::Unclear,
                Err(problem) => ParsedReply::Rejected(problem),
            }
        }
        ItemKind::Choice(choice) => match read_options(choices, choice.selection, text) {
            OptionReading::Unclear => ParsedReply::Unclear,
            OptionReading::Options(codes) if choice.selection == Selection::Ranked => {
                let ranks = codes.iter().zip(1..).map(|(code, place)| format!("{code}:{place}"));
                ParsedReply::Answer(ranks.collect::<Vec<_>>().join(" "))
            }
            OptionReading::Options(codes) => ParsedReply::Answer(codes.join(" ")),
        },
        ItemKind::Open { .. } => ParsedReply::Answer(text.trim().to_owned()),
        ItemKind::Info => ParsedReply::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::Questionnaire;

    fn questionnaire() -> Questionnaire {
        Questionnaire::parse(include_str!("../../../tests/fixtures/every_kind.toml")).unwrap()
    }

    /// An item of the shipped brand questionnaire.
    fn heard(id: &str, text: &str) -> ParsedReply {
        let questionnaire =
            Questionnaire::parse(include_str!("../../../config/questionnaires/brand.toml"))
                .unwrap();
        let item = questionnaire.item(id).unwrap();
        let choices: Vec<&ChoiceOption> = match &item.kind {
            ItemKind::Choice(choice) => choice.options.iter().collect(),
            _ => Vec::new(),
        };
        parse_reply(item, &choices, text, ReadingContext::sample(Language::ZH))
    }

    #[test]
    fn a_rating_is_read_in_its_usual_spellings() {
        for text in ["8", "８", "八", "8分", " 8 。", "我给8分", "打八分吧", "8.", "8 8"]
        {
            assert_eq!(heard("sat1", text), ParsedReply::Answer("8".into()), "{text}");
        }
        for text in ["十", "10分", "十分"] {
            assert_eq!(heard("sat1", text), ParsedReply::Answer("10".into()), "{text}");
        }
        for text in ["11", "0", "八九分", "7到8", "很好", "?", "", "7.5", "8分，比去年的6分好"]
        {
            assert_eq!(heard("sat1", text), ParsedReply::Unclear, "{text}");
        }
    }

    #[test]
    fn agreement_and_the_wish_for_the_link_are_few_words() {
        for yes in ["1", "１", "好的", "同意。", "OK", "Yes!"] {
            assert!(is_agreement(yes), "{yes}");
        }
        assert!(!is_agreement("你们是谁") && !is_agreement("10"));
        assert!(
            requests_link("发链接")
                && requests_link("Link please")
                && !requests_link("这个链接我打开过了但是很慢而且看不清楚字")
        );
    }

    #[test]
    fn options_are_named_by_number_letter_or_words() {
        let questionnaire = questionnaire();
        let one = questionnaire.items().find(|item| matches!(&item.kind, ItemKind::Choice(choice) if choice.selection == Selection::One)).unwrap();
        let ItemKind::Choice(choice) = &one.kind else { unreachable!() };
        let choices: Vec<&ChoiceOption> = choice.options.iter().collect();
        let code = ParsedReply::Answer(choices[1].code.clone());
        let parse =
            |text: &str| parse_reply(one, &choices, text, ReadingContext::sample(Language::ZH));
        for text in ["2", "２", "二", "选2", "B", "b.", choices[1].text.in_language(Language::ZH)]
        {
            assert_eq!(parse(text), code, "{text}");
        }
        assert_eq!(parse("1 2"), ParsedReply::Unclear);
        assert_eq!(parse("99"), ParsedReply::Unclear);
    }

    #[test]
    fn a_sign_belongs_to_its_number_and_general_words_to_an_answer() {
        let questionnaire = questionnaire();
        let parse = |id: &str, text: &str| {
            let item = questionnaire.item(id).unwrap();
            parse_reply(item, &[], text, ReadingContext::sample(Language::ZH))
        };
        let answer = |text: &str| ParsedReply::Answer(text.into());
        for text in ["-3", "－3", "−3", "负3", "负三", "给-3分吧", "我给负三分"] {
            assert_eq!(parse("sat1", text), answer("-3"), "{text}");
        }
        assert_eq!(parse("sat1", "3"), answer("3"));
        assert_eq!(parse("sat1", "3/5"), answer("3"));
        for text in ["-6", "1-3", "三分半"] {
            assert_eq!(parse("sat1", text), ParsedReply::Unclear, "{text}");
        }
        // A scale from 1: «-3» is not 3.
        assert_eq!(parse("g1", "-3"), ParsedReply::Unclear);
        assert_eq!(parse("paid", "1299,50"), answer("1299.5"));
        assert_eq!(parse("paid", "20万"), ParsedReply::Rejected(AnswerProblem::BeyondLimits));
        assert_eq!(parse("since", "昨天"), answer("2026-05-19"));
        assert_eq!(parse("open1", "没有"), ParsedReply::Skip);
        for text in ["不知道为什么,挺好的", "没有什么不好", "网页打不开"] {
            assert_eq!(parse("open1", text), answer(text), "{text}");
            let item = questionnaire.item("open1").unwrap();
            assert!(!requests_link_instead(item, &[], text), "{text}");
        }
        for text in ["链接", "请发链接给我", "send me the link", "online"] {
            let item = questionnaire.item("open1").unwrap();
            assert!(requests_link_instead(item, &[], text), "{text}");
        }
    }
}
