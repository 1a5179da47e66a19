//! What gateways push: receipts move messages and cases forward; replies opt out, ask for a call, or go to the staff's inbox.
//!
//! A push is answered only when its content is on disk, so that a gateway pushes it again if we die before.

use phonenumber::country;

use super::DispatchError;
use super::settle::dispose;
use crate::domain::disposition::Disposition;
use crate::domain::phone::Phone;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::gateway;
use crate::installation::{Installation, place};
use crate::store::cases::Source;
use crate::store::receipts::{self, Applied};
use crate::store::replies::{self, NewReply};
use crate::store::{WriteTx, cases, invitations, programmes, suppressions};

/// Takes the receipts of one push, in one transaction.
pub async fn take_receipts(installation: &Installation, gateway: &str, pushed: Vec<gateway::Receipt>) -> Result<(), DispatchError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    for receipt in pushed {
        let stored = receipts::Receipt {
            gateway: gateway.to_owned(),
            reference: receipt.reference,
            gateway_message_id: receipt.id,
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
    if receipt.delivered {
        dispose(tx, &[invitation], Disposition::NonContact, &unheard, now).await?;
    } else if dead_number {
        dispose(tx, &[invitation], Disposition::NonWorkingNumber, &unheard, now).await?;
        invitations::stop(tx, &[invitation]).await?;
    } else {
        dispose(tx, &[invitation], Disposition::NothingHeard, &[Disposition::NotAttempted], now).await?;
    }
    Ok(())
}

/// Takes one reply. Pushed a second time, it changes nothing.
pub async fn take_reply(installation: &Installation, gateway: &str, reply: &gateway::Reply) -> Result<(), DispatchError> {
    let now = installation.clock.now();
    let region = installation.config.default_region.parse().unwrap_or(country::CN);
    let Ok(phone) = Phone::parse(reply.from.reveal(), region) else {
        tracing::warn!(gateway, "a reply came from something that is no telephone number; it is dropped");
        return Ok(());
    };
    let hasher = installation.keys.hasher();
    let phone_hash = hasher.number(&phone);
    let meaning = ReplyMeaning::of(reply.text.reveal());
    let which = reply.id.as_ref().map_or_else(|| format!("{phone_hash}\n{}", reply.text.reveal()), |id| id.reveal().to_owned());
    let mut tx = installation.store.write().await?;
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
        let programme = match contacted {
            Some(contacted) if !installation.config.opt_out_for_all => Some(contacted.programme),
            _ => None,
        };
        opt_out(&mut tx, &phone_hash, programme, Source::Reply, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Suppresses a number in a programme, or everywhere, and ends all that was planned for it.
pub async fn opt_out(
    tx: &mut WriteTx,
    phone_hash: &str,
    programme: Option<crate::domain::ids::ProgrammeId>,
    source: Source,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let scope = match programme {
        Some(programme) => programmes::get(tx, programme).await?.code,
        None => suppressions::ALL.to_owned(),
    };
    suppressions::add(tx, phone_hash, &scope, "opt_out", now).await?;
    let theirs = invitations::to_number(tx, phone_hash, programme).await?;
    let open = cases::open_of_invitations(tx, &theirs).await?;
    cases::dispose(tx, &open, Disposition::Refusal, &[], source, now).await?;
    invitations::stop(tx, &theirs).await?;
    Ok(())
}
