//! Signing in and out.

use std::time::Duration;

use super::second_factor::use_code;
use super::{AccountError, find_active_account, record_failed_attempt, verify_password};
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

/// Signs in with a name and a password.
pub async fn sign_in(
    context: &AppContext,
    name: &str,
    password: Personal,
) -> Result<SignedIn, AccountError> {
    let credentials = find_active_account(context, name).await?;
    let is_right = verify_password(
        password,
        credentials.as_ref().map(|credentials| credentials.password_hash.clone()),
    )
    .await?;
    let Some(credentials) = credentials else { return Err(AccountError::WrongCredentials) };
    if !is_right {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCredentials);
    }
    let awaits_code = credentials.account.has_second_factor;
    let token = begin_session(context, &credentials.account, awaits_code).await?;
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
) -> Result<Personal, AccountError> {
    let (token, now) = (new_token()?, context.clock.now());
    let mut tx = context.database.write().await?;
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

/// Takes the one-time code or a recovery code after the password. The resulting session has a new
/// token.
pub async fn confirm(
    context: &AppContext,
    token: Personal,
    code: &str,
) -> Result<Session, AccountError> {
    let (hash, now) = (token_hash(context, &token), context.clock.now());
    let pending = accounts::find_session(&mut *context.database.read().await?, &hash, now)
        .await?
        .filter(|stored| stored.awaits_code);
    let Some(pending) = pending else { return Err(AccountError::WrongCredentials) };
    let credentials = find_active_account(context, &pending.account.name)
        .await?
        .ok_or(AccountError::WrongCredentials)?;
    if !use_code(context, &credentials, code).await? {
        record_failed_attempt(context, &credentials).await?;
        return Err(AccountError::WrongCode);
    }
    let mut tx = context.database.write().await?;
    accounts::end_session(&mut tx, &hash).await?;
    tx.commit().await?;
    let token = begin_session(context, &credentials.account, false).await?;
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
