//! The reverse proxies of docs/operations.md: a real nginx and a real Caddy with the configuration
//! that stands there, in front of the daemon.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::header::{LOCATION, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::common::deployment::{Daemon, Deployment, free_port, wait_until};
use crate::common::{answers, number};
use crate::hostile::{PASSWORD, add_operator, connect_from, raise_open_files};
use fieldworkd::adapters::crypto::KeyRing;
use fieldworkd::adapters::database::{Database, applications};
use fieldworkd::domain::phone::Phone;
use fieldworkd::simulation::Scenario;

const HOST: &str = "survey.example.org";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Product {
    Nginx,
    Caddy,
}

impl Product {
    /// Returns the proxies that there are, with their programs.
    fn available() -> Vec<(Product, PathBuf)> {
        let mut available = Vec::new();
        for (product, variable) in
            [(Product::Nginx, "FIELDWORKD_TEST_NGINX"), (Product::Caddy, "FIELDWORKD_TEST_CADDY")]
        {
            match std::env::var_os(variable) {
                Some(program) => available.push((product, program.into())),
                None => eprintln!("{variable} is not set: {product:?} is not run (use tests/run)"),
            }
        }
        available
    }
}

/// Returns the fenced blocks of docs/operations.md in a language.
fn samples(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string("docs/operations.md").unwrap();
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// A proxy in the foreground; it ends with the test.
struct Proxy {
    product: Product,
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    certificate: Vec<u8>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Proxy {
    /// Starts a proxy with the documented configuration in front of the deployment's daemon.
    async fn start(product: Product, program: &Path, deployment: &Deployment) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        make_certificate(folder.path());
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        let log = std::fs::File::create(folder.path().join("logs/standard-error")).unwrap();
        let mut command = Command::new(program);
        match product {
            Product::Nginx => {
                let config = folder.path().join("nginx.conf");
                std::fs::write(&config, nginx_config(folder.path(), port, deployment.port))
                    .unwrap();
                command.arg("-e").arg(folder.path().join("logs/error.log"));
                command.arg("-p").arg(folder.path()).arg("-c").arg(config);
            }
            Product::Caddy => {
                let config = folder.path().join("Caddyfile");
                std::fs::write(&config, caddy_config(folder.path(), port, deployment.port))
                    .unwrap();
                command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
            }
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let certificate = std::fs::read(folder.path().join("certificate.pem")).unwrap();
        let mut proxy = Proxy { product, child, port, folder, certificate };
        wait_until("the proxy answers", async || {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{product:?}: {}", proxy.logs());
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        proxy
    }

    fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // Told to stop, nginx's first process ends the others as well.
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
            for _ in 0..100 {
                if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Everything in its log folder.
    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.folder.path().join("logs")).unwrap();
        let text = |file: std::io::Result<std::fs::DirEntry>| {
            String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()
        };
        files.map(text).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.port)
    }

    /// Returns a client of an address of the loopback network.
    fn client(&self, last_number: u8) -> reqwest::Client {
        fieldworkd::adapters::http_client::install_ring_provider();
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&self.certificate).unwrap()])
            .resolve(HOST, SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            .local_address(IpAddr::from([127, 0, 0, last_number]))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap()
    }

    /// Sends bytes on a connection with TLS, which stays open.
    async fn send_raw(
        &self,
        source: [u8; 4],
        bytes: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.certificate).unwrap()).unwrap();
        let config =
            rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connect_from(source, self.port).await?;
        let name = ServerName::try_from(HOST).unwrap();
        let connected =
            tokio::time::timeout(Duration::from_secs(10), connector.connect(name, stream));
        let mut stream = connected.await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        stream.write_all(bytes).await?;
        stream.flush().await?;
        Ok(stream)
    }
}

