//! Reads a number.
//!
//! | written | read as |
//! | --- | --- |
//! | comma before three digits, after one to three without leading zero (`1,299`) | thousands |
//! | comma elsewhere (`1,29`, `1299,50`, `0,299`) | decimals, but not before four digits |
//! | one point | decimals; `1.299` only where the item takes three of them |
//! | comma and point | the last one is the decimal mark (`1,299.50`, `1.299,50`) |
//! | several commas or points, in threes, or in lakhs (`1,00,000`) | thousands |
//! | space, thin space or apostrophe, in threes | thousands |
//! | 万 千 百 亿, `k`, and `w` in Chinese | factors (`1.2万`, `3万5千`, `3k`) |
//! | Chinese numerals, English words | see [`super::numerals`]; 半 is a half |
//! | `-`, `−`, `－`, 负, `minus` directly before it | a negative number |
//! | the item's unit or another word for it, or a mere counter | nothing |
//!
//! Anything else is not read: a range, «100多», `1e3`, brackets, a unit that would change the
//! number (`5分钟` where hours are asked).

use super::super::{AnswerProblem, Item, Range};
use super::ReadingContext;
use super::folded;
use super::numerals::{Decimal, chinese, digit, english, factor};
use crate::domain::language::Language;

/// The limit of a number whose item has none: the Triple-S package declares it so.
const DEFAULT_LIMIT: f64 = 999_999.0;
/// Spreadsheets show so many digits, and `f64` holds them.
const MAX_SIGNIFICANT_DIGITS: usize = 15;

/// Words with the same meaning as a unit. The first group are counters, which change nothing.
const UNITS: [&[&str]; 10] = [
    &["个", "次", "人", "件", "台", "位", "家", "只", "回", "份", "遍", "times", "people"],
    &["元", "块", "块钱", "圆", "人民币", "元人民币", "¥", "yuan", "rmb", "cny"],
    &["岁", "周岁", "years old", "years"],
    &["分", "points", "point"],
    &["天", "日", "days", "day"],
    &["小时", "个小时", "钟头", "hours", "hour", "h"],
    &["分钟", "minutes", "minute", "min"],
    &["年", "years", "year"],
    &["月", "个月", "months", "month"],
    &["%", "percent"],
];
/// Words around a number that change nothing.
const FILLERS: [&str; 38] = [
    "我",
    "花了",
    "花",
    "付了",
    "付",
    "用了",
    "买了",
    "大概",
    "大约",
    "约",
    "差不多",
    "是",
    "有",
    "共",
    "一共",
    "总共",
    "今年",
    "今年有",
    "吧",
    "了",
    "的",
    "呢",
    "左右",
    "啊",
    "嗯",
    "钱",
    "it was",
    "i paid",
    "i spent",
    "i am",
    "i'm",
    "about",
    "around",
    "approximately",
    "roughly",
    "approx.",
    "approx",
    "it is",
];

/// The least and the most that an item takes.
pub fn bounds(range: &Range) -> (f64, f64) {
    let widest = 10f64.powi(MAX_SIGNIFICANT_DIGITS as i32) - 1.0;
    let limit = |given: Option<f64>| {
        if given.is_some_and(|given| given.abs() > DEFAULT_LIMIT) { widest } else { DEFAULT_LIMIT }
    };
    (
        range.min.unwrap_or_else(|| -limit(range.max.filter(|max| *max < 0.0))),
        range.max.unwrap_or_else(|| limit(range.min.filter(|min| *min > 0.0))),
    )
}

/// Reads the answer to a number item.
pub fn read_number(
    item: &Item,
    range: &Range,
    raw: &str,
    context: ReadingContext,
) -> Result<f64, AnswerProblem> {
    let units = accepted_units(item, range.unit.as_ref());
    let number = read(raw, &units, range.decimals, context.language)?;
    let significant = number.digits.unsigned_abs().to_string().len();
    let value = number.value().filter(|_| number.scale <= range.decimals);
    let value = value.ok_or(AnswerProblem::OutOfRange)?;
    let (least, most) = bounds(range);
    if significant > MAX_SIGNIFICANT_DIGITS || value < least || value > most {
        return Err(AnswerProblem::BeyondLimits);
    }
    // No «-0».
    Ok(value + 0.0)
}

/// Reads a whole number without limits, as on a scale.
pub fn read_whole(raw: &str, language: Language) -> Option<i64> {
    let units: Vec<String> = [UNITS[0], UNITS[3]].concat().into_iter().map(str::to_owned).collect();
    let number: Decimal = read(raw, &units, 0, language).ok().filter(|n| n.scale == 0)?;
    i64::try_from(number.digits).ok()
}

