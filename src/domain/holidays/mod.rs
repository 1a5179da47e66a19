//! Public holidays by year, and the weekend days worked to make up for them.
//!
//! In China the State Council's General Office announces both each November for the next year. They
//! follow no rule (nager/Nager.Date#1075), so a year without an announcement is unknown, and is
//! reported as such.

mod notice;

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};

use super::contact_plan::HolidaysFile;
use super::contact_window::Calendar;

pub use notice::{HolidayNotice, read_notice};

/// The days of a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolidayYear {
    pub year: i32,
    pub days: Calendar,
}

/// What is wrong with the days of a year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "holidays.", serialize_all = "snake_case")]
pub enum HolidaysError {
    #[error("{day} is not in {year}; mark it in its own year")]
    OtherYear { day: NaiveDate, year: i32 },
    #[error("{0} is marked as a holiday and as a working day; choose one")]
    Both(NaiveDate),
    #[error("{0} is no Saturday or Sunday; only a weekend is worked to make up for a holiday")]
    WorkdayInWeek(NaiveDate),
    #[error(
        "the text names no day; paste the notice with its «10月1日至7日放假» and «9月20日上班»"
    )]
    NoDays,
    #[error("{0} is no year between 2000 and 2100")]
    Year(i32),
}

impl HolidayYear {
    /// Checks the days of a year; all that is wrong is told.
    pub fn check(&self) -> Result<(), Vec<HolidaysError>> {
        let HolidayYear { year, days } = self;
        if !(2000..=2100).contains(year) {
            return Err(vec![HolidaysError::Year(*year)]);
        }
        let both = days.holidays.intersection(&days.workdays).map(|day| HolidaysError::Both(*day));
        let outside = days.holidays.iter().chain(&days.workdays);
        let outside = outside
            .filter(|day| day.year() != *year)
            .map(|day| HolidaysError::OtherYear { day: *day, year: *year });
        let in_week = days.workdays.iter().filter(|day| !is_weekend(**day));
        let in_week = in_week.map(|day| HolidaysError::WorkdayInWeek(*day));
        let wrong: Vec<HolidaysError> = both.chain(outside).chain(in_week).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

pub fn is_weekend(day: NaiveDate) -> bool {
    day.weekday().num_days_from_monday() >= 5
}

/// The years that have been announced for mainland China and come with the program.
pub fn announced() -> Vec<HolidayYear> {
    const FILES: [(i32, &str); 2] = [
        (2025, include_str!("../../../config/holidays/cn-2025.toml")),
        (2026, include_str!("../../../config/holidays/cn-2026.toml")),
    ];
    let read = |(year, text): (i32, &str)| {
        // A test reads every file.
        let file: HolidaysFile = toml::from_str(text).unwrap_or_default();
        HolidayYear { year, days: file.days() }
    };
    FILES.map(read).into()
}

/// The years between two days, both included, of which a calendar has no holiday at all: nobody has
/// entered them.
pub fn unknown_years(days: &Calendar, first: NaiveDate, last: NaiveDate) -> Vec<i32> {
    let known: BTreeSet<i32> = days.holidays.iter().map(Datelike::year).collect();
    (first.year()..=last.year()).filter(|year| !known.contains(year)).collect()
}

/// The holidays between two days, both included; those that follow each other are one stretch, by its
/// first and last day.
pub fn stretches(
    days: &Calendar,
    first: NaiveDate,
    last: NaiveDate,
) -> Vec<(NaiveDate, NaiveDate)> {
    let mut found: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for &day in days.holidays.iter().filter(|day| (first..=last).contains(*day)) {
        match found.last_mut() {
            Some((_, end)) if end.succ_opt() == Some(day) => *end = day,
            _ => found.push((day, day)),
        }
    }
    found
}

/// Puts the days of a year into a calendar in the place of those it has: if it has none, or those
/// that stood there before. A calendar with days of its own is left alone. Returns whether it was
/// changed.
pub fn replace_year(
    calendar: &mut Calendar,
    before: Option<&HolidayYear>,
    new: &HolidayYear,
) -> bool {
    let of_year = |days: &BTreeSet<NaiveDate>| -> BTreeSet<NaiveDate> {
        days.iter().filter(|day| day.year() == new.year).copied().collect()
    };
    let own = Calendar {
        holidays: of_year(&calendar.holidays),
        workdays: of_year(&calendar.workdays),
        closed: BTreeSet::new(),
    };
    let is_empty = own.holidays.is_empty() && own.workdays.is_empty();
    let follows = is_empty
        || before.is_some_and(|before| {
            own.holidays == before.days.holidays && own.workdays == before.days.workdays
        });
    let differs = own.holidays != new.days.holidays || own.workdays != new.days.workdays;
    if !follows || !differs {
        return false;
    }
    for (all, days) in
        [(&mut calendar.holidays, &new.days.holidays), (&mut calendar.workdays, &new.days.workdays)]
    {
        all.retain(|day| day.year() != new.year);
        all.extend(days);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_announced_years_are_whole() {
        let years = announced();
        assert_eq!(years.iter().map(|y| y.year).collect::<Vec<_>>(), [2025, 2026]);
        for year in &years {
            year.check().unwrap();
        }
        // The notices count 28 days off in 2025 and 33 in 2026.
        assert_eq!(years.iter().map(|y| y.days.holidays.len()).collect::<Vec<_>>(), [28, 33]);
    }

    /// vsme/chinese-days#44, nager/Nager.Date#1075: a year that is not announced is not known.
    #[test]
    fn a_year_that_nobody_has_entered_is_told() {
        let days = &announced()[1].days;
        assert!(unknown_years(days, day("2026-11-01"), day("2026-12-31")).is_empty());
        assert_eq!(unknown_years(days, day("2026-12-01"), day("2027-02-01")), [2027]);
        assert_eq!(
            unknown_years(days, day("2024-12-01"), day("2028-02-01")),
            [2024, 2025, 2027, 2028]
        );
    }

    #[test]
    fn all_that_is_wrong_with_a_year_is_told_at_once() {
        let year = HolidayYear {
            year: 2027,
            days: Calendar {
                holidays: [day("2027-01-01"), day("2026-12-31"), day("2027-01-02")].into(),
                workdays: [day("2027-01-02"), day("2027-01-04")].into(),
                closed: BTreeSet::new(),
            },
        };
        assert_eq!(
            year.check().unwrap_err(),
            [
                HolidaysError::Both(day("2027-01-02")),
                HolidaysError::OtherYear { day: day("2026-12-31"), year: 2027 },
                HolidaysError::WorkdayInWeek(day("2027-01-04")),
            ]
        );
    }

    #[test]
    fn a_calendar_follows_the_year_unless_it_has_days_of_its_own() {
        let year = |days: &[&str]| HolidayYear {
            year: 2027,
            days: Calendar {
                holidays: days.iter().map(|text| day(text)).collect(),
                ..Calendar::default()
            },
        };
        let (before, new) = (year(&["2027-01-01"]), year(&["2027-01-01", "2027-02-06"]));
        let old = [day("2026-10-01")];
        let with = |own: &[&str]| Calendar {
            holidays: own.iter().map(|text| day(text)).chain(old).collect(),
            closed: [day("2027-03-01")].into(),
            ..Calendar::default()
        };
        for (own, follows) in [(&[][..], true), (&["2027-01-01"], true), (&["2027-01-03"], false)] {
            let mut calendar = with(own);
            assert_eq!(replace_year(&mut calendar, Some(&before), &new), follows, "{own:?}");
            let expected = if follows { with(&["2027-01-01", "2027-02-06"]) } else { with(own) };
            assert_eq!(calendar, expected);
        }
        let mut same = with(&["2027-01-01", "2027-02-06"]);
        assert!(!replace_year(&mut same, Some(&new), &new), "it stands there already");
    }

    #[test]
    fn holidays_that_follow_each_other_are_one_stretch() {
        let days = &announced()[1].days;
        assert!(stretches(days, day("2026-10-31"), day("2026-09-01")).is_empty(), "an empty span");
        let found = stretches(days, day("2026-09-01"), day("2026-10-31"));
        assert_eq!(
            found,
            [(day("2026-09-25"), day("2026-09-27")), (day("2026-10-01"), day("2026-10-07"))]
        );
    }
}
