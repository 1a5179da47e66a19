//! Answers as they come, hours of contact and interviewers' days.

use std::time::Duration;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::interviewers::{
    add_interviewer, ask_all_pages, mixed_plan, next_call, record_outcome,
};
use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::json;

const SMALLEST: (&str, &str) = ("CONSOLE__SMALLEST_GROUP", "4");

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// Twelve people, half of them private and half in offices, in the field on a Monday at ten.
async fn in_the_field(app: &TestApp) {
    app.register_brand("A1", "a", "").await;
    let rows: String = (0..12)
        .map(|n| format!("受访者{n},{},{}\n", number(n), if n < 6 { "个人" } else { "企业" }))
        .collect();
    app.import(&["A1"], format!("姓名,手机,用户类型\n{rows}").as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-02T10:30:00")).await;
    for (name, role) in [
        ("qian", Role::Operator),
        ("li", Role::Auditor),
        ("zhao", Role::Administrator),
        ("sun", Role::Supervisor),
    ] {
        add_account(app, name, role).await;
    }
}

async fn answer(app: &TestApp, people: std::ops::Range<usize>, point: &str) {
    for n in people {
        let link = app.link(n).await;
        app.answer_all(&link, 0, point).await;
        app.clock.advance_to(app.clock_now() + Duration::from_secs(1));
    }
}

/// Returns the section of an item.
fn section<'p>(page: &'p str, item: &str) -> &'p str {
    let start =
        page.find(&format!("aria-labelledby=\"q-{item}\"")).unwrap_or_else(|| panic!("{page}"));
    page[start..].split("</section>").next().unwrap()
}

/// formbricks#4796 (whoever began was counted as having answered): completes only. Who is too few is
/// not shown, nor found by taking what is shown from the total.
#[tokio::test]
async fn answers_are_shown_of_groups_that_are_large_enough() {
    for app in TestApp::on_each_engine(silent(), &[SMALLEST]).await {
        in_the_field(&app).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let page = qian.get("/campaigns/C1/answers").await.2;
        assert!(page.contains("还没有可显示的数字") && page.contains("目前 0 份"), "{page}");
        // One has begun and stops after the first page.
        let link = app.link(11).await;
        app.post(&format!("{link}/begin"), crate::common::CONSENT_FORM).await;
        app.post(&format!("{link}/answers"), &crate::common::answers(0, 0, "1")).await;
        answer(&app, 0..6, "9").await;
        answer(&app, 6..9, "5").await;
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));

        let page = qian.get("/campaigns/C1/answers").await.2;
        let sat1 = section(&page, "sat1");
        assert!(page.contains("<dd>9</dd>") && page.contains("<dd>8</dd>"), "{page}");
        assert!(
            sat1.contains("作答 <strong>8</strong>") && sat1.contains("<strong>8.00</strong>"),
            "{}: {sat1}",
            app.engine
        );
        assert!(sat1.contains("9：6 人，75.0 %") && sat1.contains("5：2 人，25.0 %"), "{sat1}");
        assert!(
            !section(&page, "img1").contains("1：1 人"),
            "who has not completed is not counted"
        );
        // Six private people give a whole lot of four; two of the offices give none.
        assert!(
            sat1.contains("个人</th><td class=\"n\">4</td><td class=\"n\">9.00</td>")
                && !page.contains("企业")
                && page.contains("未列出的组：1"),
            "{}: {sat1}",
            app.engine
        );
        assert!(!page.contains("受访者"), "{page}");
        let complained = section(&page, "complained");
        assert!(complained.contains("100.0 %"), "{complained}");
        let csv = qian.get("/campaigns/C1/answers?format=csv").await.2;
        assert!(csv.contains(",segment,个人,4,4,9.0000,") && !csv.contains("企业"), "{csv}");

        // Three more; the count is a minute old at most.
        answer(&app, 9..12, "5").await;
        let again = qian.get("/campaigns/C1/answers").await.2;
        assert!(again.contains("<dd>9</dd>"), "{}: counted again at once", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        let page = qian.get("/campaigns/C1/answers?application=A1&by=segment").await.2;
        let sat1 = section(&page, "sat1");
        assert!(
            page.contains("<dd>12</dd>")
                && sat1.contains("企业</th><td class=\"n\">4</td><td class=\"n\">5.00</td>"),
            "{}: {sat1}",
            app.engine
        );
        let days = qian.get("/campaigns/C1/answers?by=day").await.2;
        assert!(
            section(&days, "sat1").contains("至 2026-03-02</th><td class=\"n\">12</td>"),
            "{days}"
        );
        for by in ["mode", "language", "nothing"] {
            assert_eq!(qian.get(&format!("/campaigns/C1/answers?by={by}")).await.0, 200, "{by}");
        }
        assert_eq!(qian.get("/campaigns/C1/answers?application=X9").await.0, 404);
        assert_eq!(qian.get("/campaigns/X9/answers").await.0, 404);
        // Whoever leads interviews, or audits, does not see answers before the end.
        for name in ["sun", "li"] {
            let other = Browser::signed_in(&app, name).await;
            assert_eq!(other.get("/campaigns/C1/answers").await.0, 403, "{name}");
            let campaign = other.get("/campaigns/C1").await.2;
            assert!(!campaign.contains("/campaigns/C1/answers") && campaign.contains("/contacts"));
        }
    }
}

