//! A textual description of a completed interview, and links to open in a browser.

use anyhow::Result;

use super::fixture::Fixture;
use crate::adapters::database::responses::StoredValue;
use crate::adapters::database::{applications, campaigns, responses};
use crate::domain::language::Language;
use crate::domain::phone::Phone;
use crate::domain::questionnaire::Questionnaire;
use crate::services;
use crate::services::campaigns::LaunchRequest;
use crate::services::list_import::{self, ImportRequest};

/// Describes the first completed interview of the demo: questions and points, without the open
/// answer, which may name people.
pub async fn describe_one_interview(fixture: &Fixture) -> Result<Option<String>> {
    let mut connection = fixture.context.database.read().await?;
    for application in applications::all(&mut connection).await? {
        let Some(questionnaire) = application.questionnaire_id else { continue };
        let complete = responses::of_application(&mut connection, application.id)
            .await?
            .into_iter()
            .find(|r| r.completed_at.is_some());
        let Some(response) = complete else { continue };
        let questionnaire = Questionnaire::parse(
            &campaigns::questionnaire_source(&mut connection, questionnaire).await?,
        )?;
        let zone = fixture.plan.time_zone;
        let seconds =
            response.completed_at.map_or(0, |end| end.since(response.started_at).as_secs());
        let mut lines = vec![format!(
            "One interview about {}, begun {}, done in {seconds} s:",
            application.subject.title(),
            response.started_at.rfc3339(zone)
        )];
        for item in questionnaire.items() {
            let answer = match response.answers.get(&item.id) {
                Some(StoredValue::Plain(value)) if value == "na" => "不适用",
                Some(StoredValue::Plain(value)) => value,
                Some(StoredValue::Sealed(_)) => "(an open answer, sealed)",
                None => "–",
            };
            lines.push(format!("  {}  {answer}", item.text.in_language(Language::ZH)));
        }
        return Ok(Some(lines.join("\n")));
    }
    Ok(None)
}

const VISITOR_APPLICATIONS: &str = r#"
programme = "credit-2026"
[[application]]
code = "LOOK-TEA"
applicant = { code = "look", name = "云雾茶业" }
category = "product"
subject = { brand = "云雾", product = "绿茶", model = "特级", specification = "250g" }
[[application]]
code = "LOOK-SHOP"
applicant = { code = "look", name = "云雾茶业" }
category = "service"
subject = { service = "云雾门店服务" }
"#;

/// Launches two more applications with two fictitious respondents and returns their links: the
/// demo's own fields are closed by then.
pub async fn create_open_links(fixture: &Fixture) -> Result<Vec<String>> {
    const NUMBERS: [&str; 2] = ["13800138000", "13900139000"];
    let context = &fixture.context;
    services::programmes::add_applications(context, VISITOR_APPLICATIONS).await?;
    let applications = ["LOOK-TEA", "LOOK-SHOP"].map(str::to_owned);
    let list =
        format!("姓名,手机,语言\n访客一,{},中文\nVisitor,{},English\n", NUMBERS[0], NUMBERS[1]);
    let request = ImportRequest::of(&applications, "visitors", list.as_bytes().into());
    list_import::import_list(context, &request, &mut |_, _| {}).await?;
    let launch = LaunchRequest {
        code: "LOOK",
        applications: &applications,
        plan: fixture.plan_file(),
        gateway: super::fixture::ROUTE,
        budget: None,
        seed: None,
        dry_run: false,
    };
    services::campaigns::launch(context, &launch).await?;
    let key_id = applications::find(&mut *context.database.read().await?, "LOOK-TEA")
        .await?
        .map(|a| a.key_id)
        .unwrap_or_default();
    let hasher = context.keys.hasher();
    let mut lines = Vec::new();
    for (number, description) in NUMBERS
        .iter()
        .zip(["two questionnaires behind one link, in Chinese", "the same for a guest, in English"])
    {
        let phone = Phone::parse(number, phonenumber::country::CN)?;
        let code = hasher.link_code("LOOK", &key_id, &hasher.phone_hash(&phone));
        lines.push(format!("  {}/i/{code}  {description}", context.config.public_url));
    }
    lines.push(format!("  {}/readyz  the probe", context.config.public_url));
    Ok(lines)
}
