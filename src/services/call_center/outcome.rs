//! The outcome of a call: records the call, moves the cases, and schedules the next call, in one
//! transaction.

use super::call_screen::other_phones;
use super::queue::Lease;
use super::{CallCenterError, MAX_NOTE};
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_queue::{self, QueueEntry, QueueUpdate};
use crate::adapters::database::call_watches;
use crate::adapters::database::calls::{self, CallEnding};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::invitations::{self, NextContact};
use crate::adapters::database::{WriteTx, campaigns, links, programmes};
use crate::domain::contact_plan::{ContactPlan, MessageKind, MessageSlot};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{CallId, CampaignId};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::telephone::{CallOutcome, CalledPerson, DayPart, FollowUp};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, seal_context};
use crate::services::suppressions::{block_wrong_number, opt_out};

/// An interviewer's report of a call.
#[derive(Debug, Clone, Default)]
pub struct CallReport {
    pub call_back_at: Option<Timestamp>,
    /// The language to be called in; used only with [`CallOutcome::Language`].
    pub language: Option<Language>,
    pub note: Personal,
    /// The number that was dialled; `None`: the person's own.
    pub dialled: Option<Phone>,
}

/// Records the outcome of a call.
pub async fn record_outcome(
    context: &AppContext,
    account: &Account,
    lease: Lease,
    outcome: CallOutcome,
    report: &CallReport,
) -> Result<(), CallCenterError> {
    let now = context.clock.now();
    let length = report.note.reveal().chars().count();
    if length > MAX_NOTE {
        return Err(CallCenterError::NoteTooLong(length));
    }
    let mut tx = context.database.write().await?;
    let entry = call_queue::find(&mut tx, lease.invitation)
        .await?
        .filter(|w| w.call == Some(lease.call) && w.leased_by == Some(account.id));
    let Some(entry) = entry else { return Err(CallCenterError::CallOver) };
    if let Some(at) = report.call_back_at {
        check_call_back(&mut tx, &entry, at, now).await?;
    }
    let to = links::invited_person(&mut tx, lease.invitation).await?;
    let note_sealed = match report.note.is_empty() {
        true => None,
        false => Some(
            context
                .keys
                .sealer(&to.key_id)?
                .seal(seal_context::CALL_NOTE, report.note.reveal().as_bytes())?,
        ),
    };
    let number = dialled_number(context, &mut tx, &entry, &to, outcome, report).await?;
    let ending = CallEnding {
        outcome,
        call_back_at: report.call_back_at,
        note_sealed,
        dialled_hash: number.hash,
    };
    if outcome == CallOutcome::LinkSent {
        send_link(&mut tx, &entry, to.is_mobile, now).await?;
    }
    end_call(context, &mut tx, &entry, lease.call, &ending, (report.language, number.another), now)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The number of a call.
#[derive(Default)]
struct DialledNumber {
    /// Kept only where there are several to tell apart.
    hash: Option<String>,
    /// The number is closed by this call, and another one of the person is left.
    another: bool,
}

/// Finds which of a person's numbers was dialled, and whether another is left if it is closed.
///
/// What the person's own number reaches was said of the person: that it is somebody else's ends the
/// contacts. A further number that is somebody else's is only not called again.
async fn dialled_number(
    context: &AppContext,
    tx: &mut WriteTx,
    entry: &QueueEntry,
    to: &links::InvitedPerson,
    outcome: CallOutcome,
    report: &CallReport,
) -> Result<DialledNumber, CallCenterError> {
    let person = open_person(&context.keys.sealer(&to.key_id)?, &to.person_sealed)?;
    let programme = campaigns::get(tx, entry.campaign).await?.programme_id;
    let programme = programmes::get(tx, programme).await?.code;
    let hasher = context.keys.hasher();
    let others = other_phones(context, tx, &person, &programme).await?;
    let others: Vec<String> = others.iter().map(|phone| hasher.phone_hash(phone)).collect();
    let own = &entry.phone_hash;
    let dialled =
        report.dialled.as_ref().map_or_else(|| own.clone(), |phone| hasher.phone_hash(phone));
    if dialled != *own && !others.contains(&dialled) {
        return Err(CallCenterError::OtherNumber);
    }
    if others.is_empty() {
        return Ok(DialledNumber::default());
    }
    let mut dead = calls::dead_numbers(tx, entry.invitation).await?;
    dead.insert(dialled.clone());
    let is_left = std::iter::once(own).chain(&others).any(|number| !dead.contains(number));
    let is_of_person = outcome == CallOutcome::WrongNumber && dialled == *own;
    let another = outcome.is_dead_number() && is_left && !is_of_person;
    Ok(DialledNumber { hash: Some(dialled), another })
}

/// Checks that a call-back can be made: in the future, within contact hours, before the field
/// closes.
pub(super) async fn check_call_back(
    tx: &mut WriteTx,
    entry: &QueueEntry,
    at: Timestamp,
    now: Timestamp,
) -> Result<(), CallCenterError> {
    if at <= now {
        return Err(CallCenterError::TimeInPast);
    }
    let (plan, zones) = load_plan_and_zones(tx, entry).await?;
    if !plan.hours.is_open(at, &zones) {
        return Err(CallCenterError::OutsideHours(plan.hours.next_open(at, &zones)));
    }
    let closes = invitations::cases_of(tx, &[entry.invitation])
        .await?
        .into_iter()
        .filter(|case| case.is_open)
        .map(|case| case.field_closes_at)
        .max();
    if closes.is_some_and(|closes| at >= closes) {
        Err(CallCenterError::AfterFieldCloses)
    } else {
        Ok(())
    }
}

async fn load_plan_and_zones(
    tx: &mut WriteTx,
    entry: &QueueEntry,
) -> Result<(ContactPlan, Zones), CallCenterError> {
    let plan = load_plan(tx, entry.campaign).await?;
    let zones = plan.zones_of(entry.zone.as_deref());
    Ok((plan, zones))
}

async fn load_plan(tx: &mut WriteTx, campaign: CampaignId) -> Result<ContactPlan, CallCenterError> {
    let campaign = campaigns::get(tx, campaign).await?;
    ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| CallCenterError::Plan { code: campaign.code, error })
}

