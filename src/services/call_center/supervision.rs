//! The supervisor's view and actions: the queue, the current leases, and assignments to
//! interviewers.

use std::collections::BTreeMap;

use super::CallCenterError;
use super::outcome::check_call_back;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::links;
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{AccountId, CallId, CampaignId, CaseId, InvitationId};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::open_person;

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
    /// The same, each with its case.
    pub case_list: Vec<(CaseId, String)>,
    pub next_at: Option<Timestamp>,
    pub promised_at: Option<Timestamp>,
    pub calls: u32,
    pub max_calls: u32,
    pub assigned_to: Option<String>,
    /// The interviewer whose screen the person is on.
    pub on_screen_of: Option<String>,
    /// The call on that screen.
    pub call: Option<CallId>,
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
    let states: BTreeMap<CampaignId, (String, CampaignState)> = campaigns::all(&mut connection)
        .await?
        .into_iter()
        .map(|campaign| (campaign.id, (campaign.code, campaign.state)))
        .collect();
    let state = |entry: &QueueEntry| states.get(&entry.campaign).map(|(_, state)| *state);
    // Nobody of a closed campaign is called any more; a call that goes on is shown to its end.
    all.retain(|entry| {
        state(entry).is_some_and(|state| state != CampaignState::Closed)
            || current_interviewer(entry).is_some()
    });
    let can_be_called = |entry: &QueueEntry| {
        current_interviewer(entry).is_none()
            && entry.next_at.is_some_and(|at| at <= now)
            && state(entry) == Some(CampaignState::Running)
    };
    let mut dashboard = SupervisionDashboard {
        queued: all.len(),
        due: all.iter().filter(|entry| can_be_called(entry)).count(),
        promised: all.iter().filter(|w| w.promised_at.is_some()).count(),
        on_screens: all.iter().filter(|w| current_interviewer(w).is_some()).count(),
        rows: Vec::new(),
    };
    all.sort_by_key(|w| {
        (current_interviewer(w).is_none(), w.promised_at.is_none(), w.next_at, w.invitation)
    });
    // Every appointment is listed, for the calendar.
    let mut listed = 0;
    all.retain(|entry| {
        listed += 1;
        listed <= MAX_LISTED || entry.promised_at.is_some()
    });
    let ids: Vec<InvitationId> = all.iter().map(|entry| entry.invitation).collect();
    let cases: BTreeMap<InvitationId, String> =
        call_queue::cases_of(&mut connection, &ids).await?.into_iter().collect();
    let mut case_list: BTreeMap<InvitationId, Vec<(CaseId, String)>> = BTreeMap::new();
    for (invitation, case, name) in call_queue::case_list(&mut connection, &ids).await? {
        case_list.entry(invitation).or_default().push((case, name));
    }
    for entry in all {
        let code = states.get(&entry.campaign).map(|(code, _)| code.clone()).unwrap_or_default();
        dashboard.rows.push(QueueDashboardRow {
            invitation: entry.invitation,
            campaign: code,
            case_list: case_list.remove(&entry.invitation).unwrap_or_default(),
            cases: cases.get(&entry.invitation).cloned().unwrap_or_default(),
            next_at: entry.next_at,
            promised_at: entry.promised_at,
            calls: entry.calls,
            max_calls: entry.max_calls,
            assigned_to: entry.assigned_to.and_then(|account| names.get(&account).cloned()),
            call: entry.call.filter(|_| current_interviewer(&entry).is_some()),
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
    match assign_all(context, by, &[invitation], to).await? {
        0 => Err(CallCenterError::NotInQueue),
        _ => Ok(()),
    }
}

/// Assigns people to one interviewer, or to all if the name is empty. Returns how many were; the
/// others have left the queue meanwhile.
pub async fn assign_all(
    context: &AppContext,
    by: &Actor,
    invitations: &[InvitationId],
    to: &str,
) -> Result<usize, CallCenterError> {
    let account = match to {
        "" => None,
        name => {
            let known =
                interviewers(context).await?.into_iter().find(|account| account.name == name);
            Some(known.ok_or_else(|| CallCenterError::UnknownInterviewer(name.to_owned()))?.id)
        }
    };
    let mut assigned = 0;
    let mut tx = context.database.write().await?;
    for invitation in invitations {
        if call_queue::assign(&mut tx, *invitation, account).await? {
            let object = format!("invitation:{}", invitation.0);
            context.audit(&mut tx, by, Action::CaseAssigned, &object).await?;
            assigned += 1;
        }
    }
    tx.commit().await?;
    Ok(assigned)
}

/// Moves an appointment to another time, under the rules of an agreed one: to come, within the
/// person's contact hours, before the field closes. Returns false if there is none any more, or the
/// person is on a screen.
///
/// # Errors
/// [`CallCenterError::TimeInPast`], [`CallCenterError::OutsideHours`] and
/// [`CallCenterError::AfterFieldCloses`], as when an interviewer agrees on a time.
pub async fn move_appointment(
    context: &AppContext,
    by: &Actor,
    invitation: InvitationId,
    to: Timestamp,
) -> Result<bool, CallCenterError> {
    let mut tx = context.database.write().await?;
    let Some(entry) = call_queue::find(&mut tx, invitation).await? else { return Ok(false) };
    let Some(from) = entry.promised_at else { return Ok(false) };
    check_call_back(&mut tx, &entry, to, context.clock.now()).await?;
    if !call_queue::move_promise(&mut tx, invitation, (from, to)).await? {
        return Ok(false);
    }
    let zone = chrono_tz::Asia::Shanghai;
    let (object, detail) = (
        format!("invitation:{}", invitation.0),
        format!("{} > {}", from.rfc3339(zone), to.rfc3339(zone)),
    );
    context.audit_with_detail(&mut tx, by, Action::AppointmentMoved, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(true)
}

/// Returns the names of the people of these rows. Each is written into the audit log, under its
/// cases, before any is opened.
pub async fn reveal_names(
    context: &AppContext,
    by: &Actor,
    rows: &[QueueDashboardRow],
) -> Result<BTreeMap<InvitationId, Personal>, CallCenterError> {
    let mut tx = context.database.write().await?;
    for (case, _) in rows.iter().flat_map(|row| &row.case_list) {
        let object = format!("case:{}", case.0);
        context.audit(&mut tx, by, Action::CasePersonViewed, &object).await?;
    }
    tx.commit().await?;
    let mut names = BTreeMap::new();
    let mut connection = context.database.read().await?;
    for row in rows {
        let to = links::invited_person(&mut connection, row.invitation).await?;
        // A person who was erased meanwhile has no name.
        let sealer = context.keys.sealer(&to.key_id).ok();
        if let Some(person) = sealer.and_then(|key| open_person(&key, &to.person_sealed).ok()) {
            names.insert(row.invitation, person.name);
        }
    }
    Ok(names)
}
