//! Cases and their dispositions.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, HexBytes, to_param};
use super::dialect::{Engine, statement};
use super::messages::{QUESTION, STEP};
use super::{Result, WriteTx, decode_enum};
use crate::domain::contact_plan::MessageKind;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CampaignId, CaseId, InvitationId, RespondentId};
use crate::domain::quota::CellMembership;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct NewCase {
    pub application: ApplicationId,
    pub respondent: RespondentId,
    pub segment: Segment,
    pub pseudonym: String,
    pub fields_sealed: Option<Vec<u8>>,
}

/// Stores new cases as not attempted yet.
pub async fn add(tx: &mut AnyConnection, cases: &[NewCase], now: Timestamp) -> Result<()> {
    let columns = [
        ("application_id", ColumnType::Number),
        ("respondent_id", ColumnType::Number),
        ("segment", ColumnType::Text),
        ("pseudonym", ColumnType::Text),
        ("fields_sealed", ColumnType::HexBytes),
    ];
    let sql = format!(
        "INSERT INTO survey_case (application_id, respondent_id, segment, pseudonym, \
            fields_sealed, disposition, disposed_at, is_open)
         SELECT v.application_id, v.respondent_id, v.segment, v.pseudonym, v.fields_sealed, $1, \
         $2, 1 FROM ({}) AS v",
        Engine::of_connection(tx).select_rows(3, &columns)
    );
    let new = to_param(cases.iter().map(|case| {
        let fields = case.fields_sealed.as_deref().map(HexBytes);
        (case.application.0, case.respondent.0, case.segment.as_str(), &case.pseudonym, fields)
    }));
    sqlx::query(statement(sql))
        .bind(Disposition::NotAttempted.code())
        .bind(now.0)
        .bind(new)
        .execute(tx)
        .await?;
    Ok(())
}

/// The origin of a disposition change, as recorded in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DispositionSource {
    Gateway,
    Web,
    Reply,
    /// An interviewer, by telephone.
    Telephone,
    /// A paper form that came back, as staff keyed it in or noted it.
    Paper,
    Staff,
    /// What was known before the first contact.
    Launch,
    Close,
    /// Answers that arrived after the field had closed.
    Late,
}

impl DispositionSource {
    pub fn as_str(self) -> &'static str {
        match self {
            DispositionSource::Gateway => "gateway",
            DispositionSource::Web => "web",
            DispositionSource::Reply => "reply",
            DispositionSource::Telephone => "telephone",
            DispositionSource::Paper => "paper",
            DispositionSource::Staff => "staff",
            DispositionSource::Launch => "launch",
            DispositionSource::Close => "close",
            DispositionSource::Late => "late",
        }
    }
}

/// Sets the disposition of open cases and writes their history; a final disposition closes them.
/// Closed cases are left alone, and so are cases not at one of `only_from` unless it is empty.
/// Returns the number of changed cases.
pub async fn set_disposition(
    tx: &mut AnyConnection,
    cases: &[CaseId],
    to: Disposition,
    only_from: &[Disposition],
    source: DispositionSource,
    now: Timestamp,
) -> Result<u64> {
    let from = if only_from.is_empty() { &Disposition::ALL[..] } else { only_from };
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "UPDATE survey_case SET disposition = $1, disposed_at = $2, is_open = $3
         WHERE is_open = 1 AND disposition <> $1 AND disposition {} AND id {}
         RETURNING id",
        engine.in_list(4, ColumnType::Text),
        engine.in_list(5, ColumnType::Number)
    );
    let ids: Vec<i64> = sqlx::query_scalar(statement(sql))
        .bind(to.code())
        .bind(now.0)
        .bind(i64::from(!to.is_final()))
        .bind(to_param(from.iter().map(|disposition| disposition.code())))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(&mut *tx)
        .await?;
    write_history(tx, &ids, to, source, now).await?;
    Ok(ids.len() as u64)
}

