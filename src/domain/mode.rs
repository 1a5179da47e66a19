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
    /// A paper form, which the respondent fills in and staff key in.
    Paper,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Web, Mode::Telephone, Mode::Sms, Mode::Paper];

    pub fn parse(raw: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == raw)
    }

    /// Returns whether the time that respondents take is known: not by SMS, where nobody knows when
    /// a question was read, nor on paper.
    pub fn is_timed(self) -> bool {
        matches!(self, Mode::Web | Mode::Telephone)
    }

    /// Its name in Chinese and English, as a way of answering.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Mode::Web => ("网页", "web"),
            Mode::Sms => ("短信问答", "SMS"),
            Mode::Telephone => ("电话", "telephone"),
            Mode::Paper => ("纸质问卷", "paper"),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Web => "web",
            Mode::Telephone => "telephone",
            Mode::Sms => "sms",
            Mode::Paper => "paper",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
