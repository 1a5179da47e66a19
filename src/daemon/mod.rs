//! `serve`: the daemon. Loops over the use-cases' step functions, until it is told to stop; what is under way is finished first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::adapters::clock::SystemClock;
use crate::services::interviews::Collector;
use crate::adapters::config::Config;
use crate::services::sms_sending::{DispatchError, Dispatcher, Tick, WORKERS};
use crate::services::sms_inbound;
use crate::adapters::sms::Delivery;
use crate::services::context::Installation;
use crate::services::interviews::sms_conversation::{self, SmsInterviewError};
use crate::services::call_center::queue;
use crate::services::{alerts, datasets, deadlines, erasure, forecasting, webhooks};
use crate::adapters::telemetry;
use crate::interfaces::http;

/// After a failed step (a database that went away, say) the next one waits so long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const WATCH_EVERY: Duration = Duration::from_secs(1);
const FORECAST_LOOK: Duration = Duration::from_secs(5);
const TIDY_LOOK: Duration = Duration::from_secs(60);

pub async fn run(config: Config) -> Result<()> {
    let telemetry = telemetry::start(&config, None)?;
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("web.listen: {address} cannot be used; stop what holds it, or choose another"))?;
    let installation = Arc::new(Installation::open(config, Arc::new(SystemClock)).await?);
    let (stop, stopped) = watch::channel(false);

    let dispatching = dispatch(&installation, &stopped);
    let tidying = tokio::spawn(tidy(installation.clone(), stopped.clone()));
    let watching = tokio::spawn(watch_deadlines(installation.clone(), stopped.clone()));
    let forecasting = tokio::spawn(forecast(installation.clone(), stopped.clone()));
    let handing_over = tokio::spawn(hand_over(installation.clone(), stopped.clone()));
    let serving = tokio::spawn(http::serve(installation.clone(), listener, until(stopped.clone())));
    let calling = tokio::spawn(watch_calls(installation.clone(), stopped.clone()));
    let telling = tokio::spawn(tell_events(installation.clone(), stopped.clone()));
    let beating = tokio::spawn(feed_watchdog(installation.clone(), stopped));
    tracing::info!(%address, database = ?installation.store.engine(), "ready");
    // Without systemd there is nobody to notify.
    let _ = sd_notify::notify(&[NotifyState::Ready]);

    wait_for_signal().await?;
    tracing::info!("stopping: submits under way are settled first");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    stop.send_replace(true);
    let (_, watching, handing_over, forecasting, tidying, calling, telling, serving, beating) =
        tokio::join!(dispatching.join_all(), watching, handing_over, forecasting, tidying, calling, telling, serving, beating);
    watching?;
    handing_over?;
    forecasting?;
    tidying?;
    calling?;
    telling?;
    beating?;
    serving??;
    installation.store.close().await;
    tracing::info!("stopped");
    telemetry.end().await;
    Ok(())
}

async fn wait_for_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error says that the sender is gone, which means stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Waits, but not past the order to stop; false when it came.
async fn rest(stopped: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// The loops of the dispatcher: several for each lane, so that one claims while another sends and a third writes; one for messages in doubt; one for
/// each gateway that has receipts and replies on a connection of its own.
fn dispatch(installation: &Arc<Installation>, stopped: &watch::Receiver<bool>) -> JoinSet<()> {
    let dispatcher = Arc::new(Dispatcher::new(installation.clone()));
    let mut loops = JoinSet::new();
    for lane in dispatcher.lanes() {
        for _ in 0..WORKERS {
            let (dispatcher, lane) = (dispatcher.clone(), lane.clone());
            let tick = move || {
                let (dispatcher, lane) = (dispatcher.clone(), lane.clone());
                async move { dispatcher.tick_lane(&lane).await }
            };
            loops.spawn(repeat(tick, installation.config.dispatch.tick_every, stopped.clone()));
        }
    }
    let doubts = move || {
        let dispatcher = dispatcher.clone();
        async move { dispatcher.tick_doubts().await }
    };
    loops.spawn(repeat(doubts, installation.config.dispatch.tick_every, stopped.clone()));
    for name in installation.gateways.keys() {
        loops.spawn(receive(installation.clone(), name.clone(), stopped.clone()));
    }
    loops
}

/// A tick is never cut off: it ends when every submit of it is settled.
async fn repeat<F>(tick: impl Fn() -> F, every: Duration, mut stopped: watch::Receiver<bool>)
where
    F: Future<Output = Result<Tick, DispatchError>>,
{
    while !*stopped.borrow() {
        let pause = match tick().await {
            Ok(tick) if tick.is_idle() => every,
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(%error, "a tick of the dispatcher failed");
                AFTER_FAILURE
            }
        };
        if !rest(&mut stopped, pause).await {
            break;
        }
    }
}

