//! Recurring work: a cron expression in a time zone.
//!
//! Across daylight-saving changes it follows the local time: a time skipped by the clock is omitted
//! that day (the `cron` crate's rule), a repeated one counts once.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use cron::Schedule;

use super::time::Timestamp;

#[derive(Clone)]
pub struct Recurrence {
    schedule: Schedule,
    zone: Tz,
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
        Ok(Recurrence { schedule, zone })
    }

    /// Returns the first time after `after`; `None` if there is none.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from = after.in_zone(self.zone);
        let local = |at: &chrono::DateTime<Tz>| at.naive_local();
        // When the clock is set back, the same local time occurs twice: only the first one counts.
        let twice = |at: &chrono::DateTime<Tz>| {
            Timestamp::from_local(local(at), self.zone).0 != at.timestamp_millis()
        };
        self.schedule.after(&from).find(|at| !twice(at)).map(|at| Timestamp(at.timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
            ["2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"],
            "the clock jumps over half past two"
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