/// Sets the disposition of the invitations' open cases that are at one of `only_from`, and writes
/// their history.
pub async fn set_disposition_of_invitations(
    tx: &mut WriteTx,
    invitations: &[InvitationId],
    to: Disposition,
    only_from: &[Disposition],
    source: DispositionSource,
    now: Timestamp,
) -> Result<()> {
    if invitations.is_empty() {
        return Ok(());
    }
    let engine = tx.engine();
    let from: Vec<String> =
        only_from.iter().map(|disposition| format!("'{}'", disposition.code())).collect();
    let those = format!(
        "disposition IN ({}) AND is_open = 1 AND invitation_id {}",
        from.join(", "),
        engine.in_list(2, ColumnType::Number)
    );
    let moved = format!(
        "disposition = '{}', disposed_at = $1{}",
        to.code(),
        if to.is_final() { ", is_open = 0" } else { "" }
    );
    let history = format!("'{}', '{}', $1", to.code(), source.as_str());
    let ids = to_param(invitations.iter().map(|invitation| invitation.0));
    for sql in engine.change_with_history(&those, &moved, &history) {
        sqlx::query(statement(sql)).bind(now.0).bind(ids.clone()).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Corrects the disposition of closed cases after later information, and writes their history.
pub async fn correct_disposition(
    tx: &mut AnyConnection,
    cases: &[CaseId],
    to: Disposition,
    source: DispositionSource,
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "UPDATE survey_case SET disposition = $1, disposed_at = $2 WHERE is_open = 0 AND \
            disposition <> $1 AND id {} RETURNING id",
        Engine::of_connection(tx).in_list(3, ColumnType::Number)
    );
    let those = to_param(cases.iter().map(|case| case.0));
    let ids: Vec<i64> = sqlx::query_scalar(statement(sql))
        .bind(to.code())
        .bind(now.0)
        .bind(those)
        .fetch_all(&mut *tx)
        .await?;
    write_history(tx, &ids, to, source, now).await
}

/// Returns the cell mask of a case.
pub async fn cells_of(connection: &mut AnyConnection, case: CaseId) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT cell_mask FROM survey_case WHERE id = $1")
        .bind(case.0)
        .fetch_one(connection)
        .await?)
}

/// Returns the open cases of these invitations with their applications and cell masks.
pub async fn cells_of_invitations(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<Vec<(InvitationId, ApplicationId, i64)>> {
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Number);
    let sql = format!(
        "SELECT invitation_id, application_id, cell_mask FROM survey_case WHERE is_open = 1 AND \
            invitation_id {among} ORDER BY id"
    );
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(invitation, application, cells)| {
            (InvitationId(invitation), ApplicationId(application), cells)
        })
        .collect())
}

