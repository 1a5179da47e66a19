//! What a call came to: the call is written down, the cases move, and the next call gets its time; all in one transaction.

use super::TelephoneError;
use super::queue::Lease;
use crate::services::campaigns::read_plan;
use crate::services::suppressions::{Suppression, opt_out, suppress};
use crate::domain::contact_plan::{ContactPlan, FIRST_EXTRA_STEP, link_step};
use crate::domain::ids::{CallId, CampaignId};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::suppression::SuppressionReason;
use crate::domain::telephone::{CallOutcome, Called, DayPart, FollowUp};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::services::sealing::place;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_queue::{self, After, Waiting};
use crate::adapters::database::calls::{self, Ending};
use crate::adapters::database::cases::{self, Source};
use crate::adapters::database::invitations::{self, NextStep};
use crate::adapters::database::{WriteTx, campaigns, links};

/// What the interviewer tells of a call.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub call_back_at: Option<Timestamp>,
    /// The language to be called in; only told with [`CallOutcome::Language`].
    pub language: Option<Language>,
    pub note: Personal,
}

/// Writes down what a call came to.
pub async fn record(installation: &Installation, account: &Account, lease: Lease, outcome: CallOutcome, told: &Told) -> Result<(), TelephoneError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let waiting = call_queue::find(&mut tx, lease.invitation).await?.filter(|w| w.call == Some(lease.call) && w.leased_by == Some(account.id));
    let Some(waiting) = waiting else { return Err(TelephoneError::CallOver) };
    if let Some(at) = told.call_back_at {
        check_call_back(&mut tx, &waiting, at, now).await?;
    }
    let to = links::addressee(&mut tx, lease.invitation).await?;
    let note_sealed = match told.note.is_empty() {
        true => None,
        false => Some(installation.keys.sealer(&to.key_id)?.seal(place::CALL_NOTE, told.note.reveal().as_bytes())?),
    };
    let ending = Ending { outcome, call_back_at: told.call_back_at, note_sealed };
    if outcome == CallOutcome::LinkSent {
        send_link(&mut tx, &waiting, to.is_mobile, now).await?;
    }
    write(installation, &mut tx, &waiting, lease.call, &ending, told.language, now).await?;
    tx.commit().await?;
    Ok(())
}

/// A promise that can be kept: in the future, within contact hours, before the field closes.
async fn check_call_back(tx: &mut WriteTx, waiting: &Waiting, at: Timestamp, now: Timestamp) -> Result<(), TelephoneError> {
    if at <= now {
        return Err(TelephoneError::Past);
    }
    let (plan, zones) = plan_and_zones(tx, waiting).await?;
    if !plan.hours.is_open(at, &zones) {
        return Err(TelephoneError::OutsideHours(plan.hours.next_open(at, &zones)));
    }
    let closes =
        invitations::cases_of(tx, &[waiting.invitation]).await?.into_iter().filter(|case| case.is_open).map(|case| case.field_closes_at).max();
    if closes.is_some_and(|closes| at >= closes) { Err(TelephoneError::AfterTheField) } else { Ok(()) }
}

async fn plan_and_zones(tx: &mut WriteTx, waiting: &Waiting) -> Result<(ContactPlan, Zones), TelephoneError> {
    let plan = plan_of(tx, waiting.campaign).await?;
    let zones = waiting.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into());
    Ok((plan, zones))
}

async fn plan_of(tx: &mut WriteTx, campaign: CampaignId) -> Result<ContactPlan, TelephoneError> {
    let campaign = campaigns::get(tx, campaign).await?;
    read_plan(&campaign.plan).map_err(|error| TelephoneError::Plan { code: campaign.code, error })
}

/// The message with the link goes out next, and the plan goes on after it (invariant I1: each such message is a step of its own).
async fn send_link(tx: &mut WriteTx, waiting: &Waiting, is_mobile: bool, now: Timestamp) -> Result<(), TelephoneError> {
    if !is_mobile || plan_of(tx, waiting.campaign).await?.link_texts().is_none() {
        return Err(TelephoneError::NoSms);
    }
    let next = invitations::next_step(tx, waiting.invitation).await?;
    // One that waits to go out is enough.
    if next >= FIRST_EXTRA_STEP {
        return Ok(());
    }
    let nth = calls::links_sent(tx, waiting.invitation).await?;
    invitations::set_next(tx, &[NextStep { id: waiting.invitation, step: link_step(nth, next), at: Some(now) }]).await?;
    Ok(())
}

