//! Pushes from gateways: receipts move messages and cases forward; replies opt out, ask for a call,
//! or go to the staff's inbox. Whatever a person sends is understood or reaches a member of staff
//! (invariant I9).
//!
//! A push is acknowledged only when its content is on disk, so that a gateway repeats it if we die
//! before.

pub mod answer;
pub mod inbox;
pub mod long_replies;
mod sender;
pub mod thread;

use super::sms_sending::DispatchError;
use super::sms_sending::receipts::apply_receipt;
use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::receipts;
use crate::adapters::database::replies::{self, LatestContact, NewReply};
use crate::adapters::database::{WriteTx, campaigns, invitations, rates, sms_interviews};
use crate::adapters::sms::{self, ReceiptIds};
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::{ContactPlan, Upcoming};
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;
use crate::services::suppressions::{block_wrong_number, opt_out, resubscribe};
use sender::{Sender, find_sender};

/// Takes the receipts of one push, in one transaction.
pub async fn process_receipts(
    context: &AppContext,
    gateway: &str,
    pushed: Vec<sms::Receipt>,
) -> Result<(), DispatchError> {
    let now = context.clock.now();
    let region = context.config.region_of_gateway(gateway);
    let ids = context.gateways.get(gateway).and_then(|gateway| gateway.receipt_ids());
    if let Some(ids) = ids.filter(|ids| ids.learnt().is_none()) {
        let mut connection = context.database.read().await?;
        ids.remember(rates::receipt_ids(&mut connection, gateway).await?.as_deref());
    }
    let was_learnt = ids.and_then(ReceiptIds::learnt);
    let mut tx = context.database.write().await?;
    for mut receipt in pushed {
        if let (Some(ids), Some(id)) = (ids, &receipt.id) {
            let known = receipts::known_ids(&mut tx, gateway, &ids.spellings(id)).await?;
            receipt.id = ids.choose(id, &known);
            if receipt.id.is_none() {
                tracing::warn!(
                    gateway,
                    "a receipt's id may be that of several messages; it is left out. Set \
                     receipt_id in the gateway's file"
                );
                continue;
            }
        }
        let to = receipt.to.as_ref().and_then(|to| Phone::parse(to.reveal(), region).ok());
        let stored = receipts::Receipt {
            gateway: gateway.to_owned(),
            reference: receipt.reference,
            gateway_message_id: receipt.id,
            phone_hash: to.map(|to| context.keys.hasher().phone_hash(&to)),
            delivered: receipt.delivered,
            code: receipt.code,
            dead_number: receipt.dead_number,
            confirms_part: context.submits_parts(gateway),
        };
        apply_receipt(&mut tx, &stored, now).await?;
    }
    if let Some(learnt) = ids.and_then(ReceiptIds::learnt).filter(|_| was_learnt.is_none()) {
        tracing::info!(gateway, learnt, "how its receipts spell ids is known now");
        rates::set_receipt_ids(&mut tx, gateway, learnt).await?;
    }
    tx.commit().await?;
    Ok(())
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

/// Takes one reply. Pushed a second time, it changes nothing, but an opt-out is carried out again.
pub async fn process_reply(
    context: &AppContext,
    gateway: &str,
    reply: &sms::Reply,
) -> Result<StoredReply, DispatchError> {
    let now = context.clock.now();
    let hasher = context.keys.hasher();
    let region = context.config.region_of_gateway(gateway);
    let mut tx = context.database.write().await?;
    let sender = find_sender(&mut tx, hasher, &reply.from, reply.from_kind, region).await?;
    let interview = sms_interviews::find_by_phone(&mut tx, &sender.phone_hash).await?;
    let meaning = reply.declared.unwrap_or_else(|| {
        context.config.replies.words.meaning(reply.text.reveal(), interview.is_some())
    });
    let question = interview.map(|interview| interview.question_seq);
    let dedup_hash =
        dedup_hash(context, &mut tx, gateway, reply, (&sender.phone_hash, question)).await?;
    let new = seal_reply(context, gateway, (&dedup_hash, meaning), &sender, reply)?;
    let is_new = replies::add(&mut tx, &new, now).await?;
    let stored = StoredReply {
        dedup_hash,
        phone_hash: sender.phone_hash,
        meaning,
        text: reply.text.clone(),
        sent_at: reply.at.unwrap_or(now).min(now),
        contacted: sender.contacted,
    };
    if sender.is_unmatched {
        tracing::warn!(gateway, "a reply came from no telephone number; it is in the inbox");
    } else if meaning == ReplyMeaning::OptOut {
        carry_out_opt_out(context, &mut tx, &stored, is_new).await?;
    } else if let (ReplyMeaning::WrongNumber, true, Some(contacted)) =
        (meaning, is_new, &stored.contacted)
    {
        block_wrong_number(&mut tx, contacted.invitation, DispositionSource::Reply, now).await?;
    } else if meaning == ReplyMeaning::Resubscribe && is_new {
        carry_out_resubscription(context, &mut tx, &stored).await?;
    }
    tx.commit().await?;
    Ok(stored)
}

/// Keeps an entry of a push that could not be read for the staff, as it came.
pub async fn keep_unreadable(
    context: &AppContext,
    gateway: &str,
    entry: &sms::UnreadableEntry,
) -> Result<(), DispatchError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let reply = sms::Reply::new("", entry.raw.reveal());
    let sender = Sender { phone_hash: String::new(), contacted: None, is_unmatched: true };
    let dedup_hash = dedup_hash(context, &mut tx, gateway, &reply, ("", None)).await?;
    let key = (dedup_hash.as_str(), ReplyMeaning::Other);
    let new = seal_reply(context, gateway, key, &sender, &reply)?;
    replies::add(&mut tx, &new, now).await?;
    Ok(tx.commit().await?)
}

