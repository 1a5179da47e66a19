//! Writes a launch: the campaign, its frozen questionnaires, cells, invitations and replicates.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::checks::LaunchCandidate;
use super::{LaunchError, LaunchJob};
use crate::adapters::crypto::sha256_hex;
use crate::adapters::database::application_events::{self, ApplicationEventKind};
use crate::adapters::database::invitations::{self, NewInvitation};
use crate::adapters::database::lists::ListedPerson;
use crate::adapters::database::{
    WriteTx, applications, campaigns, cases, forecasts, quotas, replicates,
};
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::ids::{ApplicationId, CampaignId};
use crate::domain::questionnaire::{Questionnaire, RoutingFacts};
use crate::domain::quota::CellMembership;
use crate::domain::replicates::FIRST_REVIEW_AFTER;
use crate::services::campaigns::sample::{self, ApplicationShare};
use crate::services::campaigns::to_micros;
use crate::services::context::AppContext;
use crate::services::questionnaires;
use crate::services::sealing::open_fields;

/// The outcome of the draw.
#[derive(Default)]
pub struct SampleDraw {
    /// People who wait in replicates.
    pub held_back: u64,
    /// `None`: nothing was drawn.
    pub seed: Option<String>,
}

/// Stores the campaign, freezes its questionnaires, and puts its applications into the field.
pub async fn store_campaign(
    job: &LaunchJob<'_>,
    tx: &mut WriteTx,
) -> Result<CampaignId, LaunchError> {
    let &LaunchJob { context, request, candidates, now, .. } = job;
    let plan =
        serde_json::to_string(request.plan).map_err(|e| ContactPlanError::Toml(e.to_string()))?;
    let new = campaigns::NewCampaign {
        programme: candidates[0].application.programme_id,
        code: request.code,
        plan: &plan,
        gateway: request.gateway,
        budget_micros: request.budget.map(to_micros),
    };
    let campaign = campaigns::add(tx, &new, now).await?;
    for candidate in candidates {
        let (source, questionnaire) = questionnaires::load_for_category(
            tx,
            context.config.questionnaires.as_deref(),
            candidate.application.category,
        )
        .await?;
        let (code, version) = (questionnaire.code.clone(), questionnaire.version);
        let frozen = campaigns::freeze_questionnaire(
            tx,
            &code,
            version,
            &sha256_hex(source.as_bytes()),
            &source,
        )
        .await?;
        let frozen = frozen.ok_or(LaunchError::ChangedQuestionnaire { code, version })?;
        assign_cells(context, tx, candidate, &questionnaire).await?;
        applications::launch(tx, candidate.application.id, campaign, frozen, candidate.closes_at)
            .await?;
        forecasts::set_due(tx, candidate.application.id, now).await?;
        application_events::add(
            tx,
            candidate.application.id,
            ApplicationEventKind::Launched,
            None,
            request.code,
            "campaign launch",
            now,
        )
        .await?;
    }
    Ok(campaign)
}

/// Sets the quota, and finds the cells of each case, as far as the list tells.
async fn assign_cells(
    context: &AppContext,
    tx: &mut WriteTx,
    candidate: &LaunchCandidate,
    questionnaire: &Questionnaire,
) -> Result<(), LaunchError> {
    let LaunchCandidate { application, quota, .. } = candidate;
    let code = || application.code.clone();
    if let Some(field) =
        questionnaire.list_fields.iter().find(|field| !application.list_fields.contains_key(*field))
    {
        return Err(LaunchError::ListField { code: code(), field: field.clone() });
    }
    let list_fields: BTreeSet<&str> = application.list_fields.keys().map(String::as_str).collect();
    quota
        .check_names(&list_fields, questionnaire)
        .map_err(|error| LaunchError::Quota { code: code(), error })?;
    quotas::insert_cells(tx, application.id, quota, context.clock.now()).await?;
    if quota.cells.is_empty() {
        return Ok(());
    }
    let sealer = context.keys.sealer(&application.key_id)?;
    let mut known: HashMap<(String, BTreeMap<String, String>), CellMembership> = HashMap::new();
    let mut cells = Vec::new();
    for (case, listed) in cases::listed_facts(tx, application.id).await? {
        let fields = open_fields(&sealer, listed.fields_sealed.as_deref())?;
        let membership =
            known.entry((listed.segment, fields)).or_insert_with_key(|(segment, fields)| {
                let facts = RoutingFacts {
                    category: application.category.to_string(),
                    segment: segment.clone(),
                    mode: String::new(),
                    fields: fields.clone(),
                };
                quota.membership(&questionnaire.path(&BTreeMap::new(), &facts))
            });
        cells.push((case, *membership));
    }
    Ok(cases::set_cells(tx, &cells).await?)
}

/// Draws the sample where lists are larger than the need, and stores the invitations.
pub async fn store_invitations(
    job: &LaunchJob<'_>,
    tx: &mut WriteTx,
    campaign: CampaignId,
    people: &[ListedPerson],
    invitations: &mut [NewInvitation],
) -> Result<SampleDraw, LaunchError> {
    let &LaunchJob { context, request, candidates, now, .. } = job;
    let seed = request.seed.map_or_else(
        || sha256_hex(format!("{}\n{}", request.code, now.0).as_bytes())[..16].to_owned(),
        str::to_owned,
    );
    let shares: Vec<ApplicationShare<'_>> = candidates
        .iter()
        .map(|c| ApplicationShare { application: &c.application, target: c.quota.total })
        .collect();
    let replicates = sample::draw_replicates(
        &shares,
        people,
        invitations,
        &seed,
        context.config.expected_response_rate,
        now,
    );
    let ids: Vec<ApplicationId> = candidates.iter().map(|c| c.application.id).collect();
    invitations::add(tx, campaign, invitations, &ids).await?;
    if replicates.is_empty() {
        return Ok(SampleDraw::default());
    }
    let held_back = replicates
        .iter()
        .filter(|replicate| replicate.released_at.is_none())
        .map(|replicate| u64::from(replicate.people))
        .sum();
    replicates::add(tx, campaign, &replicates, now + FIRST_REVIEW_AFTER).await?;
    replicates::hold_back(tx, campaign).await?;
    campaigns::set_draw_seed(tx, campaign, &seed).await?;
    Ok(SampleDraw { held_back, seed: Some(seed) })
}
