//! Erases all people of an applicant: blanks their rows in the database, destroys the applicant's
//! key, so that no backup can be read either, and signs the certificate. A crash in between leaves
//! an unsigned certificate, and the next round finishes the purge.

use std::path::Path;

use chrono::Months;
use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::{ErasureError, ErasureOrder, certificate, scrub};
use crate::adapters::database::erasure::{
    self, Applicant, Certificate, CertificateKind, LegalHold,
};
use crate::adapters::database::{WriteTx, campaign_notes, programmes};
use crate::domain::ids::ApplicantId;
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

/// The state of an applicant's people with respect to their purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurgeStatus {
    Erased(Timestamp),
    LegalHold,
    InField,
    /// No list is imported yet.
    NoList,
    /// The programme sets no retention period.
    ByHandOnly,
    KeptUntil(Timestamp),
    /// The retention period is over, but these datasets are not with the scoring step: applications
    /// with what is missing.
    AwaitsScoring(Vec<(String, &'static str)>),
    Due(Timestamp),
}

impl PurgeStatus {
    /// Returns the labels in Chinese and English.
    pub fn labels(&self, format_time: impl Fn(Timestamp) -> String) -> (String, String) {
        let plain = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        match self {
            PurgeStatus::Erased(at) => (
                format!("已于 {} 清除", format_time(*at)),
                format!("deleted on {}", format_time(*at)),
            ),
            PurgeStatus::LegalHold => plain("法律保全中", "under a legal hold"),
            PurgeStatus::InField => plain("调查进行中", "in the field"),
            PurgeStatus::NoList => plain("尚无名单", "no list yet"),
            PurgeStatus::ByHandOnly => plain(
                "仅人工清除：项目未设保留期",
                "by hand only: the programme sets no retention_months",
            ),
            PurgeStatus::KeptUntil(due) => (
                format!("保留至 {}", format_time(*due)),
                format!("kept until {}", format_time(*due)),
            ),
            PurgeStatus::AwaitsScoring(missing) => {
                let zh: Vec<String> = missing
                    .iter()
                    .map(|(application, what)| format!("{application} {}", missing_in_zh(what)))
                    .collect();
                let en: Vec<String> = missing
                    .iter()
                    .map(|(application, what)| format!("{application} is {what}"))
                    .collect();
                (
                    format!("已到期，但评分端尚缺：{}", zh.join("、")),
                    format!("overdue, but scoring has not everything: {}", en.join(", ")),
                )
            }
            PurgeStatus::Due(since) => (
                format!("自 {} 起应清除", format_time(*since)),
                format!("to be deleted since {}", format_time(*since)),
            ),
        }
    }
}

fn missing_in_zh(what: &str) -> &'static str {
    match what {
        "unreleased" => "待审阅",
        "unwritten" => "待写出",
        "on the way" => "交付中",
        "rejected" => "被退回",
        _ => "尚无反馈",
    }
}

#[derive(Debug, Clone)]
pub struct PurgeReview {
    pub applicant: Applicant,
    pub status: PurgeStatus,
}

/// Returns the purge status of every applicant.
pub async fn review_applicants(context: &AppContext) -> Result<Vec<PurgeReview>, ErasureError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let mut all = Vec::new();
    for applicant in erasure::applicants(&mut connection).await? {
        let status = review(context, &mut connection, &applicant, now).await?;
        all.push(PurgeReview { applicant, status });
    }
    Ok(all)
}

async fn review(
    context: &AppContext,
    connection: &mut AnyConnection,
    applicant: &Applicant,
    now: Timestamp,
) -> Result<PurgeStatus, ErasureError> {
    let programme = programmes::get(connection, applicant.programme_id).await?;
    let status = status_of(applicant, &programme, now);
    if let PurgeStatus::Due(_) = status {
        // Where the scoring step can send a verdict, it must have sent one.
        let can_answer = context.config.delivery.token.is_some();
        let mut missing = erasure::undelivered_versions(connection, applicant.id).await?;
        missing.retain(|(_, what)| can_answer || *what != erasure::AWAITING_VERDICT);
        if !missing.is_empty() {
            return Ok(PurgeStatus::AwaitsScoring(missing));
        }
    }
    Ok(status)
}

