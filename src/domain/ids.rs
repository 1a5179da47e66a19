//! Row ids, one type per table, so that ids of different tables cannot be confused.

use super::contact_plan::MessageSlot;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    )*};
}

ids! {
    /// A programme (评价活动).
    ProgrammeId,
    /// An applicant (申报主体) within one programme.
    ApplicantId,
    /// An application: one declared subject in one category.
    ApplicationId,
    /// A person on one applicant's lists.
    RespondentId,
    /// A case: respondent × application.
    CaseId,
    /// A campaign: the fieldwork of one or more applications under one contact plan.
    CampaignId,
    /// An invitation: a respondent's single link to all open cases of a campaign.
    InvitationId,
    /// A response: the answers of one case.
    ResponseId,
    /// A staff account.
    AccountId,
    /// A call: one time that an interviewer had a person on the screen.
    CallId,
}

/// An outgoing SMS; its slot makes it unique within its invitation (invariant I1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub invitation: InvitationId,
    pub slot: MessageSlot,
}
