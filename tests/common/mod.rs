//! Shared helpers of the integration tests: a fresh database of each engine, and a complete
//! installation with its web server and a simulator.
#![allow(dead_code)] // each test file uses only some of the helpers

pub mod browser;
pub mod deployment;
pub mod interviewers;
pub mod object_storage;
pub mod receivers;
pub mod survey;

use fieldworkd::services::programmes::add_applications;
use fieldworkd::services::programmes::apply_programme;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fieldworkd::adapters::clock::{Clock, VirtualClock};
use fieldworkd::adapters::clock_watch::ClockWatch;
use fieldworkd::adapters::config::Config;
use fieldworkd::adapters::crypto::KeyRing;
use fieldworkd::adapters::database::Database;
use fieldworkd::adapters::database::{applications, messages};
use fieldworkd::adapters::sms::Gateway;
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::interfaces::http;
use fieldworkd::services::campaigns::{self, LaunchError, LaunchReport, LaunchRequest};
use fieldworkd::services::context::AppContext;
use fieldworkd::services::deadlines;
use fieldworkd::services::list_import::{self, ImportOutcome, ImportRequest, ListImportError};
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::{Scenario, Simulator};
use sqlx::{Connection, Executor};

/// A fresh, empty database; SQLite's folder is deleted with it.
pub struct TestDatabase {
    pub url: String,
    pub database: Database,
    pub folder: tempfile::TempDir,
}

impl TestDatabase {
    pub fn engine(&self) -> &'static str {
        engine_of(&self.url)
    }
}

fn engine_of(url: &str) -> &'static str {
    if url.starts_with("sqlite:") { "sqlite" } else { "postgres" }
}

static DATABASE_COUNTER: AtomicU32 = AtomicU32::new(0);

/// Returns the URL of a database that does not exist yet (SQLite) or was just created (PostgreSQL),
/// for each available engine. `tests/run` starts a PostgreSQL and names it in the environment;
/// without it, only SQLite is tested, with a notice.
pub async fn fresh_urls(folder: &Path) -> Vec<String> {
    let mut urls = vec![format!("sqlite:{}", folder.join("test.db").display())];
    match std::env::var("FIELDWORKD_TEST_POSTGRES") {
        Ok(server) => {
            sqlx::any::install_default_drivers();
            let name = format!(
                "t{}_{}",
                std::process::id(),
                DATABASE_COUNTER.fetch_add(1, Ordering::SeqCst)
            );
            let mut admin = sqlx::AnyConnection::connect(&format!("{server}/postgres"))
                .await
                .expect("the test PostgreSQL answers");
            admin
                .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .await
                .expect("a database can be made");
            urls.push(format!("{server}/{name}"));
        }
        Err(_) => {
            eprintln!("FIELDWORKD_TEST_POSTGRES is not set: only SQLite is tested (use tests/run)")
        }
    }
    urls
}

/// Creates a fresh database of each engine.
pub async fn fresh_databases() -> Vec<TestDatabase> {
    let mut databases = Vec::new();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    for url in fresh_urls(scratch.path()).await {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = if url.starts_with("sqlite:") {
            format!("sqlite:{}", folder.path().join("test.db").display())
        } else {
            url
        };
        let database = Database::open(&url).await.expect("a fresh database opens");
        databases.push(TestDatabase { url, database, folder });
    }
    databases
}

/// Monday 2 March 2026, 09:30 in Shanghai.
pub fn monday() -> Timestamp {
    local("2026-03-02T09:30:00")
}

pub fn local(text: &str) -> Timestamp {
    Timestamp::from_local(text.parse().expect("a local time"), chrono_tz::Asia::Shanghai)
}

pub const PROGRAMME: &str = "code = \"p26\"\nname = { zh = \"评价\", en = \"Rating\" }\n";

/// A plan that is open daily from 9:00 to 21:00, with an invitation and two reminders a week apart.
pub const PLAN: &str = r#"
name = "test"
signature = "质协"
max_parts = 3
spread = "0s"
[hours]
monday = ["09:00-21:00"]
tuesday = ["09:00-21:00"]
wednesday = ["09:00-21:00"]
thursday = ["09:00-21:00"]
friday = ["09:00-21:00"]
saturday = ["09:00-21:00"]
sunday = ["09:00-21:00"]
[[step]]
name = "invitation"
after = "0d"
text.zh = "【{signature}】{name}您好，请评价{subject}：{link} 退订回T"
text.en = "【{signature}】Dear {name}, please rate {subject}: {link} Reply STOP to opt out"
[[step]]
name = "reminder"
after = "7d"
text.zh = "【{signature}】{name}您好，再请评价{subject}：{link} 退订回T"
[[step]]
name = "last"
after = "7d"
text.zh = "【{signature}】{name}您好，最后请评价{subject}：{link} 退订回T"
"#;

