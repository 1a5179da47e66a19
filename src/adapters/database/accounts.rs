//! Staff accounts and their sessions.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::dialect::statement;
use super::{Result, WriteTx, decode_enum};
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub role: Role,
    /// Languages in which the user can interview.
    pub languages: Vec<Language>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    /// Whether sign-in requires a one-time code.
    pub has_second_factor: bool,
    /// Whether a password is set; the invited have none yet.
    pub has_password: bool,
    /// The real name, sealed with the staff key.
    pub full_name_sealed: Option<Vec<u8>>,
    /// The telephone, sealed with the staff key.
    pub phone_sealed: Option<Vec<u8>>,
}

/// The credentials that sign-in checks.
pub struct Credentials {
    pub account: Account,
    /// Hash in the PHC string format.
    pub password_hash: String,
    pub locked_until: Option<Timestamp>,
    /// Secret of the one-time codes, sealed with the staff key.
    pub totp_sealed: Option<Vec<u8>>,
    /// Secret that has been shown to the user and is not confirmed yet.
    pub totp_pending_sealed: Option<Vec<u8>>,
    /// Time step of the last used code; this step and earlier ones are used up.
    pub totp_last_step: i64,
}

const COLUMNS: &str = "a.id, a.name, a.role, a.languages, a.created_at, a.disabled_at, CASE WHEN \
    a.totp_sealed IS NULL THEN 0 ELSE 1 END AS has_totp, CASE WHEN a.password_hash = '' THEN 0 ELSE \
    1 END AS has_password, a.full_name_sealed, a.phone_sealed";

fn read(row: &AnyRow) -> Result<Account> {
    let (role, languages): (String, String) = (row.try_get("role")?, row.try_get("languages")?);
    let languages = languages
        .split(' ')
        .filter(|tag| !tag.is_empty())
        .map(|tag| decode_enum("a language", tag, Language::parse))
        .collect::<Result<_>>()?;
    Ok(Account {
        id: AccountId(row.try_get("id")?),
        name: row.try_get("name")?,
        role: decode_enum("a role", &role, Role::parse)?,
        languages,
        created_at: Timestamp(row.try_get("created_at")?),
        disabled_at: row.try_get::<Option<i64>, _>("disabled_at")?.map(Timestamp),
        has_second_factor: row.try_get::<i64, _>("has_totp")? == 1,
        has_password: row.try_get::<i64, _>("has_password")? == 1,
        full_name_sealed: row.try_get("full_name_sealed")?,
        phone_sealed: row.try_get("phone_sealed")?,
    })
}

