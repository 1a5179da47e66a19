//! The commands of alerts, through the real binary. The channels are a real mail server, a real
//! receiver of Standard Webhooks, and the gateway. That alarms reach the people responsible is
//! tested in tests/invariants/i6_never_late_unseen.rs.

use crate::common;
use crate::common::receivers::{Receivers, SECRET};
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::Value;

pub(crate) const DUTY_OFFICER: &str = "+8613912345678";

pub(crate) fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// End to end through the real binary: the receiver's own library accepts the signatures and their
/// timestamps.
#[tokio::test]
async fn the_command_tests_every_channel() {
    let Some(receivers) = Receivers::start() else { return };
    let (mut received, mut telephones) = (0, 0);
    for deployment in common::deployment::Deployment::on_each_engine(3, &silent(), 50).await {
        let command = |arguments: &[&str], hook: &str| {
            let mut command = deployment.command_line(arguments);
            command
                .env("FIELDWORKD_NOTIFY__EMAIL__SERVER", &receivers.smtp)
                .env("FIELDWORKD_NOTIFY__EMAIL__FROM", "fieldworkd@example.com")
                .env("FIELDWORKD_NOTIFY__EMAIL__TO", "head@example.com, duty@example.com")
                .env("FIELDWORKD_NOTIFY__WEBHOOK__URL", format!("{}/{hook}", receivers.http))
                .env("FIELDWORKD_NOTIFY__WEBHOOK__SECRET", SECRET)
                .env("FIELDWORKD_NOTIFY__SMS__GATEWAY", "simulator")
                .env("FIELDWORKD_NOTIFY__SMS__TO", DUTY_OFFICER);
            command
        };
        let run = async |arguments: &[&str], hook: &str| {
            let mut command = command(arguments, hook);
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
        };
        let output = run(&["alarm", "test"], "hook").await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(0), "email: sent\nwebhook: sent\nsms: sent\n"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        received += 1;
        let post = receivers.wait_for("webhook", received).await.pop().unwrap();
        assert!(post["signed"] == true && post["fresh"] == true, "{post}");
        let mail = receivers.wait_for("email", received).await.pop().unwrap();
        assert_eq!(
            mail["to"],
            serde_json::json!(["head@example.com", "duty@example.com"]),
            "{mail}"
        );
        telephones += 1;
        assert_eq!(deployment.simulator.record().submits.len(), 1, "site {telephones}");
        // Permanently gone: reported, and not tried again.
        let output = run(&["alarm", "test"], "gone").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stdout)
                .contains("webhook: the endpoint is gone for good (410)")
        );
        received += 1;
        receivers.wait_for("webhook", received).await;
        let output = run(&["alarm", "notices", "--json"], "gone").await;
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            rows.iter().filter(|row| row["sent_at"].is_null() && row["next_at"].is_null()).count(),
            1,
            "{rows:#?}"
        );
        let output = run(&["alarm", "digest"], "hook").await;
        assert!(String::from_utf8_lossy(&output.stdout).contains("in_field 1"), "{output:?}");
        let output = run(&["alarm", "list", "--json"], "hook").await;
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");
        let output = run(&["alarm", "ack", "A1"], "hook").await;
        assert!(
            !output.status.success()
                && String::from_utf8_lossy(&output.stderr).contains("A1 has no alarm"),
            "{output:?}"
        );
        // A secret in the file, or none at all, is refused with the place and the remedy.
        let config = std::fs::read_to_string(deployment.path().join("fieldworkd.toml")).unwrap();
        std::fs::write(
            deployment.path().join("fieldworkd.toml"),
            config.replace("[notify.webhook]\n", "[notify.webhook]\nsecret = \"whsec_AAAA\"\n"),
        )
        .unwrap();
        let output = deployment.command_line(&["check-config"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("notify.webhook.secret") && said.contains("secret_file"), "{said}");
    }
}
