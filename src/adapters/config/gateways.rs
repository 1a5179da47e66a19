//! The configuration section of a gateway, and the files that describe gateways.

use std::path::Path;

use ipnet::IpNet;

use super::secrets::read_secret;
use super::{DialConfig, GatewayConfig, RateUnit, Reader};

pub(super) fn read_gateway(
    r: &mut Reader<'_>,
    name: &str,
    folder: Option<&Path>,
) -> Option<GatewayConfig> {
    if !crate::domain::programme::is_code(name) {
        r.problem("", "a gateway's name takes letters, digits, «-» and «_»".into());
    }
    let file = r.text("file").unwrap_or_default();
    let definition = match folder {
        _ if file.is_empty() => {
            Err("name the gateway's file, such as gateways/simulator.toml".to_owned())
        }
        Some(folder) => std::fs::read_to_string(folder.join(&file))
            .map_err(|e| format!("{}: {e}", folder.join(&file).display())),
        None => shipped_gateway(&file)
            .map(str::to_owned)
            .ok_or_else(|| format!("{file} is not a shipped gateway file")),
    };
    let definition = definition.map_err(|problem| r.problem("file", problem)).ok();
    let secret = read_secret(r, "secret", folder);
    let gateway = GatewayConfig {
        name: name.to_owned(),
        definition: definition.unwrap_or_default(),
        rate_per_second: u32::try_from(r.number("rate_per_second", 10, 1..=100_000)).unwrap_or(10),
        rate_counts: r.choice("rate_counts", &RATE_UNITS),
        in_flight: u32::try_from(r.number("in_flight", 16, 1..=4096)).unwrap_or(16),
        price_per_part: r.decimal("price_per_part", 0.0),
        currency: r.text("currency").unwrap_or_else(|| "CNY".into()),
        user: r.text("user").unwrap_or_default(),
        allowed_networks: read_networks(r, "allow"),
        default_region: read_region(r),
        secret,
    };
    Some(gateway)
}

/// The words for what a rate counts; the first: as its protocol does.
const RATE_UNITS: [(&str, Option<RateUnit>); 3] =
    [("auto", None), ("parts", Some(RateUnit::Parts)), ("messages", Some(RateUnit::Messages))];

/// Reads the telephone system; returns `None` if no file is named.
pub(super) fn read_dial(r: &mut Reader<'_>, folder: Option<&Path>) -> Option<DialConfig> {
    r.section("telephone", |r| {
        let file = r.text("dialer_file").unwrap_or_default();
        let (user, secret) =
            (r.text("dialer_user").unwrap_or_default(), read_secret(r, "secret", folder));
        if file.is_empty() {
            return None;
        }
        let path = folder.map_or_else(|| Path::new(&file).to_owned(), |folder| folder.join(&file));
        match std::fs::read_to_string(&path) {
            Ok(definition) => Some(DialConfig { definition, user, secret }),
            Err(error) => {
                r.problem("dialer_file", format!("{}: {error}", path.display()));
                None
            }
        }
    })
}

/// Reads the region of a gateway's numbers.
fn read_region(r: &mut Reader<'_>) -> Option<String> {
    let region = r.text("default_region").filter(|region| !region.is_empty())?;
    if region.parse::<phonenumber::country::Id>().is_err() {
        r.problem("default_region", "must be a region's two letters, such as CN or HK".into());
    }
    Some(region)
}

/// Reads networks or single addresses.
pub(super) fn read_networks(r: &mut Reader<'_>, key: &str) -> Vec<IpNet> {
    let raw = r.texts(key);
    let mut networks = Vec::new();
    for text in raw {
        match text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => r.problem(
                key,
                format!("«{text}» is no network; write it like 203.0.113.0/24 or 203.0.113.7"),
            ),
        }
    }
    networks
}

/// Returns a built-in gateway file, used when the configuration comes without files.
fn shipped_gateway(file: &str) -> Option<&'static str> {
    match file {
        "gateways/simulator.toml" => Some(include_str!("../../../config/gateways/simulator.toml")),
        "gateways/kannel.toml" => Some(include_str!("../../../config/gateways/kannel.toml")),
        "gateways/alibaba.toml" => Some(include_str!("../../../config/gateways/alibaba.toml")),
        "gateways/tencent.toml" => Some(include_str!("../../../config/gateways/tencent.toml")),
        "gateways/rapidpro.toml" => Some(include_str!("../../../config/gateways/rapidpro.toml")),
        "gateways/smpp.toml" => Some(include_str!("../../../config/gateways/smpp.toml")),
        "gateways/cmpp.toml" => Some(include_str!("../../../config/gateways/cmpp.toml")),
        "gateways/twilio.toml" => Some(include_str!("../../../config/gateways/twilio.toml")),
        "gateways/aws.toml" => Some(include_str!("../../../config/gateways/aws.toml")),
        "gateways/chuanglan.toml" => Some(include_str!("../../../config/gateways/chuanglan.toml")),
        "gateways/clicksend.toml" => Some(include_str!("../../../config/gateways/clicksend.toml")),
        "gateways/huawei.toml" => Some(include_str!("../../../config/gateways/huawei.toml")),
        "gateways/infobip.toml" => Some(include_str!("../../../config/gateways/infobip.toml")),
        "gateways/volcengine.toml" => {
            Some(include_str!("../../../config/gateways/volcengine.toml"))
        }
        "gateways/vonage.toml" => Some(include_str!("../../../config/gateways/vonage.toml")),
        "gateways/yunpian.toml" => Some(include_str!("../../../config/gateways/yunpian.toml")),
        _ => None,
    }
}
