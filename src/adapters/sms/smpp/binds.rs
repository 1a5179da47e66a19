//! The binds of an account: which of them are up, which is tried next and when, and which takes the
//! next submit. No sockets: [`super::session`] opens and closes what is decided here.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::link::Link;
use crate::domain::time::Timestamp;

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A connection that is lost sooner than this after its bind counts as a failure: some SMSCs take a
/// bind and close at once.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// What a bind is for (SMPP 3.4, 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindError {
    /// The SMSC refused the bind: a person must check the account.
    Refused(String),
    NoConnection,
}

/// A bound connection with one more submit in flight, until it is dropped.
pub struct Lease {
    link: Link,
    _in_flight: Arc<()>,
}

impl Deref for Lease {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

enum State {
    Down,
    Binding,
    /// `in_flight` has one more owner for each lease.
    Up {
        link: Link,
        since: Timestamp,
        in_flight: Arc<()>,
    },
}

struct Bind {
    role: Role,
    state: State,
    failures: u32,
    not_before: Option<Timestamp>,
}

impl Bind {
    fn is_up(&self) -> bool {
        matches!(&self.state, State::Up { link, .. } if !link.is_closed())
    }

    fn takes_submits(&self) -> bool {
        self.role != Role::Receiver
    }
}

/// While none is up, one bind is tried at a time, and the whole account backs off: N binds with a
/// wrong password would be refused N times, and some carriers lock such accounts.
pub struct Binds {
    each: Vec<Bind>,
    /// Failed attempts since the account was last up.
    failures: u32,
    not_before: Option<Timestamp>,
    refused: Option<String>,
    /// The number of attempts that have failed ever.
    failed: u64,
    /// Where the search for the next submit's bind begins, so that equals take turns.
    turn: usize,
    closed: bool,
}

/// What follows from a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub wait: Duration,
    /// Other binds of the account are up, so the account works.
    pub others_are_up: bool,
    /// The first in a row of this bind.
    pub is_first: bool,
}

impl Binds {
    pub fn new(roles: &[Role]) -> Binds {
        let bind =
            |role: &Role| Bind { role: *role, state: State::Down, failures: 0, not_before: None };
        Binds {
            each: roles.iter().map(bind).collect(),
            failures: 0,
            not_before: None,
            refused: None,
            failed: 0,
            turn: 0,
            closed: false,
        }
    }

    /// Returns a bind that is to be tried now; the caller reports what came of it.
    pub fn next_due(&mut self, now: Timestamp) -> Option<(usize, Role)> {
        if self.closed {
            return None;
        }
        self.notice_lost(now);
        let is_alone = !self.each.iter().any(Bind::is_up);
        let is_binding = self.each.iter().any(|bind| matches!(bind.state, State::Binding));
        if is_alone && (is_binding || waits(self.not_before, now)) {
            return None;
        }
        let due =
            self.each.iter_mut().enumerate().filter(|(_, bind)| {
                matches!(bind.state, State::Down) && !waits(bind.not_before, now)
            });
        // The one whose turn was earliest: of two, where one fails always, the other is tried too.
        let (number, bind) = due.min_by_key(|(_, bind)| bind.not_before)?;
        bind.state = State::Binding;
        Some((number, bind.role))
    }

    /// Takes a new connection. Returns false if the account was closed meanwhile.
    pub fn succeeded(&mut self, number: usize, link: Link, now: Timestamp) -> bool {
        let bind = &mut self.each[number];
        if self.closed {
            bind.state = State::Down;
            return false;
        }
        bind.state = State::Up { link, since: now, in_flight: Arc::default() };
        (self.failures, self.not_before, self.refused) = (0, None, None);
        true
    }