/// Adds an account. Returns false if the name is taken. An empty `password_hash` is no password.
pub async fn add(
    tx: &mut AnyConnection,
    name: &str,
    role: Role,
    languages: &[Language],
    password_hash: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO account (name, role, languages, password_hash, created_at) VALUES \
        ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING";
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

/// Holds an account to the end of the transaction: another transaction that does so waits.
pub async fn hold(tx: &mut WriteTx, id: AccountId) -> Result<()> {
    let sql = format!("SELECT id FROM account WHERE id = $1{}", tx.engine().for_update());
    sqlx::query(statement(sql)).bind(id.0).fetch_optional(&mut **tx).await?;
    Ok(())
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Account>> {
    let sql = super::dialect::statement(format!("SELECT {COLUMNS} FROM account a ORDER BY a.name"));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

pub async fn find_credentials(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Option<Credentials>> {
    let sql = super::dialect::statement(format!(
        "SELECT {COLUMNS}, a.password_hash, a.locked_until, a.totp_sealed, \
            a.totp_pending_sealed, a.totp_last_step FROM account a WHERE a.name = $1"
    ));
    let row = sqlx::query(sql).bind(name.to_owned()).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(Credentials {
            account: read(&row)?,
            password_hash: row.try_get("password_hash")?,
            locked_until: row.try_get::<Option<i64>, _>("locked_until")?.map(Timestamp),
            totp_sealed: row.try_get("totp_sealed")?,
            totp_pending_sealed: row.try_get("totp_pending_sealed")?,
            totp_last_step: row.try_get("totp_last_step")?,
        })
    })
    .transpose()
}

/// Disables an account, ends its sessions and deletes its telephone. Returns false if there is no such account or if it is
/// already disabled.
pub async fn disable(tx: &mut AnyConnection, name: &str, now: Timestamp) -> Result<bool> {
    let sql = "DELETE FROM session WHERE account_id IN (SELECT id FROM account WHERE name = $1)";
    sqlx::query(sql).bind(name.to_owned()).execute(&mut *tx).await?;
    let sql = "UPDATE account SET disabled_at = $2, phone_sealed = NULL WHERE name = $1 AND \
        disabled_at IS NULL";
    Ok(sqlx::query(sql).bind(name.to_owned()).bind(now.0).execute(tx).await?.rows_affected() == 1)
}

/// Sets a new password and ends the account's sessions, except the one with the hash
/// `except_session` (empty: no exception).
pub async fn set_password(
    tx: &mut AnyConnection,
    id: AccountId,
    password_hash: &str,
    except_session: &str,
) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE account_id = $1 AND token_hash <> $2")
        .bind(id.0)
        .bind(except_session.to_owned())
        .execute(&mut *tx)
        .await?;
    let sql = "UPDATE account SET password_hash = $2, failed_sign_ins = 0, locked_until = NULL \
        WHERE id = $1";
    sqlx::query(sql).bind(id.0).bind(password_hash.to_owned()).execute(tx).await?;
    Ok(())
}

/// Counts an attempt to sign in. Returns the number of those that were not right in a row, or
/// `None` while the account is locked.
pub async fn count_attempt(
    tx: &mut AnyConnection,
    id: AccountId,
    now: Timestamp,
) -> Result<Option<u32>> {
    let sql = "UPDATE account SET failed_sign_ins = failed_sign_ins + 1 WHERE id = $1 AND \
        (locked_until IS NULL OR locked_until <= $2) RETURNING failed_sign_ins";
    let count: Option<i64> =
        sqlx::query_scalar(sql).bind(id.0).bind(now.0).fetch_optional(tx).await?;
    Ok(count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Takes back a counted attempt, which was right, and the lock that it may have brought.
pub async fn uncount_attempt(tx: &mut AnyConnection, id: AccountId) -> Result<()> {
    let sql = "UPDATE account SET failed_sign_ins = CASE WHEN failed_sign_ins > 0 THEN \
        failed_sign_ins - 1 ELSE 0 END, locked_until = NULL WHERE id = $1";
    sqlx::query(sql).bind(id.0).execute(tx).await?;
    Ok(())
}

pub async fn lock(tx: &mut AnyConnection, id: AccountId, until: Timestamp) -> Result<()> {
    sqlx::query("UPDATE account SET locked_until = $2 WHERE id = $1")
        .bind(id.0)
        .bind(until.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Starts a session and deletes expired ones. `awaits_code` means that the password was correct and
/// the one-time code is still missing.
pub async fn begin_session(
    tx: &mut AnyConnection,
    id: AccountId,
    token_hash: &str,
    awaits_code: bool,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    if !awaits_code {
        sqlx::query("UPDATE account SET failed_sign_ins = 0, locked_until = NULL WHERE id = $1")
            .bind(id.0)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("DELETE FROM session WHERE expires_at <= $1").bind(now.0).execute(&mut *tx).await?;
    let sql = "INSERT INTO session (token_hash, account_id, awaits_code, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(token_hash.to_owned())
        .bind(id.0)
        .bind(i64::from(awaits_code))
        .bind(now.0)
        .bind(expires_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// A stored session.
pub struct StoredSession {
    pub account: Account,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub awaits_code: bool,
}

/// Finds a session that has not expired, with its account.
pub async fn find_session(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<StoredSession>> {
    let sql = super::dialect::statement(format!(
        "SELECT {COLUMNS}, s.created_at AS begun_at, s.expires_at, s.awaits_code FROM session s \
            JOIN account a ON a.id = s.account_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND a.disabled_at IS NULL"
    ));
    let row =
        sqlx::query(sql).bind(token_hash.to_owned()).bind(now.0).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(StoredSession {
            account: read(&row)?,
            created_at: Timestamp(row.try_get("begun_at")?),
            expires_at: Timestamp(row.try_get("expires_at")?),
            awaits_code: row.try_get::<i64, _>("awaits_code")? == 1,
        })
    })
    .transpose()
}

/// Stores a secret that was shown to the user. It takes effect once a code of it is confirmed.
pub async fn set_pending_totp(
    tx: &mut AnyConnection,
    id: AccountId,
    sealed: Vec<u8>,
) -> Result<()> {
    sqlx::query("UPDATE account SET totp_pending_sealed = $2 WHERE id = $1")
        .bind(id.0)
        .bind(sealed)
        .execute(tx)
        .await?;
    Ok(())
}

/// Activates the pending secret together with its recovery codes. `step` is the time step of the
/// code that confirmed it.
pub async fn confirm_totp(
    tx: &mut AnyConnection,
    id: AccountId,
    step: i64,
    recovery_hashes: &[String],
) -> Result<()> {
    let sql = "UPDATE account SET totp_sealed = totp_pending_sealed, totp_pending_sealed = NULL, \
        totp_last_step = $2 WHERE id = $1";
    sqlx::query(sql).bind(id.0).bind(step).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM recovery_code WHERE account_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    for hash in recovery_hashes {
        let sql = "INSERT INTO recovery_code (code_hash, account_id) VALUES ($1, $2)";
        sqlx::query(sql).bind(hash.clone()).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(())
}

pub async fn remove_totp(tx: &mut AnyConnection, id: AccountId) -> Result<()> {
    sqlx::query("DELETE FROM recovery_code WHERE account_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    let sql = "UPDATE account SET totp_sealed = NULL, totp_pending_sealed = NULL WHERE id = $1";
    sqlx::query(sql).bind(id.0).execute(tx).await?;
    Ok(())
}

/// Uses up the code of a time step. Returns false if this code or a later one is already used.
pub async fn use_totp(tx: &mut AnyConnection, id: AccountId, step: i64) -> Result<bool> {
    let sql = "UPDATE account SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2";
    Ok(sqlx::query(sql).bind(id.0).bind(step).execute(tx).await?.rows_affected() == 1)
}

/// Uses up a recovery code. Returns false if there is no such code.
pub async fn use_recovery_code(tx: &mut AnyConnection, id: AccountId, hash: &str) -> Result<bool> {
    let sql = "DELETE FROM recovery_code WHERE account_id = $1 AND code_hash = $2";
    Ok(sqlx::query(sql).bind(id.0).bind(hash.to_owned()).execute(tx).await?.rows_affected() == 1)
}

/// Extends a session that is in use.
pub async fn extend_session(
    tx: &mut AnyConnection,
    token_hash: &str,
    expires_at: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE session SET expires_at = $2 WHERE token_hash = $1")
        .bind(token_hash.to_owned())
        .bind(expires_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn end_session(tx: &mut AnyConnection, token_hash: &str) -> Result<()> {
    sqlx::query("DELETE FROM session WHERE token_hash = $1")
        .bind(token_hash.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Sets the sealed real name and telephone of an account.
pub async fn set_person(
    tx: &mut AnyConnection,
    name: &str,
    full_name_sealed: Option<Vec<u8>>,
    phone_sealed: Option<Vec<u8>>,
) -> Result<bool> {
    let sql = "UPDATE account SET full_name_sealed = $2, phone_sealed = $3 WHERE name = $1 AND \
        disabled_at IS NULL";
    let done = sqlx::query(sql)
        .bind(name.to_owned())
        .bind(full_name_sealed)
        .bind(phone_sealed)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the hash of an invitation's link.
pub async fn add_invitation(
    tx: &mut AnyConnection,
    id: AccountId,
    token_hash: &str,
    created_by: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO account_invitation (account_id, token_hash, created_by, created_at, \
        expires_at) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(sql)
        .bind(id.0)
        .bind(token_hash.to_owned())
        .bind(created_by.to_owned())
        .bind(now.0)
        .bind(expires_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the account of a link that can be used now.
pub async fn find_invitation(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<Account>> {
    let sql = statement(format!(
        "SELECT {COLUMNS} FROM account_invitation i JOIN account a ON a.id = i.account_id WHERE \
            i.token_hash = $1 AND i.used_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2 \
            AND a.disabled_at IS NULL"
    ));
    let row =
        sqlx::query(sql).bind(token_hash.to_owned()).bind(now.0).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Uses a link up. Returns false if it was used, revoked or has expired meanwhile.
pub async fn use_invitation(
    tx: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE account_invitation SET used_at = $2 WHERE token_hash = $1 AND used_at IS \
        NULL AND revoked_at IS NULL AND expires_at > $2";
    let done = sqlx::query(sql).bind(token_hash.to_owned()).bind(now.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes the links of an account that can still be used. Returns whether there was one.
pub async fn revoke_invitations(
    tx: &mut AnyConnection,
    id: AccountId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE account_invitation SET revoked_at = $2 WHERE account_id = $1 AND used_at IS \
        NULL AND revoked_at IS NULL AND expires_at > $2";
    Ok(sqlx::query(sql).bind(id.0).bind(now.0).execute(tx).await?.rows_affected() > 0)
}

/// Returns until when each account's link can be used; accounts without such a link are left out.
pub async fn open_invitations(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<(AccountId, Timestamp)>> {
    let sql = "SELECT account_id, MAX(expires_at) FROM account_invitation WHERE used_at IS NULL \
        AND revoked_at IS NULL AND expires_at > $1 GROUP BY account_id";
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql).bind(now.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, until)| (AccountId(id), Timestamp(until))).collect())
}