/// Schedules the message with the link as the next step; the plan continues after it (invariant I1:
/// each such message has a slot of its own).
async fn send_link(
    tx: &mut WriteTx,
    entry: &QueueEntry,
    is_mobile: bool,
    now: Timestamp,
) -> Result<(), CallCenterError> {
    if !is_mobile || load_plan(tx, entry.campaign).await?.link_texts().is_none() {
        return Err(CallCenterError::NoSms);
    }
    let next = invitations::upcoming(tx, entry.invitation).await?;
    if next.slot.kind != MessageKind::Step
        && invitations::next_at(tx, entry.invitation).await?.is_some()
    {
        // One pending link message is enough; before another message it would be lost.
        return match next.slot.kind {
            MessageKind::CallLink => Ok(()),
            _ => Err(CallCenterError::MessageOnItsWay),
        };
    }
    let nth = calls::count_links_sent(tx, entry.invitation).await?;
    let upcoming = next.before(MessageSlot::new(MessageKind::CallLink, nth));
    invitations::set_next_contacts(
        tx,
        &[NextContact { id: entry.invitation, upcoming, at: Some(now) }],
    )
    .await?;
    Ok(())
}

/// Ends a call: records it, moves the cases, and schedules the next call. Cases are locked before
/// the queue, as everywhere.
pub(super) async fn end_call(
    context: &AppContext,
    tx: &mut WriteTx,
    entry: &QueueEntry,
    call: CallId,
    ending: &CallEnding,
    (language, another_number): (Option<Language>, bool),
    now: Timestamp,
) -> Result<(), CallCenterError> {
    let result = CallResult::of(tx, entry, ending, (language, another_number), now).await?;
    dispose_cases(context, tx, entry, &result, now).await?;
    let is_open = !cases::open_of_invitations(tx, &[entry.invitation]).await?.is_empty();
    let is_dead = result.outcome.disposition().is_some_and(Disposition::is_dead_number)
        && (result.is_own_number || !result.another_number);
    if is_dead {
        invitations::cancel_next_contacts(tx, &[entry.invitation]).await?;
    } else if !is_open {
        invitations::end_plans(tx, &[entry.invitation]).await?;
    }
    calls::record_end(tx, call, ending, now).await?;
    call_watches::end(tx, call).await?;
    if !call_queue::return_to_queue(tx, call, &result.queue_update(entry, is_open)).await? {
        return Err(CallCenterError::CallOver);
    }
    Ok(())
}

/// What a call changes about its person.
struct CallResult {
    outcome: CallOutcome,
    follow_up: FollowUp,
    calls: u32,
    soft_refusals: u32,
    tried_day_parts: i64,
    /// The number is closed, and another one is left.
    another_number: bool,
    /// The person's own number was dialled, to which the messages go.
    is_own_number: bool,
    /// The language that the person speaks, if it is not the one in the queue.
    new_language: Option<Language>,
}

