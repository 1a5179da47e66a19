//! A case's whole story on one time line: what was sent and what gateways said, what was opened and answered, calls, replies, dispositions.

use super::WatchError;
use super::search::{Found, mask, opened};
use crate::services::campaigns::{CampaignError, read_plan};
use crate::domain::contact_plan::FIRST_EXTRA_STEP;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::timeline::{self as stored, MessageOf, Visit};
use crate::adapters::database::{calls, campaigns, invitations};

pub struct Story {
    pub found: Found,
    /// The oldest first.
    pub told: Vec<Told>,
    /// What is planned next: the step, by name, and when.
    pub next: Option<(String, Timestamp)>,
}

/// One thing that happened.
pub struct Told {
    pub at: Timestamp,
    pub what: What,
}

pub enum What {
    /// A step's message, with what its gateway was asked and answered.
    Message {
        step: String,
        message: MessageOf,
        talk: Vec<(String, String)>,
    },
    Delivered {
        step: String,
    },
    Opened,
    Consented {
        version: String,
        mode: String,
    },
    ConsentWithdrawn {
        version: String,
    },
    AnswersBegun,
    /// A page of answers.
    Page(Visit),
    AnswersComplete {
        items: u64,
    },
    Call {
        by: String,
        outcome: Option<CallOutcome>,
    },
    Reply {
        number: i64,
        meaning: String,
    },
    Disposition {
        to: Disposition,
        source: String,
    },
}

/// `None`: there is no such case.
pub async fn story(installation: &Installation, case: CaseId) -> Result<Option<Story>, WatchError> {
    let mut connection = installation.store.read().await?;
    let Some(of) = stored::case(&mut connection, case).await? else { return Ok(None) };
    let mut told = Vec::new();
    let mut tell = |at: Timestamp, what: What| told.push(Told { at, what });
    let mut next = None;
    if let Some(invitation) = of.invitation {
        let steps: Vec<String> = match &of.campaign {
            Some(code) => {
                let campaign = campaigns::find(&mut connection, code).await?.ok_or_else(|| CampaignError::Unknown(code.clone()))?;
                read_plan(&campaign.plan).map_err(CampaignError::from)?.steps.into_iter().map(|step| step.name).collect()
            }
            None => Vec::new(),
        };
        let name = |step: u32| match steps.get(step as usize) {
            Some(name) => name.clone(),
            None => "…".to_owned(),
        };
        let exchanges = stored::exchanges(&mut connection, invitation).await?;
        for message in stored::messages(&mut connection, invitation).await? {
            let step = name(message.step);
            let talk = exchanges.iter().filter(|(of, ..)| *of == message.step).map(|(_, _, asked, answered, _)| (asked.clone(), answered.clone()));
            if let Some(at) = message.received_at.filter(|_| message.state == "delivered") {
                tell(at, What::Delivered { step: step.clone() });
            }
            tell(message.submitted_at.unwrap_or(message.claimed_at), What::Message { step, talk: talk.collect(), message });
        }
        if let Some(at) = stored::opened_at(&mut connection, invitation).await? {
            tell(at, What::Opened);
        }
        for (version, mode, given, withdrawn) in stored::consents(&mut connection, invitation).await? {
            if let Some(at) = withdrawn {
                tell(at, What::ConsentWithdrawn { version: version.clone() });
            }
            tell(given, What::Consented { version, mode });
        }
        for call in calls::to(&mut connection, invitation).await? {
            tell(call.begun_at, What::Call { by: call.by, outcome: call.outcome });
        }
        for (number, meaning, at) in stored::replies(&mut connection, invitation).await? {
            tell(at, What::Reply { number, meaning });
        }
        next = invitations::next_contact(&mut connection, invitation)
            .await?
            .filter(|(step, _)| *step < FIRST_EXTRA_STEP)
            .map(|(step, at)| (name(step), at));
    }
    if let Some((begun, complete, items)) = stored::answers(&mut connection, case).await? {
        tell(begun, What::AnswersBegun);
        if let Some(at) = complete {
            tell(at, What::AnswersComplete { items });
        }
    }
    for visit in stored::visits(&mut connection, case).await? {
        tell(visit.at, What::Page(visit));
    }
    for (to, source, at) in stored::dispositions(&mut connection, case).await? {
        tell(at, What::Disposition { to, source });
    }
    drop(connection);
    told.sort_by_key(|told| told.at);
    let next = next.filter(|_| of.is_open);
    Ok(Some(Story { found: mask(installation, of)?, told, next }))
}

/// The person of a case, in plain text: whoever asks for it has it written down first. `None`: there is no such case, or its person is forgotten.
pub async fn reveal(installation: &Installation, case: CaseId) -> Result<Option<(Personal, Phone)>, WatchError> {
    match stored::case(&mut *installation.store.read().await?, case).await? {
        Some(case) => opened(installation, &case),
        None => Ok(None),
    }
}
