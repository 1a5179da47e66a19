//! One tick of the dispatcher, driven through the library: an installation in a temporary folder,
//! the gateway simulator as carrier, one application with two made-up people, one campaign.
//!
//! `cargo run --example one_tick`

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fieldworkd::adapters::clock::VirtualClock;
use fieldworkd::adapters::config::Config;
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::campaigns::{LaunchRequest, launch};
use fieldworkd::services::context::AppContext;
use fieldworkd::services::list_import::{ImportRequest, import_list};
use fieldworkd::services::programmes::{add_applications, apply_programme};
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::{Scenario, Simulator};

const PROGRAMME: &str = include_str!("../config/demo/programme.toml");
const PLAN: &str = include_str!("../config/demo/plan.toml");
const HOLIDAYS: &str = include_str!("../config/holidays/cn-2026.toml");
const APPLICATION: &str = r#"
programme = "credit-2026"
[[application]]
code = "A1"
applicant = { code = "APPLICANT", name = "示例公司" }
category = "brand"
subject = { brand = "示例牌" }
"#;
const LIST: &str = "姓名,手机\n甲某,13800000001\n乙某,13800000002\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    // A Monday morning; all time comes from this clock.
    let morning = "2026-03-02T10:00:00".parse()?;
    let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_local(
        morning,
        chrono_tz::Asia::Shanghai,
    )));
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let simulator = Simulator::start(any_port, Scenario::faultless(1, 10), clock.clone()).await?;

    // The shipped configuration with other paths, and the simulator's address.
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = [
        ("FIELDWORKD_DATABASE__URL".to_owned(), format!("sqlite:{}", path("fieldworkd.db"))),
        ("FIELDWORKD_KEYS__RING".to_owned(), path("keyring")),
    ];
    let mut config = Config::load(None, settings.into_iter())?;
    for gateway in config.gateways.values_mut() {
        gateway.definition =
            gateway.definition.replace("127.0.0.1:9700", &simulator.address().to_string());
    }
    let context = Arc::new(AppContext::open(config, clock.clone()).await?);

    apply_programme(&context, PROGRAMME).await?;
    add_applications(&context, APPLICATION).await?;
    let applications = ["A1".to_owned()];
    let request = ImportRequest::of(&applications, "list.csv", LIST.as_bytes().into());
    let imported = import_list(&context, &request, &mut |_, _| {}).await?;
    let plan = PlanFile::parse(PLAN)?.with_calendar(HOLIDAYS)?;
    let request = LaunchRequest {
        code: "C1",
        applications: &applications,
        plan: &plan,
        gateway: "simulator",
        budget: None,
        seed: None,
        dry_run: false,
    };
    let launched = launch(&context, &request).await?;
    println!("{} people imported, {} invited", imported.accepted, launched.invitations);

    let dispatcher = Dispatcher::new(context.clone());
    if let Some(due) = dispatcher.next_due().await? {
        clock.advance_to(due);
    }
    let tick = dispatcher.tick().await?;
    println!("the tick submitted {} message(s)", tick.submitted);
    context.database.close().await;
    Ok(())
}
