//! The data behind personal links: everything that a page needs and that may change, for any number
//! of links in one statement.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::responses::StoredValue;
use super::{DatabaseError, Result, decode_enum};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CampaignId, CaseId, InvitationId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// An invitation with its cases.
#[derive(Clone)]
pub struct LinkedInvitation {
    pub id: InvitationId,
    pub campaign_id: CampaignId,
    /// Revision of the programme, incremented with every change of its rules.
    pub programme_revision: i64,
    pub language: Language,
    pub opened_at: Option<Timestamp>,
    /// Version of the privacy notice with an active consent.
    pub consent: Option<String>,
    pub has_withdrawn: bool,
    /// In the order in which they are asked.
    pub cases: Vec<LinkedCase>,
}

#[derive(Clone)]
pub struct LinkedCase {
    pub id: CaseId,
    pub application: ApplicationId,
    pub segment: String,
    pub fields_sealed: Option<Vec<u8>>,
    pub disposition: Disposition,
    pub is_open: bool,
    /// Whether it was finished after its field had closed.
    pub is_late: bool,
    pub in_field: bool,
    pub field_closes_at: Timestamp,
    /// Its known cells: bit `n` for cell `n`.
    pub cell_mask: i64,
    /// Whether all questions that the cells depend on have been asked.
    pub is_quota_decided: bool,
    /// Its cells that take no more answers.
    pub closed_cell_mask: i64,
    pub answers: Vec<(String, StoredValue)>,
}

/// Returns the invitations behind these links, by the hashes of their codes; unknown links are
/// omitted.
pub async fn find_by_hashes(
    connection: &mut AnyConnection,
    link_hashes: &[&str],
) -> Result<HashMap<String, LinkedInvitation>> {
    let engine = Engine::of_connection(connection);
    let sql = format!(
        "SELECT i.token_hash, i.id, i.campaign_id, i.opened_at, i.language, i.consent, \
            i.has_withdrawn, p.revision,
                c.id AS case_id, c.application_id, c.segment, c.fields_sealed, c.disposition, \
                c.is_open, c.late_at, a.state, a.field_closes_at, c.cell_mask, c.is_quota_decided,
                c.cell_mask & a.closed_cell_mask AS closed_cell_mask,
                (SELECT {} FROM response s JOIN answer w ON w.response_id = s.id WHERE s.case_id \
                = c.id) AS answers
         FROM invitation i
         JOIN campaign k ON k.id = i.campaign_id
         JOIN programme p ON p.id = k.programme_id
         JOIN survey_case c ON c.invitation_id = i.id
         JOIN application a ON a.id = c.application_id
         WHERE i.token_hash {} ORDER BY i.id, a.code",
        engine.json_rows(&[
            ("w.item", ColumnType::Text),
            ("w.value", ColumnType::Text),
            ("w.value_sealed", ColumnType::HexBytes)
        ]),
        engine.in_list(1, ColumnType::Text)
    );
    let rows =
        sqlx::query(statement(sql)).bind(to_param(link_hashes)).fetch_all(connection).await?;
    let mut found: HashMap<String, LinkedInvitation> = HashMap::with_capacity(link_hashes.len());
    for row in rows {
        let case = case_of(&row)?;
        let hash: String = row.try_get("token_hash")?;
        match found.get_mut(&hash) {
            Some(linked) => linked.cases.push(case),
            None => _ = found.insert(hash, linked_of(&row, case)?),
        }
    }
    Ok(found)
}

fn linked_of(row: &AnyRow, first: LinkedCase) -> Result<LinkedInvitation> {
    Ok(LinkedInvitation {
        id: InvitationId(row.try_get("id")?),
        campaign_id: CampaignId(row.try_get("campaign_id")?),
        programme_revision: row.try_get("revision")?,
        language: decode_enum(
            "a language",
            &row.try_get::<String, _>("language")?,
            Language::parse,
        )?,
        opened_at: row.try_get::<Option<i64>, _>("opened_at")?.map(Timestamp),
        consent: row.try_get("consent")?,
        has_withdrawn: row.try_get::<i64, _>("has_withdrawn")? > 0,
        cases: vec![first],
    })
}