#[tokio::test]
async fn hours_of_contact_are_those_of_the_programme() {
    for app in TestApp::on_each_engine(silent(), &[SMALLEST]).await {
        in_the_field(&app).await;
        let li = Browser::signed_in(&app, "li").await;
        let page = li.get("/campaigns/C1/contacts").await.2;
        assert!(page.contains("还没有人在收到短信后作答") && page.contains("还没有拨打"), "{page}");
        answer(&app, 0..3, "9").await;
        app.clock.advance_to(local("2026-03-03T01:10:00"));
        answer(&app, 3..4, "9").await;
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        let li = Browser::signed_in(&app, "li").await;
        let csv = li.get("/campaigns/C1/contacts?format=csv").await.2;
        assert!(
            csv.contains("begun,Mon,10,3,,") && csv.contains("begun,Tue,1,1,,"),
            "{}: a night in China is not the day before: {csv}",
            app.engine
        );
        let sent: u64 = csv
            .lines()
            .filter_map(|line| {
                line.strip_prefix("messages,")?.split(',').nth(2)?.parse::<u64>().ok()
            })
            .sum();
        assert_eq!(sent, 12, "{}: {csv}", app.engine);
        assert!(csv.contains(",12,4,33.33") && csv.contains("delay,,12–24 h,1,"), "{csv}");
        let page = li.get("/campaigns/C1/contacts").await.2;
        assert!(page.contains("周一 10:00：3 人") && page.contains("4/12，33 %"), "{page}");
        assert_eq!(page.matches("tabindex=\"0\" role=\"img\"").count(), 3, "a stop for each chart");
    }
}

#[tokio::test]
async fn supervisors_see_all_interviewers_and_each_of_them_the_own_days() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        let fixed: String = (0..5).map(|n| format!("店主{n},010-6512{:04}\n", 1000 + n)).collect();
        app.import(&["A1"], format!("{}{fixed}", list_of(0..0)).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        let (wu, zheng) = (add_interviewer(&app, "wu").await, add_interviewer(&app, "zheng").await);
        add_account(&app, "sun", Role::Supervisor).await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let first = next_call(&app, &wu).await.unwrap();
        ask_all_pages(&InterviewService::new(app.context.clone()), &first).await;
        record_outcome(&app, &wu, &first, CallOutcome::Interviewed).await;
        let refuses = next_call(&app, &wu).await.unwrap();
        record_outcome(&app, &wu, &refuses, CallOutcome::SoftRefusal).await;
        for at in ["2026-03-02T15:00:00", "2026-03-02T18:00:00"] {
            let later = next_call(&app, &wu).await.unwrap();
            let report = CallReport { call_back_at: Some(local(at)), ..CallReport::default() };
            outcome::record_outcome(&app.context, &wu, later.lease, CallOutcome::CallBack, &report)
                .await
                .unwrap();
        }
        let nobody = next_call(&app, &zheng).await.unwrap();
        record_outcome(&app, &zheng, &nobody, CallOutcome::NoAnswer).await;
        // A session ends after two idle hours.
        let row = async |name: &str| {
            let sun = Browser::signed_in(&app, "sun").await;
            let csv = sun.get("/supervision/days?format=csv").await.2;
            csv.lines().find(|line| line.contains(&format!(",{name},"))).unwrap_or("").to_owned()
        };
        assert_eq!(row("wu").await, "2026-03-02,wu,4,4,1,1,0,0,0,2", "{}", app.engine);
        assert_eq!(row("zheng").await, "2026-03-02,zheng,1,0,0,0,0,0,0,0", "{}", app.engine);
        // The first promise is kept, at five past; nobody calls at six.
        app.advance_until(local("2026-03-02T15:05:00")).await;
        let promised = next_call(&app, &wu).await.unwrap();
        record_outcome(&app, &wu, &promised, CallOutcome::NoAnswer).await;
        app.advance_until(local("2026-03-02T19:00:00")).await;
        assert_eq!(row("wu").await, "2026-03-02,wu,5,4,1,1,0,2,1,0", "{}", app.engine);
        let sun = Browser::signed_in(&app, "sun").await;
        let page = sun.get("/supervision/days").await.2;
        assert!(page.contains(">1/2</td>") && page.contains("合计"), "{page}");
        let before = sun.get("/supervision/days?day=2026-03-01").await.2;
        assert!(before.contains("这段时间没有通话"), "{before}");
        assert_eq!(sun.get("/supervision/days?day=99999-01-01").await.0, 200);
        // An interviewer sees only the own.
        let own = Browser::signed_in(&app, "zheng").await;
        assert_eq!(own.get("/supervision/days").await.0, 403);
        let csv = own.get("/interview/days?format=csv&account=wu").await.2;
        assert!(csv.contains(",zheng,") && !csv.contains(",wu,"), "{csv}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboards_are_accessible() {
    let app = TestApp::on_sqlite(silent(), &[SMALLEST]).await;
    in_the_field(&app).await;
    answer(&app, 0..8, "9").await;
    app.clock.advance_to(local("2026-03-03T09:10:00"));
    answer(&app, 8..12, "5").await;
    app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
    let task = json!({ "base": app.base, "account": "zhao", "widths": [320, 768, 1280], "pages": [
        ["/campaigns/C1", "campaign-chart", "联系步骤"],
        ["/campaigns/C1/answers", "answers", "期中数据"],
        ["/campaigns/C1/answers?by=day", "answers-by-day", "期中数据"],
        ["/campaigns/C1/contacts", "contacts", "何时开始作答"],
        ["/supervision/days", "working-days-empty", "没有通话"],
    ] });
    run_in_chromium("tests/external/pages.js", task).await;
    run_in_chromium("tests/external/charts.js", json!({ "base": app.base })).await;
}
