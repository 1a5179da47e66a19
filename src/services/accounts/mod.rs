//! The staff's accounts: who may sign in, who is signed in, and the tokens of the API.
//!
//! [`signing_in`] makes a session of a name, a password and, where one is set up, a one-time code; [`second_factor`] sets those up; [`tokens`] are for programs.
//! Wrong passwords and codes in a row lock an account for a while, and whoever guesses cannot tell a name that there is from one that there is not.

pub mod second_factor;
mod signing_in;
pub mod tokens;

use std::time::Duration;

use crate::adapters::crypto::SealError;
use crate::adapters::crypto::password::{NoRandom, hash_password, is_password};
use crate::domain::audit::{Action, Actor};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::services::context::Installation;
use crate::adapters::database::accounts::{self, Secret};
use crate::adapters::database::{StoreError, WriteTx};
pub use signing_in::{Session, SignedIn, confirm, look, session, sign_in, sign_out};

/// Wrong passwords or codes in a row that lock an account, and for how long.
const MOST_WRONG: u32 = 5;
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);
/// NIST SP 800-63B, 3.1.1.2: at least 15 characters where a password is the only factor; nothing else is asked of it.
const SHORTEST: usize = 15;
const LONGEST: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("a name has 1 to 40 letters, digits, «-», «_» and «.»")]
    Name,
    #[error("a password has {SHORTEST} characters at least and {LONGEST} at most; several words are easy to keep in mind")]
    Password,
    #[error("there is an account {0} already")]
    Taken(String),
    #[error("there is no account {0}, or it is disabled already")]
    Unknown(String),
    #[error("a password or a code was wrong {MOST_WRONG} times in a row; try again in a quarter of an hour")]
    Locked,
    #[error("the name or the password is wrong")]
    Wrong,
    #[error("the code is wrong, or was used already")]
    WrongCode,
    #[error("there is no secret to confirm; begin again")]
    NothingToConfirm,
    #[error("a token is for one scope at least, and for 1 to 730 days")]
    Token,
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    #[error("the work on a password broke off")]
    BrokeOff,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds an account.
pub async fn add(
    installation: &Installation,
    who: &Actor,
    name: &str,
    role: Role,
    languages: &[Language],
    password: Personal,
) -> Result<(), AccountError> {
    check_name(name)?;
    let hash = checked_hash(password).await?;
    let mut tx = installation.store.write().await?;
    if !accounts::add(&mut tx, name, role, languages, &hash, installation.clock.now()).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    installation.note(&mut tx, who, Action::AccountAdded, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// A name of letters, digits, `-`, `_` and `.`, at most 40.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.chars().count() > 40 || !name.chars().all(is_good) { Err(AccountError::Name) } else { Ok(()) }
}

/// Sets somebody's password; sessions under the old one end.
pub async fn set_password(installation: &Installation, who: &Actor, name: &str, password: Personal) -> Result<(), AccountError> {
    let hash = checked_hash(password).await?;
    let mut tx = installation.store.write().await?;
    let known = accounts::find(&mut tx, name).await?.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    accounts::set_password(&mut tx, known.account.id, &hash, "").await?;
    installation.note(&mut tx, who, Action::AccountPassword, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody sets another password for themselves; their other sessions end.
pub async fn change_own_password(installation: &Installation, session: &Session, present: Personal, new: Personal) -> Result<(), AccountError> {
    let known = prove(installation, session, present).await?;
    let hash = checked_hash(new).await?;
    let mut tx = installation.store.write().await?;
    accounts::set_password(&mut tx, known.account.id, &hash, &session.hash(installation)).await?;
    installation.note(&mut tx, &session.actor(), Action::OwnPassword, &format!("account:{}", known.account.name)).await?;
    tx.commit().await?;
    Ok(())
}

async fn checked_hash(password: Personal) -> Result<String, AccountError> {
    if !(SHORTEST..=LONGEST).contains(&password.reveal().chars().count()) {
        return Err(AccountError::Password);
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await.map_err(|_| AccountError::BrokeOff)?;
    Ok(hash?)
}

/// Disables an account, and ends its sessions.
pub async fn disable(installation: &Installation, who: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    if !accounts::disable(&mut tx, name, installation.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    installation.note(&mut tx, who, Action::AccountDisabled, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Whoever is signed in proves once more that it is them, by their password.
async fn prove(installation: &Installation, session: &Session, password: Personal) -> Result<Secret, AccountError> {
    let known = known(installation, &session.account.name).await?.ok_or(AccountError::Wrong)?;
    let hash = known.password_hash.clone();
    if !is_right(password, Some(hash)).await? {
        count_wrong(installation, &known).await?;
        return Err(AccountError::Wrong);
    }
    Ok(known)
}

/// An account that may sign in now; refused while it is locked.
async fn known(installation: &Installation, name: &str) -> Result<Option<Secret>, AccountError> {
    let known = accounts::find(&mut *installation.store.read().await?, name).await?.filter(|known| known.account.disabled_at.is_none());
    if known.as_ref().is_some_and(|known| known.locked_until.is_some_and(|until| until > installation.clock.now())) {
        return Err(AccountError::Locked);
    }
    Ok(known)
}

async fn is_right(password: Personal, hash: Option<String>) -> Result<bool, AccountError> {
    tokio::task::spawn_blocking(move || is_password(&password, hash.as_deref())).await.map_err(|_| AccountError::BrokeOff)
}

/// Counts a wrong password or code; too many in a row lock the account.
async fn count_wrong(installation: &Installation, known: &Secret) -> Result<(), AccountError> {
    let (name, now) = (&known.account.name, installation.clock.now());
    let mut tx: WriteTx = installation.store.write().await?;
    if accounts::count_failed(&mut tx, known.account.id).await? % MOST_WRONG == 0 {
        accounts::lock(&mut tx, known.account.id, now + LOCKED_FOR).await?;
        tracing::warn!(account = name, "an account is locked: its password or code was wrong again and again");
    }
    installation.note(&mut tx, &Actor::console(name), Action::SignInFailed, &format!("account:{name}")).await?;
    tx.commit().await?;
    Ok(())
}
