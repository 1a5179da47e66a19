//! Plays the months: whatever is due next happens next, and the clock jumps to it.

use std::time::Duration;

use anyhow::{Result, bail};

use super::interviewers::Interviewers;
use super::fixture::World;
use crate::services::{alerts, forecasting};
use crate::services::sms_sending::Dispatcher;
use crate::domain::time::Timestamp;
use crate::adapters::database::campaigns;
use crate::services::{datasets, deadlines};

/// The field is over when its last due day is; a play that goes on past this has gone wrong.
const AT_MOST: Duration = Duration::from_secs(200 * 86_400);

pub struct Played {
    /// Messages in doubt that a query settled.
    pub settled: u64,
}

/// Plays until every campaign is closed. `progress` is told the days gone by and all of them.
pub async fn play(world: &World, seed: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Played> {
    let dispatcher = Dispatcher::new(world.installation.clone());
    let mut interviewers = Interviewers::hire(world, seed).await?;
    let last_day = deadlines::last_due(&world.installation).await?.unwrap_or(world.now());
    let days = |until: Timestamp| until.since(world.began_at).as_secs() / 86_400;
    let mut settled = 0;
    loop {
        let planned = dispatcher.next_due().await?;
        if planned.is_some_and(|at| at <= world.now()) {
            let tick = dispatcher.tick().await?;
            settled += tick.settled;
        }
        let calls = interviewers.next_at().is_some_and(|at| at <= world.now()) && interviewers.work(world).await?;
        // Whatever people did may have filled a cell.
        let did_something = world.simulator.tick().await > 0 || calls;
        let closing = deadlines::next_due(&world.installation).await?;
        if did_something || closing.is_some_and(|at| at <= world.now()) {
            deadlines::tick(&world.installation).await?;
        }
        let watched = [forecasting::next_due(&world.installation).await?, alerts::next_due(&world.installation).await?];
        if watched.into_iter().flatten().any(|at| at <= world.now()) {
            forecasting::tick(&world.installation).await?;
            alerts::tick(&world.installation).await?;
        }
        if campaigns::live(&mut *world.installation.store.read().await?).await?.is_empty() {
            break;
        }
        let next = [dispatcher.next_due().await?, world.simulator.next_event_at(), closing, interviewers.next_at()];
        let Some(next) = watched.into_iter().chain(next).flatten().min() else { bail!("nothing is planned, and the field is still open") };
        world.clock.advance_to(next.max(world.now() + Duration::from_millis(1)));
        if world.now().since(world.began_at) > AT_MOST {
            bail!("the field should be over by now");
        }
        progress(days(world.now()), days(last_day));
    }
    datasets::write_pending(&world.installation).await?;
    Ok(Played { settled })
}
