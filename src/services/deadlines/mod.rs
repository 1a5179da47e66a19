//! Deadlines: closes fields on quota or on the due day, and gives open cases their final
//! disposition.
//!
//! An application whose total is reached closes by quota; one whose due day has passed closes by
//! date. Its data is frozen in the same transaction. [`changes`] moves due days (the fee, holds,
//! extensions), [`versions`] freezes later and interim versions, and [`overview`] lists the
//! applications with those in danger first.
//!
//! Forecasts are in [`crate::services::forecasting`], alarms in [`crate::services::alerts`], and
//! the files of a dataset in [`crate::services::datasets`]. This module contacts no respondent.

pub mod changes;
mod overview;
mod versions;

pub use overview::{ApplicationOverview, programme_overview};
pub use versions::{freeze, freeze_current_answers, freeze_interim};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::application_events::{self, ApplicationEventKind};
use crate::adapters::database::applications::{self, Application, ApplicationState, ClosedBy};
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::datasets::{DatasetKind, FreezeReason};
use crate::adapters::database::responses::StoredValue;
use crate::adapters::database::{
    DatabaseError, WriteTx, invitations, origins, paradata, quotas, responses,
};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CaseId};
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::quality::{self, SpeedLimit};
use crate::domain::questionnaire::{
    Answer, Completion, Questionnaire, QuestionnaireError, RoutingFacts,
};
use crate::domain::time::Timestamp;
use crate::services;
use crate::services::context::AppContext;
use crate::services::datasets::{self, DatasetError};
use crate::services::sealing::open_fields;
use crate::services::stuck_work::{Isolation, WorkKind, application_item};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "deadline.", serialize_all = "snake_case")]
pub enum DeadlineError {
    #[error("no campaign has the code {0}")]
    UnknownCampaign(String),
    #[error("campaign {0} is closed already")]
    Closed(String),
    #[error("the questionnaire of an application, as launched, cannot be read: {0}")]
    #[strum(transparent)]
    Questionnaire(#[from] QuestionnaireError),
    #[error(transparent)]
    #[strum(transparent)]
    Forecast(#[from] services::forecasting::ForecastError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Dataset(#[from] DatasetError),
    #[error("no application has the code {0}")]
    UnknownApplication(String),
    #[error("application {0} is not in the field and was never closed; there is nothing to freeze")]
    NothingToFreeze(String),
    #[error(
        "nothing has changed since version {version} of {code}: no answer came late, no consent \
            was taken back"
    )]
    NothingNew { code: String, version: u32 },
    #[error(transparent)]
    #[strum(transparent)]
    Replicates(#[from] services::quotas::replicates::ReplicateError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// The actor of a change that no person made.
const DAEMON: &str = "fieldworkd";

/// Closes the applications that are due at this moment, and does what else is due. Returns the codes
/// of the closed ones. A step that fails holds up none of the others.
pub async fn tick(context: &AppContext) -> Result<Vec<String>, DeadlineError> {
    // A clock that is a day ahead would close tomorrow's fields.
    if context.is_clock_settling() {
        return Ok(Vec::new());
    }
    let replicates = services::quotas::replicates::release_due_replicates(context).await;
    let steps = [
        replicates.map(drop).map_err(DeadlineError::from),
        versions::correct_withdrawn_answers(context).await,
        versions::freeze_interim_due(context).await,
    ];
    let closed = close_due_fields(context).await?;
    steps.into_iter().collect::<Result<(), _>>()?;
    Ok(closed)
}

async fn close_due_fields(context: &AppContext) -> Result<Vec<String>, DeadlineError> {
    let now = context.clock.now();
    let (full, over) = {
        let mut connection = context.database.read().await?;
        (
            quotas::full_applications(&mut connection).await?,
            applications::over_due_day(&mut connection, now).await?,
        )
    };
    let due: Vec<(ApplicationId, ClosedBy)> = full
        .into_iter()
        .map(|id| (id, ClosedBy::Quota))
        .chain(over.into_iter().map(|id| (id, ClosedBy::DueDay)))
        .collect();
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut isolation = Isolation::load(context, WorkKind::CloseField).await?;
    let mut closed = Vec::new();
    for (id, by) in due {
        let application = applications::get(&mut *context.database.read().await?, id).await;
        let item = application_item(&application, id);
        if !isolation.holds_back(&item) {
            let result = close_field(context, id, by).await;
            closed.extend(isolation.record(&item, result).await?.flatten());
        }
    }
    Ok(closed)
}

/// Returns when the next work is due: the end of a due day, or a review of replicates.
pub async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, DeadlineError> {
    let closing = applications::next_closing(&mut *context.database.read().await?).await?;
    let next_review = services::quotas::replicates::next_review(context).await?;
    Ok([closing, next_review, versions::next_interim(context).await?].into_iter().flatten().min())
}

/// Returns the last due day of the applications in the field.
pub async fn last_closing_at(context: &AppContext) -> Result<Option<Timestamp>, DeadlineError> {
    Ok(applications::last_closing(&mut *context.database.read().await?).await?)
}

/// Closes a campaign by hand, with every application that is still in the field.
pub async fn close_campaign(
    context: &AppContext,
    code: &str,
) -> Result<Vec<String>, DeadlineError> {
    let (campaign, of_campaign) = {
        let mut connection = context.database.read().await?;
        let campaign = campaigns::find(&mut connection, code)
            .await?
            .ok_or_else(|| DeadlineError::UnknownCampaign(code.to_owned()))?;
        let of_campaign = applications::of_campaign(&mut connection, campaign.id).await?;
        (campaign, of_campaign)
    };
    if campaign.state == CampaignState::Closed {
        return Err(DeadlineError::Closed(code.to_owned()));
    }
    let mut closed = Vec::new();
    for application in of_campaign.iter().filter(|a| a.state == ApplicationState::InField) {
        closed.extend(close_field(context, application.id, ClosedBy::ByHand).await?);
    }
    Ok(closed)
}

/// Closes one application: open cases get their final disposition, the data is frozen, and people
/// without an open case are not contacted any more. `None`: it is closed already.
#[tracing::instrument(name = "close field", level = "debug", skip_all)]
async fn close_field(
    context: &AppContext,
    id: ApplicationId,
    by: ClosedBy,
) -> Result<Option<String>, DeadlineError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if !applications::close(&mut tx, id, by, now).await? {
        return Ok(None);
    }
    let application = applications::get(&mut tx, id).await?;
    let open = cases::open_of_application(&mut tx, id).await?;
    cases::lock(&mut tx, &open).await?;
    let open = cases::open_of_application(&mut tx, id).await?;
    let (completions, empty) = assess_responses(context, &mut tx, &application).await?;
    let partial: Vec<CaseId> = open
        .iter()
        .copied()
        .filter(|case| completions.get(case).is_some_and(|c| *c != Completion::Insufficient))
        .collect();
    let rest: Vec<CaseId> = open.iter().copied().filter(|case| !partial.contains(case)).collect();
    cases::set_disposition(
        &mut tx,
        &partial,
        Disposition::Partial,
        &[],
        DispositionSource::Close,
        now,
    )
    .await?;
    // Who agreed and then answered nothing has refused without a word (implicit refusal).
    let silent: Vec<CaseId> = rest.iter().copied().filter(|case| empty.contains(case)).collect();
    cases::set_disposition(
        &mut tx,
        &silent,
        Disposition::NothingAnswered,
        &[Disposition::BreakOff],
        DispositionSource::Close,
        now,
    )
    .await?;
    // The end of the field is nobody's outcome: who was contacted keeps what came of it, also where
    // the quota is reached (AAPOR Standard Definitions: 4.8 is for those who are turned away).
    cases::close_keeping_disposition(&mut tx, &rest).await?;
    let application = applications::get(&mut tx, id).await?;
    datasets::freeze(context, &mut tx, &application, DatasetKind::Final, FreezeReason::Closed)
        .await?;
    services::forecasting::record_history(context, &mut tx, &application).await?;
    application_events::add(
        &mut tx,
        id,
        ApplicationEventKind::Closed,
        None,
        by.as_str(),
        DAEMON,
        now,
    )
    .await?;
    if let Some(campaign) = application.campaign_id {
        invitations::stop_without_open_case(&mut tx, campaign).await?;
        let still_open = applications::of_campaign(&mut tx, campaign)
            .await?
            .iter()
            .any(|a| a.state == ApplicationState::InField);
        if !still_open {
            campaigns::set_state(
                &mut tx,
                campaign,
                &[CampaignState::Running, CampaignState::Paused],
                CampaignState::Closed,
                now,
            )
            .await?;
        }
    }
    tx.commit().await?;
    tracing::info!(application = application.code, reason = by.as_str(), "the field is closed");
    Ok(Some(application.code))
}

/// Returns the median time of complete responses by mode: of these, and of the same questionnaire in
/// the programme's other applications.
async fn usual_times(
    tx: &mut WriteTx,
    application: &Application,
    own: Vec<(String, Duration)>,
) -> Result<HashMap<String, Duration>, DeadlineError> {
    let mut times: HashMap<String, Vec<Duration>> = HashMap::new();
    let elsewhere = origins::times_elsewhere(tx, application.id).await?.into_iter();
    let elsewhere = elsewhere.map(|(mode, seconds)| {
        (mode, Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    });
    for (mode, time) in own.into_iter().chain(elsewhere) {
        times.entry(mode).or_default().push(time);
    }
    Ok(times
        .into_iter()
        .filter_map(|(mode, times)| Some((mode, quality::median(times)?)))
        .collect())
}

/// Sets the quality flags of an application's responses. Returns the completion of each case,
/// and the cases that were begun and have no answer at all. Open text is not unsealed for this.
async fn assess_responses(
    context: &AppContext,
    tx: &mut WriteTx,
    application: &Application,
) -> Result<(HashMap<CaseId, Completion>, HashSet<CaseId>), DeadlineError> {
    let sealer = context.keys.sealer(&application.key_id)?;
    let Some(questionnaire) = application.questionnaire_id else {
        return Ok(Default::default());
    };
    let questionnaire =
        Questionnaire::parse(&campaigns::questionnaire_source(tx, questionnaire).await?)?;
    let mut listed = cases::listed_facts(tx, application.id).await?;
    let responses = responses::of_application(tx, application.id).await?;
    let visits = paradata::of_application(tx, application.id).await?;
    let is_timed =
        |response: &responses::Response| Mode::parse(&response.mode).is_some_and(Mode::is_timed);
    let time = |response: &responses::Response| {
        visits
            .get(&response.id)
            .filter(|_| is_timed(response))
            .map(|visits| paradata::total_time(visits))
    };
    let complete: Vec<(String, Duration)> = responses
        .iter()
        .filter(|response| response.completed_at.is_some())
        .filter_map(|response| Some((response.mode.clone(), time(response)?)))
        .collect();
    let usual = usual_times(tx, application, complete).await?;
    let limits = context.config.quality;
    let (mut completions, mut qualities) = (HashMap::new(), Vec::new());
    let (mut vectors, mut empty) = (Vec::new(), HashSet::new());
    for response in responses {
        let time = time(&response);
        let limit = SpeedLimit {
            median: usual.get(&response.mode).copied(),
            share: limits.speeding_below,
            per_rating: limits.time_per_rating,
        };
        // A response that was broken off does not count as fast.
        let is_complete = response.completed_at.is_some();
        let limit = is_complete.then_some(limit);
        let read = |(id, value): (String, StoredValue)| {
            let answer = match value {
                StoredValue::Plain(text) => {
                    questionnaire.item(&id).and_then(|item| Answer::from_stored(item, &text))
                }
                StoredValue::Sealed(_) => Some(Answer::Open(Personal::default())),
            };
            answer.map(|answer| (id, answer))
        };
        if response.answers.is_empty() {
            empty.insert(response.case);
        }
        let answers: BTreeMap<String, Answer> =
            response.answers.into_iter().filter_map(read).collect();
        let (segment, fields_sealed) = listed
            .remove(&response.case)
            .map_or((String::new(), None), |listed| (listed.segment, listed.fields_sealed));
        let fields = open_fields(&sealer, fields_sealed.as_deref())?;
        let facts = RoutingFacts {
            category: application.category.to_string(),
            segment,
            mode: response.last_mode,
            fields,
        };
        let path = questionnaire.path(&answers, &facts);
        let quality = quality::assess(&path, &answers, time, limit);
        let is_compared = is_complete && quality.straight_lining != Some(true);
        vectors.push(quality::answer_vector(&path, &answers).filter(|_| is_compared));
        qualities.push((response.id, quality));
        completions.insert(response.case, path.completion());
    }
    for ((_, quality), duplicate) in qualities.iter_mut().zip(quality::duplicates(&vectors)) {
        quality.duplicate = duplicate;
    }
    paradata::set_quality(tx, &qualities).await?;
    Ok((completions, empty))
}
