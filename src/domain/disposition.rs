//! Final dispositions of the AAPOR Standard Definitions, as far as SMS and web fieldwork meets them.

use std::fmt;

/// What has become of a case. A case has exactly one at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// 1.1: every required item answered.
    Complete,
    /// 1.2: all core items answered, not finished when the field closed.
    Partial,
    /// 2.112: refused by the respondent itself (opt-out reply, «refuse» on the page).
    Refusal,
    /// 2.12: started, too little answered.
    BreakOff,
    /// 2.20: delivered, never opened.
    NonContact,
    /// 3.11: never worked.
    NotAttempted,
    /// 3.19: accepted by a gateway, nothing ever heard.
    NothingHeard,
    /// 4.1: not a user of the subject.
    NotEligible,
    /// 4.31: the number does not work.
    NonWorkingNumber,
    /// 4.8: the cell was full before this case was finished.
    QuotaFilled,
}

/// The groups that outcome rates are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeGroup {
    Complete,
    Partial,
    RefusalOrBreakOff,
    NonContact,
    UnknownEligibility,
    NotEligible,
}

impl Disposition {
    pub const ALL: [Disposition; 10] = [
        Disposition::Complete,
        Disposition::Partial,
        Disposition::Refusal,
        Disposition::BreakOff,
        Disposition::NonContact,
        Disposition::NotAttempted,
        Disposition::NothingHeard,
        Disposition::NotEligible,
        Disposition::NonWorkingNumber,
        Disposition::QuotaFilled,
    ];

    /// As reports name it, in Chinese and English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Disposition::Complete => ("完成", "complete"),
            Disposition::Partial => ("部分完成", "partial"),
            Disposition::Refusal => ("本人拒绝", "refusal by the respondent"),
            Disposition::BreakOff => ("中途放弃", "break-off"),
            Disposition::NonContact => ("未打开", "non-contact"),
            Disposition::NotAttempted => ("未联系", "not attempted"),
            Disposition::NothingHeard => ("无回音", "nothing ever heard"),
            Disposition::NotEligible => ("非用户", "not eligible"),
            Disposition::NonWorkingNumber => ("号码无效", "non-working number"),
            Disposition::QuotaFilled => ("配额已满", "quota filled"),
        }
    }

    /// The AAPOR number.
    pub fn code(self) -> &'static str {
        match self {
            Disposition::Complete => "1.1",
            Disposition::Partial => "1.2",
            Disposition::Refusal => "2.112",
            Disposition::BreakOff => "2.12",
            Disposition::NonContact => "2.20",
            Disposition::NotAttempted => "3.11",
            Disposition::NothingHeard => "3.19",
            Disposition::NotEligible => "4.1",
            Disposition::NonWorkingNumber => "4.31",
            Disposition::QuotaFilled => "4.8",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Disposition::Complete => "complete",
            Disposition::Partial => "partial",
            Disposition::Refusal => "refusal",
            Disposition::BreakOff => "break_off",
            Disposition::NonContact => "non_contact",
            Disposition::NotAttempted => "not_attempted",
            Disposition::NothingHeard => "nothing_heard",
            Disposition::NotEligible => "not_eligible",
            Disposition::NonWorkingNumber => "non_working_number",
            Disposition::QuotaFilled => "quota_filled",
        }
    }

    pub fn from_code(code: &str) -> Option<Disposition> {
        Disposition::ALL.into_iter().find(|d| d.code() == code)
    }

    /// A case with such a disposition is not contacted again and takes no more answers.
    pub fn is_final(self) -> bool {
        !matches!(self, Disposition::NotAttempted | Disposition::NothingHeard | Disposition::NonContact | Disposition::BreakOff)
    }

    pub fn group(self) -> OutcomeGroup {
        match self {
            Disposition::Complete => OutcomeGroup::Complete,
            Disposition::Partial => OutcomeGroup::Partial,
            Disposition::Refusal | Disposition::BreakOff => OutcomeGroup::RefusalOrBreakOff,
            Disposition::NonContact => OutcomeGroup::NonContact,
            Disposition::NotAttempted | Disposition::NothingHeard => OutcomeGroup::UnknownEligibility,
            Disposition::NotEligible | Disposition::NonWorkingNumber | Disposition::QuotaFilled => OutcomeGroup::NotEligible,
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}
