//! Paper forms: who is due for one, print runs, form numbers, and what staff keyed in.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{DatabaseError, Result, WriteTx, decode_enum};
use crate::domain::disposition::Disposition;
use crate::domain::form_number::FormNumber;
use crate::domain::ids::{AccountId, ApplicationId, CampaignId, CaseId, InvitationId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// Adds invitations that have reached a paper step. One that is printed again by a later step waits
/// again.
pub async fn enqueue(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    entries: &[(InvitationId, u32)],
    now: Timestamp,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let columns = [("invitation_id", ColumnType::Number), ("step", ColumnType::Number)];
    let sql = format!(
        "INSERT INTO paper_due (invitation_id, campaign_id, step, entered_at)
         SELECT v.invitation_id, $1, v.step, $2 FROM ({}) AS v WHERE true
         ON CONFLICT (invitation_id) DO UPDATE SET step = excluded.step, entered_at = \
         excluded.entered_at, printed_at = NULL",
        Engine::of_connection(tx).select_rows(3, &columns)
    );
    let new = to_param(entries.iter().map(|(invitation, step)| (invitation.0, *step)));
    sqlx::query(statement(sql)).bind(campaign.0).bind(now.0).bind(new).execute(tx).await?;
    Ok(())
}

/// A case that may get a form, with what decides about it.
#[derive(Debug, Clone)]
pub struct PaperCandidate {
    pub case: CaseId,
    pub invitation: InvitationId,
    pub application: String,
    pub questionnaire: i64,
    pub language: Language,
    pub disposition: Disposition,
    pub is_open: bool,
    pub in_field: bool,
    pub is_held: bool,
    pub is_sampled: bool,
    pub field_closes_at: Timestamp,
    pub has_full_cell: bool,
    /// Whether the person does not want to be contacted: an opt-out or a complaint. A number that
    /// takes no messages says nothing of the address.
    pub is_suppressed: bool,
    pub is_erased: bool,
    /// The plan's step that the person is due by.
    pub step: Option<u32>,
    pub form: Option<(FormNumber, FormState)>,
}

/// What became of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FormState {
    /// Nothing has come back.
    Printed,
    Keyed,
    /// It came after the case had been answered in another mode; its answers are not stored.
    CameAfter,
    Undelivered,
    Refused,
    Blank,
}

impl FormState {
    pub const ALL: [FormState; 6] = [
        FormState::Printed,
        FormState::Keyed,
        FormState::CameAfter,
        FormState::Undelivered,
        FormState::Refused,
        FormState::Blank,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FormState::Printed => "printed",
            FormState::Keyed => "keyed",
            FormState::CameAfter => "came_after",
            FormState::Undelivered => "undelivered",
            FormState::Refused => "refused",
            FormState::Blank => "blank",
        }
    }

    pub fn parse(raw: &str) -> Option<FormState> {
        FormState::ALL.into_iter().find(|state| state.as_str() == raw)
    }

    /// Returns the label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            FormState::Printed => ("未寄回", "not back yet"),
            FormState::Keyed => ("已录入", "keyed in"),
            FormState::CameAfter => ("后到，未采用", "came after, not used"),
            FormState::Undelivered => ("退回（无法投递）", "returned undelivered"),
            FormState::Refused => ("书面拒绝", "refused on paper"),
            FormState::Blank => ("空白退回", "returned blank"),
        }
    }
}

/// Which cases to print.
#[derive(Debug, Clone, Copy)]
pub enum PrintSelection<'a> {
    /// Those that the plan has made due.
    Due,
    Cases(&'a [CaseId]),
}

