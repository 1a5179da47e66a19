//! Server-sent events of the home page.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::auth::Staff;
use super::super::state::AppState;
use super::home::HomeLive;
use crate::services::accounts;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::context::AppContext;
use crate::services::monitoring::MonitoringError;
use crate::services::monitoring::overview::{SystemOverview, system_overview};

/// Interval of pushes to a connection. It uses the machine's clock, so that in virtual time a
/// connection does not move the clock.
const PUSH_INTERVAL: Duration = Duration::from_secs(5);

/// The latest overview, shared by all connections.
#[derive(Default)]
pub struct OverviewCache(Mutex<Option<(Instant, Arc<SystemOverview>)>>);

impl OverviewCache {
    async fn get(&self, context: &AppContext) -> Result<Arc<SystemOverview>, MonitoringError> {
        let mut latest = self.0.lock().await;
        let now = Instant::now();
        if let Some((_, known)) = latest.as_ref().filter(|(at, _)| now < *at + PUSH_INTERVAL / 2) {
            return Ok(known.clone());
        }
        let overview_now = Arc::new(system_overview(context).await?);
        *latest = Some((now, overview_now.clone()));
        Ok(overview_now)
    }
}

/// Sends the live part of the page whenever it changes, until the session ends.
pub async fn home(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> impl IntoResponse {
    let events = stream::unfold((app, staff, String::new()), |(app, staff, before)| async move {
        loop {
            let context = &app.context;
            let mut stopping = app.stopping.subscribe();
            tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return None,
                () = tokio::time::sleep(PUSH_INTERVAL) => {}
            }
            let is_signed_in =
                accounts::peek_session(context, staff.session.token.clone()).await.ok()?.is_some();
            let overview = app.overview_cache.get(context).await.ok().filter(|_| is_signed_in)?;
            let colleagues = Colleagues::load(context).await.ok()?;
            let live = HomeLive::new(
                staff.tr,
                &staff.form_token,
                staff.session.account.role,
                (&overview, &colleagues),
            )
            .render()
            .ok()?;
            // A change of the time of day alone is not sent.
            let without_time =
                live.lines().filter(|line| !line.contains("data-at")).collect::<String>();
            if without_time != before {
                return Some((
                    Ok::<_, Infallible>(Event::default().data(live)),
                    (app, staff, without_time),
                ));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
