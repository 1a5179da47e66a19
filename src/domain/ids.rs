//! Row identities, one type per table, so that a case can never be taken for a campaign.

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
    /// One declared subject in one category.
    ApplicationId,
    /// A person on one applicant's lists.
    RespondentId,
    /// Respondent × application.
    CaseId,
    /// The fieldwork of one or more applications under one contact plan.
    CampaignId,
    /// What a respondent gets in a campaign: one link for all open cases.
    InvitationId,
    /// The answers of one case.
    ResponseId,
    /// Somebody of the staff.
    AccountId,
    /// One time that an interviewer had somebody on the screen.
    CallId,
}

/// One outgoing SMS: a step of an invitation is one message (invariant I1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub invitation: InvitationId,
    pub step: u32,
}
