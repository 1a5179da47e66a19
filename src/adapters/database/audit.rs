//! The audit log. It is append-only; the database itself refuses updates and deletes.

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, decode_enum};
use crate::adapters::crypto::Hasher;
use crate::domain::audit::{Action, Actor, AuditEntry, Via};
use crate::domain::time::Timestamp;

/// Entries read at a time.
const PAGE: i64 = 1_000;

/// Appends an entry to the log and returns its number. Other writers wait until this transaction
/// ends, so it should be the last statement of the transaction.
pub async fn append(
    tx: &mut AnyConnection,
    hasher: &Hasher,
    actor: &Actor,
    action: Action,
    (object, detail): (&str, &str),
    now: Timestamp,
) -> Result<i64> {
    let sql = statement(format!(
        "SELECT number, hash FROM audit_head WHERE id = 1{}",
        Engine::of_connection(tx).for_update()
    ));
    let (number, previous_hash): (i64, String) = sqlx::query_as(sql).fetch_one(&mut *tx).await?;
    let entry = AuditEntry {
        number: number + 1,
        at: now,
        actor: actor.clone(),
        action,
        object: object.to_owned(),
        detail: detail.to_owned(),
    };
    let hash = hasher.audit_hash(&entry.hash_input(&previous_hash));
    let sql = "INSERT INTO audit_entry (number, at, actor, via, action, object, detail, hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(sql)
        .bind(entry.number)
        .bind(now.0)
        .bind(entry.actor.name)
        .bind(entry.actor.via.as_str())
        .bind(action.code())
        .bind(entry.object)
        .bind(entry.detail)
        .bind(hash.clone())
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE audit_head SET number = $1, hash = $2 WHERE id = 1")
        .bind(entry.number)
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(entry.number)
}

type Row = (i64, i64, String, String, String, String, String, String);
const COLUMNS: &str = "number, at, actor, via, action, object, detail, hash";

fn read(
    (number, at, actor, via, action, object, detail, hash): Row,
) -> Result<(AuditEntry, String)> {
    let actor = Actor { name: actor, via: decode_enum("how somebody came", &via, Via::parse)? };
    let action = decode_enum("an action", &action, Action::parse)?;
    Ok((AuditEntry { number, at: Timestamp(at), actor, action, object, detail }, hash))
}

/// Filter of a viewer; empty fields match everything.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: String,
    pub action: Option<Action>,
    /// Prefix of the object.
    pub object: String,
    /// Only entries before this number.
    pub before: Option<i64>,
}

/// Lists entries, the latest first.
pub async fn entries(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    limit: u32,
) -> Result<Vec<AuditEntry>> {
    let sql = statement(format!(
        "SELECT {COLUMNS} FROM audit_entry
         WHERE ($1 = '' OR actor = $1) AND ($2 = '' OR action = $2) AND ($3 = '' OR \
         substr(object, 1, length($3)) = $3) AND number < $4
         ORDER BY number DESC LIMIT $5"
    ));
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(filter.actor.clone())
        .bind(filter.action.map_or("", Action::code))
        .bind(filter.object.clone())
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(read(row)?.0)).collect()
}

/// Returns the entries of these objects, the earliest first.
pub async fn of_objects(
    connection: &mut AnyConnection,
    objects: &[String],
) -> Result<Vec<AuditEntry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entry WHERE object {} ORDER BY number",
        Engine::of_connection(connection).in_list(1, ColumnType::Text)
    );
    let rows: Vec<Row> =
        sqlx::query_as(statement(sql)).bind(to_param(objects.iter())).fetch_all(connection).await?;
    rows.into_iter().map(|row| Ok(read(row)?.0)).collect()
}

/// Result of verifying the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVerification {
    /// Every entry contains the hash of the previous one. `head` is the last hash, to be stored
    /// elsewhere.
    Intact { entries: i64, head: String },
    /// The log has been altered from this entry on.
    Broken { at: i64 },
    /// The chain is intact, but it does not contain the expected head.
    HeadNotFound,
}

/// Reads the log from its beginning and recomputes every hash. `expected_head` is a head that was
/// stored elsewhere and must occur in the chain.
pub async fn verify(
    connection: &mut AnyConnection,
    hasher: &Hasher,
    expected_head: Option<&str>,
) -> Result<LogVerification> {
    let (mut number, mut previous_hash, mut found_head) =
        (0i64, String::new(), expected_head.is_none());
    loop {
        let sql = statement(format!(
            "SELECT {COLUMNS} FROM audit_entry WHERE number > $1 ORDER BY number LIMIT {PAGE}"
        ));
        let rows: Vec<Row> = sqlx::query_as(sql).bind(number).fetch_all(&mut *connection).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let at = number + 1;
            let Ok((entry, hash)) = read(row) else { return Ok(LogVerification::Broken { at }) };
            if entry.number != at || hash != hasher.audit_hash(&entry.hash_input(&previous_hash)) {
                return Ok(LogVerification::Broken { at });
            }
            found_head |= expected_head == Some(hash.as_str());
            (number, previous_hash) = (at, hash);
        }
    }
    let head: (i64, String) = sqlx::query_as("SELECT number, hash FROM audit_head WHERE id = 1")
        .fetch_one(connection)
        .await?;
    if head != (number, previous_hash.clone()) {
        return Ok(LogVerification::Broken { at: number + 1 });
    }
    Ok(if found_head {
        LogVerification::Intact { entries: number, head: previous_hash }
    } else {
        LogVerification::HeadNotFound
    })
}
