//! Publicly verifiable signatures: Ed25519 (RFC 8032), keys as PEM (PKCS #8 and
//! SubjectPublicKeyInfo, RFC 8410).

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

pub struct Signer(SigningKey);

impl Signer {
    /// Creates the key of a 32-byte seed (RFC 8032, section 5.1.5).
    pub fn of_seed(seed: &[u8; 32]) -> Signer {
        Signer(SigningKey::from_bytes(seed))
    }

    pub(super) fn of_pem(pem: &str) -> Option<Signer> {
        SigningKey::from_pkcs8_pem(pem).ok().map(Signer)
    }

    /// Returns the private key as PKCS #8 in PEM: a secret.
    pub fn to_pem(&self) -> Option<String> {
        self.0.to_pkcs8_pem(LineEnding::LF).ok().map(|pem| pem.to_string())
    }

    /// Returns the signature in base64. The same key and content give the same signature.
    pub fn sign(&self, content: &[u8]) -> String {
        BASE64.encode(&self.0.sign(content).to_bytes())
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn of_pem(pem: &str) -> Option<PublicKey> {
        VerifyingKey::from_public_key_pem(pem.trim()).ok().map(PublicKey)
    }

    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// Returns a short id that a person can compare: the first 16 digits of its SHA-256.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0.as_bytes())[..8])
    }

    /// Verifies a `signature` in base64.
    pub fn has_signed(&self, content: &[u8], signature: &str) -> bool {
        let signature = BASE64
            .decode(signature.trim().as_bytes())
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| self.0.verify_strict(content, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_and_the_content_that_were_signed_fit() {
        // RFC 8032, section 7.1, test 1.
        let seed = HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let signer = Signer::of_seed(&seed.try_into().unwrap());
        assert!(
            HEXLOWER
                .encode(&BASE64.decode(signer.sign(b"").as_bytes()).unwrap())
                .starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")
        );
        let again = Signer::of_pem(&signer.to_pem().unwrap()).unwrap();
        let public = PublicKey::of_pem(&again.public().to_pem()).unwrap();
        let signature = signer.sign(b"x");
        assert!(
            public.has_signed(b"x", &signature)
                && !public.has_signed(b"y", &signature)
                && !public.has_signed(b"x", "AAAA")
        );
        assert!(!Signer::of_seed(&[7; 32]).public().has_signed(b"x", &signature));
    }
}
