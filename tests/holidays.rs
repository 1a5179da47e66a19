//! Public holidays on the console: a year that nobody has entered is told, read from the pasted notice
//! or chosen by the day, and campaigns that run follow it.

use crate::common;
use crate::common::browser::{Browser, add_account};
use crate::common::{TestApp, local};
use fieldworkd::adapters::database::campaigns;
use fieldworkd::domain::contact_plan::{ContactPlan, PlanFile};
use fieldworkd::domain::role::Role;
use fieldworkd::services::campaigns::{LaunchRequest, launch};
use fieldworkd::simulation::{PeopleScenario, Scenario};

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// The notice of a made-up year, in the State Council's way of writing.
const NOTICE: &str = "一、元旦：1月1日（周五）至3日（周日）放假，共3天。\n二、春节：2月5日（农历除夕、周五）至13日（周六）\
    放假调休，共9天。1月31日（周日）、2月20日（周六）上班。";

fn version_in(page: &str) -> String {
    let version = page.split("name=\"version\" value=\"").nth(1).expect("a version");
    version.split('"').next().unwrap_or_default().to_owned()
}

fn days_in(page: &str) -> Vec<(String, String)> {
    let chosen = |select: &str| {
        let name = select.split('"').next()?.to_owned();
        let options = select.split("</select>").next()?;
        let kind = ["holiday", "workday"]
            .into_iter()
            .find(|kind| options.contains(&format!("value=\"{kind}\" selected")))?;
        Some((format!("day-{name}"), kind.to_owned()))
    };
    page.split("name=\"day-").skip(1).filter_map(chosen).collect()
}

async fn plan_of(app: &TestApp, code: &str) -> ContactPlan {
    let mut connection = app.context.database.read().await.unwrap();
    let campaign = campaigns::find(&mut connection, code).await.unwrap().unwrap();
    ContactPlan::from_stored(&campaign.plan).unwrap()
}

/// nager/Nager.Date#1075, vsme/chinese-days#44: a year that the State Council has not announced is not
/// known, and people would be written to at the Spring Festival.
#[tokio::test]
async fn a_campaign_into_a_year_that_nobody_has_entered_is_told_and_follows_it() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.clock.advance_to(local("2026-12-20T10:00:00"));
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], common::list(12).as_bytes()).await.unwrap();
        let plan = PlanFile::parse(common::PLAN)
            .unwrap()
            .with_calendar(include_str!("../config/holidays/cn-2026.toml"))
            .unwrap();
        let codes = ["A1".to_owned()];
        let request = LaunchRequest {
            code: "C1",
            applications: &codes,
            plan: &plan,
            gateway: "simulator",
            budget: None,
            seed: None,
            dry_run: false,
        };
        let report = launch(&app.context, &request).await.unwrap();
        assert_eq!(report.years_without_holidays, [2027], "{report:?}");
        // The dispatcher has read the plan by now.
        app.advance_until(local("2026-12-20T11:00:00")).await;
        assert_eq!(app.simulator.record().submits.len(), 12, "{}", app.engine);
        let home = qian.get("/home").await.2;
        assert!(home.contains("2027 年节假日尚未录入") && home.contains("/campaigns/C1"), "{home}");
        // The pasted notice is read, shown, and saved only then.
        let page = qian.get("/holidays?year=2027").await.2;
        assert!(page.contains("尚未录入") && version_in(&page).is_empty(), "{page}");
        let read = qian
            .submit("/holidays/2027", &[("version", ""), ("do", "read"), ("notice", NOTICE)])
            .await;
        assert_eq!(read.0, 200);
        let days = days_in(&read.2);
        assert_eq!(days.len(), 3 + 9 + 2, "{days:?}");
        assert!(qian.get("/holidays?year=2027").await.2.contains("尚未录入"), "not saved yet");
        let empty = qian
            .submit("/holidays/2027", &[("version", ""), ("do", "read"), ("notice", "放假通知")])
            .await;
        assert!(empty.0 == 422 && empty.2.contains("没有识别出日期"), "{empty:?}");
        let mut fields: Vec<(&str, &str)> = vec![("version", "")];
        fields.extend(days.iter().map(|(name, kind)| (name.as_str(), kind.as_str())));
        let saved = qian.submit("/holidays/2027", &fields).await;
        assert!(saved.0 == 303 && saved.1.contains("noted=C1"), "{saved:?}");
        let page = qian.get(&saved.1).await.2;
        assert!(page.contains("以下活动已按新的节假日执行：C1"), "{page}");
        assert!(page.contains("2月5日（周五）至2月13日（周六）"), "{page}");
        assert!(!qian.get("/home").await.2.contains("尚未录入"), "{}", app.engine);
        let calendar = plan_of(&app, "C1").await.hours.calendar().clone();
        assert!(calendar.holidays.contains(&"2027-02-06".parse().unwrap()));
        assert!(calendar.holidays.contains(&"2026-10-01".parse().unwrap()), "the old ones stay");
        // Somebody else has saved meanwhile: both are shown, nothing is lost.
        let conflict =
            qian.submit("/holidays/2027", &[("version", ""), ("day-2027-01-01", "holiday")]).await;
        assert!(conflict.0 == 409 && conflict.2.contains("他人已先保存"), "{conflict:?}");
        // All that is wrong is told at once, and nothing is stored.
        let version = version_in(&page);
        let wrong = qian
            .submit(
                "/holidays/2027",
                &[
                    ("version", &version),
                    ("day-2028-01-01", "holiday"),
                    ("day-2027-01-04", "workday"),
                ],
            )
            .await;
        assert!(
            wrong.0 == 422 && wrong.2.contains("不在 2027 年") && wrong.2.contains("不是周末"),
            "{wrong:?}"
        );
        assert_eq!(plan_of(&app, "C1").await.hours.calendar(), &calendar);
        // A draft begins with all known years.
        app.register_brand("A2", "b", "").await;
        app.import(&["A2"], common::list_of(20..32).as_bytes()).await.unwrap();
        let made = qian
            .submit(
                "/drafts",
                &[("code", "C2"), ("gateway", "simulator"), ("application-A2", "on")],
            )
            .await;
        assert_eq!(made.1, "/drafts/C2");
        let draft = qian.get("/drafts/C2").await.2;
        assert!(draft.contains("2月5日（周五）至2月13日（周六）"), "{draft}");
        // Nobody is written to on the new holidays: the last message was due on the 3rd of January.
        app.advance_until(local("2027-01-03T20:59:00")).await;
        assert_eq!(app.simulator.record().submits.len(), 24, "{}", app.engine);
        app.advance_until(local("2027-01-04T12:00:00")).await;
        assert_eq!(app.simulator.record().submits.len(), 36, "{}", app.engine);
    }
}
