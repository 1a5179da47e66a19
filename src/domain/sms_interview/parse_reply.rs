//! Parses a reply as an answer, leniently: `8`, `８`, `八`, «8分», «给8分吧», `B`, the words of an
//! option.

use unicode_normalization::UnicodeNormalization;

use crate::domain::questionnaire::{Answer, ChoiceOption, Item, ItemKind, Selection};

/// The meaning of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedReply {
    /// In the form that [`Answer::parse`] reads.
    Answer(String),
    /// The respondent skips an optional item.
    Skip,
    /// No answer to the question was recognised.
    Unclear,
}

/// Converts to half width and lower case, and trims.
fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().trim().to_owned()
}

/// Returns whether a short reply agrees to take part.
pub fn is_agreement(text: &str) -> bool {
    let bare: String = folded(text).chars().filter(|c| c.is_alphanumeric()).collect();
    const WORDS: [&str; 14] = [
        "1", "一", "好", "好的", "可以", "同意", "行", "是", "是的", "愿意", "开始", "yes", "y",
        "ok",
    ];
    WORDS.contains(&bare.as_str())
}

/// Returns whether a short reply requests the link.
pub fn requests_link(text: &str) -> bool {
    let folded = folded(text);
    folded.chars().count() <= 16
        && ["链接", "网址", "网页", "上网", "link", "online"]
            .iter()
            .any(|word| folded.contains(word))
}

/// Parses a reply to an item. `shown` contains the options in the order in which they were
/// numbered.
pub fn parse_reply(item: &Item, choices: &[&ChoiceOption], text: &str) -> ParsedReply {
    let folded = folded(text);
    let bare: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
    if bare.is_empty() {
        return ParsedReply::Unclear;
    }
    let is_one_of = |words: &[&str]| words.contains(&bare.as_str());
    if item.not_applicable
        && is_one_of(&["不适用", "没用过", "没有用过", "不涉及", "na", "notapplicable"])
    {
        return ParsedReply::Answer(Answer::NOT_APPLICABLE.to_owned());
    }
    if item.dont_know && is_one_of(&["不知道", "不清楚", "说不清", "dk", "dontknow"]) {
        return ParsedReply::Answer(Answer::DONT_KNOW.to_owned());
    }
    if !item.required
        && is_one_of(&["无", "没有", "没了", "跳过", "略", "none", "no", "skip", "nothing"])
    {
        return ParsedReply::Skip;
    }
    match &item.kind {
        ItemKind::Scale(scale) => match &numbers(&folded)[..] {
            [number]
                if number.fract() == 0.0 && scale.points().any(|point| point as f64 == *number) =>
            {
                ParsedReply::Answer(format!("{number:.0}"))
            }
            _ => ParsedReply::Unclear,
        },
        ItemKind::Number(_) => match &numbers(&folded)[..] {
            [number] => ParsedReply::Answer(number.to_string()),
            _ => ParsedReply::Unclear,
        },
        ItemKind::Choice(choice) => {
            let taken = options(choices, &folded);
            match (choice.selection, taken.len()) {
                (_, 0) => ParsedReply::Unclear,
                (Selection::One, 1) => ParsedReply::Answer(taken[0].code.clone()),
                (Selection::One, _) => ParsedReply::Unclear,
                (Selection::Several { .. }, _) => ParsedReply::Answer(
                    taken.iter().map(|option| option.code.as_str()).collect::<Vec<_>>().join(" "),
                ),
                (Selection::Ranked, count) if count == choices.len() => ParsedReply::Answer(
                    taken
                        .iter()
                        .zip(1..)
                        .map(|(option, place)| format!("{}:{place}", option.code))
                        .collect::<Vec<_>>()
                        .join(" "),
                ),
                (Selection::Ranked, _) => ParsedReply::Unclear,
            }
        }
        ItemKind::Date { .. } => match &numbers(&folded)[..] {
            [year, month, day] => ParsedReply::Answer(format!("{year:04}-{month:02}-{day:02}")),
            _ => ParsedReply::Unclear,
        },
        ItemKind::Open { .. } => ParsedReply::Answer(text.trim().to_owned()),
        ItemKind::Info => ParsedReply::Skip,
    }
}

