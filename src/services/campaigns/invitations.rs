//! The invitations of a launch: one for each person, with a link and a first contact, as far as the draw lets it into the field.

use std::collections::HashMap;

use super::launch::{Candidate, LaunchError, LaunchRequest};
use super::sample::{self, Share};
use crate::adapters::config::{Route, Way};
use crate::adapters::crypto::sha256_hex;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::ApplicationId;
use crate::domain::replicates::FIRST_LOOK;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::services::sealing::open_phone;
use crate::adapters::database::lists::ListedPerson;
use crate::adapters::database::{WriteTx, campaigns, invitations, replicates};

/// People with a mobile number who get nothing all the same.
#[derive(Default)]
pub struct Unreached {
    pub never_open: u64,
    pub without_gateway: u64,
}

/// What a draw has come to.
#[derive(Default)]
pub struct Draw {
    pub held_back: u64,
    pub seed: Option<String>,
}

#[expect(clippy::too_many_arguments, reason = "each is a thing of its own that a launch has at hand")]
pub async fn invite(
    installation: &Installation,
    tx: &mut WriteTx,
    request: &LaunchRequest<'_>,
    route: &Route,
    plan: &ContactPlan,
    candidates: &[Candidate],
    people: &[ListedPerson],
    now: Timestamp,
) -> Result<(Unreached, Draw), LaunchError> {
    let hasher = installation.keys.hasher();
    let by_id: HashMap<ApplicationId, &Candidate> = candidates.iter().map(|c| (c.application.id, c)).collect();
    let mut unreached = Unreached::default();
    let mut invitations = Vec::with_capacity(people.len());
    for person in people {
        let Some(first) = person.applications.first().and_then(|id| by_id.get(id)) else { continue };
        let key_id = &first.application.key_id;
        let code = hasher.link_code(request.code, key_id, &person.phone_hash);
        let phone = open_phone(&installation.keys.sealer(key_id)?, &person.phone_sealed)?;
        let zones = person.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into());
        let has_gateway = matches!(route.choose(&phone, &person.phone_hash, None, |_| true), Way::Through(_));
        let gets_sms = person.is_mobile && has_gateway;
        let (next_step, next_at) = plan.first_contact(now, &zones, &person.phone_hash, gets_sms);
        unreached.without_gateway += u64::from(person.is_mobile && !has_gateway);
        unreached.never_open += u64::from(gets_sms && next_at.is_none());
        invitations.push(invitations::NewInvitation {
            respondent: person.respondent,
            link_hash: hasher.link_hash(&code),
            next_step,
            next_at,
            replicate: 0,
            language: person.language,
        });
    }
    let id = campaigns::find(tx, request.code).await?.map(|c| c.id).ok_or_else(|| LaunchError::Exists(request.code.to_owned()))?;
    let seed = request.seed.map_or_else(|| sha256_hex(format!("{}\n{}", request.code, now.0).as_bytes())[..16].to_owned(), str::to_owned);
    let shares: Vec<Share<'_>> = candidates.iter().map(|c| Share { application: &c.application, target: c.quota.total }).collect();
    let replicates = sample::draw(&shares, people, &mut invitations, &seed, installation.config.expected_response_rate, now);
    let ids: Vec<ApplicationId> = candidates.iter().map(|c| c.application.id).collect();
    invitations::add(tx, id, &invitations, &ids).await?;
    if replicates.is_empty() {
        return Ok((unreached, Draw::default()));
    }
    let held_back = replicates.iter().filter(|replicate| replicate.released_at.is_none()).map(|replicate| u64::from(replicate.people)).sum();
    replicates::add(tx, id, &replicates, now + FIRST_LOOK).await?;
    replicates::hold_back(tx, id).await?;
    campaigns::set_draw_seed(tx, id, &seed).await?;
    Ok((unreached, Draw { held_back, seed: Some(seed) }))
}