fn status_of(applicant: &Applicant, programme: &Programme, now: Timestamp) -> PurgeStatus {
    if let Some(at) = applicant.purged_at {
        return PurgeStatus::Erased(at);
    }
    if applicant.hold.is_some() {
        return PurgeStatus::LegalHold;
    }
    if applicant.in_field > 0 {
        return PurgeStatus::InField;
    }
    let Some(done) = applicant.done_at else { return PurgeStatus::NoList };
    let Some(months) = programme.retention_months else { return PurgeStatus::ByHandOnly };
    let day = done.date(programme.time_zone).checked_add_months(Months::new(months));
    match day.map(|day| Timestamp::start_of_day(day, programme.time_zone)) {
        Some(due) if due <= now => PurgeStatus::Due(due),
        Some(due) => PurgeStatus::KeptUntil(due),
        None => PurgeStatus::ByHandOnly,
    }
}

/// Erases the people of every applicant whose retention period is over. Returns the number of
/// applicants. One that cannot be erased holds up no other.
pub async fn purge_due(context: &AppContext) -> Result<u64, ErasureError> {
    finish_purges(context).await?;
    let applicants = erasure::applicants(&mut *context.database.read().await?).await?;
    let mut isolation = Isolation::load(context, WorkKind::Purge).await?;
    let mut purged = 0;
    for applicant in applicants {
        if !isolation.holds_back(&applicant.code) {
            let result = purge_if_due(context, &applicant).await;
            purged += u64::from(isolation.record(&applicant.code, result).await? == Some(true));
        }
    }
    Ok(purged)
}

