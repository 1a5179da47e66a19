//! Respondents and list imports.

use std::collections::HashMap;

use serde_json::json;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, HexBytes, to_param};
use super::dialect::{Engine, statement};
use super::{Result, decode_enum, events, further_numbers};
use crate::domain::event::EventKind;
use crate::domain::ids::{ApplicantId, ApplicationId, RespondentId};
use crate::domain::language::Language;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;

/// A respondent to be stored; everything personal is already sealed or hashed.
#[derive(Debug, Clone)]
pub struct NewRespondent {
    pub phone_hash: String,
    /// Of the further numbers.
    pub further_hashes: Vec<String>,
    pub name_hash: String,
    pub phone_kind: &'static str,
    pub phone_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
    pub language: Language,
    pub zone: Option<String>,
}

/// The counts of one import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub rows_read: u64,
    pub accepted: u64,
    pub merged: u64,
    pub rejected: u64,
    /// People who were left out of a list over the limit.
    pub left_out: u64,
    /// Of a random draw among them: its seed, and the number of people it drew from.
    pub draw: Option<(u32, u64)>,
}

/// Returns when the same file was imported for the same applications, if it was.
pub async fn find_import(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
    content_hash: &str,
    applications: &str,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT imported_at FROM list_import WHERE applicant_id = $1 AND content_hash = $2 \
        AND applications = $3";
    let at: Option<i64> = sqlx::query_scalar(sql)
        .bind(applicant.0)
        .bind(content_hash.to_owned())
        .bind(applications.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(at.map(Timestamp))
}

pub async fn add_import(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    content_hash: &str,
    applications: &str,
    counts: ImportCounts,
    now: Timestamp,
) -> Result<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let sql = "INSERT INTO list_import (applicant_id, content_hash, applications, rows_read, \
        accepted, merged, rejected, imported_at, left_out, draw_seed, drawn_from)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(sql)
        .bind(applicant.0)
        .bind(content_hash.to_owned())
        .bind(applications.to_owned())
        .bind(number(counts.rows_read))
        .bind(number(counts.accepted))
        .bind(number(counts.merged))
        .bind(number(counts.rejected))
        .bind(now.0)
        .bind(number(counts.left_out))
        .bind(counts.draw.map(|(seed, _)| i64::from(seed)))
        .bind(counts.draw.map(|(_, from)| number(from)))
        .execute(&mut *tx)
        .await?;
    let codes: Vec<&str> = applications.split(',').collect();
    let data = json!({ "applications": codes, "rows": counts.rows_read, "accepted": counts.accepted, "merged": counts.merged, "rejected": counts.rejected });
    events::publish(tx, EventKind::ListImported, &data, now).await
}

/// Returns which of these numbers the applicant has submitted before, with the applications in
/// which they have cases.
pub async fn existing_respondents(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
    phone_hashes: &[String],
) -> Result<HashMap<String, (RespondentId, Vec<ApplicationId>)>> {
    let mut known: HashMap<String, (RespondentId, Vec<ApplicationId>)> = HashMap::new();
    let sql = format!(
        "SELECT r.phone_hash, r.id, c.application_id
         FROM respondent r LEFT JOIN survey_case c ON c.respondent_id = r.id
         WHERE r.applicant_id = $1 AND r.phone_hash {}",
        Engine::of_connection(connection).in_list(2, ColumnType::Text)
    );
    let rows: Vec<(String, i64, Option<i64>)> = sqlx::query_as(statement(sql))
        .bind(applicant.0)
        .bind(to_param(phone_hashes))
        .fetch_all(connection)
        .await?;
    for (hash, id, application) in rows {
        let entry = known.entry(hash).or_insert((RespondentId(id), Vec::new()));
        entry.1.extend(application.map(ApplicationId));
    }
    Ok(known)
}

