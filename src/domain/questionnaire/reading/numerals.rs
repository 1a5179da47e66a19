//! Numbers in words: Chinese numerals, and English ones up to ninety-nine.

/// A decimal number without rounding: `digits` × 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub digits: i128,
    pub scale: u32,
}

/// Longer numbers are beyond every format, and must not overflow.
const MAX_DIGITS: usize = 24;

impl Decimal {
    pub fn whole(digits: i128) -> Decimal {
        Decimal { digits, scale: 0 }
    }

    /// Parses digits with at most one «.».
    pub fn parse(plain: &str) -> Option<Decimal> {
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = format!("{whole}{decimals}");
        if digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = Decimal { digits: digits.parse().ok()?, scale: decimals.len() as u32 };
        Some(number.normalized())
    }

    fn normalized(mut self) -> Decimal {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }

    pub fn times(self, factor: i128) -> Option<Decimal> {
        Some(Decimal { digits: self.digits.checked_mul(factor)?, ..self }.normalized())
    }

    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let at = |n: Decimal| n.digits.checked_mul(10i128.checked_pow(scale - n.scale)?);
        Some(Decimal { digits: at(self)?.checked_add(at(other)?)?, scale }.normalized())
    }

    pub fn value(self) -> Option<f64> {
        let (sign, digits) = if self.digits < 0 { ("-", -self.digits) } else { ("", self.digits) };
        format!("{sign}{digits}e-{}", self.scale).parse().ok()
    }
}

pub(super) fn digit(c: char) -> Option<i128> {
    Some(match c {
        '零' | '〇' | '○' => 0,
        '一' | '壹' => 1,
        '二' | '两' | '兩' | '贰' | '貳' => 2,
        '三' | '叁' | '參' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' | '陸' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

/// The factor of 十 to 亿.
pub(super) fn factor(c: char) -> Option<i128> {
    Some(match c {
        '十' | '拾' => 10,
        '百' | '佰' => 100,
        '千' | '仟' => 1_000,
        '万' | '萬' => 10_000,
        '亿' | '億' => 100_000_000,
        _ => return None,
    })
}

/// Reads a whole number written in Chinese numerals or in an English word.
pub fn read_numeral(text: &str) -> Option<i64> {
    let whole = chinese(text).or_else(|| english(text)).filter(|number| number.scale == 0)?;
    i64::try_from(whole.digits).ok()
}

/// Reads Chinese numerals: 十二, 一百零二, 一千二 (1200), 两万五 (25000), 三点五, 二〇二六. «三五» and
/// «七八» may be «three to five»: they are not read.
pub(super) fn chinese(text: &str) -> Option<Decimal> {
    if let Some((whole, decimals)) = text.split_once('点') {
        let decimals: Vec<i128> = decimals.chars().map(digit).collect::<Option<_>>()?;
        if decimals.is_empty() || decimals.len() > 6 {
            return None;
        }
        let fraction = Decimal {
            digits: decimals.iter().fold(0, |sum, digit| sum * 10 + digit),
            scale: decimals.len() as u32,
        };
        return chinese(whole)?.plus(fraction);
    }
    let figures: Option<Vec<i128>> = text.chars().map(digit).collect();
    if let Some(figures) = figures {
        let is_positional = match figures.len() {
            0 => false,
            1 => true,
            2 => text.contains(['〇', '零', '○']) && figures[0] != 0,
            n => n <= 12,
        };
        return is_positional
            .then(|| Decimal::whole(figures.iter().fold(0, |sum, digit| sum * 10 + digit)));
    }
    for (factor, names) in [(100_000_000, ['亿', '億']), (10_000, ['万', '萬'])] {
        if let Some((upper, lower)) = text.rsplit_once(names) {
            let upper = chinese(upper)?.times(factor)?;
            return match lower.chars().collect::<Vec<char>>()[..] {
                [] => Some(upper),
                // «两万五» leaves out the 千.
                [one] if digit(one).is_some_and(|n| n > 0) => {
                    upper.plus(Decimal::whole(digit(one)? * factor / 10))
                }
                _ => upper.plus(lower_part(lower, factor)?),
            };
        }
    }
    section(text).map(Decimal::whole)
}

/// What follows 万 or 亿.
fn lower_part(text: &str, below: i128) -> Option<Decimal> {
    let lower = match text.strip_prefix(['零', '〇']) {
        Some(rest) => chinese(rest)?,
        None => chinese(text)?,
    };
    (lower.scale == 0 && lower.digits < below).then_some(lower)
}

/// Reads up to 9999: units descend, and a digit stands before each (十 may stand alone).
fn section(text: &str) -> Option<i128> {
    let (mut sum, mut pending, mut last_unit, mut has_zero) = (0, None, 10_000, false);
    for (at, c) in text.chars().enumerate() {
        if let Some(unit) = factor(c) {
            let count = match pending.take() {
                Some(count) => count,
                None if unit == 10 && at == 0 => 1,
                None => return None,
            };
            if unit >= last_unit {
                return None;
            }
            (sum, last_unit, has_zero) = (sum + count * unit, unit, false);
        } else {
            match (digit(c)?, pending) {
                (0, None) if at > 0 && !has_zero => has_zero = true,
                (1.., None) => pending = digit(c),
                _ => return None,
            }
        }
    }
    match pending {
        // «一千二» is 1200, «一千零二» 1002.
        Some(ones) if last_unit > 10 && !has_zero && last_unit < 10_000 => {
            Some(sum + ones * last_unit / 10)
        }
        Some(ones) => Some(sum + ones),
        None if has_zero => None,
        None => Some(sum),
    }
}

/// Reads `seven`, `twelve`, `twenty-five`.
pub(super) fn english(text: &str) -> Option<Decimal> {
    const ONES: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] =
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let index = |words: &[&str], word: &str| words.iter().position(|known| *known == word);
    let words: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).collect();
    let number = match words[..] {
        [word] => index(&ONES, word).or_else(|| index(&TENS, word).map(|n| n * 10 + 20))?,
        [tens, ones] => {
            let ones = index(&ONES, ones).filter(|n| (1..=9).contains(n))?;
            index(&TENS, tens)? * 10 + 20 + ones
        }
        _ => return None,
    };
    Some(Decimal::whole(number as i128))
}