/// Takes what a gateway delivers on its own connection; it hears that it is taken when it is on disk.
async fn receive(installation: Arc<Installation>, name: String, mut stopped: watch::Receiver<bool>) {
    let Some(gateway) = installation.gateways.get(&name).cloned() else { return };
    let collector = Collector::new(installation.clone());
    loop {
        let delivery = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            delivery = gateway.receive() => delivery,
        };
        let taken = take_delivery(&installation, &collector, &name, &delivery).await;
        if let Err(error) = &taken {
            tracing::error!(gateway = name, %error, "a delivery could not be stored; the gateway is told to try again");
        }
        delivery.answer(taken.is_ok());
    }
    gateway.close().await;
}

/// Receipts and replies, on disk when it returns.
async fn take_delivery(installation: &Installation, collector: &Collector, gateway: &str, delivery: &Delivery) -> Result<(), SmsInterviewError> {
    sms_inbound::take_receipts(installation, gateway, delivery.receipts.clone()).await?;
    for reply in &delivery.replies {
        if let Some(taken) = sms_inbound::take_reply(installation, gateway, reply).await? {
            sms_conversation::hear(installation, collector, &taken).await?;
        }
    }
    Ok(())
}

async fn tidy(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    let clock = installation.clock.clone();
    let mut last = clock.now();
    while let Some(next) = erasure::next_round(&installation, last) {
        // In short stretches: the clock may be set.
        while clock.now() < next {
            if !rest(&mut stopped, next.since(clock.now()).min(TIDY_LOOK)).await {
                return;
            }
        }
        last = next;
        match erasure::tidy(&installation).await {
            Ok(tidied) => tracing::info!(?tidied, "housekeeping"),
            Err(error) => tracing::error!(%error, "housekeeping failed; the next round makes it good"),
        }
    }
}

async fn watch_deadlines(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = deadlines::tick(&installation).await {
            tracing::error!(%error, "a look at the deadlines failed");
        }
        if let Err(error) = datasets::write_pending(&installation).await {
            tracing::error!(%error, "a dataset could not be written; it is tried again");
        }
        if !rest(&mut stopped, WATCH_EVERY).await {
            break;
        }
    }
}

/// Gives back the people of interviewers whose pages have died.
async fn watch_calls(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = queue::release_lost(&installation).await {
            tracing::error!(%error, "a look at the calls failed");
        }
        if !rest(&mut stopped, WATCH_EVERY).await {
            break;
        }
    }
}

/// Beside the watch over deadlines, so that no closing waits for somebody else's server.
async fn hand_over(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = datasets::delivery::deliver_due(&installation).await {
            tracing::error!(%error, "datasets could not be handed over; they are tried again");
        }
        if !rest(&mut stopped, WATCH_EVERY).await {
            break;
        }
    }
}

/// Tells other systems what happens.
async fn tell_events(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = webhooks::deliver(&installation).await {
            tracing::error!(%error, "events could not be told; they are tried again");
        }
        if !rest(&mut stopped, WATCH_EVERY).await {
            break;
        }
    }
}

/// Beside the watch over deadlines, so that no closing waits for a forecast.
async fn forecast(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = forecasting::tick(&installation).await {
            tracing::error!(%error, "a forecast failed; the next one makes it good");
        }
        if let Err(error) = alerts::tick(&installation).await {
            tracing::error!(%error, "alarms could not be looked after; they are tried again");
        }
        if !rest(&mut stopped, FORECAST_LOOK).await {
            break;
        }
    }
}

/// Tells systemd that the daemon lives, as long as its database answers.
async fn feed_watchdog(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    while rest(&mut stopped, limit / 3).await {
        if installation.store.ping().await.is_ok() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}
