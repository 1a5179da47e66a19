//! What goes on telling: server-sent events of the home page.

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

use super::super::state::Site;
use super::super::auth::Staff;
use super::home::HomeLive;
use crate::services::accounts;
use crate::domain::role::Permission;
use crate::services::context::Installation;
use crate::services::monitoring::WatchError;
use crate::services::monitoring::overview::{Board, board};

/// The picture is taken so often, however many watch. A connection is paced by the machine: whoever watches moves no clock.
const EVERY: Duration = Duration::from_secs(5);

/// The latest picture, shared by all who watch.
#[derive(Default)]
pub struct Latest(Mutex<Option<(Instant, Arc<Board>)>>);

impl Latest {
    async fn get(&self, installation: &Installation) -> Result<Arc<Board>, WatchError> {
        let mut latest = self.0.lock().await;
        let now = Instant::now();
        if let Some((_, known)) = latest.as_ref().filter(|(at, _)| now < *at + EVERY / 2) {
            return Ok(known.clone());
        }
        let taken = Arc::new(board(installation).await?);
        *latest = Some((now, taken.clone()));
        Ok(taken)
    }
}

/// Sends the page's live part whenever it is another one, until the session ends.
pub async fn home(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>) -> impl IntoResponse {
    let told = stream::unfold((site, staff, String::new()), |(site, staff, before)| async move {
        loop {
            let installation = &site.installation;
            let mut stopping = site.stopping.subscribe();
            tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return None,
                () = tokio::time::sleep(EVERY) => {}
            }
            let is_signed_in = accounts::look(installation, staff.session.token.clone()).await.ok()?.is_some();
            let board = site.latest.get(installation).await.ok().filter(|_| is_signed_in)?;
            let live = HomeLive::new(staff.say, &staff.form_token, staff.may(Permission::Operate), &board).render().ok()?;
            // The time of day alone is nothing new.
            let without_time = live.lines().filter(|line| !line.contains("data-at")).collect::<String>();
            if without_time != before {
                return Some((Ok::<_, Infallible>(Event::default().data(live)), (site, staff, without_time)));
            }
        }
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}
