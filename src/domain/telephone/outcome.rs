//! The outcomes of calls, and the AAPOR disposition of each (Standard Definitions, telephone
//! surveys).

use crate::domain::disposition::Disposition;

/// The outcome of a call, as recorded by the interviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallOutcome {
    /// All questions are answered; the answers determine the dispositions of the cases.
    Interviewed,
    /// 3.12.
    Busy,
    /// 3.13: it rang and nobody answered.
    NoAnswer,
    /// 3.13: an announcement says that the telephone is switched off or out of coverage. It says
    /// nothing of the number for good.
    Unreachable,
    /// 2.22: a machine answered, or a person who takes a message.
    MessageLeft,
    /// 2.21: reached; another time was agreed.
    CallBack,
    /// The respondent prefers the link by SMS, which is sent.
    LinkSent,
    /// The respondent continued alone on the web during the call.
    LeftToWeb,
    /// 2.11: reluctant; somebody else may ask once more.
    SoftRefusal,
    /// 2.11: whoever picked up hung up before it was said what the call is about.
    HungUp,
    /// 2.112: no further contact.
    HardRefusal,
    /// 2.111: somebody else refuses for the person; no further call.
    RefusedByOther,
    /// 3.34: the number belongs to somebody who does not know the person.
    WrongNumber,
    /// 3.31.
    NonWorking,
    /// 3.32.
    Disconnected,
    /// 3.33: temporarily out of service.
    OutOfService,
    /// 3.33: the line takes no calls from outside for now.
    Barred,
    /// 3.30: a fax machine or a modem answered.
    Fax,
    /// 2.31.
    Deceased,
    /// 2.32: physically or mentally unable.
    Unable,
    /// 2.33: no interviewer speaks the respondent's language.
    Language,
    /// 2.36: reached, and no interview for a reason that none of the others names.
    Other,
    /// Not dialled: not an attempt.
    NotDialled,
    /// The interviewer's page was lost before an outcome was recorded.
    Lost,
}

