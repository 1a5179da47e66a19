//! The primitives of signatures: hashes, HMACs, and ways to write octets as text.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// How octets are written as text.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    #[default]
    Hex,
    UpperHex,
    Base64,
}

impl Encoding {
    pub fn encode(self, octets: &[u8]) -> String {
        match self {
            Encoding::Hex => HEXLOWER.encode(octets),
            Encoding::UpperHex => HEXUPPER.encode(octets),
            Encoding::Base64 => BASE64.encode(octets),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
}

impl Hash {
    pub fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Hash::Md5 => Md5::digest(octets).to_vec(),
            Hash::Sha1 => Sha1::digest(octets).to_vec(),
            Hash::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    pub fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        match self {
            Hash::Md5 => mac::<Hmac<Md5>>(key, octets),
            Hash::Sha1 => mac::<Hmac<Sha1>>(key, octets),
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, octets),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], octets: &[u8]) -> Vec<u8> {
    // HMAC accepts keys of any length; the error type belongs to other MACs of the same trait.
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(octets);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standards() {
        // RFC 1321, A.5; FIPS 180-2, A.1 and B.1; RFC 2202, 2 and 3; RFC 4231, 4.3.
        let what = b"what do ya want for nothing?";
        for (octets, expected) in [
            (Hash::Md5.digest(b"abc"), "900150983cd24fb0d6963f7d28e17f72"),
            (Hash::Sha1.digest(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Hash::Sha256.digest(b"abc"),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (Hash::Md5.hmac(b"Jefe", what), "750c783e6ab0b503eaa86e310a5db738"),
            (Hash::Sha1.hmac(b"Jefe", what), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Hash::Sha256.hmac(b"Jefe", what),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            assert_eq!(Encoding::Hex.encode(&octets), expected);
            assert_eq!(Encoding::UpperHex.encode(&octets), expected.to_uppercase());
        }
        assert_eq!(Encoding::Base64.encode(b"ab?"), "YWI/");
    }
}
