//! Final dispositions of the AAPOR Standard Definitions that occur in fieldwork by SMS, web,
//! telephone and paper.

use std::fmt;

/// The disposition of a case. A case has exactly one at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// 1.1: every required item answered.
    Complete,
    /// 1.2: all core items answered, not finished when the field closed.
    Partial,
    /// 2.11: reluctant towards an interviewer; may be asked once more.
    SoftRefusal,
    /// 2.112: refused by the respondent (opt-out reply, «refuse» on the page, refusal to an
    /// interviewer).
    Refusal,
    /// 2.111: somebody else refuses for the person, by telephone.
    RefusalByOther,
    /// 2.1121: had refused before the launch, and was not contacted.
    RefusedBefore,
    /// 2.1122: refused elsewhere while the campaign ran; staff entered it.
    RefusedElsewhere,
    /// 2.113: an empty paper form came back, an implicit refusal.
    BlankReturned,
    /// 2.12: started, too few answers.
    BreakOff,
    /// 2.121 (ours): agreed and began, and answered nothing until the field closed: an implicit
    /// refusal.
    NothingAnswered,
    /// 2.20: delivered, never opened.
    NonContact,
    /// 2.21: reached by telephone, never at a suitable time.
    NeverAvailable,
    /// 2.22: a machine or another person answered the telephone.
    MessageLeft,
    /// 2.31.
    Deceased,
    /// 2.32: physically or mentally unable.
    Unable,
    /// 2.33: speaks no language of the interviewers.
    LanguageBarrier,
    /// 2.36: reached and eligible, no interview for another reason.
    OtherNonInterview,
    /// 2.361: answered, and excluded by staff, as somebody else answered or nobody meant it.
    Excluded,
    /// 3.11: never attempted.
    NotAttempted,
    /// 3.111: no mode of the plan reaches the person: a fixed line, and nobody calls.
    NotCovered,
    /// 3.12: the telephone was busy.
    Busy,
    /// 3.13: nobody answered the telephone.
    NoAnswer,
    /// 3.19: accepted by a gateway, no further information.
    NothingHeard,
    /// 3.30: a gateway or carrier says for good that the number takes no messages, or the number is
    /// known to be invalid.
    Undeliverable,
    /// 3.31: the number does not exist.
    NonWorkingNumber,
    /// 3.32: the number was given up.
    Disconnected,
    /// 3.33: the number was out of service.
    OutOfService,
    /// 3.34: the number belongs to somebody else.
    WrongNumber,
    /// 4.1: not a user of the subject.
    NotEligible,
    /// 4.8: turned away by the page or the interviewer because the cell was full.
    QuotaFilled,
}

/// The groups from which outcome rates are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeGroup {
    Complete,
    Partial,
    RefusalOrBreakOff,
    NonContact,
    /// Eligible and reached, without an interview for a reason other than a refusal.
    Other,
    UnknownEligibility,
    /// Out of the sample, by what screening found.
    NotEligible,
    /// The cell was full. Nothing was found about eligibility.
    TurnedAway,
}

impl OutcomeGroup {
    /// Returns the name of the group in documents, by the letters of the Standard Definitions.
    pub fn name(self) -> &'static str {
        match self {
            OutcomeGroup::Complete => "I",
            OutcomeGroup::Partial => "P",
            OutcomeGroup::RefusalOrBreakOff => "R",
            OutcomeGroup::NonContact => "NC",
            OutcomeGroup::Other => "O",
            OutcomeGroup::UnknownEligibility => "UO",
            OutcomeGroup::NotEligible => "not eligible",
            OutcomeGroup::TurnedAway => "turned away",
        }
    }
}

