//! Argon2 computations, a few at a time: each takes 19 MiB and some hundredths of a second of a
//! core, so that many sign-ins at once would take the machine from respondents.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::AccountError;
use crate::adapters::crypto::password::{hash_password, is_password};
use crate::domain::personal::Personal;

/// Computations at once, and how many more may wait for their turn.
const AT_ONCE: usize = 2;
const MAX_WAITING: usize = 32;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A place in the queue, given up when it is dropped.
struct Waiting;

impl Waiting {
    fn join() -> Result<Waiting, AccountError> {
        let waiting = Waiting;
        if WAITING.fetch_add(1, Ordering::SeqCst) < MAX_WAITING {
            Ok(waiting)
        } else {
            Err(AccountError::Busy)
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccountError> {
    let place = Waiting::join()?;
    let turn = TURNS.acquire().await.map_err(|_| AccountError::Busy)?;
    drop(place);
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    })
    .await
    .map_err(|_| AccountError::TaskPanicked)
}

pub(super) async fn hash(password: Personal) -> Result<String, AccountError> {
    Ok(in_turn(move || hash_password(&password)).await??)
}

/// Returns whether a password matches. A `hash` of `None` (no such account) takes the same time.
pub(super) async fn verify(password: Personal, hash: Option<String>) -> Result<bool, AccountError> {
    in_turn(move || is_password(&password, hash.as_deref())).await
}
