//! Contact hours: when a respondent may be contacted, by weekday, with holidays and make-up
//! workdays.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{
    Datelike, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Timelike, Weekday,
};
use chrono_tz::Tz;

use super::time::Timestamp;
use super::zones::Zones;

/// How far ahead [`ContactHours::next_open`] searches before it returns `None`.
const HORIZON_DAYS: i64 = 400;

/// An interval of a day, `[from, to)` in minutes after local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    from: u32,
    to: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "contact_hours.", serialize_all = "snake_case")]
pub enum ContactHoursError {
    #[error(
        "«{0}» is not a stretch of a day; write it like 09:00-12:00, the end after the beginning"
    )]
    BadInterval(String),
    #[error("the contact hours of {0} overlap; write each stretch once")]
    Overlap(String),
    #[error("no weekday has contact hours; nobody could ever be contacted")]
    NeverOpen,
}

impl Interval {
    /// Parses `09:00-12:00`; `24:00` is the end of the day.
    pub fn parse(raw: &str) -> Result<Interval, ContactHoursError> {
        let bad = || ContactHoursError::BadInterval(raw.to_owned());
        let minutes = |text: &str| -> Option<u32> {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
        };
        let (from, to) = raw.split_once(['-', '–']).ok_or_else(bad)?;
        let (from, to) = (minutes(from).ok_or_else(bad)?, minutes(to).ok_or_else(bad)?);
        if from < to { Ok(Interval { from, to }) } else { Err(bad()) }
    }

    fn contains(self, minute: u32) -> bool {
        self.from <= minute && minute < self.to
    }
}

/// Official holidays, and the weekend days worked to make up for them (in China the State Council
/// publishes both each year).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    pub holidays: BTreeSet<NaiveDate>,
    pub workdays: BTreeSet<NaiveDate>,
    /// Days on which nobody is contacted, whatever day it is.
    pub closed: BTreeSet<NaiveDate>,
}

/// Maximum part of an open interval over which a wave of contacts is spread; `None`: all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread(pub Option<Duration>);

/// The hours in which contact is allowed, in the respondent's own time zone (invariant I2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactHours {
    /// Monday first.
    week: [Vec<Interval>; 7],
    holiday_hours: Vec<Interval>,
    calendar: Calendar,
}

impl ContactHours {
    pub fn new(
        mut week: [Vec<Interval>; 7],
        mut holiday_hours: Vec<Interval>,
        calendar: Calendar,
    ) -> Result<ContactHours, ContactHoursError> {
        const DAYS: [&str; 7] =
            ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        for (day, intervals) in
            DAYS.iter().zip(week.iter_mut()).chain([(&"holidays", &mut holiday_hours)])
        {
            intervals.sort();
            if intervals.windows(2).any(|pair| pair[1].from < pair[0].to) {
                return Err(ContactHoursError::Overlap((*day).to_owned()));
            }
        }
        if week.iter().all(Vec::is_empty) {
            return Err(ContactHoursError::NeverOpen);
        }
        Ok(ContactHours { week, holiday_hours, calendar })
    }

    /// Returns the intervals of a calendar day: none if it is closed, those of the holiday, of Monday
    /// on a make-up workday, or of the weekday.
    fn intervals_on(&self, date: NaiveDate) -> &[Interval] {
        if self.calendar.closed.contains(&date) {
            return &[];
        }
        if self.calendar.holidays.contains(&date) {
            return &self.holiday_hours;
        }
        let weekday =
            if self.calendar.workdays.contains(&date) { Weekday::Mon } else { date.weekday() };
        &self.week[weekday.num_days_from_monday() as usize]
    }

    /// The holidays, make-up workdays and closed days.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Returns whether contact is allowed at this instant by the local time of all these zones.
    pub fn is_open(&self, at: Timestamp, zones: &Zones) -> bool {
        zones.iter().all(|zone| self.is_open_in(at, zone))
    }

    /// Returns the first instant from `at` on at which contact is allowed; `None` if there is none
    /// within 400 days.
    pub fn next_open(&self, at: Timestamp, zones: &Zones) -> Option<Timestamp> {
        let horizon = at + Duration::from_secs(HORIZON_DAYS as u64 * 86_400);
        let mut wanted = at;
        // Each iteration moves to the next opening of a zone that is closed at `wanted`; no instant
        // that is open in all of them is skipped.
        while wanted <= horizon {
            match zones.iter().find(|&zone| !self.is_open_in(wanted, zone)) {
                None => return Some(wanted),
                Some(closed) => wanted = self.next_open_in(wanted, closed)?,
            }
        }
        None
    }

    /// Schedules a contact wanted from `at` on. If contact is allowed then, it takes place at once;
    /// otherwise in the next open interval, at the position given by `fraction` (0 the beginning, 1
    /// the end), so that not everybody who waited is contacted in its first second.
    pub fn schedule(
        &self,
        at: Timestamp,
        zones: &Zones,
        spread: Spread,
        fraction: f64,
    ) -> Option<Timestamp> {
        if self.is_open(at, zones) {
            Some(at)
        } else {
            self.schedule_in_wave(at, zones, spread, fraction)
        }
    }

