//! The audit log. Nothing is ever changed in it or taken out of it; the database itself refuses that.

use sqlx::AnyConnection;

use super::dialect::{Engine, statement};
use super::{Result, known};
use crate::adapters::crypto::Hasher;
use crate::domain::audit::{Action, Actor, Entry, Via};
use crate::domain::time::Timestamp;

/// Read at a time.
const PAGE: i64 = 1_000;

/// Writes an entry at the end of the log; returns its number. Whoever else writes one waits until this transaction is over, so it comes last in it.
pub async fn append(
    tx: &mut AnyConnection,
    hasher: &Hasher,
    who: &Actor,
    action: Action,
    (object, detail): (&str, &str),
    now: Timestamp,
) -> Result<i64> {
    let sql = statement(format!("SELECT number, hash FROM audit_head WHERE id = 1{}", Engine::behind(tx).for_update()));
    let (number, before): (i64, String) = sqlx::query_as(sql).fetch_one(&mut *tx).await?;
    let entry = Entry { number: number + 1, at: now, who: who.clone(), action, object: object.to_owned(), detail: detail.to_owned() };
    let hash = hasher.audit(&entry.hashed(&before));
    let sql = "INSERT INTO audit_entry (number, at, who, via, action, object, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(sql)
        .bind(entry.number)
        .bind(now.0)
        .bind(entry.who.name)
        .bind(entry.who.via.as_str())
        .bind(action.code())
        .bind(entry.object)
        .bind(entry.detail)
        .bind(hash.clone())
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE audit_head SET number = $1, hash = $2 WHERE id = 1").bind(entry.number).bind(hash).execute(tx).await?;
    Ok(entry.number)
}

/// Takes what was written down before the log was chained into it.
pub async fn adopt_disclosures(tx: &mut AnyConnection, hasher: &Hasher) -> Result<u64> {
    let rows: Vec<(i64, i64, String, String, i64)> =
        sqlx::query_as("SELECT id, at, who, what, row_id FROM disclosure ORDER BY id LIMIT $1").bind(PAGE).fetch_all(&mut *tx).await?;
    let adopted = rows.len() as u64;
    for (id, at, who, what, row) in rows {
        let action = known("what was disclosed", &what, Action::parse)?;
        let who = Actor { name: who, via: Via::Before };
        append(tx, hasher, &who, action, (&format!("{what}:{row}"), ""), Timestamp(at)).await?;
        sqlx::query("DELETE FROM disclosure WHERE id = $1").bind(id).execute(&mut *tx).await?;
    }
    Ok(adopted)
}

/// Is there anything from before the log was chained?
pub async fn has_disclosures(connection: &mut AnyConnection) -> Result<bool> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT id FROM disclosure LIMIT 1").fetch_optional(connection).await?.is_some())
}

type Row = (i64, i64, String, String, String, String, String, String);
const COLUMNS: &str = "number, at, who, via, action, object, detail, hash";

fn read((number, at, who, via, action, object, detail, hash): Row) -> Result<(Entry, String)> {
    let who = Actor { name: who, via: known("how somebody came", &via, Via::parse)? };
    let action = known("an action", &action, Action::parse)?;
    Ok((Entry { number, at: Timestamp(at), who, action, object, detail }, hash))
}

/// What a viewer asks for; empty: everything.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub who: String,
    pub action: Option<Action>,
    /// The beginning of what it was done to.
    pub object: String,
    /// Only entries before this one.
    pub before: Option<i64>,
}

/// Entries, the latest first.
pub async fn entries(connection: &mut AnyConnection, asked: &Asked, limit: u32) -> Result<Vec<Entry>> {
    let sql = statement(format!(
        "SELECT {COLUMNS} FROM audit_entry
         WHERE ($1 = '' OR who = $1) AND ($2 = '' OR action = $2) AND ($3 = '' OR substr(object, 1, length($3)) = $3) AND number < $4
         ORDER BY number DESC LIMIT $5"
    ));
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(asked.who.clone())
        .bind(asked.action.map_or("", Action::code))
        .bind(asked.object.clone())
        .bind(asked.before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(read(row)?.0)).collect()
}

/// What a look through the whole log has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Every entry holds the one before it. The last one's hash, to be kept elsewhere.
    Whole { entries: i64, head: String },
    /// From this entry on it is not what was written.
    Broken { at: i64 },
    /// It is whole in itself, and the head that was noted elsewhere is not in it.
    NotInLog,
}

/// Reads the log from its beginning and reckons every hash again. `kept`: a head that was noted elsewhere, which must be in it.
pub async fn verify(connection: &mut AnyConnection, hasher: &Hasher, kept: Option<&str>) -> Result<Verified> {
    let (mut number, mut before, mut has_kept) = (0i64, String::new(), kept.is_none());
    loop {
        let sql = statement(format!("SELECT {COLUMNS} FROM audit_entry WHERE number > $1 ORDER BY number LIMIT {PAGE}"));
        let rows: Vec<Row> = sqlx::query_as(sql).bind(number).fetch_all(&mut *connection).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let at = number + 1;
            let Ok((entry, hash)) = read(row) else { return Ok(Verified::Broken { at }) };
            if entry.number != at || hash != hasher.audit(&entry.hashed(&before)) {
                return Ok(Verified::Broken { at });
            }
            has_kept |= kept == Some(hash.as_str());
            (number, before) = (at, hash);
        }
    }
    let head: (i64, String) = sqlx::query_as("SELECT number, hash FROM audit_head WHERE id = 1").fetch_one(connection).await?;
    if head != (number, before.clone()) {
        return Ok(Verified::Broken { at: number + 1 });
    }
    Ok(if has_kept { Verified::Whole { entries: number, head: before } } else { Verified::NotInLog })
}
