//! Forecasts: the last one of each day, and the time of the next.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{DatabaseError, Result};
use crate::domain::ids::ApplicationId;
use crate::domain::time::Timestamp;

/// Sets when the next forecast of an application is due.
pub async fn set_due(
    tx: &mut AnyConnection,
    application: ApplicationId,
    at: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE application SET forecast_at = $2 WHERE id = $1")
        .bind(application.0)
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Claims applications whose forecast is due, so that no other daemon makes it too; they are due
/// again at `next`.
pub async fn claim_due(
    tx: &mut AnyConnection,
    now: Timestamp,
    next: Timestamp,
    most: u32,
) -> Result<Vec<ApplicationId>> {
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "SELECT id FROM application WHERE state = 'in_field' AND forecast_at <= $1 ORDER BY \
            forecast_at, id LIMIT $2{}",
        engine.skip_locked()
    );
    let ids: Vec<i64> = sqlx::query_scalar(statement(sql))
        .bind(now.0)
        .bind(i64::from(most))
        .fetch_all(&mut *tx)
        .await?;
    let sql = format!(
        "UPDATE application SET forecast_at = $1 WHERE id {}",
        engine.in_list(2, ColumnType::Number)
    );
    sqlx::query(statement(sql)).bind(next.0).bind(to_param(&ids)).execute(tx).await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}

pub async fn next_due(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MIN(forecast_at) FROM application WHERE state = 'in_field'")
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}

/// A stored forecast; `document` is the JSON of the forecasting service.
#[derive(Debug, Clone)]
pub struct StoredForecast {
    pub day: NaiveDate,
    pub made_at: Timestamp,
    /// Chance of reaching the total by the due day.
    pub chance: f64,
    pub document: String,
}

/// Stores a forecast, replacing an earlier one of the same day.
pub async fn put(
    tx: &mut AnyConnection,
    application: ApplicationId,
    forecast: &StoredForecast,
) -> Result<()> {
    let sql = "INSERT INTO forecast (application_id, day, made_at, chance, document) VALUES ($1, \
        $2, $3, $4, $5)
               ON CONFLICT (application_id, day) DO UPDATE SET made_at = excluded.made_at, \
               chance = excluded.chance, document = excluded.document";
    sqlx::query(sql)
        .bind(application.0)
        .bind(forecast.day.to_string())
        .bind(forecast.made_at.0)
        .bind(forecast.chance)
        .bind(forecast.document.clone())
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the stored forecasts of an application, the first day first.
pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<StoredForecast>> {
    let sql = "SELECT day, made_at, chance, document FROM forecast WHERE application_id = $1 \
        ORDER BY day";
    let rows: Vec<(String, i64, f64, String)> =
        sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let row = |(day, made_at, chance, document): (String, i64, f64, String)| {
        let day =
            day.parse().map_err(|_| DatabaseError::Unreadable { what: "a day", value: day })?;
        Ok(StoredForecast { day, made_at: Timestamp(made_at), chance, document })
    };
    rows.into_iter().map(row).collect()
}

/// Returns the latest chance of each application in the field.
pub async fn chances(connection: &mut AnyConnection) -> Result<HashMap<ApplicationId, f64>> {
    let sql = "SELECT f.application_id, f.chance FROM forecast f JOIN application a ON a.id = \
        f.application_id AND a.state = 'in_field'
               WHERE f.day = (SELECT MAX(l.day) FROM forecast l WHERE l.application_id = \
               f.application_id)";
    let rows: Vec<(i64, f64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, chance)| (ApplicationId(id), chance)).collect())
}