    /// Like [`ContactHours::schedule`], for one of many contacts wanted at the same instant: they
    /// are spread even if contact is allowed.
    pub fn schedule_in_wave(
        &self,
        at: Timestamp,
        zones: &Zones,
        spread: Spread,
        fraction: f64,
    ) -> Option<Timestamp> {
        let opens = self.next_open(at, zones)?;
        let length = self.open_until(opens, zones).since(opens);
        let length = spread.0.map_or(length, |spread| spread.min(length));
        Some(opens + length.mul_f64(fraction.clamp(0.0, 0.999)))
    }

    /// Returns the end of the open interval that contains `at`.
    pub fn open_until(&self, at: Timestamp, zones: &Zones) -> Timestamp {
        zones.iter().map(|zone| self.closes_after(at, zone)).min().unwrap_or(at)
    }

    /// Returns when work that begins at `from` and needs `needed` of open time ends; `None` if the
    /// hours never suffice.
    pub fn after_open_time(
        &self,
        from: Timestamp,
        needed: Duration,
        zones: &Zones,
    ) -> Option<Timestamp> {
        let mut at = self.next_open(from, zones)?;
        let mut left = needed;
        for _ in 0..HORIZON_DAYS * 4 {
            let closes = self.open_until(at, zones);
            let open_for = closes.since(at);
            if left <= open_for {
                return Some(at + left);
            }
            left -= open_for;
            at = self.next_open(closes, zones)?;
        }
        None
    }

    fn is_open_in(&self, at: Timestamp, zone: Tz) -> bool {
        let local = at.in_zone(zone);
        let minute = local.hour() * 60 + local.minute();
        self.intervals_on(local.date_naive()).iter().any(|interval| interval.contains(minute))
    }

    fn next_open_in(&self, at: Timestamp, zone: Tz) -> Option<Timestamp> {
        if self.is_open_in(at, zone) {
            return Some(at);
        }
        let first = at.date(zone);
        (0..HORIZON_DAYS).find_map(|day| {
            let date = first.checked_add_signed(TimeDelta::days(day))?;
            self.intervals_on(date).iter().find_map(|interval| {
                let local = date.and_time(time_of(interval.from));
                // A change to summer time may skip an opening or move it out of its interval; at its
                // end the same time comes twice.
                let again = zone.from_local_datetime(&local).latest();
                [
                    Some(Timestamp::from_local(local, zone)),
                    again.map(|at| Timestamp(at.timestamp_millis())),
                ]
                .into_iter()
                .flatten()
                .find(|opens| *opens > at && self.is_open_in(*opens, zone))
            })
        })
    }

    fn closes_after(&self, at: Timestamp, zone: Tz) -> Timestamp {
        let local = at.in_zone(zone);
        let minute = local.hour() * 60 + local.minute();
        let date = local.date_naive();
        let to = self
            .intervals_on(date)
            .iter()
            .find(|i| i.contains(minute))
            .map_or(minute + 1, |i| i.to);
        let next_day = date.succ_opt().unwrap_or(date);
        let closes = if to == 24 * 60 {
            Timestamp::start_of_day(next_day, zone)
        } else {
            Timestamp::from_local(date.and_time(time_of(to)), zone)
        };
        let closes = if closes > at { closes } else { at + Duration::from_secs(60) };
        match set_back_between(at, closes, zone) {
            // The end of summer time may set the clock to before the interval.
            Some(set_back) if !self.is_open_in(set_back, zone) => set_back,
            _ => closes,
        }
    }
}

/// The first instant between two at which the clocks of the zone are set back, if they are.
fn set_back_between(from: Timestamp, to: Timestamp, zone: Tz) -> Option<Timestamp> {
    let offset = |at: i64| Timestamp(at).in_zone(zone).offset().fix().local_minus_utc();
    let (mut before, mut after) = (from.0, to.0);
    if offset(before) <= offset(after) {
        return None;
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(middle) == offset(from.0) { before = middle } else { after = middle }
    }
    Some(Timestamp(after))
}

