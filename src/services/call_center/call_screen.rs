//! The data of an interviewer's call screen: the person, the previous calls, and the code of the
//! link to the questions.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use sqlx::AnyConnection;

use super::CallCenterError;
use super::queue::Lease;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::{
    call_queue, calls, campaigns, invitations, links, programmes, suppressions,
};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::sms_text::Template;
use crate::domain::telephone::{CallOutcome, DayPart};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, open_phone, seal_context};

/// A person on an interviewer's screen. Fields about the person are personal data.
pub struct CallScreen {
    pub lease: Lease,
    /// The interviewer.
    pub interviewer: AccountId,
    /// The start of the call. An answer on the web after this time stops the call's form.
    pub since: Timestamp,
    pub person: Person,
    pub phone: Phone,
    /// Further numbers of the person, without those that must not be called.
    pub other_phones: Vec<Phone>,
    /// Numbers of the person that reach nobody, by the calls so far.
    pub dead_phones: Vec<Phone>,
    pub applicant: String,
    pub language: Language,
    /// The respondent's time zone.
    pub zone: Tz,
    /// The campaign's opening words, and whom they name as the caller's principal.
    pub openings: BTreeMap<Language, Template>,
    pub signature: String,
    /// Whole days until the first of the fields closes.
    pub days_left: u64,
    /// The code of the personal link to the questions.
    pub code: String,
    /// Whether the link may be sent by SMS.
    pub can_send_link: bool,
    /// The time of a promised call-back; `None`: there is no promise.
    pub promised_at: Option<Timestamp>,
    /// The attempts so far, and their limit.
    pub calls: u32,
    pub max_calls: u32,
    /// The calls before this one, latest first.
    pub previous_calls: Vec<PreviousCall>,
}

pub struct PreviousCall {
    pub at: Timestamp,
    pub by: String,
    pub day_part: DayPart,
    pub outcome: CallOutcome,
    pub note: Personal,
}

impl CallScreen {
    /// Counts the attempts in each part of the day that had one.
    pub fn attempts_by_day_part(&self) -> Vec<(DayPart, usize)> {
        let attempts = |part: DayPart| {
            let of = |call: &&PreviousCall| call.day_part == part && call.outcome.is_attempt();
            (part, self.previous_calls.iter().filter(of).count())
        };
        DayPart::ALL.into_iter().map(attempts).filter(|(_, count)| *count > 0).collect()
    }
}

/// Loads the call screen of a person leased to this interviewer. The caller has checked the lease
/// with [`super::queue::renew`].
pub async fn load_call_screen(
    context: &AppContext,
    account: &Account,
    lease: Lease,
) -> Result<CallScreen, CallCenterError> {
    let mut connection = context.database.read().await?;
    let entry = call_queue::find(&mut connection, lease.invitation).await?;
    let entry = entry
        .filter(|entry| entry.call == Some(lease.call) && entry.leased_by == Some(account.id))
        .ok_or(CallCenterError::CallOver)?;
    let to = links::invited_person(&mut connection, lease.invitation).await?;
    let sealer = context.keys.sealer(&to.key_id)?;
    let campaign = campaigns::get(&mut connection, entry.campaign).await?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| CallCenterError::Plan { code: campaign.code, error })?;
    let zones = plan.zones_of(to.zone.as_deref());
    let (mut since, mut previous_calls) = (context.clock.now(), Vec::new());
    for call in calls::of_invitation(&mut connection, lease.invitation).await? {
        match call.outcome {
            None if call.id == lease.call => since = call.begun_at,
            Some(outcome) => {
                let note = call
                    .note_sealed
                    .map(|note| sealer.open_text(seal_context::CALL_NOTE, &note))
                    .transpose()?;
                previous_calls.push(PreviousCall {
                    at: call.begun_at,
                    by: call.interviewer_name,
                    day_part: call.day_part,
                    outcome,
                    note: Personal::new(note.unwrap_or_default()),
                });
            }
            None => {}
        }
    }
    let person = open_person(&sealer, &to.person_sealed)?;
    let programme = programmes::get(&mut connection, campaign.programme_id).await?.code;
    let mut other_phones = other_phones(context, &mut connection, &person, &programme).await?;
    let phone = open_phone(&sealer, &to.phone_sealed)?;
    let dead = calls::dead_numbers(&mut connection, lease.invitation).await?;
    let hasher = context.keys.hasher();
    let dead_phones: Vec<Phone> = std::iter::once(&phone)
        .chain(&other_phones)
        .filter(|phone| dead.contains(&hasher.phone_hash(phone)))
        .cloned()
        .collect();
    other_phones.retain(|other| !dead_phones.contains(other));
    let step = plan.steps.get(entry.step as usize);
    let closes_at = invitations::cases_of(&mut connection, &[lease.invitation])
        .await?
        .into_iter()
        .filter(|case| case.is_open)
        .map(|case| case.field_closes_at)
        .min();
    let days_left =
        closes_at.map_or(0, |at| at.since(context.clock.now()).as_secs() / (24 * 3_600));
    Ok(CallScreen {
        lease,
        interviewer: account.id,
        since,
        person,
        other_phones,
        dead_phones,
        phone,
        openings: step.and_then(|step| step.opening()).cloned().unwrap_or_default(),
        signature: plan.signature.clone(),
        days_left,
        applicant: to.applicant,
        language: entry.language,
        zone: zones.iter().next().unwrap_or(plan.time_zone),
        code: context.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash),
        can_send_link: to.is_mobile && plan.link_texts().is_some(),
        promised_at: entry.promised_at,
        calls: entry.calls,
        max_calls: entry.max_calls,
        previous_calls,
    })
}

/// Returns the further numbers of a person that nobody has opted out of.
pub(super) async fn other_phones(
    context: &AppContext,
    connection: &mut AnyConnection,
    person: &Person,
    programme: &str,
) -> Result<Vec<Phone>, CallCenterError> {
    let numbers = person.other_numbers.reveal().lines();
    let mut phones: Vec<Phone> = numbers.filter_map(|n| Phone::from_e164(n).ok()).collect();
    if phones.is_empty() {
        return Ok(phones);
    }
    let hasher = context.keys.hasher();
    let hashes: Vec<String> = phones.iter().map(|phone| hasher.phone_hash(phone)).collect();
    let now = context.clock.now();
    let suppressed = suppressions::among(connection, &hashes, programme, now).await?;
    phones.retain(|phone| !suppressed.contains_key(&hasher.phone_hash(phone)));
    Ok(phones)
}
