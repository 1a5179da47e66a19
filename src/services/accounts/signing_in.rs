//! Signing in and out.

use std::time::Duration;

use super::devices::is_known_device;
use super::second_factor::use_code;
use super::{
    AccountError, find_active_account, password_work, record_failed_attempt, release_attempt,
    reserve_attempt,
};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts::{self, Account, StoredSession};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::services::context::AppContext;

/// The idle time after which a session ends, and its longest duration (a working day).
const IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 3_600);
const MAX_SESSION: Duration = Duration::from_secs(12 * 3_600);
/// The time allowed between the password and the one-time code.
const CODE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A signed-in account.
#[derive(Debug, Clone)]
pub struct Session {
    pub account: Account,
    /// The token that the browser stores.
    pub token: Personal,
}

impl Session {
    /// Returns the token in every form of this session, which no other site can know (CSRF
    /// protection).
    pub fn form_token(&self, context: &AppContext) -> String {
        context.keys.hasher().fingerprint(format!("form\n{}", self.token.reveal()).as_bytes())
    }

    pub fn actor(&self) -> Actor {
        Actor::console(&self.account.name)
    }

    pub(super) fn hash(&self, context: &AppContext) -> String {
        token_hash(context, &self.token)
    }
}

/// The result of a correct password.
#[derive(Debug, Clone)]
pub enum SignedIn {
    Complete(Session),
    /// A one-time code is required; the token is valid only for [`confirm`].
    AwaitsCode(Personal),
}

/// What somebody signs in with.
pub struct SignInAttempt<'a> {
    pub name: &'a str,
    pub password: Personal,
    /// A one-time or recovery code, if it was given with the password.
    pub code: Option<&'a str>,
    /// The cookie of a browser that has signed in before ([`super::issue_device`]).
    pub device: Option<Personal>,
    /// The token of the session that the browser had; it ends when another begins.
    pub before: Option<Personal>,
}

/// Signs in. Too many wrong attempts lock the account for everybody but a browser that has signed
/// in to it before, and a right one-time code beside the right password.
///
/// # Errors
/// [`AccountError::WrongCredentials`] for all that is wrong, also for an unknown name and a locked
/// account; it takes the same work.
pub async fn sign_in(
    context: &AppContext,
    attempt: SignInAttempt<'_>,
) -> Result<SignedIn, AccountError> {
    let credentials = find_active_account(context, attempt.name).await?;
    let is_known = credentials
        .as_ref()
        .zip(attempt.device.as_ref())
        .is_some_and(|(credentials, device)| is_known_device(context, credentials, device));
    let is_judged = match &credentials {
        Some(_) if is_known => true,
        Some(credentials) => reserve_attempt(context, credentials).await?,
        None => false,
    };
    // The invited have no password yet; it takes the same time as a wrong one.
    let hash = credentials
        .as_ref()
        .map(|credentials| credentials.password_hash.clone())
        .filter(|hash| !hash.is_empty());
    let is_right = password_work::verify(attempt.password, hash).await?;
    let Some(credentials) = credentials else { return Err(AccountError::WrongCredentials) };
    let has_code = match attempt.code.filter(|_| is_right && credentials.totp_sealed.is_some()) {
        Some(code) => use_code(context, &credentials, code).await?,
        None => false,
    };
    let is_wrong_code = attempt.code.is_some() && credentials.totp_sealed.is_some() && !has_code;
    if !is_right || is_wrong_code || !(is_judged || has_code) {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCredentials);
    }
    let awaits_code = credentials.account.has_second_factor && !has_code;
    if awaits_code && !is_known {
        release_attempt(context, &credentials).await?;
    }
    let before = attempt.before.as_ref();
    let token = begin_session(context, &credentials.account, awaits_code, before).await?;
    Ok(if awaits_code {
        SignedIn::AwaitsCode(token)
    } else {
        SignedIn::Complete(Session { account: credentials.account, token })
    })
}

