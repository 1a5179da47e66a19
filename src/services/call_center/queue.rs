//! The call queue: leases one person to one interviewer when the rules allow a call at this moment.

use std::time::Duration;

use sqlx::AnyConnection;

use super::CallCenterError;
use super::queue_scan::QueueScan;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::calls::{self, CallEnding, NewCall, Purpose};
use crate::adapters::database::invitations;
use crate::adapters::database::{WriteTx, campaigns, programmes};
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{CallId, InvitationId};
use crate::domain::telephone::{CallOutcome, DayPart};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

/// The duration of a lease after the interviewer's last request, on a page without a script.
pub const UNSCRIPTED_LEASE: Duration = Duration::from_secs(20 * 60);
/// The duration of a lease after each heartbeat, on a page with a script. Browsers let a page in the
/// background send one a minute at most.
pub const HEARTBEAT_LEASE: Duration = Duration::from_secs(3 * 60);
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
    live_lease(context, &mut *context.database.read().await?, account).await
}

/// While the clock settles after it was set, a lease lives on that nobody has ended.
async fn live_lease(
    context: &AppContext,
    connection: &mut AnyConnection,
    account: &Account,
) -> Result<Option<Lease>, CallCenterError> {
    let now = context.clock.now();
    let leased = call_queue::leased_by(connection, account.id).await?;
    let is_live = |entry: &QueueEntry| {
        entry.leased_until.is_some_and(|until| until > now) || context.is_clock_settling()
    };
    Ok(leased
        .filter(is_live)
        .and_then(|entry| Some(Lease { call: entry.call?, invitation: entry.invitation })))
}

/// Leases the next person to the interviewer, or returns the current lease: requests of one account
/// wait for each other, and all get the same person. `None`: nobody can be called now.
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
        accounts::hold(&mut tx, account.id).await?;
        if let Some(lease) = live_lease(context, &mut tx, account).await? {
            return Ok(Some(lease));
        }
        call_queue::detach_expired(&mut tx, account.id, now).await?;
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
    begin_call(context, tx, account, entry, day_part, now).await
}

/// Leases the person of a call that broke off, who need not be due again yet.
pub(super) async fn lease_again(
    context: &AppContext,
    tx: &mut WriteTx,
    account: &Account,
    entry: &QueueEntry,
    day_part: DayPart,
    now: Timestamp,
) -> Result<Option<Lease>, CallCenterError> {
    let until = now + UNSCRIPTED_LEASE;
    if calls::is_being_called(tx, &entry.phone_hash, entry.invitation, now).await?
        || !call_queue::lease_again(tx, entry.invitation, account.id, until, now).await?
    {
        return Ok(None);
    }
    begin_call(context, tx, account, entry, day_part, now).await
}

/// Begins the call to a person who is leased now, if the person may be contacted.
async fn begin_call(
    context: &AppContext,
    tx: &mut WriteTx,
    account: &Account,
    entry: &QueueEntry,
    day_part: DayPart,
    now: Timestamp,
) -> Result<Option<Lease>, CallCenterError> {
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
    // While a clock that was set forward settles, open pages renew their leases.
    if context.is_clock_settling() {
        return Ok(());
    }
    let now = context.clock.now();
    let lost = call_queue::expired_leases(&mut *context.database.read().await?, now).await?;
    if lost.is_empty() {
        return Ok(());
    }
    let mut isolation = Isolation::load(context, WorkKind::CallLease).await?;
    for invitation in lost {
        let item = invitation.0.to_string();
        if !isolation.holds_back(&item) {
            let result = release_expired_lease(context, invitation, now).await;
            isolation.record(&item, result).await?;
        }
    }
    Ok(())
}

async fn release_expired_lease(
    context: &AppContext,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<(), CallCenterError> {
    let mut tx = context.database.write().await?;
    let Some(entry) = call_queue::find(&mut tx, invitation).await? else { return Ok(()) };
    // The page may have renewed it meanwhile, and another daemon may have ended the call.
    let (Some(call), Some(ended)) = (entry.call, entry.leased_until.filter(|until| *until <= now))
    else {
        return Ok(());
    };
    // That no case is open any more says nothing: the field may have closed, or the person may have
    // opted out meanwhile. Interviewed is who answered to the end in this call.
    let is_interviewed = calls::has_ended_a_case(&mut tx, call).await?;
    let outcome = if is_interviewed { CallOutcome::Interviewed } else { CallOutcome::Lost };
    let ending = CallEnding { outcome, call_back_at: None, note_sealed: None, dialled_hash: None };
    match super::outcome::end_call(context, &mut tx, &entry, call, &ending, (None, false), ended)
        .await
    {
        // Another daemon has ended the call meanwhile.
        Err(CallCenterError::CallOver) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Ok(tx.commit().await?),
    }
}

/// Returns the next time at which a call becomes due.
pub async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, CallCenterError> {
    Ok(call_queue::next_after(&mut *context.database.read().await?, context.clock.now()).await?)
}
