//! Signing in and out.

use std::time::Duration;

use super::second_factor::is_right_code;
use super::{AccountError, count_wrong, is_right, known};
use crate::adapters::crypto::password::new_token;
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::services::context::Installation;
use crate::adapters::database::accounts::{self, Account, Stored};

/// A session ends when it has not been used for so long, and after a working day in any case.
const IDLE: Duration = Duration::from_secs(2 * 3_600);
const LONGEST_SESSION: Duration = Duration::from_secs(12 * 3_600);
/// For so long the code may come after the password.
const FOR_CODE: Duration = Duration::from_secs(5 * 60);

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

    pub fn actor(&self) -> Actor {
        Actor::console(&self.account.name)
    }

    pub(super) fn hash(&self, installation: &Installation) -> String {
        token_hash(installation, &self.token)
    }
}

/// What a right password leads to.
#[derive(Debug, Clone)]
pub enum SignedIn {
    Wholly(Session),
    /// A one-time code is asked for; the token is good for [`confirm`] alone.
    AwaitsCode(Personal),
}

/// Takes a name and a password.
pub async fn sign_in(installation: &Installation, name: &str, password: Personal) -> Result<SignedIn, AccountError> {
    let known = known(installation, name).await?;
    let is_right = is_right(password, known.as_ref().map(|known| known.password_hash.clone())).await?;
    let Some(known) = known else { return Err(AccountError::Wrong) };
    if !is_right {
        count_wrong(installation, &known).await?;
        return Err(AccountError::Wrong);
    }
    let awaits_code = known.account.has_second_factor;
    let token = begin(installation, &known.account, awaits_code).await?;
    Ok(if awaits_code { SignedIn::AwaitsCode(token) } else { SignedIn::Wholly(Session { account: known.account, token }) })
}

async fn begin(installation: &Installation, account: &Account, awaits_code: bool) -> Result<Personal, AccountError> {
    let (token, now) = (new_token()?, installation.clock.now());
    let mut tx = installation.store.write().await?;
    let until = now + if awaits_code { FOR_CODE } else { IDLE };
    accounts::begin_session(&mut tx, account.id, &token_hash(installation, &token), awaits_code, until, now).await?;
    if !awaits_code {
        installation.note(&mut tx, &Actor::console(&account.name), Action::SignIn, &format!("account:{}", account.name)).await?;
    }
    tx.commit().await?;
    Ok(token)
}

/// Takes the one-time code, or a recovery code, after the password. The session that comes of it has another token.
pub async fn confirm(installation: &Installation, token: Personal, code: &str) -> Result<Session, AccountError> {
    let (hash, now) = (token_hash(installation, &token), installation.clock.now());
    let waiting = accounts::of_session(&mut *installation.store.read().await?, &hash, now).await?.filter(|stored| stored.awaits_code);
    let Some(waiting) = waiting else { return Err(AccountError::Wrong) };
    let known = known(installation, &waiting.account.name).await?.ok_or(AccountError::Wrong)?;
    if !is_right_code(installation, &known, code).await? {
        count_wrong(installation, &known).await?;
        return Err(AccountError::WrongCode);
    }
    let mut tx = installation.store.write().await?;
    accounts::end_session(&mut tx, &hash).await?;
    tx.commit().await?;
    let token = begin(installation, &known.account, false).await?;
    Ok(Session { account: known.account, token })
}

/// Whose session a browser's token stands for, without anybody having done anything.
pub async fn look(installation: &Installation, token: Personal) -> Result<Option<Session>, AccountError> {
    let stored = stored(installation, &token).await?;
    Ok(stored.map(|stored| Session { account: stored.account, token }))
}

async fn stored(installation: &Installation, token: &Personal) -> Result<Option<Stored>, AccountError> {
    let now = installation.clock.now();
    let found = accounts::of_session(&mut *installation.store.read().await?, &token_hash(installation, token), now).await?;
    Ok(found.filter(|stored| !stored.awaits_code && now < stored.created_at + LONGEST_SESSION))
}

/// Whose session a browser's token stands for; it goes on while it is used.
pub async fn session(installation: &Installation, token: Personal) -> Result<Option<Session>, AccountError> {
    let now = installation.clock.now();
    let hash = token_hash(installation, &token);
    let Some(stored) = stored(installation, &token).await? else { return Ok(None) };
    if stored.expires_at < now + IDLE / 2 {
        let mut tx = installation.store.write().await?;
        accounts::prolong_session(&mut tx, &hash, now + IDLE).await?;
        tx.commit().await?;
    }
    Ok(Some(Session { account: stored.account, token }))
}

pub async fn sign_out(installation: &Installation, session: &Session) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    accounts::end_session(&mut tx, &session.hash(installation)).await?;
    installation.note(&mut tx, &session.actor(), Action::SignOut, &format!("account:{}", session.account.name)).await?;
    tx.commit().await?;
    Ok(())
}

/// The database holds no token that would open a session.
fn token_hash(installation: &Installation, token: &Personal) -> String {
    installation.keys.hasher().fingerprint(format!("session\n{}", token.reveal()).as_bytes())
}
