//! Further versions of a dataset: asked for by hand with what came late, made by itself when a consent is taken back, interim ones by the calendar.

use std::collections::HashMap;

use super::{DeadlineError, assess_responses, close};
use crate::services;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::questionnaire::Completion;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::services::quotas;
use crate::adapters::database::applications::{self, ApplicationState, ClosedBy};
use crate::adapters::database::cases::{self, Source};
use crate::adapters::database::datasets::{self, DatasetKind, FreezeReason};
use crate::adapters::database::{campaigns, deliveries, responses};

/// Where answers stand in a frozen dataset whose consent was taken back since, freezes a version without them.
pub(super) async fn correct_withdrawn(installation: &Installation) -> Result<(), DeadlineError> {
    for id in datasets::to_be_corrected(&mut *installation.store.read().await?).await? {
        let mut tx = installation.store.write().await?;
        let application = applications::get(&mut tx, id).await?;
        applications::lock(&mut tx, id).await?;
        // Another daemon may have done it meanwhile.
        if datasets::to_be_corrected(&mut tx).await?.contains(&id) {
            services::datasets::freeze(installation, &mut tx, &application, DatasetKind::Final, FreezeReason::Withdrawal).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Freezes an application's data by hand: one in the field is closed by that; one that is closed gets a further version, where answers came late, or the
/// scoring step has rejected the last one. Returns the version.
pub async fn freeze(installation: &Installation, code: &str) -> Result<u32, DeadlineError> {
    let find = || async {
        let found = applications::find(&mut *installation.store.read().await?, code).await?;
        found.ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))
    };
    let application = find().await?;
    if application.state == ApplicationState::InField && close(installation, application.id, ClosedBy::ByHand).await?.is_some() {
        return Ok(1);
    }
    let application = find().await?;
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    applications::lock(&mut tx, application.id).await?;
    let last = datasets::final_versions(&mut tx, application.id).await?.pop().ok_or_else(|| DeadlineError::NothingToFreeze(code.to_owned()))?;
    let late = responses::late_since(&mut tx, application.id, last.frozen_at).await?;
    let is_rejected = deliveries::verdict(&mut tx, last.id).await?.is_some_and(|verdict| !verdict.is_accepted);
    if late.is_empty() && cases::withdrawn(&mut tx, application.id).await? == last.withdrawn && !is_rejected {
        return Err(DeadlineError::NothingNew { code: code.to_owned(), version: last.version });
    }
    let reason = if late.is_empty() && is_rejected { FreezeReason::Rejected } else { FreezeReason::LateAnswers };
    cases::lock(&mut tx, &late).await?;
    let amounts = assess_responses(installation, &mut tx, &application).await?;
    let told: HashMap<CaseId, responses::Response> =
        responses::of_cases(&mut tx, &late).await?.into_iter().map(|response| (response.case, response)).collect();
    for case in late {
        let Some(response) = told.get(&case) else { continue };
        let cells = cases::cells_of(&mut tx, case).await?;
        let candidate = quotas::Candidate { case, application: application.id, cells };
        // First come, first served, as far as there is room (invariant I4).
        match (response.late_at, amounts.get(&case)) {
            (Some(at), Some(Completion::Complete)) if quotas::count_complete(&mut tx, candidate, now).await? == quotas::Place::Taken => {
                responses::complete(&mut tx, response.id, at).await?;
                cases::correct(&mut tx, &[case], Disposition::Complete, Source::Late, now).await?;
            }
            (_, Some(completion)) if *completion != Completion::TooLittle => {
                cases::correct(&mut tx, &[case], Disposition::Partial, Source::Late, now).await?;
            }
            _ => {}
        }
    }
    let version = services::datasets::freeze(installation, &mut tx, &application, DatasetKind::Final, reason).await?;
    tx.commit().await?;
    Ok(version)
}

/// Freezes how an application stands on the way; its field goes on. Returns the number of the interim version.
pub async fn freeze_interim(installation: &Installation, code: &str) -> Result<u32, DeadlineError> {
    let mut tx = installation.store.write().await?;
    let application = applications::find(&mut tx, code).await?.ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))?;
    if application.state != ApplicationState::InField {
        return Err(DeadlineError::NothingToFreeze(code.to_owned()));
    }
    assess_responses(installation, &mut tx, &application).await?;
    let version = services::datasets::freeze(installation, &mut tx, &application, DatasetKind::Interim, FreezeReason::Interim).await?;
    tx.commit().await?;
    Ok(version)
}

/// Freezes how a field stands on the way, or a further version of one that is closed, and closes none; returns what came of it.
pub async fn freeze_as_it_stands(installation: &Installation, code: &str) -> Result<(DatasetKind, u32), DeadlineError> {
    let found = applications::find(&mut *installation.store.read().await?, code).await?;
    let application = found.ok_or_else(|| DeadlineError::UnknownApplication(code.to_owned()))?;
    match application.state {
        ApplicationState::InField => Ok((DatasetKind::Interim, freeze_interim(installation, code).await?)),
        ApplicationState::Closed => Ok((DatasetKind::Final, freeze(installation, code).await?)),
        ApplicationState::Registered => Err(DeadlineError::NothingToFreeze(code.to_owned())),
    }
}

/// Freezes interim versions of everything in the field, when their time has come since the last ones (or since the first launch).
pub(super) async fn freeze_interim_due(installation: &Installation) -> Result<(), DeadlineError> {
    if next_interim(installation).await?.is_none_or(|due| due > installation.clock.now()) {
        return Ok(());
    }
    let all = applications::all(&mut *installation.store.read().await?).await?;
    for application in all.iter().filter(|application| application.state == ApplicationState::InField) {
        freeze_interim(installation, &application.code).await?;
    }
    Ok(())
}

pub(super) async fn next_interim(installation: &Installation) -> Result<Option<Timestamp>, DeadlineError> {
    let Some(at) = &installation.config.delivery.interim else { return Ok(None) };
    let mut connection = installation.store.read().await?;
    let begun = campaigns::live(&mut connection).await?.iter().map(|campaign| campaign.launched_at).min();
    let last = datasets::last_interim(&mut connection).await?;
    // Where nothing is in the field there is nothing to freeze.
    Ok(begun.and_then(|begun| at.next_after(last.map_or(begun, |last| last.max(begun)))))
}
