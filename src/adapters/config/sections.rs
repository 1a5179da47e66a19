//! One function for each section of the configuration that has no file of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gateways::{read_gateway, read_networks};
use super::{
    ConsoleConfig, ContactCaps, DispatchConfig, GatewayConfig, HousekeepingConfig, OpenAnswers,
    PaperConfig, QualityConfig, Reader, RepliesConfig, Route, WordsFile,
};
use crate::adapters::spreadsheets::OfficeProgram;
use crate::domain::origin::ClusterLimits;
use crate::domain::recurrence::Recurrence;
use crate::domain::reply::ReplyWords;
use crate::domain::words::Words;
use ipnet::IpNet;

/// `[database]`: the address.
pub fn read_database(r: &mut Reader<'_>) -> String {
    r.section("database", |r| {
        let url = r.text("url").unwrap_or_else(|| "sqlite:var/fieldworkd.db".into());
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
        {
            r.problem("url", "must begin with sqlite: or postgres://".into());
        }
        url
    })
}

/// `[keys]`: the key ring, and the file of an installation key that is kept elsewhere.
pub fn read_keys(r: &mut Reader<'_>) -> (PathBuf, Option<PathBuf>) {
    r.section("keys", |r| {
        (
            PathBuf::from(r.text("ring").unwrap_or_else(|| "var/keyring".into())),
            r.text("installation_key_file").filter(|p| !p.is_empty()).map(PathBuf::from),
        )
    })
}

/// `[web]`: where to listen, the public address, trusted proxies.
pub fn read_web(r: &mut Reader<'_>) -> (Option<SocketAddr>, String, Vec<IpNet>) {
    r.section("web", |r| {
        let listen = r.parsed::<SocketAddr>("listen", "127.0.0.1:8080");
        let public_url = r.text("public_url").unwrap_or_else(|| "http://127.0.0.1:8080".into());
        if !(public_url.starts_with("http://") || public_url.starts_with("https://"))
            || public_url.ends_with('/')
        {
            r.problem(
                "public_url",
                "must begin with https:// (or http://) and end without a slash".into(),
            );
        }
        (listen, public_url, read_networks(r, "proxies"))
    })
}

/// `[webhooks]`: networks of one's own that endpoints may be in.
pub fn read_webhooks(r: &mut Reader<'_>) -> Vec<IpNet> {
    r.section("webhooks", |r| read_networks(r, "allow_networks"))
}

/// `[console]`: requirements for staff accounts, and the smallest group in figures of answers.
pub fn read_console(r: &mut Reader<'_>) -> ConsoleConfig {
    r.section("console", |r| ConsoleConfig {
        needs_second_factor: r.choice("second_factor", &[("optional", false), ("required", true)]),
        four_eyes: r.choice("launch_approval", &[("none", false), ("second_person", true)]),
        smallest_group: u32::try_from(r.number("smallest_group", 10, 2..=1000)).unwrap_or(10),
    })
}

/// `[dataset]`: the folder, open answers, the smallest cell, the byte order mark of CSV files.
pub fn read_dataset(r: &mut Reader<'_>) -> (PathBuf, OpenAnswers, u32, bool) {
    r.section("dataset", |r| {
        let folder = PathBuf::from(r.text("folder").unwrap_or_else(|| "var/datasets".into()));
        let policies = [OpenAnswers::Redacted, OpenAnswers::Withheld, OpenAnswers::Reviewed]
            .map(|policy| (policy.as_str(), policy));
        (
            folder,
            r.choice("open_answers", &policies),
            u32::try_from(r.number("smallest_cell", 3, 1..=100)).unwrap_or(3),
            r.choice("csv_byte_order_mark", &[("with", true), ("without", false)]),
        )
    })
}

