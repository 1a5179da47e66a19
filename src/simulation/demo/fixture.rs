//! The demo's fixture: an installation in its own folder, its web server, the simulator, and the
//! files of `config/demo/`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;

use crate::adapters::clock::{Clock, VirtualClock};
use crate::adapters::config::Config;
use crate::adapters::crypto::{Signer, sha256, sha256_hex};
use crate::adapters::telemetry;
use crate::domain::contact_plan::{ContactPlan, PlanFile};
use crate::domain::time::Timestamp;
use crate::interfaces::http;
use crate::services::campaigns::{self, LaunchRequest};
use crate::services::context::AppContext;
use crate::services::deadlines::changes::{self, ChangedBy};
use crate::services::list_import::{self, ImportRequest};
use crate::services::programmes;
use crate::simulation::{DishonestApplicant, Scenario, Simulator};

const PROGRAMME: &str = include_str!("../../../config/demo/programme.toml");
const APPLICATIONS: &str = include_str!("../../../config/demo/applications.toml");
const PLAN: &str = include_str!("../../../config/demo/plan.toml");
const PLAN_WITH_TELEPHONE: &str = include_str!("../../../config/demo/plan-telephone.toml");
const HOLIDAYS: &str = include_str!("../../../config/holidays/cn-2026.toml");

struct DemoList {
    file: &'static str,
    form: &'static str,
    content: &'static [u8],
    applications: &'static [&'static str],
}

macro_rules! demo_list {
    ($file:literal, $form:literal, $applications:expr) => {
        DemoList {
            file: $file,
            form: $form,
            content: include_bytes!(concat!("../../../config/demo/lists/", $file)),
            applications: &$applications,
        }
    };
}

const LISTS: [DemoList; 7] = [
    demo_list!(
        "shanhai-users.csv",
        "CSV in GB18030, a title row, shared by two applications",
        ["SH-BRAND", "SH-FIRM"]
    ),
    demo_list!("shanhai-h6.xlsx", "XLSX, numbers as numbers", ["SH-H6"]),
    demo_list!("yunchuan-owners.xls", "XLS with kinds of owners", ["YC-TOWER"]),
    demo_list!(
        "yunchuan-care.tsv",
        "TSV in UTF-16, some on another applicant's list too",
        ["YC-CARE"]
    ),
    demo_list!("qinghe-clinic.ods", "ODS without any header", ["QH-CLINIC"]),
    demo_list!("linquan-owners.csv", "CSV in UTF-8, fixed lines only", ["LQ-HILL"]),
    demo_list!("qinghe-users.csv", "CSV in UTF-8 with semicolons and lone CR", ["QH-FIRM"]),
];

/// Campaigns, their applications, and whether interviewers call people who do not answer.
const CAMPAIGNS: [(&str, &[&str], bool); 4] = [
    ("SHANHAI", &["SH-BRAND", "SH-FIRM", "SH-H6"], false),
    ("YUNCHUAN", &["YC-TOWER", "YC-CARE"], true),
    ("QINGHE", &["QH-CLINIC", "QH-FIRM"], false),
    ("LINQUAN", &["LQ-HILL"], true),
];

/// The applicant whose staff answer for some of its users.
pub const DISHONEST: &str = "青禾医院";

/// The application whose due day is extended.
const EXTENDED: &str = "YC-CARE";

const GATEWAY: &str = "simulator";
/// A route through a gateway that does not respond and, after it, the simulator.
pub const ROUTE: &str = "demo";
const DEAD_GATEWAY: &str = "first";
pub const RATE_PER_SECOND: u32 = 20;
/// Token of the scoring step, for loopback only.
pub const SCORING_TOKEN: &str = "the-demo-s-scoring-step-only";
/// A folder that contains this file belongs to a demo and may be emptied for the next one.
const MARKER_FILE: &str = ".fieldworkd-demo";

pub struct Fixture {
    pub context: Arc<AppContext>,
    pub clock: Arc<VirtualClock>,
    pub simulator: Simulator,
    pub plan: ContactPlan,
    pub began_at: Timestamp,
    plan_file: PlanFile,
}

