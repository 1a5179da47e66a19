//! The numbers of a list in one cell: «1、», «（2）», «3.», «一、», «（二）», «③», «a)», in lines or one behind
//! the other.
//!
//! The first number begins the list, and each next one is the next in order: «2.5匹», «1.8L», «3.0版»
//! and «1、2、3栋» are no numbers of a list.

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// «1、», «1.», «1)».
    Digits,
    /// «（1）».
    DigitsInBrackets,
    /// «一、».
    Chinese,
    /// «（一）».
    ChineseInBrackets,
    /// «①», «⑴», «❶».
    Circled,
    /// «a)».
    Letters,
}

/// A number of a list at the beginning of a text.
struct Number {
    style: Style,
    value: u32,
    /// Of its signs and the blanks behind them, in bytes.
    length: usize,
    /// «2.» with a digit right behind it, which may be a decimal.
    is_before_digit: bool,
}

/// Whether a cell begins with a number of a list, and the rest is no part of that number.
pub fn begins(cell: &str) -> bool {
    number_at(cell).is_some_and(|number| {
        let rest = &cell[number.length..];
        let goes_on =
            number.style == Style::Digits && rest.starts_with(|c: char| c.is_ascii_digit());
        !(number.is_before_digit || goes_on)
    })
}

/// What follows the number of a list that a text begins with.
pub fn after_number(text: &str) -> Option<&str> {
    begins(text).then(|| number_at(text).map(|number| &text[number.length..]))?
}

/// Splits a cell at the numbers of its list; `None`: it has none.
pub fn parts(cell: &str) -> Option<Vec<String>> {
    let first = (0..cell.len()).filter(|at| cell.is_char_boundary(*at)).find_map(|at| {
        let number = number_at(&cell[at..]).filter(|number| number.value == 1)?;
        // Only signs that are nothing else may stand behind other words.
        let is_sure = number.style == Style::Circled || cell[..at].trim().ends_with(['：', ':']);
        (cell[..at].trim().is_empty() || is_sure).then_some((at, number))
    });
    let (at, first) = first?;
    // «产品：①锁 ②灯»: the words before a list are its heading, or its first part.
    let heading = cell[..at].trim();
    let is_heading = heading.is_empty() || heading.ends_with(['：', ':']);
    let mut cuts = vec![(if is_heading { at } else { 0 }, at + first.length)];
    if !is_heading {
        cuts[0].1 = 0;
        cuts.push((at, at + first.length));
    }
    let mut from = at + first.length;
    let mut expected = 2;
    let is_closed_only = is_balanced(cell);
    while let Some((at, length)) = next(cell, from, first.style, expected, is_closed_only) {
        cuts.push((at, at + length));
        from = at + length;
        expected += 1;
    }
    // «2.5匹空调» and «三、四期» alone are no list.
    let is_alone = cuts.len() == 1;
    let rest = &cell[from..];
    let may_be_word = first.is_before_digit
        || first.style == Style::Chinese && rest.starts_with(|c| chinese_digit(c).is_some());
    if is_alone && may_be_word {
        return None;
    }
    let ends = cuts.iter().skip(1).map(|(at, _)| *at).chain([cell.len()]);
    Some(cuts.iter().zip(ends).map(|((_, begin), end)| cell[*begin..end].to_owned()).collect())
}

