//! The address of a client: that of the connection, or behind a trusted proxy the last one in
//! X-Forwarded-For that is no proxy of ours. Everything before it was written by the client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Returns a client's address by the peer of its connection and its headers.
pub fn client_address(proxies: &[IpNet], peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let peer = peer.ip().to_canonical();
    let mut client = peer;
    let lines = headers.get_all("x-forwarded-for");
    if peer.is_loopback() && !is_proxy(&peer) && lines.iter().next().is_some() {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(
                "a proxy on this machine is not named in web.proxies: all clients count as one"
            );
        });
    }
    let values: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect();
    for value in values.into_iter().rev() {
        if !is_proxy(&client) {
            break;
        }
        // What a proxy of ours did not write as an address counts as the proxy's own.
        let Some(address) = parse(value) else { break };
        client = address;
    }
    client
}

/// Reads an address, with or without a port.
fn parse(value: &str) -> Option<IpAddr> {
    let address = value
        .parse()
        .or_else(|_| value.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| value.trim_matches(['[', ']']).parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Returns the network whose addresses one client may choose among: an IPv6 subscriber has a /64.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = ["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client_address(&proxies, SocketAddr::new(peer.parse().unwrap(), 1), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_client() {
        assert_eq!(client("203.0.113.1", &["198.51.100.1"]), "203.0.113.1", "no proxy");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.9, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.9", "203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.7, 10.1.2.3"]), "203.0.113.7");
        assert_eq!(client("::ffff:127.0.0.1", &["203.0.113.7:4711"]), "203.0.113.7");
        assert_eq!(client("127.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client("127.0.0.1", &["203.0.113.7, unknown"]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["10.9.9.9"]), "10.9.9.9");
    }

    #[test]
    fn a_subscriber_of_ipv6_has_one_network() {
        let of = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
    }
}
