//! Headers that clients write: forwarded addresses, cookies, form bodies.
#![no_main]

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderValue};
use fieldworkd::interfaces::http::{client_address, cookie_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let proxies = ["127.0.0.1/32".parse().expect("a network")];
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", value.clone());
            headers.append("cookie", value);
        }
    }
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let _ = client_address(&proxies, peer, &headers);
    let _ = cookie_of(&headers, "fieldworkd_session");
    let _ = form_urlencoded::parse(data).count();
});
