//! Conspicuous responses: too fast, alike, or many from one place. Staff review them, and accept or
//! exclude them with a reason. While the field is open, an excluded response frees its place in the
//! quota; it is delivered flagged. No rule excludes anything.

mod clusters;

use std::collections::{BTreeMap, BTreeSet};

pub use clusters::{clusters_of, note_new_clusters};

use super::quotas::{self, CellReservation, QuotaCandidate};
use crate::adapters::database::applications::{self, Application};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::quotas as stored_quotas;
use crate::adapters::database::{DatabaseError, WriteTx, origins, paradata, responses};
use crate::domain::audit::{Action, Actor};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::origin::SharedPlace;
use crate::domain::quality::{ResponseReview, ReviewVerdict};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "response_quality.", serialize_all = "snake_case")]
pub enum ResponseQualityError {
    #[error("there is no application {0}; «fieldworkd application list» shows all")]
    UnknownApplication(String),
    #[error("{application} has no complete or partial response of a case {case}")]
    NoResponse { application: String, case: String },
    #[error("say why, in at most 500 characters and without names or numbers of people")]
    Reason,
    #[error("{0} has asked for this exclusion; a second person confirms it")]
    SecondPerson(String),
    #[error("the quota of {0} is full meanwhile; the response stays excluded")]
    NoRoom(String),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// A response of an application that is conspicuous, or that somebody has decided about.
#[derive(Debug, Clone)]
pub struct ConspicuousResponse {
    /// The pseudonym of the case, as in datasets.
    pub case: String,
    pub is_complete: bool,
    pub mode: String,
    /// The time on the pages so far.
    pub seconds: Option<u64>,
    pub is_speeding: bool,
    pub is_straight_lined: bool,
    pub is_duplicate: bool,
    /// The number of its cluster on this page, and what its members share.
    pub cluster: Option<(usize, SharedPlace)>,
    pub completed_at: Option<Timestamp>,
    pub review: Option<ResponseReview>,
}

impl ConspicuousResponse {
    fn is_conspicuous(&self) -> bool {
        self.is_speeding
            || self.is_straight_lined
            || self.is_duplicate
            || self.cluster.is_some()
            || self.review.is_some()
    }
}

/// A cluster, with its members in this application.
#[derive(Debug, Clone)]
pub struct ClusterOverview {
    pub number: usize,
    pub shared: SharedPlace,
    /// People of the applicant, in all its applications.
    pub people: usize,
    /// How many of its cases belong to this application.
    pub cases: usize,
}

/// What staff see of an application's conspicuous responses.
#[derive(Debug, Clone)]
pub struct ConspicuousResponses {
    pub clusters: Vec<ClusterOverview>,
    pub responses: Vec<ConspicuousResponse>,
    /// The cases of all complete, partial and excluded responses.
    pub cases: BTreeSet<String>,
    pub needs_second_person: bool,
}

/// Lists the conspicuous responses of an application, those in clusters first. Speeding, straight
/// lines and duplicates are determined when a version is frozen.
pub async fn conspicuous(
    context: &AppContext,
    code: &str,
) -> Result<ConspicuousResponses, ResponseQualityError> {
    let mut connection = context.database.read().await?;
    let application = applications::find(&mut connection, code)
        .await?
        .ok_or_else(|| ResponseQualityError::UnknownApplication(code.to_owned()))?;
    let clusters = clusters_of(context, &mut connection, application.applicant_id).await?;
    let order = cases::sampled_by_pseudonym(&mut connection, application.id).await?;
    let records = cases::records(&mut connection, &order).await?;
    let reported: BTreeMap<CaseId, (String, Disposition)> = records
        .into_iter()
        .filter(|record| !record.is_withdrawn)
        .filter(|record| is_response(record.disposition))
        .map(|record| (record.id, (record.pseudonym, record.disposition)))
        .collect();
    let visits = paradata::of_application(&mut connection, application.id).await?;
    let reviews: BTreeMap<CaseId, ResponseReview> =
        origins::reviews(&mut connection, application.id).await?.into_iter().collect();
    let own: Vec<_> = clusters
        .iter()
        .filter(|cluster| cluster.cases.iter().any(|case| reported.contains_key(case)))
        .zip(1..)
        .collect();
    let mut all = Vec::new();
    for response in responses::of_application(&mut connection, application.id).await? {
        let Some((pseudonym, disposition)) = reported.get(&response.case) else { continue };
        let cluster = own.iter().find(|(cluster, _)| cluster.cases.contains(&response.case));
        let time = visits.get(&response.id).map(|visits| paradata::total_time(visits).as_secs());
        let quality = response.quality;
        all.push(ConspicuousResponse {
            case: pseudonym.clone(),
            is_complete: *disposition != Disposition::Partial,
            mode: response.last_mode,
            seconds: quality.seconds.map(u64::from).or(time),
            is_speeding: quality.speeding == Some(true),
            is_straight_lined: quality.straight_lining == Some(true),
            is_duplicate: quality.duplicate == Some(true),
            cluster: cluster.map(|(cluster, number)| (*number, cluster.shared)),
            completed_at: response.completed_at,
            review: reviews.get(&response.case).cloned(),
        });
    }
    let cases = all.iter().map(|response| response.case.clone()).collect();
    all.retain(ConspicuousResponse::is_conspicuous);
    let order = |one: &ConspicuousResponse| {
        (one.cluster.map_or(usize::MAX, |(number, _)| number), one.case.clone())
    };
    all.sort_by_key(order);
    let overview = |(cluster, number): &(&crate::domain::origin::Cluster<CaseId>, usize)| {
        let of_own: BTreeSet<_> =
            cluster.cases.iter().filter(|case| reported.contains_key(case)).collect();
        ClusterOverview {
            number: *number,
            shared: cluster.shared,
            people: cluster.people,
            cases: of_own.len(),
        }
    };
    Ok(ConspicuousResponses {
        clusters: own.iter().map(overview).collect(),
        responses: all,
        cases,
        needs_second_person: context.config.quality.needs_second_person,
    })
}

/// Returns the applications with members of clusters that nobody has decided about: their codes, and
/// how many responses.
pub async fn to_be_reviewed(context: &AppContext) -> Result<Vec<(String, u64)>, DatabaseError> {
    let mut connection = context.database.read().await?;
    let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
    for applicant in origins::applicants_with_clusters(&mut connection).await? {
        let cases: Vec<CaseId> = clusters_of(context, &mut connection, applicant)
            .await?
            .into_iter()
            .flat_map(|cluster| cluster.cases)
            .collect();
        for code in origins::undecided(&mut connection, &cases).await? {
            *waiting.entry(code).or_default() += 1;
        }
    }
    Ok(waiting.into_iter().collect())
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewOutcome {
    Decided,
    /// A second person has to agree.
    Waiting,
}

/// Accepts or excludes a response. Where two people exclude, the first one's decision waits for
/// somebody else's. While the field is open, an excluded complete gives its place in the quota
/// back, and one that is accepted again takes a place if there is one.
pub async fn decide(
    context: &AppContext,
    actor: &Actor,
    code: &str,
    case: &str,
    verdict: ReviewVerdict,
    reason: &str,
) -> Result<ReviewOutcome, ResponseQualityError> {
    let reason = reason.trim();
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, code)
        .await?
        .ok_or_else(|| ResponseQualityError::UnknownApplication(code.to_owned()))?;
    let no_response =
        || ResponseQualityError::NoResponse { application: code.to_owned(), case: case.to_owned() };
    let (id, cells, disposition, is_withdrawn) =
        origins::lock_case(&mut tx, application.id, case).await?.ok_or_else(no_response)?;
    if !is_response(disposition) || is_withdrawn {
        return Err(no_response());
    }
    let before = origins::review(&mut tx, id).await?;
    let waiting =
        before.clone().filter(|review| review.decided_at.is_none() && review.verdict == verdict);
    // Who refuses what another one has asked for needs no words.
    let earlier = before.as_ref().filter(|review| review.decided_at.is_none());
    let reason = match earlier {
        Some(review) if reason.is_empty() => &review.reason,
        _ => reason,
    };
    if waiting.is_none() && (reason.is_empty() || reason.chars().count() > MAX_REASON) {
        return Err(ResponseQualityError::Reason);
    }
    let needs_second =
        verdict == ReviewVerdict::Excluded && context.config.quality.needs_second_person;
    let review = match waiting {
        Some(review) if review.requested_by == actor.name => {
            return Err(ResponseQualityError::SecondPerson(review.requested_by));
        }
        Some(review) => {
            ResponseReview { decided_by: Some(actor.name.clone()), decided_at: Some(now), ..review }
        }
        None => ResponseReview {
            verdict,
            reason: reason.to_owned(),
            requested_by: actor.name.clone(),
            requested_at: now,
            decided_by: (!needs_second).then(|| actor.name.clone()),
            decided_at: (!needs_second).then_some(now),
            disposition: match (disposition, &before) {
                (Disposition::Excluded, Some(before)) => before.disposition,
                _ => disposition,
            },
        },
    };
    let place = Place { application: &application, case: id, cells, disposition };
    place.settle(&mut tx, &review, now).await?;
    origins::save_review(&mut tx, id, &review).await?;
    let detail = format!("{case} {}", verdict.as_str());
    let object = format!("application:{code}");
    let action = Action::ResponseReviewed;
    context.audit_with_detail(&mut tx, actor, action, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(match review.decided_at {
        Some(_) => ReviewOutcome::Decided,
        None => ReviewOutcome::Waiting,
    })
}

/// Whether a case has answers that a dataset has.
pub fn is_response(disposition: Disposition) -> bool {
    matches!(disposition, Disposition::Complete | Disposition::Partial | Disposition::Excluded)
}

/// The place of a response in the quota cells.
struct Place<'a> {
    application: &'a Application,
    case: CaseId,
    cells: i64,
    disposition: Disposition,
}

impl Place<'_> {
    /// Carries a decision out: gives the place back, or takes it again.
    async fn settle(
        &self,
        tx: &mut WriteTx,
        review: &ResponseReview,
        now: Timestamp,
    ) -> Result<(), ResponseQualityError> {
        let is_excluded = self.disposition == Disposition::Excluded;
        if review.is_excluded() == is_excluded || review.decided_at.is_none() {
            return Ok(());
        }
        if review.disposition == Disposition::Complete {
            let (case, application) = (self.case, self.application.id);
            if is_excluded {
                let candidate = QuotaCandidate { case, application, cells: self.cells };
                if quotas::count_complete(tx, candidate, now).await? != CellReservation::Granted {
                    return Err(ResponseQualityError::NoRoom(self.application.code.clone()));
                }
            } else {
                stored_quotas::lock(tx, application).await?;
                stored_quotas::subtract_complete(tx, application, self.cells).await?;
            }
        }
        let to = if is_excluded { review.disposition } else { Disposition::Excluded };
        cases::correct_disposition(tx, &[self.case], to, DispositionSource::Staff, now).await?;
        Ok(())
    }
}
