//! What gateways push: receipts move messages and cases forward; replies opt out, ask for a call,
//! or go to the staff's inbox.
//!
//! A push is answered only when its content is on disk, so that a gateway pushes it again if we die
//! before.

use phonenumber::country;

use super::sms_sending::DispatchError;
use super::sms_sending::receipts::apply_receipt;
use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::receipts;
use crate::adapters::database::replies::{self, LatestContact, NewReply};
use crate::adapters::database::{WriteTx, campaigns, invitations, sms_interviews};
use crate::adapters::sms;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;
use crate::services::suppressions::opt_out;

/// Takes the receipts of one push, in one transaction.
pub async fn process_receipts(
    context: &AppContext,
    gateway: &str,
    pushed: Vec<sms::Receipt>,
) -> Result<(), DispatchError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    for receipt in pushed {
        let to =
            receipt.to.as_ref().and_then(|to| Phone::parse(to.reveal(), region_of(context)).ok());
        let stored = receipts::Receipt {
            gateway: gateway.to_owned(),
            reference: receipt.reference,
            gateway_message_id: receipt.id,
            phone_hash: to.map(|to| context.keys.hasher().phone_hash(&to)),
            delivered: receipt.delivered,
            code: receipt.code,
        };
        apply_receipt(&mut tx, &stored, receipt.dead_number, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn region_of(context: &AppContext) -> country::Id {
    context.config.default_region.parse().unwrap_or(country::CN)
}

/// A reply that is on disk.
#[derive(Debug, Clone)]
pub struct StoredReply {
    /// Under which it is stored.
    pub dedup_hash: String,
    pub phone_hash: String,
    pub meaning: ReplyMeaning,
    pub text: Personal,
    /// When it was sent, as the gateway says, else when it came.
    pub sent_at: Timestamp,
    pub contacted: Option<LatestContact>,
}

/// Takes one reply. Pushed a second time, it changes nothing. `None`: it came from no telephone
/// number.
pub async fn process_reply(
    context: &AppContext,
    gateway: &str,
    reply: &sms::Reply,
) -> Result<Option<StoredReply>, DispatchError> {
    let now = context.clock.now();
    let Ok(phone) = Phone::parse(reply.from.reveal(), region_of(context)) else {
        tracing::warn!(
            gateway,
            "a reply came from something that is no telephone number; it is dropped"
        );
        return Ok(None);
    };
    let hasher = context.keys.hasher();
    let phone_hash = hasher.phone_hash(&phone);
    let meaning = ReplyMeaning::of(reply.text.reveal());
    let mut tx = context.database.write().await?;
    // Without an id, the same words are the same reply, unless something else has been asked
    // meanwhile.
    let question_seq = match &reply.id {
        Some(_) => None,
        None => sms_interviews::find_by_phone(&mut tx, &phone_hash)
            .await?
            .map(|interview| interview.question_seq),
    };
    let dedup_text = || {
        format!(
            "{phone_hash}\n{}\n{}",
            reply.text.reveal(),
            question_seq.map(|nth| nth.to_string()).unwrap_or_default()
        )
    };
    let which = reply.id.as_ref().map_or_else(dedup_text, |id| id.reveal().to_owned());
    let contacted = replies::latest_contact(&mut tx, &phone_hash).await?;
    // Without a contact there is no applicant whose key could seal the text: then only its meaning
    // is kept.
    let text_sealed = match &contacted {
        Some(contacted) => Some(
            context
                .keys
                .sealer(&contacted.key_id)?
                .seal(seal_context::REPLY, reply.text.reveal().as_bytes())?,
        ),
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
        let programme = contacted
            .as_ref()
            .filter(|_| !context.config.opts_out_of_all)
            .map(|contacted| contacted.programme);
        opt_out(&mut tx, &phone_hash, programme, DispositionSource::Reply, now).await?;
        sms_interviews::end_by_phone(&mut tx, &phone_hash).await?;
        if let Some(contacted) = &contacted {
            plan_opt_out_confirmation(&mut tx, contacted, now).await?;
        }
    }
    tx.commit().await?;
    let sent_at = reply.at.unwrap_or(now).min(now);
    Ok(Some(StoredReply {
        dedup_hash: new.dedup_hash,
        phone_hash,
        meaning,
        text: reply.text.clone(),
        sent_at,
        contacted,
    }))
}

/// Plans the answer to an opt-out, where the campaign's plan has one.
async fn plan_opt_out_confirmation(
    tx: &mut WriteTx,
    contacted: &LatestContact,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let campaign = campaigns::get(tx, contacted.campaign).await?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| DispatchError::Plan { code: campaign.code.clone(), error })?;
    if !plan.confirmation.is_empty() {
        invitations::plan_confirmation(tx, contacted.invitation, now).await?;
    }
    Ok(())
}
