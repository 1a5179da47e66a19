//! The audit log. Nothing is ever changed in it or taken out of it; the database itself refuses
//! that.

use sqlx::AnyConnection;

use super::dialect::{Engine, statement};
use super::{Result, decode_enum};
use crate::adapters::crypto::Hasher;
use crate::domain::audit::{Action, Actor, AuditEntry, Via};
use crate::domain::time::Timestamp;

/// Read at a time.
const PAGE: i64 = 1_000;

/// Writes an entry at the end of the log; returns its number. Whoever else writes one waits until
/// this transaction is over, so it comes last in it.
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

/// Takes what was written down before the log was chained into it.
pub async fn adopt_disclosures(tx: &mut AnyConnection, hasher: &Hasher) -> Result<u64> {
    let rows: Vec<(i64, i64, String, String, i64)> =
        sqlx::query_as("SELECT id, at, actor, kind, row_id FROM disclosure ORDER BY id LIMIT $1")
            .bind(PAGE)
            .fetch_all(&mut *tx)
            .await?;
    let adopted = rows.len() as u64;
    for (id, at, actor, what, row) in rows {
        let action = decode_enum("what was disclosed", &what, Action::parse)?;
        let actor = Actor { name: actor, via: Via::Legacy };
        append(tx, hasher, &actor, action, (&format!("{what}:{row}"), ""), Timestamp(at)).await?;
        sqlx::query("DELETE FROM disclosure WHERE id = $1").bind(id).execute(&mut *tx).await?;
    }
    Ok(adopted)
}

/// Is there anything from before the log was chained?
pub async fn has_disclosures(connection: &mut AnyConnection) -> Result<bool> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT id FROM disclosure LIMIT 1")
        .fetch_optional(connection)
        .await?
        .is_some())
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

/// What a viewer asks for; empty: everything.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: String,
    pub action: Option<Action>,
    /// The beginning of what it was done to.
    pub object: String,
    /// Only entries before this one.
    pub before: Option<i64>,
}

/// Entries, the latest first.
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

/// What a look through the whole log has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVerification {
    /// Every entry holds the one before it. The last one's hash, to be kept elsewhere.
    Intact { entries: i64, head: String },
    /// From this entry on it is not what was written.
    Broken { at: i64 },
    /// It is whole in itself, and the head that was noted elsewhere is not in it.
    HeadNotFound,
}

/// Reads the log from its beginning and reckons every hash again. `expected_head`: a head that was
/// noted elsewhere, which must be in it.
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
