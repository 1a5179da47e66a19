//! How much of what staff of an applicant answered for its users was found.

use std::collections::BTreeSet;

use anyhow::Result;
use phonenumber::country;

use super::fixture::Fixture;
use crate::adapters::database::applications;
use crate::domain::phone::Phone;
use crate::domain::quality::ResponseReview;
use crate::services::response_quality;

/// Who answered for others, by the simulator, and who is in a cluster, by the daemon.
pub struct ClusterCounts {
    pub answered_for: u64,
    pub found: u64,
    pub honest: u64,
    pub excluded: u64,
}

pub async fn count_clusters(fixture: &Fixture) -> Result<ClusterCounts> {
    let record = fixture.simulator.record();
    let hasher = fixture.context.keys.hasher();
    let mut counts = ClusterCounts { answered_for: 0, found: 0, honest: 0, excluded: 0 };
    let codes: Vec<String> = applications::all(&mut *fixture.context.database.read().await?)
        .await?
        .into_iter()
        .map(|application| application.code)
        .collect();
    for code in codes {
        let pseudonyms: BTreeSet<String> = record
            .answered_for
            .iter()
            .filter_map(|number| Phone::parse(number, country::CN).ok())
            .map(|phone| hasher.pseudonym(&code, &hasher.phone_hash(&phone)))
            .collect();
        let found = response_quality::conspicuous(&fixture.context, &code).await?;
        counts.answered_for += found.cases.intersection(&pseudonyms).count() as u64;
        for response in &found.responses {
            let is_excluded = response.review.as_ref().is_some_and(ResponseReview::is_excluded);
            counts.excluded += u64::from(is_excluded);
            if response.cluster.is_some() {
                let is_answered_for = pseudonyms.contains(&response.case);
                counts.found += u64::from(is_answered_for);
                counts.honest += u64::from(!is_answered_for);
            }
        }
    }
    Ok(counts)
}
