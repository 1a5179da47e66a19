//! Messages in doubt: the daemon died between submit and answer, or the answer was lost. They are asked after, never sent again (invariant I1).

use sqlx::AnyConnection;

use super::DispatchError;
use super::settle::dispose;
use crate::domain::disposition::Disposition;
use crate::domain::time::Timestamp;
use crate::gateway::{Doubtful, QueryAnswer};
use crate::installation::{Installation, open_phone};
use crate::store::messages::{self, Settlement};
use crate::store::receipts;

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
                reference: message.reference,
                id: message.gateway_message_id,
                to: open_phone(&sealer, &message.phone_sealed)?,
                submitted_at: message.submitted_at,
            };
            let answer = gateway.query(&asked).await;
            settled += u64::from(write_answer(installation, name, &asked.reference, answer).await?);
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

async fn write_answer(installation: &Installation, gateway: &str, reference: &str, answer: QueryAnswer) -> Result<bool, DispatchError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let references = [reference.to_owned()];
    let invitations = messages::invitations_of(&mut tx, &references).await?;
    let settle = |state, id: Option<String>, code: Option<&str>| Settlement {
        reference: reference.to_owned(),
        state,
        gateway_message_id: id,
        code: code.map(str::to_owned),
        submitted_at: now,
    };
    let done = match answer {
        QueryAnswer::NoAnswer => {
            messages::note_query(&mut tx, &references, now).await?;
            false
        }
        QueryAnswer::Unknown => {
            messages::settle_doubt(&mut tx, &settle("failed", None, Some("unknown_to_gateway"))).await?;
            true
        }
        QueryAnswer::Accepted { id } => {
            messages::settle_doubt(&mut tx, &settle("accepted", id, None)).await?;
            dispose(&mut tx, &invitations, Disposition::NothingHeard, &[Disposition::NotAttempted], now).await?;
            true
        }
        QueryAnswer::Delivered { id } => {
            apply(&mut tx, gateway, reference, id, true, now).await?;
            true
        }
        QueryAnswer::Undelivered { id } => {
            apply(&mut tx, gateway, reference, id, false, now).await?;
            true
        }
    };
    tx.commit().await?;
    Ok(done)
}

async fn apply(
    tx: &mut crate::store::WriteTx,
    gateway: &str,
    reference: &str,
    id: Option<String>,
    delivered: bool,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let receipt =
        receipts::Receipt { gateway: gateway.to_owned(), reference: Some(reference.to_owned()), gateway_message_id: id, delivered, code: None };
    super::incoming::apply_receipt(tx, &receipt, false, now).await
}
