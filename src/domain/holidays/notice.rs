//! Reads the days out of the State Council's notice, as it is pasted from a web page or a circular.

use chrono::{Days, NaiveDate};

use super::{HolidayYear, HolidaysError};
use crate::domain::contact_window::Calendar;

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolidayNotice {
    pub year: HolidayYear,
    /// Days that it names in other years, such as the 31st of December before.
    pub in_other_years: Vec<NaiveDate>,
}

/// A pasted text is a page at most.
const MAX_LENGTH: usize = 20_000;
/// No holiday is longer.
const MAX_STRETCH: i64 = 20;

/// Reads «10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。»: in each
/// sentence the days and stretches before «上班» are worked, all others are off.
pub fn read_notice(text: &str, year: i32) -> Result<HolidayNotice, HolidaysError> {
    if !(2000..=2100).contains(&year) {
        return Err(HolidaysError::Year(year));
    }
    let mut days = Calendar::default();
    let mut in_other_years = Vec::new();
    let text: String = text.chars().take(MAX_LENGTH).map(narrow).collect();
    for sentence in without_asides(&text).split(['。', ';', '\n']) {
        let is_worked = sentence.contains("上班");
        if !is_worked && !["放假", "休", "共"].iter().any(|word| sentence.contains(word)) {
            continue;
        }
        for day in days_of(sentence, year) {
            if chrono::Datelike::year(&day) != year {
                in_other_years.push(day);
            } else if is_worked {
                days.workdays.insert(day);
            } else {
                days.holidays.insert(day);
            }
        }
    }
    if days.holidays.is_empty() && days.workdays.is_empty() {
        return Err(HolidaysError::NoDays);
    }
    Ok(HolidayNotice { year: HolidayYear { year, days }, in_other_years })
}

/// Full-width digits and signs as the narrow ones.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
        '；' => ';',
        '（' => '(',
        '）' => ')',
        '—' | '–' | '－' | '~' | '～' | '到' => '至',
        c => c,
    }
}

/// Leaves out what stands in brackets: the weekday, the day of the lunar calendar («腊月二十八»).
fn without_asides(text: &str) -> String {
    let mut depth = 0usize;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            // An aside ends with its line at the latest.
            '\n' => {
                depth = 0;
                kept.push(c);
            }
            c if depth == 0 && !c.is_whitespace() => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// A day as it is written; what is left out is that of the day before it.
#[derive(Debug, Clone, Copy, Default)]
struct WrittenDay {
    year: Option<i32>,
    month: Option<u32>,
    day: u32,
}

fn days_of(sentence: &str, year: i32) -> Vec<NaiveDate> {
    let mut found = Vec::new();
    let mut written = WrittenDay::default();
    let mut month = None;
    // The day that a «至» stands after.
    let mut from: Option<NaiveDate> = None;
    let mut is_range = false;
    let mut number = String::new();
    for c in sentence.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let value = number.parse::<u32>().ok();
        number.clear();
        match (c, value) {
            ('年', Some(value)) => written.year = i32::try_from(value).ok(),
            ('月', Some(value)) => written.month = Some(value),
            ('日' | '号', Some(value)) => {
                written.day = value;
                month = written.month.or(month);
                let of_year = written.year.unwrap_or(year);
                written = WrittenDay::default();
                let Some(day) =
                    month.and_then(|month| NaiveDate::from_ymd_opt(of_year, month, value))
                else {
                    continue;
                };
                match from.filter(|_| is_range) {
                    // «12月30日至1月1日»: the first is in the year before.
                    Some(first) if first > day => {
                        let first = first - chrono::Months::new(12);
                        found.pop();
                        found.extend(stretch(first, day));
                    }
                    Some(first) => found.extend(stretch(first, day).skip(1)),
                    None => found.push(day),
                }
                from = Some(day);
                is_range = false;
            }
            ('至' | '-', None) if from.is_some() => is_range = true,
            // «共7天»: a length, no day.
            _ => is_range = is_range && c != '、' && c != ',' && c != '，',
        }
    }
    found
}

fn stretch(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let length = (last - first).num_days().min(MAX_STRETCH);
    (0..=length).filter_map(move |at| first.checked_add_days(Days::new(at.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::holidays::announced;

    /// In the notices' own way of writing, with a page's blanks and line ends.
    const NOTICE_OF_2026: &str = "一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。\n\
        二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。\
        2月14日（周六）、2月28日（周六）上班。\n三、清明节：4月4日（周六）至6日（周一）放假，共3天。\n\
        四、劳动节：5月1日(周五)至5日(周二)放假调休，共5天。５月９日（周六）上班。\n\
        五、端午节：6月19日（周五）— 21日（周日）放假，共3天。\n六、中秋节：9月25日至27日放假，共3天。\n\
        七、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。";

    #[test]
    fn a_notice_is_read_as_it_is_pasted() {
        let read = read_notice(NOTICE_OF_2026, 2026).unwrap();
        assert_eq!(read.year, announced()[1]);
        assert!(read.in_other_years.is_empty());
    }

    #[test]
    fn other_ways_of_writing_are_read() {
        let days = |text: &str| -> Vec<String> {
            let read = read_notice(text, 2027).unwrap();
            let holidays = read.year.days.holidays.iter().map(ToString::to_string);
            let workdays = read.year.days.workdays.iter().map(|day| format!("{day} worked"));
            let others = read.in_other_years.iter().map(|day| format!("{day} elsewhere"));
            holidays.chain(workdays).chain(others).collect()
        };
        // As in the notices for 2008 and 2017.
        assert_eq!(
            days("元旦：2026年12月30日—2027年1月1日放假，共3天。"),
            ["2027-01-01", "2026-12-30 elsewhere", "2026-12-31 elsewhere"]
        );
        assert_eq!(days("元旦：12月31日至1月1日放假"), ["2027-01-01", "2026-12-31 elsewhere"]);
        assert_eq!(days("元旦:1月1日放假,1月2日(星期一)补休。"), ["2027-01-01", "2027-01-02"]);
        assert_eq!(
            days("春节：1月31日至2月2日放假；1月30日、2月6日上班"),
            ["2027-01-31", "2027-02-01", "2027-02-02", "2027-01-30 worked", "2027-02-06 worked"]
        );
        assert_eq!(days("劳动节：5月1日放假，与周末连休。"), ["2027-05-01"]);
    }

    #[test]
    fn a_text_without_days_says_so_and_strange_texts_are_bounded() {
        assert_eq!(read_notice("关于放假的通知", 2027), Err(HolidaysError::NoDays));
        assert_eq!(read_notice("2月30日放假", 2027), Err(HolidaysError::NoDays));
        assert!(read_notice("1月1日至12月31日放假", 2027).unwrap().year.days.holidays.len() <= 22);
        assert!(read_notice(&"(".repeat(100_000), 2027).is_err());
        assert!(read_notice("99999999999999999999年9999999999月1日放假", 2027).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_it(text in "[0-9年月日至、，。（）放假上班\n -]{0,200}") {
            let _ = read_notice(&text, 2027);
        }
    }
}
