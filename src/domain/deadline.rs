//! Deadlines: from the day a list is received to the day the dataset is due.

use chrono::{Days, Months, NaiveDate};
use chrono_tz::Tz;

use super::programme::Programme;
use super::time::Timestamp;

/// The binding days of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Start of the survey: the list has been received and, if the programme requires it, the fee
    /// is settled.
    pub begins: NaiveDate,
    /// The certificate is due by the end of this day.
    pub certificate_due: NaiveDate,
    /// The dataset is due at the scoring step by the end of this day.
    pub dataset_due: NaiveDate,
}

/// The inputs of an application's deadline.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadlineInputs {
    pub list_received: Option<NaiveDate>,
    pub fee_settled: Option<NaiveDate>,
    /// Days added for ended holds and extensions.
    pub extended_days: u32,
}

/// The reason for which an application's days do not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    NoList,
    FeeNotSettled,
}

impl Deadline {
    /// Computes the deadline. Calendar months after the start are counted as in a contract: the
    /// same day of the month, or the last day of a shorter one (31 January + 3 months = 30 April);
    /// then extended days are added. Scoring and review need the last days of that time.
    pub fn of(counted: &DeadlineInputs, programme: &Programme) -> Result<Deadline, NotStarted> {
        let received = counted.list_received.ok_or(NotStarted::NoList)?;
        let begins = match (programme.fee_first, counted.fee_settled) {
            (false, _) => received,
            (true, Some(settled)) => received.max(settled),
            (true, None) => return Err(NotStarted::FeeNotSettled),
        };
        let by_contract = begins
            .checked_add_months(Months::new(programme.certificate_months))
            .unwrap_or(NaiveDate::MAX);
        let certificate_due = by_contract
            .checked_add_days(Days::new(counted.extended_days.into()))
            .unwrap_or(NaiveDate::MAX);
        let dataset_due = certificate_due
            .checked_sub_days(Days::new(programme.dataset_lead_days.into()))
            .unwrap_or(begins);
        Ok(Deadline { begins, certificate_due, dataset_due })
    }

    /// Returns the instant at which the field must be closed: the end of the due day in the
    /// programme's zone.
    pub fn field_closes_at(&self, zone: Tz) -> Timestamp {
        Timestamp::start_of_day(self.dataset_due.succ_opt().unwrap_or(self.dataset_due), zone)
    }
}

/// Returns how far completes are behind schedule: the elapsed share of the field's time less the
/// reached share of the target. 0 is on schedule, 1 means that all time has elapsed and nothing is
/// reached; below 0 is ahead.
pub fn schedule_lag(
    begun: Timestamp,
    closes: Timestamp,
    now: Timestamp,
    completes: u32,
    target: u32,
) -> f64 {
    let whole = closes.since(begun).as_secs_f64();
    let gone = if whole > 0.0 { (now.since(begun).as_secs_f64() / whole).min(1.0) } else { 1.0 };
    let reached =
        if target > 0 { f64::from(completes.min(target)) / f64::from(target) } else { 1.0 };
    gone - reached
}

/// Returns a sort key by risk, the greatest first: by the chance of reaching the target if it is
/// known, then by how far completes are behind schedule; applications not in the field come last.
pub fn risk_order(chance: Option<f64>, behind: Option<f64>) -> (bool, i64, i64) {
    let millionths = |value: f64| (value * 1e6) as i64;
    (
        behind.is_none(),
        chance.map_or(0, |chance| millionths(chance.max(0.0))),
        behind.map_or(0, |behind| millionths(-behind)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn programme(more: &str) -> Programme {
        Programme::parse(&format!(
            "code = \"p\"\nname = {{ zh = \"评价\", en = \"Rating\" }}\n{more}"
        ))
        .unwrap()
    }

    fn received(day: NaiveDate) -> DeadlineInputs {
        DeadlineInputs { list_received: Some(day), ..DeadlineInputs::default() }
    }

    #[test]
    fn months_end_on_the_last_day_of_a_shorter_month() {
        let due = |day| Deadline::of(&received(day), &programme("")).unwrap().certificate_due;
        assert_eq!(due(day(2026, 1, 31)), day(2026, 4, 30));
        assert_eq!(due(day(2025, 11, 30)), day(2026, 2, 28));
        assert_eq!(due(day(2023, 11, 30)), day(2024, 2, 29));
        assert_eq!(due(day(2026, 3, 15)), day(2026, 6, 15));
        assert_eq!(
            Deadline::of(&received(day(2026, 3, 15)), &programme("")).unwrap().dataset_due,
            day(2026, 5, 26)
        );
    }

    #[test]
    fn the_days_run_from_the_later_of_list_and_fee_and_are_added_to() {
        let with_fee = programme("fee_first = true\n");
        let mut counted = received(day(2026, 3, 15));
        assert_eq!(Deadline::of(&counted, &with_fee), Err(NotStarted::FeeNotSettled));
        assert_eq!(Deadline::of(&DeadlineInputs::default(), &with_fee), Err(NotStarted::NoList));
        counted.fee_settled = Some(day(2026, 3, 1));
        assert_eq!(Deadline::of(&counted, &with_fee).unwrap().begins, day(2026, 3, 15));
        counted.fee_settled = Some(day(2026, 4, 2));
        assert_eq!(Deadline::of(&counted, &with_fee).unwrap().certificate_due, day(2026, 7, 2));
        counted.extended_days = 10;
        let later = Deadline::of(&counted, &with_fee).unwrap();
        assert_eq!(
            (later.certificate_due, later.dataset_due),
            (day(2026, 7, 12), day(2026, 6, 22))
        );
        assert_eq!(
            Deadline::of(&counted, &programme("")).unwrap().begins,
            day(2026, 3, 15),
            "other programmes do not wait for the fee"
        );
    }

    #[test]
    fn the_field_closes_when_the_due_day_is_over() {
        let zone = chrono_tz::Asia::Shanghai;
        let deadline = Deadline::of(&received(day(2026, 3, 15)), &programme("")).unwrap();
        assert_eq!(deadline.field_closes_at(zone).rfc3339(zone), "2026-05-27T00:00:00+08:00");
    }

    #[test]
    fn danger_is_time_gone_without_completes() {
        let at = |hours: i64| Timestamp(hours * 3_600_000);
        assert_eq!(schedule_lag(at(0), at(100), at(50), 50, 100), 0.0);
        assert_eq!(schedule_lag(at(0), at(100), at(100), 0, 100), 1.0);
        assert!(schedule_lag(at(0), at(100), at(10), 90, 100) < -0.7);
        assert_eq!(schedule_lag(at(0), at(100), at(200), 100, 100), 0.0);
    }
}
