//! Links that are looked up at the same time are looked up together: whoever comes while a look is under way waits for the next one, which takes all that
//! wait. One statement then serves dozens of pages, and a page waits for two looks at most.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Semaphore, oneshot};

use crate::store::links::{self, Linked};
use crate::store::{Store, StoreError};

/// Looks under way at once: one reads while the other's answers are taken up.
const LOOKS: usize = 2;
/// Links in one look.
const MOST: usize = 64;

type Answer = Result<Option<Linked>, Arc<StoreError>>;

struct Waiting {
    hash: String,
    answer: oneshot::Sender<Answer>,
}

pub struct Lookup {
    store: Store,
    waiting: Mutex<Vec<Waiting>>,
    looks: Semaphore,
}

impl Lookup {
    pub fn new(store: Store) -> Lookup {
        Lookup { store, waiting: Mutex::default(), looks: Semaphore::new(LOOKS) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What stands behind a link now, by the hash of its code: as of a moment after the call.
    pub async fn find(&self, hash: &str) -> Answer {
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.waiting().push(Waiting { hash: hash.to_owned(), answer: sender });
            tokio::select! {
                biased;
                found = &mut answer => if let Ok(found) = found { return found },
                // The semaphore is never closed.
                _look = self.looks.acquire() => {
                    self.look().await;
                    // Somebody else may have taken this link along, and may still be at it.
                    if let Ok(found) = answer.await { return found }
                }
            }
            // Whoever took this link along has gone away (a closed connection): asked again.
        }
    }

    /// Answers those who wait.
    async fn look(&self) {
        let taken: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let most = waiting.len().min(MOST);
            waiting.drain(..most).collect()
        };
        if taken.is_empty() {
            return;
        }
        let hashes: Vec<&str> = taken.iter().map(|waiting| waiting.hash.as_str()).collect();
        let found = async { links::behind(&mut *self.store.read().await?, &hashes).await }.await.map_err(Arc::new);
        for Waiting { hash, answer } in taken {
            // Who has gone away needs no answer.
            let _ = answer.send(found.as_ref().map(|found| found.get(&hash).cloned()).map_err(Arc::clone));
        }
    }
}
