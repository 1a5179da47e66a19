//! The daemon as a process against third-party carriers: an SMSC (the npm package «smpp») over SMPP
//! 3.4, and Kannel from Debian over HTTP, which forwards to the same SMSC. `tests/run` installs
//! both and names them in the environment; without them, the test prints a notice and passes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::deployment::{Deployment, count, free_port, wait_until};
use fieldworkd::simulation::Scenario;
use serde_json::Value;

/// The SMSC, and what it has reported.
struct Smsc {
    child: Child,
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Smsc {
    fn start(port: u16) -> Option<Smsc> {
        Smsc::start_with(port, &[])
    }

    /// `tls`: the files of a key and its certificate, or nothing.
    fn start_with(port: u16, tls: &[&str]) -> Option<Smsc> {
        let Ok(modules) = std::env::var("FIELDWORKD_TEST_NODE_PATH") else {
            eprintln!("FIELDWORKD_TEST_NODE_PATH is not set: no SMSC is started (use tests/run)");
            return None;
        };
        let mut child = Command::new("node")
            .args(["tests/external/smsc.js", &port.to_string()])
            .args(tls)
            .env("NODE_PATH", modules)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let heard = events.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().extend(serde_json::from_str::<Value>(&line));
            }
        });
        Some(Smsc { child, port: first["port"].as_u64().unwrap() as u16, events })
    }

    fn events(&self, name: &str) -> Vec<Value> {
        self.events.lock().unwrap().iter().filter(|event| event["event"] == name).cloned().collect()
    }

    /// Returns the numbers of all submits, repeated as submitted; of a long message only the last
    /// part counts.
    fn submits(&self) -> Vec<String> {
        let mut to: Vec<String> = self
            .events("submit")
            .iter()
            .filter(|e| e["receipt"] == 1 && e["part"][4] == e["part"][3])
            .map(|e| e["to"].as_str().unwrap().trim_start_matches('+').to_owned())
            .collect();
        to.sort();
        to
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that is killed with the test.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn smpp_file(port: u16) -> String {
    include_str!("../config/gateways/smpp.toml")
        .replace("127.0.0.1:2775", &format!("127.0.0.1:{port}"))
        .replace("\"30s\"", "\"1s\"")
        .replace("\"20s\"", "\"10s\"")
}

/// Configures the SMSC's account, and shows messages in doubt at once.
pub fn use_account(config: &mut String) {
    *config = config
        .replace("in_flight = 8", "in_flight = 4\nuser = \"fieldwork\"")
        .replace("escalate_in_doubt_after = \"2h\"", "escalate_in_doubt_after = \"1s\"");
}

pub const SECRET: (&str, &str) = ("FIELDWORKD_GATEWAY__SIMULATOR__SECRET", "secret");

#[tokio::test(flavor = "multi_thread")]
async fn an_smsc_over_smpp() {
    let Some(first) = Smsc::start(0) else { return };
    drop(first);
    for engine in 0..2 {
        let Some(smsc) = Smsc::start(0) else { return };
        let change = |config: &mut String, gateway: &mut String| {
            use_account(config);
            // A long URL makes a long message.
            *config = config.replace(
                "public_url = \"http://127.0.0.1",
                "public_url = \"http://a-longer-name-than-one-would-choose.example",
            );
            *gateway = smpp_file(smsc.port);
        };
        let deployments =
            Deployment::with_config(20, &Scenario::faultless(1, 100), 20, &change).await;
        let Some(deployment) = deployments.into_iter().nth(engine) else { return };
        let daemon = deployment.start_daemon(&[SECRET]).await;
        // Number 01 is refused, 03's response is lost with its connection, 04 opts out; the rest is
        // delivered, 02 at the second attempt.
        wait_until("everybody is settled", async || {
            let states = deployment.states().await;
            let (delivered, in_doubt) = (count(&states, "delivered"), count(&states, "in_doubt"));
            // Other messages in flight on that connection become in_doubt too: at most the window.
            // (01's refusal may be in flight when the connection closes.)
            let refused = count(&states, "refused");
            delivered + in_doubt + refused == 20 && (1..=4).contains(&in_doubt) && refused <= 1
        })
        .await;
        wait_until("the reply is taken", async || smsc.events("taken").len() >= 16).await;
        assert!(
            smsc.events("taken").iter().all(|event| event["status"] == 0),
            "{}",
            deployment.url
        );
        assert!(
            smsc.events("bound")
                .iter()
                .all(|event| event["known"] == true && event["version"] == 0x34)
        );
        assert!(smsc.events("bound").len() >= 2, "bound again after the connection was dropped");
        // Those of 16 to 18: in Unicode, in three parts of which the last comes first, in GB 18030.
        // (Some of 04 to 08 were lost with the connection.)
        wait_until("the opt-outs have come", async || opt_outs(&deployment) >= 3).await;
        wait_until("the connection is kept alive", async || {
            !smsc.events("enquire_link").is_empty()
        })
        .await;

        // Everybody once, in Chinese as written; the throttled message was not delivered the first
        // time.
        let mut submits = smsc.submits();
        assert_eq!(
            smsc.events("submit")
                .iter()
                .filter(|e| e["to"].as_str().unwrap().ends_with("02"))
                .count(),
            3,
            "one part, then both"
        );
        submits.extend(["8613810000001".to_owned(), "8613810000003".to_owned()]);
        submits.sort();
        assert!(
            submits.windows(2).all(|pair| pair[0] != pair[1]),
            "{}: nobody twice",
            deployment.url
        );
        assert!(submits.len() <= 20, "{}: nobody twice", deployment.url);
        let parts: Vec<Value> = smsc
            .events("submit")
            .into_iter()
            .filter(|e| e["to"].as_str().unwrap().ends_with("07"))
            .collect();
        let text: String = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
        assert!(text.starts_with("【质协】受访者7您好") && text.ends_with("退订回T"), "{text}");
        assert!(
            parts.len() > 1 && parts[0]["part"][0] == 0 && parts[0]["coding"] == 8,
            "a long message goes in parts: {parts:?}"
        );

        // A person resolves the message in doubt; the gateway log contains the responses.
        let json = |arguments: &[&str]| -> Value {
            let output =
                deployment.command_line(arguments).env(SECRET.0, SECRET.1).output().unwrap();
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        };
        wait_until("the doubt is shown", async || {
            !json(&["message", "in-doubt", "--json"]).as_array().unwrap().is_empty()
        })
        .await;
        let before = count(&deployment.states().await, "in_doubt");
        let doubt = json(&["message", "in-doubt", "--json"])[0].clone();
        let reference = doubt["reference"].as_str().unwrap();
        assert_eq!(
            (&doubt["campaign"], &doubt["applications"], &doubt["code"]),
            (&"C1".into(), &"A1".into(), &"connection_lost".into())
        );
        let message = json(&["message", "show", reference, "--json"]);
        let response = message["gateway_log"][0]["response"].as_str().unwrap();
        assert!(response.ends_with("the connection was lost"), "{response}");
        let whole = message.to_string();
        assert!(!whole.contains("138100000") && !whole.contains("受访者"), "{whole}");
        json(&["message", "resolve", reference, "--as", "sent"]);
        assert_eq!(count(&deployment.states().await, "in_doubt"), before - 1);
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
        wait_until("it has taken leave", async || !smsc.events("unbound").is_empty()).await;
    }
}

/// The connection is encrypted, and only to an SMSC whose certificate this machine trusts.
#[tokio::test(flavor = "multi_thread")]
async fn an_smsc_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=smsc",
        ])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            key,
            "-out",
            certificate,
        ])
        .output()
        .expect("openssl is there (tests/run installs it)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let Some(smsc) = Smsc::start_with(0, &[key, certificate]) else { return };
    let change = |config: &mut String, gateway: &mut String| {
        use_account(config);
        *gateway = smpp_file(smsc.port).replace("tls = false", "tls = true");
    };
    let deployments = Deployment::with_config(3, &Scenario::faultless(1, 100), 20, &change).await;
    let deployment = &deployments[0];
    let daemon = deployment.start_daemon(&[SECRET]).await;
    wait_until("it is not trusted, and why is said", async || {
        deployment.log().contains("TLS with the SMSC")
    })
    .await;
    assert!(smsc.events("bound").is_empty() && smsc.submits().is_empty());
    drop(daemon);
    let deployments = Deployment::with_config(3, &Scenario::faultless(1, 100), 20, &change).await;
    let deployment = &deployments[0];
    let _daemon = deployment.start_daemon(&[SECRET, ("SSL_CERT_FILE", certificate)]).await;
    // 00 and 02 are delivered, 02 at the second attempt; 01 is refused.
    wait_until("everybody is settled", async || {
        let states = deployment.states().await;
        count(&states, "delivered") == 2 && count(&states, "refused") == 1
    })
    .await;
}

