//! The gateway log: requests and responses, without personal data.

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::ids::MessageKey;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLogEntry {
    pub message: MessageKey,
    pub gateway: String,
    pub request: String,
    pub response: String,
    pub at: Timestamp,
}

pub async fn add(tx: &mut AnyConnection, log_entries: &[GatewayLogEntry]) -> Result<()> {
    if log_entries.is_empty() {
        return Ok(());
    }
    let columns = [
        ("invitation_id", ColumnType::Number),
        ("kind", ColumnType::Number),
        ("number", ColumnType::Number),
        ("gateway", ColumnType::Text),
        ("request", ColumnType::Text),
        ("response", ColumnType::Text),
        ("at", ColumnType::Number),
    ];
    let sql = format!(
        "INSERT INTO gateway_log (invitation_id, kind, number, gateway, request, response, at) {}",
        Engine::of_connection(tx).select_rows(1, &columns)
    );
    let rows = to_param(log_entries.iter().map(|e| {
        (
            e.message.invitation.0,
            e.message.slot.kind.code(),
            e.message.slot.number,
            &e.gateway,
            &e.request,
            &e.response,
            e.at.0,
        )
    }));
    sqlx::query(statement(sql)).bind(rows).execute(tx).await?;
    Ok(())
}

/// Lists the entries of one message in chronological order.
pub async fn of_message(
    connection: &mut AnyConnection,
    message: MessageKey,
) -> Result<Vec<GatewayLogEntry>> {
    let sql = "SELECT gateway, request, response, at FROM gateway_log WHERE invitation_id = $1 \
        AND kind = $2 AND number = $3 ORDER BY at, id";
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(sql)
        .bind(message.invitation.0)
        .bind(message.slot.kind.code())
        .bind(i64::from(message.slot.number))
        .fetch_all(connection)
        .await?;
    let log_entry = |(gateway, request, response, at)| GatewayLogEntry {
        message,
        gateway,
        request,
        response,
        at: Timestamp(at),
    };
    Ok(rows.into_iter().map(log_entry).collect())
}

/// Deletes entries from before `since`.
pub async fn delete_before(tx: &mut AnyConnection, since: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM gateway_log WHERE at < $1")
        .bind(since.0)
        .execute(tx)
        .await?
        .rows_affected())
}
