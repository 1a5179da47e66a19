//! The parts of the day over which attempts are spread: a person who never answers in the morning
//! may answer in the evening.

use std::time::Duration;

use chrono::{Datelike, NaiveTime, Timelike, Weekday};
use chrono_tz::Tz;

use crate::domain::time::Timestamp;

/// A part of the week, in the respondent's local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayPart {
    /// A weekday until noon.
    Morning,
    /// A weekday until 17:00.
    Afternoon,
    /// A weekday from 17:00 on.
    Evening,
    /// Saturday and Sunday.
    Weekend,
}

/// Hours at which a weekday's next part begins.
const NOON: u32 = 12;
const FIVE: u32 = 17;

impl DayPart {
    pub const ALL: [DayPart; 4] =
        [DayPart::Morning, DayPart::Afternoon, DayPart::Evening, DayPart::Weekend];

    pub fn of(at: Timestamp, zone: Tz) -> DayPart {
        let local = at.in_zone(zone);
        match local.hour() {
            _ if matches!(local.weekday(), Weekday::Sat | Weekday::Sun) => DayPart::Weekend,
            hour if hour < NOON => DayPart::Morning,
            hour if hour < FIVE => DayPart::Afternoon,
            _ => DayPart::Evening,
        }
    }

    /// Returns the end of the part that contains `at`.
    pub fn end(at: Timestamp, zone: Tz) -> Timestamp {
        let date = at.date(zone);
        let at_hour = |hour: u32| {
            Timestamp::from_local(
                date.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()),
                zone,
            )
        };
        let midnight = Timestamp::start_of_day(date.succ_opt().unwrap_or(date), zone);
        let end = match DayPart::of(at, zone) {
            DayPart::Morning => at_hour(NOON),
            DayPart::Afternoon => at_hour(FIVE),
            DayPart::Evening | DayPart::Weekend => midnight,
        };
        if end > at { end } else { at + Duration::from_secs(60) }
    }

    /// Returns its bit in a set of parts.
    pub fn bit(self) -> i64 {
        1 << (self as i64)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            DayPart::Morning => "morning",
            DayPart::Afternoon => "afternoon",
            DayPart::Evening => "evening",
            DayPart::Weekend => "weekend",
        }
    }

    /// Returns the label of pages in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            DayPart::Morning => ("上午", "morning"),
            DayPart::Afternoon => ("下午", "afternoon"),
            DayPart::Evening => ("晚上", "evening"),
            DayPart::Weekend => ("周末", "weekend"),
        }
    }

    pub fn parse(raw: &str) -> Option<DayPart> {
        DayPart::ALL.into_iter().find(|part| part.as_str() == raw)
    }
}
