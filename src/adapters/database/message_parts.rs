//! The parts of long messages, where the gateway takes and confirms each of them by itself: a
//! message is delivered when all its parts are, and undelivered when one of them is.

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::messages::Settlement;
use super::receipts::FoundMessage;

/// Stores the gateway's ids of the parts of these messages, in place of those of an earlier
/// attempt.
pub async fn save(tx: &mut AnyConnection, gateway: &str, settlements: &[Settlement]) -> Result<()> {
    if settlements.iter().all(|settlement| settlement.part_ids.is_empty()) {
        return Ok(());
    }
    let rows = rows_of(settlements);
    let columns = [
        ("invitation_id", ColumnType::Number),
        ("kind", ColumnType::Number),
        ("number", ColumnType::Number),
        ("part", ColumnType::Number),
        ("gateway_message_id", ColumnType::Text),
    ];
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "DELETE FROM message_part WHERE (invitation_id, kind, number) IN (SELECT v.invitation_id, \
         v.kind, v.number FROM ({}) AS v)",
        engine.select_rows(1, &columns)
    );
    sqlx::query(statement(sql)).bind(rows.clone()).execute(&mut *tx).await?;
    let sql = format!(
        "INSERT INTO message_part (invitation_id, kind, number, part, gateway, gateway_message_id)
         SELECT v.invitation_id, v.kind, v.number, v.part, $1, v.gateway_message_id FROM ({}) AS v \
         WHERE v.gateway_message_id IS NOT NULL",
        engine.select_rows(2, &columns)
    );
    sqlx::query(statement(sql)).bind(gateway.to_owned()).bind(rows).execute(tx).await?;
    Ok(())
}

/// One row for each part, as a parameter.
fn rows_of(settlements: &[Settlement]) -> String {
    to_param(settlements.iter().flat_map(|settlement| {
        let (key, ids) = (settlement.key, (1u32..).zip(&settlement.part_ids));
        ids.map(move |(part, id)| {
            (key.invitation.0, key.slot.kind.code(), key.slot.number, part, id)
        })
    }))
}

/// The key of a part: its message's, and its place.
pub struct PartKey {
    invitation: i64,
    kind: i64,
    number: i64,
    part: i64,
}

/// A part that a receipt names, and its message.
pub struct FoundPart {
    pub key: PartKey,
    pub message: FoundMessage,
}

/// Finds the part to which a gateway gave this id, and locks its message.
pub async fn find(
    tx: &mut AnyConnection,
    gateway: &str,
    gateway_message_id: &str,
) -> Result<Option<FoundPart>> {
    // Receipts of two parts at once: the second one must see what the first has written.
    let sql = format!(
        "SELECT m.invitation_id, m.kind, m.number, m.state, p.part
         FROM message_part p JOIN message m ON m.invitation_id = p.invitation_id AND m.kind = \
         p.kind AND m.number = p.number
         WHERE p.gateway = $1 AND p.gateway_message_id = $2 ORDER BY m.claimed_at DESC LIMIT 1{}",
        Engine::of_connection(tx).for_update()
    );
    let row: Option<(i64, i64, i64, String, i64)> = sqlx::query_as(statement(sql))
        .bind(gateway.to_owned())
        .bind(gateway_message_id.to_owned())
        .fetch_optional(tx)
        .await?;
    Ok(row.map(|(invitation, kind, number, state, part)| FoundPart {
        key: PartKey { invitation, kind, number, part },
        message: (invitation, kind, number, state),
    }))
}

/// Moves a part forward. Returns whether its message is now delivered or undelivered; `None`: that
/// is not known yet.
pub async fn apply(tx: &mut AnyConnection, key: PartKey, delivered: bool) -> Result<Option<bool>> {
    // Delivered is final; an undelivered part may still be delivered.
    let sql = "UPDATE message_part SET state = $5 WHERE invitation_id = $1 AND kind = $2 AND number \
        = $3 AND part = $4 AND state <> 'delivered'";
    sqlx::query(sql)
        .bind(key.invitation)
        .bind(key.kind)
        .bind(key.number)
        .bind(key.part)
        .bind(if delivered { "delivered" } else { "undelivered" })
        .execute(&mut *tx)
        .await?;
    let sql = "SELECT COUNT(CASE WHEN p.state = 'delivered' THEN 1 END),
                      COUNT(CASE WHEN p.state = 'undelivered' THEN 1 END), MAX(m.parts), COUNT(*)
               FROM message_part p JOIN message m ON m.invitation_id = p.invitation_id AND m.kind = \
               p.kind AND m.number = p.number
               WHERE p.invitation_id = $1 AND p.kind = $2 AND p.number = $3";
    let (delivered, undelivered, parts, known): (i64, i64, i64, i64) = sqlx::query_as(sql)
        .bind(key.invitation)
        .bind(key.kind)
        .bind(key.number)
        .fetch_one(tx)
        .await?;
    Ok(match undelivered {
        0 => Some(true).filter(|_| delivered >= parts.max(known)),
        _ => Some(false),
    })
}