/// Returns the key under which a reply is stored once. With an id of the gateway it is the same for
/// good; with the gateway's own time, for that time. Without either, equal words are one reply
/// within a short window only, and only while nothing else has been asked.
async fn dedup_hash(
    context: &AppContext,
    tx: &mut WriteTx,
    gateway: &str,
    reply: &sms::Reply,
    (phone_hash, question): (&str, Option<u32>),
) -> Result<String, DispatchError> {
    let hash = |rest: &str| {
        let content = format!("{gateway}\n{phone_hash}\n{}\n{rest}", reply.text.reveal());
        context.keys.hasher().fingerprint(content.as_bytes())
    };
    if let Some(id) = &reply.id {
        return Ok(hash(&format!("id {}", id.reveal())));
    }
    if let Some(at) = reply.at {
        return Ok(hash(&format!("at {}", at.0)));
    }
    let (now, window) = (context.clock.now(), context.config.replies.duplicate_window);
    let length = (window.as_millis() as i64).max(1);
    let nth = now.0.div_euclid(length);
    let of_stretch = |nth: i64| hash(&format!("{question:?} {length} {nth}"));
    let before = of_stretch(nth - 1);
    let is_repeated = replies::arrived_since(tx, &before, now - window).await?;
    Ok(if is_repeated { before } else { of_stretch(nth) })
}

/// Seals a reply with the applicant's key; from a stranger, with the staff's.
fn seal_reply(
    context: &AppContext,
    gateway: &str,
    (dedup_hash, meaning): (&str, ReplyMeaning),
    sender: &Sender,
    reply: &sms::Reply,
) -> Result<NewReply, DispatchError> {
    let (staff, text) = (context.keys.staff_sealer(), reply.text.reveal().as_bytes());
    let (text_sealed, sender_sealed) = match &sender.contacted {
        Some(contacted) => {
            (context.keys.sealer(&contacted.key_id)?.seal(seal_context::REPLY, text)?, None)
        }
        None => (
            staff.seal(seal_context::REPLY, text)?,
            Some(staff.seal(seal_context::REPLY_SENDER, reply.from.reveal().as_bytes())?),
        ),
    };
    Ok(NewReply {
        gateway: gateway.to_owned(),
        dedup_hash: dedup_hash.to_owned(),
        phone_hash: sender.phone_hash.clone(),
        invitation: sender.contacted.as_ref().map(|contacted| contacted.invitation),
        meaning: meaning.as_str(),
        text_sealed: Some(text_sealed),
        sender_sealed,
        is_unmatched: sender.is_unmatched,
    })
}

/// Carries out an opt-out. A repeated one suppresses again and is not answered again.
pub async fn carry_out_opt_out(
    context: &AppContext,
    tx: &mut WriteTx,
    reply: &StoredReply,
    is_new: bool,
) -> Result<(), DispatchError> {
    let now = context.clock.now();
    let programme = reply
        .contacted
        .as_ref()
        .filter(|_| !context.config.opts_out_of_all)
        .map(|contacted| contacted.programme);
    opt_out(tx, &reply.phone_hash, programme, DispositionSource::Reply, now).await?;
    sms_interviews::end_by_phone(tx, &reply.phone_hash).await?;
    if let Some(contacted) = reply.contacted.as_ref().filter(|_| is_new) {
        let answers = |plan: &ContactPlan| !plan.confirmation.is_empty();
        plan_answer(tx, contacted, Upcoming::CONFIRMATION, answers, now).await?;
    }
    Ok(())
}

/// Lifts the person's own opt-out, and writes it down.
async fn carry_out_resubscription(
    context: &AppContext,
    tx: &mut WriteTx,
    reply: &StoredReply,
) -> Result<(), DispatchError> {
    let programme = reply.contacted.as_ref().map(|contacted| contacted.programme);
    if !resubscribe(tx, &reply.phone_hash, programme).await? {
        return Ok(());
    }
    context.audit(tx, &Actor::respondent(), Action::OptOutLifted, "").await?;
    match &reply.contacted {
        Some(contacted) => {
            let (answer, now) = (Upcoming::RESUBSCRIPTION, context.clock.now());
            plan_answer(tx, contacted, answer, |plan| !plan.resubscription.is_empty(), now).await
        }
        None => Ok(()),
    }
}

/// Plans the answer to an opt-out or to its end, where the campaign's plan has one. A plan that cannot
/// be read takes nothing away from what the person asked for: only the answer is left out.
async fn plan_answer(
    tx: &mut WriteTx,
    contacted: &LatestContact,
    answer: Upcoming,
    is_in_plan: impl Fn(&ContactPlan) -> bool,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let campaign = campaigns::get(tx, contacted.campaign).await?;
    let plan = match ContactPlan::from_stored(&campaign.plan) {
        Ok(plan) => plan,
        Err(error) => {
            tracing::error!(campaign = campaign.code, %error, "a reply is carried out and not \
                answered: the campaign's plan cannot be read");
            return Ok(());
        }
    };
    if is_in_plan(&plan) {
        invitations::plan_answer(tx, contacted.invitation, answer, now).await?;
    }
    Ok(())
}