/// A complete installation on one database, with its web server and a simulator, in virtual time.
pub struct TestApp {
    pub context: Arc<AppContext>,
    pub clock: Arc<VirtualClock>,
    pub simulator: Simulator,
    pub dispatcher: Dispatcher,
    pub base: String,
    pub engine: &'static str,
    pub folder: tempfile::TempDir,
    pub http: reqwest::Client,
}

impl TestApp {
    /// Starts one installation per engine. `settings` are FIELDWORKD_… variables without the
    /// prefix.
    pub async fn on_each_engine(scenario: Scenario, settings: &[(&str, &str)]) -> Vec<TestApp> {
        let mut apps = Vec::new();
        let scratch = tempfile::tempdir().expect("a temporary folder");
        for url in fresh_urls(scratch.path()).await {
            apps.push(TestApp::start(&url, scenario.clone(), settings).await);
        }
        apps
    }

    pub async fn on_sqlite(scenario: Scenario, settings: &[(&str, &str)]) -> TestApp {
        TestApp::start("sqlite:", scenario, settings).await
    }

    async fn start(url: &str, scenario: Scenario, settings: &[(&str, &str)]) -> TestApp {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(VirtualClock::starting_at(monday()));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(any_port, scenario, clock.clone())
            .await
            .expect("the simulator starts");
        let listener = tokio::net::TcpListener::bind(any_port).await.expect("a port is free");
        let base = format!("http://{}", listener.local_addr().expect("it has an address"));
        let config = config_for(folder.path(), url, &base, simulator.address(), settings);
        let context = Arc::new(
            AppContext::open(config, clock.clone()).await.expect("the installation opens"),
        );
        tokio::spawn(http::serve(context.clone(), listener, std::future::pending()));
        let dispatcher = Dispatcher::new(context.clone());
        let http =
            fieldworkd::adapters::http_client::new(Duration::from_secs(60)).expect("a client");
        let app = TestApp {
            context,
            clock,
            simulator,
            dispatcher,
            base,
            engine: engine_of(url),
            folder,
            http,
        };
        apply_programme(&app.context, PROGRAMME).await.expect("the programme applies");
        app
    }

    /// Registers an application of the brand category.
    pub async fn register_brand(&self, code: &str, applicant: &str, more: &str) {
        let file = format!(
            "programme = \"p26\"\n[[application]]\ncode = \"{code}\"\napplicant = {{ code = \
                \"{applicant}\", name = \"{applicant}公司\" }}\n\
             category = \"brand\"\nsubject = {{ brand = \"{code}牌\" }}\n{more}\n"
        );
        add_applications(&self.context, &file).await.expect("the application registers");
    }

    pub async fn import(
        &self,
        codes: &[&str],
        content: &[u8],
    ) -> Result<ImportOutcome, ListImportError> {
        let applications: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let request = ImportRequest::of(&applications, "list.csv", content.into());
        list_import::import_list(&self.context, &request, &mut |_, _| {}).await
    }

    pub async fn launch(
        &self,
        campaign: &str,
        codes: &[&str],
        plan: &str,
    ) -> Result<LaunchReport, LaunchError> {
        let applications: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let plan = PlanFile::parse(plan)?;
        let request = LaunchRequest {
            code: campaign,
            applications: &applications,
            plan: &plan,
            gateway: "simulator",
            budget: None,
            seed: None,
            dry_run: false,
        };
        campaigns::launch(&self.context, &request).await
    }

    /// Launches an application with `people` on its list.
    pub async fn launch_with_people(&self, people: usize, more: &str) {
        self.register_brand("A1", "a", more).await;
        self.import(&["A1"], list(people).as_bytes()).await.expect("the list imports");
        self.launch("C1", &["A1"], PLAN).await.expect("the campaign launches");
    }

    /// Advances the clock to `end`; all work happens when it is due.
    pub async fn advance_until(&self, end: Timestamp) {
        self.advance_in_steps(Duration::from_millis(1), end).await;
    }

