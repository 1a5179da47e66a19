//! The second factor: one-time codes of an authenticator, and recovery codes for whoever has lost it.

use super::{AccountError, Session, prove};
use crate::adapters::crypto::one_time::OneTime;
use crate::adapters::crypto::password::NoRandom;
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::services::context::Installation;
use crate::services::sealing::place;
use crate::adapters::database::accounts::{self, Secret};

/// As many are shown, once.
const RECOVERY_CODES: usize = 10;

/// Draws a secret for whoever is signed in; it counts when [`confirm`] has got a code of it.
pub async fn offer(installation: &Installation, session: &Session, password: Personal) -> Result<OneTime, AccountError> {
    let known = prove(installation, session, password).await?;
    let drawn = OneTime::draw(&known.account.name)?;
    let sealed = installation.keys.staff_sealer().seal(&place_of(&known), drawn.secret())?;
    let mut tx = installation.store.write().await?;
    accounts::offer_totp(&mut tx, known.account.id, sealed).await?;
    tx.commit().await?;
    Ok(drawn)
}

/// The secret that was offered and waits for its first code.
pub async fn offered(installation: &Installation, session: &Session) -> Result<Option<OneTime>, AccountError> {
    let known = accounts::find(&mut *installation.store.read().await?, &session.account.name).await?;
    known.map_or(Ok(None), |known| open(installation, &known, known.totp_new_sealed.as_deref()))
}

/// Takes the first code of the secret that was offered; from now on signing in asks for codes. Returns the recovery codes, which are shown once.
pub async fn confirm(installation: &Installation, session: &Session, code: &str) -> Result<Vec<Personal>, AccountError> {
    let known = accounts::find(&mut *installation.store.read().await?, &session.account.name).await?.ok_or(AccountError::Wrong)?;
    let offered = open(installation, &known, known.totp_new_sealed.as_deref())?.ok_or(AccountError::NothingToConfirm)?;
    let step = offered.step_of(code, installation.clock.now()).ok_or(AccountError::WrongCode)?;
    let codes = (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<String> = codes.iter().map(|code| recovery_hash(installation, &known, code.reveal())).collect();
    let mut tx = installation.store.write().await?;
    accounts::confirm_totp(&mut tx, known.account.id, step, &hashes).await?;
    installation.note(&mut tx, &session.actor(), Action::SecondFactor, &format!("account:{}", known.account.name)).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Whoever is signed in wants no codes any more.
pub async fn remove(installation: &Installation, session: &Session, password: Personal) -> Result<(), AccountError> {
    let known = prove(installation, session, password).await?;
    remove_from(installation, &session.actor(), &known).await
}

/// An administrator takes the second factor from somebody who has lost it.
pub async fn reset(installation: &Installation, who: &Actor, name: &str) -> Result<(), AccountError> {
    let known = accounts::find(&mut *installation.store.read().await?, name).await?.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    remove_from(installation, who, &known).await
}

async fn remove_from(installation: &Installation, who: &Actor, known: &Secret) -> Result<(), AccountError> {
    let mut tx = installation.store.write().await?;
    accounts::remove_totp(&mut tx, known.account.id).await?;
    installation.note(&mut tx, who, Action::NoSecondFactor, &format!("account:{}", known.account.name)).await?;
    tx.commit().await?;
    Ok(())
}

/// Is this the code of now, or a recovery code? Either is used up by it.
pub(super) async fn is_right_code(installation: &Installation, known: &Secret, code: &str) -> Result<bool, AccountError> {
    let now = installation.clock.now();
    let step = open(installation, known, known.totp_sealed.as_deref())?.and_then(|one_time| one_time.step_of(code, now));
    let mut tx = installation.store.write().await?;
    let is_right = match step {
        Some(step) => accounts::use_totp(&mut tx, known.account.id, step).await?,
        None => accounts::use_recovery_code(&mut tx, known.account.id, &recovery_hash(installation, known, code)).await?,
    };
    tx.commit().await?;
    Ok(is_right)
}

fn open(installation: &Installation, known: &Secret, sealed: Option<&[u8]>) -> Result<Option<OneTime>, AccountError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let secret = installation.keys.staff_sealer().open(&place_of(known), sealed)?;
    Ok(OneTime::of(&secret, &known.account.name))
}

/// One account's secret opens for no other.
fn place_of(known: &Secret) -> String {
    format!("{}:{}", place::ONE_TIME, known.account.id.0)
}

/// Four groups of four, 80 bits, of letters and digits that are not mistaken for each other.
fn recovery_code() -> Result<Personal, NoRandom> {
    let mut bytes = [0u8; 10];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    let text = data_encoding::BASE32.encode(&bytes).to_lowercase();
    Ok(Personal::new(text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")))
}

fn recovery_hash(installation: &Installation, known: &Secret, code: &str) -> String {
    let letters: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    installation.keys.hasher().fingerprint(format!("recovery\n{}\n{}", known.account.id.0, letters.to_lowercase()).as_bytes())
}