/// The next number of a list: where it begins, and its length.
fn next(
    cell: &str,
    from: usize,
    style: Style,
    expected: u32,
    is_closed_only: bool,
) -> Option<(usize, usize)> {
    let mut depth = 0u32;
    for (offset, c) in cell[from..].char_indices() {
        let at = from + offset;
        if depth == 0 || !is_closed_only {
            let found = number_at(&cell[at..])
                .filter(|number| number.value == expected && is_like(style, number.style))
                .filter(|number| is_number_here(cell, at, number));
            if let Some(number) = found {
                return Some((at, number.length));
            }
        }
        match c {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn is_balanced(cell: &str) -> bool {
    cell.matches(['(', '（']).count() == cell.matches([')', '）']).count()
}

/// Whether two numbers may belong to one list.
fn is_like(one: Style, other: Style) -> bool {
    let is_digits = |style| matches!(style, Style::Digits | Style::DigitsInBrackets);
    one == other || is_digits(one) && is_digits(other)
}

/// Whether a number stands where one of a list may stand, and is no part of a word or of «1、2、3栋».
fn is_number_here(cell: &str, at: usize, number: &Number) -> bool {
    let before = cell[..at].chars().next_back();
    let begins_line = cell[..at]
        .trim_end_matches([' ', '\u{3000}', '\t'])
        .chars()
        .next_back()
        .is_none_or(|c| matches!(c, '\n' | ';' | '；' | '。'));
    if begins_line {
        return true;
    }
    let rest = &cell[at + number.length..];
    match number.style {
        Style::Circled | Style::DigitsInBrackets | Style::ChineseInBrackets => true,
        Style::Digits => {
            // «A2、», «1、2、3栋», «3-2.», «第2、».
            let is_of_word = before.is_some_and(|c| {
                c.is_ascii_alphanumeric() || "、，,.．-—–~～至到和及与第#/·×“\"'".contains(c)
            });
            !is_of_word && !goes_on(rest)
        }
        Style::Chinese => {
            let is_of_word =
                before.is_some_and(|c| chinese_digit(c).is_some() || "、，,第至和及与".contains(c));
            !is_of_word && !rest.starts_with(|c| chinese_digit(c).is_some())
        }
        // «型号 a) …» is a list in a part.
        Style::Letters => before.is_none_or(char::is_whitespace),
    }
}

/// Whether what stands behind «2、» makes it a part of «2、3栋».
fn goes_on(rest: &str) -> bool {
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let units = [
        "#", "＃", "栋", "幢", "座", "号", "期", "、", "，", ",", "至", "-", "~", "～", "和", "及",
    ];
    behind.len() < rest.len() && units.iter().any(|unit| behind.starts_with(unit))
}

fn chinese_digit(c: char) -> Option<u32> {
    let place = "一二三四五六七八九十".chars().position(|digit| digit == c)?;
    Some(place as u32 + 1)
}

/// The value of «三», «十二», «二十».
fn chinese_value(word: &str) -> Option<u32> {
    let digits: Vec<u32> = word.chars().map(chinese_digit).collect::<Option<_>>()?;
    match digits.as_slice() {
        [digit] => Some(*digit),
        [10, digit] if *digit < 10 => Some(10 + digit),
        [digit, 10] if *digit < 10 => Some(digit * 10),
        [tens, 10, digit] if *tens < 10 && *digit < 10 => Some(tens * 10 + digit),
        _ => None,
    }
}

/// Reads a number of a list at the beginning of a text.
fn number_at(text: &str) -> Option<Number> {
    let first = text.chars().next()?;
    if let Some(value) = circled(first) {
        let rest = text[first.len_utf8()..].trim_start_matches(['、', '.', '．']).trim_start();
        let length = text.len() - rest.len();
        return Some(Number { style: Style::Circled, value, length, is_before_digit: false });
    }
    let inner = text.strip_prefix(['(', '（']);
    let body = inner.unwrap_or(text);
    let is_bracketed = inner.is_some();
    let digits = body.len() - body.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let word: String = body.chars().take_while(|c| chinese_digit(*c).is_some()).collect();
    let (style, value, width) = if (1..=2).contains(&digits) {
        let style = if is_bracketed { Style::DigitsInBrackets } else { Style::Digits };
        (style, body[..digits].parse().ok()?, digits)
    } else if !word.is_empty() && word.chars().count() <= 3 {
        let style = if is_bracketed { Style::ChineseInBrackets } else { Style::Chinese };
        (style, chinese_value(&word)?, word.len())
    } else if body.starts_with(|c: char| c.is_ascii_lowercase()) {
        (Style::Letters, u32::from(body.bytes().next()? - b'a') + 1, 1)
    } else {
        return None;
    };
    let rest = body[width..].trim_start_matches([' ', '\u{3000}']);
    let signs: &[char] = match (style, is_bracketed) {
        (_, true) => &[')', '）'],
        (Style::Letters, false) => &[')', '）'],
        (Style::Chinese, false) => &['、', '.', '．'],
        _ => &['、', '.', '．', ')', '）'],
    };
    let sign = rest.chars().next().filter(|c| signs.contains(c))?;
    let behind = &rest[sign.len_utf8()..];
    let is_before_digit =
        matches!(sign, '.' | '．') && behind.starts_with(|c: char| c.is_ascii_digit());
    if is_before_digit {
        // «1.2.5匹» is the number 1 and «2.5匹»; «2.5匹» is a decimal.
        let digits = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_decimal_behind = digits
            .strip_prefix(['.', '．'])
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !is_decimal_behind {
            return None;
        }
    }
    // «（1）、甲».
    let behind = if is_bracketed { behind.trim_start_matches(['、', '.', '．']) } else { behind };
    let behind = behind.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
    Some(Number { style, value, length: text.len() - behind.len(), is_before_digit })
}

/// The value of «①», «⑴», «⒈», «❶».
fn circled(c: char) -> Option<u32> {
    let begins = ['①', '⑴', '⒈', '❶', '⓵', '㈠', '㊀'];
    begins.iter().find_map(|first| {
        let many = if matches!(first, '①' | '⑴' | '⒈') { 20 } else { 10 };
        let value = u32::from(c).checked_sub(u32::from(*first))?;
        (value < many).then_some(value + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CoreNLP#671: lists within a line. pocket-tts#217: a decimal is no end.
    #[test]
    fn the_numbers_of_a_list_are_found_in_a_line_and_decimals_are_none() {
        for (cell, expected) in [
            ("1.蓝湾2.绿洲", "蓝湾|绿洲"),
            ("① 蓝湾锁 ② 绿洲灯", "蓝湾锁 |绿洲灯"),
            (
                "①海风苑3栋（大道88号）；②海风苑5栋（大道90号）\n③中学",
                "海风苑3栋（大道88号）；|海风苑5栋（大道90号）\n|中学",
            ),
            (
                "1、2.5匹空调（KFR-35GW/A1）2、1.8L电饭煲 型号CFXB40",
                "2.5匹空调（KFR-35GW/A1）|1.8L电饭煲 型号CFXB40",
            ),
            ("1.2.5匹空调2.1.8L电饭煲", "2.5匹空调|1.8L电饭煲"),
            ("1、软件3.0版；2、软件2.0版", "软件3.0版；|软件2.0版"),
            ("1、7×24小时客服 2、“1、2、3”服务法", "7×24小时客服 |“1、2、3”服务法"),
            ("1、一期1#、2#楼，海滨路1号；2、二期A座", "一期1#、2#楼，海滨路1号；|二期A座"),
            ("1、海风苑1、2、3栋 2、山景苑", "海风苑1、2、3栋 |山景苑"),
            ("1、海风苑\n2、3号楼", "海风苑\n|3号楼"),
            ("(1)蓝湾(2)绿洲", "蓝湾|绿洲"),
            ("1)蓝湾2)绿洲", "蓝湾|绿洲"),
            ("一、蓝湾锁 二、绿洲灯", "蓝湾锁 |绿洲灯"),
            ("⑴锁⑵灯", "锁|灯"),
            ("1、热水器（1、红；2、蓝）2、灯", "热水器（1、红；2、蓝）|灯"),
            ("产品：①锁②灯", "锁|灯"),
            ("1、A2、B3", "A2、B3"),
        ] {
            assert_eq!(parts(cell).unwrap_or_default().join("|"), expected, "{cell}");
        }
        for cell in [
            "1.8L电饭煲 2.5匹空调",
            "2.5匹空调",
            "1.8L电饭煲",
            "3.0版软件",
            "一、二期",
            "三、四期",
            "1号楼",
            "12345",
            "",
        ] {
            assert_eq!(parts(cell), None, "{cell}");
        }
    }
}
