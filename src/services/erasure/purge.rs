//! Forgets all people of an applicant: the database is blanked, then the applicant's key is destroyed, so that no backup can be read either, then the
//! certificate is signed. A crash in between leaves a certificate that is not signed, and the next round does the rest.

use std::path::Path;

use chrono::Months;
use serde_json::{Value, json};

use super::{Order, RetentionError, certificate};
use crate::domain::ids::ApplicantId;
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::erasure::{self, Applicant, CertificateKind, Hold};
use crate::adapters::database::{WriteTx, programmes};

/// Why an applicant's people are still there, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Forgotten(Timestamp),
    LegalHold,
    InField,
    /// No list has come yet.
    Nobody,
    /// The programme names no time.
    ByHandOnly,
    NotYet(Timestamp),
    /// The time is over, but these datasets are not with the scoring step: applications with what is missing.
    Waits(Vec<(String, &'static str)>),
    Due(Timestamp),
}

impl Standing {
    /// In Chinese and in English.
    pub fn words(&self, shown: impl Fn(Timestamp) -> String) -> (String, String) {
        let plain = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        match self {
            Standing::Forgotten(at) => (format!("已于 {} 清除", shown(*at)), format!("forgotten on {}", shown(*at))),
            Standing::LegalHold => plain("法律保全中", "under a legal hold"),
            Standing::InField => plain("调查进行中", "in the field"),
            Standing::Nobody => plain("尚无名单", "no list yet"),
            Standing::ByHandOnly => plain("仅人工清除：项目未设保留期", "by hand only: the programme sets no retention_months"),
            Standing::NotYet(due) => (format!("保留至 {}", shown(*due)), format!("kept until {}", shown(*due))),
            Standing::Waits(missing) => {
                let zh: Vec<String> = missing.iter().map(|(application, what)| format!("{application} {}", missing_in_chinese(what))).collect();
                let en: Vec<String> = missing.iter().map(|(application, what)| format!("{application} is {what}")).collect();
                (format!("已到期，但评分端尚缺：{}", zh.join("、")), format!("overdue, but scoring has not everything: {}", en.join(", ")))
            }
            Standing::Due(since) => (format!("自 {} 起应清除", shown(*since)), format!("to be forgotten since {}", shown(*since))),
        }
    }
}

fn missing_in_chinese(what: &str) -> &'static str {
    match what {
        "unreleased" => "待审阅",
        "unwritten" => "待写出",
        "on the way" => "交付中",
        "rejected" => "被退回",
        _ => "尚无反馈",
    }
}

#[derive(Debug, Clone)]
pub struct Review {
    pub applicant: Applicant,
    pub standing: Standing,
}

/// How it stands with every applicant.
pub async fn review(installation: &Installation) -> Result<Vec<Review>, RetentionError> {
    let now = installation.clock.now();
    let mut connection = installation.store.read().await?;
    let mut all = Vec::new();
    for applicant in erasure::applicants(&mut connection).await? {
        let programme = programmes::get(&mut connection, applicant.programme_id).await?;
        let mut standing = standing(&applicant, &programme, now);
        if let Standing::Due(_) = standing {
            // Where the scoring step can answer, it must have.
            let can_answer = installation.config.delivery.token.is_some();
            let mut missing = erasure::not_handed_over(&mut connection, applicant.id).await?;
            missing.retain(|(_, what)| can_answer || *what != erasure::UNANSWERED);
            if !missing.is_empty() {
                standing = Standing::Waits(missing);
            }
        }
        all.push(Review { applicant, standing });
    }
    Ok(all)
}

fn standing(applicant: &Applicant, programme: &Programme, now: Timestamp) -> Standing {
    if let Some(at) = applicant.purged_at {
        return Standing::Forgotten(at);
    }
    if applicant.hold.is_some() {
        return Standing::LegalHold;
    }
    if applicant.in_field > 0 {
        return Standing::InField;
    }
    let Some(done) = applicant.done_at else { return Standing::Nobody };
    let Some(months) = programme.retention_months else { return Standing::ByHandOnly };
    let day = done.date(programme.time_zone).checked_add_months(Months::new(months));
    match day.map(|day| Timestamp::start_of_day(day, programme.time_zone)) {
        Some(due) if due <= now => Standing::Due(due),
        Some(due) => Standing::NotYet(due),
        None => Standing::ByHandOnly,
    }
}

/// Forgets the people of every applicant whose time is over; returns how many applicants.
pub async fn purge_due(installation: &Installation) -> Result<u64, RetentionError> {
    finish(installation).await?;
    let mut purged = 0;
    for Review { applicant, standing } in review(installation).await? {
        match standing {
            Standing::Due(_) => match purge(installation, applicant.id, Order { who: "fieldworkd", reason: "retention" }).await {
                // Somebody was faster, or it was put under a hold meanwhile.
                Err(RetentionError::Forgotten(_) | RetentionError::LegalHold { .. } | RetentionError::InField(_)) => {}
                done => {
                    done?;
                    purged += 1;
                }
            },
            Standing::Waits(missing) => {
                let missing: Vec<String> = missing.into_iter().map(|(application, what)| format!("{application} ({what})")).collect();
                tracing::warn!(applicant = applicant.code, missing = missing.join(", "), "people are not forgotten: datasets are not handed over");
            }
            _ => {}
        }
    }
    Ok(purged)
}

