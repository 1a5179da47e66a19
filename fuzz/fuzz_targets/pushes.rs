//! Parsers of pushed receipts and replies, for every kind of gateway.
#![no_main]

use std::sync::{Arc, LazyLock};

use fieldworkd::adapters::clock::{Clock, SystemClock};
use fieldworkd::adapters::config::Config;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::reply::ReplyWords;
use fieldworkd::adapters::sms::{self, Gateway, Push};
use libfuzzer_sys::fuzz_target;
use reqwest::header::HeaderMap;

static GATEWAYS: LazyLock<Vec<Arc<dyn Gateway>>> = LazyLock::new(|| {
    let kinds = [
        "simulator", "kannel", "rapidpro", "alibaba", "tencent", "twilio", "aws", "chuanglan", "clicksend", "huawei", "infobip", "volcengine",
        "vonage", "yunpian",
    ];
    let set = |kind: &str| {
        [("FILE", format!("gateways/{kind}.toml")), ("USER", "u".into()), ("SECRET", "s".into())]
            .map(|(key, value)| (format!("FIELDWORKD_GATEWAY__{}__{key}", kind.to_uppercase()), value))
    };
    let config = Config::load(None, kinds.iter().flat_map(|kind| set(kind))).expect("the shipped \
        configuration is good");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    config.gateways.values().map(|gateway| sms::open(gateway, &clock, "http://127.0.0.1/hooks").expect("a shipped file is good")).collect()
});

fuzz_target!(|data: &[u8]| {
    let (query, body) = data.split_at(data.len() / 3);
    let query = String::from_utf8_lossy(query);
    let headers = HeaderMap::new();
    for gateway in GATEWAYS.iter() {
        for query in ["", &*query] {
            let push = Push { url: "http://127.0.0.1/hooks", query, headers: &headers, body };
            let _ = gateway.parse_receipts(push);
            let Ok(replies) = gateway.parse_replies(push) else { continue };
            for reply in replies.read {
                let _ = ReplyWords::shipped().meaning(reply.text.reveal(), false);
                let _ = Phone::parse(reply.from.reveal(), phonenumber::country::CN);
            }
        }
    }
});