/// Returns the words that may stand beside the number, longest first.
fn accepted_units(
    item: &Item,
    unit: Option<&crate::domain::language::LocalizedText>,
) -> Vec<String> {
    let asked = item.text.iter().map(|(_, text)| folded(text)).collect::<Vec<_>>();
    let own: Vec<String> =
        unit.map(|unit| unit.iter().map(|(_, text)| folded(text)).collect()).unwrap_or_default();
    let is_accepted = |group: &&[&str]| {
        if own.is_empty() {
            let is_harmless = group.contains(&"个") || group.contains(&"元");
            is_harmless
                || group.contains(&"岁")
                || group
                    .iter()
                    .any(|word| !word.is_ascii() && asked.iter().any(|text| text.contains(word)))
        } else {
            group.iter().any(|word| own.iter().any(|own| own == word))
        }
    };
    let groups = UNITS.into_iter().filter(|group| is_accepted(group));
    let mut units: Vec<String> =
        groups.flatten().map(|unit| (*unit).to_owned()).chain(own.clone()).collect();
    units.sort_by_key(|unit| std::cmp::Reverse(unit.len()));
    units
}

fn read(
    raw: &str,
    units: &[String],
    decimals: u32,
    language: Language,
) -> Result<Decimal, AnswerProblem> {
    // Superscripts, fractions and circled digits would become plain digits.
    let is_misleading = |c: char| "²³¹⁰⁴⁵⁶⁷⁸⁹¼½¾⅓⅔".contains(c) || ('①'..='⓿').contains(&c);
    if raw.contains(is_misleading) {
        return Err(AnswerProblem::OutOfRange);
    }
    let text: String = folded(raw)
        .chars()
        .map(|c| match c {
            '\u{2212}' | '\u{2013}' | '\u{2010}' | '\u{2011}' => '-',
            '’' | '‘' => '\'',
            '。' => '.',
            c => c,
        })
        .collect();
    let text = text.trim_end_matches(['.', '!', ',', ';', ' ', '~']).trim();
    let mut body = strip_words(text, &FILLERS.map(str::to_owned), true);
    body = strip_words(body, units, false);
    let (is_negative, rest) = strip_sign(body);
    if is_negative.is_some() {
        body = rest;
    }
    let (half, whole) = match strip_words(body, units, false).strip_suffix('半') {
        Some("") => (true, ""),
        // «两个半小时»
        Some(rest) => (true, rest.trim_end_matches([' ', '个'])),
        None => (false, body),
    };
    let body = strip_words(whole, units, false);
    // «-¥3» and «¥-3» are the same.
    let (inner, body) = if is_negative.is_none() { strip_sign(body) } else { (None, body) };
    let number = match body {
        "" if half => Decimal::whole(0),
        _ => magnitude(body, decimals, language).ok_or(AnswerProblem::OutOfRange)?,
    };
    let number =
        if half && number.scale == 0 && !body.ends_with(|c| factor(c).is_some_and(|f| f > 10)) {
            number.plus(Decimal { digits: 5, scale: 1 }).ok_or(AnswerProblem::OutOfRange)?
        } else if half {
            return Err(AnswerProblem::OutOfRange);
        } else {
            number
        };
    let sign = if is_negative.or(inner) == Some(true) { -1 } else { 1 };
    number.times(sign).ok_or(AnswerProblem::OutOfRange)
}

/// Returns whether the number is negative, and what follows; `None` without a sign.
fn strip_sign(text: &str) -> (Option<bool>, &str) {
    for (sign, is_negative) in
        [("-", true), ("负", true), ("零下", true), ("minus ", true), ("+", false)]
    {
        if let Some(rest) = text.strip_prefix(sign)
            && !rest.starts_with(' ')
        {
            return (Some(is_negative), rest);
        }
    }
    (None, text)
}

