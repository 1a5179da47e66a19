//! `serve`: the daemon. It runs supervised loops over the services' step functions until it is
//! stopped; work in progress is finished first. The web server is in `interfaces/http`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::adapters::clock::SystemClock;
use crate::adapters::clock_watch::ClockStep;
use crate::adapters::config::Config;
use crate::adapters::sms::Entries;
use crate::adapters::spreadsheets;
use crate::adapters::telemetry;
use crate::interfaces::http;
use crate::services::call_center::queue;
use crate::services::context::AppContext;
use crate::services::interviews::InterviewService;
use crate::services::sms_sending::receipts::apply_late_receipts;
use crate::services::sms_sending::{DispatchError, Dispatcher, Tick, WORKERS_PER_ROUTE};
use crate::services::{alerts, clock_steps, datasets, deadlines, erasure, forecasting, webhooks};

/// Delay of the next step after a failed one (for example without a database).
const RETRY_DELAY: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const FORECAST_INTERVAL: Duration = Duration::from_secs(5);
const HOUSEKEEPING_POLL: Duration = Duration::from_secs(60);
const LATE_RECEIPT_INTERVAL: Duration = Duration::from_secs(20);
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(60);
const DESTROYED_KEYS_INTERVAL: Duration = Duration::from_secs(3600);

pub async fn run(config: Config) -> Result<()> {
    let telemetry = telemetry::start(&config, None)?;
    for gaps in config.words.iter().filter_map(|file| file.gaps()) {
        tracing::warn!("{gaps}");
    }
    let address = config.listen;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("web.listen: {address} cannot be used; stop what holds it, or choose another")
    })?;
    let context = Arc::new(AppContext::open(config, Arc::new(SystemClock)).await?);
    // What a conversion left behind when this daemon or its machine stopped hard.
    spreadsheets::sweep_leftovers(&std::env::temp_dir());
    let (stop, stopped) = watch::channel(false);

    let dispatch_loops = spawn_dispatch_loops(&context, &stopped);
    let housekeeping = tokio::spawn(housekeeping_loop(context.clone(), stopped.clone()));
    let destroyed_keys = tokio::spawn(destroyed_keys_loop(context.clone(), stopped.clone()));
    let deadlines = tokio::spawn(deadline_loop(context.clone(), stopped.clone()));
    let forecasts = tokio::spawn(forecast_loop(context.clone(), stopped.clone()));
    let dataset_deliveries = tokio::spawn(dataset_delivery_loop(context.clone(), stopped.clone()));
    let web_server =
        tokio::spawn(http::serve(context.clone(), listener, wait_for_stop(stopped.clone())));
    let call_leases = tokio::spawn(call_lease_loop(context.clone(), stopped.clone()));
    let long_replies = tokio::spawn(long_reply_loop(context.clone(), stopped.clone()));
    let late_receipts = tokio::spawn(late_receipt_loop(context.clone(), stopped.clone()));
    let clock = tokio::spawn(clock_loop(context.clone(), stopped.clone()));
    let webhooks = tokio::spawn(webhook_loop(context.clone(), stopped.clone()));
    let watchdog = tokio::spawn(watchdog_loop(context.clone(), stopped));
    tracing::info!(%address, database = ?context.database.engine(), "ready");
    // Without systemd there is nothing to notify.
    let _ = sd_notify::notify(&[NotifyState::Ready]);

    wait_for_signal().await?;
    tracing::info!("stopping: submits under way are settled first");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    stop.send_replace(true);
    let (
        _,
        deadlines,
        dataset_deliveries,
        forecasts,
        housekeeping,
        destroyed_keys,
        call_leases,
        long_replies,
        late_receipts,
        webhooks,
        clock,
        web_server,
        watchdog,
    ) = tokio::join!(
        dispatch_loops.join_all(),
        deadlines,
        dataset_deliveries,
        forecasts,
        housekeeping,
        destroyed_keys,
        call_leases,
        long_replies,
        late_receipts,
        webhooks,
        clock,
        web_server,
        watchdog
    );
    deadlines?;
    dataset_deliveries?;
    forecasts?;
    housekeeping?;
    destroyed_keys?;
    call_leases?;
    long_replies?;
    late_receipts?;
    webhooks?;
    clock?;
    watchdog?;
    web_server??;
    context.database.close().await;
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

async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is dropped, which also means to stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Sleeps, but returns early when the daemon is stopped; false if it was stopped.
async fn sleep_unless_stopped(stopped: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// Spawns the loops of message sending: several for each lane, so that one claims while another
/// sends and a third writes; one for messages in doubt; one for each gateway that delivers receipts
/// and replies on its own connection.
fn spawn_dispatch_loops(context: &Arc<AppContext>, stopped: &watch::Receiver<bool>) -> JoinSet<()> {
    let dispatcher = Arc::new(Dispatcher::new(context.clone()));
    let mut loops = JoinSet::new();
    for lane in dispatcher.route_names() {
        for _ in 0..WORKERS_PER_ROUTE {
            let (dispatcher, lane) = (dispatcher.clone(), lane.clone());
            let tick = move || {
                let (dispatcher, lane) = (dispatcher.clone(), lane.clone());
                async move { dispatcher.tick_route(&lane).await }
            };
            loops.spawn(tick_loop(tick, context.config.dispatch.tick_every, stopped.clone()));
        }
    }
    let doubts = move || {
        let dispatcher = dispatcher.clone();
        async move { dispatcher.tick_in_doubt().await }
    };
    loops.spawn(tick_loop(doubts, context.config.dispatch.tick_every, stopped.clone()));
    for name in context.gateways.keys() {
        loops.spawn(receive_loop(context.clone(), name.clone(), stopped.clone()));
    }
    loops
}

/// Repeats ticks until stopped. A tick is never cancelled: it ends when all its submits are
/// settled.
async fn tick_loop<F>(tick: impl Fn() -> F, every: Duration, mut stopped: watch::Receiver<bool>)
where
    F: Future<Output = Result<Tick, DispatchError>>,
{
    while !*stopped.borrow() {
        let pause = match tick().await {
            Ok(tick) if tick.is_idle() => every,
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(%error, "a tick of the dispatcher failed");
                RETRY_DELAY
            }
        };
        if !sleep_unless_stopped(&mut stopped, pause).await {
            break;
        }
    }
}

