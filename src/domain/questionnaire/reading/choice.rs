//! Reads which options a reply names: by number, letter or words.
//!
//! The whole reply is compared with the options first ([`read_exact_option`]), so that «没有» is an
//! answer where it is an option. Otherwise every part of the reply must name an option
//! (`1、3`, `1和3`, `A C`, `3>1>2`); digits in one piece (`13`) are several options where several
//! may be chosen and there is no option of that number. Last, a sentence may contain the words of an
//! option. Two readings are no reading.

use super::super::{ChoiceOption, Selection};
use super::numerals::read_numeral;
use super::{folded, squashed};

/// Replies of one meaning, for items with exactly one such option.
const SAME_MEANING: [&[&str]; 4] = [
    &["有", "有的", "有过", "有啊"],
    &["没有", "没", "无", "没有过", "没有的"],
    &["是", "是的", "对", "对的", "嗯", "yes", "y", "yeah"],
    &["否", "不是", "不", "不对", "no", "n", "nope"],
];
/// Words that join options, beside punctuation.
const JOINING: [&str; 9] = ["和", "与", "以及", "及", "还有", "跟", " and ", " then ", "no."];
/// Words around an option's number.
const FILLERS: [&str; 18] = [
    "我选择",
    "我选",
    "选择",
    "选",
    "第",
    "我的答案是",
    "答案是",
    "答案",
    "是",
    "option",
    "number",
    "个",
    "项",
    "号",
    "吧",
    "种",
    "条",
    "the",
];

/// What a reply names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionReading<'o> {
    /// The codes in the order of the reply.
    Options(Vec<&'o str>),
    Unclear,
}

/// Returns the option that the whole reply names in words. `choices` is in the order of their
/// numbers.
pub fn read_exact_option<'o>(choices: &[&'o ChoiceOption], text: &str) -> Option<&'o str> {
    let reply = squashed(text);
    let named = |option: &&&ChoiceOption| {
        labels(option).contains(&reply) || without_key(option).contains(&reply)
    };
    let is_place = |option: &&ChoiceOption| {
        let place = reply.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?));
        place.is_none_or(|at_place| at_place.code == option.code)
    };
    let exact: Vec<_> = choices.iter().filter(named).collect();
    if let [one] = exact[..] {
        // An option «1» with another number: either may be meant.
        return is_place(one).then_some(one.code.as_str());
    }
    let is_code = |option: &&&ChoiceOption| {
        option.code.chars().count() > 1
            && option.code.parse::<i64>().is_err()
            && option.code.to_lowercase() == folded(text)
    };
    if let Some(option) = choices.iter().find(is_code) {
        return Some(&option.code);
    }
    let group = SAME_MEANING.iter().find(|group| group.contains(&reply.as_str()))?;
    let same = |option: &&&ChoiceOption| {
        labels(option).iter().any(|label| group.contains(&label.as_str()))
    };
    match choices.iter().filter(same).collect::<Vec<_>>()[..] {
        [one] => Some(&one.code),
        _ => None,
    }
}