/// Returns the id of the respondent who was stored last.
pub async fn last_respondent(connection: &mut AnyConnection) -> Result<RespondentId> {
    let id: Option<i64> =
        sqlx::query_scalar("SELECT MAX(id) FROM respondent").fetch_one(connection).await?;
    Ok(RespondentId(id.unwrap_or(0)))
}

/// Stores new respondents and returns their ids by hash. Numbers that the applicant has submitted
/// before are left unchanged and omitted.
pub async fn add_respondents(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    respondents: &[&NewRespondent],
    now: Timestamp,
) -> Result<HashMap<String, RespondentId>> {
    let columns = [
        ("phone_hash", ColumnType::Text),
        ("name_hash", ColumnType::Text),
        ("phone_kind", ColumnType::Text),
        ("phone_sealed", ColumnType::HexBytes),
        ("person_sealed", ColumnType::HexBytes),
        ("language", ColumnType::Text),
        ("zone", ColumnType::Text),
    ];
    let sql = format!(
        "INSERT INTO respondent (applicant_id, phone_hash, name_hash, phone_kind, phone_sealed, \
            person_sealed, language, zone, created_at, further_numbers_hashed)
         SELECT $1, v.phone_hash, v.name_hash, v.phone_kind, v.phone_sealed, v.person_sealed, \
         v.language, v.zone, $2, 1 FROM ({}) AS v WHERE true
         ON CONFLICT (applicant_id, phone_hash) DO NOTHING RETURNING phone_hash, id",
        Engine::of_connection(tx).select_rows(3, &columns)
    );
    let new = to_param(respondents.iter().map(|p| {
        (
            &p.phone_hash,
            &p.name_hash,
            p.phone_kind,
            HexBytes(&p.phone_sealed),
            HexBytes(&p.person_sealed),
            p.language.tag(),
            &p.zone,
        )
    }));
    let rows: Vec<(String, i64)> = sqlx::query_as(statement(sql))
        .bind(applicant.0)
        .bind(now.0)
        .bind(new)
        .fetch_all(&mut *tx)
        .await?;
    let ids: HashMap<String, RespondentId> =
        rows.into_iter().map(|(hash, id)| (hash, RespondentId(id))).collect();
    let mut further: Vec<(RespondentId, &str)> = Vec::new();
    for person in respondents {
        if let Some(&id) = ids.get(&person.phone_hash) {
            further.extend(person.further_hashes.iter().map(|hash| (id, hash.as_str())));
        }
    }
    further_numbers::add(tx, &further).await?;
    Ok(ids)
}

/// Returns respondents without a name hash, with their key and their sealed personal data.
pub async fn without_name_hash(
    connection: &mut AnyConnection,
    limit: u32,
) -> Result<Vec<(RespondentId, String, Vec<u8>)>> {
    let sql = "SELECT r.id, a.key_id, r.person_sealed FROM respondent r JOIN applicant a ON a.id \
        = r.applicant_id WHERE r.name_hash = '' LIMIT $1";
    let rows: Vec<(i64, String, Vec<u8>)> =
        sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, key, sealed)| (RespondentId(id), key, sealed)).collect())
}

