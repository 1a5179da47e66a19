//! Addresses to which requests in the name of an account may go. An address that somebody enters on a
//! page or through the API must not make this machine ask its neighbours: what is not public is
//! refused unless the configuration allows its network. The resolver of the client itself checks, so
//! that a name cannot mean one address to the check and another to the connection.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The address of a target is not public, and its network is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "its address is not a public one; webhooks.allow_networks of the configuration names \
                the networks of one's own that are allowed",
        )
    }
}

impl Error for NotAllowed {}

#[derive(Debug, Clone)]
pub struct OutboundGuard {
    allowed: Arc<[IpNet]>,
}

impl OutboundGuard {
    pub fn new(allowed: &[IpNet]) -> OutboundGuard {
        OutboundGuard { allowed: allowed.into() }
    }

    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }

    /// Checks an address that is written as a number, which no resolver sees.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn check_literal(&self, url: &str) -> Result<(), NotAllowed> {
        let host = Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
        let address = match host {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            _ => return Ok(()),
        };
        if self.allows(address) { Ok(()) } else { Err(NotAllowed) }
    }
}

impl Resolve for OutboundGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(Box::new(NotAllowed) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Returns whether an address is one of the public internet's: none of the ranges that IANA reserves
/// for other purposes (RFC 6890 and its successors).
fn is_public(address: IpAddr) -> bool {
    const RESERVED: [&str; 25] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/127",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];
    !RESERVED
        .into_iter()
        .filter_map(|network| network.parse::<IpNet>().ok())
        .any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_and_allowed_networks() {
        let guard = OutboundGuard::new(&["10.1.0.0/16".parse().unwrap()]);
        for (url, is_allowed) in [
            ("https://93.184.215.14/", true),
            ("https://[2606:2800:21f::1]/", true),
            ("https://example.org/", true),
            ("https://10.1.2.3/", true),
            ("https://10.2.2.3/", false),
            ("http://127.0.0.1:22/", false),
            ("http://2130706433/", false),
            ("http://0x7f.1/", false),
            ("http://0.0.0.0/", false),
            ("http://[::1]/", false),
            ("http://[::ffff:169.254.169.254]/", false),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://100.64.1.1/", false),
            ("http://[fe80::1]/", false),
            ("http://[fd00::1]/", false),
            ("http://[64:ff9b::7f00:1]/", false),
            ("http://255.255.255.255/", false),
        ] {
            assert_eq!(guard.check_literal(url).is_ok(), is_allowed, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_when_it_is_resolved() {
        let refused = OutboundGuard::new(&[]).resolve("localhost".parse().unwrap()).await;
        assert!(refused.err().is_some_and(|error| error.is::<NotAllowed>()));
        let own = OutboundGuard::new(&["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(own.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
