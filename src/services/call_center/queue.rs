//! Who is called next: one person to one interviewer, when the rules allow a call at this moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use sqlx::AnyConnection;

use super::TelephoneError;
use crate::services::campaigns::read_plan;
use crate::services::sms_sending::eligibility::{caps_allow_from, is_wanted};
use crate::domain::audit::{Action, Actor};
use crate::domain::chance::fraction;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::{ApplicationId, CallId, CampaignId, InvitationId};
use crate::domain::telephone::{CallOutcome, DayPart, Rank};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_queue::{self, Waiting};
use crate::adapters::database::calls::{self, Ending, NewCall, Purpose};
use crate::adapters::database::invitations::{self, InvitedCase};
use crate::adapters::database::{StoreError, WriteTx, campaigns, cases, messages, programmes, quotas, suppressions};

/// A page without a script keeps its person for so long after the last thing that the interviewer sent.
pub const LEASE: Duration = Duration::from_secs(20 * 60);
/// A page whose script tells that it is there keeps its person for so long after each time.
pub const HEARTBEAT_LEASE: Duration = Duration::from_secs(60);
/// Among so many at once the first is looked for.
const WINDOW: u32 = 50;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// While an application is on hold, it is looked again so often whether it still is.
const HELD: Duration = Duration::from_secs(6 * 3_600);
/// Whoever stands otherwise than a moment ago, or is on a screen for another campaign, is looked at again so much later.
const SEEN_OTHERWISE: Duration = Duration::from_secs(10 * 60);

/// A lease: whom an interviewer has on the screen, and the call that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub call: CallId,
    pub invitation: InvitationId,
}

/// What the interviewer has on the screen.
pub async fn current(installation: &Installation, account: &Account) -> Result<Option<Lease>, TelephoneError> {
    let now = installation.clock.now();
    let leased = call_queue::leased_by(&mut *installation.store.read().await?, account.id).await?;
    let is_live = |waiting: &Waiting| waiting.leased_until.is_some_and(|until| until > now);
    Ok(leased.filter(is_live).and_then(|waiting| Some(Lease { call: waiting.call?, invitation: waiting.invitation })))
}

/// Gives the interviewer the next person; whoever is on the screen stays there. `None`: nobody can be called now.
pub async fn next(installation: &Installation, account: &Account) -> Result<Option<Lease>, TelephoneError> {
    release_lost(installation).await?;
    if let Some(lease) = current(installation, account).await? {
        return Ok(Some(lease));
    }
    loop {
        let now = installation.clock.now();
        let looked = Look::at(installation, account, now).await?;
        if looked.nobody {
            return Ok(None);
        }
        let mut tx = installation.store.write().await?;
        call_queue::put_off(&mut tx, &looked.put_off).await?;
        for (waiting, part) in &looked.callable {
            if let Some(lease) = take(installation, &mut tx, account, waiting, *part, now).await? {
                tx.commit().await?;
                return Ok(Some(lease));
            }
            call_queue::put_off(&mut tx, &[(waiting.invitation, Some(now + SEEN_OTHERWISE))]).await?;
        }
        tx.commit().await?;
    }
}

/// Takes one person, if everything is still as it was seen.
async fn take(
    installation: &Installation,
    tx: &mut WriteTx,
    account: &Account,
    waiting: &Waiting,
    part: DayPart,
    now: Timestamp,
) -> Result<Option<Lease>, TelephoneError> {
    // Another interviewer, or a message to this number, may have been quicker.
    if calls::is_on_a_screen(tx, &waiting.phone_hash, waiting.invitation, now).await?
        || !call_queue::lease(tx, waiting.invitation, account.id, now + LEASE, now).await?
    {
        return Ok(None);
    }
    let programme = campaigns::get(tx, waiting.campaign).await?.programme_id;
    let programme = programmes::get(tx, programme).await?.code;
    if !invitations::may_send(tx, &[waiting.invitation], &programme, now).await?.contains(&waiting.invitation) {
        return Ok(None);
    }
    let new = NewCall {
        invitation: waiting.invitation,
        campaign: waiting.campaign,
        step: waiting.step,
        account: account.id,
        purpose: Purpose::Interview,
        part,
    };
    let call = calls::begin(tx, &new, now).await?;
    call_queue::set_call(tx, waiting.invitation, call).await?;
    // From here on the number is on a screen.
    installation.note(tx, &Actor::console(&account.name), Action::ShownCall, &format!("call:{}", call.0)).await?;
    Ok(Some(Lease { call, invitation: waiting.invitation }))
}