/// Returns the cases of a campaign to be printed, ordered by application and case.
pub async fn candidates(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    programme: &str,
    selection: PrintSelection<'_>,
    now: Timestamp,
) -> Result<Vec<PaperCandidate>> {
    let (condition, chosen) = match selection {
        // The parameter is bound in both.
        PrintSelection::Due => (
            "d.invitation_id IS NOT NULL AND d.printed_at IS NULL AND $4 = '[]'".to_owned(),
            to_param::<i64>([]),
        ),
        PrintSelection::Cases(cases) => (
            format!("c.id {}", Engine::of_connection(connection).in_list(4, ColumnType::Number)),
            to_param(cases.iter().map(|case| case.0)),
        ),
    };
    let sql = statement(format!(
        "SELECT c.id, c.invitation_id, a.code, a.questionnaire_id, i.language, c.disposition, \
            c.is_open, a.state, a.held_since, c.is_sampled, a.field_closes_at,
                CASE WHEN (c.cell_mask & a.full_cell_mask) = 0 THEN CAST(0 AS BIGINT) ELSE CAST(1 \
                AS BIGINT) END AS full_cell,
                (SELECT COUNT(*) FROM suppression s WHERE s.phone_hash = r.phone_hash AND s.scope \
                IN ('all', $2) AND s.reason <> 'invalid' AND (s.expires_at IS NULL OR \
                s.expires_at > $3)) AS suppressions,
                r.erased_at, CASE WHEN d.printed_at IS NULL THEN d.step END AS step, f.number, \
                f.state AS form_state
         FROM survey_case c
         JOIN application a ON a.id = c.application_id
         JOIN invitation i ON i.id = c.invitation_id
         JOIN respondent r ON r.id = i.respondent_id
         LEFT JOIN paper_due d ON d.invitation_id = c.invitation_id
         LEFT JOIN paper_form f ON f.case_id = c.id
         WHERE i.campaign_id = $1 AND {condition} ORDER BY a.code, c.id"
    ));
    let rows = sqlx::query(sql)
        .bind(campaign.0)
        .bind(programme.to_owned())
        .bind(now.0)
        .bind(chosen)
        .fetch_all(connection)
        .await?;
    rows.iter().map(candidate).collect()
}

fn candidate(row: &AnyRow) -> Result<PaperCandidate> {
    let is_set = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)? > 0);
    let is_filled =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.is_some());
    let number: Option<String> = row.try_get("number")?;
    let form = match number {
        None => None,
        Some(number) => {
            let state: String = row.try_get("form_state")?;
            Some((read_number(&number)?, decode_enum("a form's state", &state, FormState::parse)?))
        }
    };
    Ok(PaperCandidate {
        case: CaseId(row.try_get("id")?),
        invitation: InvitationId(row.try_get("invitation_id")?),
        application: row.try_get("code")?,
        questionnaire: row.try_get::<Option<i64>, _>("questionnaire_id")?.unwrap_or(0),
        language: read_language(row.try_get("language")?)?,
        disposition: decode_enum(
            "a disposition",
            &row.try_get::<String, _>("disposition")?,
            Disposition::from_code,
        )?,
        is_open: is_set("is_open")?,
        in_field: row.try_get::<String, _>("state")? == "in_field",
        is_held: is_filled("held_since")?,
        is_sampled: is_set("is_sampled")?,
        field_closes_at: Timestamp(row.try_get::<Option<i64>, _>("field_closes_at")?.unwrap_or(0)),
        has_full_cell: is_set("full_cell")?,
        is_suppressed: is_set("suppressions")?,
        is_erased: is_filled("erased_at")?,
        step: row.try_get::<Option<i64>, _>("step")?.and_then(|step| u32::try_from(step).ok()),
        form,
    })
}

fn read_number(raw: &str) -> Result<FormNumber> {
    FormNumber::parse(raw)
        .map_err(|_| DatabaseError::Unreadable { what: "a form number", value: raw.to_owned() })
}

fn read_language(raw: String) -> Result<Language> {
    decode_enum("a language", &raw, Language::parse)
}

/// Returns whether a number is in use.
pub async fn is_taken(connection: &mut AnyConnection, number: &FormNumber) -> Result<bool> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM paper_form WHERE number = $1")
        .bind(number.digits().to_owned())
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

/// A form as it is printed.
pub struct NewForm<'a> {
    pub case: CaseId,
    pub number: &'a FormNumber,
    pub questionnaire: i64,
    pub language: Language,
    /// The version of the privacy notice.
    pub notice: &'a str,
}

