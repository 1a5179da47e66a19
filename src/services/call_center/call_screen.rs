//! What the interviewer has on the desk: the person, what has happened before, and the way to the questions.

use chrono_tz::Tz;

use super::TelephoneError;
use super::queue::Lease;
use crate::services::campaigns::read_plan;
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::services::sealing::{open_person, open_phone, place};
use crate::adapters::database::accounts::Account;
use crate::adapters::database::{call_queue, calls, campaigns, links};

/// One person on an interviewer's screen. (Personal in every field that tells of somebody.)
pub struct Desk {
    pub lease: Lease,
    /// The interviewer.
    pub by: AccountId,
    /// When the call began; an answer on the web since then stops the call's form.
    pub since: Timestamp,
    pub person: Person,
    pub phone: Phone,
    pub applicant: String,
    pub language: Language,
    /// The respondent's clock.
    pub zone: Tz,
    /// The code of the personal link, under which the questions are.
    pub code: String,
    /// May the link go out by SMS?
    pub can_send_link: bool,
    /// A call-back was promised for this time.
    pub promised_at: Option<Timestamp>,
    /// Attempts so far, and how many there may be.
    pub calls: u32,
    pub most_calls: u32,
    /// Calls before this one, the latest first.
    pub before: Vec<CallBefore>,
}

pub struct CallBefore {
    pub at: Timestamp,
    pub by: String,
    pub outcome: CallOutcome,
    pub note: Personal,
}

/// Puts a person on the desk who is leased to this interviewer; the lease has been looked at by [`super::queue::renew`].
pub async fn desk(installation: &Installation, account: &Account, lease: Lease) -> Result<Desk, TelephoneError> {
    let mut connection = installation.store.read().await?;
    let waiting = call_queue::find(&mut connection, lease.invitation).await?;
    let waiting =
        waiting.filter(|waiting| waiting.call == Some(lease.call) && waiting.leased_by == Some(account.id)).ok_or(TelephoneError::CallOver)?;
    let to = links::addressee(&mut connection, lease.invitation).await?;
    let sealer = installation.keys.sealer(&to.key_id)?;
    let campaign = campaigns::get(&mut connection, waiting.campaign).await?;
    let plan = read_plan(&campaign.plan).map_err(|error| TelephoneError::Plan { code: campaign.code, error })?;
    let zones = to.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into());
    let (mut since, mut before) = (installation.clock.now(), Vec::new());
    for call in calls::to(&mut connection, lease.invitation).await? {
        match call.outcome {
            None if call.id == lease.call => since = call.begun_at,
            Some(outcome) => {
                let note = call.note_sealed.map(|note| sealer.open_text(place::CALL_NOTE, &note)).transpose()?;
                before.push(CallBefore { at: call.begun_at, by: call.by, outcome, note: Personal::new(note.unwrap_or_default()) });
            }
            None => {}
        }
    }
    Ok(Desk {
        lease,
        by: account.id,
        since,
        person: open_person(&sealer, &to.person_sealed)?,
        phone: open_phone(&sealer, &to.phone_sealed)?,
        applicant: to.applicant,
        language: waiting.language,
        zone: zones.iter().next().unwrap_or(plan.time_zone),
        code: installation.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash),
        can_send_link: to.is_mobile && plan.link_texts().is_some(),
        promised_at: waiting.promised_at,
        calls: waiting.calls,
        most_calls: waiting.most_calls,
        before,
    })
}
