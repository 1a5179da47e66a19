//! Tokens of the API: shown once, kept as hashes, each for some scopes and some time.

use std::time::Duration;

use super::{AccountError, check_name};
use crate::adapters::crypto::password::new_token;
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::services::context::Installation;
use crate::adapters::database::api_tokens::{self, ApiToken};

/// What tokens begin with, so that one that has got out is known for what it is.
const PREFIX: &str = "fwd_";
const LONGEST_DAYS: u32 = 730;
/// That a token was used is written down so often at most.
const TOUCHED_EVERY: Duration = Duration::from_secs(600);

/// Makes a token; returns it, which is the only time that it is seen.
pub async fn make(installation: &Installation, who: &Actor, name: &str, scopes: &[Permission], days: u32) -> Result<Personal, AccountError> {
    check_name(name)?;
    if scopes.is_empty() || !(1..=LONGEST_DAYS).contains(&days) {
        return Err(AccountError::Token);
    }
    let token = Personal::new(format!("{PREFIX}{}", new_token()?.reveal()));
    let now = installation.clock.now();
    let row = ApiToken {
        id: 0,
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        made_by: who.name.clone(),
        created_at: now,
        expires_at: now + Duration::from_secs(86_400) * days,
        revoked_at: None,
        last_used_at: None,
    };
    let mut tx = installation.store.write().await?;
    if !api_tokens::add(&mut tx, &row, &hash(installation, &token)).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    installation.note(&mut tx, who, Action::TokenMade, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(token)
}

/// Revokes a token; from now on it is refused.
pub async fn revoke(installation: &Installation, who: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    if !api_tokens::revoke(&mut tx, name, installation.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    installation.note(&mut tx, who, Action::TokenRevoked, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// What a token is for, as long as it counts.
pub async fn known(installation: &Installation, token: &Personal) -> Result<Option<ApiToken>, AccountError> {
    let now = installation.clock.now();
    if !token.reveal().starts_with(PREFIX) {
        return Ok(None);
    }
    let found = api_tokens::find(&mut *installation.store.read().await?, &hash(installation, token), now).await?;
    if let Some(token) = found.as_ref().filter(|token| token.last_used_at.is_none_or(|at| at + TOUCHED_EVERY < now)) {
        let mut tx = installation.store.write().await?;
        api_tokens::touch(&mut tx, token.id, now).await?;
        tx.commit().await?;
    }
    Ok(found)
}

fn hash(installation: &Installation, token: &Personal) -> String {
    installation.keys.hasher().fingerprint(format!("token\n{}", token.reveal()).as_bytes())
}
