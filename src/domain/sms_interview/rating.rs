//! Reads a rating in a reply: `8`, «8分», «给八分吧», `I'd say 8`, «8分，服务很好».
//!
//! A number that only occurs in a sentence is no rating: «一般» and «一点也不好» contain a one,
//! «十分满意» a ten, «用了3年» a three. A rating stands in a clause of its own, with nothing but small
//! words around it, or begins its clause as a figure with 分. Two ratings are no rating.

use crate::domain::questionnaire::{Answer, Item, ReadingContext, Scale, folded};

/// Small words before a rating, longest first.
const BEFORE: [&str; 40] = [
    "总体来说",
    "我的评分是",
    "我觉得是",
    "我想应该是",
    "我选择",
    "我觉得",
    "我认为",
    "差不多",
    "我评",
    "我给",
    "我打",
    "我选",
    "应该",
    "大概",
    "大约",
    "评分",
    "打分",
    "选择",
    "给个",
    "打个",
    "那就",
    "给",
    "打",
    "评",
    "选",
    "是",
    "就",
    "那",
    "嗯",
    "得",
    "约",
    "我",
    "i'd",
    "i",
    "say",
    "give",
    "rate",
    "it",
    "a",
    "is",
];
/// Small words after a rating, longest first.
const AFTER: [&str; 22] = [
    "颗星", "分吧", "谢谢", "points", "stars", "please", "thanks", "point", "star", "out of", "分",
    "星", "级", "吧", "了", "啊", "呀", "哦", "的", "呢", "哈", "点吧",
];
/// What follows a figure that is no rating («3分钟», «8分半»).
const OTHER_MEANING: &str = "钟之期店析开数半多享类";
/// What follows a figure that counts something else.
const COUNTED: [&str; 24] = [
    "年", "月", "日", "天", "号", "个", "次", "元", "块", "钱", "岁", "台", "件", "小时", "点钟",
    "周", "人", "楼", "公里", "years", "months", "days", "times", "weeks",
];

/// Returns the point of the scale that a reply names.
pub(super) fn read_rating(
    item: &Item,
    scale: &Scale,
    text: &str,
    context: ReadingContext,
) -> Option<i64> {
    let point = |raw: &str| match Answer::parse(item, Some(raw), context) {
        Ok(Some(Answer::Point(point))) => Some(point),
        _ => None,
    };
    let folded = folded(text);
    let (mut ratings, mut has_rating): (Vec<i64>, bool) = (Vec::new(), false);
    for clause in clauses(&folded) {
        let bare = without_base(&clause, scale);
        let bare = stripped(bare);
        let rating = match bare {
            "满分" | "满" if clause.contains("满分") => Some(scale.to),
            // A number that is no point («7.5», «11») leaves the whole reply unclear.
            bare if is_number(bare) => Some(point(bare)?),
            _ => figure_at_start(&clause).and_then(point),
        };
        has_rating |= rating.is_some();
        // Marks that are compared with («比去年的6分好») are marks as well.
        let marks = figures_with_mark(&clause).map(point);
        for rating in marks.chain([rating]).flatten() {
            if !ratings.contains(&rating) {
                ratings.push(rating);
            }
        }
    }
    // None of them stood where a rating stands.
    if !has_rating {
        return None;
    }
    match ratings[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// «8/10» on a scale to ten is eight.
fn without_base<'t>(text: &'t str, scale: &Scale) -> &'t str {
    let base = scale.to.to_string();
    let end = text.trim_end();
    for joint in ["/", " out of "] {
        if let Some(rest) = end.strip_suffix(&base).and_then(|rest| rest.strip_suffix(joint)) {
            return rest.trim_end();
        }
    }
    text
}

/// Splits a reply into clauses. A figure between blanks is a clause, unless what follows is counted
/// by it.
fn clauses(folded: &str) -> Vec<String> {
    let is_end = |c: char| "，。,;；!！?？、:：~…\n\r\t()（）\"“”".contains(c);
    let mut clauses = Vec::new();
    // A point between figures is a decimal point; any other ends a sentence.
    let chars: Vec<char> = folded.chars().collect();
    let mut sentence = String::new();
    for (at, c) in chars.iter().enumerate() {
        let is_decimal = *c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit);
        if is_end(*c) || (*c == '.' && !is_decimal) {
            clauses.push(std::mem::take(&mut sentence));
        } else {
            sentence.push(*c);
        }
    }
    clauses.push(sentence);
    let split = |clause: &String| {
        let words: Vec<&str> = clause.split_whitespace().collect();
        let is_foreign = words.iter().any(|word| !is_number(stripped(word)) && word.is_ascii());
        let counts = words.windows(2).any(|pair| {
            is_number(stripped(pair[0])) && COUNTED.iter().any(|unit| pair[1].starts_with(unit))
        });
        match is_foreign || counts {
            true => vec![words.join(" ")],
            false => words.into_iter().map(str::to_owned).collect(),
        }
    };
    clauses.iter().flat_map(split).filter(|clause| !clause.is_empty()).collect()
}

