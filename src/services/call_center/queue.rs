//! The call queue: leases one person to one interviewer when the rules allow a call at this moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use sqlx::AnyConnection;

use super::CallCenterError;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::calls::{self, CallEnding, NewCall, Purpose};
use crate::adapters::database::invitations::{self, InvitedCase};
use crate::adapters::database::{
    DatabaseError, WriteTx, campaigns, cases, messages, programmes, quotas, suppressions,
};
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::{ApplicationId, CallId, CampaignId, InvitationId};
use crate::domain::seeded_random::seeded_fraction;
use crate::domain::telephone::{CallOutcome, CallPriority, DayPart};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::AppContext;
use crate::services::sms_sending::eligibility::{earliest_within_caps, may_be_contacted};
use crate::services::stuck_work::{Isolation, WorkKind};

/// The duration of a lease after the interviewer's last request, on a page without a script.
pub const UNSCRIPTED_LEASE: Duration = Duration::from_secs(20 * 60);
/// The duration of a lease after each heartbeat, on a page with a script.
pub const HEARTBEAT_LEASE: Duration = Duration::from_secs(60);
/// The number of queue entries that one scan reads.
const SCAN_SIZE: u32 = 50;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// The interval at which an application on hold is checked again.
const HOLD_RECHECK_INTERVAL: Duration = Duration::from_secs(6 * 3_600);
/// The delay before an entry is checked again that has changed since the scan, or is on a screen
/// for another campaign.
const RECHECK_AFTER: Duration = Duration::from_secs(10 * 60);

/// A lease: the invitation on an interviewer's screen, and its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub call: CallId,
    pub invitation: InvitationId,
}

/// Returns the interviewer's current lease.
pub async fn current_lease(
    context: &AppContext,
    account: &Account,
) -> Result<Option<Lease>, CallCenterError> {
    let now = context.clock.now();
    let leased = call_queue::leased_by(&mut *context.database.read().await?, account.id).await?;
    let is_live = |entry: &QueueEntry| entry.leased_until.is_some_and(|until| until > now);
    Ok(leased
        .filter(is_live)
        .and_then(|entry| Some(Lease { call: entry.call?, invitation: entry.invitation })))
}

/// Leases the next person to the interviewer, or returns the current lease. `None`: nobody can be
/// called now.
pub async fn lease_next(
    context: &AppContext,
    account: &Account,
) -> Result<Option<Lease>, CallCenterError> {
    release_expired_leases(context).await?;
    if let Some(lease) = current_lease(context, account).await? {
        return Ok(Some(lease));
    }
    loop {
        let now = context.clock.now();
        let scan = QueueScan::run(context, account, now).await?;
        if scan.is_empty {
            return Ok(None);
        }
        let mut tx = context.database.write().await?;
        call_queue::reschedule(&mut tx, &scan.put_off).await?;
        for (entry, part) in &scan.callable {
            if let Some(lease) = lease_person(context, &mut tx, account, entry, *part, now).await? {
                tx.commit().await?;
                return Ok(Some(lease));
            }
            call_queue::reschedule(&mut tx, &[(entry.invitation, Some(now + RECHECK_AFTER))])
                .await?;
        }
        tx.commit().await?;
    }
}

/// Leases one person, if nothing has changed since the scan.
async fn lease_person(
    context: &AppContext,
    tx: &mut WriteTx,
    account: &Account,
    entry: &QueueEntry,
    day_part: DayPart,
    now: Timestamp,
) -> Result<Option<Lease>, CallCenterError> {
    // Another interviewer may have leased the person, or a message may have been sent to this
    // number.
    if calls::is_being_called(tx, &entry.phone_hash, entry.invitation, now).await?
        || !call_queue::lease(tx, entry.invitation, account.id, now + UNSCRIPTED_LEASE, now).await?
    {
        return Ok(None);
    }
    let programme = campaigns::get(tx, entry.campaign).await?.programme_id;
    let programme = programmes::get(tx, programme).await?.code;
    if !invitations::filter_sendable(tx, &[entry.invitation], &programme, now)
        .await?
        .contains(&entry.invitation)
    {
        return Ok(None);
    }
    let new = NewCall {
        invitation: entry.invitation,
        campaign: entry.campaign,
        step: entry.step,
        account: account.id,
        purpose: Purpose::Interview,
        day_part,
    };
    let call = calls::record_begin(tx, &new, now).await?;
    call_queue::set_call(tx, entry.invitation, call).await?;
    // From here on the number is on a screen.
    context
        .audit(
            tx,
            &Actor::console(&account.name),
            Action::CallPersonViewed,
            &format!("call:{}", call.0),
        )
        .await?;
    Ok(Some(Lease { call, invitation: entry.invitation }))
}

