//! The open connections: what each is waiting for, until when, and which one makes room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Time for the first head of a request.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Time for a body, beside that for its bytes at [`MIN_BYTES_PER_SECOND`].
const BODY_TIME: Duration = Duration::from_secs(20);
const MIN_BYTES_PER_SECOND: u64 = 4096;
/// Time for the next piece of a response to be taken.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// Time between two requests; longer than reverse proxies keep connections (Caddy two minutes), so
/// that none is closed under a request.
const IDLE_TIME: Duration = Duration::from_secs(150);

const MAX_CONNECTIONS: usize = 4096;
/// Carriers put thousands of telephones behind one address.
const MAX_PER_ADDRESS: usize = 1024;
/// Files that are open for other purposes.
const OTHER_FILES: usize = 128;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Its first request has not arrived.
    Fresh,
    /// The body of its request is arriving.
    Body,
    /// Its request is being handled.
    Busy,
    /// The response is being taken.
    Writing,
    /// It may send another request.
    Idle,
}

pub struct Connection {
    id: u64,
    address: IpAddr,
    phase: AtomicU8,
    /// Milliseconds of [`Connection::now`]: since when it is in this phase, and when it is closed
    /// (0: not at all).
    since: AtomicU64,
    deadline: AtomicU64,
    requests: AtomicU64,
    epoch: Instant,
    close: Notify,
}

impl Connection {
    /// Milliseconds since the server's start, at least 1.
    fn now(&self) -> u64 {
        millis(self.epoch.elapsed())
    }

    fn enter(&self, phase: Phase, time: Option<Duration>) {
        let now = self.now();
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.deadline.store(time.map_or(0, |time| now + millis(time)), Ordering::Relaxed);
    }

    /// A request's head has arrived. Returns its number on this connection.
    pub fn begin_request(&self) -> u64 {
        self.enter(Phase::Body, Some(BODY_TIME));
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// So many bytes of the request's body have arrived in all.
    pub fn body_progress(&self, bytes: u64) {
        let until = self.since.load(Ordering::Relaxed) + millis(body_time(bytes));
        self.deadline.store(until, Ordering::Relaxed);
    }

    pub fn body_complete(&self) {
        if self.phase.load(Ordering::Relaxed) == Phase::Body as u8 {
            self.enter(Phase::Busy, None);
        }
    }

    pub fn begin_response(&self) {
        self.enter(Phase::Writing, Some(WRITE_TIME));
    }

    /// A piece of the response was taken.
    pub fn response_progress(&self) {
        self.deadline.store(self.now() + millis(WRITE_TIME), Ordering::Relaxed);
    }

    /// The response of this request, of so many bytes, was handed on. The client may still take what
    /// is buffered.
    pub fn end_response(&self, request: u64, bytes: u64) {
        if self.requests.load(Ordering::Relaxed) == request {
            let taking = Duration::from_secs(bytes / MIN_BYTES_PER_SECOND);
            self.enter(Phase::Idle, Some(IDLE_TIME + taking));
        }
    }

    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// How long it has kept the server waiting; `None` if it does not. A client between two
    /// requests has shown that it completes them, so its time counts a quarter.
    fn waited(&self, now: u64) -> Option<u64> {
        let phase = self.phase.load(Ordering::Relaxed);
        let age = now.saturating_sub(self.since.load(Ordering::Relaxed));
        if phase == Phase::Fresh as u8 || phase == Phase::Body as u8 {
            Some(age)
        } else if phase == Phase::Idle as u8 {
            Some(age / 4)
        } else {
            None
        }
    }
}

/// The time in which more of a body must arrive, when so many bytes have.
pub fn body_time(bytes: u64) -> Duration {
    BODY_TIME + Duration::from_millis(bytes * 1000 / MIN_BYTES_PER_SECOND)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

pub struct Connections {
    open: Mutex<Open>,
    proxies: Vec<IpNet>,
    most: usize,
    epoch: Instant,
    changed: Notify,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    by_id: HashMap<u64, Arc<Connection>>,
    by_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let connection = self.by_id.remove(&id)?;
        if let Some(count) = self.by_address.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }

    /// Closes the connection that has kept the server waiting longest, of one address or of all.
    /// Returns false if none does.
    fn make_room(&mut self, of: Option<IpAddr>) -> bool {
        let candidates =
            self.by_id.values().filter(|c| of.is_none_or(|address| c.address == address));
        let longest = candidates
            .filter_map(|c| Some((c.waited(c.now())?, c.id)))
            .max_by_key(|(waited, id)| (*waited, std::cmp::Reverse(*id)));
        let Some((_, id)) = longest else { return false };
        if let Some(connection) = self.remove(id) {
            connection.close.notify_one();
        }
        true
    }
}

/// A place among the connections, given back when it is dropped.
pub struct Admitted {
    pub connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.lock().remove(self.connection.id);
        self.connections.changed.notify_waiters();
    }
}

