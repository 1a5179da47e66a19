//! Links that are looked up at the same time are looked up together: whoever comes while a look is under way waits for the next one, which takes all that
//! wait. One statement then serves dozens of pages, and a page waits for two looks at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::AnyConnection;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};

use crate::adapters::database::links::{self, Linked};
use crate::adapters::database::{Store, StoreError};

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
    /// At most as many as there are looks at once.
    idle: Mutex<Vec<AnyConnection>>,
}

impl Lookup {
    pub fn new(store: Store) -> Lookup {
        Lookup { store, waiting: Mutex::default(), looks: Semaphore::new(LOOKS), idle: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What stands behind a link now, by the hash of its code: as of a moment after the call.
    pub async fn find(&self, hash: &str) -> Answer {
        // Again only if whoever took this link along has gone away (a closed connection).
        'again: loop {
            let (sender, mut answer) = oneshot::channel();
            self.waiting().push(Waiting { hash: hash.to_owned(), answer: sender });
            tokio::select! {
                biased;
                found = &mut answer => match found {
                    Ok(found) => return found,
                    Err(_) => continue 'again,
                },
                // The semaphore is never closed.
                _look = self.looks.acquire() => {
                    // With many waiting, this link may not be among the first that are taken.
                    while self.look().await {
                        match answer.try_recv() {
                            Ok(found) => return found,
                            Err(TryRecvError::Closed) => continue 'again,
                            Err(TryRecvError::Empty) => {}
                        }
                    }
                }
            }
            // Nobody waits any more: somebody else has taken this link along, and may still be at it. The turn to look is given back by now.
            if let Ok(found) = answer.await {
                return found;
            }
        }
    }

    /// Answers those who wait. False: nobody does.
    async fn look(&self) -> bool {
        let mut taken: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let most = waiting.len().min(MOST);
            waiting.drain(..most).collect()
        };
        taken.sort_by(|a, b| a.hash.cmp(&b.hash));
        if taken.is_empty() {
            return false;
        }
        let hashes: Vec<&str> = taken.iter().map(|waiting| waiting.hash.as_str()).collect();
        let mut found = match self.behind(&hashes).await.map_err(Arc::new) {
            Ok(found) => found,
            Err(error) => {
                taken.into_iter().for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
                return true;
            }
        };
        let mut taken = taken.into_iter().peekable();
        while let Some(Waiting { hash, answer }) = taken.next() {
            // Two tabs at the same link stand beside each other.
            let is_last = taken.peek().is_none_or(|next| next.hash != hash);
            let linked = if is_last { found.remove(&hash) } else { found.get(&hash).cloned() };
            // Who has gone away needs no answer.
            let _ = answer.send(Ok(linked));
        }
        true
    }

    /// Asks the database, on a connection that is kept for this: the pool would ask each time whether it is still good.
    async fn behind(&self, hashes: &[&str]) -> Result<HashMap<String, Linked>, StoreError> {
        let kept = self.idle().pop();
        if let Some(mut connection) = kept {
            // One that has died meanwhile is noticed by the statement.
            if let Ok(found) = links::behind(&mut connection, hashes).await {
                self.idle().push(connection);
                return Ok(found);
            }
        }
        let mut connection = self.store.read().await?.detach();
        let found = links::behind(&mut connection, hashes).await?;
        self.idle().push(connection);
        Ok(found)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AnyConnection>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
