//! Messages in doubt: the daemon died between submit and answer, or the answer was lost. They are asked after, never sent again (invariant I1).

use sqlx::AnyConnection;

use super::DispatchError;
use crate::domain::disposition::Disposition;
use crate::domain::time::Timestamp;
use crate::adapters::sms::{Doubtful, QueryAnswer};
use crate::services::context::Installation;
use crate::services::sealing::open_phone;
use crate::adapters::database::cases::Source;
use crate::adapters::database::invitations::{self, NextStep};
use crate::adapters::database::messages::{self, MessageInDoubt, Settlement, ShownDoubt};
use crate::adapters::database::{StoreError, campaigns, cases, gateway_log, receipts};

const ASK_AT_ONCE: u32 = 20;

/// Puts stale submits into doubt and asks the gateways after those in doubt; returns how many were settled.
pub async fn settle_doubts(installation: &Installation) -> Result<u64, DispatchError> {
    let now = installation.clock.now();
    let next = next_due(&mut *installation.store.read().await?, installation).await?;
    if next.is_none_or(|at| at > now) {
        return Ok(0);
    }
    let mut tx = installation.store.write().await?;
    let stale = messages::doubt_stale(&mut tx, now - installation.config.dispatch.in_doubt_after, now).await?;
    tx.commit().await?;
    if stale > 0 {
        tracing::warn!(messages = stale, "submits without an answer are in doubt");
    }
    let mut settled = 0;
    for (name, gateway) in installation.gateways.iter().filter(|(_, gateway)| gateway.capabilities().query) {
        let doubtful =
            messages::in_doubt(&mut *installation.store.read().await?, name, now - installation.config.dispatch.ask_after, ASK_AT_ONCE).await?;
        for message in doubtful {
            let sealer = installation.keys.sealer(&message.key_id)?;
            let asked = Doubtful {
                reference: message.reference.clone(),
                id: message.gateway_message_id.clone(),
                to: open_phone(&sealer, &message.phone_sealed)?,
                submitted_at: message.submitted_at,
            };
            let answer = gateway.query(&asked).await;
            settled += u64::from(write_answer(installation, name, &message, answer).await?);
        }
    }
    Ok(settled)
}

/// When a stale submit or a message in doubt needs a look.
pub async fn next_due(connection: &mut AnyConnection, installation: &Installation) -> Result<Option<Timestamp>, DispatchError> {
    let askable: Vec<&str> = installation.gateways.iter().filter(|(_, g)| g.capabilities().query).map(|(name, _)| name.as_str()).collect();
    let (claimed, doubted) = messages::oldest_unsettled(connection, &askable).await?;
    let stale = claimed.map(|at| at + installation.config.dispatch.in_doubt_after);
    Ok([stale, doubted.map(|at| at + installation.config.dispatch.ask_after)].into_iter().flatten().min())
}

/// What a person found out about a message in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    NotSent,
}

#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    #[error("no message has the reference {0}; «message doubts» lists those in doubt")]
    Unknown(String),
    #[error("message {reference} is {state}, not in doubt; there is nothing to decide")]
    NotInDoubt { reference: String, state: String },
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The messages in doubt that a person is to decide about: those that have been for long, or all.
pub async fn for_a_person(installation: &Installation, all: bool) -> Result<Vec<ShownDoubt>, StoreError> {
    let now = installation.clock.now();
    let since = if all { now } else { now - installation.config.dispatch.show_doubt_after };
    messages::doubts(&mut *installation.store.read().await?, since).await
}

/// Settles a message in doubt by a person's word: it counts as sent; or it was not sent, and goes out again, unless the plan has gone on meanwhile.
/// Returns what became of it, in words.
pub async fn settle_by_hand(installation: &Installation, reference: &str, verdict: Verdict) -> Result<&'static str, VerdictError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let message = messages::find(&mut tx, reference).await?.ok_or_else(|| VerdictError::Unknown(reference.to_owned()))?;
    if message.state != "in_doubt" {
        return Err(VerdictError::NotInDoubt { reference: reference.to_owned(), state: message.state });
    }
    let settle = |state| Settlement { key: message.key, state, gateway_message_id: None, code: Some("by_hand".into()), submitted_at: now };
    let told = match verdict {
        Verdict::Sent => {
            messages::settle_doubt(&mut tx, &settle("accepted")).await?;
            let unheard = [Disposition::NotAttempted];
            cases::dispose_of_invitations(&mut tx, &[message.key.invitation], Disposition::NothingHeard, &unheard, Source::Staff, now).await?;
            "counts as sent"
        }
        // The next step has not been sent yet: this one takes its place again. (The rules are looked at when it is due, as always.)
        Verdict::NotSent if message.next_step == message.key.step.saturating_add(1) => {
            messages::settle_doubt(&mut tx, &settle("deferred")).await?;
            invitations::set_next(&mut tx, &[NextStep { id: message.key.invitation, step: message.key.step, at: Some(now) }]).await?;
            "was not sent, and is due again"
        }
        Verdict::NotSent => {
            messages::settle_doubt(&mut tx, &settle("failed")).await?;
            "was not sent; the plan has gone on, so it is left out"
        }
    };
    if verdict == Verdict::NotSent {
        campaigns::give_back(&mut tx, message.key).await?;
    }
    tx.commit().await?;
    Ok(told)
}

async fn write_answer(installation: &Installation, gateway: &str, message: &MessageInDoubt, answer: QueryAnswer) -> Result<bool, DispatchError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let said =
        gateway_log::Exchange { message: message.key, gateway: gateway.to_owned(), asked: "query".into(), answered: format!("{answer:?}"), at: now };
    gateway_log::add(&mut tx, &[said]).await?;
    let settle = |state, id: Option<String>, code: Option<&str>| Settlement {
        key: message.key,
        state,
        gateway_message_id: id,
        code: code.map(str::to_owned),
        submitted_at: now,
    };
    let done = match answer {
        QueryAnswer::NoAnswer => {
            messages::note_query(&mut tx, message.key, now).await?;
            false
        }
        QueryAnswer::Unknown => {
            messages::settle_doubt(&mut tx, &settle("failed", None, Some("unknown_to_gateway"))).await?;
            campaigns::give_back(&mut tx, message.key).await?;
            true
        }
        QueryAnswer::Accepted { id } => {
            messages::settle_doubt(&mut tx, &settle("accepted", id, None)).await?;
            let (to, from) = (Disposition::NothingHeard, [Disposition::NotAttempted]);
            cases::dispose_of_invitations(&mut tx, &[message.key.invitation], to, &from, Source::Gateway, now).await?;
            true
        }
        QueryAnswer::Delivered { id } => {
            apply(&mut tx, gateway, &message.reference, id, true, now).await?;
            true
        }
        QueryAnswer::Undelivered { id } => {
            apply(&mut tx, gateway, &message.reference, id, false, now).await?;
            true
        }
    };
    tx.commit().await?;
    Ok(done)
}

async fn apply(
    tx: &mut crate::adapters::database::WriteTx,
    gateway: &str,
    reference: &str,
    id: Option<String>,
    delivered: bool,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let receipt = receipts::Receipt {
        gateway: gateway.to_owned(),
        reference: Some(reference.to_owned()),
        gateway_message_id: id,
        phone_hash: None,
        delivered,
        code: None,
    };
    crate::services::sms_inbound::apply_receipt(tx, &receipt, false, now).await
}
