//! The requests of our gateways, compared with those of the providers' own SDKs for the same inputs
//! and clock.

use crate::common;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use fieldworkd::adapters::clock::{Clock, VirtualClock};
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::sms::{
    self, Gateway, OutgoingMessage, Push, PushError, QueriedMessage, SubmitOutcome, alibaba,
    tencent, twilio,
};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::sms_text::Placeholder;
use fieldworkd::domain::time::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;

/// A request as recorded on loopback.
#[derive(Debug, Clone)]
struct RecordedRequest {
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
}

type Requests = Arc<Mutex<Vec<RecordedRequest>>>;

/// Starts a server that records every request and responds with `answer`.
async fn start_recorder(status: u16, answer: &'static str) -> (String, Requests) {
    let requests: Requests = Arc::default();
    let seen = requests.clone();
    let app = axum::Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        seen.lock().unwrap().push(RecordedRequest {
            path: parts.uri.path().to_owned(),
            query: decoded(parts.uri.query().unwrap_or_default()),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        (axum::http::StatusCode::from_u16(status).unwrap(), answer)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, requests)
}

fn decoded(form: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

fn open(definition: String, clock: Timestamp) -> Arc<dyn Gateway> {
    let config = GatewayConfig {
        name: "g".into(),
        definition,
        rate_per_second: 10,
        rate_counts: None,
        in_flight: 1,
        price_per_part: 0.0,
        currency: "CNY".into(),
        user: "the-id".into(),
        secret: Personal::new("the-secret"),
        allowed_networks: Vec::new(),
        default_region: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(clock));
    sms::open(&config, &clock, "https://x.cn/hooks/g/s")
        .unwrap_or_else(|problem| panic!("{problem}"))
}

fn message() -> OutgoingMessage {
    let field = |placeholder, text: &str| (placeholder, Personal::new(text));
    OutgoingMessage {
        reference: "ref1".into(),
        to: Phone::parse("13800138000", phonenumber::country::CN).unwrap(),
        text: Personal::new(
            "【质量协会】王 小*明~您好，请评价山海：https://x.cn/i/abc123 拒收请回复R",
        ),
        parts: 1,
        step: "invitation".into(),
        must_be_alone: false,
        part: None,
        fields: [
            field(Placeholder::Name, "王 小*明~"),
            field(Placeholder::Link, "https://x.cn/i/abc123"),
        ]
        .into(),
    }
}

/// Returns the same message to another number.
fn message_to(number: &str) -> OutgoingMessage {
    OutgoingMessage {
        reference: format!("ref-{number}"),
        to: Phone::parse(number, phonenumber::country::CN).unwrap(),
        ..message()
    }
}

fn doubtful() -> QueriedMessage {
    QueriedMessage {
        reference: "ref1".into(),
        id: None,
        to: message().to,
        submitted_at: common::monday(),
    }
}

fn alibaba_file(endpoint: &str) -> String {
    format!(
        "kind = \"alibaba\"\nendpoint = \"{endpoint}\"\nsign_name = \
            \"质量协会\"\n[template.\"*\"]\ncode = \"SMS_1\"\nparameters = {{ name = \
            \"{{name}}\", code = \"{{link_code}}\" }}\n"
    )
}

fn tencent_file(endpoint: &str) -> String {
    format!(
        "kind = \"tencent\"\nendpoint = \"{endpoint}\"\nsdk_app_id = \"1400\"\nsign_name = \
            \"质量协会\"\n[template.\"*\"]\ncode = \"77\"\nparameters = [\"{{name}}\", \
            \"{{link_code}}\"]\n"
    )
}

fn twilio_file(endpoint: &str) -> String {
    format!("kind = \"twilio\"\nendpoint = \"{endpoint}\"\nfrom = \"+15005550006\"\n")
}

/// Returns the requests of the SDKs, made with a key of ours; `None`, with a notice, if they are
/// not installed.
fn sdk_requests() -> Option<(Vec<RecordedRequest>, Value)> {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!(
            "FIELDWORKD_TEST_PYTHON is not set: nothing is compared with the SDKs (use tests/run)"
        );
        return None;
    };
    let output = Command::new(python).arg("tests/external/sdk_requests.py").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let requests = printed["requests"].as_array().unwrap().iter().map(|request| {
        let whole = text(&request["path"]);
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let headers = request["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        RecordedRequest {
            path: path.to_owned(),
            query: decoded(query),
            headers,
            body: text(&request["body"]),
        }
    });
    Some((requests.collect(), printed["twilio"].clone()))
}

fn request_of_action<'a>(
    requests: &'a [RecordedRequest],
    header: &str,
    action: &str,
) -> &'a RecordedRequest {
    requests
        .iter()
        .find(|r| r.headers.get(header).is_some_and(|a| a == action))
        .unwrap_or_else(|| panic!("no {action} was recorded"))
}

