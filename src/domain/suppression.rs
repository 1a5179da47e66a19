//! The reasons for suppressing a number.

use super::disposition::Disposition;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuppressionReason {
    /// The person opted out (PIPL art. 15).
    OptOut,
    /// The person complained, to us, the carrier or an authority.
    Complaint,
    /// The number is not in service, or belongs to somebody else.
    Invalid,
}

impl SuppressionReason {
    pub const ALL: [SuppressionReason; 3] =
        [SuppressionReason::OptOut, SuppressionReason::Complaint, SuppressionReason::Invalid];

    pub fn as_str(self) -> &'static str {
        match self {
            SuppressionReason::OptOut => "opt_out",
            SuppressionReason::Complaint => "complaint",
            SuppressionReason::Invalid => "invalid",
        }
    }

    /// Parses a reason as stored or as written by staff in a list.
    pub fn parse(raw: &str) -> Option<SuppressionReason> {
        match raw.trim().to_lowercase().replace(['-', ' '], "_").as_str() {
            "opt_out" | "optout" | "退订" | "拒收" => Some(SuppressionReason::OptOut),
            "complaint" | "投诉" => Some(SuppressionReason::Complaint),
            "invalid" | "空号" | "错号" => Some(SuppressionReason::Invalid),
            _ => None,
        }
    }

    /// Returns the disposition of the number's open cases.
    pub fn disposition(self) -> Disposition {
        match self {
            SuppressionReason::OptOut | SuppressionReason::Complaint => Disposition::Refusal,
            SuppressionReason::Invalid => Disposition::Undeliverable,
        }
    }

    /// Returns the disposition of the cases of a number that was suppressed before they were
    /// launched.
    pub fn disposition_before_launch(self) -> Disposition {
        match self.disposition() {
            Disposition::Refusal => Disposition::RefusedBefore,
            other => other,
        }
    }

    /// Returns the disposition of the open cases of a number that staff suppress: what the person
    /// said, was not said to them.
    pub fn disposition_told_elsewhere(self) -> Disposition {
        match self.disposition() {
            Disposition::Refusal => Disposition::RefusedElsewhere,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_as_they_are_written() {
        for reason in SuppressionReason::ALL {
            assert_eq!(SuppressionReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(SuppressionReason::parse(" Opt-out "), Some(SuppressionReason::OptOut));
        assert_eq!(SuppressionReason::parse("whim"), None);
    }
}
