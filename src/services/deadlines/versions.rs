//! Further versions of a dataset: by hand with late answers, automatically after a withdrawn
//! consent, and interim versions on a schedule.

use std::collections::HashMap;

use super::{DeadlineError, assess_responses, close_field};
use crate::adapters::database::applications::{self, Application, ApplicationState, ClosedBy};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::datasets::{self, DatasetKind, FreezeReason};
use crate::adapters::database::{campaigns, deliveries, origins, responses};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::questionnaire::Completion;
use crate::domain::time::Timestamp;
use crate::services;
use crate::services::context::AppContext;
use crate::services::quotas;
use crate::services::stuck_work::{Isolation, WorkKind, application_item};

/// Freezes a new version of each dataset that contains answers whose consent was withdrawn after it
/// was frozen.
pub(super) async fn correct_withdrawn_answers(context: &AppContext) -> Result<(), DeadlineError> {
    let due = datasets::to_be_corrected(&mut *context.database.read().await?).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut isolation = Isolation::load(context, WorkKind::Correction).await?;
    for id in due {
        let application = applications::get(&mut *context.database.read().await?, id).await;
        let item = application_item(&application, id);
        if !isolation.holds_back(&item) {
            let result = match application {
                Ok(application) => correct(context, &application).await,
                Err(error) => Err(error.into()),
            };
            isolation.record(&item, result).await?;
        }
    }
    Ok(())
}

async fn correct(context: &AppContext, application: &Application) -> Result<(), DeadlineError> {
    let mut tx = context.database.write().await?;
    applications::lock(&mut tx, application.id).await?;
    // Another daemon may have done it meanwhile.
    if datasets::to_be_corrected(&mut tx).await?.contains(&application.id) {
        let (kind, reason) = (DatasetKind::Final, FreezeReason::Withdrawal);
        services::datasets::freeze(context, &mut tx, application, kind, reason).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Freezes an application's data by hand. An application in the field is closed by this; a closed
/// one gets a further version if there are late answers, the scoring step rejected the last version,
/// or staff decided about a response since. Returns the version.
pub async fn freeze(context: &AppContext, code: &str) -> Result<u32, DeadlineError> {
    let find = || async {
        let found = applications::find(&mut *context.database.read().await?, code).await?;
        found.ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))
    };
    let application = find().await?;
    if application.state == ApplicationState::InField
        && close_field(context, application.id, ClosedBy::ByHand).await?.is_some()
    {
        return Ok(1);
    }
    let application = find().await?;
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    applications::lock(&mut tx, application.id).await?;
    let last = datasets::final_versions(&mut tx, application.id)
        .await?
        .pop()
        .ok_or_else(|| DeadlineError::NothingToFreeze(code.to_owned()))?;
    let late = responses::late_since(&mut tx, application.id, last.frozen_at).await?;
    let is_rejected =
        deliveries::verdict(&mut tx, last.id).await?.is_some_and(|verdict| !verdict.is_accepted);
    let is_reviewed = origins::reviewed_since(&mut tx, application.id, last.frozen_at).await?;
    if late.is_empty()
        && cases::withdrawn(&mut tx, application.id).await? == last.withdrawn
        && !is_rejected
        && !is_reviewed
    {
        return Err(DeadlineError::NothingNew { code: code.to_owned(), version: last.version });
    }
    let reason = if late.is_empty() && is_rejected {
        FreezeReason::Rejected
    } else if late.is_empty() && is_reviewed {
        FreezeReason::Reviewed
    } else {
        FreezeReason::LateAnswers
    };
    cases::lock(&mut tx, &late).await?;
    let completions = assess_responses(context, &mut tx, &application).await?;
    let responses_by_case: HashMap<CaseId, responses::Response> =
        responses::of_cases(&mut tx, &late)
            .await?
            .into_iter()
            .map(|response| (response.case, response))
            .collect();
    for case in late {
        let Some(response) = responses_by_case.get(&case) else { continue };
        let cells = cases::cells_of(&mut tx, case).await?;
        let candidate = quotas::QuotaCandidate { case, application: application.id, cells };
        // First come, first served, as far as there is room (invariant I4).
        match (response.late_at, completions.get(&case)) {
            (Some(at), Some(Completion::Complete))
                if quotas::count_complete(&mut tx, candidate, now).await?
                    == quotas::CellReservation::Granted =>
            {
                responses::complete(&mut tx, response.id, at).await?;
                cases::correct_disposition(
                    &mut tx,
                    &[case],
                    Disposition::Complete,
                    DispositionSource::Late,
                    now,
                )
                .await?;
            }
            (_, Some(completion)) if *completion != Completion::Insufficient => {
                cases::correct_disposition(
                    &mut tx,
                    &[case],
                    Disposition::Partial,
                    DispositionSource::Late,
                    now,
                )
                .await?;
            }
            _ => {}
        }
    }
    let version =
        services::datasets::freeze(context, &mut tx, &application, DatasetKind::Final, reason)
            .await?;
    tx.commit().await?;
    Ok(version)
}