/// Receives what a gateway delivers on its own connection, and acknowledges it once it is on disk.
async fn receive_loop(context: Arc<AppContext>, name: String, mut stopped: watch::Receiver<bool>) {
    let Some(gateway) = context.gateways.get(&name).cloned() else { return };
    let interview_service = InterviewService::new(context.clone());
    loop {
        let delivery = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            delivery = gateway.receive() => delivery,
        };
        let taken = interview_service
            .accept_inbound(
                &name,
                delivery.receipts.clone(),
                &Entries::of(delivery.replies.clone()),
            )
            .await;
        if let Err(error) = &taken {
            tracing::error!(gateway = name, %error, "a delivery could not be stored; the gateway \
                is told to try again");
        }
        delivery.acknowledge(taken.is_ok());
    }
    gateway.close().await;
}

async fn housekeeping_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    let clock = context.clock.clone();
    let mut last = clock.now();
    while let Some(next) = erasure::next_housekeeping(&context, last) {
        // In short intervals, because the clock may be set.
        while clock.now() < next {
            if !sleep_unless_stopped(&mut stopped, next.since(clock.now()).min(HOUSEKEEPING_POLL))
                .await
            {
                return;
            }
        }
        last = next;
        match erasure::remove_expired(&context).await {
            Ok(tidied) => tracing::info!(?tidied, "housekeeping"),
            Err(error) => {
                tracing::error!(%error, "housekeeping failed; the next round makes it good")
            }
        }
    }
}

/// Destroys keys that other daemons have destroyed in their copies of the key ring.
async fn destroyed_keys_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    loop {
        if let Err(error) = erasure::destroy_surviving_keys(&context).await {
            tracing::error!(%error, "destroyed keys could not be checked");
        }
        if !sleep_unless_stopped(&mut stopped, DESTROYED_KEYS_INTERVAL).await {
            return;
        }
    }
}

/// Watches the clock, and shortens what a clock that was ahead has written.
async fn clock_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    let mut pulled_in: Option<(Option<ClockStep>, Duration)> = None;
    loop {
        let (step, steady) =
            (context.clock_watch.recent_step(&*context.clock), context.clock.steady());
        let is_due = pulled_in.is_none_or(|(seen, at)| {
            step.is_some_and(|_| seen != step) || steady >= at + CLOCK_CHECK_INTERVAL
        });
        if is_due {
            match clock_steps::pull_in(&context).await {
                Ok(_) => pulled_in = Some((step, steady)),
                Err(error) => tracing::error!(%error, "leases could not be checked; again later"),
            }
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            return;
        }
    }
}

async fn deadline_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = deadlines::tick(&context).await {
            tracing::error!(%error, "deadline check failed");
        }
        if let Err(error) = datasets::write_pending(&context).await {
            tracing::error!(%error, "a dataset could not be written; it is tried again");
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            break;
        }
    }
}

/// Releases expired leases of interviewers whose pages no longer renew them.
async fn call_lease_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = queue::release_expired_leases(&context).await {
            tracing::error!(%error, "call lease check failed");
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            break;
        }
    }
}

/// A separate loop, so that closing a field never waits for an external server.
async fn dataset_delivery_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = datasets::delivery::deliver_due(&context).await {
            tracing::error!(%error, "dataset delivery failed; it is tried again");
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            break;
        }
    }
}

/// Takes long replies of which some parts have not come in time.
async fn long_reply_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    let interview_service = InterviewService::new(context);
    while !*stopped.borrow() {
        if let Err(error) = interview_service.accept_overdue_parts().await {
            tracing::error!(%error, "parts of long replies could not be looked at; they are tried again");
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            break;
        }
    }
}

/// Applies receipts that came at the same time as the answer to their submit.
async fn late_receipt_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while sleep_unless_stopped(&mut stopped, LATE_RECEIPT_INTERVAL).await {
        if let Err(error) = apply_late_receipts(&context).await {
            tracing::error!(%error, "receipts that wait could not be looked at; they are tried again");
        }
    }
}

/// Delivers events to other systems.
async fn webhook_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = webhooks::deliver_due_events(&context).await {
            tracing::error!(%error, "webhook delivery failed; it is tried again");
        }
        if !sleep_unless_stopped(&mut stopped, POLL_INTERVAL).await {
            break;
        }
    }
}

/// A separate loop, so that closing a field never waits for a forecast.
async fn forecast_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = forecasting::tick(&context).await {
            tracing::error!(%error, "a forecast failed; the next one makes it good");
        }
        if let Err(error) = alerts::tick(&context).await {
            tracing::error!(%error, "alarm check failed; it is tried again");
        }
        if !sleep_unless_stopped(&mut stopped, FORECAST_INTERVAL).await {
            break;
        }
    }
}

/// Notifies systemd that the daemon is alive, as long as its database answers.
async fn watchdog_loop(context: Arc<AppContext>, mut stopped: watch::Receiver<bool>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    while sleep_unless_stopped(&mut stopped, limit / 3).await {
        if context.database.ping().await.is_ok() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}
