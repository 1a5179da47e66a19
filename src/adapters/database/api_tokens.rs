//! API tokens: stored by hash, with their scopes and expiry.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Result, decode_enum};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct ApiToken {
    pub id: i64,
    pub name: String,
    pub scopes: Vec<Permission>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    pub fn may(&self, permission: Permission) -> bool {
        self.scopes.contains(&permission)
    }
}

const SELECT: &str = "SELECT id, name, scopes, created_by, created_at, expires_at, revoked_at, \
    last_used_at FROM api_token";

fn read(row: &AnyRow) -> Result<ApiToken> {
    let at =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    let scopes: String = row.try_get("scopes")?;
    Ok(ApiToken {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        scopes: scopes
            .split(' ')
            .filter(|s| !s.is_empty())
            .map(|scope| decode_enum("a scope", scope, Permission::parse))
            .collect::<Result<_>>()?,
        created_by: row.try_get("created_by")?,
        created_at: Timestamp(row.try_get("created_at")?),
        expires_at: Timestamp(row.try_get("expires_at")?),
        revoked_at: at("revoked_at")?,
        last_used_at: at("last_used_at")?,
    })
}

/// Adds a token. Returns false if the name is taken.
pub async fn add(tx: &mut AnyConnection, token: &ApiToken, hash: &str) -> Result<bool> {
    let sql = "INSERT INTO api_token (name, token_hash, scopes, created_by, created_at, \
        expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    let done = sqlx::query(sql)
        .bind(token.name.clone())
        .bind(hash.to_owned())
        .bind(scopes.join(" "))
        .bind(token.created_by.clone())
        .bind(token.created_at.0)
        .bind(token.expires_at.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<ApiToken>> {
    let sql = super::dialect::statement(format!("{SELECT} ORDER BY name"));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

/// Returns the token with this hash if it is still valid.
pub async fn find(
    connection: &mut AnyConnection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<ApiToken>> {
    let sql = super::dialect::statement(format!(
        "{SELECT} WHERE token_hash = $1 AND revoked_at IS NULL AND expires_at > $2"
    ));
    sqlx::query(sql)
        .bind(hash.to_owned())
        .bind(now.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub async fn exists(connection: &mut AnyConnection, name: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM api_token WHERE name = $1";
    let count: i64 = sqlx::query_scalar(sql).bind(name.to_owned()).fetch_one(connection).await?;
    Ok(count > 0)
}

pub async fn touch(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE api_token SET last_used_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Revokes a token. Returns false if no valid token has this name.
pub async fn revoke(tx: &mut AnyConnection, name: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE api_token SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL";
    Ok(sqlx::query(sql).bind(name.to_owned()).bind(now.0).execute(tx).await?.rows_affected() == 1)
}