/// Returns whether the applicant's people were erased.
async fn purge_if_due(context: &AppContext, applicant: &Applicant) -> Result<bool, ErasureError> {
    let mut connection = context.database.read().await?;
    let status = review(context, &mut connection, applicant, context.clock.now()).await?;
    drop(connection);
    match status {
        PurgeStatus::Due(_) => {
            let order = ErasureOrder { actor: "fieldworkd", reason: "retention" };
            match purge(context, applicant.id, order).await {
                // Another process was faster, or the applicant was put under a legal hold meanwhile.
                Err(
                    ErasureError::AlreadyErased(_)
                    | ErasureError::LegalHold { .. }
                    | ErasureError::InField(_),
                ) => Ok(false),
                done => done.map(|()| true),
            }
        }
        PurgeStatus::AwaitsScoring(missing) => {
            let missing: Vec<String> = missing
                .into_iter()
                .map(|(application, what)| format!("{application} ({what})"))
                .collect();
            tracing::warn!(
                applicant = applicant.code,
                missing = missing.join(", "),
                "personal data not deleted: scoring has not everything"
            );
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Erases the people of one applicant, whatever the programme's retention period.
pub async fn purge(
    context: &AppContext,
    id: ApplicantId,
    order: ErasureOrder<'_>,
) -> Result<(), ErasureError> {
    if order.reason.trim().is_empty() {
        return Err(ErasureError::NoReason);
    }
    let mut tx = context.database.write().await?;
    let applicant = erasure::lock(&mut tx, id).await?;
    if applicant.purged_at.is_some() {
        return Err(ErasureError::AlreadyErased(applicant.code));
    }
    check_legal_hold(&applicant)?;
    if applicant.in_field > 0 {
        return Err(ErasureError::InField(applicant.code));
    }
    blank_people(context, &mut tx, &applicant, order).await?;
    tx.commit().await?;
    scrub(context).await;
    for pending in pending_certificates(context).await? {
        if pending.applicant == id {
            finish_purge(context, &pending).await?;
        }
    }
    Ok(())
}

pub(super) fn check_legal_hold(applicant: &Applicant) -> Result<(), ErasureError> {
    match &applicant.hold {
        None => Ok(()),
        Some(LegalHold { reason, since, .. }) => Err(ErasureError::LegalHold {
            code: applicant.code.clone(),
            since: since.rfc3339(chrono_tz::UTC),
            reason: reason.clone(),
        }),
    }
}

/// Blanks the people's rows in the database, and records the pending certificate.
pub(super) async fn blank_people(
    context: &AppContext,
    tx: &mut WriteTx,
    applicant: &Applicant,
    order: ErasureOrder<'_>,
) -> Result<(), ErasureError> {
    let now = context.clock.now();
    let people = erasure::people_of(tx, applicant.id).await?;
    let blanked = erasure::erase_personal_data(tx, &people, now).await?;
    erasure::set_purged(tx, applicant.id, now).await?;
    // Nobody can tell whom a comment is about: it goes with the first of those that it may be.
    campaign_notes::delete_of_applicant(tx, applicant.id).await?;
    let applications: Vec<String> = erasure::applications_of(tx, applicant.id)
        .await?
        .into_iter()
        .map(|(_, code)| code)
        .collect();
    let mut body =
        certificate::begin(CertificateKind::Purge, applicant, &applications, &blanked, order, now);
    body.insert(
        "handed_over".into(),
        certificate::handed_over(erasure::delivered_versions(tx, applicant.id).await?),
    );
    erasure::begin_certificate(
        tx,
        applicant.id,
        CertificateKind::Purge,
        &Value::Object(body).to_string(),
    )
    .await?;
    Ok(())
}

/// The certificates that are not signed yet.
async fn pending_certificates(context: &AppContext) -> Result<Vec<Certificate>, ErasureError> {
    let mut all = erasure::certificates(&mut *context.database.read().await?).await?;
    all.retain(|certificate| certificate.signature.is_none());
    Ok(all)
}

/// Finishes every purge without a signed certificate. One that cannot be finished holds up no other.
pub async fn finish_purges(context: &AppContext) -> Result<(), ErasureError> {
    let pending = pending_certificates(context).await?;
    if pending.is_empty() {
        return Ok(());
    }
    scrub(context).await;
    let mut isolation = Isolation::load(context, WorkKind::Purge).await?;
    for pending in pending {
        let item = format!("{} certificate {}", pending.applicant_code, pending.id);
        if !isolation.holds_back(&item) {
            let result = finish_purge(context, &pending).await;
            isolation.record(&item, result).await?;
        }
    }
    Ok(())
}

/// Destroys the key, removes the local copies of datasets with open answers, and signs.
async fn finish_purge(context: &AppContext, pending: &Certificate) -> Result<(), ErasureError> {
    context.keys.destroy(&pending.key_id, &pending.body)?;
    let folders =
        erasure::folders_with_sealed_cells(&mut *context.database.read().await?, pending.applicant)
            .await?;
    let mut removed = 0;
    for folder in &folders {
        removed += u64::from(remove_dataset_folder(context, folder)?);
    }
    let mut body = certificate::read(&pending.body)?;
    if let Some(Value::Object(deleted)) = body.get_mut("deleted") {
        deleted.insert("key".into(), json!(pending.key_id));
        deleted.insert("dataset_folders".into(), json!(removed));
    }
    let now = context.clock.now();
    let (text, signature) = certificate::complete_and_sign(context, body, now)?;
    let mut tx = context.database.write().await?;
    if erasure::issue(&mut tx, pending.id, &text, &signature, now).await? {
        tx.commit().await?;
        tracing::info!(
            applicant = pending.applicant_code,
            certificate = pending.id,
            "the personal data of an applicant is deleted"
        );
    }
    Ok(())
}

/// Removes a dataset folder only if it lies in the configured dataset folder: the database may come
/// from another machine. Returns `false` if it does not exist or was not removed.
fn remove_dataset_folder(context: &AppContext, folder: &str) -> Result<bool, ErasureError> {
    let path = Path::new(folder);
    if !path.exists() {
        return Ok(false);
    }
    if !path.starts_with(&context.config.datasets) {
        tracing::warn!(
            folder,
            "a dataset lies outside of dataset.folder and is left there; remove it by hand"
        );
        return Ok(false);
    }
    std::fs::remove_dir_all(path)
        .map_err(|error| ErasureError::Folder { path: folder.to_owned(), error })?;
    Ok(true)
}

/// Puts an applicant under a legal hold, or lifts it (`hold` is `None`).
pub async fn set_hold(
    context: &AppContext,
    id: ApplicantId,
    hold: Option<ErasureOrder<'_>>,
) -> Result<(), ErasureError> {
    let mut tx = context.database.write().await?;
    let applicant = erasure::lock(&mut tx, id).await?;
    if applicant.purged_at.is_some() {
        return Err(ErasureError::AlreadyErased(applicant.code));
    }
    match (hold, &applicant.hold) {
        (Some(ErasureOrder { reason, .. }), _) if reason.trim().is_empty() => {
            return Err(ErasureError::NoReason);
        }
        (Some(_), Some(_)) => return check_legal_hold(&applicant),
        (None, None) => return Err(ErasureError::NoLegalHold(applicant.code)),
        _ => {}
    }
    let hold = hold.map(|order| LegalHold {
        reason: order.reason.trim().to_owned(),
        since: context.clock.now(),
        actor: order.actor.to_owned(),
    });
    erasure::set_hold(&mut tx, id, hold.as_ref()).await?;
    tx.commit().await?;
    Ok(())
}
