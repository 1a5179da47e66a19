//! The modes of contact and of answering.

use std::fmt;

/// The mode of a contact or of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The page behind the personal link.
    Web,
    /// An interview by telephone.
    Telephone,
    /// By SMS.
    Sms,
}

impl Mode {
    pub fn parse(raw: &str) -> Option<Mode> {
        [Mode::Web, Mode::Telephone, Mode::Sms].into_iter().find(|mode| mode.as_str() == raw)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Web => "web",
            Mode::Telephone => "telephone",
            Mode::Sms => "sms",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