    pub fn failed(&mut self, number: usize, error: &BindError, now: Timestamp) -> Failure {
        let others_are_up = self.each.iter().any(Bind::is_up);
        let bind = &mut self.each[number];
        bind.state = State::Down;
        bind.failures += 1;
        self.failed += 1;
        let wait = if others_are_up {
            back_off(bind.failures)
        } else {
            self.failures += 1;
            let wait = back_off(self.failures);
            self.not_before = Some(now + wait);
            self.refused = match error {
                BindError::Refused(code) => Some(code.clone()),
                BindError::NoConnection => None,
            };
            wait
        };
        bind.not_before = Some(now + wait);
        Failure { wait, others_are_up, is_first: bind.failures == 1 }
    }

    /// Returns the bind for a submit: of those that are up, one with the fewest in flight. `None`
    /// means that one is being tried which has not failed since `failed_before`.
    pub fn lease(&mut self, failed_before: u64) -> Option<Result<Lease, BindError>> {
        let count = self.each.len();
        self.turn = (self.turn + 1) % count;
        let up = (self.turn..self.turn + count).filter_map(|number| {
            let bind = &self.each[number % count];
            match &bind.state {
                State::Up { link, in_flight, .. } if bind.takes_submits() && bind.is_up() => {
                    Some((link, in_flight))
                }
                _ => None,
            }
        });
        if let Some((link, in_flight)) =
            up.min_by_key(|(_, in_flight)| Arc::strong_count(in_flight))
        {
            return Some(Ok(Lease { link: link.clone(), _in_flight: in_flight.clone() }));
        }
        let mut submitting = self.each.iter().filter(|bind| bind.takes_submits());
        if self.failed == failed_before
            && submitting.any(|bind| matches!(bind.state, State::Binding))
        {
            return None;
        }
        Some(Err(self.refused.clone().map_or(BindError::NoConnection, BindError::Refused)))
    }

    pub fn failed_attempts(&self) -> u64 {
        self.failed
    }

    /// Leaves a connection on which the SMSC says that it is not bound.
    pub fn leave(&mut self, left: &Link, now: Timestamp) {
        left.leave();
        for bind in &mut self.each {
            if matches!(&bind.state, State::Up { link, .. } if link.is_same(left)) {
                bind.lost(now);
            }
        }
    }

    /// Returns the connections that are up, and tries none any more.
    pub fn close(&mut self) -> Vec<Link> {
        self.closed = true;
        self.each
            .iter_mut()
            .filter_map(|bind| match &bind.state {
                State::Up { link, .. } => {
                    let link = link.clone();
                    bind.state = State::Down;
                    Some(link)
                }
                _ => None,
            })
            .collect()
    }

    fn notice_lost(&mut self, now: Timestamp) {
        for bind in &mut self.each {
            if matches!(&bind.state, State::Up { link, .. } if link.is_closed()) {
                bind.lost(now);
            }
        }
    }
}

impl Bind {
    /// A connection that has lasted is opened again at once, and so is the first that has not.
    fn lost(&mut self, now: Timestamp) {
        if let State::Up { since, .. } = &self.state {
            let is_steady = now.since(*since) >= STEADY_AFTER;
            self.failures = if is_steady { 0 } else { self.failures + 1 };
            self.not_before = Some(now + back_off(self.failures.saturating_sub(1)));
        }
        self.state = State::Down;
    }
}

fn back_off(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => (FIRST_BACK_OFF * 2u32.pow(failures.min(6) - 1)).min(LONGEST_BACK_OFF),
    }
}

