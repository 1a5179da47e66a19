//! Campaigns and their frozen questionnaires.

use serde_json::json;
use sqlx::AnyConnection;

use super::{Result, decode_enum, events};
use crate::domain::event::EventKind;
use crate::domain::ids::{CampaignId, MessageKey, ProgrammeId};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Campaign {
    pub id: CampaignId,
    pub programme_id: ProgrammeId,
    pub code: String,
    /// The contact plan with its holidays, as JSON.
    pub plan: String,
    pub gateway: String,
    pub state: CampaignState,
    pub launched_at: Timestamp,
    /// The budget and the amount spent, in millionths of the currency; messages in doubt count as
    /// spent.
    pub budget_micros: Option<i64>,
    pub spent_micros: i64,
    /// The reason for which the daemon paused it.
    pub paused_because: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignState {
    Running,
    Paused,
    Closed,
}

impl CampaignState {
    pub fn as_str(self) -> &'static str {
        match self {
            CampaignState::Running => "running",
            CampaignState::Paused => "paused",
            CampaignState::Closed => "closed",
        }
    }

    fn parse(raw: &str) -> Option<CampaignState> {
        [CampaignState::Running, CampaignState::Paused, CampaignState::Closed]
            .into_iter()
            .find(|s| s.as_str() == raw)
    }
}

type Row = (i64, i64, String, String, String, String, i64, Option<i64>, i64, Option<String>);

fn read(
    (
        id,
        programme,
        code,
        plan,
        gateway,
        state,
        launched_at,
        budget_micros,
        spent_micros,
        paused_because,
    ): Row,
) -> Result<Campaign> {
    Ok(Campaign {
        id: CampaignId(id),
        programme_id: ProgrammeId(programme),
        code,
        plan,
        gateway,
        state: decode_enum("a campaign's state", &state, CampaignState::parse)?,
        launched_at: Timestamp(launched_at),
        budget_micros,
        spent_micros,
        paused_because,
    })
}

#[derive(Debug, Clone)]
pub struct NewCampaign<'a> {
    pub programme: ProgrammeId,
    pub code: &'a str,
    pub plan: &'a str,
    pub gateway: &'a str,
    pub budget_micros: Option<i64>,
}

pub async fn add(
    tx: &mut AnyConnection,
    new: &NewCampaign<'_>,
    now: Timestamp,
) -> Result<CampaignId> {
    let sql = "INSERT INTO campaign (programme_id, code, plan, gateway, state, launched_at, \
        budget_micros)
               VALUES ($1, $2, $3, $4, 'running', $5, $6) RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(new.programme.0)
        .bind(new.code.to_owned())
        .bind(new.plan.to_owned())
        .bind(new.gateway.to_owned())
        .bind(now.0)
        .bind(new.budget_micros)
        .fetch_one(&mut *tx)
        .await?;
    events::publish(
        tx,
        EventKind::CampaignLaunched,
        &json!({ "campaign": new.code, "gateway": new.gateway }),
        now,
    )
    .await?;
    Ok(CampaignId(id))
}

/// Sets a budget. The amount spent so far is computed from the messages, because it is not tracked
/// without a budget.
pub async fn set_budget(
    tx: &mut AnyConnection,
    id: CampaignId,
    budget_micros: Option<i64>,
) -> Result<()> {
    let sql = "UPDATE campaign SET budget_micros = $2, spent_micros = (
                   SELECT CAST(COALESCE(SUM(m.cost_micros), 0) AS BIGINT) FROM message m JOIN \
                   invitation i ON i.id = m.invitation_id
                   WHERE i.campaign_id = $1 AND m.state IN ('submitting', 'accepted', \
                   'delivered', 'undelivered', 'in_doubt'))
               WHERE id = $1";
    sqlx::query(sql).bind(id.0).bind(budget_micros).execute(tx).await?;
    Ok(())
}

