//! Simulated staff: a user browses the console and reveals one person, and the audit log records
//! it.

use anyhow::{Context, Result, bail};
use reqwest::header;

use super::fixture::Fixture;
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::audit::{self, AuditFilter, LogVerification};
use crate::adapters::http_client;
use crate::domain::audit::{Action, Actor};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::services::accounts;

/// The staff's actions and their audit.
pub struct ConsoleReport {
    /// Pages visited.
    pub pages: u64,
    /// People whose names and numbers were revealed, by the audit log.
    pub revealed: u64,
    pub entries: u64,
    /// Whether the audit log's hash chain is intact.
    pub is_whole: bool,
}

/// A minimal browser of a staff user.
struct Browser {
    client: reqwest::Client,
    base: String,
    cookie: String,
}

impl Browser {
    async fn sign_in(fixture: &Fixture, name: &str, role: Role) -> Result<Browser> {
        let (password, context) = (new_token()?, &fixture.context);
        accounts::add(
            context,
            &Actor::command("demo"),
            name,
            role,
            &[Language::ZH, Language::EN],
            password.clone(),
        )
        .await?;
        let mut browser = Browser {
            client: http_client::new(std::time::Duration::from_secs(10))?,
            base: context.config.public_url.clone(),
            cookie: String::new(),
        };
        let answer = browser
            .send("/staff/sign-in", &[("name", name), ("password", password.reveal())])
            .await?;
        let cookie = answer
            .headers()
            .get(header::SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok())
            .and_then(|cookie| cookie.split(';').next());
        browser.cookie = cookie.context("nobody is signed in")?.to_owned();
        Ok(browser)
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Result<reqwest::Response> {
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok(request.header(header::COOKIE, &self.cookie).body(body).send().await?)
    }

    async fn page(&self, path: &str) -> Result<String> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .header(header::COOKIE, &self.cookie)
            .send()
            .await?;
        if answer.status() != 200 {
            bail!("{path}: {}", answer.status());
        }
        Ok(answer.text().await?)
    }
}

/// Returns the text between two marks of a page.
fn text_between<'a>(page: &'a str, before: &str, after: &str) -> Option<&'a str> {
    page.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(found, _)| found)
}

/// Browses pages as an operator, and reveals one person.
pub async fn browse_pages(fixture: &Fixture) -> Result<ConsoleReport> {
    let operator = Browser::sign_in(fixture, "operator", Role::Operator).await?;
    let campaigns = operator.page("/campaigns").await?;
    let code =
        text_between(&campaigns, "href=\"/campaigns/", "\"").context("there is no campaign")?;
    let token = text_between(&campaigns, "name=\"token\" value=\"", "\"")
        .context("the page has no form")?;
    let mut pages = 1;
    for path in [
        "/home",
        "/setup",
        "/deliveries",
        "/inbox",
        "/suppressions",
        "/cases",
        "/supervision",
        "/supervision/days",
        "/holidays",
        "/library",
        "/help/handbook",
        &format!("/campaigns/{code}"),
        &format!("/campaigns/{code}/answers"),
        &format!("/campaigns/{code}/contacts"),
    ] {
        operator.page(path).await?;
        pages += 1;
    }
    let found =
        operator.send("/cases/search", &[("token", token), ("who", "#1")]).await?.text().await?;
    let case = text_between(&found, "href=\"/cases/", "\"").context("the case is not found")?;
    operator.page(&format!("/cases/{case}")).await?;
    operator
        .send(&format!("/cases/{case}/reveal"), &[("token", token)])
        .await?
        .error_for_status()?;
    pages += 3;
    let context = &fixture.context;
    let mut connection = context.database.read().await?;
    let filter = AuditFilter {
        actor: "operator".into(),
        action: Some(Action::CasePersonViewed),
        object: format!("case:{case}"),
        before: None,
    };
    let reveals = audit::entries(&mut connection, &filter, 10).await?.len() as u64;
    let (entries, is_whole) =
        match audit::verify(&mut connection, context.keys.hasher(), None).await? {
            LogVerification::Intact { entries, .. } => (u64::try_from(entries)?, true),
            LogVerification::Broken { .. } | LogVerification::HeadNotFound => (0, false),
        };
    Ok(ConsoleReport { pages, revealed: reveals, entries, is_whole })
}

/// Adds an administrator account for browsing; returns the address and the password.
pub async fn add_administrator(fixture: &Fixture) -> Result<(String, Personal)> {
    let password = new_token()?;
    accounts::add(
        &fixture.context,
        &Actor::command("demo"),
        "demo",
        Role::Administrator,
        &[Language::ZH, Language::EN],
        password.clone(),
    )
    .await?;
    Ok((format!("{}/staff", fixture.context.config.public_url), password))
}
