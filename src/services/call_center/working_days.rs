//! Interviewers' working days: calls, contacts, interviews, refusals, time and promises.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;

use super::CallCenterError;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::calls;
use crate::domain::ids::AccountId;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// A promised call is kept from this long before its time
const EARLY: Duration = Duration::from_secs(10 * 60);
/// until this long after it.
const LATE: Duration = Duration::from_secs(30 * 60);

/// One interviewer's day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingDay {
    pub day: NaiveDate,
    /// The account's name.
    pub name: String,
    pub calls: u32,
    /// Calls in which a person was reached.
    pub contacts: u32,
    pub interviews: u32,
    pub refusals: u32,
    /// The time on the questionnaire's pages.
    pub interviewing: Duration,
    /// Promises of this interviewer for the day whose time has come, and those kept by anybody.
    pub promises_due: u32,
    pub promises_kept: u32,
    /// Promises for later on the day.
    pub promises_ahead: u32,
}

/// Returns the working days of a span, the latest first, of one interviewer or of all by name. Days
/// without calls and promises are left out.
pub async fn working_days(
    context: &AppContext,
    (first, last): (NaiveDate, NaiveDate),
    of: Option<&Account>,
) -> Result<Vec<WorkingDay>, CallCenterError> {
    let zone = chrono_tz::Asia::Shanghai;
    let now = context.clock.now();
    let after = last.succ_opt().unwrap_or(last);
    let span = (Timestamp::start_of_day(first, zone), Timestamp::start_of_day(after, zone));
    let account = of.map(|account| account.id);
    let mut connection = context.database.read().await?;
    let mut days: BTreeMap<(NaiveDate, AccountId), WorkingDay> = BTreeMap::new();
    for call in calls::worked_between(&mut connection, span, account).await? {
        let day = days.entry((call.begun_at.date(zone), call.account)).or_default();
        day.calls += u32::from(call.outcome.is_attempt());
        day.contacts += u32::from(call.outcome.is_reached());
        day.interviews += u32::from(call.outcome == CallOutcome::Interviewed);
        day.refusals += u32::from(matches!(
            call.outcome,
            CallOutcome::SoftRefusal | CallOutcome::HardRefusal | CallOutcome::RefusedByOther
        ));
        day.interviewing += Duration::from_millis(call.millis);
    }
    for promise in calls::promised_between(&mut connection, span, account, (EARLY, LATE)).await? {
        let day = days.entry((promise.at.date(zone), promise.account)).or_default();
        if promise.is_kept {
            day.promises_due += 1;
            day.promises_kept += 1;
        } else if promise.at + LATE <= now {
            day.promises_due += 1;
        } else {
            day.promises_ahead += 1;
        }
    }
    let names: BTreeMap<AccountId, String> = accounts::all(&mut connection)
        .await?
        .into_iter()
        .map(|account| (account.id, account.name))
        .collect();
    let mut days: Vec<WorkingDay> = days
        .into_iter()
        .map(|((date, account), day)| WorkingDay {
            day: date,
            name: names.get(&account).cloned().unwrap_or_default(),
            ..day
        })
        .collect();
    days.sort_by(|one, other| other.day.cmp(&one.day).then_with(|| one.name.cmp(&other.name)));
    Ok(days)
}
