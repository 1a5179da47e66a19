//! Why a number is not contacted.

use super::disposition::Disposition;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuppressionReason {
    /// The person does not want it (PIPL art. 15).
    OptOut,
    /// The person has complained, to us, the carrier or an authority.
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

    /// Reads a reason as it is stored, or as staff write it in a list.
    pub fn parse(raw: &str) -> Option<SuppressionReason> {
        match raw.trim().to_lowercase().replace(['-', ' '], "_").as_str() {
            "opt_out" | "optout" | "退订" | "拒收" => Some(SuppressionReason::OptOut),
            "complaint" | "投诉" => Some(SuppressionReason::Complaint),
            "invalid" | "空号" | "错号" => Some(SuppressionReason::Invalid),
            _ => None,
        }
    }

    /// How the open cases of the number end.
    pub fn disposition(self) -> Disposition {
        match self {
            SuppressionReason::OptOut | SuppressionReason::Complaint => Disposition::Refusal,
            SuppressionReason::Invalid => Disposition::NonWorkingNumber,
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
