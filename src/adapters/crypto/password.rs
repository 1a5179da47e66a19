//! Passwords, stored as Argon2id hashes (RFC 9106) with the parameters recommended by OWASP, which
//! are the defaults of the `argon2` crate.

use std::cell::RefCell;
use std::sync::LazyLock;

use argon2::password_hash::{
    Decimal, Ident, Output, ParamsString, PasswordHash, PasswordHasher, PasswordVerifier, Salt,
    SaltString,
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use unicode_normalization::UnicodeNormalization;

use crate::domain::personal::Personal;

/// The system provides no random bytes for a salt or a token.
#[derive(Debug, thiserror::Error)]
#[error("the machine gives no random numbers")]
pub struct NoRandom;

impl From<&NoRandom> for &'static str {
    fn from(_: &NoRandom) -> &'static str {
        "system.no_random"
    }
}

/// Returns a password as it is hashed: the same whether a keyboard composes its letters or not, and
/// whichever of its spaces it writes (RFC 8265, 4.2.2).
fn prepared(password: &Personal) -> Personal {
    let with_one_space = |c: char| if c.is_whitespace() && !c.is_ascii() { ' ' } else { c };
    Personal::new(password.reveal().chars().map(with_one_space).nfc().collect::<String>())
}

/// Returns the hash of a password in the PHC string format. It takes some hundredths of a second of
/// a core.
pub fn hash_password(password: &Personal) -> Result<String, NoRandom> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| NoRandom)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| NoRandom)?;
    let hash = InPlace.hash_password(prepared(password).reveal().as_bytes(), &salt);
    Ok(hash.map_err(|_| NoRandom)?.to_string())
}

thread_local! {
    /// The 19 MiB of a computation, kept for the next one of this thread: what is given back and
    /// asked for again, an allocator may hold several times.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Argon2id in the memory of this thread.
struct InPlace;

impl PasswordHasher for InPlace {
    type Params = Params;

    fn hash_password_customized<'a>(
        &self,
        password: &[u8],
        algorithm: Option<Ident<'a>>,
        version: Option<Decimal>,
        params: Params,
        salt: impl Into<Salt<'a>>,
    ) -> argon2::password_hash::Result<PasswordHash<'a>> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let salt = salt.into();
        let mut salt_bytes = [0u8; 64];
        let salt_bytes = salt.decode_b64(&mut salt_bytes)?;
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let blocks = params.block_count();
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let output = Output::init_with(length, |output| {
            MEMORY.with_borrow_mut(|memory| {
                memory.resize(blocks.max(memory.len()), Block::default());
                Ok(argon2.hash_password_into_with_memory(password, salt_bytes, output, memory)?)
            })
        })?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt),
            hash: Some(output),
        })
    }

    fn hash_password<'a>(
        &self,
        password: &[u8],
        salt: impl Into<Salt<'a>>,
    ) -> argon2::password_hash::Result<PasswordHash<'a>> {
        self.hash_password_customized(password, None, None, Params::default(), salt)
    }
}

/// Returns whether the password matches. A `hash` of `None` (no such account) takes the same time.
pub fn is_password(password: &Personal, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| hash_password(&Personal::new("nobody")).unwrap_or_default());
    let is_match = |password: &Personal| {
        PasswordHash::new(hash.unwrap_or(&NOBODY)).is_ok_and(|parsed| {
            InPlace.verify_password(password.reveal().as_bytes(), &parsed).is_ok()
        })
    };
    let prepared = prepared(password);
    // Older hashes are of the password as it was typed.
    let is_match = is_match(&prepared) || (prepared != *password && is_match(password));
    is_match && hash.is_some()
}

/// Returns an unguessable secret: 32 random bytes as 43 letters and digits.
pub fn new_token() -> Result<Personal, NoRandom> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(Personal::new(data_encoding::BASE64URL_NOPAD.encode(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_only() {
        let password = Personal::new("correct horse battery staple");
        let hash = hash_password(&password).unwrap();
        assert!(hash.starts_with("$argon2id$") && !hash.contains("horse"));
        assert!(is_password(&password, Some(&hash)));
        assert!(!is_password(&Personal::new("correct horse"), Some(&hash)));
        assert!(!is_password(&Personal::new("nobody"), None));
        // A hash from before passwords were prepared.
        let typed = Personal::new("cafe\u{301} a la cr\u{e8}me");
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let raw = Argon2::default().hash_password(typed.reveal().as_bytes(), &salt).unwrap();
        assert!(is_password(&typed, Some(&raw.to_string())));
        assert_ne!(new_token().unwrap(), new_token().unwrap());
    }
}
