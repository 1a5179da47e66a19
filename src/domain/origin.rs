//! Where interviews on the web were answered, and which of them came from one place: an applicant's
//! staff who answer for the users on its list do so from one device, or from one office.
//!
//! A place is known by keyed hashes only. One network is no proof: mobile carriers put many phones
//! behind few addresses, and colleagues share an office. So a cluster is a reason to look, and
//! changes nothing by itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::personal::Personal;

/// What a browser tells of itself, before it is hashed.
#[derive(Debug, Clone)]
pub struct OriginFacts {
    /// The user agent, and the languages it accepts.
    pub browser: Personal,
    /// The network, from [`network_of`].
    pub network: Personal,
}

/// The keyed hashes of a place, which can be compared within one applicant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Browser and network together.
    pub device: String,
    pub network: String,
}

/// Returns the network of an address, of which one subscriber may have any address: a /24 of IPv4
/// and a /64 of IPv6. `None` for an address that tells nothing: of this machine, as of a proxy
/// that is not named in the configuration.
pub fn network_of(address: IpAddr) -> Option<String> {
    match address.to_canonical() {
        address if address.is_loopback() || address.is_unspecified() => None,
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// What the members of a cluster share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SharedPlace {
    Device,
    Network,
}

impl SharedPlace {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// From how many people on a place is conspicuous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterLimits {
    pub device: usize,
    pub network: usize,
}

/// The share of all web interviews of an applicant that a network must have to be conspicuous.
const NETWORK_SHARE: f64 = 0.3;

/// An interview on the web: whose it is, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedInterview<C, P> {
    pub case: C,
    /// One person counts once, however many questionnaires are behind the link.
    pub person: P,
    pub origin: Origin,
}

/// Interviews of more people from one place than is usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster<C> {
    pub shared: SharedPlace,
    /// The hash of the place.
    pub place: String,
    pub people: usize,
    pub cases: Vec<C>,
}

/// Finds the clusters among the web interviews of one applicant, the largest first. Who stands in a
/// cluster by device is counted in none by network.
pub fn clusters<C: Copy + Ord, P: Copy + Ord>(
    interviews: &[PlacedInterview<C, P>],
    limits: ClusterLimits,
) -> Vec<Cluster<C>> {
    let by_device = of_place(interviews.iter(), SharedPlace::Device, limits.device);
    let is_in = |case: C| by_device.iter().any(|cluster| cluster.cases.contains(&case));
    let people = |all: &mut dyn Iterator<Item = P>| {
        let mut people: Vec<P> = all.collect();
        people.sort_unstable();
        people.dedup();
        people.len()
    };
    let everybody = people(&mut interviews.iter().map(|interview| interview.person));
    let share = (everybody as f64 * NETWORK_SHARE).ceil() as usize;
    let others = interviews.iter().filter(|interview| !is_in(interview.case));
    let mut all = of_place(others, SharedPlace::Network, limits.network.max(share));
    all.extend(by_device);
    all.sort_by(|a, b| b.people.cmp(&a.people).then_with(|| a.cases.cmp(&b.cases)));
    all
}

fn of_place<'a, C: Copy + Ord + 'a, P: Copy + Ord + 'a>(
    interviews: impl Iterator<Item = &'a PlacedInterview<C, P>>,
    shared: SharedPlace,
    limit: usize,
) -> Vec<Cluster<C>> {
    let mut places: BTreeMap<&str, (Vec<C>, Vec<P>)> = BTreeMap::new();
    for interview in interviews {
        let place = match shared {
            SharedPlace::Device => &interview.origin.device,
            SharedPlace::Network => &interview.origin.network,
        };
        let (cases, people) = places.entry(place).or_default();
        cases.push(interview.case);
        people.push(interview.person);
    }
    let mut found = Vec::new();
    for (place, (mut cases, mut people)) in places {
        people.sort_unstable();
        people.dedup();
        if people.len() >= limit.max(2) {
            cases.sort_unstable();
            found.push(Cluster { shared, place: place.to_owned(), people: people.len(), cases });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ClusterLimits = ClusterLimits { device: 4, network: 10 };

    fn interview(case: u32, device: &str, network: &str) -> PlacedInterview<u32, u32> {
        let origin = Origin { device: device.into(), network: network.into() };
        PlacedInterview { case, person: case, origin }
    }

    #[test]
    fn networks_are_what_one_subscriber_may_choose_among() {
        let network = |address: &str| network_of(address.parse().unwrap());
        assert_eq!(network("203.0.113.7").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("::ffff:203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!((network("127.0.0.1"), network("::1"), network("0.0.0.0")), (None, None, None));
    }

    #[test]
    fn a_device_of_four_people_is_a_cluster_and_a_family_is_none() {
        let mut all: Vec<_> = (0..20).map(|n| interview(n, &format!("d{n}"), "n")).collect();
        for case in &mut all[..3] {
            case.origin.device = "family".into();
        }
        assert!(clusters(&all[..9], LIMITS).is_empty());
        for case in &mut all[3..7] {
            case.origin.device = "office".into();
        }
        let found = clusters(&all[..9], LIMITS);
        assert_eq!((found.len(), found[0].shared, found[0].people), (1, SharedPlace::Device, 4));
        assert_eq!(found[0].cases, [3, 4, 5, 6]);
        // The others from the same network are sixteen of twenty.
        let found = clusters(&all, LIMITS);
        let told: Vec<_> = found.iter().map(|one| (one.shared, one.people)).collect();
        assert_eq!(told, [(SharedPlace::Network, 16), (SharedPlace::Device, 4)]);
    }

    #[test]
    fn a_carriers_network_among_many_is_none_and_one_person_counts_once() {
        let many: Vec<_> = (0..100)
            .map(|n| interview(n, &format!("d{n}"), if n < 29 { "carrier" } else { "other" }))
            .map(|mut one| {
                if one.origin.network == "other" {
                    one.origin.network = format!("n{}", one.case);
                }
                one
            })
            .collect();
        assert!(clusters(&many, LIMITS).is_empty());
        // One person with five questionnaires behind the link.
        let bundle: Vec<_> = (0..5)
            .map(|n| PlacedInterview { person: 1, ..interview(n, "phone", "home") })
            .collect();
        assert!(clusters(&bundle, LIMITS).is_empty());
    }
}