fn time_of(minutes: u32) -> NaiveTime {
    NaiveTime::from_num_seconds_from_midnight_opt((minutes % 1440) * 60, 0)
        .unwrap_or(NaiveTime::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hours(text: &[&str]) -> Vec<Interval> {
        text.iter().map(|t| Interval::parse(t).unwrap()).collect()
    }

    fn office() -> ContactHours {
        let workday = hours(&["09:00-12:00", "14:00-20:00"]);
        let weekend = hours(&["10:00-12:00"]);
        let calendar = Calendar {
            holidays: [NaiveDate::from_ymd_opt(2026, 10, 1).unwrap()].into(),
            workdays: [NaiveDate::from_ymd_opt(2026, 9, 27).unwrap()].into(),
            closed: [NaiveDate::from_ymd_opt(2026, 10, 12).unwrap()].into(),
        };
        let week =
            std::array::from_fn(|day| if day < 5 { workday.clone() } else { weekend.clone() });
        ContactHours::new(week, vec![], calendar).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        Timestamp(chrono_tz::Asia::Shanghai.from_local_datetime(&local).unwrap().timestamp_millis())
    }

    #[test]
    fn holidays_are_closed_and_make_up_workdays_open_like_a_monday() {
        let zone = &Zones::from(chrono_tz::Asia::Shanghai);
        assert!(!office().is_open(at("2026-10-01 10:00"), zone));
        assert!(office().is_open(at("2026-09-27 15:00"), zone), "a Sunday worked like a Monday");
        assert!(!office().is_open(at("2026-10-12 10:00"), zone), "a Monday that is closed");
        assert_eq!(office().next_open(at("2026-09-30 20:00"), zone), Some(at("2026-10-02 09:00")));
        assert_eq!(office().next_open(at("2026-09-28 12:00"), zone), Some(at("2026-09-28 14:00")));
    }

    #[test]
    fn open_time_is_counted_across_closed_stretches() {
        let zone = &Zones::from(chrono_tz::Asia::Shanghai);
        let four_hours = Duration::from_secs(4 * 3600);
        assert_eq!(
            office().after_open_time(at("2026-09-28 11:00"), four_hours, zone),
            Some(at("2026-09-28 17:00"))
        );
        assert_eq!(
            office().after_open_time(at("2026-09-28 19:00"), four_hours, zone),
            Some(at("2026-09-29 12:00"))
        );
    }

    #[test]
    fn a_clock_that_is_set_back_may_close_the_hours_for_a_while() {
        // Los Angeles, 2029-11-04: 01:59:59 summer time is followed by 01:00:00.
        let zone = chrono_tz::America::Los_Angeles;
        let week = std::array::from_fn(|_| hours(&["01:11-05:53"]));
        let hours = ContactHours::new(week, vec![], Calendar::default()).unwrap();
        let utc = |minute: i64| Timestamp(1_888_444_800_000 + minute * 60_000);
        let zones = Zones::from(zone);
        assert!(hours.is_open(utc(539), &zones) && !hours.is_open(utc(540), &zones));
        assert_eq!(hours.open_until(utc(539), &zones), utc(540));
        assert_eq!(hours.next_open(utc(540), &zones), Some(utc(551)));
        assert_eq!(hours.open_until(utc(551), &zones), utc(13 * 60 + 53));
    }

    #[test]
    fn wrong_hours_are_refused() {
        for wrong in ["9-12", "12:00-09:00", "09:00-25:00", "09:60-10:00", "x"] {
            assert!(Interval::parse(wrong).is_err(), "{wrong}");
        }
        let overlapping = std::array::from_fn(|_| hours(&["09:00-12:00", "11:00-13:00"]));
        assert!(matches!(
            ContactHours::new(overlapping, vec![], Calendar::default()),
            Err(ContactHoursError::Overlap(_))
        ));
        assert_eq!(
            ContactHours::new(Default::default(), vec![], Calendar::default()),
            Err(ContactHoursError::NeverOpen)
        );
    }

    proptest! {
        /// Invariant I2: for any zone, time and hours, the next opening is open and not before the
        /// time, and nothing open is skipped.
        #[test]
        fn the_next_opening_is_open_and_is_the_first(
            millis in 1_700_000_000_000i64..2_000_000_000_000,
            zones in prop::sample::select(vec!["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
                "Europe/Madrid Atlantic/Canary", "America/New_York America/Los_Angeles", "Australia/Perth Australia/Sydney"]),
            bounds in prop::collection::vec((0u32..1439, 1u32..600), 7),
            holiday in 0i64..30,
            (spread_minutes, fraction) in (0u64..700, 0.0f64..1.0),
        ) {
            let zones = Zones::parse(zones).unwrap();
            let zone = zones.iter().next().unwrap();
            let week: [Vec<Interval>; 7] = std::array::from_fn(|d| vec![Interval { from: bounds[d].0, to: (bounds[d].0 + bounds[d].1).min(1440) }]);
            let from = Timestamp(millis);
            let calendar = Calendar { holidays: [from.date(zone) + TimeDelta::days(holiday % 10)].into(), ..Calendar::default() };
            let hours = ContactHours::new(week, vec![], calendar).unwrap();
            // Distant zones may share no hour; then nobody is contacted.
            let Some(opens) = hours.next_open(from, &zones) else { return Ok(()) };
            prop_assert!(opens >= from);
            prop_assert!(hours.is_open(opens, &zones));
            for step in 0..200 {
                let between = Timestamp(from.0 + (opens.0 - from.0) / 200 * step);
                prop_assert!(between >= opens || !hours.is_open(between, &zones), "{between:?} \
                    was skipped");
            }
            for spread in [Spread(None), Spread(Some(Duration::from_secs(spread_minutes * 60)))] {
                for placed in [hours.schedule(from, &zones, spread, fraction), hours.schedule_in_wave(from, &zones, spread, fraction)] {
                    let placed = placed.unwrap();
                    prop_assert!(placed >= opens && hours.is_open(placed, &zones), "{placed:?} \
                        is outside");
                }
            }
        }
    }
}
