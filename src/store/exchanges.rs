//! The conversations with gateways: what was asked and what was answered, without anything of the person.

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{CHUNK, statement, values};
use crate::domain::ids::MessageKey;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub message: MessageKey,
    pub gateway: String,
    pub asked: String,
    pub answered: String,
    pub at: Timestamp,
}

pub async fn add(tx: &mut AnyConnection, exchanges: &[Exchange]) -> Result<()> {
    for chunk in exchanges.chunks(CHUNK) {
        let sql = format!("INSERT INTO exchange (invitation_id, step, gateway, asked, answered, at) VALUES {}", values(chunk.len(), &[""; 6]));
        let mut query = sqlx::query(statement(tx, sql));
        for exchange in chunk {
            query = query
                .bind(exchange.message.invitation.0)
                .bind(i64::from(exchange.message.step))
                .bind(exchange.gateway.clone())
                .bind(exchange.asked.clone())
                .bind(exchange.answered.clone())
                .bind(exchange.at.0);
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// The conversation about one message, in its order.
pub async fn of_message(connection: &mut AnyConnection, message: MessageKey) -> Result<Vec<Exchange>> {
    let sql = "SELECT gateway, asked, answered, at FROM exchange WHERE invitation_id = $1 AND step = $2 ORDER BY at, id";
    let rows: Vec<(String, String, String, i64)> =
        sqlx::query_as(sql).bind(message.invitation.0).bind(i64::from(message.step)).fetch_all(connection).await?;
    let exchange = |(gateway, asked, answered, at)| Exchange { message, gateway, asked, answered, at: Timestamp(at) };
    Ok(rows.into_iter().map(exchange).collect())
}

/// Forgets conversations from before `since`.
pub async fn forget(tx: &mut AnyConnection, since: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM exchange WHERE at < $1").bind(since.0).execute(tx).await?.rows_affected())
}
