//! Interviewers' shifts: who is expected now, who calls, and what of the target is done. A shift
//! blocks nothing: the queue serves an interviewer at any hour.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono_tz::Tz;

use super::CallCenterError;
use super::supervision::interviewers;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::calls::{self, Call};
use crate::adapters::database::shifts::{self, StoredShift};
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::AccountId;
use crate::domain::shift::{Shift, ShiftDay};
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// Whoever had a person on the screen within this time is present.
const RECENT: Duration = Duration::from_secs(15 * 60);
const ZONE: Tz = chrono_tz::Asia::Shanghai;

/// Whether an interviewer calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Has a person on the screen.
    OnCall,
    /// Had one within the last quarter of an hour.
    Recent,
    Away,
}

/// A shift of an interviewer.
#[derive(Debug, Clone)]
pub struct InterviewerShift {
    pub id: i64,
    /// The account's name.
    pub name: String,
    pub shift: Shift,
}

/// A shift that is on.
#[derive(Debug, Clone)]
pub struct CurrentShift {
    pub name: String,
    pub shift: Shift,
    pub until: Timestamp,
    pub presence: Presence,
    /// Since the beginning of the shift.
    pub interviews: u32,
    pub calls: u32,
}

/// The shifts, as of now.
#[derive(Debug, Clone, Default)]
pub struct ShiftPlan {
    pub all: Vec<InterviewerShift>,
    pub current: Vec<CurrentShift>,
    /// Those who call outside their shifts, or have none.
    pub unexpected: Vec<String>,
}

impl ShiftPlan {
    pub fn present(&self) -> usize {
        self.current.iter().filter(|shift| shift.presence != Presence::Away).count()
    }
}

/// Returns all shifts, and those that are on.
pub async fn shift_plan(context: &AppContext) -> Result<ShiftPlan, CallCenterError> {
    let now = context.clock.now();
    let accounts: BTreeMap<AccountId, String> = interviewers(context)
        .await?
        .into_iter()
        .map(|account| (account.id, account.name))
        .collect();
    let mut connection = context.database.read().await?;
    let stored: Vec<StoredShift> = shifts::all(&mut connection)
        .await?
        .into_iter()
        .filter(|shift| accounts.contains_key(&shift.account))
        .collect();
    // A shift lasts a day at most.
    let since = now - Duration::from_secs(86_400);
    let calls = calls::all_since(&mut connection, since).await?;
    let mut plan = ShiftPlan::default();
    let mut expected = Vec::new();
    for stored in stored {
        let name = accounts.get(&stored.account).cloned().unwrap_or_default();
        if let Some((from, until)) = stored.shift.span_at(now, ZONE) {
            expected.push(stored.account);
            let (interviews, dialled) = done(&calls, stored.account, from);
            plan.current.push(CurrentShift {
                name: name.clone(),
                shift: stored.shift,
                until,
                presence: presence(&calls, stored.account, now),
                interviews,
                calls: dialled,
            });
        }
        plan.all.push(InterviewerShift { id: stored.id, name, shift: stored.shift });
    }
    plan.unexpected = accounts
        .into_iter()
        .filter(|(account, _)| {
            !expected.contains(account) && presence(&calls, *account, now) != Presence::Away
        })
        .map(|(_, name)| name)
        .collect();
    Ok(plan)
}

/// Counts an interviewer's interviews and dialled numbers since a moment.
fn done(calls: &[Call], account: AccountId, since: Timestamp) -> (u32, u32) {
    let mut counts = (0, 0);
    for call in calls.iter().filter(|call| call.account == account && call.begun_at >= since) {
        let Some(outcome) = call.outcome else { continue };
        counts.0 += u32::from(outcome == CallOutcome::Interviewed);
        counts.1 += u32::from(outcome.is_attempt());
    }
    counts
}

fn presence(calls: &[Call], account: AccountId, now: Timestamp) -> Presence {
    let Some(last) = calls.iter().rfind(|call| call.account == account) else {
        return Presence::Away;
    };
    match last.ended_at {
        None => Presence::OnCall,
        Some(ended) if ended + RECENT > now => Presence::Recent,
        Some(_) => Presence::Away,
    }
}

/// An interviewer's own shifts: the one that is on, and the next.
#[derive(Debug, Clone, Default)]
pub struct OwnShifts {
    pub has_any: bool,
    pub current: Option<CurrentShift>,
    pub next: Option<(Timestamp, Timestamp)>,
}

pub async fn own_shifts(
    context: &AppContext,
    account: &Account,
) -> Result<OwnShifts, CallCenterError> {
    let now = context.clock.now();
    let plan = shift_plan(context).await?;
    let own: Vec<&InterviewerShift> =
        plan.all.iter().filter(|shift| shift.name == account.name).collect();
    Ok(OwnShifts {
        has_any: !own.is_empty(),
        next: own.iter().filter_map(|own| own.shift.next_after(now, ZONE)).min(),
        current: plan.current.into_iter().find(|shift| shift.name == account.name),
    })
}

/// Adds a shift, and writes it into the audit log.
///
/// # Errors
/// [`CallCenterError::UnknownInterviewer`]: there is no such account, or it does not interview.
pub async fn add_shift(
    context: &AppContext,
    by: &Actor,
    name: &str,
    shift: &Shift,
) -> Result<(), CallCenterError> {
    let known = interviewers(context).await?.into_iter().find(|account| account.name == name);
    let account = known.ok_or_else(|| CallCenterError::UnknownInterviewer(name.to_owned()))?;
    let day = match shift.day {
        ShiftDay::Weekly(day) => day.to_string(),
        ShiftDay::Once(day) => day.to_string(),
    };
    let target = shift
        .target
        .map_or_else(String::new, |target| format!(" {} {}", target.as_str(), target.count()));
    let detail =
        format!("{day} {}-{}{target}", shift.from.format("%H:%M"), shift.to.format("%H:%M"));
    let mut tx = context.database.write().await?;
    shifts::add(&mut tx, account.id, shift).await?;
    let object = format!("account:{name}");
    context.audit_with_detail(&mut tx, by, Action::ShiftAdded, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes a shift, and writes it into the audit log. Returns false if there is none.
pub async fn remove_shift(
    context: &AppContext,
    by: &Actor,
    id: i64,
) -> Result<bool, CallCenterError> {
    let mut tx = context.database.write().await?;
    if !shifts::remove(&mut tx, id).await? {
        return Ok(false);
    }
    context.audit(&mut tx, by, Action::ShiftRemoved, &format!("shift:{id}")).await?;
    tx.commit().await?;
    Ok(true)
}
