//! Recurring work: a cron expression in a time zone.
//!
//! When clocks are set forward or back, the rule is that of Vixie cron: an expression that names
//! hours and minutes follows the clock on the wall (a time that comes twice counts once, and one
//! that is skipped comes right after the gap); one with `*`, a range or a step in hours or minutes
//! is an interval and counts every time, twice where the hour comes twice.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{NaiveDateTime, Offset};
use chrono_tz::Tz;
use cron::Schedule;

use super::time::Timestamp;

/// No zone changes its clocks twice within this time.
const CHANGES_APART: Duration = Duration::from_secs(6 * 3_600);

#[derive(Clone)]
pub struct Recurrence {
    schedule: Schedule,
    zone: Tz,
    is_interval: bool,
}

impl fmt::Debug for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.schedule, self.zone)
    }
}

impl Recurrence {
    /// Parses `SECOND MINUTE HOUR DAY MONTH WEEKDAY`, such as `0 30 3 * * *` or
    /// `0 0 9 * * Mon-Fri`; with five fields the second is omitted.
    pub fn parse(expression: &str, zone: &str) -> Result<Recurrence, String> {
        let zone = zone.parse().map_err(|_| {
            format!("«{zone}» is no time zone; use an IANA name such as Asia/Shanghai")
        })?;
        let six = if expression.split_whitespace().count() == 5 {
            format!("0 {expression}")
        } else {
            expression.to_owned()
        };
        let schedule = Schedule::from_str(&six).map_err(|_| {
            format!(
                "«{expression}» is no cron expression; write second, minute, \
                hour, day, month and weekday, such as 0 30 3 * * *"
            )
        })?;
        // The fields are second, minute, hour.
        let is_interval = six.split_whitespace().skip(1).take(2).any(|field| field.contains('*'));
        Ok(Recurrence { schedule, zone, is_interval })
    }

