//! The daemon as a process: stopped while working, supervised by systemd, traced; on each engine,
//! against a live simulator. How it is killed is in tests/invariants/.

use std::time::Duration;

use crate::common::deployment::{Deployment, count, wait_until};
use crate::common::number;
use crate::common::receivers::Receivers;
use fieldworkd::simulation::Scenario;

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_settles_what_is_under_way() {
    let scenario = Scenario { latency_millis: 400, ..Scenario::faultless(1, 100) };
    for deployment in Deployment::on_each_engine(60, &scenario, 40).await {
        let daemon = deployment.start_daemon(&[]).await;
        wait_until("messages go out", async || !deployment.simulator.record().submits.is_empty())
            .await;
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0), "{}", deployment.log());
        let states = deployment.states().await;
        assert_eq!(
            count(&states, "submitting") + count(&states, "in_doubt"),
            0,
            "{}: {states:?}",
            deployment.url
        );
        assert!(deployment.log().contains("\"stopped\""));
    }
}

/// A client that watches the home page does not delay the stop.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_does_not_wait_for_those_who_watch() {
    for deployment in Deployment::on_each_engine(5, &Scenario::faultless(1, 100), 50).await {
        std::fs::write(deployment.path().join("password"), "many words make a good password")
            .unwrap();
        deployment.run_command(&[
            "user",
            "add",
            "qian",
            "--role",
            "operator",
            "--password-file",
            "password",
        ]);
        let daemon = deployment.start_daemon(&[]).await;
        let base = format!("http://127.0.0.1:{}", deployment.port);
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(30)).unwrap();
        let form = "name=qian&password=many+words+make+a+good+password";
        let signed_in = http
            .post(format!("{base}/staff/sign-in"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        let cookie = signed_in.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let mut watching =
            http.get(format!("{base}/home/live")).header("cookie", cookie).send().await.unwrap();
        assert!(watching.chunk().await.unwrap().is_some(), "it is told something first");
        let signalled_at = std::time::Instant::now();
        daemon.signal("TERM");
        let ended = tokio::task::spawn_blocking(move || daemon.wait_for_exit()).await.unwrap();
        assert!(
            ended == Some(0) && signalled_at.elapsed() < Duration::from_secs(10),
            "{ended:?} after {:?}",
            signalled_at.elapsed()
        );
        assert!(watching.chunk().await.unwrap_or(None).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let deployment = Deployment::on_each_engine(1, &Scenario::faultless(1, 50), 50).await.remove(0);
    let socket = deployment.path().join("notify");
    let heard = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let next = || {
        let mut buffer = [0u8; 256];
        let length = heard.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let socket = socket.display().to_string();
    let daemon = deployment
        .start_daemon(&[("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "900000")])
        .await;
    assert_eq!(next(), "READY=1");
    assert_eq!(next(), "WATCHDOG=1");
    daemon.signal("TERM");
    while next() != "STOPPING=1" {}
    assert_eq!(daemon.wait_for_exit(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_and_nothing_starts() {
    let deployment = Deployment::on_each_engine(1, &Scenario::faultless(1, 50), 50).await.remove(0);
    let _held = std::net::TcpListener::bind(("127.0.0.1", deployment.port)).unwrap();
    let output = deployment.command_line(&["serve"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(
        error.contains("web.listen") && error.contains(&deployment.port.to_string()),
        "{error}"
    );
    let simulator = deployment
        .command_line(&["simulator", "--listen", &format!("127.0.0.1:{}", deployment.port)])
        .output()
        .unwrap();
    assert!(String::from_utf8(simulator.stderr).unwrap().contains("--listen"));
    let outside =
        deployment.command_line(&["simulator", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(String::from_utf8(outside.stderr).unwrap().contains("loopback only"));
}

/// Traces by OTLP, parsed with OpenTelemetry's own definitions: they contain the operations and
/// their parents, and no personal data (invariant I7).
#[tokio::test(flavor = "multi_thread")]
async fn traces_reach_a_collector_without_personal_data() {
    let Some(receivers) = Receivers::start() else { return };
    let mut before = 0;
    for deployment in Deployment::on_each_engine(20, &Scenario::faultless(1, 100), 40).await {
        let daemon = deployment.start_daemon(&[("FIELDWORKD_TRACES__OTLP", &receivers.http)]).await;
        wait_until("everybody has a message", async || {
            deployment.simulator.record().accepted.len() == 20
        })
        .await;
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(30)).unwrap();
        http.get(format!("http://127.0.0.1:{}/i/NOBODYS-LINK", deployment.port))
            .send()
            .await
            .unwrap();
        daemon.signal("TERM");
        let ended = tokio::task::spawn_blocking(move || daemon.wait_for_exit()).await.unwrap();
        assert_eq!(ended, Some(0), "{}", deployment.log());
        // The receiver has all of them when the daemon has ended; its lines come one by one.
        let mut all = receivers.wait_for("trace", before + 1).await.split_off(before);
        wait_until("the traces stop coming", async || {
            let known = all.len();
            tokio::time::sleep(Duration::from_millis(500)).await;
            all = receivers.wait_for("trace", before + 1).await.split_off(before);
            all.len() == known
        })
        .await;
        before += all.len();
        let named = |name: &str| all.iter().filter(|span| span["name"] == name).collect::<Vec<_>>();
        assert!(all.iter().all(|span| span["service"] == "fieldworkd"));
        let opened = named("GET /i/{code}");
        assert!(
            opened.len() == 1 && opened[0]["attributes"]["http.response.status_code"] == 404,
            "{}: {opened:?}",
            deployment.url
        );
        let (batches, submits) = (named("dispatch_batch"), named("gateway_submit"));
        assert!(
            !batches.is_empty() && submits.len() >= 20,
            "{}: {} batches, {} submits",
            deployment.url,
            batches.len(),
            submits.len()
        );
        let sent: i64 = batches
            .iter()
            .map(|batch| batch["attributes"]["submitted"].as_i64().unwrap_or(0))
            .sum();
        assert!(
            sent >= 20 && batches[0]["attributes"]["campaign"] == "C1",
            "{}: {:?}",
            deployment.url,
            batches[0]
        );
        assert!(
            submits
                .iter()
                .all(|submit| batches.iter().any(|batch| batch["id"] == submit["parent"])),
            "{}: a submit stands below its batch",
            deployment.url
        );
        let said = serde_json::to_string(&all).unwrap();
        assert!(
            (0..20).all(|n| !said.contains(&number(n))) && !said.contains("NOBODYS-LINK"),
            "{said}"
        );
    }
}

/// A missing collector delays nothing, and causes no failure.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_collector_the_daemon_does_its_work_and_stops() {
    let deployment =
        Deployment::on_each_engine(5, &Scenario::faultless(1, 100), 50).await.remove(0);
    let daemon =
        deployment.start_daemon(&[("FIELDWORKD_TRACES__OTLP", "http://127.0.0.1:9")]).await;
    wait_until("everybody has a message", async || {
        deployment.simulator.record().accepted.len() == 5
    })
    .await;
    let signalled_at = std::time::Instant::now();
    daemon.signal("TERM");
    let ended = tokio::task::spawn_blocking(move || daemon.wait_for_exit()).await.unwrap();
    assert!(
        ended == Some(0) && signalled_at.elapsed() < Duration::from_secs(25),
        "{ended:?} after {:?}",
        signalled_at.elapsed()
    );
}