/// Adds a form, or notes that it was printed again: the number stays, and what came back before is
/// waited for again.
pub async fn put(tx: &mut AnyConnection, form: &NewForm<'_>) -> Result<()> {
    let sql =
        "INSERT INTO paper_form (case_id, number, questionnaire_id, language, notice, state) \
        VALUES ($1, $2, $3, $4, $5, 'printed')
        ON CONFLICT (case_id) DO UPDATE SET language = excluded.language, notice = \
        excluded.notice, state = 'printed', recorded_at = NULL";
    sqlx::query(sql)
        .bind(form.case.0)
        .bind(form.number.digits().to_owned())
        .bind(form.questionnaire)
        .bind(form.language.tag())
        .bind(form.notice.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds a print run with its forms, each with the step that it was due by; what was due is due no
/// more. Returns the run's id.
pub async fn add_run(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    printed_by: &str,
    with_names: bool,
    cases: &[(CaseId, Option<u32>)],
    now: Timestamp,
) -> Result<i64> {
    let sql = "INSERT INTO paper_run (campaign_id, printed_at, printed_by, with_names) VALUES \
        ($1, $2, $3, $4) RETURNING id";
    let run: i64 = sqlx::query_scalar(sql)
        .bind(campaign.0)
        .bind(now.0)
        .bind(printed_by.to_owned())
        .bind(i64::from(with_names))
        .fetch_one(&mut *tx)
        .await?;
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "INSERT INTO paper_printing (run_id, case_id, step) SELECT $1, v.case_id, v.step FROM \
            ({}) AS v",
        engine.select_rows(2, &[("case_id", ColumnType::Number), ("step", ColumnType::Number)])
    );
    sqlx::query(statement(sql))
        .bind(run)
        .bind(to_param(cases.iter().map(|(case, step)| (case.0, *step))))
        .execute(&mut *tx)
        .await?;
    Ok(run)
}

/// Notes that nothing more is due of these invitations.
pub async fn mark_printed(
    tx: &mut AnyConnection,
    invitations: &[InvitationId],
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "UPDATE paper_due SET printed_at = $1 WHERE printed_at IS NULL AND invitation_id {}",
        Engine::of_connection(tx).in_list(2, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(now.0)
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// A print run.
#[derive(Debug, Clone)]
pub struct PrintRun {
    pub id: i64,
    pub campaign: CampaignId,
    pub printed_at: Timestamp,
    pub printed_by: String,
    pub with_names: bool,
    pub forms: u64,
}

const SELECT_RUN: &str = "SELECT r.id, r.campaign_id, r.printed_at, r.printed_by, r.with_names, \
    (SELECT COUNT(*) FROM paper_printing p WHERE p.run_id = r.id) FROM paper_run r";

type RunRow = (i64, i64, i64, String, i64, i64);

fn read_run((id, campaign, at, by, with_names, forms): RunRow) -> PrintRun {
    PrintRun {
        id,
        campaign: CampaignId(campaign),
        printed_at: Timestamp(at),
        printed_by: by,
        with_names: with_names == 1,
        forms: u64::try_from(forms).unwrap_or(0),
    }
}

/// Returns the print runs of a campaign, the latest first.
pub async fn runs(connection: &mut AnyConnection, campaign: CampaignId) -> Result<Vec<PrintRun>> {
    let sql = format!("{SELECT_RUN} WHERE r.campaign_id = $1 ORDER BY r.id DESC");
    let rows: Vec<RunRow> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(read_run).collect())
}

pub async fn run(connection: &mut AnyConnection, id: i64) -> Result<Option<PrintRun>> {
    let sql = format!("{SELECT_RUN} WHERE r.id = $1");
    let row: Option<RunRow> =
        sqlx::query_as(statement(sql)).bind(id).fetch_optional(connection).await?;
    Ok(row.map(read_run))
}

/// Returns the forms of a run: numbers, cases, invitations, and languages as printed.
pub async fn forms_of_run(
    connection: &mut AnyConnection,
    run: i64,
) -> Result<Vec<(FormNumber, CaseId, InvitationId, Language)>> {
    let sql = "SELECT f.number, f.case_id, c.invitation_id, f.language FROM paper_printing p \
        JOIN paper_form f ON f.case_id = p.case_id JOIN survey_case c ON c.id = f.case_id JOIN \
        application a ON a.id = c.application_id
        WHERE p.run_id = $1 ORDER BY a.code, c.id";
    let rows: Vec<(String, i64, i64, String)> =
        sqlx::query_as(sql).bind(run).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(number, case, invitation, language)| {
            let language = read_language(language)?;
            Ok((read_number(&number)?, CaseId(case), InvitationId(invitation), language))
        })
        .collect()
}

/// What happens to a form that was drawn to be keyed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondKeying {
    Wanted,
    Agreed,
    /// The two keyings differ, and nobody has settled it.
    Different,
    Settled,
}