/// Refunds a message that counted as spent and was not accepted after all.
pub async fn refund(tx: &mut AnyConnection, message: MessageKey) -> Result<()> {
    let sql = "UPDATE campaign
               SET spent_micros = spent_micros - (SELECT m.cost_micros FROM message m WHERE \
               m.invitation_id = $1 AND m.kind = $2 AND m.number = $3)
               WHERE budget_micros IS NOT NULL AND id = (SELECT i.campaign_id FROM invitation i \
               WHERE i.id = $1)";
    sqlx::query(sql)
        .bind(message.invitation.0)
        .bind(message.slot.kind.code())
        .bind(i64::from(message.slot.number))
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds to the amount that a campaign has spent; a negative amount is a refund.
pub async fn add_spending(tx: &mut AnyConnection, id: CampaignId, micros: i64) -> Result<()> {
    sqlx::query("UPDATE campaign SET spent_micros = spent_micros + $2 WHERE id = $1")
        .bind(id.0)
        .bind(micros)
        .execute(tx)
        .await?;
    Ok(())
}

/// Stores the random seed with which lists were drawn.
pub async fn set_draw_seed(tx: &mut AnyConnection, id: CampaignId, seed: &str) -> Result<()> {
    sqlx::query("UPDATE campaign SET draw_seed = $2 WHERE id = $1")
        .bind(id.0)
        .bind(seed.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the random seed with which lists were drawn, if any list was larger than the need.
pub async fn draw_seed(connection: &mut AnyConnection, id: CampaignId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("SELECT draw_seed FROM campaign WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?)
}

/// Pauses a campaign on behalf of the daemon.
pub async fn pause_because(
    tx: &mut AnyConnection,
    id: CampaignId,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE campaign SET state = 'paused', paused_because = $2 WHERE id = $1 AND state \
        = 'running'";
    if sqlx::query(sql).bind(id.0).bind(reason.to_owned()).execute(&mut *tx).await?.rows_affected()
        == 1
    {
        let campaign = events::campaign_code(tx, id).await?;
        events::publish(
            tx,
            EventKind::CampaignPaused,
            &json!({ "campaign": campaign, "reason": reason }),
            now,
        )
        .await?;
    }
    Ok(())
}

pub async fn find(connection: &mut AnyConnection, code: &str) -> Result<Option<Campaign>> {
    let sql = "SELECT id, programme_id, code, plan, gateway, state, launched_at, budget_micros, \
        spent_micros, paused_because FROM campaign WHERE code = $1";
    sqlx::query_as(sql)
        .bind(code.to_owned())
        .fetch_optional(connection)
        .await?
        .map(read)
        .transpose()
}

pub async fn get(connection: &mut AnyConnection, id: CampaignId) -> Result<Campaign> {
    let sql = "SELECT id, programme_id, code, plan, gateway, state, launched_at, budget_micros, \
        spent_micros, paused_because FROM campaign WHERE id = $1";
    read(sqlx::query_as(sql).bind(id.0).fetch_one(connection).await?)
}

/// Lists all campaigns, the latest first.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Campaign>> {
    let sql = "SELECT id, programme_id, code, plan, gateway, state, launched_at, budget_micros, \
        spent_micros, paused_because FROM campaign ORDER BY launched_at DESC, id DESC";
    sqlx::query_as(sql).fetch_all(connection).await?.into_iter().map(read).collect()
}

/// Lists the campaigns that are not closed.
pub async fn list_open(connection: &mut AnyConnection) -> Result<Vec<Campaign>> {
    let sql = "SELECT id, programme_id, code, plan, gateway, state, launched_at, budget_micros, \
        spent_micros, paused_because FROM campaign WHERE state <> 'closed' ORDER BY id";
    sqlx::query_as(sql).fetch_all(connection).await?.into_iter().map(read).collect()
}

/// Replaces the plan of a campaign: its calendar follows the year that staff enter.
pub async fn set_plan(tx: &mut AnyConnection, id: CampaignId, plan: &str) -> Result<()> {
    sqlx::query("UPDATE campaign SET plan = $2 WHERE id = $1")
        .bind(id.0)
        .bind(plan.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the running campaigns that have a due invitation.
pub async fn with_due_invitations(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<Campaign>> {
    let sql = "SELECT id, programme_id, code, plan, gateway, state, launched_at, budget_micros, \
        spent_micros, paused_because FROM campaign
               WHERE state = 'running' AND EXISTS (SELECT 1 FROM next_contact n WHERE \
               n.campaign_id = campaign.id AND n.next_at <= $1) ORDER BY id";
    sqlx::query_as(sql).bind(now.0).fetch_all(connection).await?.into_iter().map(read).collect()
}

/// Changes the state of a campaign. Returns false if it was not in `from`.
pub async fn set_state(
    tx: &mut AnyConnection,
    id: CampaignId,
    from: &[CampaignState],
    to: CampaignState,
    now: Timestamp,
) -> Result<bool> {
    let current: String = sqlx::query_scalar("SELECT state FROM campaign WHERE id = $1")
        .bind(id.0)
        .fetch_one(&mut *tx)
        .await?;
    if !from.iter().any(|state| state.as_str() == current) {
        return Ok(false);
    }
    let closed_at = (to == CampaignState::Closed).then_some(now.0);
    let sql = "UPDATE campaign SET state = $2, closed_at = $3, paused_because = NULL WHERE id = \
        $1 AND state = $4";
    let done = sqlx::query(sql)
        .bind(id.0)
        .bind(to.as_str())
        .bind(closed_at)
        .bind(current)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let kind = match to {
        CampaignState::Running => EventKind::CampaignResumed,
        CampaignState::Paused => EventKind::CampaignPaused,
        CampaignState::Closed => EventKind::CampaignClosed,
    };
    let campaign = events::campaign_code(tx, id).await?;
    events::publish(tx, kind, &json!({ "campaign": campaign }), now).await?;
    Ok(true)
}

/// Freezes a questionnaire's text under its code and version, or finds the frozen one. Returns
/// `None` if another text is frozen under the same version.
pub async fn freeze_questionnaire(
    tx: &mut AnyConnection,
    code: &str,
    version: u32,
    sha256: &str,
    source: &str,
) -> Result<Option<i64>> {
    let insert = "INSERT INTO questionnaire (code, version, sha256, source) VALUES ($1, $2, $3, \
        $4) ON CONFLICT (code, version) DO NOTHING";
    sqlx::query(insert)
        .bind(code.to_owned())
        .bind(i64::from(version))
        .bind(sha256.to_owned())
        .bind(source.to_owned())
        .execute(&mut *tx)
        .await?;
    let select = "SELECT id FROM questionnaire WHERE code = $1 AND version = $2 AND sha256 = $3";
    Ok(sqlx::query_scalar(select)
        .bind(code.to_owned())
        .bind(i64::from(version))
        .bind(sha256.to_owned())
        .fetch_optional(tx)
        .await?)
}

/// Returns the frozen text of a questionnaire.
pub async fn questionnaire_source(connection: &mut AnyConnection, id: i64) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT source FROM questionnaire WHERE id = $1")
        .bind(id)
        .fetch_one(connection)
        .await?)
}