/// Strips these words from both ends, fillers as often as they come, units once on each side.
fn strip_words<'t>(text: &'t str, words: &[String], is_repeated: bool) -> &'t str {
    let is_apart = |word: &str, next: Option<char>| {
        !word.ends_with(|c: char| c.is_ascii_alphabetic())
            || next.is_none_or(|c| !c.is_ascii_alphabetic())
    };
    let mut text = text;
    loop {
        let before = text;
        if let Some(rest) = words.iter().filter(|word| !word.is_empty()).find_map(|word| {
            text.strip_prefix(word.as_str()).filter(|rest| is_apart(word, rest.chars().next()))
        }) {
            text = rest.trim_start();
        }
        if let Some(rest) = words
            .iter()
            .filter(|word| !word.is_empty())
            .find_map(|word| text.strip_suffix(word.as_str()))
        {
            text = rest.trim_end();
        }
        if !is_repeated || text == before {
            return text;
        }
    }
}

/// Reads a number without sign and unit.
fn magnitude(text: &str, decimals: u32, language: Language) -> Option<Decimal> {
    if let Some(number) = chinese(text).or_else(|| english(text)) {
        return Some(number);
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || ",.' ".contains(c)));
    let Some(end) = end else { return marked(text, Some(decimals)) };
    let (head, tail) = text.split_at(end);
    // Before a factor, a point is always a decimal mark.
    let head = marked(head.trim_end(), None)?;
    match tail {
        "k" => return head.times(1_000),
        "w" if language == Language::ZH => return head.times(10_000),
        _ => {}
    }
    let mut product = head;
    let mut rest = tail;
    while let Some(next) = rest.chars().next().and_then(factor) {
        product = product.times(next)?;
        rest = &rest[rest.chars().next()?.len_utf8()..];
    }
    let applied = tail.len() - rest.len();
    let last = tail[..applied].chars().last().and_then(factor)?;
    match rest.chars().collect::<Vec<char>>()[..] {
        [] => Some(product),
        // «3万5» leaves out the 千.
        [one] if head.scale == 0 && (one.is_ascii_digit() || digit(one).is_some()) => {
            let one = one.to_digit(10).map(i128::from).or_else(|| digit(one)).filter(|n| *n > 0)?;
            product.plus(Decimal::whole(one * last / 10))
        }
        // «1万2千», «3万零500», «1万2345».
        _ if head.scale == 0 => {
            let lower = rest.strip_prefix(['零', '〇']);
            let is_whole = lower.is_some()
                || rest.chars().any(|c| factor(c).is_some())
                || (rest.len() == 4 && last == 10_000);
            let lower = magnitude(lower.unwrap_or(rest), 0, language)?;
            (is_whole && lower.scale == 0 && lower.digits < last)
                .then(|| product.plus(lower))
                .flatten()
        }
        _ => None,
    }
}

/// Reads digits with marks. `decimals`: how many the item takes; `None` if the point is certain.
fn marked(text: &str, decimals: Option<u32>) -> Option<Decimal> {
    let marks: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let ends_in_digit = text.ends_with(|c: char| c.is_ascii_digit());
    if !ends_in_digit || text.starts_with([',', '\'', ' ']) {
        return None;
    }
    let mut kinds = marks.clone();
    kinds.dedup();
    match kinds[..] {
        [] => Decimal::parse(text),
        ['.'] | [','] if marks.len() == 1 => {
            let (whole, rest) = text.split_once(marks[0])?;
            let looks_grouped =
                rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
            if marks[0] == ',' && looks_grouped {
                return grouped(text, ',');
            }
            let is_ambiguous = match marks[0] {
                ',' => rest.len() == 4 && !whole.starts_with('0'),
                _ => looks_grouped && decimals.is_some_and(|decimals| decimals < 3),
            };
            (!is_ambiguous).then(|| Decimal::parse(&format!("{whole}.{rest}"))).flatten()
        }
        ['\'' | ' ' | ',' | '.'] => grouped(text, marks[0]),
        [group, mark] if group != mark && "., '".contains(group) && ",.".contains(mark) => {
            let (whole, rest) = text.rsplit_once(mark)?;
            if whole.contains(mark) {
                return None;
            }
            let whole = grouped(whole, group)?;
            Decimal::parse(&format!("{}.{rest}", whole.digits))
        }
        _ => None,
    }
}

/// Reads thousands in groups of three, or of two before the last three (lakhs).
fn grouped(text: &str, mark: char) -> Option<Decimal> {
    let groups: Vec<&str> = text.split(mark).collect();
    let (first, others) = groups.split_first()?;
    let (last, middle) = others.split_last()?;
    let is_of = |length: usize| middle.iter().all(|group| group.len() == length);
    let is_grouped = last.len() == 3
        && (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && (is_of(3) || (mark == ',' && first.len() < 3 && is_of(2)));
    is_grouped.then(|| Decimal::parse(&groups.concat())).flatten()
}
