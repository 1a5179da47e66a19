//! The staff's accounts: who may sign in, and who is signed in.
//!
//! In go a name and a password; out comes a session, known by a token that only the browser holds. Wrong passwords in a row lock an account for a while, and
//! whoever guesses cannot tell a name that there is from one that there is not.

use std::time::Duration;

use crate::crypto::password::{NoRandom, hash_password, is_password, new_token};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::installation::Installation;
use crate::store::accounts::{self, Account};
use crate::store::{StoreError, disclosures};

/// A session ends when it has not been used for so long.
const IDLE: Duration = Duration::from_secs(2 * 3_600);
/// Wrong passwords in a row that lock an account, and for how long.
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
    #[error("a password was wrong {MOST_WRONG} times in a row; try again in a quarter of an hour")]
    Locked,
    #[error("the name or the password is wrong")]
    Wrong,
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    #[error("the work on a password broke off")]
    BrokeOff,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    pub account: Account,
    /// What the browser holds.
    pub token: Personal,
}

impl Session {
    /// What every form of this session carries, and no other site can know.
    pub fn form_token(&self, installation: &Installation) -> String {
        installation.keys.hasher().fingerprint(format!("form\n{}", self.token.reveal()).as_bytes())
    }
}

/// Adds an account.
pub async fn add(installation: &Installation, name: &str, role: Role, languages: &[Language], password: Personal) -> Result<(), AccountError> {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.chars().count() > 40 || !name.chars().all(is_good) {
        return Err(AccountError::Name);
    }
    let hash = checked_hash(password).await?;
    let mut tx = installation.store.write().await?;
    if !accounts::add(&mut tx, name, role, languages, &hash, installation.clock.now()).await? {
        return Err(AccountError::Taken(name.to_owned()));
    }
    tx.commit().await?;
    Ok(())
}

/// Sets another password; sessions under the old one end.
pub async fn set_password(installation: &Installation, name: &str, password: Personal) -> Result<(), AccountError> {
    let hash = checked_hash(password).await?;
    let mut tx = installation.store.write().await?;
    let known = accounts::find(&mut tx, name).await?.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    accounts::set_password(&mut tx, known.account.id, &hash).await?;
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
pub async fn disable(installation: &Installation, name: &str) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    if !accounts::disable(&mut tx, name, installation.clock.now()).await? {
        return Err(AccountError::Unknown(name.to_owned()));
    }
    tx.commit().await?;
    Ok(())
}

/// Signs somebody in.
pub async fn sign_in(installation: &Installation, name: &str, password: Personal) -> Result<Session, AccountError> {
    let now = installation.clock.now();
    let known = accounts::find(&mut *installation.store.read().await?, name).await?.filter(|known| known.account.disabled_at.is_none());
    if known.as_ref().is_some_and(|known| known.locked_until.is_some_and(|until| until > now)) {
        return Err(AccountError::Locked);
    }
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let is_right = tokio::task::spawn_blocking(move || is_password(&password, hash.as_deref())).await.map_err(|_| AccountError::BrokeOff)?;
    let Some(known) = known else { return Err(AccountError::Wrong) };
    let mut tx = installation.store.write().await?;
    if !is_right {
        if accounts::count_failed(&mut tx, known.account.id).await? % MOST_WRONG == 0 {
            accounts::lock(&mut tx, known.account.id, now + LOCKED_FOR).await?;
            tracing::warn!(account = known.account.name, "an account is locked: its password was wrong again and again");
        }
        tx.commit().await?;
        return Err(AccountError::Wrong);
    }
    let token = new_token()?;
    accounts::begin_session(&mut tx, known.account.id, &token_hash(installation, &token), now + IDLE, now).await?;
    disclosures::add(&mut tx, &known.account.name, "sign_in", known.account.id.0, now).await?;
    tx.commit().await?;
    Ok(Session { account: known.account, token })
}

/// Whose session a browser's token stands for; it goes on while it is used.
pub async fn session(installation: &Installation, token: Personal) -> Result<Option<Session>, AccountError> {
    let now = installation.clock.now();
    let hash = token_hash(installation, &token);
    let Some((account, expires_at)) = accounts::of_session(&mut *installation.store.read().await?, &hash, now).await? else { return Ok(None) };
    if expires_at < now + IDLE / 2 {
        let mut tx = installation.store.write().await?;
        accounts::prolong_session(&mut tx, &hash, now + IDLE).await?;
        tx.commit().await?;
    }
    Ok(Some(Session { account, token }))
}

pub async fn sign_out(installation: &Installation, session: &Session) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    accounts::end_session(&mut tx, &token_hash(installation, &session.token)).await?;
    tx.commit().await?;
    Ok(())
}

/// The database holds no token that would open a session.
fn token_hash(installation: &Installation, token: &Personal) -> String {
    installation.keys.hasher().fingerprint(format!("session\n{}", token.reveal()).as_bytes())
}
