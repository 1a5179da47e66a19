//! The invitations of a launch: one for each person, with a link and a first contact, as far as the
//! draw lets it into the field.

use std::collections::HashMap;

use super::launch::{LaunchCandidate, LaunchError, LaunchRequest};
use super::sample::{self, ApplicationShare};
use crate::adapters::config::{Route, RouteDecision};
use crate::adapters::crypto::sha256_hex;
use crate::adapters::database::lists::ListedPerson;
use crate::adapters::database::{WriteTx, campaigns, invitations, replicates};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::ApplicationId;
use crate::domain::replicates::FIRST_REVIEW_AFTER;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::open_phone;

/// People with a mobile number who get nothing all the same.
#[derive(Default)]
pub struct UnreachableCounts {
    pub outside_contact_hours: u64,
    pub without_gateway: u64,
}

/// What a draw has come to.
#[derive(Default)]
pub struct SampleDraw {
    pub held_back: u64,
    pub seed: Option<String>,
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is a thing of its own that a launch has at hand"
)]
pub async fn create_invitations(
    context: &AppContext,
    tx: &mut WriteTx,
    request: &LaunchRequest<'_>,
    route: &Route,
    plan: &ContactPlan,
    candidates: &[LaunchCandidate],
    people: &[ListedPerson],
    now: Timestamp,
) -> Result<(UnreachableCounts, SampleDraw), LaunchError> {
    let hasher = context.keys.hasher();
    let by_id: HashMap<ApplicationId, &LaunchCandidate> =
        candidates.iter().map(|c| (c.application.id, c)).collect();
    let mut unreached = UnreachableCounts::default();
    let mut invitations = Vec::with_capacity(people.len());
    for person in people {
        let Some(first) = person.applications.first().and_then(|id| by_id.get(id)) else {
            continue;
        };
        let key_id = &first.application.key_id;
        let code = hasher.link_code(request.code, key_id, &person.phone_hash);
        let phone = open_phone(&context.keys.sealer(key_id)?, &person.phone_sealed)?;
        let zones = plan.zones_of(person.zone.as_deref());
        let has_gateway = matches!(
            route.choose(&phone, &person.phone_hash, None, |_| true),
            RouteDecision::Through(_)
        );
        let gets_sms = person.is_mobile && has_gateway;
        let (next_step, next_at) = plan.first_contact(now, &zones, &person.phone_hash, gets_sms);
        unreached.without_gateway += u64::from(person.is_mobile && !has_gateway);
        unreached.outside_contact_hours += u64::from(gets_sms && next_at.is_none());
        invitations.push(invitations::NewInvitation {
            respondent: person.respondent,
            link_hash: hasher.link_hash(&code),
            next_step,
            next_at,
            replicate: 0,
            language: person.language,
        });
    }
    let id = campaigns::find(tx, request.code)
        .await?
        .map(|c| c.id)
        .ok_or_else(|| LaunchError::CodeTaken(request.code.to_owned()))?;
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
        &mut invitations,
        &seed,
        context.config.expected_response_rate,
        now,
    );
    let ids: Vec<ApplicationId> = candidates.iter().map(|c| c.application.id).collect();
    invitations::add(tx, id, &invitations, &ids).await?;
    if replicates.is_empty() {
        return Ok((unreached, SampleDraw::default()));
    }
    let held_back = replicates
        .iter()
        .filter(|replicate| replicate.released_at.is_none())
        .map(|replicate| u64::from(replicate.people))
        .sum();
    replicates::add(tx, id, &replicates, now + FIRST_REVIEW_AFTER).await?;
    replicates::hold_back(tx, id).await?;
    campaigns::set_draw_seed(tx, id, &seed).await?;
    Ok((unreached, SampleDraw { held_back, seed: Some(seed) }))
}