impl CallResult {
    async fn of(
        tx: &mut WriteTx,
        entry: &QueueEntry,
        ending: &CallEnding,
        (language, another_number): (Option<Language>, bool),
        now: Timestamp,
    ) -> Result<CallResult, CallCenterError> {
        let outcome = ending.outcome;
        let (plan, zones) = load_plan_and_zones(tx, entry).await?;
        let zone = zones.iter().next();
        let attempts = u32::from(outcome.is_attempt());
        let tried = match outcome.is_attempt() {
            true => DayPart::of(now, zone.unwrap_or(plan.time_zone)).bit(),
            false => 0,
        };
        let today = zone.map_or(now, |zone| Timestamp::start_of_day(now.date(zone), zone));
        let called = CalledPerson {
            outcome,
            calls: entry.calls + attempts,
            max_calls: entry.max_calls,
            calls_today: calls::attempts_since(tx, entry.invitation, today).await? + attempts,
            soft_refusals: entry.soft_refusals + u32::from(outcome.is_soft_refusal()),
            tried_day_parts: entry.tried_day_parts | tried,
            call_back_at: ending.call_back_at,
            has_further_number: another_number,
            hours: &plan.hours,
            zones: &zones,
            seed: &entry.phone_hash,
        };
        // A person who speaks another language waits for an interviewer who speaks it.
        let new_language = language
            .filter(|language| outcome == CallOutcome::Language && *language != entry.language);
        let follow_up = match new_language {
            Some(_) => {
                plan.hours.next_open(now, &zones).map_or(FollowUp::NoFurtherCall, FollowUp::CallAt)
            }
            None => called.follow_up(now),
        };
        Ok(CallResult {
            outcome,
            follow_up,
            calls: called.calls,
            soft_refusals: called.soft_refusals,
            tried_day_parts: called.tried_day_parts,
            another_number,
            is_own_number: ending
                .dialled_hash
                .as_ref()
                .is_none_or(|number| *number == entry.phone_hash),
            new_language,
        })
    }

    fn queue_update(&self, entry: &QueueEntry, is_open: bool) -> QueueUpdate {
        let kept_promise = entry.promised_at.filter(|_| !self.outcome.is_attempt());
        let (next_at, promised_at) = match self.follow_up {
            _ if !is_open => (None, None),
            FollowUp::CallBack(at) => (Some(at), Some(at)),
            // A promise remains if no attempt was made.
            FollowUp::CallAt(at) => (Some(at), kept_promise),
            FollowUp::NoFurtherCall | FollowUp::CasesEnded => (None, None),
        };
        let is_refusal = self.outcome.is_soft_refusal();
        QueueUpdate {
            next_at,
            promised_at,
            calls: self.calls,
            soft_refusals: self.soft_refusals,
            refused_to: if is_refusal { entry.leased_by } else { entry.refused_to },
            tried_day_parts: self.tried_day_parts,
            language: self.new_language.unwrap_or(entry.language),
        }
    }
}

/// Sets the disposition of the person's open cases; suppresses the number after a refusal for good,
/// and blocks it for this person after a wrong number.
async fn dispose_cases(
    context: &AppContext,
    tx: &mut WriteTx,
    entry: &QueueEntry,
    result: &CallResult,
    now: Timestamp,
) -> Result<(), CallCenterError> {
    let source = DispositionSource::Telephone;
    let open = cases::open_of_invitations(tx, &[entry.invitation]).await?;
    match (result.outcome, result.outcome.disposition()) {
        // The number is closed, and nothing was heard of the person, who has another one. Its own
        // code would outweigh «no answer» there.
        (_, Some(_)) if result.another_number => {
            let heard = Disposition::NothingHeard;
            cases::set_disposition(tx, &open, heard, &heard.replaces(), source, now).await?;
        }
        (CallOutcome::HardRefusal, _) => {
            let programme = (!context.config.opts_out_of_all)
                .then_some(campaigns::get(tx, entry.campaign).await?.programme_id);
            opt_out(tx, &entry.phone_hash, programme, source, now).await?;
        }
        // The last number that was left is somebody else's, which says nothing of the own one.
        (CallOutcome::WrongNumber, _) if !result.is_own_number => {
            let dead = Disposition::Undeliverable;
            cases::set_disposition(tx, &open, dead, &dead.replaces(), source, now).await?;
        }
        // The number does not reach this person, in this campaign of the applicant or another.
        (CallOutcome::WrongNumber, _) => {
            block_wrong_number(tx, entry.invitation, source, now).await?;
        }
        (_, Some(_)) if result.new_language.is_some() => {}
        // Two soft refusals count as a refusal.
        (outcome, Some(_))
            if outcome.is_soft_refusal() && result.follow_up == FollowUp::CasesEnded =>
        {
            cases::set_disposition(tx, &open, Disposition::Refusal, &[], source, now).await?;
        }
        (_, Some(disposition)) => {
            let before = disposition.replaces();
            cases::set_disposition(tx, &open, disposition, &before, source, now).await?;
        }
        (_, None) => {}
    }
    Ok(())
}
