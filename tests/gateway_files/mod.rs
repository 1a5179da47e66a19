//! The shipped files of template gateways: what each sends on the wire, how it takes the provider's
//! answers, and what it reads of the provider's pushes. The clock and the random digits are fixed.
//! The signatures of AWS and Volcengine are those that botocore 1.44.8 and the volcengine SDK
//! compute for the same request.

mod abroad;
mod china;

use crate::common;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use fieldworkd::adapters::clock::{Clock, VirtualClock};
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::sms::template::TemplateGateway;
use fieldworkd::adapters::sms::{
    Entries, Gateway, OutgoingMessage, Push, PushError, Receipt, Reply, SubmitOutcome,
};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::sms_text::Placeholder;
use reqwest::header::HeaderMap;

const TEXT: &str = "【质量协会】王 小*明~您好，请评价山海：https://x.cn/i/abc123 拒收请回复R";
/// [`TEXT`] as it stands in a form.
const FORM_TEXT: &str = "%E3%80%90%E8%B4%A8%E9%87%8F%E5%8D%8F%E4%BC%9A%E3%80%91%E7%8E%8B%20%E5%B0%8F%2A%E6%98%8E~%E6%82%A8%E5%A5%BD%EF%BC%8C%E8%AF%B7%E8%AF%84%E4%BB%B7%E5%B1%B1%E6%B5%B7%EF%BC%9Ahttps%3A%2F%2Fx.cn%2Fi%2Fabc123%20%E6%8B%92%E6%94%B6%E8%AF%B7%E5%9B%9E%E5%A4%8DR";
const RECEIPTS_URL: &str = "https://x.cn/hooks/g/s/receipts";

