//! Interviewers' shifts: a weekday or a date, from one hour to another, and what is to be reached.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::time::Timestamp;

/// The days of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShiftDay {
    /// Every week; 1 is Monday (ISO 8601).
    Weekly(u8),
    Once(NaiveDate),
}

impl ShiftDay {
    /// Parses `1` to `7` (Monday to Sunday), or a date.
    pub fn parse(raw: &str) -> Option<ShiftDay> {
        match raw.trim().parse::<u8>() {
            Ok(day) => (1..=7).contains(&day).then_some(ShiftDay::Weekly(day)),
            Err(_) => raw
                .trim()
                .parse()
                .ok()
                .filter(|day: &NaiveDate| (1970..2200).contains(&day.year()))
                .map(ShiftDay::Once),
        }
    }

    fn is_on(self, date: NaiveDate) -> bool {
        match self {
            ShiftDay::Weekly(day) => date.weekday().number_from_monday() == u32::from(day),
            ShiftDay::Once(day) => date == day,
        }
    }

    /// Returns the weekday.
    pub fn weekday(self) -> Weekday {
        match self {
            ShiftDay::Once(day) => day.weekday(),
            ShiftDay::Weekly(1) => Weekday::Mon,
            ShiftDay::Weekly(2) => Weekday::Tue,
            ShiftDay::Weekly(3) => Weekday::Wed,
            ShiftDay::Weekly(4) => Weekday::Thu,
            ShiftDay::Weekly(5) => Weekday::Fri,
            ShiftDay::Weekly(6) => Weekday::Sat,
            ShiftDay::Weekly(_) => Weekday::Sun,
        }
    }
}

/// What is to be reached in a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Completed interviews.
    Interviews(u32),
    /// Numbers dialled.
    Calls(u32),
}

impl Target {
    /// The largest target; more is a slip of the finger.
    pub const MAX: u32 = 999;

    pub fn as_str(self) -> &'static str {
        match self {
            Target::Interviews(_) => "interviews",
            Target::Calls(_) => "calls",
        }
    }

    pub fn count(self) -> u32 {
        match self {
            Target::Interviews(count) | Target::Calls(count) => count,
        }
    }

    pub fn parse(kind: &str, count: u32) -> Option<Target> {
        if count == 0 || count > Target::MAX {
            return None;
        }
        match kind {
            "interviews" => Some(Target::Interviews(count)),
            "calls" => Some(Target::Calls(count)),
            _ => None,
        }
    }
}

/// A shift. One that ends no later than it begins ends on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub day: ShiftDay,
    pub from: NaiveTime,
    pub to: NaiveTime,
    pub target: Option<Target>,
}

impl Shift {
    pub fn ends_next_day(&self) -> bool {
        self.to <= self.from
    }

    /// Returns the span of the shift that begins on a date, if one does.
    pub fn span_on(&self, date: NaiveDate, zone: Tz) -> Option<(Timestamp, Timestamp)> {
        if !self.day.is_on(date) {
            return None;
        }
        let last = if self.ends_next_day() { date.succ_opt()? } else { date };
        Some((
            Timestamp::from_local(date.and_time(self.from), zone),
            Timestamp::from_local(last.and_time(self.to), zone),
        ))
    }

    /// Returns the span that a moment lies in; the shift of the day before may go on.
    pub fn span_at(&self, at: Timestamp, zone: Tz) -> Option<(Timestamp, Timestamp)> {
        let today = at.date(zone);
        [Some(today), today.pred_opt()]
            .into_iter()
            .flatten()
            .filter_map(|date| self.span_on(date, zone))
            .find(|(from, to)| *from <= at && at < *to)
    }

    /// Returns the beginning of the next one after a moment, within a week.
    pub fn next_after(&self, at: Timestamp, zone: Tz) -> Option<(Timestamp, Timestamp)> {
        (0..=7)
            .filter_map(|days| at.date(zone).checked_add_days(Days::new(days)))
            .filter_map(|date| self.span_on(date, zone))
            .find(|(from, _)| *from > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Asia::Shanghai;

    fn at(raw: &str) -> Timestamp {
        Timestamp::from_local(raw.parse().unwrap(), ZONE)
    }

    fn shift(day: &str, from: &str, to: &str) -> Shift {
        let time = |raw: &str| raw.parse().unwrap();
        let day = ShiftDay::parse(day).unwrap();
        Shift { day, from: time(from), to: time(to), target: None }
    }

    /// frappe/hrms#541: in the small hours the shift of the day before was not found.
    #[test]
    fn a_shift_is_on_from_its_first_to_before_its_last_minute_also_past_midnight() {
        // 2 March 2026 is a Monday.
        let monday = shift("1", "09:00:00", "12:00:00");
        assert!(monday.span_at(at("2026-03-02T09:00:00"), ZONE).is_some());
        assert!(monday.span_at(at("2026-03-02T12:00:00"), ZONE).is_none());
        assert!(monday.span_at(at("2026-03-03T10:00:00"), ZONE).is_none());
        assert_eq!(
            monday.next_after(at("2026-03-02T09:00:00"), ZONE).map(|(from, _)| from),
            Some(at("2026-03-09T09:00:00"))
        );
        let late = shift("2026-03-02", "20:00:00", "02:00:00");
        assert!(late.span_at(at("2026-03-03T01:59:00"), ZONE).is_some());
        assert!(late.span_at(at("2026-03-02T01:00:00"), ZONE).is_none());
        assert!(late.span_at(at("2026-03-09T21:00:00"), ZONE).is_none(), "once");
    }

    #[test]
    fn days_and_targets_are_read_and_slips_refused() {
        assert_eq!(ShiftDay::parse("7").map(ShiftDay::weekday), Some(Weekday::Sun));
        for slip in ["0", "8", "", "2026-02-30", "9999-01-01"] {
            assert_eq!(ShiftDay::parse(slip), None, "{slip}");
        }
        assert_eq!(Target::parse("calls", 40), Some(Target::Calls(40)));
        assert_eq!(Target::parse("calls", 0).or(Target::parse("interviews", 1_000)), None);
        assert_eq!(Target::parse("sales", 1), None);
    }
}