/// `[quality]`: when a response is speeding, how many people from one place are a cluster, and how
/// many people exclude a response.
pub fn read_quality(r: &mut Reader<'_>) -> QualityConfig {
    r.section("quality", |r| {
        let share = r.decimal("speeding_below", 0.4);
        if !(0.0..1.0).contains(&share) {
            r.problem(
                "speeding_below",
                "must be at least 0 and below 1, a share of the median".into(),
            );
        }
        let seconds = r.decimal("seconds_per_rating", 2.0);
        if !(0.0..=60.0).contains(&seconds) {
            r.problem("seconds_per_rating", "must be between 0 and 60".into());
        }
        let clusters = ClusterLimits {
            device: r.number("same_device", 4, 2..=1_000) as usize,
            network: r.number("same_network", 10, 2..=100_000) as usize,
        };
        QualityConfig {
            speeding_below: share,
            time_per_rating: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            clusters,
            needs_second_person: r
                .choice("exclusion_approval", &[("none", false), ("second_person", true)]),
        }
    })
}

/// `[paper]`: the share of forms that are keyed twice, and whom respondents turn to.
pub fn read_paper(r: &mut Reader<'_>) -> PaperConfig {
    r.section("paper", |r| {
        let second_keying = r.decimal("second_keying", 0.1);
        if !(0.0..=1.0).contains(&second_keying) {
            r.problem("second_keying", "must be between 0 and 1, a share of the forms".into());
        }
        PaperConfig { second_keying, contact: r.text("contact").unwrap_or_default() }
    })
}

/// `[quota]`: how long a reservation lasts, and the expected response rate.
pub fn read_quota(r: &mut Reader<'_>) -> (Duration, f64) {
    r.section("quota", |r| {
        let rate = r.decimal("expected_response_rate", 0.5);
        if !(0.01..=1.0).contains(&rate) {
            r.problem("expected_response_rate", "must be between 0.01 and 1".into());
        }
        (r.duration("reservation_time", "30m"), rate)
    })
}

/// `[words]`: files of the fixed words of respondents' pages and SMS interviews, in more languages.
pub fn read_words(r: &mut Reader<'_>, folder: Option<&Path>) -> Vec<WordsFile> {
    r.section("words", |r| {
        let mut all: Vec<WordsFile> = Vec::new();
        for file in r.texts("files") {
            let path = folder.map_or_else(|| Path::new(&file).to_owned(), |at| at.join(&file));
            let read = std::fs::read_to_string(&path)
                .map_err(|error| error.to_string())
                .and_then(|text| Words::parse(&text).map_err(|error| error.to_string()));
            match read {
                Ok(parsed) => {
                    let language = parsed.words.language;
                    if all.iter().any(|other| other.parsed.words.language == language) {
                        r.problem("files", format!("two files are in language {language}"));
                    }
                    all.push(WordsFile { path, parsed });
                }
                Err(problem) => r.problem("files", format!("{}: {problem}", path.display())),
            }
        }
        all
    })
}

/// `[replies]`: repeated pushes, long replies, and the words of their meanings.
pub fn read_replies(r: &mut Reader<'_>, folder: Option<&Path>) -> RepliesConfig {
    r.section("replies", |r| {
        let file = r.text("words_file").unwrap_or_default();
        let words = if file.is_empty() {
            ReplyWords::shipped().clone()
        } else {
            let path = folder.map_or_else(|| Path::new(&file).to_owned(), |at| at.join(&file));
            let read = std::fs::read_to_string(&path)
                .map_err(|error| error.to_string())
                .and_then(|text| ReplyWords::parse(&text).map_err(|error| error.to_string()));
            read.unwrap_or_else(|problem| {
                r.problem("words_file", format!("{}: {problem}", path.display()));
                ReplyWords::shipped().clone()
            })
        };
        RepliesConfig {
            duplicate_window: r.duration("duplicate_window", "10m"),
            parts_timeout: r.duration("parts_timeout", "10m"),
            read_within: r.duration("read_within", "3d"),
            keep_strangers: r.duration("keep_strangers", "90d"),
            words,
        }
    })
}

/// `[contact]`: caps, and whether an opt-out holds for all programmes.
pub fn read_contact(r: &mut Reader<'_>) -> (ContactCaps, bool) {
    r.section("contact", |r| {
        let mut cap = |key| u32::try_from(r.number(key, 0, 0..=1000)).unwrap_or(0);
        let (per_hour, per_day, per_week) =
            (cap("messages_per_hour"), cap("messages_per_day"), cap("messages_per_week"));
        let quiet = r.duration("min_gap", "24h");
        (
            ContactCaps { per_hour, per_day, per_week, quiet },
            r.choice("opt_out_scope", &[("programme", false), ("all", true)]),
        )
    })
}