#[derive(Debug, Clone)]
struct Recorded {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A provider on loopback: it records requests, and answers with what was put in.
#[derive(Clone, Default)]
struct Provider {
    requests: Arc<Mutex<Vec<Recorded>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

impl Provider {
    async fn start() -> (String, Provider) {
        let provider = Provider::default();
        let seen = provider.clone();
        let app = axum::Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            seen.requests.lock().unwrap().push(Recorded {
                line: format!("{} {}", parts.method, parts.uri),
                headers: parts.headers.iter().map(header).collect(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let (status, answer) = seen.answers.lock().unwrap().pop_front().unwrap();
            (axum::http::StatusCode::from_u16(status).unwrap(), answer)
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, provider)
    }
}

/// A shipped file and what it must do.
struct Case {
    file: &'static str,
    /// The provider's host in the file, which becomes the test's server.
    host: &'static str,
    line: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    /// Status and body of an answer, and its outcome.
    answers: &'static [(u16, &'static str, &'static str)],
    /// Query and body of a push, and its lines.
    receipts: &'static [(&'static str, &'static str, &'static [&'static str])],
    replies: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// What a push is answered with.
    push_answer: (&'static str, &'static str),
}

fn message() -> OutgoingMessage {
    let field = |placeholder, text: &str| (placeholder, Personal::new(text));
    OutgoingMessage {
        reference: "ref1".into(),
        to: Phone::parse("13800138000", phonenumber::country::CN).unwrap(),
        text: Personal::new(TEXT),
        parts: 1,
        step: "invitation".into(),
        must_be_alone: false,
        part: None,
        fields: [
            field(Placeholder::Name, "王 小*明~"),
            field(Placeholder::Subject, ""),
            field(Placeholder::Link, "https://x.cn/i/abc123"),
        ]
        .into(),
    }
}

fn open(definition: String, secret: &str) -> TemplateGateway {
    let config = GatewayConfig {
        name: "g".into(),
        definition,
        rate_per_second: 10,
        rate_counts: None,
        in_flight: 1,
        price_per_part: 0.0,
        currency: "CNY".into(),
        user: "the-id".into(),
        secret: Personal::new(secret),
        allowed_networks: Vec::new(),
        default_region: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(common::monday()));
    let random = |octets: &mut [u8]| {
        octets.fill(0xab);
        true
    };
    TemplateGateway::open_with(&config, &clock, "https://x.cn/hooks/g/s", random)
        .unwrap_or_else(|problem| panic!("{problem}"))
}

fn outcome_line(outcome: &SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::Accepted { id } => format!("accepted {}", id.as_deref().unwrap_or("-")),
        SubmitOutcome::RefusedNumber { code } => format!("refused {code}"),
        SubmitOutcome::RefusedMessage { code } => format!("message {code}"),
        SubmitOutcome::OptedOut { code } => format!("opted out {code}"),
        SubmitOutcome::DeferredNumber { code } => format!("deferred {code}"),
        SubmitOutcome::BatchRefused => "batch refused".into(),
        SubmitOutcome::Throttled { code, .. } => format!("throttled {code}"),
        SubmitOutcome::TemporaryFailure { code } => format!("temporary {code}"),
        SubmitOutcome::AccountFailure { code } => format!("account {code}"),
        SubmitOutcome::InDoubt { code } => format!("in doubt {code}"),
    }
}

fn lines<T>(read: Result<Entries<T>, PushError>, line: fn(&T) -> String) -> Vec<String> {
    match read {
        Ok(entries) => {
            let unreadable = entries.unreadable.iter().map(|entry| format!("{:?}", entry.error));
            entries.read.iter().map(line).chain(unreadable).collect()
        }
        Err(error) => vec![format!("{error:?}")],
    }
}

fn receipt_line(receipt: &Receipt) -> String {
    let state = match (receipt.delivered, receipt.dead_number) {
        (true, _) => "delivered",
        (false, false) => "undelivered",
        (false, true) => "dead number",
    };
    let named = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{name}={value} ")).unwrap_or_default()
    };
    let (reference, id) = (named("reference", &receipt.reference), named("id", &receipt.id));
    format!("{reference}{id}{}{state}", named("code", &receipt.code))
}

fn reply_line(reply: &Reply) -> String {
    let id = reply.id.as_ref().map(|id| format!(" id={}", id.reveal())).unwrap_or_default();
    let at = reply.at.map(|at| format!(" at={}", at.0)).unwrap_or_default();
    let part = reply.part.as_ref().map(|part| {
        let octets = data_encoding::HEXLOWER.decode(part.octets_hex.reveal().as_bytes()).unwrap();
        let text = part.coding.decode(&octets);
        format!(" part {}/{} of {} «{text}»", part.number, part.total, part.reference)
    });
    let (from, text) = (reply.from.reveal(), reply.text.reveal());
    format!("{from}: «{text}»{id}{at}{}", part.unwrap_or_default())
}

async fn check(case: Case) {
    let (url, provider) = Provider::start().await;
    // A signed host is that of the SDKs' signatures.
    let definition = case
        .file
        .replace(&format!("https://{}", case.host), &url)
        .replace("host:{host}", "host:sms.example:8080");
    assert!(definition.contains(&url), "{} is not in the file", case.host);
    let gateway = open(definition, "the-secret");
    for (status, body, expected) in case.answers {
        provider.answers.lock().unwrap().push_back((*status, (*body).to_owned()));
        let result = gateway.submit(&[message()]).await;
        assert_eq!(outcome_line(&result.outcomes[0]), *expected, "{status} {body}");
        let log = format!("{} {}", result.log_entry.request, result.log_entry.response);
        for secret in ["the-secret", "dGhlLWlkOnRoZS1zZWNyZXQ", "13800138000", "王", "abc123"] {
            assert!(!log.contains(secret), "{secret} is in the gateway log: {log}");
        }
    }
    let recorded = provider.requests.lock().unwrap()[0].clone();
    assert_eq!(recorded.line, case.line);
    assert_eq!(recorded.body, case.body);
    for (name, value) in case.headers {
        assert_eq!(recorded.headers.get(*name).map(String::as_str), Some(*value), "{name}");
    }
    let headers = HeaderMap::new();
    for (query, body, expected) in case.receipts {
        let push = Push { url: RECEIPTS_URL, query, headers: &headers, body: body.as_bytes() };
        assert_eq!(lines(gateway.parse_receipts(push), receipt_line), *expected, "{query} {body}");
    }
    for (query, body, expected) in case.replies {
        let push = Push { url: RECEIPTS_URL, query, headers: &headers, body: body.as_bytes() };
        assert_eq!(lines(gateway.parse_replies(push), reply_line), *expected, "{query} {body}");
    }
    assert_eq!(gateway.push_response(), case.push_answer);
}

const OK: (&str, &str) = ("text/plain", "ok\n");

#[test]
fn every_shipped_file_can_be_named_without_its_folder() {
    let code = include_str!("../../src/adapters/config/gateways.rs");
    for entry in std::fs::read_dir("config/gateways").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(code.contains(&format!("\"gateways/{name}\" =>")), "{name}");
    }
}
