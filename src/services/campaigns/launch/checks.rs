//! What a launch needs: a route that takes its messages, and applications that are ready.

use std::collections::BTreeSet;

use super::{LaunchError, LaunchRequest};
use crate::adapters::config::{GatewayConfig, Route};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::{WriteTx, lists, programmes};
use crate::adapters::sms::{CONFIRMATION, QUESTION, RESUBSCRIPTION};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::deadline::{Deadline, NotStarted};
use crate::domain::ids::ApplicationId;
use crate::domain::programme::Programme;
use crate::domain::quota::QuotaPlan;
use crate::domain::time::Timestamp;
use crate::services::campaigns::schedule::StepWindow;
use crate::services::context::AppContext;

/// An application on its way into the field.
pub struct LaunchCandidate {
    pub application: Application,
    pub quota: QuotaPlan,
    pub names: u32,
    pub deadline: Deadline,
    pub closes_at: Timestamp,
}

/// A campaign's way, for its reckoning: by the dearest gateway, at the pace of all of them
/// together.
pub struct CampaignRoute {
    pub route: Route,
    pub per_second: u32,
    pub price_per_part: f64,
    pub currency: String,
}

pub fn find_route(
    context: &AppContext,
    request: &LaunchRequest<'_>,
    plan: &ContactPlan,
) -> Result<CampaignRoute, LaunchError> {
    let config = &context.config;
    let route = config.route(request.gateway).ok_or_else(|| LaunchError::UnknownGateway {
        name: request.gateway.to_owned(),
        known: config
            .gateways
            .keys()
            .chain(config.routes.keys())
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let confirms = [
        (!plan.confirmation.is_empty()).then_some(CONFIRMATION),
        (!plan.resubscription.is_empty()).then_some(RESUBSCRIPTION),
    ];
    for name in route.gateways() {
        let Some(gateway) = context.gateways.get(name) else { continue };
        let link = plan.has_telephone().then(|| plan.link_texts().map(|(name, _)| name)).flatten();
        let messages =
            plan.steps.iter().filter(|step| step.is_message()).map(|step| step.name.as_str());
        let asks = plan.steps.iter().any(|step| step.offers_sms_interview()).then_some(QUESTION);
        for step in messages.chain(confirms.into_iter().flatten()).chain(link).chain(asks) {
            gateway.check_step(step).map_err(|problem| LaunchError::GatewayStep {
                gateway: name.to_owned(),
                problem,
            })?;
        }
    }
    let gateways: Vec<&GatewayConfig> =
        route.gateways().filter_map(|name| config.gateways.get(name)).collect();
    let currencies: BTreeSet<&str> =
        gateways.iter().map(|gateway| gateway.currency.as_str()).collect();
    if request.budget.is_some() && currencies.len() > 1 {
        let currencies = currencies.into_iter().collect::<Vec<_>>().join(", ");
        return Err(LaunchError::Currencies { route: request.gateway.to_owned(), currencies });
    }
    Ok(CampaignRoute {
        per_second: gateways.iter().map(|gateway| gateway.rate_per_second).sum(),
        price_per_part: gateways.iter().map(|gateway| gateway.price_per_part).fold(0.0, f64::max),
        currency: gateways.first().map(|gateway| gateway.currency.clone()).unwrap_or_default(),
        route,
    })
}

pub async fn find_candidates(
    tx: &mut WriteTx,
    codes: &[String],
    now: Timestamp,
) -> Result<(Programme, Vec<LaunchCandidate>), LaunchError> {
    let mut found: Vec<Application> = Vec::new();
    for code in codes {
        let application = applications::find(tx, code)
            .await?
            .ok_or_else(|| LaunchError::UnknownApplication(code.clone()))?;
        if application.state != ApplicationState::Registered {
            return Err(LaunchError::NotOpen(code.clone()));
        }
        if let Some(first) =
            found.first().filter(|first| first.programme_id != application.programme_id)
        {
            return Err(LaunchError::OtherProgramme(code.clone(), first.code.clone()));
        }
        if !found.iter().any(|a| a.id == application.id) {
            found.push(application);
        }
    }
    let Some(first) = found.first() else {
        return Err(LaunchError::UnknownApplication(String::new()));
    };
    let programme = programmes::get(tx, first.programme_id).await?;
    let ids: Vec<ApplicationId> = found.iter().map(|a| a.id).collect();
    let shared = applications::sharing_a_list(tx, &ids).await?;
    if !shared.is_empty() {
        return Err(LaunchError::SharesPeople(shared.join(", ")));
    }
    let mut candidates = Vec::new();
    for application in found {
        candidates.push(check_candidate(tx, &programme, application, now).await?);
    }
    Ok((programme, candidates))
}

async fn check_candidate(
    tx: &mut WriteTx,
    programme: &Programme,
    application: Application,
    now: Timestamp,
) -> Result<LaunchCandidate, LaunchError> {
    let names = lists::names_by_segment(tx, application.id).await?;
    let deadline = match application.deadline(programme) {
        Ok(deadline) if !names.is_empty() => deadline,
        Err(NotStarted::FeeNotSettled) => return Err(LaunchError::FeeNotSettled(application.code)),
        Ok(_) | Err(NotStarted::NoList) => return Err(LaunchError::NoList(application.code)),
    };
    if application.held_since.is_some() {
        return Err(LaunchError::OnHold(application.code));
    }
    let closes_at = deadline.field_closes_at(programme.time_zone);
    if closes_at <= now {
        return Err(LaunchError::DueDayPast {
            code: application.code,
            due: deadline.dataset_due.to_string(),
        });
    }
    let quota = QuotaPlan::new(
        application.category,
        programme.cap(application.category),
        &names,
        &application.quota,
    )
    .map_err(|error| LaunchError::Quota { code: application.code.clone(), error })?;
    Ok(LaunchCandidate { names: names.values().sum(), application, quota, deadline, closes_at })
}

pub fn check_finishes_in_time(
    plan: &ContactPlan,
    windows: &[Option<StepWindow>],
    candidates: &[LaunchCandidate],
) -> Result<(), LaunchError> {
    let Some(first_closing) = candidates.iter().min_by_key(|c| c.closes_at) else { return Ok(()) };
    for (index, (step, window)) in plan.steps.iter().zip(windows).enumerate() {
        if window.is_some_and(|w| w.done < first_closing.closes_at) {
            continue;
        }
        return Err(LaunchError::TooLate {
            number: index + 1,
            name: step.name.clone(),
            until: window.map_or("no day within a year".to_owned(), |w| {
                w.done.date(plan.time_zone).to_string()
            }),
            code: first_closing.application.code.clone(),
            closes: first_closing.deadline.dataset_due.to_string(),
        });
    }
    Ok(())
}
