//! Staff accounts: accounts, sign-in sessions and API tokens.
//!
//! [`signing_in`] creates a [`Session`] from a name, a password and, where one is set up, a
//! one-time code. [`second_factor`] sets up one-time codes; [`tokens`] manages the API tokens of
//! programs; [`invitations`] creates accounts whose owners set their own password through a link;
//! [`colleagues`] keeps their real names. Consecutive wrong passwords or codes lock an account for
//! a while. Responses do not reveal whether a name exists.

pub mod colleagues;
mod devices;
pub mod invitations;
mod password_work;
pub mod second_factor;
mod signing_in;
pub mod tokens;

use std::time::Duration;

use crate::adapters::crypto::SealError;
use crate::adapters::crypto::password::NoRandom;
use crate::adapters::database::accounts::{self, Credentials};
use crate::adapters::database::api_tokens;
use crate::adapters::database::{DatabaseError, WriteTx};
use crate::domain::audit::{Action, Actor};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::phone::PhoneError;
use crate::domain::role::{Permission, Role};
use crate::services::context::AppContext;
pub use devices::{DEVICE_TIME, issue_device};
pub use signing_in::{
    Session, SignInAttempt, SignedIn, confirm, peek_session, resume_session, sign_in, sign_out,
};

/// The number of consecutive wrong passwords or codes that lock an account, and the lock's
/// duration.
const MAX_FAILED_ATTEMPTS: u32 = 5;
pub const LOCK_DURATION: Duration = Duration::from_secs(15 * 60);
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
    #[error(
        "this password is among those that are guessed first, or holds the account's own name; \
            choose several words that do not belong together"
    )]
    CommonPassword,
    #[error("there is an account {0} already")]
    Taken(String),
    #[error("there is no account {0}, or it is disabled already")]
    Unknown(String),
    #[error(
        "a password or a code was wrong {MAX_FAILED_ATTEMPTS} times in a row; try again in a \
            quarter of an hour"
    )]
    Locked,
    #[error("the name or the password is wrong, or there were too many attempts")]
    WrongCredentials,
    #[error("too many people are signing in; try again in a few seconds")]
    Busy,
    #[error("the code is wrong, or was used already")]
    WrongCode,
    #[error("there is no secret to confirm; begin again")]
    NothingToConfirm,
    #[error("a token is for one scope at least, and for 1 to 730 days")]
    InvalidToken,
    #[error("nobody can give a scope they do not have: {}", .0.as_str())]
    ScopeNotHeld(Permission),
    #[error("the name {0} is used for something else; choose another")]
    ReservedName(String),
    #[error(
        "this link was used already, was withdrawn, or is older than 72 hours; ask for another"
    )]
    UnknownInvitation,
    #[error("a colleague's name has 1 to 60 characters")]
    FullName,
    #[error("nothing is made: {}", invitations::in_words(.0))]
    Lines(Vec<invitations::WrongLine>),
    #[error(transparent)]
    #[strum(transparent)]
    Phone(#[from] PhoneError),
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
    let hash = check_and_hash(password, name).await?;
    let mut tx = context.database.write().await?;
    tokens::check_may_give(&mut tx, actor, role.permissions(), context.clock.now()).await?;
    // A token of this name would be the same person in the audit log.
    if tokens::RESERVED_NAMES.contains(&name) || api_tokens::exists(&mut tx, name).await? {
        return Err(AccountError::ReservedName(name.to_owned()));
    }
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
    let hash = check_and_hash(password, name).await?;
    let mut tx = context.database.write().await?;
    let credentials = accounts::find_credentials(&mut tx, name)
        .await?
        .ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    let permissions = credentials.account.role.permissions();
    tokens::check_may_give(&mut tx, actor, permissions, context.clock.now()).await?;
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
    let hash = check_and_hash(new, &credentials.account.name).await?;
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

async fn check_and_hash(password: Personal, name: &str) -> Result<String, AccountError> {
    if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&password.reveal().chars().count()) {
        return Err(AccountError::InvalidPassword);
    }
    password_work::hash(password, name).await
}

/// What becomes of the tokens that a disabled account has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensOfDisabled {
    Revoke,
    Keep,
}

/// Disables an account and ends its sessions. Returns the names of the tokens that were revoked with
/// it: those it made, and those that were made with them.
pub async fn disable(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    its_tokens: TokensOfDisabled,
) -> Result<Vec<String>, AccountError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if !accounts::disable(&mut tx, name, now).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::AccountDisabled, &format!("account:{name}")).await?;
    let mut revoked = Vec::new();
    if its_tokens == TokensOfDisabled::Revoke {
        for token in tokens::made_by(&api_tokens::all(&mut tx).await?, name, now) {
            if api_tokens::revoke(&mut tx, &token, now).await? {
                context
                    .audit(&mut tx, actor, Action::TokenRevoked, &format!("token:{token}"))
                    .await?;
                revoked.push(token);
            }
        }
    }
    tx.commit().await?;
    Ok(revoked)
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
    if !reserve_attempt(context, &credentials).await? {
        return Err(AccountError::Locked);
    }
    if !password_work::verify(password, Some(credentials.password_hash.clone())).await? {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCredentials);
    }
    release_attempt(context, &credentials).await?;
    Ok(credentials)
}

/// Finds an account that is not disabled.
async fn find_active_account(
    context: &AppContext,
    name: &str,
) -> Result<Option<Credentials>, AccountError> {
    let found = accounts::find_credentials(&mut *context.database.read().await?, name).await?;
    Ok(found.filter(|credentials| credentials.account.disabled_at.is_none()))
}

/// Counts an attempt before it is judged, so that of many at once no more are judged than of one
/// after the other. Returns false while the account is locked. The last attempt of a row locks it,
/// until [`release_attempt`] or a session says that it was right.
async fn reserve_attempt(
    context: &AppContext,
    credentials: &Credentials,
) -> Result<bool, AccountError> {
    let now = context.clock.now();
    let mut tx: WriteTx = context.database.write().await?;
    let id = credentials.account.id;
    let Some(count) = accounts::count_attempt(&mut tx, id, now).await? else { return Ok(false) };
    if count % MAX_FAILED_ATTEMPTS == 0 {
        accounts::lock(&mut tx, id, now + LOCK_DURATION).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Takes back a reserved attempt, which was right.
async fn release_attempt(
    context: &AppContext,
    credentials: &Credentials,
) -> Result<(), AccountError> {
    let mut tx: WriteTx = context.database.write().await?;
    accounts::uncount_attempt(&mut tx, credentials.account.id).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down a wrong password or code.
async fn record_failed_attempt(
    context: &AppContext,
    credentials: &Credentials,
) -> Result<(), AccountError> {
    let name = &credentials.account.name;
    let mut tx: WriteTx = context.database.write().await?;
    context
        .audit(&mut tx, &Actor::console(name), Action::SignInFailed, &format!("account:{name}"))
        .await?;
    tx.commit().await?;
    Ok(())
}
