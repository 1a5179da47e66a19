//! Points in time, stored and compared as UTC milliseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{
    DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the local time in a zone.
    pub fn in_zone(self, zone: Tz) -> DateTime<Tz> {
        let utc =
            DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MIN_UTC);
        utc.with_timezone(&zone)
    }

    /// Returns the first instant of a calendar day in a zone. If the clock skips midnight, it is
    /// the first instant after the gap.
    pub fn start_of_day(date: NaiveDate, zone: Tz) -> Timestamp {
        Timestamp::from_local(date.and_time(NaiveTime::MIN), zone)
    }

    /// Returns the instant of a local time in a zone: the earlier one if it occurs twice, the first
    /// one after the gap if it never occurs (daylight-saving changes).
    pub fn from_local(local: NaiveDateTime, zone: Tz) -> Timestamp {
        let mut wanted = local;
        loop {
            match zone.from_local_datetime(&wanted) {
                LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => {
                    return Timestamp(t.timestamp_millis());
                }
                LocalResult::None => wanted += TimeDelta::minutes(1),
            }
        }
    }

    /// Formats as RFC 3339 with the zone's numeric offset and whole seconds, the form of every time
    /// in a dataset or a listing.
    pub fn rfc3339(self, zone: Tz) -> String {
        self.in_zone(zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Reads RFC 3339 with any offset, and fractions of a second.
    pub fn parse_rfc3339(raw: &str) -> Option<Timestamp> {
        let time = DateTime::parse_from_rfc3339(raw.trim()).ok()?;
        Some(Timestamp(time.timestamp_millis()))
    }

    /// Returns the calendar day in a zone.
    pub fn date(self, zone: Tz) -> NaiveDate {
        self.in_zone(zone).date_naive()
    }

    /// Returns the time elapsed since `earlier`; zero if that is in the future.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339(Tz::UTC))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// For `#[serde(deserialize_with = "…")]`: calendar days as TOML dates (`2026-05-01`) or as text.
pub mod days {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Day {
        Toml(toml::value::Datetime),
        Text(String),
    }

    impl Day {
        fn read<E: Error>(self) -> Result<NaiveDate, E> {
            let text = match self {
                Day::Toml(date) => date.to_string(),
                Day::Text(text) => text,
            };
            text.parse()
                .map_err(|_| E::custom(format!("«{text}» is no day; write it like 2026-05-01")))
        }
    }

    pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NaiveDate>, D::Error> {
        Vec::<Day>::deserialize(deserializer)?.into_iter().map(Day::read).collect()
    }

    pub fn optional<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<NaiveDate>, D::Error> {
        Option::<Day>::deserialize(deserializer)?.map(Day::read).transpose()
    }
}

/// Parses a duration as written in a plan: `3d`, `12h`, `90m`, `45s`, or several of them
/// (`2d 12h`).
pub fn parse_duration(raw: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut number = String::new();
    let mut any = false;
    for c in raw.trim().chars() {
        if c.is_ascii_digit() {
            number.push(c);
        } else if c.is_whitespace() && number.is_empty() {
            continue;
        } else {
            let unit = match c {
                'd' => 86_400,
                'h' => 3_600,
                'm' => 60,
                's' => 1,
                _ => return None,
            };
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
            number.clear();
            any = true;
        }
    }
    (any && number.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse_duration("3d"), Some(Duration::from_secs(259_200)));
        assert_eq!(parse_duration("2d 12h"), Some(Duration::from_secs(216_000)));
        assert_eq!(parse_duration("0d"), Some(Duration::ZERO));
        for wrong in ["", "3", "d", "3 days", "-1d", "1w"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_local_time_inside_a_gap_is_the_first_instant_after_it() {
        // Europe/Berlin 2026-03-29: 02:00 jumps to 03:00.
        let gap = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(2, 30, 0).unwrap();
        let t = Timestamp::from_local(gap, chrono_tz::Europe::Berlin);
        assert_eq!(t.rfc3339(chrono_tz::Europe::Berlin), "2026-03-29T03:00:00+02:00");
    }
}
