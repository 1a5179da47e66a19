//! The gateway's file. In the configuration, `user` is Source_Addr and the secret is the shared
//! secret.

use std::time::Duration;

use serde::Deserialize;

use crate::adapters::config::GatewayConfig;
use crate::domain::time::parse_duration;

/// 7.4.3.1: fewer than a hundred destinations.
const MAX_BATCH: usize = 99;
/// 7.4.1.1: the width of Source_Addr, and of Msg_src.
const ACCOUNT_WIDTH: usize = 6;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(rename = "kind")]
    _kind: String,
    /// `ismg.carrier.example:7890`
    address: String,
    #[serde(default)]
    version: VersionChoice,
    service_id: String,
    msg_src: Option<String>,
    source: String,
    #[serde(default = "sender_pays")]
    fee_user_type: u8,
    #[serde(default)]
    fee_terminal_id: String,
    #[serde(default = "free")]
    fee_type: String,
    #[serde(default = "nothing")]
    fee_code: String,
    #[serde(default)]
    msg_level: u8,
    #[serde(default = "one")]
    registered_delivery: u8,
    #[serde(default = "one_by_one")]
    batch: usize,
    #[serde(default = "half_a_minute")]
    active_test_every: String,
    #[serde(default = "one_minute")]
    response_timeout: String,
    #[serde(default)]
    dead_number: Vec<String>,
}

fn sender_pays() -> u8 {
    2
}

fn free() -> String {
    "01".into()
}

fn nothing() -> String {
    "000000".into()
}

fn one() -> u8 {
    1
}

fn one_by_one() -> usize {
    1
}

fn half_a_minute() -> String {
    "30s".into()
}

fn one_minute() -> String {
    "60s".into()
}

/// The version that is asked for.
#[derive(Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionChoice {
    #[serde(rename = "2.0")]
    V20,
    #[serde(rename = "3.0")]
    V30,
    /// 3.0, or 2.0 where the gateway says that 3.0 is too high.
    #[default]
    #[serde(rename = "auto")]
    Auto,
}

impl VersionChoice {
    pub fn may_fall_back(self) -> bool {
        self == VersionChoice::Auto
    }
}

/// The file, checked.
#[derive(Debug)]
pub struct File {
    pub address: String,
    pub version: VersionChoice,
    pub service_id: String,
    /// Msg_src: the account, if nothing else is given.
    pub msg_src: String,
    /// Src_Id: the access number with its extension, which respondents see.
    pub source: String,
    pub fee_user_type: u8,
    pub fee_terminal_id: String,
    pub fee_type: String,
    pub fee_code: String,
    pub msg_level: u8,
    pub registered_delivery: u8,
    /// Destinations of one submit.
    pub batch: usize,
    pub active_test_every: Duration,
    pub response_timeout: Duration,
    /// The states of reports that say that a number does not work.
    pub dead_number: Vec<String>,
}

impl File {
    /// Reads the gateway's file. The error names the key and the remedy.
    pub fn read(config: &GatewayConfig) -> Result<File, String> {
        let file: FileText = toml::from_str(&config.definition)
            .map_err(|e| e.to_string().trim().replace('\n', " "))?;
        let duration = |key: &str, raw: &str| {
            parse_duration(raw)
                .ok_or_else(|| format!("{key}: «{raw}» is no duration; write it like 30s"))
        };
        let (is_address, address) = (has_host_and_port(&file.address), &file.address);
        if !is_address {
            return Err(format!(
                "address: «{address}» is no address; write it like ismg.carrier.example:7890"
            ));
        }
        if config.user.is_empty() || !fits(&config.user, ACCOUNT_WIDTH) {
            return Err(format!(
                "user: set it to the account (Source_Addr), at most {ACCOUNT_WIDTH} characters"
            ));
        }
        let msg_src = file.msg_src.unwrap_or_else(|| config.user.clone());
        for (key, text, width) in [
            ("service_id", &file.service_id, 10),
            ("msg_src", &msg_src, ACCOUNT_WIDTH),
            ("source", &file.source, 21),
            ("fee_terminal_id", &file.fee_terminal_id, 21),
            ("fee_type", &file.fee_type, 2),
            ("fee_code", &file.fee_code, 6),
        ] {
            if !fits(text, width) {
                return Err(format!("{key}: write at most {width} ASCII characters"));
            }
        }
        // 2 would be a record for the bill alone, which no telephone receives.
        if file.registered_delivery > 1 {
            return Err("registered_delivery: write 1, or 0 for no receipts".into());
        }
        if !(1..=MAX_BATCH).contains(&file.batch) {
            return Err(format!("batch: write a number from 1 to {MAX_BATCH}"));
        }
        Ok(File {
            version: file.version,
            service_id: file.service_id,
            msg_src,
            source: file.source,
            fee_user_type: file.fee_user_type,
            fee_terminal_id: file.fee_terminal_id,
            fee_type: file.fee_type,
            fee_code: file.fee_code,
            msg_level: file.msg_level,
            registered_delivery: file.registered_delivery,
            batch: file.batch,
            active_test_every: duration("active_test_every", &file.active_test_every)?,
            response_timeout: duration("response_timeout", &file.response_timeout)?,
            dead_number: file.dead_number,
            address: file.address,
        })
    }
}

fn fits(text: &str, width: usize) -> bool {
    text.len() <= width && text.bytes().all(|octet| octet.is_ascii_graphic())
}

fn has_host_and_port(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::personal::Personal;

    pub fn config(user: &str, definition: &str) -> GatewayConfig {
        GatewayConfig {
            name: "g".into(),
            definition: definition.into(),
            rate_per_second: 10,
            rate_counts: None,
            in_flight: 16,
            price_per_part: 0.0,
            currency: "CNY".into(),
            user: user.into(),
            secret: Personal::new("secret"),
            allowed_networks: Vec::new(),
            default_region: None,
        }
    }

    /// A file with the keys that have no default, and `more`.
    pub fn file(more: &str) -> String {
        format!(
            "kind = \"cmpp\"\naddress = \"127.0.0.1:7890\"\nservice_id = \"SURVEY\"\n\
             source = \"106900001234\"\n{more}"
        )
    }

    #[test]
    fn the_shipped_file_is_read() {
        let shipped = include_str!("../../../../config/gateways/cmpp.toml");
        let read = File::read(&config("900001", shipped)).unwrap();
        assert_eq!((read.msg_src.as_str(), read.batch), ("900001", 1));
        assert_eq!(read.version, VersionChoice::Auto);
    }

    #[test]
    fn a_wrong_key_is_named() {
        for (user, more, key) in [
            ("", "", "user"),
            ("9000011", "", "user"),
            ("900001", "batch = 0", "batch"),
            ("900001", "batch = 100", "batch"),
            ("900001", "registered_delivery = 2", "registered_delivery"),
            ("900001", "msg_src = \"1234567\"", "msg_src"),
            ("900001", "fee_type = \"免费\"", "fee_type"),
            ("900001", "active_test_every = \"soon\"", "active_test_every"),
            ("900001", "version = \"4.0\"", "4.0"),
            ("900001", "tls = true", "tls"),
        ] {
            let problem = File::read(&config(user, &file(more))).unwrap_err();
            assert!(problem.contains(key), "{more}: {problem}");
        }
        let no_port = file("").replace("127.0.0.1:7890", "127.0.0.1");
        assert!(File::read(&config("900001", &no_port)).unwrap_err().contains("address"));
    }
}