/// The lease goes on, while the page is there. `is_scripted`: the page will tell again soon that it is.
pub async fn renew(installation: &Installation, account: &Account, call: CallId, is_scripted: bool) -> Result<(), TelephoneError> {
    let until = installation.clock.now() + if is_scripted { HEARTBEAT_LEASE } else { LEASE };
    let mut tx = installation.store.write().await?;
    if !call_queue::renew(&mut tx, call, account.id, until).await? {
        return Err(TelephoneError::CallOver);
    }
    tx.commit().await?;
    Ok(())
}

/// Gives back those whose interviewers' pages have died.
pub async fn release_lost(installation: &Installation) -> Result<(), TelephoneError> {
    let now = installation.clock.now();
    let lost = call_queue::lost(&mut *installation.store.read().await?, now).await?;
    for waiting in lost {
        let Some(call) = waiting.call else { continue };
        let mut tx = installation.store.write().await?;
        // Whoever had answered everything by then has been interviewed.
        let is_done = cases::open_of_invitations(&mut tx, &[waiting.invitation]).await?.is_empty();
        let outcome = if is_done { CallOutcome::Interviewed } else { CallOutcome::Lost };
        let still_lost =
            call_queue::find(&mut tx, waiting.invitation).await?.is_some_and(|w| w.call == Some(call) && w.leased_until == waiting.leased_until);
        if still_lost {
            let ended = waiting.leased_until.unwrap_or(now);
            let ending = Ending { outcome, call_back_at: None, note_sealed: None };
            match super::outcome::write(installation, &mut tx, &waiting, call, &ending, None, ended).await {
                // Another daemon has done it meanwhile.
                Err(TelephoneError::CallOver) => continue,
                written => written?,
            }
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Somebody whose call the rules allow now, and the part of the day that it is there.
type Callable = (Waiting, DayPart);

/// What a look at the queue has found.
struct Look {
    nobody: bool,
    /// Whom the rules allow to be called now, in their order, with the part of the day that it is there.
    callable: Vec<Callable>,
    put_off: Vec<(InvitationId, Option<Timestamp>)>,
}

impl Look {
    async fn at(installation: &Installation, account: &Account, now: Timestamp) -> Result<Look, TelephoneError> {
        let mut connection = installation.store.read().await?;
        let zone = chrono_tz::Asia::Shanghai;
        let due = call_queue::due(&mut connection, account.id, &account.languages, DayPart::of(now, zone), now, WINDOW).await?;
        if due.is_empty() {
            return Ok(Look { nobody: true, callable: Vec::new(), put_off: Vec::new() });
        }
        let ids: Vec<InvitationId> = due.iter().map(|waiting| waiting.invitation).collect();
        let hashes: Vec<String> = due.iter().map(|waiting| waiting.phone_hash.clone()).collect();
        let mut theirs: HashMap<InvitationId, Vec<InvitedCase>> = HashMap::new();
        for case in invitations::cases_of(&mut connection, &ids).await? {
            theirs.entry(case.invitation).or_default().push(case);
        }
        let needs = Needs::of(&mut connection, &ids).await?;
        let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
        let sent = messages::recent_contacts(&mut connection, &hashes, now - WEEK).await?;
        for (hash, at) in sent.into_iter().chain(calls::recent_contacts(&mut connection, &hashes, now - WEEK).await?) {
            contacts.entry(hash).or_default().push(at);
        }
        let mut plans: HashMap<CampaignId, (ContactPlan, String)> = HashMap::new();
        let mut suppressed: HashMap<String, HashMap<String, Option<Timestamp>>> = HashMap::new();
        for waiting in &due {
            if plans.contains_key(&waiting.campaign) {
                continue;
            }
            let campaign = campaigns::get(&mut connection, waiting.campaign).await?;
            let plan = read_plan(&campaign.plan).map_err(|error| TelephoneError::Plan { code: campaign.code, error })?;
            let programme = programmes::get(&mut connection, campaign.programme_id).await?.code;
            if !suppressed.contains_key(&programme) {
                suppressed.insert(programme.clone(), suppressions::among(&mut connection, &hashes, &programme, now).await?);
            }
            plans.insert(waiting.campaign, (plan, programme));
        }
        let (mut callable, mut put_off) = (Vec::new(), Vec::new());
        for waiting in due {
            let Some((plan, programme)) = plans.get(&waiting.campaign) else { continue };
            let zones = waiting.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into());
            let until = suppressed.get(programme).and_then(|theirs| theirs.get(&waiting.phone_hash)).copied();
            let cases = theirs.get(&waiting.invitation).map(Vec::as_slice).unwrap_or_default();
            let reached = contacts.get(&waiting.phone_hash).map(Vec::as_slice).unwrap_or_default();
            let is_promised = waiting.promised_at.is_some_and(|at| at <= now);
            let allowed = match until {
                Some(None) => Allowed::Never,
                Some(Some(until)) if until > now => Allowed::From(until),
                _ if !cases.iter().any(|case| is_wanted(case, now)) => {
                    if cases.iter().any(|case| case.is_open && case.is_held) {
                        Allowed::From(now + HELD)
                    } else {
                        Allowed::Never
                    }
                }
                // A promised call is one that was asked for.
                _ if is_promised => open_from(plan, &zones, now),
                _ => open_from(plan, &zones, now.max(caps_allow_from(reached, &installation.config.caps))),
            };
            match allowed {
                Allowed::Never => put_off.push((waiting.invitation, None)),
                Allowed::From(at) if at > now => put_off.push((waiting.invitation, Some(at))),
                Allowed::From(_) => {
                    let part = DayPart::of(now, zones.iter().next().unwrap_or(plan.time_zone));
                    let place = (fraction(&waiting.phone_hash, 0x7e1e) * 1e9) as u64;
                    let rank = Rank::new(
                        waiting.promised_at.filter(|_| is_promised),
                        waiting.refused_to == Some(account.id),
                        waiting.tried_parts & part.bit() != 0,
                        waiting.calls,
                        needs.of_invitation(waiting.invitation),
                        place,
                    );
                    callable.push((rank, (waiting, part)));
                }
            }
        }
        callable.sort_by_key(|(rank, _)| *rank);
        Ok(Look { nobody: false, callable: callable.into_iter().map(|(_, callable)| callable).collect(), put_off })
    }
}

enum Allowed {
    From(Timestamp),
    Never,
}

fn open_from(plan: &ContactPlan, zones: &Zones, at: Timestamp) -> Allowed {
    plan.hours.next_open(at, zones).map_or(Allowed::Never, Allowed::From)
}

/// How much the cells of people still need, in thousandths of their targets.
struct Needs(HashMap<InvitationId, u32>);

impl Needs {
    async fn of(connection: &mut AnyConnection, invitations: &[InvitationId]) -> Result<Needs, StoreError> {
        let mut cells: HashMap<ApplicationId, Vec<quotas::Cell>> = HashMap::new();
        let mut needs: HashMap<InvitationId, u32> = HashMap::new();
        for (invitation, application, mask) in cases::cells_of_invitations(connection, invitations).await? {
            let theirs = match cells.entry(application) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(quotas::cells(connection, application).await?),
            };
            let need = |(number, cell): (usize, &quotas::Cell)| {
                let is_in = number == 0 || mask & (1 << number) != 0;
                let still = cell.target.saturating_sub(cell.completes);
                is_in.then(|| still * 1000 / cell.target.max(1))
            };
            let most = theirs.iter().enumerate().filter_map(need).max().unwrap_or(0);
            let known = needs.entry(invitation).or_default();
            *known = (*known).max(most);
        }
        Ok(Needs(needs))
    }

    fn of_invitation(&self, invitation: InvitationId) -> u32 {
        self.0.get(&invitation).copied().unwrap_or(0)
    }
}

/// When anything about the queue changes next: a call that may be made.
pub async fn next_due(installation: &Installation) -> Result<Option<Timestamp>, TelephoneError> {
    Ok(call_queue::next_after(&mut *installation.store.read().await?, installation.clock.now()).await?)
}