pub async fn set_name_hash(tx: &mut AnyConnection, person: RespondentId, hash: &str) -> Result<()> {
    sqlx::query("UPDATE respondent SET name_hash = $2 WHERE id = $1")
        .bind(person.0)
        .bind(hash.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// The counts of the lists that were imported for an application, and when, oldest first.
pub async fn imports_of(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
    application_code: &str,
) -> Result<Vec<(ImportCounts, Timestamp)>> {
    let sql = "SELECT rows_read, accepted, merged, rejected, imported_at, left_out, draw_seed, \
        drawn_from FROM list_import
               WHERE applicant_id = $1 AND ',' || applications || ',' LIKE '%,' || $2 || ',%'
               ORDER BY imported_at, id";
    type Row = (i64, i64, i64, i64, i64, i64, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(applicant.0)
        .bind(application_code.to_owned())
        .fetch_all(connection)
        .await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let counts = |(rows_read, accepted, merged, rejected, at, left_out, seed, from): Row| {
        let seed = seed.and_then(|seed| u32::try_from(seed).ok());
        let counts = ImportCounts {
            rows_read: count(rows_read),
            accepted: count(accepted),
            merged: count(merged),
            rejected: count(rejected),
            left_out: count(left_out),
            draw: seed.zip(from.map(count)),
        };
        (counts, Timestamp(at))
    };
    Ok(rows.into_iter().map(counts).collect())
}

/// Lists imports with rejected rows whose applications are not launched yet: application codes,
/// number of rows, number of rejected rows, and time.
pub async fn with_rejected_rows(
    connection: &mut AnyConnection,
) -> Result<Vec<(String, u64, u64, Timestamp)>> {
    let sql = "SELECT l.applications, l.rows_read, l.rejected, l.imported_at FROM list_import l
               WHERE l.rejected > 0 AND EXISTS (SELECT 1 FROM application a WHERE a.applicant_id \
               = l.applicant_id AND a.state = 'registered'
                                                AND ',' || l.applications || ',' LIKE '%,' || \
                                                a.code || ',%')
               ORDER BY l.imported_at";
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|(codes, read, rejected, at)| (codes, count(read), count(rejected), Timestamp(at)))
        .collect())
}

/// Counts the cases of an application by segment.
pub async fn names_by_segment(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<std::collections::BTreeMap<Segment, u32>> {
    let sql = "SELECT segment, COUNT(*) AS names FROM survey_case WHERE application_id = $1 \
        GROUP BY segment";
    let rows = sqlx::query(sql).bind(application.0).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok((
                Segment::parse(&row.try_get::<String, _>("segment")?),
                count(row.try_get("names")?),
            ))
        })
        .collect()
}

/// The sealed personal data of an application's respondent, with the data that launch checks need.
#[derive(Debug, Clone)]
pub struct ListedPerson {
    pub respondent: RespondentId,
    pub applications: Vec<ApplicationId>,
    pub phone_hash: String,
    pub is_mobile: bool,
    pub person_sealed: Vec<u8>,
    pub phone_sealed: Vec<u8>,
    pub language: Language,
    pub zone: Option<String>,
}

/// Returns the people who have an open case in one of these applications, each once, in list order.
pub async fn people_of(
    connection: &mut AnyConnection,
    applications: &[ApplicationId],
) -> Result<Vec<ListedPerson>> {
    let sql = format!(
        "SELECT r.id, c.application_id, r.phone_hash, r.phone_kind, r.person_sealed, \
            r.phone_sealed, r.language, r.zone
         FROM survey_case c JOIN respondent r ON r.id = c.respondent_id
         WHERE c.is_open = 1 AND r.erased_at IS NULL AND c.application_id {}
         ORDER BY r.id, c.application_id",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    type Row = (i64, i64, String, String, Vec<u8>, Vec<u8>, String, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(to_param(applications.iter().map(|a| a.0)))
        .fetch_all(connection)
        .await?;
    let mut people: Vec<ListedPerson> = Vec::new();
    for (id, application, phone_hash, phone_kind, person_sealed, phone_sealed, language, zone) in
        rows
    {
        match people.last_mut() {
            Some(last) if last.respondent.0 == id => {
                last.applications.push(ApplicationId(application))
            }
            _ => people.push(ListedPerson {
                respondent: RespondentId(id),
                applications: vec![ApplicationId(application)],
                phone_hash,
                is_mobile: phone_kind == "mobile",
                person_sealed,
                phone_sealed,
                language: decode_enum("a language", &language, Language::parse)?,
                zone,
            }),
        }
    }
    Ok(people)
}

/// Returns the sealed personal data of an application's respondents.
pub async fn sealed_persons(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let sql = "SELECT r.person_sealed, r.phone_sealed FROM survey_case c JOIN respondent r ON \
        r.id = c.respondent_id
               WHERE c.application_id = $1 AND r.erased_at IS NULL";
    Ok(sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?)
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