/// Renews a lease while its page is open. `is_scripted`: the page sends heartbeats.
pub async fn renew(
    context: &AppContext,
    account: &Account,
    call: CallId,
    is_scripted: bool,
) -> Result<(), CallCenterError> {
    let until = context.clock.now() + if is_scripted { HEARTBEAT_LEASE } else { UNSCRIPTED_LEASE };
    let mut tx = context.database.write().await?;
    if !call_queue::renew(&mut tx, call, account.id, until).await? {
        return Err(CallCenterError::CallOver);
    }
    tx.commit().await?;
    Ok(())
}

/// Releases leases whose pages are no longer open.
pub async fn release_expired_leases(context: &AppContext) -> Result<(), CallCenterError> {
    let now = context.clock.now();
    let lost = call_queue::expired_leases(&mut *context.database.read().await?, now).await?;
    if lost.is_empty() {
        return Ok(());
    }
    let mut isolation = Isolation::load(context, WorkKind::CallLease).await?;
    for entry in lost {
        let item = entry.invitation.0.to_string();
        if !isolation.holds_back(&item) {
            let result = release_expired_lease(context, &entry, now).await;
            isolation.record(&item, result).await?;
        }
    }
    Ok(())
}

async fn release_expired_lease(
    context: &AppContext,
    entry: &QueueEntry,
    now: Timestamp,
) -> Result<(), CallCenterError> {
    let Some(call) = entry.call else { return Ok(()) };
    let mut tx = context.database.write().await?;
    // A person with no open case left has completed the interview.
    let is_done = cases::open_of_invitations(&mut tx, &[entry.invitation]).await?.is_empty();
    let outcome = if is_done { CallOutcome::Interviewed } else { CallOutcome::Lost };
    let still_lost = call_queue::find(&mut tx, entry.invitation)
        .await?
        .is_some_and(|w| w.call == Some(call) && w.leased_until == entry.leased_until);
    if !still_lost {
        return Ok(());
    }
    let ended = entry.leased_until.unwrap_or(now);
    let ending = CallEnding { outcome, call_back_at: None, note_sealed: None };
    match super::outcome::end_call(context, &mut tx, entry, call, &ending, None, ended).await {
        // Another daemon has ended the call meanwhile.
        Err(CallCenterError::CallOver) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Ok(tx.commit().await?),
    }
}

/// A queue entry that may be called now, and the part of the day in its time zone.
type Callable = (QueueEntry, DayPart);

/// The result of a scan of the queue.
struct QueueScan {
    is_empty: bool,
    /// The entries that may be called now, by priority, each with the part of the day in its time
    /// zone.
    callable: Vec<Callable>,
    put_off: Vec<(InvitationId, Option<Timestamp>)>,
}