impl Connections {
    pub(super) fn with_limits(proxies: Vec<IpNet>, open_files: usize) -> Connections {
        Connections {
            open: Mutex::default(),
            proxies,
            most: MAX_CONNECTIONS.min(open_files.saturating_sub(OTHER_FILES).max(16)),
            epoch: Instant::now(),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new connection a place. `None` if all are taken by requests at work.
    pub fn admit(self: &Arc<Connections>, address: IpAddr) -> Option<Admitted> {
        let address = address.to_canonical();
        let is_proxy = self.proxies.iter().any(|network| network.contains(&address));
        let mut open = self.lock();
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if !is_proxy && of_address >= MAX_PER_ADDRESS && !open.make_room(Some(address)) {
            return None;
        }
        if open.by_id.len() >= self.most && !open.make_room(None) {
            return None;
        }
        open.next_id += 1;
        let connection = Arc::new(Connection {
            id: open.next_id,
            address,
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            epoch: self.epoch,
            close: Notify::new(),
        });
        connection.enter(Phase::Fresh, Some(HEAD_TIME));
        open.by_id.insert(connection.id, connection.clone());
        *open.by_address.entry(address).or_default() += 1;
        Some(Admitted { connection, connections: self.clone() })
    }

    /// Closes connections whose time is over, once a second.
    pub async fn sweep(self: Arc<Connections>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let mut open = self.lock();
            let is_over = |c: &&Arc<Connection>| {
                let deadline = c.deadline.load(Ordering::Relaxed);
                deadline != 0 && c.now() > deadline
            };
            let over: Vec<u64> = open.by_id.values().filter(is_over).map(|c| c.id).collect();
            for connection in over.into_iter().filter_map(|id| open.remove(id)) {
                connection.close.notify_one();
            }
        }
    }

    /// Waits until no connection is open.
    pub async fn all_closed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().by_id.is_empty() {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn connections(most: usize) -> Arc<Connections> {
        Arc::new(Connections::with_limits(
            vec!["192.0.2.9/32".parse().unwrap()],
            most + OTHER_FILES,
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_kept_the_server_waiting_longest_makes_room() {
        let connections = connections(16);
        let mut admitted = Vec::new();
        for n in 0..16 {
            admitted.push(connections.admit(address(1)).unwrap());
            tokio::time::advance(Duration::from_millis(10 + n)).await;
        }
        // The first answers requests, the second is between two.
        admitted[0].connection.begin_request();
        admitted[0].connection.body_complete();
        let request = admitted[1].connection.begin_request();
        admitted[1].connection.begin_response();
        admitted[1].connection.end_response(request, 0);
        let newcomer = connections.admit(address(2));
        assert!(newcomer.is_some());
        assert!(connections.lock().by_id.contains_key(&admitted[0].connection.id));
        assert!(connections.lock().by_id.contains_key(&admitted[1].connection.id));
        assert!(!connections.lock().by_id.contains_key(&admitted[2].connection.id));
        for one in &admitted {
            one.connection.begin_request();
            one.connection.body_complete();
        }
        newcomer.as_ref().unwrap().connection.begin_request();
        newcomer.as_ref().unwrap().connection.body_complete();
        assert!(connections.admit(address(3)).is_none(), "all are at work");
        drop(admitted);
        drop(newcomer);
        assert!(connections.lock().by_id.is_empty() && connections.lock().by_address.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_a_share_and_a_proxy_does_not() {
        let connections = connections(10_000);
        let of =
            |n| (0..MAX_PER_ADDRESS + 5).map(|_| connections.admit(address(n))).collect::<Vec<_>>();
        let _held = (of(1), of(9));
        let open = connections.lock();
        assert_eq!(open.by_address[&address(1)], MAX_PER_ADDRESS);
        assert_eq!(open.by_address[&address(9)], MAX_PER_ADDRESS + 5);
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time() {
        let connections = connections(100);
        tokio::spawn(connections.clone().sweep());
        let fresh = connections.admit(address(1)).unwrap();
        let slow = connections.admit(address(2)).unwrap();
        let working = connections.admit(address(3)).unwrap();
        slow.connection.begin_request();
        slow.connection.body_progress(8 * MIN_BYTES_PER_SECOND);
        working.connection.begin_request();
        working.connection.body_complete();
        let idle = connections.admit(address(4)).unwrap();
        let request = idle.connection.begin_request();
        idle.connection.end_response(request, 0);
        let is_open = |one: &Admitted| connections.lock().by_id.contains_key(&one.connection.id);
        let open = || [&fresh, &slow, &working].map(is_open);
        tokio::time::sleep(Duration::from_secs(14)).await;
        assert_eq!(open(), [true, true, true]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(open(), [false, true, true]);
        tokio::time::sleep(Duration::from_secs(13)).await;
        assert_eq!(open(), [false, false, true], "20 s and 8 s for its bytes");
        tokio::time::sleep(Duration::from_secs(95)).await;
        assert!(is_open(&idle), "Caddy keeps a connection for two minutes");
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!is_open(&idle));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(open(), [false, false, true]);
    }
}