/// A time further ahead than any back-off was set by a clock that has been put back since.
fn waits(not_before: Option<Timestamp>, now: Timestamp) -> bool {
    not_before.is_some_and(|at| at > now && at.since(now) <= LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn refused() -> BindError {
        BindError::Refused("EsmeRinvpaswd".into())
    }

    /// A connection, and the other end of it; dropping that closes it.
    fn connection() -> (Link, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let (link, incoming) = Link::over(ours, Duration::from_secs(60), Duration::from_secs(1));
        // Nobody delivers here.
        tokio::spawn(async move {
            let mut incoming = incoming;
            while incoming.recv().await.is_some() {}
        });
        (link, theirs)
    }

    #[tokio::test]
    async fn a_refused_account_is_tried_once_at_a_time() {
        let mut binds = Binds::new(&[Role::Transceiver; 3]);
        assert_eq!(binds.next_due(at(0)), Some((0, Role::Transceiver)));
        assert_eq!(binds.next_due(at(0)), None, "the others wait");
        assert!(binds.lease(0).is_none(), "a submit waits too");
        let failure = binds.failed(0, &refused(), at(0));
        assert_eq!(failure, Failure { wait: FIRST_BACK_OFF, others_are_up: false, is_first: true });
        assert_eq!(binds.lease(0).unwrap().err(), Some(refused()));
        assert_eq!(binds.next_due(at(0)), None);
        assert_eq!(binds.next_due(at(1)), Some((1, Role::Transceiver)), "they take turns");
        assert_eq!(binds.failed(1, &refused(), at(1)).wait, 2 * FIRST_BACK_OFF);
        assert_eq!(binds.next_due(at(2)), None);
        assert_eq!(binds.next_due(at(3)), Some((2, Role::Transceiver)));
        let (link, _theirs) = connection();
        assert!(binds.succeeded(2, link, at(3)));
        assert!(binds.lease(2).unwrap().is_ok());
        assert_eq!(binds.next_due(at(3)), Some((0, Role::Transceiver)), "the account works");
        assert_eq!(binds.next_due(at(3)), Some((1, Role::Transceiver)), "both at once");
        assert!(binds.failed(0, &refused(), at(3)).others_are_up);
        assert!(binds.lease(2).unwrap().is_ok(), "one refused bind fails no message");
    }

    #[tokio::test]
    async fn submits_go_where_the_fewest_are() {
        let mut binds = Binds::new(&[Role::Transmitter, Role::Receiver, Role::Transmitter]);
        let (links, _theirs): (Vec<_>, Vec<_>) = (0..3).map(|_| connection()).unzip();
        for (number, link) in links.iter().enumerate() {
            binds.succeeded(number, link.clone(), at(0));
        }
        let leases: Vec<Lease> = (0..6)
            .map(|_| binds.lease(0).unwrap().unwrap_or_else(|_| panic!("one is up")))
            .collect();
        let count = |link: &Link| leases.iter().filter(|lease| lease.is_same(link)).count();
        assert_eq!([count(&links[0]), count(&links[1]), count(&links[2])], [3, 0, 3]);
        drop(leases);
        binds.leave(&links[0], at(20));
        assert!((0..4).all(|_| binds.lease(0).unwrap().is_ok_and(|l| l.is_same(&links[2]))));
    }

    #[tokio::test]
    async fn a_connection_that_does_not_last_is_not_opened_again_and_again() {
        let mut binds = Binds::new(&[Role::Transceiver]);
        let mut tried_at = Vec::new();
        for second in 0..20 {
            while let Some((number, _)) = binds.next_due(at(second)) {
                let (link, _theirs) = connection();
                binds.succeeded(number, link.clone(), at(second));
                binds.leave(&link, at(second));
                tried_at.push(second);
            }
        }
        assert_eq!(tried_at, [0, 0, 1, 3, 7, 15]);
        // One that has lasted begins anew.
        let (number, _) = binds.next_due(at(40)).unwrap();
        let (link, _theirs) = connection();
        binds.succeeded(number, link.clone(), at(40));
        binds.leave(&link, at(60));
        assert!(binds.next_due(at(60)).is_some());
    }

    #[test]
    fn a_clock_that_is_put_back_keeps_nobody_waiting() {
        let mut binds = Binds::new(&[Role::Transceiver]);
        binds.next_due(at(7200)).unwrap();
        binds.failed(0, &BindError::NoConnection, at(7200));
        assert_eq!(binds.next_due(at(7200)), None);
        assert!(binds.next_due(at(0)).is_some());
    }
}
