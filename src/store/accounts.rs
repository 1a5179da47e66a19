//! The staff's accounts, and who is signed in.

use sqlx::AnyConnection;

use super::{Result, known};
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub role: Role,
    /// The languages in which somebody can interview.
    pub languages: Vec<Language>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// What signing in looks at.
pub struct Secret {
    pub account: Account,
    /// In the PHC string format.
    pub password_hash: String,
    pub locked_until: Option<Timestamp>,
}

type Row = (i64, String, String, String, i64, Option<i64>);
const COLUMNS: &str = "a.id, a.name, a.role, a.languages, a.created_at, a.disabled_at";

fn read((id, name, role, languages, created_at, disabled_at): Row) -> Result<Account> {
    let languages = languages.split(' ').filter(|tag| !tag.is_empty()).map(|tag| known("a language", tag, Language::parse)).collect::<Result<_>>()?;
    Ok(Account {
        id: AccountId(id),
        name,
        role: known("a role", &role, Role::parse)?,
        languages,
        created_at: Timestamp(created_at),
        disabled_at: disabled_at.map(Timestamp),
    })
}

/// Adds an account. False: the name is taken.
pub async fn add(tx: &mut AnyConnection, name: &str, role: Role, languages: &[Language], password_hash: &str, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO account (name, role, languages, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING";
    let tags: Vec<&str> = languages.iter().map(|language| language.tag()).collect();
    let done = sqlx::query(sql)
        .bind(name.to_owned())
        .bind(role.as_str())
        .bind(tags.join(" "))
        .bind(password_hash.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Account>> {
    let sql = super::dialect::statement(format!("SELECT {COLUMNS} FROM account a ORDER BY a.name"));
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

pub async fn find(connection: &mut AnyConnection, name: &str) -> Result<Option<Secret>> {
    type WithSecret = (i64, String, String, String, i64, Option<i64>, String, Option<i64>);
    let sql = super::dialect::statement(format!("SELECT {COLUMNS}, a.password_hash, a.locked_until FROM account a WHERE a.name = $1"));
    let row: Option<WithSecret> = sqlx::query_as(sql).bind(name.to_owned()).fetch_optional(connection).await?;
    row.map(|(id, name, role, languages, created, disabled, password_hash, locked)| {
        let account = read((id, name, role, languages, created, disabled))?;
        Ok(Secret { account, password_hash, locked_until: locked.map(Timestamp) })
    })
    .transpose()
}

/// Disables an account and ends its sessions. False: there is none, or it is disabled already.
pub async fn disable(tx: &mut AnyConnection, name: &str, now: Timestamp) -> Result<bool> {
    let sql = "DELETE FROM session WHERE account_id IN (SELECT id FROM account WHERE name = $1)";
    sqlx::query(sql).bind(name.to_owned()).execute(&mut *tx).await?;
    let sql = "UPDATE account SET disabled_at = $2 WHERE name = $1 AND disabled_at IS NULL";
    Ok(sqlx::query(sql).bind(name.to_owned()).bind(now.0).execute(tx).await?.rows_affected() == 1)
}

/// Sets another password; whoever is signed in with the old one is not any more.
pub async fn set_password(tx: &mut AnyConnection, id: AccountId, password_hash: &str) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE account_id = $1").bind(id.0).execute(&mut *tx).await?;
    let sql = "UPDATE account SET password_hash = $2, failed = 0, locked_until = NULL WHERE id = $1";
    sqlx::query(sql).bind(id.0).bind(password_hash.to_owned()).execute(tx).await?;
    Ok(())
}

/// Counts a wrong password; returns how many there were in a row.
pub async fn count_failed(tx: &mut AnyConnection, id: AccountId) -> Result<u32> {
    let sql = "UPDATE account SET failed = failed + 1 WHERE id = $1 RETURNING failed";
    let failed: i64 = sqlx::query_scalar(sql).bind(id.0).fetch_one(tx).await?;
    Ok(u32::try_from(failed).unwrap_or(u32::MAX))
}

pub async fn lock(tx: &mut AnyConnection, id: AccountId, until: Timestamp) -> Result<()> {
    sqlx::query("UPDATE account SET locked_until = $2 WHERE id = $1").bind(id.0).bind(until.0).execute(tx).await?;
    Ok(())
}

/// Begins a session; sessions that are over go.
pub async fn begin_session(tx: &mut AnyConnection, id: AccountId, token_hash: &str, expires_at: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE account SET failed = 0, locked_until = NULL WHERE id = $1").bind(id.0).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM session WHERE expires_at <= $1").bind(now.0).execute(&mut *tx).await?;
    let sql = "INSERT INTO session (token_hash, account_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    sqlx::query(sql).bind(token_hash.to_owned()).bind(id.0).bind(now.0).bind(expires_at.0).execute(tx).await?;
    Ok(())
}

/// Whose session it is, while it lasts.
pub async fn of_session(connection: &mut AnyConnection, token_hash: &str, now: Timestamp) -> Result<Option<(Account, Timestamp)>> {
    type WithEnd = (i64, String, String, String, i64, Option<i64>, i64);
    let sql = super::dialect::statement(format!(
        "SELECT {COLUMNS}, s.expires_at FROM session s JOIN account a ON a.id = s.account_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND a.disabled_at IS NULL"
    ));
    let row: Option<WithEnd> = sqlx::query_as(sql).bind(token_hash.to_owned()).bind(now.0).fetch_optional(connection).await?;
    row.map(|(id, name, role, languages, created, disabled, expires)| Ok((read((id, name, role, languages, created, disabled))?, Timestamp(expires))))
        .transpose()
}

/// A session goes on while it is used.
pub async fn prolong_session(tx: &mut AnyConnection, token_hash: &str, expires_at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE session SET expires_at = $2 WHERE token_hash = $1").bind(token_hash.to_owned()).bind(expires_at.0).execute(tx).await?;
    Ok(())
}

pub async fn end_session(tx: &mut AnyConnection, token_hash: &str) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE token_hash = $1").bind(token_hash.to_owned()).execute(tx).await?;
    Ok(())
}
