//! Browsers that have signed in to an account before. Their cookie is signed with the key ring and
//! passes the account's lock, so that strangers who guess passwords keep nobody out (OWASP's «device
//! cookies»). A new password makes it void.

use std::time::Duration;

use super::AccountError;
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts::{self, Credentials};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// For how long a browser is known.
pub const DEVICE_TIME: Duration = Duration::from_secs(180 * 24 * 3_600);

/// Returns the cookie of a browser that has just signed in: the time, a random part, a signature.
pub async fn issue_device(context: &AppContext, name: &str) -> Result<Personal, AccountError> {
    let credentials = accounts::find_credentials(&mut *context.database.read().await?, name)
        .await?
        .ok_or(AccountError::WrongCredentials)?;
    let (at, random) = (context.clock.now(), new_token()?);
    let signature = signature(context, &credentials, at, random.reveal());
    Ok(Personal::new(format!("{}.{}.{signature}", at.0, random.reveal())))
}

/// Returns whether a cookie was issued to a browser that signed in to this account.
pub(super) fn is_known_device(
    context: &AppContext,
    credentials: &Credentials,
    cookie: &Personal,
) -> bool {
    let mut parts = cookie.reveal().splitn(3, '.');
    let (Some(at), Some(random), Some(given)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(at) = at.parse().map(Timestamp) else { return false };
    let now = context.clock.now();
    at <= now
        && now < at + DEVICE_TIME
        && is_equal(given, &signature(context, credentials, at, random))
}

fn signature(
    context: &AppContext,
    credentials: &Credentials,
    at: Timestamp,
    random: &str,
) -> String {
    let (account, password) = (credentials.account.id.0, &credentials.password_hash);
    let signed = format!("device\n{account}\n{}\n{random}\n{password}", at.0);
    context.keys.hasher().fingerprint(signed.as_bytes())
}

/// Compares in a time that does not depend on where the texts differ.
fn is_equal(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
