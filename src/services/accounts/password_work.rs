//! Argon2 computations, a few at a time: each takes 19 MiB and some hundredths of a second of a
//! core, so that many sign-ins at once would take the machine from respondents. They run on threads
//! of their own, because an allocator keeps what a thread has freed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};

use tokio::sync::oneshot;

use super::AccountError;
use crate::adapters::crypto::password::{hash_password, is_password};
use crate::domain::personal::Personal;

/// Threads, and how many computations may wait for their turn.
const AT_ONCE: usize = 2;
const MAX_WAITING: usize = 32;

type Job = Box<dyn FnOnce() + Send>;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The queue of the threads, which are started with the first job.
static QUEUE: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (queue, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..AT_ONCE {
        let jobs = jobs.clone();
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                WAITING.fetch_sub(1, Ordering::SeqCst);
                // A job that panics answers nobody; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        });
    }
    queue
});

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccountError> {
    if WAITING.fetch_add(1, Ordering::SeqCst) >= MAX_WAITING {
        WAITING.fetch_sub(1, Ordering::SeqCst);
        return Err(AccountError::Busy);
    }
    let (done, result) = oneshot::channel();
    let job = move || {
        // Somebody who has gone away meanwhile needs no result.
        if !done.is_closed() {
            let _ = done.send(work());
        }
    };
    QUEUE.send(Box::new(job)).map_err(|_| AccountError::TaskPanicked)?;
    result.await.map_err(|_| AccountError::TaskPanicked)
}

/// Hashes a new password. `name` is the account's.
///
/// # Errors
/// [`AccountError::CommonPassword`] for one that is guessed early (NIST SP 800-63B, 3.1.1.2).
pub(super) async fn hash(password: Personal, name: &str) -> Result<String, AccountError> {
    let own_words = [name.to_owned(), "fieldworkd".to_owned()];
    let hash = in_turn(move || {
        let own_words: Vec<&str> = own_words.iter().map(String::as_str).collect();
        if zxcvbn::zxcvbn(password.reveal(), &own_words).score() < zxcvbn::Score::Three {
            return Err(AccountError::CommonPassword);
        }
        Ok(hash_password(&password)?)
    });
    hash.await?
}

/// Returns whether a password matches. A `hash` of `None` (no such account) takes the same time.
pub(super) async fn verify(password: Personal, hash: Option<String>) -> Result<bool, AccountError> {
    in_turn(move || is_password(&password, hash.as_deref())).await
}