impl QueueScan {
    async fn run(
        context: &AppContext,
        account: &Account,
        now: Timestamp,
    ) -> Result<QueueScan, CallCenterError> {
        let mut connection = context.database.read().await?;
        let zone = chrono_tz::Asia::Shanghai;
        let due = call_queue::due(
            &mut connection,
            account.id,
            &account.languages,
            DayPart::of(now, zone),
            now,
            SCAN_SIZE,
        )
        .await?;
        if due.is_empty() {
            return Ok(QueueScan { is_empty: true, callable: Vec::new(), put_off: Vec::new() });
        }
        let ids: Vec<InvitationId> = due.iter().map(|entry| entry.invitation).collect();
        let hashes: Vec<String> = due.iter().map(|entry| entry.phone_hash.clone()).collect();
        let mut cases_by_invitation: HashMap<InvitationId, Vec<InvitedCase>> = HashMap::new();
        for case in invitations::cases_of(&mut connection, &ids).await? {
            cases_by_invitation.entry(case.invitation).or_default().push(case);
        }
        let needs = CellNeeds::of(&mut connection, &ids).await?;
        let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
        let sent = messages::recent_contacts(&mut connection, &hashes, now - WEEK).await?;
        for (hash, at) in sent
            .into_iter()
            .chain(calls::recent_contacts(&mut connection, &hashes, now - WEEK).await?)
        {
            contacts.entry(hash).or_default().push(at);
        }
        let mut plans: HashMap<CampaignId, (ContactPlan, String)> = HashMap::new();
        let mut suppressed: HashMap<String, HashMap<String, Option<Timestamp>>> = HashMap::new();
        for entry in &due {
            if plans.contains_key(&entry.campaign) {
                continue;
            }
            let campaign = campaigns::get(&mut connection, entry.campaign).await?;
            let plan = ContactPlan::from_stored(&campaign.plan)
                .map_err(|error| CallCenterError::Plan { code: campaign.code, error })?;
            let programme = programmes::get(&mut connection, campaign.programme_id).await?.code;
            if !suppressed.contains_key(&programme) {
                suppressed.insert(
                    programme.clone(),
                    suppressions::among(&mut connection, &hashes, &programme, now).await?,
                );
            }
            plans.insert(entry.campaign, (plan, programme));
        }
        let (mut callable, mut put_off) = (Vec::new(), Vec::new());
        for entry in due {
            let Some((plan, programme)) = plans.get(&entry.campaign) else { continue };
            let zones = plan.zones_of(entry.zone.as_deref());
            let until = suppressed
                .get(programme)
                .and_then(|by_phone| by_phone.get(&entry.phone_hash))
                .copied();
            let cases =
                cases_by_invitation.get(&entry.invitation).map(Vec::as_slice).unwrap_or_default();
            let reached = contacts.get(&entry.phone_hash).map(Vec::as_slice).unwrap_or_default();
            let is_promised = entry.promised_at.is_some_and(|at| at <= now);
            let allowed = match until {
                Some(None) => CallPermission::Never,
                Some(Some(until)) if until > now => CallPermission::From(until),
                _ if !cases.iter().any(|case| may_be_contacted(case, now)) => {
                    if cases.iter().any(|case| case.is_open && case.is_held) {
                        CallPermission::From(now + HOLD_RECHECK_INTERVAL)
                    } else {
                        CallPermission::Never
                    }
                }
                // A promised call was requested by the respondent, so the caps do not apply.
                _ if is_promised => permitted_from(plan, &zones, now),
                _ => permitted_from(
                    plan,
                    &zones,
                    now.max(earliest_within_caps(reached, &context.config.caps)),
                ),
            };
            match allowed {
                CallPermission::Never => put_off.push((entry.invitation, None)),
                CallPermission::From(at) if at > now => put_off.push((entry.invitation, Some(at))),
                CallPermission::From(_) => {
                    let part = DayPart::of(now, zones.iter().next().unwrap_or(plan.time_zone));
                    let place = (seeded_fraction(&entry.phone_hash, 0x7e1e) * 1e9) as u64;
                    let rank = CallPriority::new(
                        entry.promised_at.filter(|_| is_promised),
                        entry.refused_to == Some(account.id),
                        entry.tried_day_parts & part.bit() != 0,
                        entry.calls,
                        needs.of_invitation(entry.invitation),
                        place,
                    );
                    callable.push((rank, (entry, part)));
                }
            }
        }
        callable.sort_by_key(|(rank, _)| *rank);
        Ok(QueueScan {
            is_empty: false,
            callable: callable.into_iter().map(|(_, callable)| callable).collect(),
            put_off,
        })
    }
}

enum CallPermission {
    From(Timestamp),
    Never,
}

fn permitted_from(plan: &ContactPlan, zones: &Zones, at: Timestamp) -> CallPermission {
    plan.hours.next_open(at, zones).map_or(CallPermission::Never, CallPermission::From)
}

/// What the quota cells of each invitation still need, in thousandths of their targets.
struct CellNeeds(HashMap<InvitationId, u32>);

impl CellNeeds {
    async fn of(
        connection: &mut AnyConnection,
        invitations: &[InvitationId],
    ) -> Result<CellNeeds, DatabaseError> {
        let mut cells: HashMap<ApplicationId, Vec<quotas::QuotaCell>> = HashMap::new();
        let mut needs: HashMap<InvitationId, u32> = HashMap::new();
        for (invitation, application, mask) in
            cases::cells_of_invitations(connection, invitations).await?
        {
            let cell_needs = match cells.entry(application) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(quotas::cells(connection, application).await?)
                }
            };
            let need = |(number, cell): (usize, &quotas::QuotaCell)| {
                let is_in = number == 0 || mask & (1 << number) != 0;
                let still = cell.target.saturating_sub(cell.completes);
                is_in.then(|| still * 1000 / cell.target.max(1))
            };
            let most = cell_needs.iter().enumerate().filter_map(need).max().unwrap_or(0);
            let known = needs.entry(invitation).or_default();
            *known = (*known).max(most);
        }
        Ok(CellNeeds(needs))
    }

    fn of_invitation(&self, invitation: InvitationId) -> u32 {
        self.0.get(&invitation).copied().unwrap_or(0)
    }
}

/// Returns the next time at which a call becomes due.
pub async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, CallCenterError> {
    Ok(call_queue::next_after(&mut *context.database.read().await?, context.clock.now()).await?)
}
