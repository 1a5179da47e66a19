//! Staff accounts: accounts, sign-in sessions and API tokens.
//!
//! [`signing_in`] creates a [`Session`] from a name, a password and, where one is set up, a
//! one-time code. [`second_factor`] sets up one-time codes; [`tokens`] manages the API tokens of
//! programs. Consecutive wrong passwords or codes lock an account for a while. The answers do not
//! reveal whether a name exists.

pub mod second_factor;
mod signing_in;
pub mod tokens;

use std::time::Duration;

use crate::adapters::crypto::SealError;
use crate::adapters::crypto::password::{NoRandom, hash_password, is_password};
use crate::adapters::database::accounts::{self, Credentials};
use crate::adapters::database::{DatabaseError, WriteTx};
use crate::domain::audit::{Action, Actor};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::services::context::AppContext;
pub use signing_in::{Session, SignedIn, confirm, peek_session, resume_session, sign_in, sign_out};

/// The number of consecutive wrong passwords or codes that lock an account, and the lock's
/// duration.
const MAX_FAILED_ATTEMPTS: u32 = 5;
const LOCK_DURATION: Duration = Duration::from_secs(15 * 60);
/// NIST SP 800-63B, 3.1.1.2: at least 15 characters where a password is the only factor; there is
/// no other requirement.
const MIN_PASSWORD_CHARS: usize = 15;
const MAX_PASSWORD_CHARS: usize = 256;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "account.", serialize_all = "snake_case")]
pub enum AccountError {
    #[error("a name has 1 to 40 letters, digits, «-», «_» and «.»")]
    InvalidName,
    #[error(
        "a password has {MIN_PASSWORD_CHARS} characters at least and {MAX_PASSWORD_CHARS} at \
            most; several words are easy to keep in mind"
    )]
    InvalidPassword,
    #[error("there is an account {0} already")]
    Taken(String),
    #[error("there is no account {0}, or it is disabled already")]
    Unknown(String),
    #[error(
        "a password or a code was wrong {MAX_FAILED_ATTEMPTS} times in a row; try again in a \
            quarter of an hour"
    )]
    Locked,
    #[error("the name or the password is wrong")]
    WrongCredentials,
    #[error("the code is wrong, or was used already")]
    WrongCode,
    #[error("there is no secret to confirm; begin again")]
    NothingToConfirm,
    #[error("a token is for one scope at least, and for 1 to 730 days")]
    InvalidToken,
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    #[strum(transparent)]
    NoRandom(#[from] NoRandom),
    #[error("the work on a password broke off")]
    TaskPanicked,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// Adds an account.
pub async fn add(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    role: Role,
    languages: &[Language],
    password: Personal,
) -> Result<(), AccountError> {
    check_name(name)?;
    let hash = check_and_hash(password).await?;
    let mut tx = context.database.write().await?;
    if !accounts::add(&mut tx, name, role, languages, &hash, context.clock.now()).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::AccountAdded, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Checks an account name: 1 to 40 letters, digits, `-`, `_` and `.`.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.chars().count() > 40 || !name.chars().all(is_good) {
        Err(AccountError::InvalidName)
    } else {
        Ok(())
    }
}

/// Sets the password of an account and ends its sessions.
pub async fn set_password(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    password: Personal,
) -> Result<(), AccountError> {
    let hash = check_and_hash(password).await?;
    let mut tx = context.database.write().await?;
    let credentials = accounts::find_credentials(&mut tx, name)
        .await?
        .ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    accounts::set_password(&mut tx, credentials.account.id, &hash, "").await?;
    context.audit(&mut tx, actor, Action::AccountPasswordReset, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes the password of the signed-in account and ends its other sessions.
pub async fn change_own_password(
    context: &AppContext,
    session: &Session,
    present: Personal,
    new: Personal,
) -> Result<(), AccountError> {
    let credentials = reauthenticate(context, session, present).await?;
    let hash = check_and_hash(new).await?;
    let mut tx = context.database.write().await?;
    accounts::set_password(&mut tx, credentials.account.id, &hash, &session.hash(context)).await?;
    context
        .audit(
            &mut tx,
            &session.actor(),
            Action::OwnPasswordChanged,
            &format!("account:{}", credentials.account.name),
        )
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn check_and_hash(password: Personal) -> Result<String, AccountError> {
    if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&password.reveal().chars().count()) {
        return Err(AccountError::InvalidPassword);
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&password))
        .await
        .map_err(|_| AccountError::TaskPanicked)?;
    Ok(hash?)
}

/// Disables an account and ends its sessions.
pub async fn disable(context: &AppContext, actor: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    if !accounts::disable(&mut tx, name, context.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::AccountDisabled, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Verifies the password of the signed-in account again.
async fn reauthenticate(
    context: &AppContext,
    session: &Session,
    password: Personal,
) -> Result<Credentials, AccountError> {
    let credentials = find_active_account(context, &session.account.name)
        .await?
        .ok_or(AccountError::WrongCredentials)?;
    let hash = credentials.password_hash.clone();
    if !verify_password(password, Some(hash)).await? {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCredentials);
    }
    Ok(credentials)
}

/// Finds an account that may sign in now. Returns [`AccountError::Locked`] while it is locked.
async fn find_active_account(
    context: &AppContext,
    name: &str,
) -> Result<Option<Credentials>, AccountError> {
    let credentials = accounts::find_credentials(&mut *context.database.read().await?, name)
        .await?
        .filter(|credentials| credentials.account.disabled_at.is_none());
    if credentials.as_ref().is_some_and(|credentials| {
        credentials.locked_until.is_some_and(|until| until > context.clock.now())
    }) {
        return Err(AccountError::Locked);
    }
    Ok(credentials)
}

async fn verify_password(password: Personal, hash: Option<String>) -> Result<bool, AccountError> {
    tokio::task::spawn_blocking(move || is_password(&password, hash.as_deref()))
        .await
        .map_err(|_| AccountError::TaskPanicked)
}

/// Counts a wrong password or code, and locks the account after too many in a row.
async fn record_failed_attempt(
    context: &AppContext,
    credentials: &Credentials,
) -> Result<(), AccountError> {
    let (name, now) = (&credentials.account.name, context.clock.now());
    let mut tx: WriteTx = context.database.write().await?;
    if accounts::count_failed(&mut tx, credentials.account.id).await? % MAX_FAILED_ATTEMPTS == 0 {
        accounts::lock(&mut tx, credentials.account.id, now + LOCK_DURATION).await?;
        tracing::warn!(
            account = name,
            "an account is locked: its password or code was wrong again and again"
        );
    }
    context
        .audit(&mut tx, &Actor::console(name), Action::SignInFailed, &format!("account:{name}"))
        .await?;
    tx.commit().await?;
    Ok(())
}
