//! Reads a day.
//!
//! - Year first (`2026-05-05`, `2026.5.5`, `20260513`, `2026年5月5日`) is year, month, day.
//! - Without year or with the year last, 月 and names of months tell the order, and so does a
//!   number above twelve; equal numbers need none. Otherwise a Chinese interview has the month
//!   first, and an English one asks again (`3/4`).
//! - Years of two digits need 年 (`26年5月5日`).
//! - 今天, 昨天, 前天, 大前天, 明天, 后天 and today, yesterday, tomorrow are reckoned from the
//!   respondent's day. Weekdays are not read: «last Friday» is one of two days.
//! - A day without year is the nearest one that the item takes if the item has a last day;
//!   otherwise the last one that is not in the future and that the item takes, else the next one.

use chrono::{Datelike, Days, NaiveDate};

use super::super::AnswerProblem;
use super::numerals::chinese;
use super::{ReadingContext, folded};
use crate::domain::language::Language;

/// 29 February comes after eight years at most.
const YEARS_AROUND: i32 = 8;

/// What a text says of a day.
enum Named {
    Day(NaiveDate),
    MonthAndDay(u32, u32),
}

/// Reads the answer to a date item with these limits.
pub fn read_date(
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
    raw: &str,
    context: ReadingContext,
) -> Result<NaiveDate, AnswerProblem> {
    let text = folded(raw);
    let text = text.trim_matches(|c: char| c.is_whitespace() || ".,!。;是".contains(c));
    let takes = |day: &NaiveDate| {
        first.is_none_or(|first| *day >= first) && last.is_none_or(|last| *day <= last)
    };
    let day = match relative(text, context.today).map(Named::Day).or_else(|| named(text, context)) {
        Some(Named::Day(day)) => day,
        Some(Named::MonthAndDay(month, day)) => {
            without_year((month, day), last.is_some(), takes, context.today)
                .ok_or(AnswerProblem::OutOfRange)?
        }
        None => return Err(AnswerProblem::OutOfRange),
    };
    if takes(&day) { Ok(day) } else { Err(AnswerProblem::BeyondLimits) }
}

fn relative(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    match text {
        "今天" | "今日" | "当天" | "today" => Some(today),
        "昨天" | "昨日" | "yesterday" => today.checked_sub_days(Days::new(1)),
        "前天" | "the day before yesterday" | "day before yesterday" => {
            today.checked_sub_days(Days::new(2))
        }
        "大前天" => today.checked_sub_days(Days::new(3)),
        "明天" | "tomorrow" => today.checked_add_days(Days::new(1)),
        "后天" => today.checked_add_days(Days::new(2)),
        _ => None,
    }
}

/// Chooses the year of a day, as the head of the file says. `None`: there is no such day.
fn without_year(
    (month, day): (u32, u32),
    has_last: bool,
    takes: impl Fn(&NaiveDate) -> bool,
    today: NaiveDate,
) -> Option<NaiveDate> {
    let days = (-YEARS_AROUND..=YEARS_AROUND)
        .filter_map(|years| NaiveDate::from_ymd_opt(today.year() + years, month, day));
    let days: Vec<NaiveDate> = days.collect();
    let taken: Vec<NaiveDate> = days.iter().copied().filter(&takes).collect();
    let past = |days: &[NaiveDate]| days.iter().copied().rfind(|day| *day <= today);
    if has_last {
        let nearest = taken.iter().copied().min_by_key(|day| (*day - today).num_days().abs());
        return nearest.or_else(|| past(&days));
    }
    past(&taken).or(taken.first().copied()).or_else(|| past(&days))
}