impl Fixture {
    /// Empties and fills the folder, and starts the servers.
    pub async fn create(folder: &Path, seed: u64) -> Result<Fixture> {
        prepare_folder(folder, seed)?;
        let plan_file = PlanFile::parse(PLAN)?.with_calendar(HOLIDAYS)?;
        let plan = plan_file.check()?;
        // A Monday morning.
        let morning = chrono::NaiveDate::from_ymd_opt(2026, 3, 2)
            .and_then(|day| day.and_hms_opt(9, 30, 0))
            .context("a day")?;
        let began_at = Timestamp::from_local(morning, plan.time_zone);
        let clock = Arc::new(VirtualClock::starting_at(began_at));

        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut scenario = Scenario::realistic(seed, RATE_PER_SECOND);
        scenario.people.has_addresses = true;
        scenario.people.dishonest =
            Some(DishonestApplicant { name: DISHONEST.to_owned(), share: 0.5 });
        let simulator = Simulator::start(any_port, scenario, clock.clone())
            .await
            .context("the simulator cannot start")?;
        let listener = TcpListener::bind(any_port).await.context("no loopback port is free")?;
        let config = load_config(folder, listener.local_addr()?, simulator.address())?;
        let _ = telemetry::start(&config, Some(&folder.join("fieldworkd.log")))?;
        let context = Arc::new(AppContext::open(config, clock.clone()).await?);
        tokio::spawn(http::serve(context.clone(), listener, std::future::pending()));
        Ok(Fixture { context, clock, simulator, plan, began_at, plan_file })
    }

    pub async fn import_lists(&self) -> Result<Vec<String>> {
        programmes::apply_programme(&self.context, PROGRAMME).await?;
        programmes::add_applications(&self.context, APPLICATIONS).await?;
        let mut lines = Vec::new();
        for list in &LISTS {
            let applications: Vec<String> =
                list.applications.iter().map(|code| (*code).to_owned()).collect();
            let request = ImportRequest::of(&applications, list.file, list.content.into());
            let outcome = list_import::import_list(&self.context, &request, &mut |_, _| {}).await?;
            let (taken, merged, rejected) = (outcome.accepted, outcome.merged, outcome.rejected);
            lines.push(format!(
                "{} ({}): {taken} taken, {merged} merged, {rejected} rejected",
                list.file, list.form
            ));
        }
        Ok(lines)
    }

    pub async fn launch_campaigns(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let with_telephone = PlanFile::parse(PLAN_WITH_TELEPHONE)?.with_calendar(HOLIDAYS)?;
        for (code, applications, calls) in CAMPAIGNS {
            let plan = if calls { &with_telephone } else { &self.plan_file };
            let applications: Vec<String> =
                applications.iter().map(|code| (*code).to_owned()).collect();
            let request = LaunchRequest {
                code,
                applications: &applications,
                plan,
                gateway: ROUTE,
                budget: None,
                seed: None,
                dry_run: false,
            };
            let report = campaigns::launch(&self.context, &request).await?;
            lines.push(format!(
                "{code}: {} people ({} by telephone only), at most {} parts or {:.2} {}",
                report.invitations,
                report.without_mobile,
                report.parts_at_most,
                report.cost_at_most,
                report.currency
            ));
        }
        // The owners' committee requests an extension of a few days.
        let by = ChangedBy { actor: "demo", reason: "物业委员会要求延期" };
        let status = changes::extend(&self.context, EXTENDED, 3, by).await?;
        let due = status.dataset_due.map(|day| day.to_string()).unwrap_or_default();
        lines.push(format!(
            "{EXTENDED} is extended by 3 days, with the reason written down: its \
            dataset is due on {due}"
        ));
        Ok(lines)
    }

    pub fn campaign_codes() -> impl Iterator<Item = &'static str> {
        CAMPAIGNS.iter().map(|(code, ..)| *code)
    }
}