impl Disposition {
    pub const ALL: [Disposition; 30] = [
        Disposition::Complete,
        Disposition::Partial,
        Disposition::SoftRefusal,
        Disposition::RefusalByOther,
        Disposition::Refusal,
        Disposition::RefusedBefore,
        Disposition::RefusedElsewhere,
        Disposition::BlankReturned,
        Disposition::BreakOff,
        Disposition::NothingAnswered,
        Disposition::NonContact,
        Disposition::NeverAvailable,
        Disposition::MessageLeft,
        Disposition::Deceased,
        Disposition::Unable,
        Disposition::LanguageBarrier,
        Disposition::OtherNonInterview,
        Disposition::Excluded,
        Disposition::NotAttempted,
        Disposition::NotCovered,
        Disposition::Busy,
        Disposition::NoAnswer,
        Disposition::NothingHeard,
        Disposition::Undeliverable,
        Disposition::NonWorkingNumber,
        Disposition::Disconnected,
        Disposition::OutOfService,
        Disposition::WrongNumber,
        Disposition::NotEligible,
        Disposition::QuotaFilled,
    ];

    /// Returns the label of reports in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Disposition::Complete => ("完成", "complete"),
            Disposition::Partial => ("部分完成", "partial"),
            Disposition::SoftRefusal => ("婉拒（可再联系）", "soft refusal"),
            Disposition::RefusalByOther => ("他人代为拒绝", "refusal by somebody else"),
            Disposition::Refusal => ("本人拒绝", "refusal by the respondent"),
            Disposition::RefusedBefore => ("此前已拒绝", "had refused before"),
            Disposition::RefusedElsewhere => ("另行表示拒绝", "refused elsewhere"),
            Disposition::BlankReturned => ("空白退回", "blank form returned"),
            Disposition::BreakOff => ("中途放弃", "break-off"),
            Disposition::NothingAnswered => ("开始后未作答", "began, answered nothing"),
            Disposition::NonContact => ("未打开", "non-contact"),
            Disposition::NeverAvailable => ("联系上未访成", "never available"),
            Disposition::MessageLeft => ("留言", "message left"),
            Disposition::Deceased => ("已故", "deceased"),
            Disposition::Unable => ("无法作答", "unable"),
            Disposition::LanguageBarrier => ("语言不通", "language barrier"),
            Disposition::OtherNonInterview => ("其他原因未访成", "other non-interview"),
            Disposition::Excluded => ("核实后剔除", "excluded"),
            Disposition::NotAttempted => ("未联系", "not attempted"),
            Disposition::NotCovered => ("联系方式不覆盖", "not covered by any mode"),
            Disposition::Busy => ("占线", "busy"),
            Disposition::NoAnswer => ("无人接听", "no answer"),
            Disposition::NothingHeard => ("无回音", "nothing ever heard"),
            Disposition::Undeliverable => ("无法送达", "undeliverable"),
            Disposition::NonWorkingNumber => ("空号", "non-working number"),
            Disposition::Disconnected => ("已销号", "disconnected"),
            Disposition::OutOfService => ("停机", "out of service"),
            Disposition::WrongNumber => ("号码非本人", "wrong number"),
            Disposition::NotEligible => ("非用户", "not eligible"),
            Disposition::QuotaFilled => ("配额已满", "quota filled"),
        }
    }

    /// Returns the AAPOR number.
    pub fn code(self) -> &'static str {
        match self {
            Disposition::Complete => "1.1",
            Disposition::Partial => "1.2",
            Disposition::SoftRefusal => "2.11",
            Disposition::RefusalByOther => "2.111",
            Disposition::Refusal => "2.112",
            Disposition::RefusedBefore => "2.1121",
            Disposition::RefusedElsewhere => "2.1122",
            Disposition::BlankReturned => "2.113",
            Disposition::BreakOff => "2.12",
            Disposition::NothingAnswered => "2.121",
            Disposition::NonContact => "2.20",
            Disposition::NeverAvailable => "2.21",
            Disposition::MessageLeft => "2.22",
            Disposition::Deceased => "2.31",
            Disposition::Unable => "2.32",
            Disposition::LanguageBarrier => "2.33",
            Disposition::OtherNonInterview => "2.36",
            Disposition::Excluded => "2.361",
            Disposition::NotAttempted => "3.11",
            Disposition::NotCovered => "3.111",
            Disposition::Busy => "3.12",
            Disposition::NoAnswer => "3.13",
            Disposition::NothingHeard => "3.19",
            Disposition::Undeliverable => "3.30",
            Disposition::NonWorkingNumber => "3.31",
            Disposition::Disconnected => "3.32",
            Disposition::OutOfService => "3.33",
            Disposition::WrongNumber => "3.34",
            Disposition::NotEligible => "4.1",
            Disposition::QuotaFilled => "4.8",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Disposition::Complete => "complete",
            Disposition::Partial => "partial",
            Disposition::SoftRefusal => "soft_refusal",
            Disposition::RefusalByOther => "refusal_by_other",
            Disposition::Refusal => "refusal",
            Disposition::RefusedBefore => "refused_before",
            Disposition::RefusedElsewhere => "refused_elsewhere",
            Disposition::BlankReturned => "blank_returned",
            Disposition::BreakOff => "break_off",
            Disposition::NothingAnswered => "nothing_answered",
            Disposition::NonContact => "non_contact",
            Disposition::NeverAvailable => "never_available",
            Disposition::MessageLeft => "message_left",
            Disposition::Deceased => "deceased",
            Disposition::Unable => "unable",
            Disposition::LanguageBarrier => "language_barrier",
            Disposition::OtherNonInterview => "other_non_interview",
            Disposition::Excluded => "excluded",
            Disposition::NotAttempted => "not_attempted",
            Disposition::NotCovered => "not_covered",
            Disposition::Busy => "busy",
            Disposition::NoAnswer => "no_answer",
            Disposition::NothingHeard => "nothing_heard",
            Disposition::Undeliverable => "undeliverable",
            Disposition::NonWorkingNumber => "non_working_number",
            Disposition::Disconnected => "disconnected",
            Disposition::OutOfService => "out_of_service",
            Disposition::WrongNumber => "wrong_number",
            Disposition::NotEligible => "not_eligible",
            Disposition::QuotaFilled => "quota_filled",
        }
    }

    pub fn from_code(code: &str) -> Option<Disposition> {
        Disposition::ALL.into_iter().find(|d| d.code() == code)
    }

    /// Returns whether the case is closed: it is not contacted again and takes no more answers.
    pub fn is_final(self) -> bool {
        !Disposition::OPEN.contains(&self)
    }

    /// Dispositions of open cases, by how much is known of the person. The result of a further
    /// contact replaces those that say no more than it does. A number that reaches nobody says
    /// nothing of the person, who may still come by the link.
    pub const OPEN: [Disposition; 15] = [
        Disposition::NotAttempted,
        Disposition::NotCovered,
        Disposition::NothingHeard,
        Disposition::NoAnswer,
        Disposition::Busy,
        Disposition::OutOfService,
        Disposition::Undeliverable,
        Disposition::NonWorkingNumber,
        Disposition::Disconnected,
        Disposition::NonContact,
        Disposition::MessageLeft,
        // What was delivered, or left with somebody, reached another person.
        Disposition::WrongNumber,
        Disposition::NeverAvailable,
        Disposition::SoftRefusal,
        Disposition::BreakOff,
    ];

    /// Those that end the contacts: further ones would reach nobody either.
    const DEAD_NUMBER: [Disposition; 4] = [
        Disposition::Undeliverable,
        Disposition::NonWorkingNumber,
        Disposition::Disconnected,
        Disposition::WrongNumber,
    ];

    /// Returns whether further contacts to the number would reach nobody, or somebody else.
    pub fn is_dead_number(self) -> bool {
        Disposition::DEAD_NUMBER.contains(&self)
    }

    /// Returns the dispositions of open cases that this one replaces. Among those without any
    /// reaction of the person the later one wins; a final one replaces all.
    pub fn replaces(self) -> Vec<Disposition> {
        let unheard = &Disposition::OPEN[3..9];
        let known = |other: Disposition| {
            if unheard.contains(&other) {
                2
            } else {
                Disposition::OPEN.iter().position(|open| *open == other).unwrap_or(usize::MAX)
            }
        };
        Disposition::OPEN
            .into_iter()
            .filter(|open| self.is_final() || (known(*open) <= known(self) && *open != self))
            .collect()
    }

    /// Returns whether it ends the contacts by itself, caused by the person or the number, and
    /// without an interview.
    pub fn is_dropout(self) -> bool {
        self.is_dead_number()
            || self.is_final()
                && !matches!(
                    self,
                    Disposition::Complete | Disposition::Partial | Disposition::QuotaFilled
                )
    }

    pub fn group(self) -> OutcomeGroup {
        match self {
            Disposition::Complete => OutcomeGroup::Complete,
            Disposition::Partial => OutcomeGroup::Partial,
            Disposition::SoftRefusal
            | Disposition::RefusalByOther
            | Disposition::Refusal
            | Disposition::RefusedBefore
            | Disposition::RefusedElsewhere
            | Disposition::BlankReturned
            | Disposition::BreakOff
            | Disposition::NothingAnswered => OutcomeGroup::RefusalOrBreakOff,
            Disposition::NonContact | Disposition::NeverAvailable | Disposition::MessageLeft => {
                OutcomeGroup::NonContact
            }
            Disposition::Deceased
            | Disposition::Unable
            | Disposition::LanguageBarrier
            | Disposition::OtherNonInterview
            | Disposition::Excluded => OutcomeGroup::Other,
            Disposition::NotAttempted
            | Disposition::NotCovered
            | Disposition::Busy
            | Disposition::NoAnswer
            | Disposition::NothingHeard
            | Disposition::Undeliverable
            | Disposition::NonWorkingNumber
            | Disposition::Disconnected
            | Disposition::OutOfService
            | Disposition::WrongNumber => OutcomeGroup::UnknownEligibility,
            Disposition::NotEligible => OutcomeGroup::NotEligible,
            Disposition::QuotaFilled => OutcomeGroup::TurnedAway,
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_person_is_never_forgotten_by_a_call_that_says_less() {
        assert!(!Disposition::NoAnswer.replaces().contains(&Disposition::SoftRefusal));
        assert!(
            !Disposition::Busy.replaces().contains(&Disposition::NonContact),
            "a message was delivered"
        );
        assert!(
            Disposition::Busy.replaces().contains(&Disposition::NoAnswer)
                && Disposition::NoAnswer.replaces().contains(&Disposition::Busy)
        );
        assert!(Disposition::SoftRefusal.replaces().contains(&Disposition::NeverAvailable));
        // A dead number takes nothing back that another contact has shown, and is taken back by one.
        for dead in Disposition::DEAD_NUMBER {
            assert!(dead.replaces().contains(&Disposition::NothingHeard) && !dead.is_final());
            assert!(!dead.replaces().contains(&Disposition::BreakOff));
            assert!(Disposition::BreakOff.replaces().contains(&dead));
        }
        assert!(!Disposition::Disconnected.replaces().contains(&Disposition::NonContact));
        assert!(Disposition::NonContact.replaces().contains(&Disposition::Undeliverable));
        assert!(Disposition::WrongNumber.replaces().contains(&Disposition::NonContact));
        assert!(!Disposition::NonContact.replaces().contains(&Disposition::WrongNumber));
        assert_eq!(Disposition::Refusal.replaces(), Disposition::OPEN);
        assert!(Disposition::ALL.iter().all(|d| Disposition::from_code(d.code()) == Some(*d)
            && d.is_final() != Disposition::OPEN.contains(d)));
    }
}
