//! Numbers that are not contacted.

use std::collections::HashSet;

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{CHUNK, parameters, statement};
use crate::domain::time::Timestamp;

/// The scope that holds for every programme.
pub const ALL: &str = "all";

/// Suppresses a number within a scope (`all`, or a programme's code). False: it was already.
pub async fn add(tx: &mut AnyConnection, phone_hash: &str, scope: &str, reason: &str, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO suppression (phone_hash, scope, reason, created_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (phone_hash, scope) DO NOTHING";
    let done = sqlx::query(sql).bind(phone_hash.to_owned()).bind(scope.to_owned()).bind(reason.to_owned()).bind(now.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Which of these numbers are suppressed now in a programme.
pub async fn among(connection: &mut AnyConnection, phone_hashes: &[String], programme: &str, now: Timestamp) -> Result<HashSet<String>> {
    let mut suppressed = HashSet::new();
    for chunk in phone_hashes.chunks(CHUNK) {
        let sql = format!(
            "SELECT phone_hash FROM suppression
             WHERE scope IN ('{ALL}', $1) AND (expires_at IS NULL OR expires_at > $2) AND phone_hash IN ({})",
            parameters(2, chunk.len())
        );
        let mut query = sqlx::query_scalar::<_, String>(statement(sql)).bind(programme.to_owned()).bind(now.0);
        for hash in chunk {
            query = query.bind(hash.clone());
        }
        suppressed.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(suppressed)
}

/// A suppression as staff see it: when, where and why, never whom.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<(String, String, Timestamp)>> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT scope, reason, created_at FROM suppression ORDER BY created_at, id").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(scope, reason, at)| (scope, reason, Timestamp(at))).collect())
}
