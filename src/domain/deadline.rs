//! From the day a list was received to the day the dataset is due.

use chrono::{Days, Months, NaiveDate};
use chrono_tz::Tz;

use super::time::Timestamp;

/// The days that bind an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The certificate must be out by the end of this day.
    pub certificate_due: NaiveDate,
    /// The dataset must be with scoring by the end of this day.
    pub dataset_due: NaiveDate,
}

impl Deadline {
    /// Calendar months after the list was received, as a contract counts them: the same day of the month, or the last day of a shorter one
    /// (31 January + 3 months = 30 April). Scoring and review need the last `lead_days` of that time.
    pub fn from_receipt(received: NaiveDate, months: u32, lead_days: u32) -> Deadline {
        let certificate_due = received.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX);
        let dataset_due = certificate_due.checked_sub_days(Days::new(lead_days.into())).unwrap_or(received);
        Deadline { certificate_due, dataset_due }
    }

    /// The instant at which the field must be closed: the end of the due day in the programme's zone.
    pub fn field_closes_at(&self, zone: Tz) -> Timestamp {
        Timestamp::start_of_day(self.dataset_due.succ_opt().unwrap_or(self.dataset_due), zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_on_the_last_day_of_a_shorter_month() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        let due = |received| Deadline::from_receipt(received, 3, 20).certificate_due;
        assert_eq!(due(day(2026, 1, 31)), day(2026, 4, 30));
        assert_eq!(due(day(2025, 11, 30)), day(2026, 2, 28));
        assert_eq!(due(day(2023, 11, 30)), day(2024, 2, 29));
        assert_eq!(due(day(2026, 3, 15)), day(2026, 6, 15));
        assert_eq!(Deadline::from_receipt(day(2026, 3, 15), 3, 20).dataset_due, day(2026, 5, 26));
    }

    #[test]
    fn the_field_closes_when_the_due_day_is_over() {
        let deadline = Deadline::from_receipt(NaiveDate::from_ymd_opt(2026, 3, 15).unwrap(), 3, 20);
        let zone = chrono_tz::Asia::Shanghai;
        assert_eq!(deadline.field_closes_at(zone).rfc3339(zone), "2026-05-27T00:00:00+08:00");
    }
}