/// Forgets the people of one applicant, whatever the programme's time.
pub async fn purge(installation: &Installation, id: ApplicantId, order: Order<'_>) -> Result<(), RetentionError> {
    if order.reason.trim().is_empty() {
        return Err(RetentionError::NoReason);
    }
    let mut tx = installation.store.write().await?;
    let applicant = erasure::lock(&mut tx, id).await?;
    if applicant.purged_at.is_some() {
        return Err(RetentionError::Forgotten(applicant.code));
    }
    refuse_held(&applicant)?;
    if applicant.in_field > 0 {
        return Err(RetentionError::InField(applicant.code));
    }
    blank(installation, &mut tx, &applicant, order).await?;
    tx.commit().await?;
    finish(installation).await
}

pub(super) fn refuse_held(applicant: &Applicant) -> Result<(), RetentionError> {
    match &applicant.hold {
        None => Ok(()),
        Some(Hold { reason, since, .. }) => {
            Err(RetentionError::LegalHold { code: applicant.code.clone(), since: since.rfc3339(chrono_tz::UTC), reason: reason.clone() })
        }
    }
}

/// Blanks the database, and notes the certificate that is owed.
pub(super) async fn blank(installation: &Installation, tx: &mut WriteTx, applicant: &Applicant, order: Order<'_>) -> Result<(), RetentionError> {
    let now = installation.clock.now();
    let people = erasure::people_of(tx, applicant.id).await?;
    let blanked = erasure::blank(tx, &people, now).await?;
    erasure::set_purged(tx, applicant.id, now).await?;
    let applications: Vec<String> = erasure::applications_of(tx, applicant.id).await?.into_iter().map(|(_, code)| code).collect();
    let mut body = certificate::begin(CertificateKind::Purge, applicant, &applications, &blanked, order, now);
    body.insert("handed_over".into(), certificate::handed_over(erasure::handed_over(tx, applicant.id).await?));
    erasure::begin_certificate(tx, applicant.id, CertificateKind::Purge, &Value::Object(body).to_string()).await?;
    Ok(())
}

/// Does the rest of every purge that is not certified yet: destroys the key, removes our own copies of datasets that tell open answers, signs.
pub async fn finish(installation: &Installation) -> Result<(), RetentionError> {
    let owed =
        erasure::certificates(&mut *installation.store.read().await?).await?.into_iter().filter(|certificate| certificate.signature.is_none());
    for owed in owed {
        installation.keys.destroy(&owed.key_id, &owed.body)?;
        let folders = erasure::folders_with_sealed_cells(&mut *installation.store.read().await?, owed.applicant).await?;
        let mut removed = 0;
        for folder in &folders {
            removed += u64::from(remove(installation, folder)?);
        }
        let mut body = certificate::read(&owed.body)?;
        if let Some(Value::Object(deleted)) = body.get_mut("deleted") {
            deleted.insert("key".into(), json!(owed.key_id));
            deleted.insert("dataset_folders".into(), json!(removed));
        }
        let now = installation.clock.now();
        let (text, signature) = certificate::complete(installation, body, now)?;
        let mut tx = installation.store.write().await?;
        if erasure::issue(&mut tx, owed.id, &text, &signature, now).await? {
            tx.commit().await?;
            tracing::info!(applicant = owed.applicant_code, certificate = owed.id, "the people of an applicant are forgotten");
        }
    }
    Ok(())
}

/// Only what lies in the folder of our datasets: the database may have come from another machine. False: it is not there, or left there.
fn remove(installation: &Installation, folder: &str) -> Result<bool, RetentionError> {
    let path = Path::new(folder);
    if !path.exists() {
        return Ok(false);
    }
    if !path.starts_with(&installation.config.datasets) {
        tracing::warn!(folder, "a dataset lies outside of dataset.folder and is left there; remove it by hand");
        return Ok(false);
    }
    std::fs::remove_dir_all(path).map_err(|error| RetentionError::Folder { path: folder.to_owned(), error })?;
    Ok(true)
}

/// Puts an applicant under a legal hold, or lifts it (`hold` is `None`).
pub async fn set_hold(installation: &Installation, id: ApplicantId, hold: Option<Order<'_>>) -> Result<(), RetentionError> {
    let mut tx = installation.store.write().await?;
    let applicant = erasure::lock(&mut tx, id).await?;
    if applicant.purged_at.is_some() {
        return Err(RetentionError::Forgotten(applicant.code));
    }
    match (hold, &applicant.hold) {
        (Some(Order { reason, .. }), _) if reason.trim().is_empty() => return Err(RetentionError::NoReason),
        (Some(_), Some(_)) => return refuse_held(&applicant),
        (None, None) => return Err(RetentionError::NoHold(applicant.code)),
        _ => {}
    }
    let hold = hold.map(|order| Hold { reason: order.reason.trim().to_owned(), since: installation.clock.now(), who: order.who.to_owned() });
    erasure::set_hold(&mut tx, id, hold.as_ref()).await?;
    tx.commit().await?;
    Ok(())
}
