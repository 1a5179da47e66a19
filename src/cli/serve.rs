//! `serve`: the daemon. Loops over the use-cases' step functions, until it is told to stop; what is under way is finished first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::installation::Installation;
use crate::{dataset, deadline, telemetry, web};

/// After a failed step (a database that went away, say) the next one waits so long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub async fn run(config: Config) -> Result<()> {
    telemetry::start(&config, None)?;
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("web.listen: {address} cannot be used; stop what holds it, or choose another"))?;
    let installation = Arc::new(Installation::open(config, Arc::new(SystemClock)).await?);
    let (stop, stopped) = watch::channel(false);

    let dispatching = tokio::spawn(dispatch(installation.clone(), stopped.clone()));
    let watching = tokio::spawn(watch_deadlines(installation.clone(), stopped.clone()));
    let serving = tokio::spawn(web::serve(installation.clone(), listener, until(stopped.clone())));
    let beating = tokio::spawn(feed_watchdog(installation.clone(), stopped));
    tracing::info!(%address, database = ?installation.store.engine(), "ready");
    // Without systemd there is nobody to notify.
    let _ = sd_notify::notify(&[NotifyState::Ready]);

    wait_for_signal().await?;
    tracing::info!("stopping: submits under way are settled first");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    stop.send_replace(true);
    let (dispatching, watching, serving, beating) = tokio::join!(dispatching, watching, serving, beating);
    dispatching?;
    watching?;
    beating?;
    serving??;
    installation.store.close().await;
    tracing::info!("stopped");
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

/// A tick is never cut off: it ends when every submit of it is settled.
async fn dispatch(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    let dispatcher = Dispatcher::new(installation.clone());
    while !*stopped.borrow() {
        let pause = match dispatcher.tick().await {
            Ok(tick) if tick.is_idle() => installation.config.dispatch.tick_every,
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

async fn watch_deadlines(installation: Arc<Installation>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = deadline::tick(&installation).await {
            tracing::error!(%error, "a look at the deadlines failed");
        }
        if let Err(error) = dataset::write_pending(&installation).await {
            tracing::error!(%error, "a dataset could not be written; it is tried again");
        }
        if !rest(&mut stopped, WATCH_EVERY).await {
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