/// Returns the options that a reply names, in its order: by number, by letter, or by words.
fn options<'o>(choices: &[&'o ChoiceOption], folded: &str) -> Vec<&'o ChoiceOption> {
    let bare = |text: &str| -> String {
        text.nfkc()
            .collect::<String>()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect()
    };
    let (reply, languages) = (bare(folded), crate::domain::language::Language::ALL);
    let is_said = |option: &&&ChoiceOption| {
        languages.into_iter().any(|language| bare(option.text.in_language(language)) == reply)
    };
    if let Some(whole) = choices.iter().find(is_said) {
        return vec![*whole];
    }
    let mut taken: Vec<&ChoiceOption> = Vec::new();
    let mut take = |at: Option<usize>| {
        if let Some(option) = at
            .and_then(|at| choices.get(at))
            .filter(|option| !taken.iter().any(|known| known.code == option.code))
        {
            taken.push(option);
        }
    };
    let numbers = numbers(folded);
    if numbers.iter().all(|n| n.fract() == 0.0 && (1.0..=choices.len() as f64).contains(n)) {
        // Adjacent digits («213») are one option each, if there are too few options for a two-digit
        // number.
        numbers.iter().for_each(|n| take(Some(*n as usize - 1)));
    } else if folded.chars().all(|c| c.is_ascii_digit()) && choices.len() < 10 {
        folded.chars().for_each(|c| take(c.to_digit(10).and_then(|n| (n as usize).checked_sub(1))));
    }
    let letters: Vec<char> = folded.chars().filter(char::is_ascii_alphabetic).collect();
    let words =
        folded.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1).count();
    if numbers.is_empty() && words == 0 {
        letters.iter().for_each(|c| take(Some((*c as usize) - ('a' as usize))));
    }
    if taken.is_empty() {
        // The reply contains the words of exactly one option, or is contained in them.
        let names = |option: &&&&ChoiceOption| {
            languages.into_iter().map(|language| bare(option.text.in_language(language))).any(
                |words| {
                    words.chars().count() >= 2
                        && (reply.contains(&words)
                            || (reply.chars().count() >= 2 && words.contains(&reply)))
                },
            )
        };
        let named: Vec<&&ChoiceOption> = choices.iter().filter(|option| names(&option)).collect();
        if let [one] = named[..] {
            return vec![one];
        }
    }
    taken
}

/// Returns the numbers in a text: digits, and Chinese numerals up to ninety-nine; duplicates count
/// once.
fn numbers(folded: &str) -> Vec<f64> {
    const NUMERALS: &str = "零一二三四五六七八九";
    let (mut found, mut figures, mut numeral) = (Vec::new(), String::new(), Vec::<u32>::new());
    let mut end = |figures: &mut String, numeral: &mut Vec<u32>| {
        let number =
            figures.trim_end_matches('.').parse::<f64>().ok().or_else(|| of_numerals(numeral));
        if let Some(number) = number.filter(|number| !found.contains(number)) {
            found.push(number);
        }
        figures.clear();
        numeral.clear();
    };
    for c in folded.chars() {
        let value = match c {
            '十' => Some(10),
            '两' => Some(2),
            '〇' => Some(0),
            c => NUMERALS.chars().position(|numeral| numeral == c).map(|at| at as u32),
        };
        match value {
            Some(value) if figures.is_empty() => numeral.push(value),
            _ if c.is_ascii_digit() || (c == '.' && !figures.is_empty()) => {
                if !numeral.is_empty() {
                    end(&mut figures, &mut numeral);
                }
                figures.push(c);
            }
            _ => {
                end(&mut figures, &mut numeral);
                numeral.extend(value);
            }
        }
    }
    end(&mut figures, &mut numeral);
    found
}

/// `[8]` is eight, `[10]` ten, `[2, 10, 5]` twenty-five.
fn of_numerals(numerals: &[u32]) -> Option<f64> {
    match numerals {
        [one] => Some(f64::from(*one)),
        [10, ones] => Some(f64::from(10 + ones)),
        [tens, 10] => Some(f64::from(tens * 10)),
        [tens, 10, ones] => Some(f64::from(tens * 10 + ones)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        parse_reply(item, &choices, text)
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
        for text in [
            "2",
            "２",
            "二",
            "选2",
            "B",
            "b.",
            choices[1].text.in_language(crate::domain::language::Language::Zh),
        ] {
            assert_eq!(parse_reply(one, &choices, text), code, "{text}");
        }
        assert_eq!(parse_reply(one, &choices, "1 2"), ParsedReply::Unclear);
        assert_eq!(parse_reply(one, &choices, "99"), ParsedReply::Unclear);
    }
}
