//! Parts of long replies, until all of one reply are there.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::time::Timestamp;

/// What the parts of one reply have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongReply {
    pub gateway: String,
    pub sender_hash: String,
    pub reference: u16,
    pub total: u8,
}

/// A part as it is stored.
#[derive(Debug, Clone)]
pub struct StoredPart {
    pub number: u8,
    pub content_hash: String,
    pub sealed: Vec<u8>,
    pub received_at: Timestamp,
    pub taken_at: Option<Timestamp>,
}

/// Stores a part. Returns false if there is one of this number.
pub async fn add(tx: &mut AnyConnection, of: &LongReply, part: &StoredPart) -> Result<bool> {
    let sql = "INSERT INTO reply_part (gateway, sender_hash, reference, total, number, \
        content_hash, sealed, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT \
        (gateway, sender_hash, reference, total, number) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(of.gateway.clone())
        .bind(of.sender_hash.clone())
        .bind(i64::from(of.reference))
        .bind(i64::from(of.total))
        .bind(i64::from(part.number))
        .bind(part.content_hash.clone())
        .bind(part.sealed.clone())
        .bind(part.received_at.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Lists the parts of a reply in their order.
pub async fn list(connection: &mut AnyConnection, of: &LongReply) -> Result<Vec<StoredPart>> {
    type Row = (i64, String, Vec<u8>, i64, Option<i64>);
    let sql = "SELECT number, content_hash, sealed, received_at, taken_at FROM reply_part WHERE \
        gateway = $1 AND sender_hash = $2 AND reference = $3 AND total = $4 ORDER BY number";
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(of.gateway.clone())
        .bind(of.sender_hash.clone())
        .bind(i64::from(of.reference))
        .bind(i64::from(of.total))
        .fetch_all(connection)
        .await?;
    let part = |(number, content_hash, sealed, received_at, taken_at): Row| StoredPart {
        number: u8::try_from(number).unwrap_or(u8::MAX),
        content_hash,
        sealed,
        received_at: Timestamp(received_at),
        taken_at: taken_at.map(Timestamp),
    };
    Ok(rows.into_iter().map(part).collect())
}

/// Records that the parts of a reply have become one.
pub async fn mark_taken(tx: &mut AnyConnection, of: &LongReply, now: Timestamp) -> Result<()> {
    let sql = "UPDATE reply_part SET taken_at = $5 WHERE gateway = $1 AND sender_hash = $2 AND \
        reference = $3 AND total = $4";
    sqlx::query(sql)
        .bind(of.gateway.clone())
        .bind(of.sender_hash.clone())
        .bind(i64::from(of.reference))
        .bind(i64::from(of.total))
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the parts of a reply: its reference is used again.
pub async fn delete(tx: &mut AnyConnection, of: &LongReply) -> Result<()> {
    let sql = "DELETE FROM reply_part WHERE gateway = $1 AND sender_hash = $2 AND reference = $3 \
        AND total = $4";
    sqlx::query(sql)
        .bind(of.gateway.clone())
        .bind(of.sender_hash.clone())
        .bind(i64::from(of.reference))
        .bind(i64::from(of.total))
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the replies of which the last part to arrive came at `before` or earlier, and which have
/// not been taken.
pub async fn overdue(connection: &mut AnyConnection, before: Timestamp) -> Result<Vec<LongReply>> {
    let sql = "SELECT gateway, sender_hash, reference, total FROM reply_part WHERE taken_at IS \
        NULL GROUP BY gateway, sender_hash, reference, total HAVING MAX(received_at) <= $1 LIMIT 500";
    let rows: Vec<(String, String, i64, i64)> =
        sqlx::query_as(sql).bind(before.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(gateway, sender_hash, reference, total)| LongReply {
            gateway,
            sender_hash,
            reference: u16::try_from(reference).unwrap_or_default(),
            total: u8::try_from(total).unwrap_or_default(),
        })
        .collect())
}
