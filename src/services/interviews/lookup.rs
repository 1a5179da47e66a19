//! Links that are looked up at the same time are looked up together: whoever comes while a look is
//! under way waits for the next one, which takes all that wait. One statement then serves dozens of
//! pages, and a page waits for two looks at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::AnyConnection;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};

use crate::adapters::database::links::{self, LinkedInvitation};
use crate::adapters::database::{Database, DatabaseError};

/// Looks under way at once: one reads while the other's answers are taken up.
const MAX_CONCURRENT_LOOKUPS: usize = 2;
/// Links in one look.
const MAX_LINKS_PER_LOOKUP: usize = 64;

type Answer = Result<Option<LinkedInvitation>, Arc<DatabaseError>>;

struct PendingLookup {
    hash: String,
    answer: oneshot::Sender<Answer>,
}

pub struct LinkLookup {
    database: Database,
    pending: Mutex<Vec<PendingLookup>>,
    permits: Semaphore,
    /// At most as many as there are looks at once.
    idle: Mutex<Vec<AnyConnection>>,
}

impl LinkLookup {
    pub fn new(database: Database) -> LinkLookup {
        LinkLookup {
            database,
            pending: Mutex::default(),
            permits: Semaphore::new(MAX_CONCURRENT_LOOKUPS),
            idle: Mutex::default(),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Vec<PendingLookup>> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What stands behind a link now, by the hash of its code: as of a moment after the call.
    pub async fn find(&self, hash: &str) -> Answer {
        // Again only if whoever took this link along has gone away (a closed connection).
        'again: loop {
            let (sender, mut answer) = oneshot::channel();
            self.pending().push(PendingLookup { hash: hash.to_owned(), answer: sender });
            tokio::select! {
                biased;
                found = &mut answer => match found {
                    Ok(found) => return found,
                    Err(_) => continue 'again,
                },
                // The semaphore is never closed.
                _permit = self.permits.acquire() => {
                    // With many waiting, this link may not be among the first that are taken.
                    while self.run_lookup().await {
                        match answer.try_recv() {
                            Ok(found) => return found,
                            Err(TryRecvError::Closed) => continue 'again,
                            Err(TryRecvError::Empty) => {}
                        }
                    }
                }
            }
            // Nobody waits any more: somebody else has taken this link along, and may still be at
            // it. The turn to look is given back by now.
            if let Ok(found) = answer.await {
                return found;
            }
        }
    }

    /// Answers those who wait. False: nobody does.
    async fn run_lookup(&self) -> bool {
        let mut taken: Vec<PendingLookup> = {
            let mut pending = self.pending();
            let most = pending.len().min(MAX_LINKS_PER_LOOKUP);
            pending.drain(..most).collect()
        };
        taken.sort_by(|a, b| a.hash.cmp(&b.hash));
        if taken.is_empty() {
            return false;
        }
        let hashes: Vec<&str> = taken.iter().map(|pending| pending.hash.as_str()).collect();
        let mut found = match self.query_links(&hashes).await.map_err(Arc::new) {
            Ok(found) => found,
            Err(error) => {
                taken.into_iter().for_each(|pending| drop(pending.answer.send(Err(error.clone()))));
                return true;
            }
        };
        let mut taken = taken.into_iter().peekable();
        while let Some(PendingLookup { hash, answer }) = taken.next() {
            // Two tabs at the same link stand beside each other.
            let is_last = taken.peek().is_none_or(|next| next.hash != hash);
            let linked = if is_last { found.remove(&hash) } else { found.get(&hash).cloned() };
            // Who has gone away needs no answer.
            let _ = answer.send(Ok(linked));
        }
        true
    }

    /// Asks the database, on a connection that is kept for this: the pool would ask each time
    /// whether it is still good.
    async fn query_links(
        &self,
        hashes: &[&str],
    ) -> Result<HashMap<String, LinkedInvitation>, DatabaseError> {
        let idle_connection = self.idle().pop();
        if let Some(mut connection) = idle_connection {
            // One that has died meanwhile is noticed by the statement.
            if let Ok(found) = links::find_by_hashes(&mut connection, hashes).await {
                self.idle().push(connection);
                return Ok(found);
            }
        }
        let mut connection = self.database.read().await?.detach();
        let found = links::find_by_hashes(&mut connection, hashes).await?;
        self.idle().push(connection);
        Ok(found)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AnyConnection>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