    /// Returns the first time after `after`; `None` if there is none.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if self.is_interval { self.next_of_interval(after) } else { self.next_on_the_wall(after) }
    }

    /// The clock on the wall never goes back for these: of a time that comes twice only the first is
    /// taken, and one in a gap is taken at the gap's end.
    fn next_on_the_wall(&self, after: Timestamp) -> Option<Timestamp> {
        let instant = |wall| Timestamp::from_local(wall, self.zone);
        self.walls_after(self.wall(after)).map(instant).find(|at| *at > after)
    }

    /// Whatever the clock on the wall does, each time that it shows the wanted time counts.
    fn next_of_interval(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after;
        loop {
            let wall = self.walls_after(self.wall(from)).next()?;
            let next = Timestamp(wall.and_utc().timestamp_millis() - self.offset(from));
            let Some(change) = self.first_change(from, next) else { return Some(next) };
            let wall = self.wall(change);
            if self.walls_after(wall - Duration::from_secs(1)).next() == Some(wall) {
                return Some(change);
            }
            from = change;
        }
    }

    /// Returns the wanted times, by a clock that is never changed.
    fn walls_after(&self, wall: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> + '_ {
        self.schedule.after(&wall.and_utc()).map(|at| at.naive_utc())
    }

    /// Returns what the clock on the wall shows.
    fn wall(&self, at: Timestamp) -> NaiveDateTime {
        at.in_zone(self.zone).naive_local()
    }

    /// Returns the milliseconds that the clock on the wall is ahead of UTC.
    fn offset(&self, at: Timestamp) -> i64 {
        i64::from(at.in_zone(self.zone).offset().fix().local_minus_utc()) * 1_000
    }

    /// Returns the first change of the clock after `from`, up to `to`.
    fn first_change(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let (offset, mut before) = (self.offset(from), from);
        while before < to {
            let after = (before + CHANGES_APART).min(to);
            if self.offset(after) != offset {
                let (mut before, mut after) = (before.0, after.0);
                while after - before > 1 {
                    let middle = before + (after - before) / 2;
                    if self.offset(Timestamp(middle)) == offset {
                        before = middle;
                    } else {
                        after = middle;
                    }
                }
                return Some(Timestamp(after));
            }
            before = after;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let tz: Tz = zone.parse().unwrap();
        let recurrence = Recurrence::parse(expression, zone).unwrap();
        let mut at = Timestamp::from_local(from.parse().unwrap(), tz);
        (0..count)
            .map(|_| {
                at = recurrence.next_after(at).unwrap();
                at.rfc3339(tz)
            })
            .collect()
    }

    #[test]
    fn it_follows_the_wall_clock_across_summer_time() {
        assert_eq!(
            runs("0 0 9 * * *", "Europe/Berlin", "2026-03-28T10:00:00", 2),
            ["2026-03-29T09:00:00+02:00", "2026-03-30T09:00:00+02:00"],
            "nine is nine, an hour earlier in UTC"
        );
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-03-28T10:00:00", 2),
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
            "the clock jumps over half past two: right after it"
        );
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-10-24T10:00:00", 2),
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
            "half past two comes twice and counts once"
        );
        assert_eq!(
            runs("0 0 9 * * Mon-Fri", "Asia/Shanghai", "2026-03-06T12:00:00", 1),
            ["2026-03-09T09:00:00+08:00"]
        );
    }

    /// Steve-Mcl/node-red-contrib-cron-plus#108 and node-schedule/node-schedule#435: intervals that
    /// stop for an hour; rundeck/rundeck#6879: a daily job that is left out.
    #[test]
    fn an_interval_goes_on_while_clocks_are_changed() {
        assert_eq!(
            runs("*/30 * * * *", "America/New_York", "2026-11-01T00:45:00", 5),
            [
                "2026-11-01T01:00:00-04:00",
                "2026-11-01T01:30:00-04:00",
                "2026-11-01T01:00:00-05:00",
                "2026-11-01T01:30:00-05:00",
                "2026-11-01T02:00:00-05:00"
            ]
        );
        assert_eq!(
            runs("15 * * * *", "Europe/Berlin", "2026-03-29T00:30:00", 3),
            ["2026-03-29T01:15:00+01:00", "2026-03-29T03:15:00+02:00", "2026-03-29T04:15:00+02:00"]
        );
        assert_eq!(
            runs("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-04T01:50:00", 3),
            ["2026-10-04T02:30:00+11:00", "2026-10-04T02:45:00+11:00", "2026-10-05T02:00:00+11:00"],
            "half an hour is skipped"
        );
    }

    /// Vixie cron's rule, in every zone that changes its clocks: an interval of a quarter of an hour
    /// comes every quarter of an hour, and a time of the day once a day.
    #[test]
    fn in_every_zone_intervals_come_every_time_and_hours_once_a_day() {
        let start = Timestamp::from_local("2026-01-01T00:00:00".parse().unwrap(), Tz::UTC);
        let (day, quarter) = (Duration::from_secs(86_400), Duration::from_secs(900));
        let mut changes_seen = 0;
        for zone in chrono_tz::TZ_VARIANTS {
            let interval = Recurrence::parse("*/15 * * * *", zone.name()).unwrap();
            let mut from = start;
            while let Some(change) = interval.first_change(from, start + day * 366) {
                changes_seen += 1;
                let mut at = interval.next_after(change - day).unwrap();
                while at < change + day {
                    let next = interval.next_after(at).unwrap();
                    assert_eq!(next.since(at), quarter, "{zone} {at:?}");
                    at = next;
                }
                let before = interval.wall(change - Duration::from_secs(1));
                let after = interval.wall(change);
                for wall in [before, after, before + (after - before) / 2] {
                    let daily = format!("{} {} * * *", wall.format("%M"), wall.format("%H"));
                    let daily = Recurrence::parse(&daily, zone.name()).unwrap();
                    let mut at = daily.next_after(change - day * 3).unwrap();
                    while at < change + day * 3 {
                        let next = daily.next_after(at).unwrap();
                        let hours = next.since(at).as_secs_f64() / 3_600.0;
                        assert!((22.0..=26.0).contains(&hours), "{zone} {wall}: {hours}");
                        at = next;
                    }
                }
                from = change;
            }
        }
        assert!(changes_seen > 200, "{changes_seen}");
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Recurrence::parse("every day", "Asia/Shanghai").unwrap_err().contains("every day"));
        assert!(
            Recurrence::parse("0 0 9 * * *", "Asia/Peking").unwrap_err().contains("Asia/Peking")
        );
        let never = Recurrence::parse("0 0 0 30 2 *", "Asia/Shanghai").unwrap();
        assert_eq!(never.next_after(Timestamp(0) + Duration::from_secs(1)), None);
    }
}
