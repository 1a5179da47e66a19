//! I3, never too fast: no sliding second sees more than the gateway's rate, counted over all
//! daemons.
//! Held by a machine that wakes late and by two daemons on one PostgreSQL; and by the property test
//! of `src/adapters/database/rates.rs`, the faults of `tests/invariants/i1_never_twice.rs`, and,
//! measured, `benches/rate.rs`.
//! To see both fail, forget which slots are taken: in `slots_from` of
//! `src/adapters/database/rates.rs`, replace `None => arrival.max(now)` by `None => now`
//! (`a_late_machine_is_slower_and_never_too_fast` needs no PostgreSQL).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::deployment::{Deployment, free_port, wait_until};
use crate::common::{TestApp, monday};
use async_trait::async_trait;
use fieldworkd::adapters::clock::Clock;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::{PeopleScenario, Scenario};

/// A machine whose sleeps end late, by up to 41 ms.
struct LateClock {
    clock: Arc<fieldworkd::adapters::clock::VirtualClock>,
    woken: AtomicU32,
}

#[async_trait]
impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn steady(&self) -> Duration {
        self.clock.steady()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let delay =
            [0, 3, 40, 0, 17, 5, 41, 2][self.woken.fetch_add(1, Ordering::SeqCst) as usize % 8];
        if at > self.now() {
            self.clock.advance_to(at + Duration::from_millis(delay));
        }
    }
}

/// On a machine that is late, a message that missed its slot waits for another one, so messages are
/// never compressed.
#[tokio::test]
async fn a_late_machine_is_slower_and_never_too_fast() {
    for mut app in TestApp::on_each_engine(
        Scenario::faultless(3, 1000),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "20")],
    )
    .await
    {
        app.launch_with_people(100, "").await;
        let late = Arc::new(LateClock { clock: app.clock.clone(), woken: AtomicU32::new(0) });
        app.dispatcher = Dispatcher::new(app.installation_with(None, late));
        app.advance_until(monday() + Duration::from_secs(600)).await;
        let record = app.simulator.record();
        assert_eq!((record.accepted.len(), record.over_rate(20)), (100, 0), "{}", app.engine);
    }
}

/// Several daemons on one PostgreSQL share the work and the rate, without duplicates.
#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_on_one_postgresql_keep_one_rate() {
    let scenario = Scenario { people: PeopleScenario::silent(), ..Scenario::faultless(1, 1000) };
    for deployment in Deployment::on_each_engine(100, &scenario, 20)
        .await
        .into_iter()
        .filter(|deployment| deployment.url.starts_with("postgres"))
    {
        let one = deployment.start_daemon(&[]).await;
        let listen = format!("127.0.0.1:{}", free_port());
        let two = deployment.start_daemon(&[("FIELDWORKD_WEB__LISTEN", listen.as_str())]).await;
        wait_until("all are out", async || deployment.simulator.record().accepted.len() == 100)
            .await;
        let record = deployment.simulator.record();
        assert_eq!(record.duplicates(), 0);
        // The scheduler of a loaded machine blurs the arrivals at the simulator: two in twenty are
        // its uncertainty, not the rate's.
        assert_eq!(record.over_rate(22), 0);
        for daemon in [one, two] {
            daemon.signal("TERM");
            assert_eq!(daemon.wait_for_exit(), Some(0));
        }
    }
}