/// `[list_import]`: the default region, and more headings of lists.
pub fn read_list_import(r: &mut Reader<'_>) -> (String, BTreeMap<String, Vec<String>>) {
    r.section("list_import", |r| {
        let region = r.text("default_region").unwrap_or_else(|| "CN".into());
        if region.parse::<phonenumber::country::Id>().is_err() {
            r.problem(
                "default_region",
                format!("«{region}» is no region; use a two-letter code such as CN"),
            );
        }
        let headers = r.section("headers", |r| {
            [
                "name",
                "salutation",
                "organisation",
                "job_title",
                "mobile",
                "phone",
                "email",
                "segment",
                "remark",
                "language",
            ]
            .into_iter()
            .map(|column| (column.to_owned(), r.texts(column)))
            .collect()
        });
        (region, headers)
    })
}

/// `[documents]`: the office program.
pub fn read_documents(r: &mut Reader<'_>) -> OfficeProgram {
    r.section("documents", |r| match r.text("soffice") {
        None => OfficeProgram::OnPath,
        Some(path) if path.is_empty() => OfficeProgram::Never,
        Some(path) => {
            if !Path::new(&path).is_absolute() {
                r.problem(
                    "soffice",
                    format!("«{path}» must begin with /; \"\" means that nothing is converted"),
                );
            }
            OfficeProgram::At(PathBuf::from(path))
        }
    })
}

/// `[dispatch]`: batches and messages in doubt.
pub fn read_dispatch(r: &mut Reader<'_>) -> DispatchConfig {
    r.section("dispatch", |r| DispatchConfig {
        batch: u32::try_from(r.number("batch", 500, 1..=5000)).unwrap_or(500),
        in_doubt_after: r.duration("in_doubt_after", "5m"),
        query_after: r.duration("query_after", "2m"),
        tick_every: r.duration("tick_every", "1s"),
        escalate_in_doubt_after: r.duration("escalate_in_doubt_after", "2h"),
    })
}

/// `[housekeeping]`: its schedule and the retention periods.
pub fn read_housekeeping(r: &mut Reader<'_>) -> Option<HousekeepingConfig> {
    r.section("housekeeping", |r| {
        let zone = r.text("time_zone").unwrap_or_else(|| "Asia/Shanghai".into());
        let at = r.text("at").unwrap_or_else(|| "0 30 3 * * *".into());
        let at = Recurrence::parse(&at, &zone).map_err(|problem| r.problem("at", problem)).ok();
        let (gateway_log, receipts) =
            (r.duration("keep_gateway_log", "30d"), r.duration("keep_unmatched_receipts", "30d"));
        Some(HousekeepingConfig {
            at: at?,
            keep_gateway_log: gateway_log,
            keep_unmatched_receipts: receipts,
        })
    })
}

/// `[gateway.NAME]`: all gateways. `folder`: where their files are looked for.
pub fn read_gateways(r: &mut Reader<'_>, folder: Option<&Path>) -> BTreeMap<String, GatewayConfig> {
    let names = r.keys_of("gateway");
    let gateways: BTreeMap<String, GatewayConfig> = r.section("gateway", |r| {
        let read = |name: String| {
            let gateway = r.section(&name, |r| read_gateway(r, &name, folder))?;
            Some((name, gateway))
        };
        names.into_iter().filter_map(read).collect()
    });
    if gateways.is_empty() {
        r.problem("gateway", "no gateway is set up; add a section [gateway.NAME]".into());
    }
    gateways
}

/// `[route.NAME]`: all routes over the known gateways.
pub fn read_routes(r: &mut Reader<'_>, gateways: &[String]) -> BTreeMap<String, Route> {
    let names = r.keys_of("route");
    for name in names.iter().filter(|name| gateways.contains(name)) {
        r.problem("route", format!("{name} is a gateway's name already; choose another"));
    }
    r.section("route", |r| {
        names
            .into_iter()
            .map(|name| (name.clone(), r.section(&name, |r| Route::read(r, gateways))))
            .collect()
    })
}
