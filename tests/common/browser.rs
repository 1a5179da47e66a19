//! A member of the staff at a browser without scripts, reduced to its requests.

use std::io::Write;
use std::process::{Command, Stdio};

use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::services::accounts;
use reqwest::header;
use serde_json::Value;

use super::TestApp;

pub const PASSWORD: &str = "many words make a good password";

pub async fn add_account(app: &TestApp, name: &str, role: Role) {
    accounts::add(
        &app.context,
        &Actor::command("test"),
        name,
        role,
        &[Language::ZH, Language::EN],
        Personal::new(PASSWORD),
    )
    .await
    .unwrap();
}

/// A browser's cookies and the token of its forms.
pub struct Browser<'a> {
    pub app: &'a TestApp,
    pub cookie: Option<String>,
    /// The cookie of a browser that has signed in; it is sent only where a test puts it into
    /// `cookie`.
    pub device: Option<String>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Browser<'a> {
        Browser { app, cookie: None, device: None }
    }

    /// Returns a signed-in browser.
    pub async fn signed_in(app: &'a TestApp, name: &str) -> Browser<'a> {
        let mut browser = Browser::new(app);
        assert_eq!(browser.sign_in(name, PASSWORD).await, 303, "{name} signs in");
        browser
    }

    pub async fn get(&self, path: &str) -> (u16, String, String) {
        let request = self.app.http.get(format!("{}{path}", self.app.base));
        self.send(request).await
    }

    /// Returns only the status; an endless stream is not read.
    pub async fn status(&self, path: &str) -> u16 {
        let mut request = self.app.http.get(format!("{}{path}", self.app.base));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.send().await.unwrap().status().as_u16()
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .app
            .http
            .post(format!("{}{path}", self.app.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.send(request).await
    }

    pub async fn send(&self, mut request: reqwest::RequestBuilder) -> (u16, String, String) {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let answer = request.send().await.unwrap();
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let cookies: Vec<&str> = answer
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|cookie| cookie.to_str().ok())
            .collect();
        let (status, location) =
            (answer.status().as_u16(), header(header::LOCATION) + &cookies.join("; "));
        (status, location, answer.text().await.unwrap())
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> u16 {
        let (status, set_cookie, _) =
            self.post("/staff/sign-in", &[("name", name), ("password", password)]).await;
        if let Some(at) = set_cookie.find("fieldworkd_session=") {
            let cookie = &set_cookie[at..];
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        if let Some(at) = set_cookie.find("fieldworkd_device=") {
            self.device = set_cookie[at..].split(';').next().map(str::to_owned);
        }
        status
    }

    /// Sends a form with a file and the session's token.
    pub async fn upload(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        file: &str,
        content: &[u8],
    ) -> (u16, String, String) {
        self.upload_all(path, fields, &[(file, content)]).await
    }

    /// Sends a form with several files and the session's token.
    pub async fn upload_all(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
    ) -> (u16, String, String) {
        let token = self.token("/staff/account").await;
        self.upload_files(path, &token, fields, files).await
    }

    pub async fn upload_with(
        &self,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
        file: &str,
        content: &[u8],
    ) -> (u16, String, String) {
        self.upload_files(path, token, fields, &[(file, content)]).await
    }

    async fn upload_files(
        &self,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
    ) -> (u16, String, String) {
        let mut body = Vec::new();
        for (name, value) in [("token", token)].iter().chain(fields) {
            body.extend(
                format!(
                    "--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                )
                .into_bytes(),
            );
        }
        for (file, content) in files {
            let head = format!(
                "--limit\r\nContent-Disposition: form-data; name=\"file\"; \
                    filename=\"{file}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            );
            body.extend(head.into_bytes());
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(b"--limit--\r\n");
        let request = self
            .app
            .http
            .post(format!("{}{path}", self.app.base))
            .header("content-type", "multipart/form-data; boundary=limit")
            .body(body);
        self.send(request).await
    }

    /// Sends the form of a page with the session's token.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let token = self.token("/staff/account").await;
        let fields: Vec<(&str, &str)> =
            [("token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.post(path, &fields).await
    }

    /// Submits a form of a page with the version that the page was made from.
    pub async fn submit_from(
        &self,
        page: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (u16, String, String) {
        let shown = self.get(page).await.2;
        let form = shown.split(&format!("action=\"{path}\"")).nth(1).expect("the page's form");
        let version = form.split("name=\"version\" value=\"").nth(1).expect("its version");
        let version = version.split('"').next().unwrap_or_default();
        let fields: Vec<(&str, &str)> =
            fields.iter().copied().filter(|(name, _)| *name != "version").collect();
        self.submit(path, &[&fields[..], &[("version", version)]].concat()).await
    }

    /// Returns the token in the page's forms.
    pub async fn token(&self, path: &str) -> String {
        let page = self.get(path).await.2;
        page.split("name=\"token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    }
}

/// Runs a script of tests/ in a real Chromium and returns its result. `None`: there is no browser.
/// Panics with the errors that the script found.
pub async fn run_in_chromium(script: &'static str, mut task: Value) -> Option<Value> {
    let (Ok(modules), Ok(chromium)) =
        (std::env::var("FIELDWORKD_TEST_NODE_PATH"), std::env::var("FIELDWORKD_TEST_CHROMIUM"))
    else {
        eprintln!(
            "FIELDWORKD_TEST_CHROMIUM is not set: no page is looked at in a browser (use \
                tests/run)"
        );
        return None;
    };
    task["chromium"] = chromium.into();
    task["password"] = PASSWORD.into();
    let output = tokio::task::spawn_blocking(move || {
        let mut node = Command::new("node")
            .arg(script)
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        node.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
        String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap()
    });
    let output = output.await.unwrap();
    Some(serde_json::from_str(output.trim()).unwrap_or_else(|_| panic!("{output}")))
}