fn case_of(row: &AnyRow) -> Result<LinkedCase> {
    type AnswerRow = (String, Option<String>, Option<String>);
    let answers: Option<String> = row.try_get("answers")?;
    let answers: Vec<AnswerRow> = match &answers {
        Some(json) => serde_json::from_str(json)
            .map_err(|e| DatabaseError::Unreadable { what: "answers", value: e.to_string() })?,
        None => Vec::new(),
    };
    let value = |(item, plain, sealed): AnswerRow| match sealed {
        None => Ok((item, StoredValue::Plain(plain.unwrap_or_default()))),
        Some(hex) => match data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()) {
            Ok(bytes) => Ok((item, StoredValue::Sealed(bytes))),
            Err(error) => {
                Err(DatabaseError::Unreadable { what: "a sealed answer", value: error.to_string() })
            }
        },
    };
    Ok(LinkedCase {
        id: CaseId(row.try_get("case_id")?),
        application: ApplicationId(row.try_get("application_id")?),
        segment: row.try_get("segment")?,
        fields_sealed: row.try_get("fields_sealed")?,
        disposition: decode_enum(
            "a disposition",
            &row.try_get::<String, _>("disposition")?,
            Disposition::from_code,
        )?,
        is_open: row.try_get::<i64, _>("is_open")? == 1,
        is_late: row.try_get::<Option<i64>, _>("late_at")?.is_some(),
        in_field: row.try_get::<String, _>("state")? == "in_field",
        field_closes_at: Timestamp(row.try_get::<Option<i64>, _>("field_closes_at")?.unwrap_or(0)),
        cell_mask: row.try_get("cell_mask")?,
        is_quota_decided: row.try_get::<i64, _>("is_quota_decided")? == 1,
        closed_cell_mask: row.try_get("closed_cell_mask")?,
        answers: answers.into_iter().map(value).collect::<Result<_>>()?,
    })
}

/// The recipient of an invitation.
pub struct InvitedPerson {
    pub phone_hash: String,
    /// Time zone, if it differs from the plan's.
    pub zone: Option<String>,
    /// Id of the key that opens this person's sealed data.
    pub key_id: String,
    pub is_mobile: bool,
    pub phone_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
    pub language: Language,
    pub campaign: String,
    pub applicant: String,
}

pub async fn invited_person(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<InvitedPerson> {
    type Row = (String, Option<String>, String, String, Vec<u8>, Vec<u8>, String, String, String);
    let sql = "SELECT r.phone_hash, r.zone, a.key_id, r.phone_kind, r.phone_sealed, \
        r.person_sealed, i.language, k.code, a.name
               FROM invitation i JOIN respondent r ON r.id = i.respondent_id JOIN applicant a ON \
               a.id = r.applicant_id JOIN campaign k ON k.id = i.campaign_id
               WHERE i.id = $1";
    let (
        phone_hash,
        zone,
        key_id,
        kind,
        phone_sealed,
        person_sealed,
        language,
        campaign,
        applicant,
    ): Row = sqlx::query_as(sql).bind(invitation.0).fetch_one(connection).await?;
    Ok(InvitedPerson {
        phone_hash,
        zone,
        key_id,
        is_mobile: kind == "mobile",
        phone_sealed,
        person_sealed,
        language: decode_enum("a language", &language, Language::parse)?,
        campaign,
        applicant,
    })
}

/// Returns the case of an invitation at a position in the order in which they are asked.
pub async fn case_at_position(
    connection: &mut AnyConnection,
    link_hash: &str,
    place: usize,
) -> Result<Option<CaseId>> {
    let sql = "SELECT c.id FROM invitation i JOIN survey_case c ON c.invitation_id = i.id JOIN \
        application a ON a.id = c.application_id
               WHERE i.token_hash = $1 ORDER BY a.code LIMIT 1 OFFSET $2";
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let id: Option<i64> = sqlx::query_scalar(sql)
        .bind(link_hash.to_owned())
        .bind(place)
        .fetch_optional(connection)
        .await?;
    Ok(id.map(CaseId))
}