/// Freezes an interim version of an application; its field continues. Returns the number of the
/// interim version.
pub async fn freeze_interim(context: &AppContext, code: &str) -> Result<u32, DeadlineError> {
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, code)
        .await?
        .ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))?;
    if application.state != ApplicationState::InField {
        return Err(DeadlineError::NothingToFreeze(code.to_owned()));
    }
    assess_responses(context, &mut tx, &application).await?;
    let version = services::datasets::freeze(
        context,
        &mut tx,
        &application,
        DatasetKind::Interim,
        FreezeReason::Interim,
    )
    .await?;
    tx.commit().await?;
    Ok(version)
}

/// Freezes an interim version of an application in the field, or a further version of a closed one.
/// It never closes a field. Returns the kind and number of the version.
pub async fn freeze_current_answers(
    context: &AppContext,
    code: &str,
) -> Result<(DatasetKind, u32), DeadlineError> {
    let found = applications::find(&mut *context.database.read().await?, code).await?;
    let application = found.ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))?;
    match application.state {
        ApplicationState::InField => {
            Ok((DatasetKind::Interim, freeze_interim(context, code).await?))
        }
        ApplicationState::Closed => Ok((DatasetKind::Final, freeze(context, code).await?)),
        ApplicationState::Registered => Err(DeadlineError::NothingToFreeze(code.to_owned())),
    }
}

/// Freezes interim versions of all applications in the field, if the schedule is due since the last
/// ones (or since the first launch), and of those for which it has failed since then.
pub(super) async fn freeze_interim_due(context: &AppContext) -> Result<(), DeadlineError> {
    let Some(next) = next_interim(context).await? else { return Ok(()) };
    let is_due = next <= context.clock.now();
    let mut isolation = Isolation::load(context, WorkKind::InterimVersion).await?;
    if !is_due && isolation.is_empty() {
        return Ok(());
    }
    let all = applications::all(&mut *context.database.read().await?).await?;
    for application in
        all.iter().filter(|application| application.state == ApplicationState::InField)
    {
        let is_meant = is_due || isolation.has_failed(&application.code);
        if is_meant && !isolation.holds_back(&application.code) {
            let result = freeze_interim(context, &application.code).await;
            isolation.record(&application.code, result).await?;
        }
    }
    Ok(())
}

pub(super) async fn next_interim(context: &AppContext) -> Result<Option<Timestamp>, DeadlineError> {
    let Some(at) = &context.config.delivery.interim else { return Ok(None) };
    let mut connection = context.database.read().await?;
    let begun = campaigns::list_open(&mut connection)
        .await?
        .iter()
        .map(|campaign| campaign.launched_at)
        .min();
    let last = datasets::last_interim(&mut connection).await?;
    // With nothing in the field there is nothing to freeze.
    Ok(begun.and_then(|begun| at.next_after(last.map_or(begun, |last| last.max(begun)))))
}
