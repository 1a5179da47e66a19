//! Tokens of the API: shown once, kept as hashes, each for some scopes and some time.

use std::time::Duration;

use super::{AccountError, check_name};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::services::context::AppContext;

/// What tokens begin with, so that one that has got out is known for what it is.
const PREFIX: &str = "fwd_";
const MAX_DAYS: u32 = 730;
/// That a token was used is written down so often at most.
const TOUCH_INTERVAL: Duration = Duration::from_secs(600);

/// Makes a token; returns it, which is the only time that it is seen.
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

/// Revokes a token; from now on it is refused.
pub async fn revoke(context: &AppContext, actor: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    if !api_tokens::revoke(&mut tx, name, context.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::TokenRevoked, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// What a token is for, as long as it counts.
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
