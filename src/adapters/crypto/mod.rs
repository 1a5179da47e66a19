//! Sealing and hashing (invariant I7).
//!
//! Personal columns are sealed with a key per applicant and programme ([`Sealer`]); numbers and
//! links are found by keyed hash ([`Hasher`]). A [`KeyRing`] stores the keys beside the database,
//! never in it: a copied database reveals nothing, and destroying a key is the purge. This module
//! does not read the database.

mod hasher;
mod keyring;
pub mod password;
mod sealer;
mod signer;
pub mod totp;

pub use hasher::Hasher;
pub use hasher::{Sha256Stream, invitation_of_reference, sha256, sha256_hex};
pub use keyring::{KeyRing, KeyRingError};
pub use sealer::{SealError, Sealer};
pub use signer::{PublicKey, Signer};