/// A certificate of its own in certificate.pem, with its key in key.pem.
fn make_certificate(folder: &Path) {
    let request = format!(
        "[req]\ndistinguished_name = name\nx509_extensions = leaf\nprompt = no\n[name]\nCN = {HOST}\n\
         [leaf]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = DNS:{HOST}\n"
    );
    std::fs::write(folder.join("request"), request).unwrap();
    let output = Command::new("openssl")
        .args(["req", "-x509", "-config", "request", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", "key.pem"])
        .args(["-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Puts values of the test into a sample. Each must be in it.
fn with_replaced(sample: &str, changes: &[(&str, String)]) -> String {
    let mut text = sample.to_owned();
    for (documented, of_the_test) in changes {
        assert!(text.contains(documented), "{documented} is not in the sample:\n{text}");
        text = text.replace(documented, of_the_test);
    }
    text
}

/// The documented configuration of nginx: ports, certificate and folders are the test's, and the
/// frame is what Debian's nginx.conf holds besides.
fn nginx_config(folder: &Path, port: u16, daemon: u16) -> String {
    let at = folder.display();
    let [main, site] = &samples("nginx")[..] else { panic!("two files of nginx are documented") };
    let site = with_replaced(
        site,
        &[
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("127.0.0.1:8080", format!("127.0.0.1:{daemon}")),
            ("/etc/ssl/survey.example.org.pem", format!("{at}/certificate.pem")),
            ("/etc/ssl/private/survey.example.org.key", format!("{at}/key.pem")),
            ("/var/log/nginx/", format!("{at}/logs/")),
        ],
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .concat();
    let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} pid {at}/pid; error_log {at}/logs/error.log;\n{main}\nhttp {{\n\
         access_log {at}/logs/access.log;\n{temporary}{site}\n}}\n"
    )
}

/// The documented configuration of Caddy: ports, certificate and folders are the test's, and it
/// opens no other port.
fn caddy_config(folder: &Path, port: u16, daemon: u16) -> String {
    let at = folder.display();
    let [sample] = &samples("caddyfile")[..] else { panic!("one file of Caddy is documented") };
    with_replaced(
        sample,
        &[
            (
                "\n{\n",
                "\n{\nadmin off\ndefault_bind 127.0.0.1\nauto_https disable_redirects\n".to_owned(),
            ),
            (
                "survey.example.org {",
                format!("{HOST}:{port} {{\ntls {at}/certificate.pem {at}/key.pem"),
            ),
            ("127.0.0.1:8080", format!("127.0.0.1:{daemon}")),
            ("/var/log/caddy/", format!("{at}/logs/")),
        ],
    )
}

/// A deployment whose daemon knows of its proxy.
async fn deployment() -> Deployment {
    let behind_a_proxy = |config: &mut String, _: &mut String| {
        *config = config
            .replace("# proxies = ", "proxies = ")
            .replace("# allow = [\"203.0.113.0/24\"]", "allow = [\"127.0.0.2\"]");
        assert!(config.contains("\nproxies = [\"127.0.0.1\"]") && config.contains("\nallow = "));
    };
    let scenario = Scenario::faultless(1, 100);
    let deployment =
        Deployment::with_config(12, &scenario, 50, &behind_a_proxy).await.swap_remove(0);
    add_operator(&deployment);
    deployment
}

async fn start_daemon(deployment: &Deployment) -> Daemon {
    let public_url = format!("https://{HOST}");
    deployment.start_daemon(&[("FIELDWORKD_WEB__PUBLIC_URL", &public_url)]).await
}

/// The paths of the respondents' links.
async fn links(deployment: &Deployment) -> Vec<String> {
    let keys = KeyRing::open(&deployment.path().join("var/keyring"), None).unwrap();
    let database = Database::open(&deployment.url).await.unwrap();
    let mut connection = database.read().await.unwrap();
    let key = applications::find(&mut connection, "A1").await.unwrap().unwrap().key_id;
    let link = |n| {
        let phone = Phone::parse(&number(n), phonenumber::country::CN).unwrap();
        let hash = keys.hasher().phone_hash(&phone);
        format!("/i/{}", keys.hasher().link_code("C1", &key, &hash))
    };
    (0..12).map(link).collect()
}

async fn post(
    http: &reqwest::Client,
    url: String,
    fields: &[(&str, &str)],
) -> reqwest::Result<reqwest::Response> {
    let body: String =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = "application/x-www-form-urlencoded";
    http.post(url).header("content-type", kind).body(body).send().await
}

fn location(answer: &reqwest::Response) -> &str {
    answer.headers().get(LOCATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// Signs in and returns the session's cookie.
async fn sign_in(http: &reqwest::Client, proxy: &Proxy) -> String {
    let fields = [("name", "qian"), ("password", PASSWORD)];
    let answer = post(http, proxy.url("/staff/sign-in"), &fields).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), location(&answer)),
        (303, "/staff"),
        "{:?}",
        proxy.product
    );
    let cookies: Vec<&str> =
        answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for (cookie, name) in cookies.iter().zip(["session", "device"]) {
        assert!(cookie.starts_with(&format!("__Host-fieldworkd_{name}=")), "{cookie}");
        assert!(cookie.contains("; Secure") && cookie.contains("; Path=/"), "{cookie}");
    }
    cookies[0].split(';').next().unwrap().to_owned()
}

/// The session's cookie is for TLS, although the daemon speaks none (laurent22/joplin#12284,
/// oryx-labs/oryxos#89).
#[tokio::test(flavor = "multi_thread")]
async fn pages_live_updates_and_large_lists_come_through() {
    let available = Product::available();
    if available.is_empty() {
        return;
    }
    let deployment = deployment().await;
    let _daemon = start_daemon(&deployment).await;
    let links = links(&deployment).await;
    for (n, (product, program)) in available.iter().enumerate() {
        let proxy = Proxy::start(*product, program, &deployment).await;
        let http = proxy.client(2);
        let link = &links[n];
        let page = http.get(proxy.url(link)).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 200, "{product:?}");
        assert_eq!(page.headers()[STRICT_TRANSPORT_SECURITY], "max-age=31536000", "{product:?}");
        assert!(page.text().await.unwrap().contains("standard-3"), "{product:?}");
        let page_of = format!("{link}?lang=zh");
        let consent = [("notice", "standard-3")];
        let begun = post(&http, proxy.url(&format!("{link}/begin")), &consent).await.unwrap();
        assert_eq!((begun.status().as_u16(), location(&begun)), (303, page_of.as_str()));
        let form = answers(0, 0, "7");
        let saved = post(&http, proxy.url(&format!("{link}/answers")), &form).await.unwrap();
        assert_eq!(saved.status().as_u16(), 303);
        assert_eq!(location(&saved), format!("{page_of}&page=1"));
        let next = http.get(proxy.url(link)).send().await.unwrap().text().await.unwrap();
        assert!(next.contains("name=\"pq1\""), "{product:?}: {next}");

        let nobody = http.get(proxy.url("/supervision")).send().await.unwrap();
        assert_eq!(location(&nobody), "/staff/sign-in?next=%2Fsupervision", "{product:?}");
        let cookie = sign_in(&http, &proxy).await;
        let live = http.get(proxy.url("/home/live")).header("cookie", &cookie);
        let began = Instant::now();
        let mut live = live.send().await.unwrap();
        let first = live.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(b"data: "), "{product:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{product:?}: {:?}", began.elapsed());

        let home = http.get(proxy.url("/staff/account")).header("cookie", &cookie);
        let home = home.send().await.unwrap().text().await.unwrap();
        let token =
            home.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        // Judged by the daemon: it has too many rows, or is larger than anything that is taken.
        for (megabytes, expected) in [(30, 422), (32, 413)] {
            let row = "受访者,13800000000\n";
            let list = format!("姓名,手机\n{}", row.repeat((megabytes << 20) / row.len()));
            let body = format!(
                "--limit\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--limit\r\n\
                 Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{list}\
                 \r\n--limit--\r\n"
            );
            let request = http
                .post(proxy.url("/applications/A1/list"))
                .header("cookie", &cookie)
                .header("content-type", "multipart/form-data; boundary=limit")
                .body(body);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{product:?}: {megabytes} MB");
            assert!(
                answer.headers().contains_key("x-robots-tag"),
                "{product:?}: the daemon's answer"
            );
        }
    }
}

/// Neither does one guesser keep out everybody behind the proxy (nextcloud/server#8510), nor is one
/// guesser many (ZhuLinsen/daily_stock_analysis#842, RodiumAi/Forge#84).
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_client_wrote_itself_counts_for_nothing() {
    let available = Product::available();
    if available.is_empty() {
        return;
    }
    let deployment = deployment().await;
    let _daemon = start_daemon(&deployment).await;
    let hooks = hook_paths(&deployment);
    for (n, (product, program)) in available.iter().enumerate() {
        let proxy = Proxy::start(*product, program, &deployment).await;
        let push = async |from: u8, forged: &[&str]| {
            let mut request = proxy.client(from).post(proxy.url(&hooks[0])).body("[]");
            for line in forged {
                request = request.header("x-forwarded-for", *line);
            }
            request.send().await.unwrap().status().as_u16()
        };
        assert_ne!(push(2, &[]).await, 404, "{product:?}: this address is allowed");
        for forged in [&["127.0.0.2"][..], &["127.0.0.2", "127.0.0.2"], &["127.0.0.2, 127.0.0.1"]] {
            assert_eq!(push(3, forged).await, 404, "{product:?}: {forged:?}");
        }
        // One client with a new address for each attempt is one client.
        let (thief, other) = (10 + 2 * n as u8, 11 + 2 * n as u8);
        let guess = async |from: u8, line: usize| {
            let form = format!("name=nobody{line}&password=a+wrong+password+again");
            let request = proxy
                .client(from)
                .post(proxy.url("/staff/sign-in"))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-forwarded-for", format!("198.51.100.{line}"))
                .header("x-forwarded-for", format!("203.0.113.{line}, 192.0.2.{line}"))
                .body(form);
            request.send().await.unwrap().status().as_u16()
        };
        let guesses = join_all((0..60).map(|line| guess(thief, line))).await;
        let refused = guesses.iter().filter(|status| **status == 429).count();
        assert!(refused >= 15, "{product:?}: {guesses:?}");
        assert_ne!(guess(other, 1).await, 429, "{product:?}: another client is no thief");
    }
}

/// The paths for receipts and replies, with their secret.
fn hook_paths(deployment: &Deployment) -> [String; 2] {
    let output = deployment.command_line(&["gateways", "--json"]).output().unwrap();
    let gateways: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    ["receipts", "replies"].map(|kind| {
        let url = gateways[0][kind].as_str().unwrap();
        url[url.find("/hooks/").unwrap()..].to_owned()
    })
}

/// Caddy's messages about errors have their own way into the log (flawchess/flawchess#316).
#[tokio::test(flavor = "multi_thread")]
async fn links_and_secrets_are_in_no_log_of_the_proxy() {
    let available = Product::available();
    if available.is_empty() {
        return;
    }
    let deployment = deployment().await;
    let (links, hooks) = (links(&deployment).await, hook_paths(&deployment));
    let (link, hook) = (&links[0], &hooks[0]);
    let secrets = [&link[3..], hook.split('/').nth(3).unwrap(), "signature-of-a-trial"];
    for (product, program) in &available {
        let daemon = start_daemon(&deployment).await;
        let mut proxy = Proxy::start(*product, program, &deployment).await;
        let http = proxy.client(2);
        let paths = [
            link.clone(),
            format!("/{link}"),
            format!("{link}?from=sms"),
            format!("{link}/later"),
            hook.clone(),
            "/try/brand/1900000000/signature-of-a-trial".to_owned(),
        ];
        let ask_all = async || {
            for path in &paths {
                let _ = http.get(proxy.url(path)).send().await;
                let _ = post(&http, proxy.url(path), &[("a", "b")]).await;
                let consent = [("notice", "standard-3")];
                let _ = post(&http, proxy.url(&format!("{path}/begin")), &consent).await;
                let large = "a=".to_owned() + &"b".repeat(3 << 20);
                let _ = http.post(proxy.url(path)).body(large).send().await;
            }
            let signed_in = http.get(proxy.url("/staff/sign-in")).send().await;
            signed_in.map(|answer| answer.status().as_u16()).ok()
        };
        assert_eq!(ask_all().await, Some(200), "{product:?}");
        // Requests that the proxy itself refuses, or that are broken off.
        let host = format!("Host: {HOST}\r\n");
        for path in &paths {
            for rest in [
                format!("{host}X-Half: a"),
                format!("{host}Not a header\r\n\r\n"),
                "\r\n".to_owned(),
                "Host: elsewhere.example.org\r\n\r\n".to_owned(),
                format!("{host}Content-Length: x\r\n\r\n"),
                format!("{host}Content-Length: 100\r\n\r\na=b"),
                format!("{host}X-Large: {}\r\n\r\n", "a".repeat(40_000)),
                format!("{host}Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n"),
            ] {
                let request = format!("POST {path} HTTP/1.1\r\n{rest}");
                let Ok(mut stream) = proxy.send_raw([127, 0, 0, 2], request.as_bytes()).await
                else {
                    continue;
                };
                let mut answer = [0; 64];
                let some = stream.read(&mut answer);
                let _ = tokio::time::timeout(Duration::from_millis(50), some).await;
            }
            let garbage = format!("GET {path} nonsense HTTP/1.1\r\n{host}\r\n");
            let _ = proxy.send_raw([127, 0, 0, 2], garbage.as_bytes()).await;
        }
        daemon.signal("TERM");
        tokio::task::spawn_blocking(|| daemon.wait_for_exit()).await.unwrap();
        assert_eq!(ask_all().await, Some(502), "{product:?}");
        proxy.stop();
        let logs = proxy.logs();
        assert!(logs.contains("/staff/sign-in"), "{product:?}: it has logs: {logs}");
        for secret in secrets {
            let found: Vec<&str> = logs.lines().filter(|line| line.contains(secret)).collect();
            assert!(
                found.is_empty(),
                "{product:?}: {} lines name a secret:\n{}",
                found.len(),
                found.join("\n")
            );
        }
    }
}

/// Clients that send half a head or half a body, more than the daemon admits of one address that is
/// no proxy's (tokio-rs/axum#2741, hyperium/hyper#2457).
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_keep_no_respondent_out() {
    const HALF_HEADS: usize = 600;
    const HALF_BODIES: usize = 1_200;
    let available = Product::available();
    if available.is_empty() {
        return;
    }
    raise_open_files();
    for (product, program) in &available {
        let deployment = deployment().await;
        let _daemon = start_daemon(&deployment).await;
        let links = links(&deployment).await;
        let proxy = Proxy::start(*product, program, &deployment).await;
        let head = format!("POST {}/answers HTTP/1.1\r\nHost: {HOST}\r\n", links[11]);
        let body = format!(
            "{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\nimg1="
        );
        let mut held = Vec::new();
        for chunk in (0..HALF_HEADS + HALF_BODIES).collect::<Vec<_>>().chunks(50) {
            let opened = chunk.iter().map(|n| {
                let bytes = if *n < HALF_HEADS { &head } else { &body };
                proxy.send_raw([127, 0, 1, (*n % 100) as u8], bytes.as_bytes())
            });
            held.extend(join_all(opened).await);
        }
        let refused = held.iter().filter(|stream| stream.is_err()).count();
        let answer = async |n: usize| {
            let (http, link) = (proxy.client(20 + n as u8), &links[n]);
            let mut slowest = Duration::ZERO;
            for page in 0..4 {
                let began = Instant::now();
                let (path, form) = match page {
                    0 => ("begin", vec![("notice", "standard-3")]),
                    page => ("answers", answers(0, page - 1, "7")),
                };
                let saved = post(&http, proxy.url(&format!("{link}/{path}")), &form).await;
                let status = saved.map(|saved| saved.status().as_u16());
                assert_eq!(status.ok(), Some(303), "{product:?}: page {page} of {n}");
                slowest = slowest.max(began.elapsed());
            }
            slowest
        };
        let slowest = join_all((0..10).map(answer)).await.into_iter().max().unwrap();
        eprintln!("{product:?}: {} held, {refused} refused, slowest {slowest:?}", held.len());
        assert!(slowest < Duration::from_secs(5), "{product:?}: {slowest:?}");
        assert_eq!(refused, 0, "{product:?}");
        drop(held);
    }
}