/// Returns the authorization that our code computes over the signed headers of a request.
fn alibaba_authorization_of(request: &RecordedRequest) -> String {
    let given = &request.headers["authorization"];
    let signed = given.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    let headers: Vec<(&str, String)> =
        signed.split(';').map(|name| (name, request.headers[name].clone())).collect();
    let call = alibaba::Call {
        action: "",
        version: "",
        host: "",
        query: request
            .query
            .iter()
            .map(|(name, value)| (&*name.clone().leak(), value.clone()))
            .collect(),
        form: Vec::new(),
        date: String::new(),
        nonce: String::new(),
    };
    alibaba::authorization_over(&call.query_on_the_wire(), &headers, "the-id", "the-secret")
}

#[tokio::test]
async fn alibaba_is_asked_as_its_sdk_asks() {
    let (url, recorded) = start_recorder(200, r#"{"Code":"OK","BizId":"9^0"}"#).await;
    let gateway = open(alibaba_file(&url), common::monday());
    assert_eq!(
        gateway.submit(&[message()]).await.outcomes,
        [SubmitOutcome::Accepted { id: Some("9^0".into()) }]
    );
    gateway.query(&doubtful()).await;
    let two = [message(), message_to("13800138001")];
    assert!(gateway.can_share_request(&two[0], &two[1]) && gateway.capabilities().batch == 100);
    assert_eq!(
        gateway.submit(&two).await.outcomes,
        vec![SubmitOutcome::Accepted { id: Some("9^0".into()) }; 2]
    );
    let recorded = recorded.lock().unwrap().clone();
    for request in &recorded {
        assert_eq!(request.headers["authorization"], alibaba_authorization_of(request));
        assert_eq!(request.headers["x-acs-date"], "2026-03-02T01:30:00Z");
        assert_eq!(request.headers["x-acs-signature-nonce"].len(), 32);
        assert_eq!(request.body.is_empty(), request.headers["x-acs-action"] != "SendBatchSms");
    }
    let Some((sdk_recorded, _)) = sdk_requests() else { return };
    for (request, action) in recorded.iter().zip(["SendSms", "QuerySendDetails", "SendBatchSms"]) {
        let sdk = request_of_action(&sdk_recorded, "x-acs-action", action);
        assert_eq!(
            sdk.headers["authorization"],
            alibaba_authorization_of(sdk),
            "our signature of what the SDK sent is the SDK's"
        );
        assert_eq!((&request.path, &request.query), (&sdk.path, &sdk.query), "{action}");
        assert_eq!(decoded(&request.body), decoded(&sdk.body), "{action}");
        for header in ["x-acs-action", "x-acs-version", "content-type"] {
            assert_eq!(
                request.headers.get(header),
                sdk.headers
                    .get(header)
                    .filter(|_| header != "content-type" || !sdk.body.is_empty()),
                "{action}"
            );
        }
    }
}

#[tokio::test]
async fn tencent_is_asked_as_its_sdk_asks() {
    let (url, recorded) = start_recorder(
        200,
        r#"{"Response":{"SendStatusSet":[{"SerialNo":"5:1","Code":"Ok"}],"RequestId":"R"}}"#,
    )
    .await;
    let gateway = open(tencent_file(&url), common::monday());
    assert_eq!(
        gateway.submit(&[message()]).await.outcomes,
        [SubmitOutcome::Accepted { id: Some("5:1".into()) }]
    );
    gateway.query(&doubtful()).await;
    let two = [message(), message_to("13800138001")];
    assert!(gateway.can_share_request(&two[0], &two[1]) && gateway.capabilities().batch == 200);
    let abroad = message_to("+4915112345678");
    assert!(
        !gateway.can_share_request(&two[0], &abroad),
        "a request holds mainland or foreign numbers"
    );
    let other_text = OutgoingMessage {
        fields: [(Placeholder::Name, Personal::new("李"))].into(),
        ..message_to("13800138002")
    };
    assert!(!gateway.can_share_request(&two[0], &other_text), "a request has one text");
    gateway.submit(&two).await;
    let recorded = recorded.lock().unwrap().clone();
    let authorization_of = |request: &RecordedRequest| {
        let seconds = request.headers["x-tc-timestamp"].parse().unwrap();
        tencent::authorization(
            &request.headers["host"],
            &request.body,
            seconds,
            "the-id",
            "the-secret",
        )
    };
    for request in &recorded {
        assert_eq!(request.headers["authorization"], authorization_of(request));
        assert_eq!(request.headers["x-tc-timestamp"], "1772415000");
    }
    let Some((sdk_recorded, _)) = sdk_requests() else { return };
    let of_two = |r: &&RecordedRequest| {
        r.body.contains("13800138001") && r.headers.contains_key("x-tc-action")
    };
    for (request, action) in
        recorded.iter().zip(["SendSms", "PullSmsSendStatusByPhoneNumber", "two"])
    {
        let sdk = if action == "two" {
            sdk_recorded.iter().find(of_two).unwrap()
        } else {
            request_of_action(&sdk_recorded, "x-tc-action", action)
        };
        assert_eq!(
            sdk.headers["authorization"],
            authorization_of(sdk),
            "our signature of what the SDK sent is the SDK's"
        );
        let json =
            |request: &RecordedRequest| serde_json::from_str::<Value>(&request.body).unwrap();
        assert_eq!(json(request), json(sdk), "{action}");
        for header in ["x-tc-action", "x-tc-version", "x-tc-region", "content-type"] {
            assert_eq!(request.headers[header], sdk.headers[header], "{action}");
        }
    }
}

#[tokio::test]
async fn twilio_is_asked_as_its_sdk_asks_and_its_pushes_are_checked_as_its_sdk_checks() {
    let (url, recorded) = start_recorder(201, r#"{"sid":"SM1","status":"queued"}"#).await;
    let gateway = open(twilio_file(&url), common::monday());
    assert_eq!(
        gateway.submit(&[message()]).await.outcomes,
        [SubmitOutcome::Accepted { id: Some("SM1".into()) }]
    );
    let request = recorded.lock().unwrap()[0].clone();
    assert_eq!(request.path, "/2010-04-01/Accounts/the-id/Messages.json");
    let Some((sdk_recorded, twilio_says)) = sdk_requests() else { return };
    let sdk = sdk_recorded.iter().find(|r| r.path.ends_with("/Messages.json")).unwrap();
    assert_eq!((&request.path, decoded(&request.body)), (&sdk.path, decoded(&sdk.body)));
    assert_eq!(request.headers["authorization"], sdk.headers["authorization"]);

    // A status callback, signed as the SDK's validator signs it.
    let form: Vec<(String, String)> = twilio_says["form"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    for (settings, name, algorithm) in [
        ("", "HMAC_SHA1", twilio::Algorithm::Sha1),
        ("key=k,algorithm=HMAC_SHA256", "HMAC_SHA256", twilio::Algorithm::Sha256),
    ] {
        let signature = twilio_says["signatures"][name].as_str().unwrap();
        assert_eq!(
            twilio::signature(twilio_says["url"].as_str().unwrap(), &form, "the-secret", algorithm),
            signature
        );
        let mut headers = HeaderMap::new();
        headers.insert("x-twilio-signature", HeaderValue::from_str(signature).unwrap());
        headers.insert(
            "x-twilio-webhooks-signature-settings",
            HeaderValue::from_str(settings).unwrap(),
        );
        let push = Push {
            url: "https://x.cn/hooks/g/s/receipts",
            query: "reference=ref1",
            headers: &headers,
            body: body.as_bytes(),
        };
        let receipts = gateway.parse_receipts(push).unwrap().read;
        assert_eq!(
            (receipts[0].reference.as_deref(), receipts[0].id.as_deref(), receipts[0].delivered),
            (Some("ref1"), Some("SM1"), true)
        );
        let forged = Push { body: b"MessageSid=SM2&MessageStatus=delivered", ..push };
        assert_eq!(gateway.parse_receipts(forged).unwrap_err(), PushError::Forged);
    }
}

#[test]
fn a_gateways_file_that_does_not_hold_together_says_where() {
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(common::monday()));
    let problem = |definition: &str| {
        let config = GatewayConfig {
            name: "g".into(),
            definition: definition.to_owned(),
            rate_per_second: 1,
            rate_counts: None,
            in_flight: 1,
            price_per_part: 0.0,
            currency: String::new(),
            user: "u".into(),
            secret: Personal::default(),
            allowed_networks: Vec::new(),
            default_region: None,
        };
        sms::open(&config, &clock, "").err().expect(definition)
    };
    assert!(problem("kind = \"pigeon\"").contains("«pigeon» is unknown"));
    assert!(problem("x = 1").contains("kind"));
    assert!(
        problem(&alibaba_file("https://x").replace("{link_code}", "{name}"))
            .contains("no parameter holds {link_code}")
    );
    assert!(
        problem(&alibaba_file("https://x").replace("\"*\"", "first")).contains("[template.\"*\"]")
    );
    assert!(
        problem(&tencent_file("https://x").replace("{name}", "{nmae}"))
            .contains("{nmae} is not a placeholder")
    );
    assert!(problem(&twilio_file("https://x").replace("from", "form")).contains("form"));
    assert!(problem("kind = \"twilio\"").contains("either from or messaging_service_sid"));
    let simulator = include_str!("../config/gateways/simulator.toml");
    assert!(problem(&simulator.replace("{text}", "{txt}")).contains("{txt} is not a placeholder"));
    assert!(
        problem(&simulator.replace("\"text\":\"{text}\",", ""))
            .contains("the message would be empty")
    );
    assert!(
        problem(&simulator.replace("timeout = \"20s\"", "timeout = \"soon\""))
            .contains("submit.timeout")
    );
}
