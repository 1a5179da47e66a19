//! Messages in doubt: the daemon died between submit and answer, or the answer was lost. They are
//! asked after, and sent again only when it is certain that the gateway has never had them: a gateway
//! whose «unknown» is final says so, or a person (invariant I1).

use sqlx::AnyConnection;

use super::DispatchError;
use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::invitations::{self, NextContact};
use crate::adapters::database::messages::{
    self, DoubtSummary, MessageInDoubt, MessageState, Settlement,
};
use crate::adapters::database::{DatabaseError, WriteTx, campaigns, cases, gateway_log, receipts};
use crate::adapters::sms::{Gateway, QueriedMessage, QueryResult};
use crate::domain::contact_plan::Upcoming;
use crate::domain::disposition::Disposition;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::open_phone;
use crate::services::stuck_work::{Isolation, WorkKind};

const MAX_QUERIES_PER_TICK: u32 = 20;

/// Puts stale submits into doubt and asks the gateways after those in doubt; returns how many were
/// settled.
pub async fn resolve_in_doubt(context: &AppContext) -> Result<u64, DispatchError> {
    let now = context.clock.now();
    let next = next_due(&mut *context.database.read().await?, context).await?;
    if next.is_none_or(|at| at > now) {
        return Ok(0);
    }
    let mut tx = context.database.write().await?;
    let stale =
        messages::mark_stale_in_doubt(&mut tx, now - context.config.dispatch.in_doubt_after, now)
            .await?;
    tx.commit().await?;
    if stale > 0 {
        tracing::warn!(messages = stale, "submits without an answer are in doubt");
    }
    let mut settled = 0;
    for (name, gateway) in
        context.gateways.iter().filter(|(_, gateway)| gateway.capabilities().query)
    {
        let doubtful = messages::in_doubt(
            &mut *context.database.read().await?,
            name,
            now - context.config.dispatch.query_after,
            MAX_QUERIES_PER_TICK,
        )
        .await?;
        if doubtful.is_empty() {
            continue;
        }
        let mut isolation = Isolation::load(context, WorkKind::Query).await?;
        for message in doubtful {
            // It stands behind the others until it is asked after again.
            if isolation.holds_back(&message.reference) {
                let mut tx = context.database.write().await?;
                messages::record_query(&mut tx, message.key, now).await?;
                tx.commit().await?;
                continue;
            }
            let result = query_message(context, gateway.as_ref(), &message, now).await;
            let is_settled = isolation.record(&message.reference, result).await?;
            settled += u64::from(is_settled == Some(true));
        }
    }
    Ok(settled)
}

/// Asks a gateway after a message. Returns whether that settles it.
async fn query_message(
    context: &AppContext,
    gateway: &dyn Gateway,
    message: &MessageInDoubt,
    now: Timestamp,
) -> Result<bool, DispatchError> {
    let sealer = context.keys.sealer(&message.key_id)?;
    let query = QueriedMessage {
        reference: message.reference.clone(),
        id: message.gateway_message_id.clone(),
        to: open_phone(&sealer, &message.phone_sealed)?,
        submitted_at: message.submitted_at,
    };
    let answer = gateway.query(&query).await;
    let final_after = gateway.capabilities().unknown_is_final_after;
    let is_final = final_after.is_some_and(|after| message.submitted_at + after <= now);
    record_query_answer(context, gateway.name(), message, answer, is_final).await
}

/// When a stale submit or a message in doubt needs a look.
pub async fn next_due(
    connection: &mut AnyConnection,
    context: &AppContext,
) -> Result<Option<Timestamp>, DispatchError> {
    let askable: Vec<&str> = context
        .gateways
        .iter()
        .filter(|(_, g)| g.capabilities().query)
        .map(|(name, _)| name.as_str())
        .collect();
    let (claimed, doubted) = messages::oldest_unsettled(connection, &askable).await?;
    let stale = claimed.map(|at| at + context.config.dispatch.in_doubt_after);
    Ok([stale, doubted.map(|at| at + context.config.dispatch.query_after)]
        .into_iter()
        .flatten()
        .min())
}

/// What a person found out about a message in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtResolution {
    Sent,
    NotSent,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "in_doubt.", serialize_all = "snake_case")]
