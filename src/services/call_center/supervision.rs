//! The supervisor's view and actions: the queue, the current leases, and assignments to
//! interviewers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::CallCenterError;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::campaigns;
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{AccountId, InvitationId};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The number of queue entries listed: those on a screen first, then by time.
const MAX_LISTED: usize = 200;

/// The state of the queue, without names and numbers.
#[derive(Debug, Clone)]
pub struct SupervisionDashboard {
    pub queued: usize,
    pub due: usize,
    pub promised: usize,
    pub on_screens: usize,
    pub rows: Vec<QueueDashboardRow>,
}

#[derive(Debug, Clone)]
pub struct QueueDashboardRow {
    pub invitation: InvitationId,
    pub campaign: String,
    /// `APPLICATION/PSEUDONYM`.
    pub cases: String,
    pub next_at: Option<Timestamp>,
    pub promised_at: Option<Timestamp>,
    pub calls: u32,
    pub max_calls: u32,
    pub assigned_to: Option<String>,
    /// The interviewer whose screen the person is on.
    pub on_screen_of: Option<String>,
}

pub async fn supervision_dashboard(
    context: &AppContext,
) -> Result<SupervisionDashboard, CallCenterError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let mut all = call_queue::all(&mut connection, None).await?;
    let current_interviewer = |entry: &QueueEntry| {
        entry.leased_by.filter(|_| entry.leased_until.is_some_and(|until| until > now))
    };
    let names: BTreeMap<AccountId, String> = accounts::all(&mut connection)
        .await?
        .into_iter()
        .map(|account| (account.id, account.name))
        .collect();
    let mut dashboard = SupervisionDashboard {
        queued: all.len(),
        due: all
            .iter()
            .filter(|w| current_interviewer(w).is_none() && w.next_at.is_some_and(|at| at <= now))
            .count(),
        promised: all.iter().filter(|w| w.promised_at.is_some()).count(),
        on_screens: all.iter().filter(|w| current_interviewer(w).is_some()).count(),
        rows: Vec::new(),
    };
    all.sort_by_key(|w| {
        (current_interviewer(w).is_none(), w.promised_at.is_none(), w.next_at, w.invitation)
    });
    all.truncate(MAX_LISTED);
    let ids: Vec<InvitationId> = all.iter().map(|entry| entry.invitation).collect();
    let cases: BTreeMap<InvitationId, String> =
        call_queue::cases_of(&mut connection, &ids).await?.into_iter().collect();
    let mut codes = BTreeMap::new();
    for entry in all {
        let code: &String = match codes.entry(entry.campaign) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(campaigns::get(&mut connection, entry.campaign).await?.code)
            }
        };
        dashboard.rows.push(QueueDashboardRow {
            invitation: entry.invitation,
            campaign: code.clone(),
            cases: cases.get(&entry.invitation).cloned().unwrap_or_default(),
            next_at: entry.next_at,
            promised_at: entry.promised_at,
            calls: entry.calls,
            max_calls: entry.max_calls,
            assigned_to: entry.assigned_to.and_then(|account| names.get(&account).cloned()),
            on_screen_of: current_interviewer(&entry)
                .and_then(|account| names.get(&account).cloned()),
        });
    }
    Ok(dashboard)
}

/// Returns the accounts that entries may be assigned to.
pub async fn interviewers(context: &AppContext) -> Result<Vec<Account>, CallCenterError> {
    let all = accounts::all(&mut *context.database.read().await?).await?;
    let interviews = |account: &Account| {
        account.disabled_at.is_none()
            && account.role.may(crate::domain::role::Permission::Interview)
    };
    Ok(all.into_iter().filter(interviews).collect())
}

/// Assigns a person to one interviewer, or to all if the name is empty.
pub async fn assign(
    context: &AppContext,
    by: &Actor,
    invitation: InvitationId,
    to: &str,
) -> Result<(), CallCenterError> {
    let account = match to {
        "" => None,
        name => {
            let known =
                interviewers(context).await?.into_iter().find(|account| account.name == name);
            Some(known.ok_or_else(|| CallCenterError::UnknownInterviewer(name.to_owned()))?.id)
        }
    };
    let mut tx = context.database.write().await?;
    if !call_queue::assign(&mut tx, invitation, account).await? {
        return Err(CallCenterError::NotInQueue);
    }
    context
        .audit(&mut tx, by, Action::CaseAssigned, &format!("invitation:{}", invitation.0))
        .await?;
    tx.commit().await?;
    Ok(())
}
