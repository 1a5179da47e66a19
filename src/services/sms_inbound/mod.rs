//! What gateways push: receipts move messages and cases forward; replies opt out, ask for a call, or go to the staff's inbox.
//!
//! A push is answered only when its content is on disk, so that a gateway pushes it again if we die before.

use phonenumber::country;

use super::sms_sending::DispatchError;
use crate::services::campaigns::read_plan;
use crate::domain::disposition::Disposition;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::adapters::sms;
use crate::services::context::Installation;
use crate::services::sealing::place;
use crate::adapters::database::cases::Source;
use crate::adapters::database::receipts::{self, Applied};
use crate::adapters::database::replies::{self, Contacted, NewReply};
use crate::services::suppressions::opt_out;
use crate::adapters::database::{WriteTx, campaigns, cases, invitations, sms_interviews};

/// Takes the receipts of one push, in one transaction.
pub async fn take_receipts(installation: &Installation, gateway: &str, pushed: Vec<sms::Receipt>) -> Result<(), DispatchError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    for receipt in pushed {
        let to = receipt.to.as_ref().and_then(|to| Phone::parse(to.reveal(), region_of(installation)).ok());
        let stored = receipts::Receipt {
            gateway: gateway.to_owned(),
            reference: receipt.reference,
            gateway_message_id: receipt.id,
            phone_hash: to.map(|to| installation.keys.hasher().number(&to)),
            delivered: receipt.delivered,
            code: receipt.code,
        };
        apply_receipt(&mut tx, &stored, receipt.dead_number, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn apply_receipt(tx: &mut WriteTx, receipt: &receipts::Receipt, dead_number: bool, now: Timestamp) -> Result<(), DispatchError> {
    let Applied::Moved(invitation) = receipts::apply(tx, receipt, now).await? else { return Ok(()) };
    let unheard = [Disposition::NotAttempted, Disposition::NothingHeard];
    let heard_of_less = Disposition::NonContact.replaces();
    let (to, from) = match (receipt.delivered, dead_number) {
        (true, _) => (Disposition::NonContact, &heard_of_less[..]),
        (false, true) => (Disposition::NonWorkingNumber, &unheard[..]),
        (false, false) => (Disposition::NothingHeard, &unheard[..1]),
    };
    cases::dispose_of_invitations(tx, &[invitation], to, from, Source::Gateway, now).await?;
    if !receipt.delivered && dead_number {
        invitations::stop(tx, &[invitation]).await?;
    }
    Ok(())
}

fn region_of(installation: &Installation) -> country::Id {
    installation.config.default_region.parse().unwrap_or(country::CN)
}

/// A reply that is on disk.
#[derive(Debug, Clone)]
pub struct TakenReply {
    /// Under which it is stored.
    pub dedup_hash: String,
    pub phone_hash: String,
    pub meaning: ReplyMeaning,
    pub text: Personal,
    /// When it was sent, as the gateway says, else when it came.
    pub sent_at: Timestamp,
    pub contacted: Option<Contacted>,
}

/// Takes one reply. Pushed a second time, it changes nothing. `None`: it came from no telephone number.
pub async fn take_reply(installation: &Installation, gateway: &str, reply: &sms::Reply) -> Result<Option<TakenReply>, DispatchError> {
    let now = installation.clock.now();
    let Ok(phone) = Phone::parse(reply.from.reveal(), region_of(installation)) else {
        tracing::warn!(gateway, "a reply came from something that is no telephone number; it is dropped");
        return Ok(None);
    };
    let hasher = installation.keys.hasher();
    let phone_hash = hasher.number(&phone);
    let meaning = ReplyMeaning::of(reply.text.reveal());
    let mut tx = installation.store.write().await?;
    // Without an id, the same words are the same reply, unless something else has been asked meanwhile.
    let asked = match &reply.id {
        Some(_) => None,
        None => sms_interviews::with_number(&mut tx, &phone_hash).await?.map(|interview| interview.nth),
    };
    let words = || format!("{phone_hash}\n{}\n{}", reply.text.reveal(), asked.map(|nth| nth.to_string()).unwrap_or_default());
    let which = reply.id.as_ref().map_or_else(words, |id| id.reveal().to_owned());
    let contacted = replies::latest_contact(&mut tx, &phone_hash).await?;
    // Without a contact there is no applicant whose key could seal the text: then only its meaning is kept.
    let text_sealed = match &contacted {
        Some(contacted) => Some(installation.keys.sealer(&contacted.key_id)?.seal(place::REPLY, reply.text.reveal().as_bytes())?),
        None => None,
    };
    let new = NewReply {
        gateway: gateway.to_owned(),
        dedup_hash: hasher.fingerprint(format!("{gateway}\n{which}").as_bytes()),
        phone_hash: phone_hash.clone(),
        invitation: contacted.as_ref().map(|c| c.invitation),
        meaning: meaning.as_str(),
        text_sealed,
    };
    let is_new = replies::add(&mut tx, &new, now).await?;
    if is_new && meaning == ReplyMeaning::OptOut {
        let programme = contacted.as_ref().filter(|_| !installation.config.opt_out_for_all).map(|contacted| contacted.programme);
        opt_out(&mut tx, &phone_hash, programme, Source::Reply, now).await?;
        sms_interviews::end_with_number(&mut tx, &phone_hash).await?;
        if let Some(contacted) = &contacted {
            confirm(&mut tx, contacted, now).await?;
        }
    }
    tx.commit().await?;
    let sent_at = reply.at.unwrap_or(now).min(now);
    Ok(Some(TakenReply { dedup_hash: new.dedup_hash, phone_hash, meaning, text: reply.text.clone(), sent_at, contacted }))
}

/// Plans the answer to an opt-out, where the campaign's plan has one.
async fn confirm(tx: &mut WriteTx, contacted: &Contacted, now: Timestamp) -> Result<(), DispatchError> {
    let campaign = campaigns::get(tx, contacted.campaign).await?;
    let plan = read_plan(&campaign.plan).map_err(|error| DispatchError::Plan { code: campaign.code.clone(), error })?;
    if !plan.confirmation.is_empty() {
        invitations::plan_confirmation(tx, contacted.invitation, now).await?;
    }
    Ok(())
}
