//! Clusters: many people of one applicant who answered from one device or one network.

use sqlx::AnyConnection;

use super::super::context::AppContext;
use crate::adapters::database::{DatabaseError, origins};
use crate::domain::ids::{ApplicantId, CaseId};
use crate::domain::origin::{Cluster, clusters};
use crate::domain::time::Timestamp;

/// Returns the clusters of an applicant, the largest first.
pub async fn clusters_of(
    context: &AppContext,
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<Cluster<CaseId>>, DatabaseError> {
    let interviews = origins::of_applicant(connection, applicant).await?;
    Ok(clusters(&interviews, context.config.quality.clusters))
}

/// Finds new clusters of the applicants in the field and notes them; only of those of whom somebody
/// has finished since then, as nothing is new of the others. A cluster is noted once, however it
/// grows.
pub async fn note_new_clusters(
    context: &AppContext,
    since: Timestamp,
) -> Result<(), DatabaseError> {
    let mut connection = context.database.read().await?;
    let mut new = Vec::new();
    for applicant in origins::applicants_in_field(&mut connection, since).await? {
        let found = clusters_of(context, &mut connection, applicant).await?;
        if found.is_empty() {
            continue;
        }
        let known = origins::known_places(&mut connection, applicant).await?;
        let is_known = |cluster: &Cluster<CaseId>| {
            known
                .iter()
                .any(|(shared, place)| shared == cluster.shared.as_str() && *place == cluster.place)
        };
        new.extend(
            found.into_iter().filter(|cluster| !is_known(cluster)).map(|one| (applicant, one)),
        );
    }
    drop(connection);
    if new.is_empty() {
        return Ok(());
    }
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    for (applicant, cluster) in new {
        origins::note_cluster(&mut tx, applicant, cluster.shared, &cluster.place, now).await?;
    }
    tx.commit().await
}