    /// Advances the clock to `end` in steps of at least `step`: the work due within a step happens
    /// together, as in a busy daemon.
    pub async fn advance_in_steps(&self, step: Duration, end: Timestamp) {
        loop {
            if self.dispatcher.next_due().await.unwrap().is_some_and(|at| at <= self.clock.now()) {
                self.dispatcher.tick().await.unwrap();
            }
            self.simulator.tick().await;
            deadlines::tick(&self.context).await.unwrap();
            let next = [
                self.dispatcher.next_due().await.unwrap(),
                self.simulator.next_event_at(),
                deadlines::next_due(&self.context).await.unwrap(),
            ];
            match next.into_iter().flatten().min() {
                Some(next) if next <= end && self.clock.now() < end => {
                    self.clock.advance_to(next.max(self.clock.now() + step).min(end))
                }
                _ => break,
            }
        }
        self.clock.advance_to(end);
    }

    /// Returns the personal link of the `n`th person of [`list`] in campaign C1.
    pub async fn link(&self, n: usize) -> String {
        self.link_of("C1", "A1", &number(n)).await
    }

    pub async fn link_of(&self, campaign: &str, application: &str, number: &str) -> String {
        let mut connection = self.context.database.read().await.unwrap();
        let key = applications::find(&mut connection, application).await.unwrap().unwrap().key_id;
        let hasher = self.context.keys.hasher();
        let phone = Phone::parse(number, phonenumber::country::CN).unwrap();
        format!("{}/i/{}", self.base, hasher.link_code(campaign, &key, &hasher.phone_hash(&phone)))
    }

    /// Executes SQL directly on the database, past the services.
    pub async fn execute_sql(&self, sql: &str) -> Result<(), String> {
        let mut tx = self.context.database.write().await.unwrap();
        tx.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.map_err(|error| error.to_string())?;
        tx.commit().await.map_err(|error| error.to_string())
    }

    /// Pushes replies to the simulator gateway's address as they stand, and returns the status.
    pub async fn push_replies(&self, body: &serde_json::Value) -> u16 {
        let url = format!("{}/replies", self.context.webhook_base_url("simulator"));
        let answer = self.http.post(url).body(body.to_string()).send().await.expect("an answer");
        answer.status().as_u16()
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.http.get(url).send().await.expect("the server answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    /// Posts a form. Returns the status and the redirect's location.
    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.expect("the server answers");
        let location = answer
            .headers()
            .get("location")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        (answer.status().as_u16(), location, answer.text().await.expect("a body"))
    }

    /// Begins the interview and answers every item with the same point. Returns the last page.
    pub async fn answer_all(&self, link: &str, case: usize, point: &str) -> String {
        self.post(&format!("{link}/begin"), CONSENT_FORM).await;
        for page in 0..4 {
            self.post(&format!("{link}/answers"), &answers(case, page, point)).await;
        }
        self.get(link).await.1
    }

    /// Returns how many messages are in each state.
    pub async fn states(&self) -> Vec<(String, i64)> {
        messages::count_by_state(&mut self.context.database.read().await.unwrap()).await.unwrap()
    }

    /// Returns the same installation with another gateway or another clock.
    pub fn installation_with(
        &self,
        gateway: Option<Arc<dyn Gateway>>,
        clock: Arc<dyn Clock>,
    ) -> Arc<AppContext> {
        let keys = KeyRing::open(&self.context.config.key_ring, None).unwrap();
        let gateways = match gateway {
            Some(gateway) => [("simulator".to_owned(), gateway)].into(),
            None => self.context.gateways.clone(),
        };
        Arc::new(AppContext {
            clock_watch: ClockWatch::new(&*clock),
            config: self.context.config.clone(),
            database: self.context.database.clone(),
            keys,
            clock,
            gateways,
            dialer: None,
        })
    }

    pub async fn dispositions(&self, application: &str) -> Vec<(String, u64)> {
        let mut connection = self.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, application).await.unwrap().unwrap().id;
        let rows = fieldworkd::adapters::database::cases::by_disposition(&mut connection, id)
            .await
            .unwrap();
        rows.into_iter()
            .map(|(disposition, cases)| (disposition.code().to_owned(), cases))
            .collect()
    }
}

