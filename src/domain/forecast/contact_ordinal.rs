//! The ordinal of a contact within its mode, by which contacts of different plans are compared.

use std::collections::HashMap;

use crate::domain::mode::Mode;

/// The first, second, … contact in its mode (from 0): a call after two messages is the first call
/// in any plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactOrdinal {
    pub mode: Mode,
    pub index: usize,
}

impl ContactOrdinal {
    /// Returns the ordinals of a plan's steps with these modes.
    pub fn of_plan(modes: impl IntoIterator<Item = Mode>) -> Vec<ContactOrdinal> {
        let mut so_far: HashMap<Mode, usize> = HashMap::new();
        let ordinal = |mode| {
            let count = so_far.entry(mode).or_default();
            *count += 1;
            ContactOrdinal { mode, index: *count - 1 }
        };
        modes.into_iter().map(ordinal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_counts_its_own() {
        let ordinals = ContactOrdinal::of_plan([Mode::Sms, Mode::Sms, Mode::Telephone, Mode::Sms]);
        assert_eq!(ordinals.iter().map(|ordinal| ordinal.index).collect::<Vec<_>>(), [0, 1, 0, 2]);
    }
}
