//! Which message of an invitation: a step of the plan, or one that somebody asked for. Each goes
//! out at most once (invariant I1).

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageKind {
    /// A step of the contact plan; its number is the step's.
    Step,
    /// The link, asked for on the telephone.
    CallLink,
    /// The link, asked for in an interview by SMS.
    SmsLink,
    /// A question of an interview by SMS.
    Question,
    /// The question of the same number once more, when nobody has answered it.
    QuestionReminder,
    /// The last words of an interview by SMS.
    Goodbye,
    /// The confirmation of an opt-out, or, with the number 1, of its end.
    Confirmation,
    /// What a member of the staff has written to somebody who had replied.
    StaffAnswer,
}

impl MessageKind {
    pub const ALL: [MessageKind; 8] = [
        MessageKind::Step,
        MessageKind::CallLink,
        MessageKind::SmsLink,
        MessageKind::Question,
        MessageKind::QuestionReminder,
        MessageKind::Goodbye,
        MessageKind::Confirmation,
        MessageKind::StaffAnswer,
    ];

    /// The number under which it is stored: its place in [`MessageKind::ALL`]. Only ever added to.
    pub const fn code(self) -> i64 {
        self as i64
    }

    pub fn from_code(code: i64) -> Option<MessageKind> {
        MessageKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word for it in listings and files.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageKind::Step => "step",
            MessageKind::CallLink => "call_link",
            MessageKind::SmsLink => "sms_link",
            MessageKind::Question => "question",
            MessageKind::QuestionReminder => "question_reminder",
            MessageKind::Goodbye => "goodbye",
            MessageKind::Confirmation => "confirmation",
            MessageKind::StaffAnswer => "staff_answer",
        }
    }

    /// A message of an interview by SMS whose text was composed with the reply before it.
    pub fn is_interview(self) -> bool {
        matches!(self, MessageKind::Question | MessageKind::QuestionReminder | MessageKind::Goodbye)
    }

    /// A message that the person has not asked for: it waits while a reply of theirs that was not
    /// understood has not been read.
    pub fn waits_for_reader(self) -> bool {
        matches!(self, MessageKind::Step | MessageKind::QuestionReminder)
    }

    /// A contact with the person, as attempts are counted: what was not asked for. The questions of an
    /// interview, its end, a link that was wanted and a confirmation belong to the contact before.
    pub fn is_contact(self) -> bool {
        matches!(self, MessageKind::Step | MessageKind::QuestionReminder)
    }

    /// A message that only confirms what the respondent said: it goes out although the cases are
    /// closed and the number is suppressed.
    pub fn is_acknowledgement(self) -> bool {
        matches!(self, MessageKind::Goodbye | MessageKind::Confirmation)
    }

    /// A message about a case that is still open. The others answer a person.
    pub fn needs_open_case(self) -> bool {
        !self.is_acknowledgement() && self != MessageKind::StaffAnswer
    }
}

/// One message within an invitation: its kind, and its number among those of its kind, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageSlot {
    pub kind: MessageKind,
    pub number: u32,
}

impl MessageSlot {
    /// The answer to somebody who lifts their own opt-out.
    pub const RESUBSCRIPTION: MessageSlot =
        MessageSlot { kind: MessageKind::Confirmation, number: 1 };

    pub const CONFIRMATION: MessageSlot =
        MessageSlot { kind: MessageKind::Confirmation, number: 0 };

    pub const fn step(number: u32) -> MessageSlot {
        MessageSlot { kind: MessageKind::Step, number }
    }

    pub const fn new(kind: MessageKind, number: u32) -> MessageSlot {
        MessageSlot { kind, number }
    }

    /// The plan's step; `None`: the message stands beside the plan.
    pub fn plan_step(self) -> Option<u32> {
        (self.kind == MessageKind::Step).then_some(self.number)
    }

    /// How it is shown to staff: a step by its number from 1, others by kind and number.
    pub fn label(self) -> String {
        match self.kind {
            MessageKind::Step => (self.number + 1).to_string(),
            MessageKind::Confirmation if self == MessageSlot::RESUBSCRIPTION => {
                "resubscription".to_owned()
            }
            MessageKind::Confirmation => self.kind.as_str().to_owned(),
            kind => format!("{} {}", kind.as_str(), self.number + 1),
        }
    }

    /// Seeds what differs from message to message of one person, such as the place in a wave. A
    /// step's is its number.
    pub fn seed(self) -> u64 {
        match self.kind {
            MessageKind::Step => u64::from(self.number),
            // No plan has so many steps.
            MessageKind::Confirmation => u64::from(u32::MAX - self.number),
            kind => (kind as u64) << 32 | u64::from(self.number),
        }
    }
}

/// What an invitation gets next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upcoming {
    pub slot: MessageSlot,
    /// The step of the plan that follows a message beside the plan; for a step, the step itself.
    /// `None`: nothing follows.
    pub resume_step: Option<u32>,
}

impl Upcoming {
    pub const fn step(number: u32) -> Upcoming {
        Upcoming { slot: MessageSlot::step(number), resume_step: Some(number) }
    }

    /// The confirmation of an opt-out; nothing follows it.
    pub const CONFIRMATION: Upcoming =
        Upcoming { slot: MessageSlot::CONFIRMATION, resume_step: None };

    /// The answer to somebody who lifts their opt-out; nothing follows it.
    pub const RESUBSCRIPTION: Upcoming =
        Upcoming { slot: MessageSlot::RESUBSCRIPTION, resume_step: None };

    /// A message beside the plan, sent before this one.
    pub const fn before(self, slot: MessageSlot) -> Upcoming {
        Upcoming { slot, resume_step: self.resume_step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_stored_under_a_number_of_its_own_and_has_seeds_of_its_own() {
        let mut seeds = std::collections::BTreeSet::new();
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_code(kind.code()), Some(kind));
            assert!(
                (0..if kind == MessageKind::Confirmation { 2 } else { 1000 })
                    .all(|number| seeds.insert(MessageSlot::new(kind, number).seed()))
            );
        }
        let stored: Vec<&str> =
            (0..8).filter_map(MessageKind::from_code).map(MessageKind::as_str).collect();
        let words = ["step", "call_link", "sms_link", "question", "question_reminder", "goodbye"];
        assert_eq!(
            stored,
            [&words[..], &["confirmation", "staff_answer"]].concat(),
            "as the migrations say"
        );
        assert_eq!(MessageKind::from_code(8), None);
        assert_eq!(MessageSlot::step(2).seed(), 2);
    }

    #[test]
    fn what_answers_the_respondent_is_no_question() {
        let acknowledging: Vec<&str> = MessageKind::ALL
            .into_iter()
            .filter(|kind| kind.is_acknowledgement())
            .map(MessageKind::as_str)
            .collect();
        assert_eq!(acknowledging, ["goodbye", "confirmation"]);
        assert!(!MessageKind::SmsLink.is_interview() && !MessageKind::Step.is_interview());
        // An answer of the staff goes out though the case is closed, never to a suppressed number,
        // and is no attempt to reach somebody.
        let answer = MessageKind::StaffAnswer;
        assert!(!answer.needs_open_case() && !answer.is_acknowledgement());
        assert!(!answer.is_contact() && !answer.waits_for_reader());
    }
}
