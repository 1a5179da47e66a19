//! Receipts: they move a message forward, never back, whenever and however often they arrive.

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, message_parts};
use crate::adapters::crypto::invitation_of_reference;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

/// A receipt as sent by a gateway. It identifies its message by our reference, by the gateway's id,
/// or by both.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub gateway: String,
    pub reference: Option<String>,
    pub gateway_message_id: Option<String>,
    /// Hash of the recipient's number; it identifies the message if a request had several.
    pub phone_hash: Option<String>,
    pub delivered: bool,
    pub code: Option<String>,
    /// The gateway's code says that the number does not work.
    pub dead_number: bool,
    /// It confirms one part of a long message.
    pub confirms_part: bool,
}

/// The effect of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptEffect {
    /// The message of this invitation is now delivered, or undelivered.
    MessageUpdated { invitation: InvitationId, delivered: bool },
    /// The message is known and already in this state or a later one, or waits for receipts of its
    /// other parts.
    AlreadyKnown,
    /// No message matches; the receipt is stored, because the gateway's response may still arrive.
    Unmatched,
}

/// Applies a receipt.
pub async fn apply(
    tx: &mut AnyConnection,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<ReceiptEffect> {
    if let Some(id) = receipt.gateway_message_id.as_ref().filter(|_| receipt.confirms_part)
        && let Some(part) = message_parts::find(tx, &receipt.gateway, id).await?
    {
        return match message_parts::apply(tx, part.key, receipt.delivered).await? {
            Some(delivered) => move_message(tx, part.message, delivered, (receipt, now)).await,
            None => Ok(ReceiptEffect::AlreadyKnown),
        };
    }
    match (find(tx, receipt).await?, &receipt.gateway_message_id) {
        (Some(found), _) => move_message(tx, found, receipt.delivered, (receipt, now)).await,
        (None, Some(id)) => {
            store_unmatched(tx, receipt, id, now).await?;
            Ok(ReceiptEffect::Unmatched)
        }
        (None, None) => Ok(ReceiptEffect::Unmatched),
    }
}

/// Moves a message forward.
async fn move_message(
    tx: &mut AnyConnection,
    (invitation, kind, number, state): FoundMessage,
    delivered: bool,
    (receipt, now): (&Receipt, Timestamp),
) -> Result<ReceiptEffect> {
    // Delivered is final; undelivered may still become delivered, because gateways retry.
    let moves = match state.as_str() {
        "submitting" | "in_doubt" | "accepted" | "failed" => true,
        "undelivered" => delivered,
        _ => false,
    };
    if !moves {
        return Ok(ReceiptEffect::AlreadyKnown);
    }
    let sql = "UPDATE message SET state = $2, received_at = $3, code = $4, gateway_message_id = \
        COALESCE(gateway_message_id, $5)
               WHERE invitation_id = $1 AND kind = $6 AND number = $7";
    sqlx::query(sql)
        .bind(invitation)
        .bind(if delivered { "delivered" } else { "undelivered" })
        .bind(now.0)
        .bind(receipt.code.clone())
        .bind(receipt.gateway_message_id.clone().filter(|_| !receipt.confirms_part))
        .bind(kind)
        .bind(number)
        .execute(tx)
        .await?;
    Ok(ReceiptEffect::MessageUpdated { invitation: InvitationId(invitation), delivered })
}

/// A message's invitation, kind, number and state.
pub(super) type FoundMessage = (i64, i64, i64, String);

async fn find(tx: &mut AnyConnection, receipt: &Receipt) -> Result<Option<FoundMessage>> {
    if let Some((reference, invitation)) =
        receipt.reference.as_ref().and_then(|r| Some((r, invitation_of_reference(r)?)))
    {
        let sql = "SELECT invitation_id, kind, number, state FROM message WHERE invitation_id = $1 AND \
            reference = $2";
        let row = sqlx::query_as(sql)
            .bind(invitation)
            .bind(reference.clone())
            .fetch_optional(&mut *tx)
            .await?;
        if row.is_some() {
            return Ok(row);
        }
    }
    let Some(id) = &receipt.gateway_message_id else { return Ok(None) };
    let sql = "SELECT m.invitation_id, m.kind, m.number, m.state
               FROM message m JOIN invitation i ON i.id = m.invitation_id JOIN respondent r ON \
               r.id = i.respondent_id
               WHERE m.gateway = $1 AND m.gateway_message_id = $2 AND (r.phone_hash = $3 OR $3 = \
               '') ORDER BY m.claimed_at";
    let phone_hash = receipt.phone_hash.clone().unwrap_or_default();
    let row = sqlx::query_as(sql)
        .bind(receipt.gateway.clone())
        .bind(id.clone())
        .bind(phone_hash.clone())
        .fetch_optional(&mut *tx)
        .await?;
    if row.is_some() || receipt.reference.is_some() || phone_hash.is_empty() {
        return Ok(row);
    }
    // One of several messages in a request whose response has not arrived or was lost: the number
    // identifies it.
    let sql = "SELECT m.invitation_id, m.kind, m.number, m.state
               FROM respondent r JOIN invitation i ON i.respondent_id = r.id JOIN message m ON \
               m.invitation_id = i.id
               WHERE r.phone_hash = $2 AND m.gateway = $1 AND m.state IN ('submitting', \
               'in_doubt') AND m.gateway_message_id IS NULL AND (m.parts = 1 OR $3 = 0)
               ORDER BY m.claimed_at DESC";
    Ok(sqlx::query_as(sql)
        .bind(receipt.gateway.clone())
        .bind(phone_hash)
        .bind(i64::from(receipt.confirms_part))
        .fetch_optional(tx)
        .await?)
}

async fn store_unmatched(
    tx: &mut AnyConnection,
    receipt: &Receipt,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO unmatched_receipt (gateway, gateway_message_id, phone_hash, \
        delivered, code, received_at, dead_number) VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (gateway, gateway_message_id, phone_hash, delivered) DO NOTHING";
    sqlx::query(sql)
        .bind(receipt.gateway.clone())
        .bind(id.to_owned())
        .bind(receipt.phone_hash.clone().unwrap_or_default())
        .bind(i64::from(receipt.delivered))
        .bind(receipt.code.clone())
        .bind(now.0)
        .bind(i64::from(receipt.dead_number))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns those of these ids that a gateway has given to messages, or to parts of them.
pub async fn known_ids(
    connection: &mut AnyConnection,
    gateway: &str,
    ids: &[String],
) -> Result<Vec<String>> {
    let among = Engine::of_connection(connection).in_list(2, ColumnType::Text);
    let sql = format!(
        "SELECT gateway_message_id FROM message WHERE gateway = $1 AND gateway_message_id {among} \
         AND gateway_message_id IS NOT NULL
         UNION SELECT gateway_message_id FROM message_part WHERE gateway = $1 AND \
         gateway_message_id {among}"
    );
    Ok(sqlx::query_scalar(statement(sql))
        .bind(gateway.to_owned())
        .bind(to_param(ids))
        .fetch_all(connection)
        .await?)
}

/// Removes the unmatched receipts with an id of `spellings`, and returns them as those of
/// `gateway_message_id`.
pub async fn take_unmatched(
    tx: &mut AnyConnection,
    gateway: &str,
    gateway_message_id: &str,
    spellings: &[String],
    confirms_part: bool,
) -> Result<Vec<Receipt>> {
    let sql = format!(
        "DELETE FROM unmatched_receipt WHERE gateway = $1 AND gateway_message_id {} \
         RETURNING phone_hash, delivered, code, dead_number",
        Engine::of_connection(tx).in_list(2, ColumnType::Text)
    );
    let rows: Vec<(String, i64, Option<String>, i64)> = sqlx::query_as(statement(sql))
        .bind(gateway.to_owned())
        .bind(to_param(spellings))
        .fetch_all(tx)
        .await?;
    let receipt =
        |(phone_hash, delivered, code, dead): (String, i64, Option<String>, i64)| Receipt {
            gateway: gateway.to_owned(),
            reference: None,
            gateway_message_id: Some(gateway_message_id.to_owned()),
            phone_hash: Some(phone_hash).filter(|hash| !hash.is_empty()),
            delivered: delivered == 1,
            code,
            dead_number: dead == 1,
            confirms_part,
        };
    Ok(rows.into_iter().map(receipt).collect())
}

/// Lists gateway and id of the receipts that have been unmatched between these times, the latest
/// first.
pub async fn unmatched_between(
    connection: &mut AnyConnection,
    (since, until): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT gateway, gateway_message_id FROM unmatched_receipt WHERE received_at >= $1 AND \
        received_at <= $2 ORDER BY received_at DESC, id DESC LIMIT $3";
    Ok(sqlx::query_as(sql)
        .bind(since.0)
        .bind(until.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?)
}

/// Deletes receipts that have been unmatched since before `since`.
pub async fn delete_unmatched_before(tx: &mut AnyConnection, since: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM unmatched_receipt WHERE received_at < $1")
        .bind(since.0)
        .execute(tx)
        .await?
        .rows_affected())
}

/// Returns whether any unmatched receipts are stored for a gateway.
pub async fn any_unmatched(connection: &mut AnyConnection, gateway: &str) -> Result<bool> {
    let sql =
        "SELECT COUNT(*) FROM (SELECT 1 FROM unmatched_receipt WHERE gateway = $1 LIMIT 1) AS w";
    Ok(sqlx::query_scalar::<_, i64>(sql).bind(gateway.to_owned()).fetch_one(connection).await? > 0)
}