async fn begin_session(
    context: &AppContext,
    account: &Account,
    awaits_code: bool,
    before: Option<&Personal>,
) -> Result<Personal, AccountError> {
    let (token, now) = (new_token()?, context.clock.now());
    let mut tx = context.database.write().await?;
    if let Some(before) = before {
        accounts::end_session(&mut tx, &token_hash(context, before)).await?;
    }
    let until = now + if awaits_code { CODE_TIMEOUT } else { IDLE_TIMEOUT };
    accounts::begin_session(
        &mut tx,
        account.id,
        &token_hash(context, &token),
        awaits_code,
        until,
        now,
    )
    .await?;
    if !awaits_code {
        context
            .audit(
                &mut tx,
                &Actor::console(&account.name),
                Action::SignIn,
                &format!("account:{}", account.name),
            )
            .await?;
    }
    tx.commit().await?;
    Ok(token)
}

/// Takes the one-time code or a recovery code after the password; a browser that has signed in before
/// passes the account's lock here as well. The resulting session has a new
/// token.
pub async fn confirm(
    context: &AppContext,
    token: Personal,
    code: &str,
    device: Option<Personal>,
) -> Result<Session, AccountError> {
    let (hash, now) = (token_hash(context, &token), context.clock.now());
    let pending = accounts::find_session(&mut *context.database.read().await?, &hash, now)
        .await?
        .filter(|stored| stored.awaits_code);
    let Some(pending) = pending else { return Err(AccountError::WrongCredentials) };
    let credentials = find_active_account(context, &pending.account.name)
        .await?
        .ok_or(AccountError::WrongCredentials)?;
    let is_known = device.is_some_and(|device| is_known_device(context, &credentials, &device));
    if !is_known && !reserve_attempt(context, &credentials).await? {
        return Err(AccountError::Locked);
    }
    if !use_code(context, &credentials, code).await? {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCode);
    }
    let token = begin_session(context, &credentials.account, false, Some(&token)).await?;
    Ok(Session { account: credentials.account, token })
}

/// Returns the session of a browser's token, without extending it.
pub async fn peek_session(
    context: &AppContext,
    token: Personal,
) -> Result<Option<Session>, AccountError> {
    let stored = find_session(context, &token).await?;
    Ok(stored.map(|stored| Session { account: stored.account, token }))
}

async fn find_session(
    context: &AppContext,
    token: &Personal,
) -> Result<Option<StoredSession>, AccountError> {
    let now = context.clock.now();
    let found = accounts::find_session(
        &mut *context.database.read().await?,
        &token_hash(context, token),
        now,
    )
    .await?;
    Ok(found.filter(|stored| !stored.awaits_code && now < stored.created_at + MAX_SESSION))
}

/// Returns the session of a browser's token, and extends it.
pub async fn resume_session(
    context: &AppContext,
    token: Personal,
) -> Result<Option<Session>, AccountError> {
    let now = context.clock.now();
    let hash = token_hash(context, &token);
    let Some(stored) = find_session(context, &token).await? else { return Ok(None) };
    if stored.expires_at < now + IDLE_TIMEOUT / 2 {
        let mut tx = context.database.write().await?;
        accounts::extend_session(&mut tx, &hash, now + IDLE_TIMEOUT).await?;
        tx.commit().await?;
    }
    Ok(Some(Session { account: stored.account, token }))
}

pub async fn sign_out(context: &AppContext, session: &Session) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    accounts::end_session(&mut tx, &session.hash(context)).await?;
    context
        .audit(
            &mut tx,
            &session.actor(),
            Action::SignOut,
            &format!("account:{}", session.account.name),
        )
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Hashes a token: the database stores no token that opens a session.
fn token_hash(context: &AppContext, token: &Personal) -> String {
    context.keys.hasher().fingerprint(format!("session\n{}", token.reveal()).as_bytes())
}