/// Ends a call: writes it down, moves the cases, and says when the next one may be. Cases before the queue, as everywhere.
pub(super) async fn write(
    installation: &Installation,
    tx: &mut WriteTx,
    waiting: &Waiting,
    call: CallId,
    ending: &Ending,
    language: Option<Language>,
    now: Timestamp,
) -> Result<(), TelephoneError> {
    let outcome = ending.outcome;
    let (plan, zones) = plan_and_zones(tx, waiting).await?;
    let part = DayPart::of(now, zones.iter().next().unwrap_or(plan.time_zone));
    let is_attempt = outcome.is_attempt();
    let is_refusal = outcome == CallOutcome::SoftRefusal;
    let soft_refusals = waiting.soft_refusals + u32::from(is_refusal);
    let calls = waiting.calls + u32::from(is_attempt);
    let tried_parts = if is_attempt { waiting.tried_parts | part.bit() } else { waiting.tried_parts };
    // Whoever can be asked in another language waits for an interviewer who speaks it.
    let speaks = language.filter(|language| outcome == CallOutcome::Language && *language != waiting.language);
    let today = zones.iter().next().map_or(now, |zone| Timestamp::start_of_day(now.date(zone), zone));
    let called = Called {
        outcome,
        calls,
        most: waiting.most_calls,
        today: calls::attempts_since(tx, waiting.invitation, today).await? + u32::from(is_attempt),
        soft_refusals,
        tried_parts,
        call_back_at: ending.call_back_at,
        hours: &plan.hours,
        zones: &zones,
        seed: &waiting.phone_hash,
    };
    let follow_up = match (speaks, called.follow_up(now)) {
        (Some(_), _) => plan.hours.next_open(now, &zones).map_or(FollowUp::NoMore, FollowUp::CallAt),
        (None, follow_up) => follow_up,
    };
    let open = cases::open_of_invitations(tx, &[waiting.invitation]).await?;
    match (outcome, outcome.disposition()) {
        (CallOutcome::HardRefusal, _) => {
            let programme = (!installation.config.opt_out_for_all).then_some(campaigns::get(tx, waiting.campaign).await?.programme_id);
            opt_out(tx, &waiting.phone_hash, programme, Source::Telephone, now).await?;
        }
        // The number is no way to this person, in this campaign or another.
        (CallOutcome::WrongNumber, Some(disposition)) => {
            cases::dispose(tx, &open, disposition, &[], Source::Telephone, now).await?;
            let suppression = Suppression { reason: SuppressionReason::Invalid, programme: None, expires_at: None, phone_hash: &waiting.phone_hash };
            suppress(tx, &suppression, Source::Telephone, now).await?;
        }
        (_, Some(_)) if speaks.is_some() => {}
        // Asked twice, and twice not willing: that is a refusal.
        (CallOutcome::SoftRefusal, Some(_)) if follow_up == FollowUp::Ended => {
            cases::dispose(tx, &open, crate::domain::disposition::Disposition::Refusal, &[], Source::Telephone, now).await?;
        }
        (_, Some(disposition)) => {
            cases::dispose(tx, &open, disposition, &disposition.replaces(), Source::Telephone, now).await?;
        }
        (_, None) => {}
    }
    let is_open = !cases::open_of_invitations(tx, &[waiting.invitation]).await?.is_empty();
    if !is_open {
        invitations::stop(tx, &[waiting.invitation]).await?;
    }
    let kept_promise = waiting.promised_at.filter(|_| !is_attempt);
    let (next_at, promised_at) = match follow_up {
        _ if !is_open => (None, None),
        FollowUp::CallBack(at) => (Some(at), Some(at)),
        // What was promised is still promised if nobody was called.
        FollowUp::CallAt(at) => (Some(at), kept_promise),
        FollowUp::NoMore | FollowUp::Ended => (None, None),
    };
    calls::end(tx, call, ending, now).await?;
    let after = After {
        next_at,
        promised_at,
        calls,
        soft_refusals,
        refused_to: if is_refusal { waiting.leased_by } else { waiting.refused_to },
        tried_parts,
        language: speaks.unwrap_or(waiting.language),
    };
    if !call_queue::put_back(tx, call, &after).await? {
        return Err(TelephoneError::CallOver);
    }
    Ok(())
}