fn prepare_folder(folder: &Path, seed: u64) -> Result<()> {
    let path = folder.display();
    if folder.exists() {
        let is_empty = std::fs::read_dir(folder)
            .with_context(|| format!("{path} cannot be read"))?
            .next()
            .is_none();
        if !is_empty && !folder.join(MARKER_FILE).exists() {
            bail!("{path} holds something else than a demo; name another folder with --dir");
        }
        std::fs::remove_dir_all(folder).with_context(|| format!("{path} cannot be emptied"))?;
    }
    std::fs::create_dir_all(folder.join("keyring"))
        .with_context(|| format!("{path} cannot be made"))?;
    std::fs::write(folder.join(MARKER_FILE), "made by fieldworkd demo\n")?;
    // The key is derived from the seed, so that the same seed gives the same datasets. It seals
    // only fictitious people.
    std::fs::write(
        folder.join("keyring/installation.key"),
        sha256_hex(format!("demo {seed}").as_bytes()),
    )?;
    std::fs::write(
        folder.join("keyring/signing.pem"),
        Signer::of_seed(&sha256(format!("demo signs {seed}").as_bytes()))
            .to_pem()
            .unwrap_or_default(),
    )?;
    Ok(())
}

/// Loads the shipped configuration with the demo's paths and ports; FIELDWORKD_… variables about
/// the log still apply.
fn load_config(folder: &Path, web: SocketAddr, simulator: SocketAddr) -> Result<Config> {
    let path = |name: &str| folder.join(name).display().to_string();
    let overrides = [
        ("DATABASE__URL", format!("sqlite:{}", path("fieldworkd.db"))),
        ("KEYS__RING", path("keyring")),
        ("WEB__LISTEN", web.to_string()),
        ("WEB__PUBLIC_URL", format!("http://{web}")),
        ("DATASET__FOLDER", path("datasets")),
        // A handful of paper forms: all are keyed twice.
        ("PAPER__SECOND_KEYING", "1".to_owned()),
        // Hourly forecasts over three months would dominate the demo's run time.
        ("FORECAST__EVERY", "4d".to_owned()),
        // The duty officer's telephone; a fictitious number that is on no list.
        ("NOTIFY__SMS__GATEWAY", GATEWAY.to_owned()),
        ("NOTIFY__SMS__SIGNATURE", "质协".to_owned()),
        ("NOTIFY__SMS__TO", "+8613900009999".to_owned()),
        // Applicants have pages of their own.
        ("APPLICANT_PAGES__GATEWAY", GATEWAY.to_owned()),
        ("APPLICANT_PAGES__SIGNATURE", "质协".to_owned()),
        // People come through a reverse proxy, as it were, that tells their addresses.
        ("WEB__PROXIES", "127.0.0.1".to_owned()),
        // The listener to events is on loopback.
        ("WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8".to_owned()),
        ("DELIVERY__FOLDER__PATH", path("scoring")),
        ("DELIVERY__PULL__TOKEN", SCORING_TOKEN.to_owned()),
        ("ALARM__DANGER__REPEAT_EVERY", "7d".to_owned()),
        ("GATEWAY__SIMULATOR__RATE_PER_SECOND", RATE_PER_SECOND.to_string()),
        // The first gateway is down: its circuit opens, and messages fail over to the second one.
        ("GATEWAY__FIRST__FILE", "gateways/kannel.toml".to_owned()),
        ("GATEWAY__FIRST__RATE_PER_SECOND", RATE_PER_SECOND.to_string()),
        ("ROUTE__DEMO__GATEWAYS", format!("{DEAD_GATEWAY}, {GATEWAY}")),
        ("QUOTA__EXPECTED_RESPONSE_RATE", "0.7".to_owned()),
        // One at a time: virtual time then stands still while a message is in flight.
        ("GATEWAY__SIMULATOR__IN_FLIGHT", "1".to_owned()),
    ];
    let log_settings = std::env::vars().filter(|(key, _)| key.starts_with("FIELDWORKD_LOG__"));
    let environment = overrides
        .into_iter()
        .map(|(key, value)| (format!("FIELDWORKD_{key}"), value))
        .chain(log_settings);
    let mut config = Config::load(None, environment)?;
    if let Some(gateway) = config.gateways.get_mut(GATEWAY) {
        gateway.definition = gateway.definition.replace("127.0.0.1:9700", &simulator.to_string());
    }
    if let Some(gateway) = config.gateways.get_mut(DEAD_GATEWAY) {
        // Port 1 of loopback: nothing listens there.
        gateway.definition = gateway.definition.replace("127.0.0.1:13013", "127.0.0.1:1");
    }
    config.datasets = PathBuf::from(path("datasets"));
    Ok(config)
}

impl Fixture {
    pub fn plan_file(&self) -> &PlanFile {
        &self.plan_file
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
