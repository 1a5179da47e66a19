//! Versions of what several people or programs change: who writes says which version it is written
//! over, so that nobody's change is lost unseen (RFC 9110, section 13).
//!
//! A version is a hash of what is stored. It is compared in the transaction that writes, under a
//! lock on the thing's name ([`hold`]), so that of two writers at once one is refused.

use serde::Serialize;

use crate::adapters::crypto::sha256_hex;
use crate::adapters::database::{DatabaseError, WriteTx};

/// The version that a change expects to find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever it is: the command line, which shows what it changes.
    #[default]
    Any,
    /// None: the change creates it.
    Absent,
    /// Any, but it must exist.
    Present,
    /// One of these.
    OneOf(Vec<String>),
}

/// The change is refused; nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "version.", serialize_all = "snake_case")]
pub enum VersionConflict {
    #[error("somebody else has changed it meanwhile; look at it again, and change that")]
    Changed { current: String },
    #[error("it exists already; look at it, and change that")]
    Exists { current: String },
    #[error("it does not exist any more, or not yet")]
    Missing,
}

impl VersionConflict {
    /// Returns the version that there is.
    pub fn current(&self) -> Option<&str> {
        match self {
            VersionConflict::Changed { current } | VersionConflict::Exists { current } => {
                Some(current)
            }
            VersionConflict::Missing => None,
        }
    }
}

impl ExpectedVersion {
    /// Compares with the version that there is; `None`: there is none.
    pub fn check(&self, current: Option<String>) -> Result<(), VersionConflict> {
        match (self, current) {
            (ExpectedVersion::Any, _) | (ExpectedVersion::Absent, None) => Ok(()),
            (ExpectedVersion::Present, Some(_)) => Ok(()),
            (ExpectedVersion::OneOf(known), Some(current)) if known.contains(&current) => Ok(()),
            (ExpectedVersion::Absent, Some(current)) => Err(VersionConflict::Exists { current }),
            (ExpectedVersion::OneOf(_), Some(current)) => Err(VersionConflict::Changed { current }),
            (ExpectedVersion::Present | ExpectedVersion::OneOf(_), None) => {
                Err(VersionConflict::Missing)
            }
        }
    }
}

/// Returns the version of a state.
pub fn version_of(state: &impl Serialize) -> String {
    match serde_json::to_vec(state) {
        Ok(json) => sha256_hex(&json)[..24].to_owned(),
        // What cannot be written down is equal to nothing.
        Err(error) => format!("none: {error}").replace(['"', ','], " "),
    }
}

/// Holds a name (`draft D1`) to the end of the transaction: other writers of it wait.
pub async fn hold(tx: &mut WriteTx, kind: &str, name: &str) -> Result<(), DatabaseError> {
    let hash = sha256_hex(format!("{kind} {name}").as_bytes());
    // Fifteen hexadecimal digits are a positive number of 64 bits.
    tx.hold_number(i64::from_str_radix(&hash[..15], 16).unwrap_or_default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_over_the_version_that_it_names() {
        let current = || Some("v2".to_owned());
        let changed = VersionConflict::Changed { current: "v2".into() };
        let exists = VersionConflict::Exists { current: "v2".into() };
        let of = |known: &[&str]| {
            ExpectedVersion::OneOf(known.iter().map(|version| (*version).to_owned()).collect())
        };
        for (expected, with, without) in [
            (ExpectedVersion::Any, Ok(()), Ok(())),
            (ExpectedVersion::Absent, Err(exists), Ok(())),
            (ExpectedVersion::Present, Ok(()), Err(VersionConflict::Missing)),
            (of(&["v1", "v2"]), Ok(()), Err(VersionConflict::Missing)),
            (of(&["v1"]), Err(changed), Err(VersionConflict::Missing)),
        ] {
            assert_eq!(expected.check(current()), with, "{expected:?}");
            assert_eq!(expected.check(None), without, "{expected:?}");
        }
    }
}
