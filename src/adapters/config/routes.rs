//! Routes: the gateways available to a campaign's messages, and the choice for a number.

use super::Reader;
use crate::domain::phone::Phone;
use crate::domain::seeded_random::seeded_fraction;

/// Salt that makes the share of a number independent of its position in a wave.
const SHARE: u64 = 0x0073_6861_7265;

/// Gateways in the order in which they are tried. Paused gateways are skipped; gateways with a
/// share divide the numbers among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub legs: Vec<RouteLeg>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLeg {
    pub gateway: String,
    /// Prefixes or regions that it accepts (`+8610`, `US`); empty for all.
    pub only: Vec<String>,
    /// Weight among the gateways with a share; 0 for a gateway without one, which takes all numbers
    /// that reach it.
    pub share: u32,
}

/// The routing decision for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteDecision<'a> {
    Through(&'a str),
    /// All gateways that accept this number are paused.
    AllPaused,
    /// No gateway of the route accepts this number.
    NoMatch,
}

impl Route {
    /// Creates a route with a single gateway.
    pub fn through(gateway: &str) -> Route {
        Route { legs: vec![RouteLeg { gateway: gateway.to_owned(), only: Vec::new(), share: 0 }] }
    }

    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        self.legs.iter().map(|leg| leg.gateway.as_str())
    }

    /// Returns the gateways that accept a number, usable or not.
    pub fn matching(&self, phone: &Phone) -> impl Iterator<Item = &str> {
        self.legs.iter().filter(|leg| leg.takes(phone)).map(|leg| leg.gateway.as_str())
    }

    /// Chooses the gateway for a number: the first usable one that accepts it. Among gateways with
    /// shares, a number always gets the same one while it is usable. `avoid` is chosen only if
    /// there is no other.
    pub fn choose(
        &self,
        phone: &Phone,
        phone_hash: &str,
        avoid: Option<&str>,
        is_usable: impl Fn(&str) -> bool,
    ) -> RouteDecision<'_> {
        let matching: Vec<&RouteLeg> = self.legs.iter().filter(|leg| leg.takes(phone)).collect();
        let usable: Vec<&RouteLeg> =
            matching.iter().copied().filter(|leg| is_usable(&leg.gateway)).collect();
        let others: Vec<&RouteLeg> =
            usable.iter().copied().filter(|leg| Some(leg.gateway.as_str()) != avoid).collect();
        let among = if others.is_empty() { usable } else { others };
        match among.first() {
            None if matching.is_empty() => RouteDecision::NoMatch,
            None => RouteDecision::AllPaused,
            Some(first) if first.share == 0 => RouteDecision::Through(&first.gateway),
            Some(first) => {
                RouteDecision::Through(share_of(&among, phone_hash).unwrap_or(&first.gateway))
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>, known: &[String]) -> Route {
        let gateways = r.texts("gateways");
        if gateways.is_empty() {
            r.problem(
                "gateways",
                "name at least one, in the order in which they are tried: [\"a\", \"b\"]".into(),
            );
        }
        for gateway in gateways.iter().filter(|gateway| !known.contains(gateway)) {
            r.problem(
                "gateways",
                format!("no gateway is called {gateway}; configured are: {}", known.join(", ")),
            );
        }
        let mut only = r
            .section("only", |r| {
                gateways.iter().map(|gateway| r.texts(gateway)).collect::<Vec<_>>()
            })
            .into_iter();
        let shares = r.section("share", |r| {
            gateways.iter().map(|gateway| r.number(gateway, 0, 0..=1000)).collect::<Vec<_>>()
        });
        let legs = gateways.into_iter().zip(shares);
        let leg = |(gateway, share)| RouteLeg {
            gateway,
            only: only.next().unwrap_or_default(),
            share: u32::try_from(share).unwrap_or(0),
        };
        let route = Route { legs: legs.map(leg).collect() };
        for place in route.legs.iter().flat_map(|leg| &leg.only) {
            if !place.starts_with('+') && place.parse::<phonenumber::country::Id>().is_err() {
                r.problem(
                    "only",
                    format!("«{place}» is neither a prefix such as +8610 nor a region such as CN"),
                );
            }
        }
        route
    }
}

impl RouteLeg {
    fn takes(&self, phone: &Phone) -> bool {
        let fits = |place: &String| {
            if place.starts_with('+') {
                phone.e164().starts_with(place.as_str())
            } else {
                phone.region() == Some(place)
            }
        };
        self.only.is_empty() || self.only.iter().any(fits)
    }
}

fn share_of<'a>(legs: &[&'a RouteLeg], phone_hash: &str) -> Option<&'a str> {
    let total: u32 = legs.iter().map(|leg| leg.share).sum();
    let mut left = seeded_fraction(phone_hash, SHARE) * f64::from(total);
    legs.iter().filter(|leg| leg.share > 0).find_map(|leg| {
        left -= f64::from(leg.share);
        (left < 0.0).then_some(leg.gateway.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(gateway: &str, only: &[&str], share: u32) -> RouteLeg {
        RouteLeg {
            gateway: gateway.into(),
            only: only.iter().map(|p| (*p).to_owned()).collect(),
            share,
        }
    }

    fn phone(number: &str) -> Phone {
        Phone::parse(number, phonenumber::country::CN).unwrap()
    }

    #[test]
    fn the_first_that_takes_the_number_and_works() {
        let route = Route {
            legs: vec![
                leg("abroad", &["DE", "+852"], 0),
                leg("main", &["CN"], 0),
                leg("spare", &["CN"], 0),
            ],
        };
        let choose = |number, avoid, down: &'static str| {
            route.choose(&phone(number), "h", avoid, |gateway| gateway != down)
        };
        assert_eq!(choose("13800138000", None, ""), RouteDecision::Through("main"));
        assert_eq!(choose("13800138000", None, "main"), RouteDecision::Through("spare"));
        assert_eq!(choose("13800138000", Some("main"), ""), RouteDecision::Through("spare"));
        assert_eq!(
            choose("13800138000", Some("main"), "spare"),
            RouteDecision::Through("main"),
            "rather the same one again than none"
        );
        assert_eq!(choose("+4915112345678", None, ""), RouteDecision::Through("abroad"));
        assert_eq!(choose("+4915112345678", None, "abroad"), RouteDecision::AllPaused);
        assert_eq!(choose("+33612345678", None, ""), RouteDecision::NoMatch);
    }

    #[test]
    fn shares_divide_the_numbers_and_the_rest_takes_over() {
        let route =
            Route { legs: vec![leg("a", &[], 70), leg("b", &[], 30), leg("spare", &[], 0)] };
        let of = |n: u32, down: &'static str| match route.choose(
            &phone("13800138000"),
            &format!("hash{n}"),
            None,
            |g| g != down,
        ) {
            RouteDecision::Through(gateway) => gateway.to_owned(),
            other => panic!("{other:?}"),
        };
        let to_a = (0..10_000).filter(|&n| of(n, "") == "a").count();
        assert!((6_800..7_200).contains(&to_a), "{to_a}");
        assert!((0..100).all(|n| of(n, "") == of(n, "") && of(n, "a") == "b"));
    }
}