/// Returns the shipped configuration with all paths in `folder` and all addresses on loopback.
pub fn config_for(
    folder: &Path,
    url: &str,
    base: &str,
    simulator: SocketAddr,
    settings: &[(&str, &str)],
) -> Config {
    let path = |name: &str| folder.join(name).display().to_string();
    let url = if url == "sqlite:" || url.starts_with("sqlite:/tmp") {
        format!("sqlite:{}", path("test.db"))
    } else {
        url.to_owned()
    };
    let own_settings = [
        ("DATABASE__URL", url),
        ("KEYS__RING", path("keyring")),
        ("WEB__PUBLIC_URL", base.to_owned()),
        ("DATASET__FOLDER", path("datasets")),
        ("GATEWAY__SIMULATOR__IN_FLIGHT", "1".to_owned()),
        ("WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8".to_owned()),
    ];
    let given = settings.iter().map(|(key, value)| (*key, (*value).to_owned()));
    let environment = own_settings
        .into_iter()
        .chain(given)
        .map(|(key, value)| (format!("FIELDWORKD_{key}"), value));
    let mut config = Config::load(None, environment).expect("the configuration is good");
    for gateway in config.gateways.values_mut() {
        gateway.definition = gateway.definition.replace("127.0.0.1:9700", &simulator.to_string());
    }
    config
}

/// How much the large tests do: `tests/run quick` sets FIELDWORKD_TEST_QUICK, the documented long
/// runs set FIELDWORKD_TEST_LONG.
pub fn by_size<T>(quick: T, usual: T, long: T) -> T {
    if std::env::var("FIELDWORKD_TEST_LONG").is_ok() {
        long
    } else if std::env::var("FIELDWORKD_TEST_QUICK").is_ok() {
        quick
    } else {
        usual
    }
}

/// Returns the number of the `n`th made-up person.
pub fn number(n: usize) -> String {
    format!("138{:08}", 10_000_000 + n)
}

/// Returns a list of made-up people.
pub fn list(people: usize) -> String {
    list_of(0..people)
}

/// Returns a list of the made-up people in a range.
pub fn list_of(people: std::ops::Range<usize>) -> String {
    let rows: String = people.map(|n| format!("受访者{n},{}\n", number(n))).collect();
    format!("姓名,手机\n{rows}")
}

/// The form of the welcome page: consent to the notice of a programme without a notice of its own.
pub const CONSENT_FORM: &[(&str, &str)] = &[("notice", "standard-3")];

/// Returns the form of a page of the shipped brand questionnaire, as filled in by somebody who has
/// not complained.
pub fn answers(case: usize, page: usize, point: &str) -> Vec<(&'static str, &str)> {
    let (ratings, choices): (&[&str], &[(&str, &str)]) = match page {
        0 => (&["img1", "img2", "exp1", "exp2"], &[]),
        1 => (&["pq1", "pq2", "val1", "val2"], &[]),
        2 => (&["sat1", "sat2", "sat3"], &[("complained", "no")]),
        _ => (&["loy1", "loy2"], &[("use1", "over_3_years"), ("role1", "private")]),
    };
    let numbers = ["0", "1", "2", "3"];
    [("case", numbers[case]), ("page", numbers[page])]
        .into_iter()
        .chain(ratings.iter().map(|item| (*item, point)))
        .chain(choices.iter().copied())
        .collect()
}

/// Runs the demo through the real binary.
pub fn demo(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldworkd"));
    command.args(["demo", "--dir"]).arg(folder).args(arguments).envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Validates a dataset with third-party tools (tests/external/validate_dataset.py).
pub fn validate_dataset(dataset: &Path) {
    validate_datasets(&[dataset.to_owned()]);
}

/// Lets others' tools check the folders of several versions.
pub fn validate_datasets(datasets: &[PathBuf]) {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!(
            "FIELDWORKD_TEST_PYTHON is not set: no dataset is checked by others' tools (use \
                tests/run)"
        );
        return;
    };
    run_script(&python, "validate_dataset.py", datasets);
}

/// Lets numpy and statsmodels compute the weights and the precision of several versions again.
pub fn recompute_estimates(datasets: &[PathBuf]) {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!("FIELDWORKD_TEST_PYTHON is not set: no weight is computed again (use tests/run)");
        return;
    };
    run_script(&python, "recompute_estimates.py", datasets);
}

fn run_script(python: &str, script: &str, datasets: &[PathBuf]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external").join(script);
    let output = Command::new(python).arg(script).args(datasets).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