fn named(text: &str, context: ReadingContext) -> Option<Named> {
    const YEARS: [(&str, i32); 4] = [("今年", 0), ("去年", -1), ("前年", -2), ("明年", 1)];
    for (word, years) in YEARS {
        if let Some(rest) = text.strip_prefix(word) {
            let Named::MonthAndDay(month, day) = named(rest.trim_start(), context)? else {
                return None;
            };
            let day = NaiveDate::from_ymd_opt(context.today.year() + years, month, day)?;
            return Some(Named::Day(day));
        }
    }
    if text.contains(['年', '月']) {
        return with_chinese_marks(text, context.today.year());
    }
    if text.contains(|c: char| c.is_ascii_alphabetic()) {
        return with_month_name(text);
    }
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        let (year, rest) = text.split_at(4);
        let (month, day) = rest.split_at(2);
        return full_day(year, month, day);
    }
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let is_usual = separators.first().is_some_and(|first| {
        "-./, ".contains(*first) && separators.iter().all(|other| other == first)
    });
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    if !is_usual || parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts[..] {
        [year, month, day] if year.len() == 4 => full_day(year, month, day),
        [a, b, year] if year.len() == 4 => {
            let (month, day) = month_and_day(a, b, context.language)?;
            Some(Named::Day(NaiveDate::from_ymd_opt(year.parse().ok()?, month, day)?))
        }
        [a, b] => {
            let (month, day) = month_and_day(a, b, context.language)?;
            Some(Named::MonthAndDay(month, day))
        }
        _ => None,
    }
}

fn full_day(year: &str, month: &str, day: &str) -> Option<Named> {
    if month.len() > 2 || day.len() > 2 {
        return None;
    }
    let year = year.parse().ok().filter(|year| (1000..=9999).contains(year))?;
    NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?).map(Named::Day)
}

/// Decides which of two numbers is the month; `None` if either may be.
fn month_and_day(a: &str, b: &str, language: Language) -> Option<(u32, u32)> {
    if a.len() > 2 || b.len() > 2 {
        return None;
    }
    let (a, b): (u32, u32) = (a.parse().ok()?, b.parse().ok()?);
    match (a > 12, b > 12) {
        (true, true) => None,
        (false, true) => Some((a, b)),
        (true, false) => Some((b, a)),
        (false, false) if a == b || language.is_chinese() => Some((a, b)),
        (false, false) => None,
    }
}

/// Reads `2026年5月5日`, `26年5月5号`, `五月五日`.
fn with_chinese_marks(text: &str, this_year: i32) -> Option<Named> {
    let number = |part: &str| -> Option<u32> {
        let part = part.trim();
        let is_plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if is_plain {
            return part.parse().ok();
        }
        let number = chinese(part).filter(|number| number.scale == 0)?;
        number.digits.try_into().ok()
    };
    let (year, rest) = match text.split_once('年') {
        Some((year, rest)) => (Some(year), rest),
        None => (None, text),
    };
    let (month, day) = rest.split_once('月')?;
    let day = day.trim().trim_end_matches(['日', '号', '號']);
    let (month, day) = (number(month)?, number(day)?);
    let Some(year) = year else { return Some(Named::MonthAndDay(month, day)) };
    let year = match (year.trim().chars().count(), number(year)?) {
        (4, year @ 1000..=9999) => year as i32,
        // The century in which the year is not in the future.
        (2, short @ 0..=99) => {
            let year = this_year - this_year % 100 + short as i32;
            if year > this_year + 1 { year - 100 } else { year }
        }
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month, day).map(Named::Day)
}

/// Reads `5 May 2026`, `May 5, 2026`, `5th of May`.
fn with_month_name(text: &str) -> Option<Named> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const LONG: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let (mut month, mut numbers) = (None, Vec::new());
    let words = text
        .split(|c: char| c.is_whitespace() || ",.-/".contains(c))
        .filter(|word| !word.is_empty() && !["of", "the", "on"].contains(word));
    for word in words {
        let place = |names: &[&str; 12]| names.iter().position(|name| *name == word);
        let named = place(&MONTHS).or_else(|| place(&LONG)).or((word == "sept").then_some(8));
        if let Some(place) = named {
            month.replace(place as u32 + 1).is_none().then_some(())?;
        } else {
            let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end));
            let figures = ordinal.unwrap_or(word);
            numbers.push((figures.len(), figures.parse::<u32>().ok()?));
        }
    }
    match (month?, &numbers[..]) {
        (month, [(1..=2, day)]) => Some(Named::MonthAndDay(month, *day)),
        (month, [(1..=2, day), (4, year)] | [(4, year), (1..=2, day)]) => {
            NaiveDate::from_ymd_opt(*year as i32, month, *day).map(Named::Day)
        }
        _ => None,
    }
}