/// A wrong password raises the alarm and fails no message.
#[tokio::test(flavor = "multi_thread")]
async fn an_smsc_that_does_not_let_us_in() {
    let Some(smsc) = Smsc::start(0) else { return };
    let change = |config: &mut String, gateway: &mut String| {
        use_account(config);
        *gateway = smpp_file(smsc.port);
    };
    let deployments = Deployment::with_config(3, &Scenario::faultless(1, 100), 20, &change).await;
    let deployment = &deployments[0];
    let daemon =
        deployment.start_daemon(&[("FIELDWORKD_GATEWAY__SIMULATOR__SECRET", "wrong")]).await;
    wait_until("the alarm is raised", async || deployment.log().contains("account does not work"))
        .await;
    let states = deployment.states().await;
    assert!(
        states.iter().all(|(state, _)| ["deferred", "submitting"].contains(&state.as_str())),
        "nobody is failed: {states:?}"
    );
    assert!(smsc.submits().is_empty() && !deployment.log().contains("wrong"));
    drop(daemon);
}

fn opt_outs(deployment: &Deployment) -> usize {
    let listed = deployment.command_line(&["suppress", "list", "--json"]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).matches("opt_out").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel_over_http() {
    if std::env::var("FIELDWORKD_TEST_KANNEL").is_err() {
        return eprintln!(
            "FIELDWORKD_TEST_KANNEL is not set: no Kannel is started (use tests/run)"
        );
    }
    let Some(smsc) = Smsc::start(0) else { return };
    let (admin, boxes, sendsms) = (free_port(), free_port(), free_port());
    let change = |config: &mut String, gateway: &mut String| {
        use_account(config);
        *gateway = include_str!("../config/gateways/kannel.toml")
            .replace("127.0.0.1:13013", &format!("127.0.0.1:{sendsms}"));
    };
    for deployment in Deployment::with_config(12, &Scenario::faultless(1, 100), 10, &change).await {
        let begun = smsc.events("submit").len();
        let gateways = deployment.command_line(&["gateways", "--json"]).output().unwrap();
        let replies = serde_json::from_slice::<Value>(&gateways.stdout).unwrap()[0]["replies"]
            .as_str()
            .unwrap()
            .to_owned();
        let conf = format!(
            "group = core\nadmin-port = {admin}\nadmin-interface = 127.0.0.1\nadmin-password = \
                x\nsmsbox-port = {boxes}\nsmsbox-interface = 127.0.0.1\nbox-allow-ip = \
                127.0.0.1\nlog-level = 4\n\n\
             group = smsc\nsmsc = smpp\nhost = 127.0.0.1\nport = {}\nsmsc-username = \
             fieldwork\nsmsc-password = secret\nsystem-type = \"\"\ntransceiver-mode = \
             true\nreconnect-delay = 1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\nsendsms-port \
             = {sendsms}\nsendsms-interface = 127.0.0.1\nlog-level = 4\nmo-recode = true\n\n\
             group = sendsms-user\nusername = fieldwork\npassword = secret\ndefault-sender = \
             10690000\nmax-messages = 10\nconcatenation = true\n\n\
             group = sms-service\nkeyword = default\ncatch-all = true\nmax-messages = 0\nget-url \
             = \"{replies}?from=%p&text=%b&coding=%c&charset=%C&time=%T\"\n",
            smsc.port
        );
        std::fs::write(deployment.folder.path().join("kannel.conf"), conf).unwrap();
        let start = |program: &str| {
            let log =
                std::fs::File::create(deployment.folder.path().join(format!("{program}.log")))
                    .unwrap();
            KillOnDrop(
                Command::new(format!("/usr/sbin/{program}"))
                    .current_dir(deployment.folder.path())
                    .arg("kannel.conf")
                    .stdout(log.try_clone().unwrap())
                    .stderr(log)
                    .spawn()
                    .unwrap(),
            )
        };
        let bearerbox = start("bearerbox");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let smsbox = start("smsbox");
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(5)).unwrap();
        wait_until("Kannel answers", async || {
            http.get(format!("http://127.0.0.1:{sendsms}/cgi-bin/sendsms")).send().await.is_ok()
        })
        .await;
        wait_until("Kannel is bound", async || {
            let status = http.get(format!("http://127.0.0.1:{admin}/status.txt")).send().await;
            match status {
                Ok(answer) => answer.text().await.is_ok_and(|text| text.contains("(online")),
                Err(_) => false,
            }
        })
        .await;
        let daemon = deployment.start_daemon(&[SECRET]).await;
        // Kannel accepts all of them; 01 gets a receipt that it failed, 03 breaks Kannel's
        // connection and is sent again by Kannel.
        wait_until("the receipts have come", async || {
            let states = deployment.states().await;
            count(&states, "delivered") >= 10 && count(&states, "undelivered") == 1
        })
        .await;
        wait_until("the SMSC has told of all of them", async || {
            smsc.events("submit").len() >= begun + 12
        })
        .await;
        let text: String = smsc
            .events("submit")
            .iter()
            .rev()
            .filter(|e| e["to"].as_str().unwrap().ends_with("07"))
            .map(|e| e["text"].as_str().unwrap())
            .collect();
        assert!(text.contains("受访者7您好"), "{text}");
        // «TD», «退订» in Unicode, one in three parts, which Kannel puts together, and one in GB 18030.
        wait_until("the opt-outs have come", async || opt_outs(&deployment) == 4).await;
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
        drop((smsbox, bearerbox));
    }
}