pub enum DoubtResolutionError {
    #[error("no message has the reference {0}")]
    Unknown(String),
    #[error("message {reference} is {state}, not in doubt; there is nothing to decide")]
    NotInDoubt { reference: String, state: String },
    #[error(transparent)]
    #[strum(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// The messages in doubt that a person is to decide about: those that have been for long, or all.
pub async fn list_for_review(
    context: &AppContext,
    all: bool,
) -> Result<Vec<DoubtSummary>, DatabaseError> {
    let now = context.clock.now();
    let since = if all { now } else { now - context.config.dispatch.escalate_in_doubt_after };
    messages::list_in_doubt(&mut *context.database.read().await?, since).await
}

/// Settles a message in doubt by a person's word: it counts as sent; or it was not sent, and goes
/// out again, unless the plan has gone on meanwhile. Returns what became of it, in words.
pub async fn resolve_manually(
    context: &AppContext,
    reference: &str,
    resolution: DoubtResolution,
) -> Result<&'static str, DoubtResolutionError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let message = messages::find(&mut tx, reference)
        .await?
        .ok_or_else(|| DoubtResolutionError::Unknown(reference.to_owned()))?;
    if message.state != "in_doubt" {
        return Err(DoubtResolutionError::NotInDoubt {
            reference: reference.to_owned(),
            state: message.state,
        });
    }
    let result = match resolution {
        DoubtResolution::Sent => {
            messages::settle_doubt(&mut tx, &settlement(&message, "accepted", "by_hand", now))
                .await?;
            let unheard = [Disposition::NotAttempted];
            cases::set_disposition_of_invitations(
                &mut tx,
                &[message.key.invitation],
                Disposition::NothingHeard,
                &unheard,
                DispositionSource::Staff,
                now,
            )
            .await?;
            "counts as sent"
        }
        DoubtResolution::NotSent => settle_not_sent(&mut tx, &message, "by_hand", now).await?,
    };
    tx.commit().await?;
    Ok(result)
}

/// Settles all messages in doubt that a person is to decide about as not sent; returns how many.
pub async fn resolve_all_as_not_sent(context: &AppContext) -> Result<u64, DoubtResolutionError> {
    let since = context.clock.now() - context.config.dispatch.query_after;
    let listed = messages::list_in_doubt(&mut *context.database.read().await?, since).await?;
    let mut settled = 0;
    for message in listed {
        match resolve_manually(context, &message.reference, DoubtResolution::NotSent).await {
            Ok(_) => settled += 1,
            // A receipt or somebody else has settled it meanwhile.
            Err(DoubtResolutionError::NotInDoubt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(settled)
}

fn settlement(
    message: &MessageState,
    state: &'static str,
    code: &str,
    now: Timestamp,
) -> Settlement {
    Settlement {
        key: message.key,
        state,
        gateway_message_id: None,
        code: Some(code.into()),
        submitted_at: now,
        part_ids: Vec::new(),
    }
}

/// The gateway has certainly never had this message. If the next step has not been sent yet, this
/// one takes its place again. (The rules are looked at when it is due, as always.)
async fn settle_not_sent(
    tx: &mut WriteTx,
    message: &MessageState,
    code: &str,
    now: Timestamp,
) -> Result<&'static str, DatabaseError> {
    let is_due_again = message.is_followed_by_next();
    let state = if is_due_again { "deferred" } else { "failed" };
    messages::settle_doubt(tx, &settlement(message, state, code, now)).await?;
    if is_due_again {
        let upcoming = Upcoming::step(message.key.slot.number);
        let next = NextContact { id: message.key.invitation, upcoming, at: Some(now) };
        invitations::set_next_contacts(tx, &[next]).await?;
    }
    campaigns::refund(tx, message.key).await?;
    Ok(match is_due_again {
        true => "was not sent, and is due again",
        false => "was not sent; the plan has gone on, so it is left out",
    })
}

async fn record_query_answer(
    context: &AppContext,
    gateway: &str,
    message: &MessageInDoubt,
    answer: QueryResult,
    unknown_is_final: bool,
) -> Result<bool, DispatchError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let said = gateway_log::GatewayLogEntry {
        message: message.key,
        gateway: gateway.to_owned(),
        request: "query".into(),
        response: format!("{answer:?}"),
        at: now,
    };
    gateway_log::add(&mut tx, &[said]).await?;
    let settle = |state, id: Option<String>, code: Option<&str>| Settlement {
        key: message.key,
        state,
        gateway_message_id: id,
        code: code.map(str::to_owned),
        submitted_at: now,
        part_ids: Vec::new(),
    };
    let done = match answer {
        QueryResult::Unknown if unknown_is_final => {
            let found = messages::find(&mut tx, &message.reference).await?;
            if let Some(found) = found.filter(|found| found.state == "in_doubt") {
                settle_not_sent(&mut tx, &found, "unknown_to_gateway", now).await?;
            }
            true
        }
        // It may yet turn up: it is asked after again, or a person decides.
        QueryResult::NoAnswer | QueryResult::Unknown => {
            messages::record_query(&mut tx, message.key, now).await?;
            false
        }
        QueryResult::Accepted { id } => {
            messages::settle_doubt(&mut tx, &settle("accepted", id, None)).await?;
            let (to, from) = (Disposition::NothingHeard, [Disposition::NotAttempted]);
            cases::set_disposition_of_invitations(
                &mut tx,
                &[message.key.invitation],
                to,
                &from,
                DispositionSource::Gateway,
                now,
            )
            .await?;
            true
        }
        QueryResult::Delivered { id } => {
            apply_queried_receipt(&mut tx, gateway, &message.reference, id, true, now).await?;
            true
        }
        QueryResult::Undelivered { id } => {
            apply_queried_receipt(&mut tx, gateway, &message.reference, id, false, now).await?;
            true
        }
    };
    tx.commit().await?;
    Ok(done)
}

async fn apply_queried_receipt(
    tx: &mut WriteTx,
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
        dead_number: false,
        confirms_part: false,
    };
    super::receipts::apply_receipt(tx, &receipt, now).await
}
