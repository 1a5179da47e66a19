//! The conversations with gateways: what was asked and what was answered, without anything of the person.

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{Engine, statement};
use super::bulk_params::{Kind, set};
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
    if exchanges.is_empty() {
        return Ok(());
    }
    let columns = [
        ("invitation_id", Kind::Number),
        ("step", Kind::Number),
        ("gateway", Kind::Text),
        ("asked", Kind::Text),
        ("answered", Kind::Text),
        ("at", Kind::Number),
    ];
    let sql = format!("INSERT INTO exchange (invitation_id, step, gateway, asked, answered, at) {}", Engine::behind(tx).rows(1, &columns));
    let said = set(exchanges.iter().map(|e| (e.message.invitation.0, e.message.step, &e.gateway, &e.asked, &e.answered, e.at.0)));
    sqlx::query(statement(sql)).bind(said).execute(tx).await?;
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