impl CallOutcome {
    pub const ALL: [CallOutcome; 24] = [
        CallOutcome::Interviewed,
        CallOutcome::Busy,
        CallOutcome::NoAnswer,
        CallOutcome::Unreachable,
        CallOutcome::MessageLeft,
        CallOutcome::CallBack,
        CallOutcome::LinkSent,
        CallOutcome::LeftToWeb,
        CallOutcome::SoftRefusal,
        CallOutcome::HungUp,
        CallOutcome::HardRefusal,
        CallOutcome::RefusedByOther,
        CallOutcome::WrongNumber,
        CallOutcome::NonWorking,
        CallOutcome::Disconnected,
        CallOutcome::OutOfService,
        CallOutcome::Barred,
        CallOutcome::Fax,
        CallOutcome::Deceased,
        CallOutcome::Unable,
        CallOutcome::Language,
        CallOutcome::Other,
        CallOutcome::NotDialled,
        CallOutcome::Lost,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            CallOutcome::Interviewed => "interviewed",
            CallOutcome::Busy => "busy",
            CallOutcome::NoAnswer => "no_answer",
            CallOutcome::Unreachable => "unreachable",
            CallOutcome::MessageLeft => "message_left",
            CallOutcome::CallBack => "call_back",
            CallOutcome::LinkSent => "link_sent",
            CallOutcome::LeftToWeb => "left_to_web",
            CallOutcome::SoftRefusal => "soft_refusal",
            CallOutcome::HungUp => "hung_up",
            CallOutcome::HardRefusal => "hard_refusal",
            CallOutcome::RefusedByOther => "refused_by_other",
            CallOutcome::WrongNumber => "wrong_number",
            CallOutcome::NonWorking => "non_working",
            CallOutcome::Disconnected => "disconnected",
            CallOutcome::OutOfService => "out_of_service",
            CallOutcome::Barred => "barred",
            CallOutcome::Fax => "fax",
            CallOutcome::Deceased => "deceased",
            CallOutcome::Unable => "unable",
            CallOutcome::Language => "language",
            CallOutcome::Other => "other",
            CallOutcome::NotDialled => "not_dialled",
            CallOutcome::Lost => "lost",
        }
    }

    pub fn parse(raw: &str) -> Option<CallOutcome> {
        CallOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == raw)
    }

    /// Returns the label of pages in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            CallOutcome::Interviewed => ("访问完成", "interviewed"),
            CallOutcome::Busy => ("占线", "busy"),
            CallOutcome::NoAnswer => ("无人接听", "no answer"),
            CallOutcome::Unreachable => ("关机或不在服务区", "switched off or no coverage"),
            CallOutcome::MessageLeft => ("语音信箱或他人代接", "machine, or a message was left"),
            CallOutcome::CallBack => ("约时间再打", "call back"),
            CallOutcome::LinkSent => ("改发短信链接", "wants the link by SMS"),
            CallOutcome::LeftToWeb => ("转网上填写", "goes on alone on the web"),
            CallOutcome::SoftRefusal => ("婉拒（可再联系）", "would rather not"),
            CallOutcome::HungUp => ("接通即挂断", "hung up at once"),
            CallOutcome::HardRefusal => ("拒绝，勿再联系", "refuses, never again"),
            CallOutcome::RefusedByOther => ("他人代为拒绝", "somebody else refuses"),
            CallOutcome::WrongNumber => ("号码不是本人", "wrong number"),
            CallOutcome::NonWorking => ("空号", "non-working number"),
            CallOutcome::Disconnected => ("已销号", "disconnected"),
            CallOutcome::OutOfService => ("停机", "out of service for a time"),
            CallOutcome::Barred => ("限制呼入", "incoming calls barred"),
            CallOutcome::Fax => ("传真或数据线路", "fax or modem"),
            CallOutcome::Deceased => ("本人已故", "deceased"),
            CallOutcome::Unable => ("无法作答", "unable to answer"),
            CallOutcome::Language => ("语言不通", "language"),
            CallOutcome::Other => ("其他原因未访成", "no interview for another reason"),
            CallOutcome::NotDialled => ("未拨打", "not dialled"),
            CallOutcome::Lost => ("页面中断", "page lost"),
        }
    }

    /// Returns the new disposition of the open cases; `None` if it does not change.
    pub fn disposition(self) -> Option<Disposition> {
        match self {
            CallOutcome::Busy => Some(Disposition::Busy),
            CallOutcome::NoAnswer | CallOutcome::Unreachable => Some(Disposition::NoAnswer),
            CallOutcome::MessageLeft => Some(Disposition::MessageLeft),
            CallOutcome::CallBack | CallOutcome::LinkSent | CallOutcome::LeftToWeb => {
                Some(Disposition::NeverAvailable)
            }
            CallOutcome::SoftRefusal | CallOutcome::HungUp => Some(Disposition::SoftRefusal),
            CallOutcome::HardRefusal => Some(Disposition::Refusal),
            CallOutcome::RefusedByOther => Some(Disposition::RefusalByOther),
            CallOutcome::WrongNumber => Some(Disposition::WrongNumber),
            CallOutcome::NonWorking => Some(Disposition::NonWorkingNumber),
            CallOutcome::Disconnected => Some(Disposition::Disconnected),
            CallOutcome::OutOfService | CallOutcome::Barred => Some(Disposition::OutOfService),
            CallOutcome::Fax => Some(Disposition::Undeliverable),
            CallOutcome::Deceased => Some(Disposition::Deceased),
            CallOutcome::Unable => Some(Disposition::Unable),
            CallOutcome::Language => Some(Disposition::LanguageBarrier),
            CallOutcome::Other => Some(Disposition::OtherNonInterview),
            CallOutcome::Interviewed | CallOutcome::NotDialled | CallOutcome::Lost => None,
        }
    }

    /// Returns whether the number that was dialled does not reach the person, for good. Another number of the
    /// person may.
    pub fn is_dead_number(self) -> bool {
        matches!(
            self,
            CallOutcome::NonWorking
                | CallOutcome::Disconnected
                | CallOutcome::Fax
                | CallOutcome::WrongNumber
        )
    }

    /// Returns whether somebody else may ask once more.
    pub fn is_soft_refusal(self) -> bool {
        matches!(self, CallOutcome::SoftRefusal | CallOutcome::HungUp)
    }

    /// Returns whether it counts as an attempt: the number was dialled.
    pub fn is_attempt(self) -> bool {
        !matches!(self, CallOutcome::NotDialled | CallOutcome::Lost)
    }

    /// Returns whether a person was reached. Such a call counts as a contact for the caps.
    pub fn is_reached(self) -> bool {
        use CallOutcome::*;
        matches!(
            self,
            Interviewed
                | CallBack
                | LinkSent
                | LeftToWeb
                | SoftRefusal
                | HungUp
                | HardRefusal
                | RefusedByOther
                | WrongNumber
                | Deceased
                | Unable
                | Language
                | Other
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_as_they_are_written_and_stand_for_the_codes_of_the_standard() {
        for outcome in CallOutcome::ALL {
            assert_eq!(CallOutcome::parse(outcome.as_str()), Some(outcome));
        }
        let code = |outcome: CallOutcome| outcome.disposition().map(Disposition::code);
        assert_eq!(code(CallOutcome::Busy), Some("3.12"));
        assert_eq!(code(CallOutcome::NoAnswer), Some("3.13"));
        assert_eq!(code(CallOutcome::HardRefusal), Some("2.112"));
        assert_eq!(code(CallOutcome::WrongNumber), Some("3.34"));
        assert_eq!(code(CallOutcome::Interviewed), None);
        assert_eq!(code(CallOutcome::Fax), Some("3.30"));
        assert_eq!(code(CallOutcome::Barred), Some("3.33"));
        assert_eq!(code(CallOutcome::HungUp), Some("2.11"));
        for outcome in CallOutcome::ALL.into_iter().filter(|outcome| outcome.is_dead_number()) {
            assert!(outcome.disposition().is_some_and(Disposition::is_dead_number), "{outcome:?}");
        }
    }

    /// instedd/surveda#1073: «no answer» and «call rejected» were taken for numbers that fail for
    /// good, and nobody called again.
    #[test]
    fn an_announcement_that_passes_is_no_dead_number() {
        use CallOutcome::*;
        for outcome in [Busy, NoAnswer, Unreachable, MessageLeft, OutOfService, Barred, HungUp] {
            assert!(!outcome.is_dead_number() && outcome.is_attempt(), "{outcome:?}");
            assert!(!outcome.disposition().is_some_and(Disposition::is_final), "{outcome:?}");
        }
    }
}
