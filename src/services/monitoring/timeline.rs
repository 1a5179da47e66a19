//! The timeline of a case: messages with their gateway log, visits, answers, calls, replies and
//! dispositions.

use super::MonitoringError;
use super::search::{CaseMatch, mask, open_case_person};
use crate::adapters::database::timeline::{self as stored, MessageDetails, PageVisitSummary};
use crate::adapters::database::{calls, campaigns, invitations};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::contact_plan::{MessageKind, MessageSlot};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::campaigns::CampaignError;
use crate::services::context::AppContext;

pub struct CaseTimeline {
    pub found: CaseMatch,
    /// The events, oldest first.
    pub events: Vec<TimelineEvent>,
    /// The next planned step, by name, and its time.
    pub next: Option<(String, Timestamp)>,
}

/// An event of the timeline.
pub struct TimelineEvent {
    pub at: Timestamp,
    pub kind: TimelineEventKind,
}

pub enum TimelineEventKind {
    /// A step's message with the gateway's requests and responses.
    Message {
        step: String,
        message: MessageDetails,
        gateway_log: Vec<(String, String)>,
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
    Page(PageVisitSummary),
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

/// Returns the timeline of a case; `None`: there is no such case.
pub async fn case_timeline(
    context: &AppContext,
    case: CaseId,
) -> Result<Option<CaseTimeline>, MonitoringError> {
    let mut connection = context.database.read().await?;
    let Some(case_row) = stored::case(&mut connection, case).await? else { return Ok(None) };
    let mut events = Vec::new();
    let mut push = |at: Timestamp, kind: TimelineEventKind| events.push(TimelineEvent { at, kind });
    let mut next = None;
    if let Some(invitation) = case_row.invitation {
        let steps: Vec<String> = match &case_row.campaign {
            Some(code) => {
                let campaign = campaigns::find(&mut connection, code)
                    .await?
                    .ok_or_else(|| CampaignError::UnknownCampaign(code.clone()))?;
                ContactPlan::from_stored(&campaign.plan)
                    .map_err(CampaignError::from)?
                    .steps
                    .into_iter()
                    .map(|step| step.name)
                    .collect()
            }
            None => Vec::new(),
        };
        let name =
            |slot: MessageSlot| match slot.plan_step().and_then(|step| steps.get(step as usize)) {
                Some(name) => name.clone(),
                None => "…".to_owned(),
            };
        let log_entries = stored::gateway_log(&mut connection, invitation).await?;
        for message in stored::messages(&mut connection, invitation).await? {
            let step = name(message.slot);
            let gateway_log = log_entries
                .iter()
                .filter(|(slot, ..)| *slot == message.slot)
                .map(|(_, _, request, response, _)| (request.clone(), response.clone()));
            if let Some(at) = message.received_at.filter(|_| message.state == "delivered") {
                push(at, TimelineEventKind::Delivered { step: step.clone() });
            }
            push(
                message.submitted_at.unwrap_or(message.claimed_at),
                TimelineEventKind::Message { step, gateway_log: gateway_log.collect(), message },
            );
        }
        if let Some(at) = stored::opened_at(&mut connection, invitation).await? {
            push(at, TimelineEventKind::Opened);
        }
        for (version, mode, given, withdrawn) in
            stored::consents(&mut connection, invitation).await?
        {
            if let Some(at) = withdrawn {
                push(at, TimelineEventKind::ConsentWithdrawn { version: version.clone() });
            }
            push(given, TimelineEventKind::Consented { version, mode });
        }
        for call in calls::of_invitation(&mut connection, invitation).await? {
            push(
                call.begun_at,
                TimelineEventKind::Call { by: call.interviewer_name, outcome: call.outcome },
            );
        }
        for (number, meaning, at) in stored::replies(&mut connection, invitation).await? {
            push(at, TimelineEventKind::Reply { number, meaning });
        }
        next = invitations::next_contact(&mut connection, invitation)
            .await?
            .filter(|(slot, _)| slot.kind == MessageKind::Step)
            .map(|(slot, at)| (name(slot), at));
    }
    if let Some((begun, complete, items)) = stored::answers(&mut connection, case).await? {
        push(begun, TimelineEventKind::AnswersBegun);
        if let Some(at) = complete {
            push(at, TimelineEventKind::AnswersComplete { items });
        }
    }
    for visit in stored::visits(&mut connection, case).await? {
        push(visit.at, TimelineEventKind::Page(visit));
    }
    for (to, source, at) in stored::dispositions(&mut connection, case).await? {
        push(at, TimelineEventKind::Disposition { to, source });
    }
    drop(connection);
    events.sort_by_key(|event| event.at);
    let next = next.filter(|_| case_row.is_open);
    Ok(Some(CaseTimeline { found: mask(context, case_row)?, events, next }))
}

/// Returns the person of a case in plain text. The access is audited first. `None`: there is no
/// such case, or its person is erased.
pub async fn reveal_person(
    context: &AppContext,
    case: CaseId,
) -> Result<Option<(Personal, Phone)>, MonitoringError> {
    match stored::case(&mut *context.database.read().await?, case).await? {
        Some(case) => open_case_person(context, &case),
        None => Ok(None),
    }
}
