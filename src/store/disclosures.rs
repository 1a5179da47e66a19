//! Who looked at somebody's words or numbers, and when (invariant I7).

use sqlx::AnyConnection;

use super::Result;
use crate::domain::time::Timestamp;

/// Writes down who looked at what.
pub async fn add(tx: &mut AnyConnection, who: &str, what: &str, row_id: i64, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO disclosure (at, who, what, row_id) VALUES ($1, $2, $3, $4)";
    sqlx::query(sql).bind(now.0).bind(who.to_owned()).bind(what.to_owned()).bind(row_id).execute(tx).await?;
    Ok(())
}