/// Reads the options that a reply names.
pub fn read_options<'o>(
    choices: &[&'o ChoiceOption],
    selection: Selection,
    text: &str,
) -> OptionReading<'o> {
    if selection != Selection::Ranked
        && let Some(code) = read_exact_option(choices, text)
    {
        return OptionReading::Options(vec![code]);
    }
    let places = parts(text).and_then(|parts| {
        let is_several = selection != Selection::One;
        let mut places = Vec::new();
        for part in parts {
            for place in places_of(choices, is_several, &part)? {
                // «1价格» and «2 2» name one option twice; in a ranking that has no meaning.
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        Some(places)
    });
    let places = places.unwrap_or_else(|| contained(choices, text));
    let fits = match selection {
        Selection::One => places.len() == 1,
        Selection::Several { .. } => !places.is_empty(),
        Selection::Ranked => places.len() == choices.len(),
    };
    if !fits {
        return OptionReading::Unclear;
    }
    OptionReading::Options(places.into_iter().map(|place| choices[place].code.as_str()).collect())
}

/// The option's text in each language, squashed.
fn labels(option: &ChoiceOption) -> Vec<String> {
    option.text.iter().map(|(_, text)| squashed(text)).collect()
}

/// The letter or number before an option's text (`A. 价格`).
fn key(option: &ChoiceOption) -> Option<String> {
    let label = folded(option.text.zh());
    let (key, _) = label.split_once(['.', '、', ')', ':', ' '])?;
    let is_key = (key.len() == 1 && key.chars().all(|c| c.is_ascii_alphanumeric()))
        || (!key.is_empty() && key.len() < 3 && key.parse::<usize>().is_ok());
    is_key.then(|| key.to_owned())
}

fn without_key(option: &ChoiceOption) -> Vec<String> {
    let Some(key) = key(option) else { return Vec::new() };
    labels(option)
        .into_iter()
        .filter_map(|label| label.strip_prefix(&key).map(str::to_owned))
        .filter(|label| !label.is_empty())
        .collect()
}

/// Splits a reply into parts that name an option each; `None` for a range or a negative number.
fn parts(text: &str) -> Option<Vec<String>> {
    // Circled digits stand apart, whatever is between them.
    let spaced: String = text
        .chars()
        .flat_map(|c| {
            let around = ('①'..='⓿').contains(&c).then_some(' ');
            [around, Some(c), around].into_iter().flatten()
        })
        .collect();
    let mut text = folded(&spaced);
    for word in JOINING {
        text = text.replace(word, " ");
    }
    let is_separator = |c: char| c.is_whitespace() || "、,;/.。+&|>→()\"“”「」!:".contains(c);
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(is_separator).filter(|part| !part.is_empty()) {
        let part = strip_fillers(part);
        if !part.is_empty() {
            parts.push(part.to_owned());
        }
    }
    (!parts.is_empty()).then_some(parts)
}

fn strip_fillers(part: &str) -> &str {
    let mut part = part;
    loop {
        let before = part;
        for word in FILLERS {
            // A filler that is the whole part may be an option («是»); letters end words.
            let is_word = |rest: &&str| {
                !word.is_ascii() || !rest.starts_with(|c: char| c.is_ascii_alphabetic())
            };
            if let Some(rest) = part.strip_prefix(word).filter(is_word) {
                part = rest;
            }
            if !word.is_ascii()
                && let Some(rest) = part.strip_suffix(word)
            {
                part = rest;
            }
        }
        if part == before {
            return part;
        }
    }
}

/// Returns the places of the options that one part names, from 0; `None` if it names none.
fn places_of(choices: &[&ChoiceOption], is_several: bool, part: &str) -> Option<Vec<usize>> {
    let in_range = |number: i64| {
        usize::try_from(number).ok().filter(|n| (1..=choices.len()).contains(n)).map(|n| n - 1)
    };
    let label_at = |words: &str| {
        let words = squashed(words);
        let named = |option: &&ChoiceOption| {
            labels(option).contains(&words) || without_key(option).contains(&words)
        };
        choices.iter().position(named)
    };
    let figures = part.bytes().take_while(u8::is_ascii_digit).count();
    if figures == part.len() {
        let number: i64 = part.parse().ok()?;
        if let Some(place) = in_range(number) {
            return numbered(choices, place).map(|place| vec![place]);
        }
        // «13» is 1 and 3; with ten options or more, «123» would have several readings.
        let is_sure = choices.len() < 10 || figures == 2;
        let digits: Vec<usize> =
            part.chars().map(|c| in_range(i64::from(c.to_digit(10)?))).collect::<Option<_>>()?;
        let is_distinct = digits.iter().enumerate().all(|(at, d)| !digits[..at].contains(d));
        return (is_several && is_sure && is_distinct).then_some(digits);
    }
    if let Some(place) = label_at(part) {
        return Some(vec![place]);
    }
    if let Some(number) = read_numeral(part) {
        return in_range(number).and_then(|place| numbered(choices, place)).map(|at| vec![at]);
    }
    if figures > 0 {
        // «1价格»: number and words must agree.
        let place = in_range(part[..figures].parse().ok()?)?;
        return (label_at(&part[figures..]) == Some(place)).then(|| vec![place]);
    }
    letters(choices, is_several, part)
}

/// An option whose text begins with another number than its own may be meant, or not.
fn numbered(choices: &[&ChoiceOption], place: usize) -> Option<usize> {
    let wanted = (place + 1).to_string();
    let others = choices.iter().position(|option| {
        key(option).as_ref() == Some(&wanted) || labels(option).contains(&wanted)
    });
    others.is_none_or(|other| other == place).then_some(place)
}

/// Letters: those before the options' texts, otherwise A for the first option.
fn letters(choices: &[&ChoiceOption], is_several: bool, part: &str) -> Option<Vec<usize>> {
    let is_lettered = choices
        .iter()
        .all(|option| key(option).is_some_and(|key| key.starts_with(|c: char| c.is_alphabetic())));
    let place = |letter: char| {
        if is_lettered {
            choices.iter().position(|option| key(option) == Some(letter.to_string()))
        } else {
            let place = (letter as usize).checked_sub('a' as usize)?;
            (place < choices.len()).then_some(place)
        }
    };
    let is_one = part.chars().count() == 1;
    if !part.chars().all(|c| c.is_ascii_lowercase()) || !(is_one || (is_several && is_lettered)) {
        return None;
    }
    let places: Vec<usize> = part.chars().map(place).collect::<Option<_>>()?;
    let is_distinct = places.iter().enumerate().all(|(at, place)| !places[..at].contains(place));
    is_distinct.then_some(places)
}

/// Returns the options whose words a sentence contains, or that contain the reply. «不满意» is not
/// «满意», and «no» is not in «know».
fn contained(choices: &[&ChoiceOption], text: &str) -> Vec<usize> {
    const NEGATIONS: [&str; 9] = ["不", "不太", "不是", "不选", "没", "没有", "别", "非", "未"];
    let reply = squashed(text);
    let mut known: Vec<(String, usize)> = (0..choices.len())
        .flat_map(|place| labels(choices[place]).into_iter().map(move |label| (label, place)))
        .filter(|(label, _)| label.chars().count() >= 2 && !label.is_ascii())
        .collect();
    known.sort_by_key(|(label, _)| std::cmp::Reverse(label.chars().count()));
    // A part of several options names none.
    let only = |places: Vec<usize>| if places.len() == 1 { places } else { Vec::new() };
    let (mut rest, mut places, mut is_contradicted) = (reply.clone(), Vec::new(), false);
    for (label, place) in known {
        while let Some(at) = rest.find(&label) {
            is_contradicted |= NEGATIONS.iter().any(|word| rest[..at].ends_with(word));
            // A longer option's words are not a shorter one's.
            rest.replace_range(at..at + label.len(), "\u{fffc}");
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    // «有没有» is neither 有 nor 没有.
    let is_short = |label: &String| label.chars().count() == 1 && !label.is_ascii();
    is_contradicted |= choices
        .iter()
        .flat_map(|option| labels(option))
        .any(|label| is_short(&label) && rest.contains(&label) && !places.is_empty());
    // «1不满意» where 不满意 is option 2.
    let is_other_number = |figures: &str, places: &[usize]| {
        !figures.is_empty() && !matches!(places, [one] if figures == (one + 1).to_string())
    };
    let figures: String = rest.chars().filter(char::is_ascii_digit).collect();
    is_contradicted |= !places.is_empty() && is_other_number(&figures, &places);
    let words = |text: &str| -> Vec<String> {
        let text = folded(text);
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    if places.is_empty() && reply.is_ascii() {
        // English by whole words.
        let said = words(text);
        let is_in = |few: &[String], many: &[String]| {
            !few.is_empty()
                && few.iter().map(String::len).sum::<usize>() >= 3
                && many.windows(few.len()).any(|window| window == few)
        };
        let negates =
            said.iter().any(|word| ["not", "no", "don", "never"].contains(&word.as_str()));
        let label = |place: &usize| words(choices[*place].text.en());
        let all = 0..choices.len();
        places = all.clone().filter(|place| !negates && is_in(&label(place), &said)).collect();
        if places.is_empty() {
            places = only(all.filter(|place| is_in(&said, &label(place))).collect());
        }
        let named: Vec<String> = places.iter().flat_map(label).collect();
        let is_figures = |word: &&String| word.bytes().all(|b| b.is_ascii_digit());
        let others = said.iter().filter(is_figures).filter(|word| !named.contains(word));
        is_contradicted |= others.into_iter().any(|word| is_other_number(word, &places));
    } else if places.is_empty() && reply.chars().count() >= 2 {
        let named = |place: &usize| labels(choices[*place]).iter().any(|l| l.contains(&reply));
        places = only((0..choices.len()).filter(named).collect());
    }
    if is_contradicted { Vec::new() } else { places }
}
