//! The daemon is killed repeatedly in the middle of a campaign while receipts arrive: nothing is
//! sent twice, nothing is lost, nothing is stuck.
//!
//! The short form runs with all tests. The long one, thirty kills in a campaign of 5,000 messages
//! on each engine: `FIELDWORKD_TEST_LONG=1 tests/run --test crash`.

use std::time::Duration;

use crate::common::deployment::{Deployment, count, wait_until};
use fieldworkd::domain::seeded_random::seeded_fraction;
use fieldworkd::simulation::Scenario;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_sends_nothing_twice_and_loses_nothing() {
    let is_long = std::env::var("FIELDWORKD_TEST_LONG").is_ok();
    let (people, kills, rate) = if is_long { (5_000, 30, 100) } else { (300, 6, 50) };
    let scenario = Scenario {
        latency_millis: 30,
        response_lost: 0.02,
        request_lost: 0.01,
        duplicate_receipts: 0.2,
        early_receipts: 0.2,
        undelivered: 0.03,
        no_receipt: 0.02,
        ..Scenario::faultless(11, 10_000)
    };
    for deployment in Deployment::on_each_engine(people, &scenario, rate).await {
        let mut daemon = deployment.start_daemon(&[]).await;
        let mut killed = 0;
        while killed < kills {
            // At any point in the life of a batch: while it is claimed, sent or settled, or while
            // receipts arrive.
            tokio::time::sleep(
                Duration::from_millis(150).mul_f64(1.0 + 9.0 * seeded_fraction("kill", killed)),
            )
            .await;
            daemon.signal("KILL");
            daemon.wait_for_exit();
            killed += 1;
            daemon = deployment.start_daemon(&[]).await;
        }
        wait_until("everybody is settled", async || {
            let states = deployment.states().await;
            states.iter().map(|(_, n)| n).sum::<i64>() == people as i64
                && ["submitting", "in_doubt", "deferred"]
                    .iter()
                    .all(|state| count(&states, state) == 0)
        })
        .await;
        let (record, states) = (deployment.simulator.record(), deployment.states().await);
        println!(
            "{} kills, {} submits, {} taken, {states:?}",
            killed,
            record.submits.len(),
            record.accepted.len()
        );
        assert_eq!(record.duplicates(), 0, "{}: no person got a step twice", deployment.url);
        // The messages that the gateway accepted are those recorded as accepted. Receipts have
        // moved most of them on.
        let ours = count(&states, "accepted")
            + count(&states, "delivered")
            + count(&states, "undelivered");
        assert_eq!(ours, record.accepted.len() as i64, "{}: {states:?}", deployment.url);
        assert!(
            count(&states, "delivered") > people as i64 / 20,
            "{}: receipts came in between: {states:?}",
            deployment.url
        );
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}