/// Returns a clause without the small words around it.
fn stripped(clause: &str) -> &str {
    let mut bare = clause.trim();
    loop {
        let is_whole_word = |word: &str, rest: &str| {
            !word.is_ascii()
                || rest.is_empty()
                || !rest.starts_with(|c: char| c.is_ascii_alphabetic())
        };
        let before = BEFORE.iter().find_map(|word| {
            bare.strip_prefix(word).filter(|rest| is_whole_word(word, rest) && !rest.is_empty())
        });
        let after = AFTER.iter().find_map(|word| bare.strip_suffix(word));
        match before.or(after) {
            Some(rest) => bare = rest.trim(),
            None => return bare,
        }
    }
}

/// Whether a text is a number and nothing else.
fn is_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['-', '\u{2212}', '\u{2013}', '负', '+']);
    let is_figure = |c: char| c.is_ascii_digit() || c == '.';
    !unsigned.is_empty()
        && (unsigned.chars().all(is_figure)
            || unsigned.chars().all(|c| "零〇一二两三四五六七八九十百".contains(c)))
}

/// «8分因为快»: the figure with 分 that a clause begins with.
fn figure_at_start(clause: &str) -> Option<&str> {
    let mut bare = clause;
    while let Some(rest) = BEFORE.iter().find_map(|word| bare.strip_prefix(word)) {
        bare = rest.trim_start();
    }
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '-')?;
    let (figure, rest) = bare.split_at(end);
    let rest = rest.trim_start().strip_prefix('分')?;
    let is_rating = !rest.starts_with(|c: char| OTHER_MEANING.contains(c));
    (is_rating && is_number(figure)).then_some(figure)
}

/// The figures with 分 anywhere in a clause.
fn figures_with_mark(clause: &str) -> impl Iterator<Item = &str> {
    clause.match_indices('分').filter_map(|(at, mark)| {
        let after = &clause[at + mark.len()..];
        let before = clause[..at].trim_end();
        let is_of_figure = |c: char| c.is_ascii_digit() || "-\u{2212}\u{2013}".contains(c);
        let start = before
            .rfind(|c: char| !is_of_figure(c))
            .map_or(0, |last| last + before[last..].chars().next().map_or(0, char::len_utf8));
        let figure = &before[start..];
        let is_mark = !after.starts_with(|c: char| OTHER_MEANING.contains(c));
        (is_mark && !figure.is_empty()).then_some(figure)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::{ItemKind, Questionnaire};

    #[test]
    fn a_number_in_a_sentence_is_no_rating() {
        let file = include_str!("../../../config/questionnaires/brand.toml");
        let questionnaire = Questionnaire::parse(file).unwrap();
        let item = questionnaire.item("sat1").unwrap();
        let ItemKind::Scale(scale) = &item.kind else { unreachable!() };
        let mut wrong = Vec::new();
        let mut check = |text: &str, language, expected: Option<i64>| {
            let read = read_rating(item, scale, text, ReadingContext::sample(language));
            if read != expected {
                wrong.push(format!("«{text}»: {read:?} instead of {expected:?}"));
            }
        };
        for (text, expected) in [
            ("8", Some(8)),
            ("8分，服务很好", Some(8)),
            ("服务很好，8分", Some(8)),
            ("我给8分因为快", Some(8)),
            ("8 很好", Some(8)),
            ("8/10", Some(8)),
            ("8/10，不错", Some(8)),
            ("打个八分吧，谢谢", Some(8)),
            ("总体来说给9分", Some(9)),
            ("满分！", Some(10)),
            ("5月买的，8分", Some(8)),
            ("大概7分吧", Some(7)),
            ("8颗星", Some(8)),
            ("一般", None),
            ("一般般吧", None),
            ("一点也不好", None),
            ("一直很好", None),
            ("不一定", None),
            ("第一次用", None),
            ("十分满意", None),
            ("万一坏了呢", None),
            ("三天两头坏", None),
            ("用了3年", None),
            ("用了 3 年", None),
            ("5月买的", None),
            ("才用1个月", None),
            ("买了2台", None),
            ("3分钟就好了", None),
            ("8分半", None),
            ("不到8分", None),
            ("7到8分", None),
            ("扣2分", None),
            ("8分，比去年的6分好", None),
            ("8还是9", None),
            ("8，9", None),
            ("7.5，还行", None),
            ("100分", None),
            ("10086让我评的", None),
        ] {
            check(text, Language::ZH, expected);
        }
        for (text, expected) in [
            ("I'd say 8", Some(8)),
            ("I give it 8 points", Some(8)),
            ("8 out of 10", Some(8)),
            ("it is 3 years old", None),
            ("used it 2 times", None),
            ("8 or 9", None),
        ] {
            check(text, Language::EN, expected);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
