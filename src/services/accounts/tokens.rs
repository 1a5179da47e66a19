//! API tokens: shown once, stored as hashes, limited to scopes and a lifetime.

use std::time::Duration;

use super::{AccountError, check_name};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::services::context::AppContext;

/// The prefix of every token, so that a leaked token can be recognized.
const PREFIX: &str = "fwd_";
const MAX_DAYS: u32 = 730;
/// The shortest interval between two updates of a token's last use.
const TOUCH_INTERVAL: Duration = Duration::from_secs(600);

/// Creates a token and returns it. It cannot be retrieved later.
pub async fn create(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    scopes: &[Permission],
    days: u32,
) -> Result<Personal, AccountError> {
    check_name(name)?;
    if scopes.is_empty() || !(1..=MAX_DAYS).contains(&days) {
        return Err(AccountError::InvalidToken);
    }
    let token = Personal::new(format!("{PREFIX}{}", new_token()?.reveal()));
    let now = context.clock.now();
    let row = ApiToken {
        id: 0,
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        created_by: actor.name.clone(),
        created_at: now,
        expires_at: now + Duration::from_secs(86_400) * days,
        revoked_at: None,
        last_used_at: None,
    };
    let mut tx = context.database.write().await?;
    if !api_tokens::add(&mut tx, &row, &token_hash(context, &token)).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::TokenCreated, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(token)
}

/// Revokes a token. From then on it is refused.
pub async fn revoke(context: &AppContext, actor: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    if !api_tokens::revoke(&mut tx, name, context.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::TokenRevoked, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Returns what a token grants while it is valid.
pub async fn find_valid(
    context: &AppContext,
    token: &Personal,
) -> Result<Option<ApiToken>, AccountError> {
    let now = context.clock.now();
    if !token.reveal().starts_with(PREFIX) {
        return Ok(None);
    }
    let found =
        api_tokens::find(&mut *context.database.read().await?, &token_hash(context, token), now)
            .await?;
    if let Some(token) =
        found.as_ref().filter(|token| token.last_used_at.is_none_or(|at| at + TOUCH_INTERVAL < now))
    {
        let mut tx = context.database.write().await?;
        api_tokens::touch(&mut tx, token.id, now).await?;
        tx.commit().await?;
    }
    Ok(found)
}

fn token_hash(context: &AppContext, token: &Personal) -> String {
    context.keys.hasher().fingerprint(format!("token\n{}", token.reveal()).as_bytes())
}
