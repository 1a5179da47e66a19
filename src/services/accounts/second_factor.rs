//! The second factor of an account: one-time codes of an authenticator, and recovery codes for a
//! lost authenticator.

use unicode_normalization::UnicodeNormalization;

use super::{AccountError, Session, reauthenticate, tokens};
use crate::adapters::crypto::password::NoRandom;
use crate::adapters::crypto::totp::TotpSecret;
use crate::adapters::database::accounts::{self, Credentials};
use crate::domain::audit::{Action, Actor, Via};
use crate::domain::personal::Personal;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;

/// The number of recovery codes. They are shown once.
const RECOVERY_CODES: usize = 10;

/// Draws a secret for the signed-in account. It takes effect when [`confirm`] accepts a code of it.
pub async fn draw_secret(
    context: &AppContext,
    session: &Session,
    password: Personal,
) -> Result<TotpSecret, AccountError> {
    let credentials = reauthenticate(context, session, password).await?;
    let drawn = TotpSecret::generate(&credentials.account.name)?;
    let sealed = context.keys.staff_sealer().seal(&seal_context(&credentials), drawn.secret())?;
    let mut tx = context.database.write().await?;
    accounts::set_pending_totp(&mut tx, credentials.account.id, sealed).await?;
    tx.commit().await?;
    Ok(drawn)
}

/// Returns the drawn secret that is not yet confirmed by a first code.
pub async fn pending_secret(
    context: &AppContext,
    session: &Session,
) -> Result<Option<TotpSecret>, AccountError> {
    let credentials =
        accounts::find_credentials(&mut *context.database.read().await?, &session.account.name)
            .await?;
    credentials.map_or(Ok(None), |credentials| {
        open(context, &credentials, credentials.totp_pending_sealed.as_deref())
    })
}

/// Confirms the drawn secret by its first code; from then on signing in requires a code. Returns
/// the recovery codes, which are shown once.
pub async fn confirm(
    context: &AppContext,
    session: &Session,
    code: &str,
) -> Result<Vec<Personal>, AccountError> {
    let credentials =
        accounts::find_credentials(&mut *context.database.read().await?, &session.account.name)
            .await?
            .ok_or(AccountError::WrongCredentials)?;
    let offered = open(context, &credentials, credentials.totp_pending_sealed.as_deref())?
        .ok_or(AccountError::NothingToConfirm)?;
    let step = offered.step_of(code, context.clock.now()).ok_or(AccountError::WrongCode)?;
    let codes = (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<String> =
        codes.iter().map(|code| recovery_hash(context, &credentials, code.reveal())).collect();
    let mut tx = context.database.write().await?;
    accounts::confirm_totp(&mut tx, credentials.account.id, step, &hashes).await?;
    context
        .audit(
            &mut tx,
            &session.actor(),
            Action::SecondFactorEnabled,
            &format!("account:{}", credentials.account.name),
        )
        .await?;
    tx.commit().await?;
    Ok(codes)
}

/// Removes the second factor of the signed-in account.
pub async fn remove(
    context: &AppContext,
    session: &Session,
    password: Personal,
) -> Result<(), AccountError> {
    let credentials = reauthenticate(context, session, password).await?;
    remove_from(context, &session.actor(), &credentials).await
}

/// Removes the second factor of another account, for an administrator; used when the authenticator
/// is lost.
pub async fn reset(context: &AppContext, actor: &Actor, name: &str) -> Result<(), AccountError> {
    let credentials = accounts::find_credentials(&mut *context.database.read().await?, name)
        .await?
        .ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    remove_from(context, actor, &credentials).await
}

async fn remove_from(
    context: &AppContext,
    actor: &Actor,
    credentials: &Credentials,
) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    let is_own = actor.name == credentials.account.name && actor.via == Via::Console;
    if !is_own {
        let permissions = credentials.account.role.permissions();
        tokens::check_may_give(&mut tx, actor, permissions, context.clock.now()).await?;
    }
    accounts::remove_totp(&mut tx, credentials.account.id).await?;
    context
        .audit(
            &mut tx,
            actor,
            Action::SecondFactorRemoved,
            &format!("account:{}", credentials.account.name),
        )
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Returns whether `code` is the current one-time code or an unused recovery code. A valid code is
/// consumed.
pub(super) async fn use_code(
    context: &AppContext,
    credentials: &Credentials,
    code: &str,
) -> Result<bool, AccountError> {
    let now = context.clock.now();
    let step = open(context, credentials, credentials.totp_sealed.as_deref())?
        .and_then(|one_time| one_time.step_of(code, now));
    let mut tx = context.database.write().await?;
    let is_right = match step {
        Some(step) => accounts::use_totp(&mut tx, credentials.account.id, step).await?,
        None => {
            accounts::use_recovery_code(
                &mut tx,
                credentials.account.id,
                &recovery_hash(context, credentials, code),
            )
            .await?
        }
    };
    tx.commit().await?;
    Ok(is_right)
}

fn open(
    context: &AppContext,
    credentials: &Credentials,
    sealed: Option<&[u8]>,
) -> Result<Option<TotpSecret>, AccountError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let secret = context.keys.staff_sealer().open(&seal_context(credentials), sealed)?;
    Ok(TotpSecret::from_bytes(&secret, &credentials.account.name))
}

/// Binds the sealed secret to one account: it does not open for another.
fn seal_context(credentials: &Credentials) -> String {
    format!("{}:{}", seal_context::ONE_TIME, credentials.account.id.0)
}

/// Draws a recovery code: four groups of four characters, 80 bits, from letters and digits that are
/// not easily confused.
fn recovery_code() -> Result<Personal, NoRandom> {
    let mut bytes = [0u8; 10];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    let text = data_encoding::BASE32.encode(&bytes).to_lowercase();
    Ok(Personal::new(
        text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"),
    ))
}

fn recovery_hash(context: &AppContext, credentials: &Credentials, code: &str) -> String {
    let letters: String = code.nfkc().filter(|c| c.is_ascii_alphanumeric()).collect();
    context.keys.hasher().fingerprint(
        format!("recovery\n{}\n{}", credentials.account.id.0, letters.to_lowercase()).as_bytes(),
    )
}