impl SecondKeying {
    const ALL: [SecondKeying; 4] = [
        SecondKeying::Wanted,
        SecondKeying::Agreed,
        SecondKeying::Different,
        SecondKeying::Settled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SecondKeying::Wanted => "wanted",
            SecondKeying::Agreed => "agreed",
            SecondKeying::Different => "different",
            SecondKeying::Settled => "settled",
        }
    }

    fn parse(raw: &str) -> Option<SecondKeying> {
        SecondKeying::ALL.into_iter().find(|state| state.as_str() == raw)
    }
}

/// A form.
#[derive(Debug, Clone)]
pub struct StoredForm {
    pub number: FormNumber,
    pub case: CaseId,
    pub invitation: InvitationId,
    pub application: ApplicationId,
    pub application_code: String,
    pub campaign: CampaignId,
    /// The questionnaire that was printed.
    pub questionnaire: i64,
    pub language: Language,
    pub notice: String,
    pub state: FormState,
    pub recorded_at: Option<Timestamp>,
    pub second_keying: Option<SecondKeying>,
    /// The account of the first keying, with its name.
    pub first_keyer: Option<(AccountId, String)>,
}

/// Returns the form with a number.
pub async fn find(
    connection: &mut AnyConnection,
    number: &FormNumber,
) -> Result<Option<StoredForm>> {
    let sql = "SELECT f.number, f.case_id, c.invitation_id, c.application_id, a.code, \
        i.campaign_id, f.questionnaire_id, f.language, f.notice, f.state, f.recorded_at, \
        f.second_keying, k.account_id, w.name
        FROM paper_form f JOIN survey_case c ON c.id = f.case_id JOIN application a ON a.id = \
        c.application_id JOIN invitation i ON i.id = c.invitation_id
        LEFT JOIN paper_keying k ON k.case_id = f.case_id AND k.pass = 1
        LEFT JOIN account w ON w.id = k.account_id
        WHERE f.number = $1";
    let row = sqlx::query(sql).bind(number.digits().to_owned()).fetch_optional(connection).await?;
    row.as_ref().map(read_form).transpose()
}

fn read_form(row: &AnyRow) -> Result<StoredForm> {
    let second: Option<String> = row.try_get("second_keying")?;
    let keyer: Option<i64> = row.try_get("account_id")?;
    let name: Option<String> = row.try_get("name")?;
    Ok(StoredForm {
        number: read_number(&row.try_get::<String, _>("number")?)?,
        case: CaseId(row.try_get("case_id")?),
        invitation: InvitationId(row.try_get("invitation_id")?),
        application: ApplicationId(row.try_get("application_id")?),
        application_code: row.try_get("code")?,
        campaign: CampaignId(row.try_get("campaign_id")?),
        questionnaire: row.try_get("questionnaire_id")?,
        language: read_language(row.try_get("language")?)?,
        notice: row.try_get("notice")?,
        state: decode_enum(
            "a form's state",
            &row.try_get::<String, _>("state")?,
            FormState::parse,
        )?,
        recorded_at: row.try_get::<Option<i64>, _>("recorded_at")?.map(Timestamp),
        second_keying: second
            .map(|second| decode_enum("a second keying", &second, SecondKeying::parse))
            .transpose()?,
        first_keyer: keyer.map(|keyer| (AccountId(keyer), name.unwrap_or_default())),
    })
}

