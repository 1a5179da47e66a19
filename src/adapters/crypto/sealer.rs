//! Authenticated encryption of one column value.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

/// Seals and opens values with one key (XChaCha20-Poly1305, a random 24-byte nonce before the
/// ciphertext).
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "seal.", serialize_all = "snake_case")]
pub enum SealError {
    #[error(
        "a sealed value cannot be opened with its applicant's key; the key ring does not belong \
            to this database, or the value was changed"
    )]
    Broken,
    #[error("the system gives no random bytes: {0}")]
    NoRandom(getrandom::Error),
}

impl Sealer {
    pub fn new(key: &[u8; 32]) -> Sealer {
        Sealer { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// Seals `plain` for one context (`"respondent.phone"`); it opens only in the same context.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(SealError::NoRandom)?;
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context.as_bytes() })
            .map_err(|_| SealError::Broken)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a value that [`Sealer::seal`] sealed for the same context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_first_chunk::<24>().ok_or(SealError::Broken)?;
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: context.as_bytes() })
            .map_err(|_| SealError::Broken)
    }

    /// [`Sealer::open`] for a text.
    pub fn open_text(&self, context: &str, sealed: &[u8]) -> Result<String, SealError> {
        String::from_utf8(self.open(context, sealed)?).map_err(|_| SealError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_unchanged() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("a", "王小明".as_bytes()).unwrap();
        assert_eq!(sealer.open_text("a", &sealed).unwrap(), "王小明");
        assert!(sealer.open("b", &sealed).is_err());
        let mut changed = sealed.clone();
        changed[30] ^= 1;
        assert!(sealer.open("a", &changed).is_err());
        assert!(Sealer::new(&[8; 32]).open("a", &sealed).is_err());
        assert_ne!(sealer.seal("a", b"x").unwrap(), sealer.seal("a", b"x").unwrap());
    }
}