/// Records that a case was finished after its field had closed.
pub async fn mark_late(tx: &mut AnyConnection, case: CaseId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE survey_case SET late_at = $2 WHERE id = $1")
        .bind(case.0)
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// A case whose answers are withdrawn with the consent.
#[derive(Debug, Clone, Copy)]
pub struct WithdrawnCase {
    pub case: CaseId,
    pub application: ApplicationId,
    pub cell_mask: i64,
    /// Whether it was counted in its cells.
    pub is_complete: bool,
}

/// Locks and returns the cases of an invitation that have answers.
pub async fn lock_answered(
    tx: &mut WriteTx,
    invitation: InvitationId,
) -> Result<Vec<WithdrawnCase>> {
    let sql = format!(
        "SELECT id, application_id, cell_mask, disposition FROM survey_case
         WHERE invitation_id = $1 AND withdrawn_at IS NULL AND disposition IN ('1.1', '1.2', \
         '2.12', '2.361') ORDER BY id{}",
        tx.engine().for_update()
    );
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(statement(sql)).bind(invitation.0).fetch_all(&mut **tx).await?;
    let row = |(id, application, cell_mask, disposition): (i64, i64, i64, String)| WithdrawnCase {
        case: CaseId(id),
        application: ApplicationId(application),
        cell_mask,
        is_complete: disposition == Disposition::Complete.code(),
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Records that the consent to these cases' answers was withdrawn.
pub async fn mark_withdrawn(
    tx: &mut AnyConnection,
    cases: &[CaseId],
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "UPDATE survey_case SET withdrawn_at = $1, is_open = 0 WHERE id {}",
        Engine::of_connection(tx).in_list(2, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(now.0)
        .bind(to_param(cases.iter().map(|case| case.0)))
        .execute(tx)
        .await?;
    Ok(())
}

async fn write_history(
    tx: &mut AnyConnection,
    cases: &[i64],
    to: Disposition,
    source: DispositionSource,
    now: Timestamp,
) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO disposition_change (case_id, disposition, source, changed_at)
         SELECT id, $1, $2, $3 FROM survey_case WHERE id {}",
        Engine::of_connection(tx).in_list(4, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to.code())
        .bind(source.as_str())
        .bind(now.0)
        .bind(to_param(cases))
        .execute(tx)
        .await?;
    Ok(())
}

/// Closes cases and keeps their dispositions.
pub async fn close_keeping_disposition(tx: &mut AnyConnection, cases: &[CaseId]) -> Result<()> {
    let sql = format!(
        "UPDATE survey_case SET is_open = 0 WHERE id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql)).bind(to_param(cases.iter().map(|case| case.0))).execute(tx).await?;
    Ok(())
}

/// Adds a case to the sample.
pub async fn add_to_sample(tx: &mut AnyConnection, case: CaseId) -> Result<()> {
    sqlx::query("UPDATE survey_case SET is_sampled = 1 WHERE id = $1")
        .bind(case.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Locks a case to the end of the transaction; other writers wait. Returns false if it is closed.
pub async fn lock_open(tx: &mut WriteTx, case: CaseId) -> Result<bool> {
    lock(tx, &[case]).await?;
    let open: Option<i64> = sqlx::query_scalar("SELECT is_open FROM survey_case WHERE id = $1")
        .bind(case.0)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(open == Some(1))
}

/// Locks cases to the end of the transaction, in the order of their ids.
pub async fn lock(tx: &mut WriteTx, cases: &[CaseId]) -> Result<()> {
    let engine = tx.engine();
    let sql = format!(
        "SELECT id FROM survey_case WHERE id {} ORDER BY id{}",
        engine.in_list(1, ColumnType::Number),
        engine.for_update()
    );
    sqlx::query(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(&mut **tx)
        .await?;
    Ok(())
}

/// Returns the open cases of these invitations.
pub async fn open_of_invitations(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<Vec<CaseId>> {
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Number);
    let sql = format!(
        "SELECT id FROM survey_case WHERE is_open = 1 AND invitation_id {among} ORDER BY id"
    );
    let ids: Vec<i64> = sqlx::query_scalar(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(CaseId).collect())
}

/// Whose outcomes are counted.
#[derive(Debug, Clone, Copy)]
pub enum OutcomeScope {
    Campaign(CampaignId),
    Application(ApplicationId),
}

/// Cases with the same outcome.
#[derive(Debug, Clone)]
pub struct OutcomeRow {
    pub application: String,
    pub segment: String,
    /// The last step of the plan that had been submitted before the respondent first reacted;
    /// without any reaction, the last step.
    pub wave: Option<u32>,
    pub disposition: Disposition,
    pub cases: u64,
}

pub async fn outcomes(
    connection: &mut AnyConnection,
    scope: OutcomeScope,
) -> Result<Vec<OutcomeRow>> {
    type Row = (String, String, Option<i64>, String, i64);
    let (condition, id) = match scope {
        OutcomeScope::Campaign(id) => ("a.campaign_id = $1", id.0),
        OutcomeScope::Application(id) => ("a.id = $1", id.0),
    };
    let sql = format!(
        "SELECT code, segment, CASE WHEN paper_step > contact OR contact IS NULL THEN \
        COALESCE(paper_step, contact) ELSE contact END AS wave, disposition, COUNT(*)
               FROM (SELECT code, segment, disposition, paper_step, CASE WHEN call_step > wave OR \
               wave IS NULL THEN COALESCE(call_step, wave) ELSE wave END AS contact FROM (
                   SELECT a.code, c.segment, c.disposition,
                          (SELECT MAX(q.step) FROM paper_printing q JOIN paper_run u ON u.id = \
                          q.run_id
                           WHERE q.case_id = c.id AND (u.printed_at <= COALESCE(r.started_at, \
                           c.disposed_at) OR c.is_open = 1)) AS paper_step,
                          (SELECT MAX(p.step) FROM phone_call p
                           WHERE p.invitation_id = c.invitation_id AND p.is_attempt = 1
                             AND (p.begun_at <= COALESCE(r.started_at, c.disposed_at) OR \
                             c.is_open = 1)) AS call_step,
                          (SELECT MAX(m.number) FROM message m
                           WHERE m.invitation_id = c.invitation_id AND m.kind = {STEP}
                             AND (m.submitted_at <= COALESCE(r.started_at, c.disposed_at) OR \
                             c.disposition IN ('2.20', '2.21', '2.22', '3.11', '3.12', '3.13', \
                             '3.19', '3.30', '3.31', '3.32', '3.33', '3.34'))
                             AND m.state IN ('accepted', 'delivered', 'undelivered', 'in_doubt', \
                             'refused')) AS wave
                   FROM survey_case c
                   JOIN application a ON a.id = c.application_id
                   LEFT JOIN response r ON r.case_id = c.id
                   WHERE {condition} AND c.is_sampled = 1) AS found) AS outcome
               GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql)).bind(id).fetch_all(connection).await?;
    let row = |(application, segment, wave, disposition, cases): Row| {
        Ok(OutcomeRow {
            application,
            segment,
            wave: wave.and_then(|wave| u32::try_from(wave).ok()),
            disposition: decode_enum("a disposition", &disposition, Disposition::from_code)?,
            cases: u64::try_from(cases).unwrap_or(0),
        })
    };
    rows.into_iter().map(row).collect()
}

/// A case's values from the list: the segment and the list fields that the application keeps.
#[derive(Debug, Clone)]
pub struct CaseListFacts {
    pub segment: String,
    pub fields_sealed: Option<Vec<u8>>,
}

pub async fn listed_facts(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<HashMap<CaseId, CaseListFacts>> {
    let rows: Vec<(i64, String, Option<Vec<u8>>)> = sqlx::query_as(
        "SELECT id, segment, fields_sealed FROM survey_case WHERE application_id = $1",
    )
    .bind(application.0)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, segment, fields_sealed)| (CaseId(id), CaseListFacts { segment, fields_sealed }))
        .collect())
}

/// Stores the cell masks of cases, and whether all questions that the cells depend on have been
/// asked.
pub async fn set_cells(tx: &mut AnyConnection, cells: &[(CaseId, CellMembership)]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE survey_case SET cell_mask = v.cell_mask, is_quota_decided = v.is_decided FROM \
            ({}) AS v WHERE survey_case.id = v.id",
        Engine::of_connection(tx).select_rows(
            1,
            &[
                ("id", ColumnType::Number),
                ("cell_mask", ColumnType::Number),
                ("is_decided", ColumnType::Number)
            ]
        )
    );
    let given = to_param(cells.iter().map(|(case, membership)| {
        (case.0, membership.cell_mask, i64::from(membership.is_decided))
    }));
    sqlx::query(statement(sql)).bind(given).execute(tx).await?;
    Ok(())
}

/// A case's data for a dataset.
#[derive(Debug, Clone)]
pub struct CaseRecord {
    pub id: CaseId,
    pub pseudonym: String,
    pub segment: String,
    pub fields_sealed: Option<Vec<u8>>,
    pub disposition: Disposition,
    pub disposed_at: Timestamp,
    /// Contacts: messages that the person had not asked for, calls, and paper forms.
    pub attempts: i64,
    /// Questions of an interview by SMS.
    pub questions: i64,
    pub first_attempt_at: Option<Timestamp>,
    pub last_attempt_at: Option<Timestamp>,
    pub delivered: bool,
    pub opened_at: Option<Timestamp>,
    /// Whether the consent was withdrawn.
    pub is_withdrawn: bool,
}

/// Returns the sampled cases of an application, ordered by pseudonym, which reveals nothing of the
/// list's order.
pub async fn sampled_by_pseudonym(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<CaseId>> {
    let sql = "SELECT id FROM survey_case WHERE application_id = $1 AND is_sampled = 1 ORDER BY \
        pseudonym";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(application.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(CaseId).collect())
}

/// Returns the list values of an application's sampled cases: segments and sealed fields.
pub async fn listed_values(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<(String, Option<Vec<u8>>)>> {
    let sql = "SELECT segment, fields_sealed FROM survey_case WHERE application_id = $1 AND \
        is_sampled = 1";
    Ok(sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?)
}

/// A case of a list, drawn or not, as weights see it.
#[derive(Debug, Clone)]
pub struct ListedCase {
    pub segment: String,
    pub fields_sealed: Option<Vec<u8>>,
    pub disposition: Disposition,
    pub is_sampled: bool,
    /// Whether the consent was withdrawn.
    pub is_withdrawn: bool,
}

/// Returns all cases of an application, those of held-back replicates as well.
pub async fn listed(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<ListedCase>> {
    let sql = "SELECT segment, fields_sealed, disposition, is_sampled, CASE WHEN withdrawn_at IS \
        NULL THEN 0 ELSE 1 END FROM survey_case WHERE application_id = $1";
    type Row = (String, Option<Vec<u8>>, String, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let row = |(segment, fields_sealed, disposition, sampled, withdrawn): Row| {
        Ok(ListedCase {
            segment,
            fields_sealed,
            disposition: decode_enum("a disposition", &disposition, Disposition::from_code)?,
            is_sampled: sampled == 1,
            is_withdrawn: withdrawn == 1,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Counts the cases of an application whose consent to counted answers was withdrawn.
pub async fn withdrawn(connection: &mut AnyConnection, application: ApplicationId) -> Result<u64> {
    let sql =
        "SELECT COUNT(*) FROM survey_case WHERE application_id = $1 AND withdrawn_at IS NOT NULL";
    let count: i64 = sqlx::query_scalar(sql).bind(application.0).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// What the panel pseudonyms of cases are made from: the hash of the number, and the version of the
/// notice that the person has agreed to.
pub async fn panel_facts(
    connection: &mut AnyConnection,
    cases: &[CaseId],
) -> Result<HashMap<CaseId, (String, String)>> {
    let sql = format!(
        "SELECT c.id, r.phone_hash, i.consent FROM survey_case c
         JOIN respondent r ON r.id = c.respondent_id JOIN invitation i ON i.id = c.invitation_id
         WHERE r.erased_at IS NULL AND i.consent IS NOT NULL AND c.id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, String, String)> = sqlx::query_as(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, hash, consent)| (CaseId(id), (hash, consent))).collect())
}

/// The place of each case in the order in which the questionnaires behind its link are asked, from
/// 1, and their number.
pub async fn bundle_places(
    connection: &mut AnyConnection,
    cases: &[CaseId],
) -> Result<HashMap<CaseId, (i64, i64)>> {
    let others = "SELECT COUNT(*) FROM survey_case o JOIN application b ON b.id = o.application_id \
        WHERE o.invitation_id = c.invitation_id";
    let sql = format!(
        "SELECT c.id, ({others} AND b.code <= a.code), ({others})
         FROM survey_case c JOIN application a ON a.id = c.application_id
         WHERE c.invitation_id IS NOT NULL AND c.id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, place, size)| (CaseId(id), (place, size))).collect())
}

/// Returns these cases, ordered by pseudonym.
pub async fn records(connection: &mut AnyConnection, cases: &[CaseId]) -> Result<Vec<CaseRecord>> {
    type Row = (
        i64,
        String,
        String,
        Option<Vec<u8>>,
        String,
        i64,
        i64,
        Option<i64>,
        Option<i64>,
        i64,
        Option<i64>,
        Option<i64>,
        i64,
        Option<i64>,
        Option<i64>,
        i64,
    );
    let others = "FROM (SELECT p.begun_at AS at FROM phone_call p WHERE p.invitation_id = \
        c.invitation_id AND p.is_attempt = 1 AND p.purpose = 'interview'
        UNION ALL SELECT u.printed_at FROM paper_printing q JOIN paper_run u ON u.id = q.run_id \
        WHERE q.case_id = c.id) AS other";
    // What a message was sent for: an interview by SMS goes on from the contact that began it, and a
    // confirmation only answers.
    let contacts: Vec<String> = MessageKind::ALL
        .into_iter()
        .filter(|kind| kind.is_contact())
        .map(|kind| kind.code().to_string())
        .collect();
    let contact =
        |value: &str| format!("CASE WHEN m.kind IN ({}) THEN {value} END", contacts.join(", "));
    let (contact, contacted_at) = (contact("1"), contact("m.submitted_at"));
    let sql = format!(
        "SELECT c.id, c.pseudonym, c.segment, c.fields_sealed, c.disposition, c.disposed_at,
                      COUNT({contact}), MIN({contacted_at}), MAX({contacted_at}),
                      COALESCE(MAX(CASE WHEN m.state = 'delivered' THEN CAST(1 AS BIGINT) ELSE \
                      CAST(0 AS BIGINT) END), CAST(0 AS BIGINT)), MIN(i.opened_at), c.withdrawn_at,
                      (SELECT COUNT(*) {others}), (SELECT MIN(at) {others}), (SELECT MAX(at) \
                      {others}), COUNT(CASE WHEN m.kind = {QUESTION} THEN 1 END)
               FROM survey_case c
               LEFT JOIN invitation i ON i.id = c.invitation_id
               LEFT JOIN message m ON m.invitation_id = c.invitation_id AND m.state IN \
               ('accepted', 'delivered', 'undelivered', 'in_doubt', 'refused')
               WHERE c.id {}
               GROUP BY c.id, c.pseudonym, c.segment, c.fields_sealed, c.disposition, \
               c.disposed_at, c.withdrawn_at, c.invitation_id
               ORDER BY c.pseudonym",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(
            |(
                id,
                pseudonym,
                segment,
                fields_sealed,
                disposition,
                disposed_at,
                messages,
                first,
                last,
                delivered,
                opened,
                withdrawn,
                others,
                first_other,
                last_other,
                questions,
            )| {
                Ok(CaseRecord {
                    id: CaseId(id),
                    pseudonym,
                    segment,
                    fields_sealed,
                    disposition: decode_enum(
                        "a disposition",
                        &disposition,
                        Disposition::from_code,
                    )?,
                    disposed_at: Timestamp(disposed_at),
                    attempts: messages + others,
                    questions,
                    first_attempt_at: [first, first_other]
                        .into_iter()
                        .flatten()
                        .min()
                        .map(Timestamp),
                    last_attempt_at: last.max(last_other).map(Timestamp),
                    delivered: delivered == 1,
                    opened_at: opened.map(Timestamp),
                    is_withdrawn: withdrawn.is_some(),
                })
            },
        )
        .collect()
}

/// Counts the cases of an application by disposition.
pub async fn by_disposition(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<(Disposition, u64)>> {
    let sql = "SELECT disposition, COUNT(*) FROM survey_case WHERE application_id = $1 AND \
        is_sampled = 1 GROUP BY disposition ORDER BY disposition";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(code, cases)| {
            Ok((
                decode_enum("a disposition", &code, Disposition::from_code)?,
                u64::try_from(cases).unwrap_or(0),
            ))
        })
        .collect()
}

/// Returns the open cases of an application with the id of their response, if there is one.
pub async fn open_of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<CaseId>> {
    let sql = "SELECT id FROM survey_case WHERE application_id = $1 AND is_open = 1 ORDER BY id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(application.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(CaseId).collect())
}