/// Locks a form to the end of the transaction. Its case is locked before.
pub async fn lock(tx: &mut WriteTx, case: CaseId) -> Result<()> {
    let engine = tx.engine();
    let sql = format!("SELECT case_id FROM paper_form WHERE case_id = $1{}", engine.for_update());
    sqlx::query(statement(sql)).bind(case.0).fetch_all(&mut **tx).await?;
    Ok(())
}

/// Sets what became of a form.
pub async fn set_state(
    tx: &mut AnyConnection,
    case: CaseId,
    state: FormState,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE paper_form SET state = $2, recorded_at = $3 WHERE case_id = $1")
        .bind(case.0)
        .bind(state.as_str())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Sets the day on the form, and whether it is to be keyed a second time.
pub async fn set_first_keying(
    tx: &mut AnyConnection,
    case: CaseId,
    filled_on: Option<&str>,
    is_drawn: bool,
) -> Result<()> {
    let second = is_drawn.then_some(SecondKeying::Wanted.as_str());
    sqlx::query("UPDATE paper_form SET filled_on = $2, second_keying = $3 WHERE case_id = $1")
        .bind(case.0)
        .bind(filled_on.map(str::to_owned))
        .bind(second)
        .execute(tx)
        .await?;
    Ok(())
}

/// Sets what the second keying came to, with the number of items that were compared and that differ.
pub async fn set_second_keying(
    tx: &mut AnyConnection,
    case: CaseId,
    state: SecondKeying,
    counts: (usize, usize),
) -> Result<()> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query(
        "UPDATE paper_form SET second_keying = $2, items_compared = $3, items_different = $4 \
            WHERE case_id = $1",
    )
    .bind(case.0)
    .bind(state.as_str())
    .bind(count(counts.0))
    .bind(count(counts.1))
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that a difference is settled; the counts stay.
pub async fn settle(tx: &mut AnyConnection, case: CaseId) -> Result<()> {
    sqlx::query("UPDATE paper_form SET second_keying = 'settled' WHERE case_id = $1")
        .bind(case.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Stores a keying, replacing an earlier one of the same pass.
pub async fn save_keying(
    tx: &mut AnyConnection,
    case: CaseId,
    pass: i64,
    account: AccountId,
    fields_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO paper_keying (case_id, pass, account_id, keyed_at, fields_sealed) \
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (case_id, pass) DO UPDATE SET account_id = excluded.account_id, keyed_at = \
        excluded.keyed_at, fields_sealed = excluded.fields_sealed";
    sqlx::query(sql)
        .bind(case.0)
        .bind(pass)
        .bind(account.0)
        .bind(now.0)
        .bind(fields_sealed)
        .execute(tx)
        .await?;
    Ok(())
}

/// What somebody keyed.
pub struct StoredKeying {
    pub account: AccountId,
    pub name: String,
    pub at: Timestamp,
    /// `None`: deleted.
    pub fields_sealed: Option<Vec<u8>>,
}

/// Returns the keyings of a form by pass.
pub async fn keyings(
    connection: &mut AnyConnection,
    case: CaseId,
) -> Result<HashMap<i64, StoredKeying>> {
    let sql = "SELECT k.pass, k.account_id, w.name, k.keyed_at, k.fields_sealed FROM paper_keying \
        k JOIN account w ON w.id = k.account_id WHERE k.case_id = $1";
    type Row = (i64, i64, String, i64, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(case.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(pass, account, name, at, fields_sealed)| {
            let account = AccountId(account);
            (pass, StoredKeying { account, name, at: Timestamp(at), fields_sealed })
        })
        .collect())
}

/// Returns the numbers of forms whose second keying is at this state, oldest first, with the account
/// of the first keying.
pub async fn by_second_keying(
    connection: &mut AnyConnection,
    state: SecondKeying,
) -> Result<Vec<(FormNumber, AccountId)>> {
    let sql = "SELECT f.number, k.account_id FROM paper_form f JOIN paper_keying k ON k.case_id = \
        f.case_id AND k.pass = 1 WHERE f.second_keying = $1 ORDER BY k.keyed_at, f.case_id";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(sql).bind(state.as_str()).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(number, account)| Ok((read_number(&number)?, AccountId(account))))
        .collect()
}

/// Returns how many people of a campaign are due for printing.
pub async fn due_count(connection: &mut AnyConnection, campaign: CampaignId) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM paper_due WHERE campaign_id = $1 AND printed_at IS NULL";
    let count: i64 = sqlx::query_scalar(sql).bind(campaign.0).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the forms of a campaign by state.
pub async fn counts(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(FormState, u64)>> {
    let sql = "SELECT f.state, COUNT(*) FROM paper_form f JOIN survey_case c ON c.id = f.case_id \
        JOIN invitation i ON i.id = c.invitation_id WHERE i.campaign_id = $1 GROUP BY f.state";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(sql).bind(campaign.0).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(state, count)| {
            let state = decode_enum("a form's state", &state, FormState::parse)?;
            Ok((state, u64::try_from(count).unwrap_or(0)))
        })
        .collect()
}

/// How the second keyings of some forms came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyingQuality {
    /// Forms that were keyed twice.
    pub keyed_twice: u64,
    /// Forms that wait for the second keying, or whose differences wait to be settled.
    pub open: u64,
    pub items_compared: u64,
    pub items_different: u64,
}

impl KeyingQuality {
    /// Returns the share of compared items that were keyed alike; `None`: nothing was compared.
    pub fn agreement(&self) -> Option<f64> {
        let compared = self.items_compared as f64;
        (self.items_compared > 0).then(|| 1.0 - self.items_different as f64 / compared)
    }
}

const QUALITY: &str = "SELECT COUNT(CASE WHEN f.second_keying IN ('agreed', 'different', \
    'settled') THEN 1 END), COUNT(CASE WHEN f.second_keying IN ('wanted', 'different') THEN 1 \
    END), CAST(COALESCE(SUM(f.items_compared), 0) AS BIGINT), CAST(COALESCE(SUM(\
    f.items_different), 0) AS BIGINT) FROM paper_form f JOIN survey_case c ON c.id = f.case_id";

fn read_quality(row: (i64, i64, i64, i64)) -> KeyingQuality {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    KeyingQuality {
        keyed_twice: count(row.0),
        open: count(row.1),
        items_compared: count(row.2),
        items_different: count(row.3),
    }
}

pub async fn quality_of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<KeyingQuality> {
    let sql = format!("{QUALITY} WHERE c.application_id = $1");
    Ok(read_quality(
        sqlx::query_as(statement(sql)).bind(application.0).fetch_one(connection).await?,
    ))
}

pub async fn quality_of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<KeyingQuality> {
    let sql =
        format!("{QUALITY} JOIN invitation i ON i.id = c.invitation_id WHERE i.campaign_id = $1");
    Ok(read_quality(sqlx::query_as(statement(sql)).bind(campaign.0).fetch_one(connection).await?))
}

/// Counts, for each step, the people who became due by it, and those who are to be printed.
pub async fn by_step(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(u32, u64, u64)>> {
    let sql = "SELECT step, COUNT(*), COUNT(CASE WHEN printed_at IS NULL THEN 1 END) FROM \
        paper_due WHERE campaign_id = $1 GROUP BY step ORDER BY step";
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as(sql).bind(campaign.0).fetch_all(connection).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|(step, all, due)| (u32::try_from(step).unwrap_or(0), count(all), count(due)))
        .collect())
}

/// Returns whether a dataset of the application's final data is frozen.
pub async fn has_frozen_dataset(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<bool> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM dataset WHERE application_id = $1 AND kind = 'final'",
    )
    .bind(application.0)
    .fetch_one(connection)
    .await?;
    Ok(count > 0)
}
