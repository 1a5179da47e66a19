//! API tokens: shown once, stored as hashes, limited to scopes and a lifetime.

use std::time::Duration;

use super::{AccountError, check_name};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::adapters::database::{WriteTx, accounts};
use crate::domain::audit::{Action, Actor, Via};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The prefix of every token, so that a leaked token can be recognized.
const PREFIX: &str = "fwd_";
const MAX_DAYS: u32 = 730;
/// The shortest interval between two updates of a token's last use.
const TOUCH_INTERVAL: Duration = Duration::from_secs(600);

/// Names under which the program itself acts.
pub const RESERVED_NAMES: [&str; 4] = ["delivery.pull", "fieldworkd", "daemon", "system"];

/// Creates a token and returns it. It cannot be retrieved later. It has no scope that its maker does
/// not have, and no account's name.
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
    if RESERVED_NAMES.contains(&name) {
        return Err(AccountError::ReservedName(name.to_owned()));
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
    check_may_give(&mut tx, actor, scopes, now).await?;
    if accounts::find_credentials(&mut tx, name).await?.is_some() {
        return Err(AccountError::ReservedName(name.to_owned()));
    }
    if !api_tokens::add(&mut tx, &row, &token_hash(context, &token)).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::TokenCreated, &format!("token:{name}")).await?;
    tx.commit().await?;
    Ok(token)
}

/// Checks that nobody gives, with a token, an account or a password, what they do not have.
pub(super) async fn check_may_give(
    tx: &mut WriteTx,
    actor: &Actor,
    permissions: &[Permission],
    now: Timestamp,
) -> Result<(), AccountError> {
    let held = permissions_of(tx, actor, now).await?;
    match permissions.iter().find(|permission| !held.contains(permission)) {
        Some(permission) => Err(AccountError::ScopeNotHeld(*permission)),
        None => Ok(()),
    }
}

/// Returns what the maker of a token may do. The command line belongs to the machine's administrator.
async fn permissions_of(
    tx: &mut WriteTx,
    actor: &Actor,
    now: Timestamp,
) -> Result<Vec<Permission>, AccountError> {
    Ok(match actor.via {
        Via::Command | Via::Legacy => Permission::ALL.to_vec(),
        Via::Reply | Via::Applicant => Vec::new(),
        Via::Console => {
            let account = accounts::find_credentials(tx, &actor.name).await?;
            let role = account.map(|credentials| credentials.account.role);
            let may = |permission: &Permission| role.is_some_and(|role| role.may(*permission));
            Permission::ALL.into_iter().filter(may).collect()
        }
        Via::Api => {
            let all = api_tokens::all(tx).await?;
            let own =
                all.into_iter().find(|token| token.name == actor.name && is_valid(token, now));
            own.map(|token| token.scopes).unwrap_or_default()
        }
    })
}

pub fn is_valid(token: &ApiToken, now: Timestamp) -> bool {
    token.revoked_at.is_none() && token.expires_at > now
}

/// Returns the names of valid tokens that an account made, and of those made with them.
pub fn made_by(all: &[ApiToken], account: &str, now: Timestamp) -> Vec<String> {
    let mut makers = vec![account.to_owned()];
    let mut at = 0;
    while let Some(maker) = makers.get(at).cloned() {
        for token in all.iter().filter(|token| token.created_by == maker) {
            if !makers.contains(&token.name) {
                makers.push(token.name.clone());
            }
        }
        at += 1;
    }
    let is_valid = |name: &String| all.iter().any(|t| t.name == *name && is_valid(t, now));
    makers.into_iter().skip(1).filter(is_valid).collect()
}

/// Returns the person behind a name: the maker of a token, or of the token that it was made with.
pub fn person_behind(all: &[ApiToken], name: &str) -> String {
    let mut person = name.to_owned();
    // Each maker is older than its token, so this ends; the limit is for a database that was changed.
    for _ in 0..all.len() {
        match all.iter().find(|token| token.name == person) {
            Some(token) if token.created_by != person => person.clone_from(&token.created_by),
            _ => break,
        }
    }
    person
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
