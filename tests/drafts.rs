//! From nothing to a launch in the console, on both engines and in a real Chromium: programmes,
//! applications, dirty lists corrected row by row, plans, tests, rehearsals, and approval by a
//! second person. And malicious uploads.

use crate::common;
use std::io::Write;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{TestApp, list_of, local};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::adapters::database::{campaigns, drafts};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::services;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::drafts::campaigns::CampaignDraftError;
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::json;

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// Saves a programme over the one of this code, which the page shows beside what was typed.
async fn save_programme(browser: &Browser<'_>, fields: &[(&str, &str)]) {
    let (status, _, page) = browser.submit("/programmes", fields).await;
    assert_eq!(status, 409, "the test's installation has it: {page}");
    let version = page.split("name=\"version\" value=\"").nth(1).expect("a version");
    let version = version.split('"').next().unwrap_or_default();
    let decided = [fields, &[("version", version)]].concat();
    assert_eq!(browser.submit("/programmes", &decided).await.1, "/setup?noted=programme");
}

async fn with_application(app: &TestApp) {
    add_account(app, "qian", Role::Operator).await;
    let qian = Browser::signed_in(app, "qian").await;
    let programme = [
        ("code", "p26"),
        ("name_zh", "评价"),
        ("name_en", ""),
        ("certificate_months", "3"),
        ("dataset_lead_days", "20"),
    ];
    save_programme(&qian, &programme).await;
    let brand = [
        ("programme", "p26"),
        ("code", "A1"),
        ("applicant", "a"),
        ("applicant_name", "山海"),
        ("category", "brand"),
        ("brand-brand", "山海"),
    ];
    assert_eq!(qian.submit("/applications", &brand).await.1, "/applications/A1");
}

/// A page between the draft and its launch says what the launch does, and what is unusual; a draft
/// without the signature that its messages show cannot be launched.
#[tokio::test]
async fn a_launch_is_confirmed_and_never_without_a_signature() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        with_application(&app).await;
        app.import(&["A1"], list_of(0..12).as_bytes()).await.unwrap();
        let qian = Browser::signed_in(&app, "qian").await;
        let draft = [("code", "C1"), ("gateway", "simulator"), ("application-A1", "on")];
        qian.submit("/drafts", &draft).await;
        let page = qian.get("/drafts/C1").await.2;
        assert!(page.contains("href=\"/drafts/C1/launch\""), "{page}");
        let confirmation = qian.get("/drafts/C1/launch").await.2;
        for words in ["12 人", "至多", "首条发出", "达标把握 A1", "先不启动"] {
            assert!(confirmation.contains(words), "{words}: {confirmation}");
        }
        let sql = "UPDATE campaign_draft SET plan = REPLACE(plan, '\"signature\":\"质量协会\"', \
            '\"signature\":\"\"')";
        app.execute_sql(sql).await.unwrap();
        let page = qian.get("/drafts/C1").await.2;
        assert!(
            page.contains("短信签名为空") && !page.contains("href=\"/drafts/C1/launch\""),
            "{page}"
        );
        let (status, to, _) = qian.get("/drafts/C1/launch").await;
        assert_eq!((status, to.as_str()), (303, "/drafts/C1"));
    }
}

#[tokio::test]
async fn a_new_operator_gets_from_nothing_to_a_launched_campaign() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        // Errors are shown, and the input remains.
        let wrong = [
            ("code", "p 26"),
            ("name_zh", "评价"),
            ("certificate_months", "3"),
            ("dataset_lead_days", "20"),
        ];
        let (status, _, page) = qian.submit("/programmes", &wrong).await;
        assert!(
            status == 422 && page.contains("最多 40 个") && page.contains("value=\"p 26\""),
            "{}: {page}",
            app.engine
        );
        register_brand_on_page(&app, &qian).await;
        // The same programme with another rule: settings that the form lacks remain.
        let changed = [
            ("code", "p26"),
            ("name_zh", "评价"),
            ("certificate_months", "4"),
            ("dataset_lead_days", "20"),
            ("fee_first", "on"),
        ];
        let (status, _, page) = qian.submit("/programmes", &changed).await;
        assert!(status == 409 && page.contains("<td>4</td><td>3</td>"), "it is there: {page}");
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap();
        let version = version.split('"').next().unwrap();
        let decided = [&changed[..], &[("version", version)]].concat();
        assert_eq!(qian.submit("/programmes", &decided).await.0, 303);
        let two_brands = [
            ("programme", "p26"),
            ("code", "A2"),
            ("applicant", "a"),
            ("applicant_name", "山海"),
            ("category", "brand"),
            ("brand-brand", "山、海"),
        ];
        let (status, _, page) = qian.submit("/applications", &two_brands).await;
        assert!(
            status == 422
                && page.contains("请只填一个具体的对象：品牌")
                && page.contains("value=\"山、海\""),
            "{}: {page}",
            app.engine
        );
        // A file that is not a list changes nothing.
        let (status, _, page) =
            qian.upload("/applications/A1/list", &[], "a.xlsx", b"PK\x03\x04 no").await;
        assert!(status == 422 && page.contains("表格无法打开"), "{}: {page}", app.engine);
        // A dirty list: the problems are shown beside their rows.
        let dirty = format!("{}赵六,139123456,,\n钱七,,,\n", list_of(0..20));
        let (status, to, _) =
            qian.upload("/applications/A1/list", &[], "../../名单.csv", dirty.as_bytes()).await;
        assert_eq!(status, 303, "{}: {to}", app.engine);
        let page = qian.get(&to).await.2;
        assert!(
            page.contains("号段不存在")
                && page.contains("没有电话号码")
                && page.contains("value=\"赵六\"")
                && page.contains("名单.csv"),
            "{page}"
        );
        assert!(!page.contains("../"), "no folder of the sender's: {page}");
        let names = |page: &str| {
            page.split("导入 ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(names(&page), "20", "{page}");
        let corrected = qian
            .submit(&to, &[("cell-22-1", "13912345678"), ("cell-99-9", "x"), ("cell-1", "y")])
            .await
            .2;
        assert!(
            names(&corrected) == "21"
                && corrected.contains("已更正")
                && corrected.contains("没有电话号码"),
            "{corrected}"
        );
        assert_eq!(
            qian.submit(&format!("{to}/import"), &[]).await.1,
            "/applications/A1?noted=imported"
        );
        assert_eq!(qian.get(&to).await.0, 404, "{}: the draft is gone", app.engine);
        let application = qian.get("/applications/A1").await.2;
        assert!(
            application.contains("<dd>21</dd>") && application.contains("待费用"),
            "{application}"
        );
        assert_eq!(qian.submit("/applications/A1/fee", &[("day", "soon")]).await.0, 422);
        assert_eq!(qian.submit("/applications/A1/fee", &[("day", "2026-03-01")]).await.0, 303);
        // The questionnaire as on a phone.
        assert!(qian.get("/questionnaires/brand").await.2.contains("class=\"phone\""));
        assert_eq!(qian.get("/questionnaires/nothing").await.0, 404);
        // The campaign draft: stored as entered, and refused as long as it has errors.
        assert_eq!(
            qian.submit("/drafts", &[("code", "C1"), ("gateway", "simulator")]).await.0,
            422,
            "no application is chosen"
        );
        assert_eq!(
            qian.submit(
                "/drafts",
                &[("code", "C1"), ("gateway", "simulator"), ("application-A1", "on")]
            )
            .await
            .1,
            "/drafts/C1"
        );
        let page = qian.get("/drafts/C1").await.2;
        assert!(
            page.contains("class=\"calendar\"")
                && page.contains("class=\"chart\"")
                && page.contains("sends"),
            "{}: {page}",
            app.engine
        );
        let fields = form_of(&page);
        let with = |changes: &[(&str, &str)]| {
            let mut fields = fields.clone();
            for (name, value) in changes {
                fields.retain(|(known, _)| known != name);
                fields.push(((*name).to_owned(), (*value).to_owned()));
            }
            fields
        };
        let save = async |changes: &[(&str, &str)]| {
            let fields = with(changes);
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(qian.submit_from("/drafts/C1", "/drafts/C1", &fields).await.0, 303);
            qian.get("/drafts/C1").await.2
        };
        let broken = save(&[("step-0-zh", "没有链接")]).await;
        assert!(
            broken.contains("第 1 步（")
                && broken.contains("没有 {link}，收到的人无法作答")
                && !broken.contains("class=\"calendar\""),
            "{}: {broken}",
            app.engine
        );
        assert_eq!(
            qian.submit("/drafts/C1/launch", &[("seen", "0")]).await.0,
            409,
            "{}: not what was looked at",
            app.engine
        );
        assert!(
            broken.contains("<small class=\"bad\" id=\"e-step-0-zh\">")
                && broken.contains("aria-describedby=\"e-step-0-zh\""),
            "{}: beside its field: {broken}",
            app.engine
        );
        // All mistakes at once, each beside its field, the folded parts open.
        let worse = save(&[
            ("step-0-zh", "没有链接"),
            ("step-1-who", "advanced"),
            ("step-1-if", "begun &&"),
            ("max_parts", "0"),
            ("hours-monday-0-from", "20:00"),
            ("hours-monday-0-to", "09:00"),
        ])
        .await;
        for field in ["step-0-zh", "step-1-if", "max_parts", "hours-monday"] {
            assert!(worse.contains(&format!("id=\"e-{field}\"")), "{field}: {worse}");
            assert!(worse.contains(&format!("<a href=\"#{field}\">")), "{field}: {worse}");
        }
        assert!(worse.contains("<details open><summary>联系时段"), "{worse}");
        assert!(worse.contains("无法读懂") && !worse.contains("cannot be read"), "{worse}");
        // The last change is taken back, and once more brings it again.
        let undone = qian
            .submit_from("/drafts/C1", "/drafts/C1/undo", &[("version", &version_in(&worse))])
            .await;
        assert_eq!(undone.1, "/drafts/C1?noted=undone", "{undone:?}");
        let back = qian.get("/drafts/C1").await.2;
        assert!(!back.contains("e-max_parts") && back.contains("e-step-0-zh"), "{back}");
        // A message is shown as it is typed: text, characters, parts and cost.
        let typed: Vec<(String, String)> =
            with(&[("step-0-zh", "【{signature}】{name}您好，{link} 退订回T")]);
        let typed: Vec<(&str, &str)> =
            typed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (status, _, shown) = qian.submit("/drafts/C1/preview", &typed).await;
        assert!(
            status == 200 && shown.contains("data-part=\"step-0-zh\"") && shown.contains("条计费"),
            "{status} {shown}"
        );
        assert!(!shown.contains("{name}") && shown.contains("/i/0123456789ABCDEF"), "{shown}");
        assert!(qian.get("/drafts/C1").await.2.contains("没有链接"), "nothing is kept of it");
        // A day without contacts is chosen in a calendar.
        let closed = save(&[("closed-2026-03-03", "on")]).await;
        assert!(
            closed.contains(
                "name=\"closed-2026-03-03\" aria-label=\"不联系 3月3日（周二）\" checked"
            ),
            "{closed}"
        );
        let longer = save(&[("do", "add-telephone")]).await;
        assert!(longer.contains("<option value=\"telephone\" selected>"), "{longer}");
        // What is said first is typed there, and shown as it will be heard.
        let step = longer.matches("<legend>第").count() - 1;
        let field = format!("step-{step}-opening-zh");
        assert!(longer.contains(&format!("name=\"{field}\"")), "{longer}");
        assert!(longer.contains("我是访问员，代表"), "the usual words: {longer}");
        let [name, mode, after, message] =
            ["name", "mode", "after", "zh"].map(|part| format!("step-{step}-{part}"));
        let with_call = |text: &'static str| {
            [
                (name.as_str(), "电话访问"),
                (mode.as_str(), "telephone"),
                (after.as_str(), "7d"),
                // The text of a message is not taken for what is said.
                (message.as_str(), "【{signature}】{link} 退订回T"),
                (field.as_str(), text),
            ]
        };
        let wrong = save(&with_call("请点{link}")).await;
        assert!(
            wrong.contains(&format!("id=\"e-{field}\"")) && wrong.contains("不是开场白的占位符"),
            "{wrong}"
        );
        let said = save(&with_call("我是{interviewer}，约{minutes}分钟。")).await;
        assert!(said.contains("我是访问员，约") && !said.contains("退订回T</textarea>\n<p class"));
        assert!(said.contains("class=\"calendar\"") && said.contains("念给对方听"), "{said}");
        let page = save(&[]).await;
        assert!(page.contains("class=\"calendar\""), "{}: {page}", app.engine);
        // A test message to oneself, with a link that opens without signing in.
        assert_eq!(
            qian.submit("/drafts/C1/test", &[("step", "0"), ("number", "138")]).await.0,
            422
        );
        assert_eq!(
            qian.submit("/drafts/C1/test", &[("step", "0"), ("number", "13812345678")]).await.1,
            "/drafts/C1?noted=tested"
        );
        let sent = app.simulator.record().submits.last().unwrap().clone();
        assert!(sent.1.starts_with("test"), "{sent:?}");
        let link = page.split("/try/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let (status, tried) = app.get(&format!("{}/try/{link}", app.base)).await;
        assert!(status == 200 && tried.contains("仅供试用"), "{}: {status} {tried}", app.engine);
        assert_eq!(
            app.get(&format!("{}/try/{}", app.base, link.replace("brand", "service"))).await.0,
            404,
            "{}: another one is not signed",
            app.engine
        );
        // Exactly the reviewed draft is launched.
        let confirmation = qian.get("/drafts/C1/launch").await.2;
        let seen = confirmation
            .split("name=\"seen\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap();
        assert_eq!(
            qian.submit("/drafts/C1/launch", &[("seen", seen)]).await.1,
            "/campaigns/C1?noted=launched",
            "{}",
            app.engine
        );
        let mut connection = app.context.database.read().await.unwrap();
        assert!(campaigns::find(&mut connection, "C1").await.unwrap().is_some());
        assert!(
            drafts::campaigns(&mut connection).await.unwrap().is_empty()
                && drafts::lists(&mut connection).await.unwrap().is_empty()
        );
        drop(connection);
        assert_eq!(
            qian.submit("/drafts/C1/launch", &[("seen", seen)]).await.0,
            404,
            "{}: once",
            app.engine
        );
        app.advance_until(common::local("2026-03-03T12:00:00")).await;
        assert_eq!(
            app.dispositions("A1").await.iter().map(|(_, cases)| cases).sum::<u64>(),
            21,
            "{}",
            app.engine
        );
        assert!(app.simulator.record().submits.len() > 15, "{}: messages go out", app.engine);
    }
}

async fn register_brand_on_page(app: &TestApp, qian: &Browser<'_>) {
    let programme = [
        ("code", "p26"),
        ("name_zh", "评价"),
        ("name_en", ""),
        ("certificate_months", "3"),
        ("dataset_lead_days", "20"),
    ];
    save_programme(qian, &programme).await;
    let brand = [
        ("programme", "p26"),
        ("code", "A1"),
        ("applicant", "a"),
        ("applicant_name", "山海"),
        ("category", "brand"),
        ("brand-brand", "山海"),
    ];
    assert_eq!(qian.submit("/applications", &brand).await.1, "/applications/A1", "{}", app.engine);
}

fn version_in(page: &str) -> String {
    let version = page.split("name=\"version\" value=\"").nth(1).expect("a version");
    version.split('"').next().unwrap_or_default().to_owned()
}

/// Returns the fields of a draft's form as a browser would send them.
fn form_of(page: &str) -> Vec<(String, String)> {
    let form = page
        .split("method=\"post\" action=\"/drafts/C1\" novalidate")
        .nth(1)
        .unwrap()
        .split("</form>")
        .next()
        .unwrap();
    let text = |raw: &str| {
        raw.replace("&#38;", "&")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
    };
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).map(text)
    };
    let mut fields = Vec::new();
    for tag in form.split('<') {
        let (Some(name), Some((head, rest))) = (attribute(tag, "name"), tag.split_once('>')) else {
            continue;
        };
        if name == "token" || name == "do" {
            continue;
        }
        if head.contains("type=\"checkbox\"") && !head.ends_with(" checked") {
            continue;
        }
        if head.starts_with("input") {
            fields.push((name, attribute(head, "value").unwrap_or_default()));
        } else if head.starts_with("textarea") {
            fields.push((name, text(rest)));
        } else if head.starts_with("select") {
            let select = form
                .split(&format!("name=\"{name}\""))
                .nth(1)
                .unwrap()
                .split("</select>")
                .next()
                .unwrap();
            let chosen = select
                .split("<option")
                .skip(1)
                .find(|option| option.contains("selected"))
                .or_else(|| select.split("<option").nth(1))
                .unwrap();
            let value = attribute(chosen, "value").unwrap_or_else(|| {
                text(chosen.split('>').nth(1).unwrap().split('<').next().unwrap())
            });
            fields.push((name, value));
        }
    }
    fields
}

#[tokio::test]
async fn a_launch_needs_two_people_where_configured() {
    for app in
        TestApp::on_each_engine(silent(), &[("CONSOLE__LAUNCH_APPROVAL", "second_person")]).await
    {
        with_application(&app).await;
        app.import(&["A1"], list_of(0..20).as_bytes()).await.unwrap();
        add_account(&app, "sun", Role::Operator).await;
        let (qian, sun) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "sun").await);
        qian.submit(
            "/drafts",
            &[("code", "C1"), ("gateway", "simulator"), ("application-A1", "on")],
        )
        .await;
        let seen = async || {
            let draft = drafts::campaign(&mut app.context.database.read().await.unwrap(), "C1")
                .await
                .unwrap()
                .unwrap();
            draft.changed_at.0.to_string()
        };
        assert_eq!(
            sun.submit("/drafts/C1/launch", &[("seen", &seen().await)]).await.0,
            409,
            "{}: nobody has asked",
            app.engine
        );
        assert_eq!(qian.submit("/drafts/C1/request-launch", &[]).await.1, "/drafts/C1?noted=asked");
        assert_eq!(
            qian.submit("/drafts/C1/launch", &[("seen", &seen().await)]).await.0,
            409,
            "{}: not the one who asked",
            app.engine
        );
        // Nor a token that she made: it is the same person at another door.
        let (context, by) = (&app.context, Actor::console("qian"));
        tokens::create(context, &by, "qians-script", &[Permission::Operate], 30).await.unwrap();
        let draft = services::drafts::campaigns::find(context, "C1").await.unwrap();
        assert!(
            matches!(
                services::drafts::campaigns::launch(context, &draft, "qians-script").await,
                Err(CampaignDraftError::NeedsSecondPerson)
            ),
            "{}",
            app.engine
        );
        // A later change withdraws the request.
        let page = qian.get("/drafts/C1").await.2;
        let fields = form_of(&page);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        app.clock.advance_to(app.clock_now() + std::time::Duration::from_secs(1));
        qian.submit("/drafts/C1", &fields).await;
        assert_eq!(
            sun.submit("/drafts/C1/launch", &[("seen", &seen().await)]).await.0,
            409,
            "{}: it was changed",
            app.engine
        );
        qian.submit("/drafts/C1/request-launch", &[]).await;
        assert_eq!(
            sun.submit("/drafts/C1/launch", &[("seen", &seen().await)]).await.1,
            "/campaigns/C1?noted=launched",
            "{}",
            app.engine
        );
        let filter =
            AuditFilter { action: Some(Action::CampaignLaunched), ..AuditFilter::default() };
        let entries = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 10)
            .await
            .unwrap();
        assert_eq!(
            entries.iter().map(|entry| entry.actor.name.as_str()).collect::<Vec<_>>(),
            ["sun", "sun", "qian", "sun"],
            "{}",
            app.engine
        );
    }
}

/// Malicious uploads are refused with a message, and take neither memory nor time.
#[tokio::test]
async fn zip_bombs_and_oversized_files_are_refused() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    with_application(&app).await;
    let qian = Browser::signed_in(&app, "qian").await;
    let refused = async |name: &str, content: &[u8], word: &str| {
        let (status, _, page) = qian.upload("/applications/A1/list", &[], name, content).await;
        assert!(
            status == 422 && page.contains(word),
            "{name}: {status} {}",
            page.split("role=\"alert\">")
                .nth(1)
                .and_then(|rest| rest.split('<').next())
                .unwrap_or_default()
        );
    };
    // A spreadsheet of 1 MB that unpacks to a gigabyte.
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    bomb.start_file("xl/worksheets/sheet1.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let zeros = vec![b'0'; 1024 * 1024];
    for _ in 0..1024 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap().into_inner();
    assert!(bomb.len() < 2 * 1024 * 1024, "{}", bomb.len());
    refused("bomb.xlsx", &bomb, "解压后").await;
    refused(
        "giant.csv",
        format!("姓名,手机\n{},13800000001\n", "大".repeat(5_000)).as_bytes(),
        "单元格",
    )
    .await;
    refused("wide.csv", format!("姓名,手机{}\n", ",x".repeat(500)).as_bytes(), "列数过多").await;
    let million: String = "姓名,手机\n".to_owned() + &"某,13800000001\n".repeat(1_000_000);
    refused("million.csv", million.as_bytes(), "过多").await;
    refused("empty.csv", b"", "文件是空的").await;
    refused("picture.png", &[0x89, b'P', b'N', b'G', 0, 0, 0, 1, 0xff, 0xfe], "").await;
    // A file larger than any list is not even read.
    let large = vec![b'x'; 33 * 1024 * 1024];
    let sent = qian.upload("/applications/A1/list", &[], "large.csv", &large);
    assert_eq!(sent.await.0, 413);
    // A form of another session, or of none, imports nothing.
    assert_eq!(
        qian.upload_with(
            "/applications/A1/list",
            "no token",
            &[],
            "a.csv",
            list_of(0..3).as_bytes()
        )
        .await
        .0,
        403
    );
    assert!(
        drafts::lists(&mut app.context.database.read().await.unwrap()).await.unwrap().is_empty()
    );
}

/// A pending list is sealed, is deleted with its person's erasure, and is deleted after a week.
#[tokio::test]
async fn a_list_that_waits_is_sealed_and_forgotten() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        with_application(&app).await;
        app.import(&["A1"], list_of(0..3).as_bytes()).await.unwrap();
        let qian = Browser::signed_in(&app, "qian").await;
        let rejected_lists =
            async || drafts::lists(&mut app.context.database.read().await.unwrap()).await.unwrap();
        qian.upload("/applications/A1/list", &[], "a.csv", list_of(0..30).as_bytes()).await;
        let rejected = rejected_lists().await.remove(0);
        assert!(!String::from_utf8_lossy(&rejected.rows_sealed).contains("138"), "{}", app.engine);
        let order =
            fieldworkd::services::erasure::ErasureOrder { actor: "li", reason: "asked for" };
        fieldworkd::services::erasure::person::erase(&app.context, &common::number(0), order)
            .await
            .unwrap();
        assert!(rejected_lists().await.is_empty(), "{}: with the person's erasure", app.engine);
        qian.upload("/applications/A1/list", &[], "a.csv", list_of(0..30).as_bytes()).await;
        app.clock.advance_to(app.clock_now() + std::time::Duration::from_secs(8 * 86_400));
        fieldworkd::services::erasure::remove_expired(&app.context).await.unwrap();
        assert!(rejected_lists().await.is_empty(), "{}: after a week", app.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_operator_takes_the_demos_dirty_list_from_upload_to_launch_in_a_browser() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let list = std::fs::canonicalize("config/demo/lists/qinghe-users.csv").unwrap();
    let long = app.folder.path().join("long.csv");
    std::fs::write(&long, list_of(0..130)).unwrap();
    let form = app.folder.path().join("申请书.docx");
    std::fs::write(&form, crate::application_forms::form()).unwrap();
    let play = json!({ "base": app.base, "list": list, "long": long, "form": form });
    let Some(done) = run_in_chromium("tests/external/drafts.js", play).await else {
        return;
    };
    assert!(done["looked"].as_u64() >= Some(48), "{done}");
    assert!(
        campaigns::find(&mut app.context.database.read().await.unwrap(), "QH-2026")
            .await
            .unwrap()
            .is_some(),
        "{done}"
    );
}

/// The same way with nothing but the mouse, and with nothing but the keyboard.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_launches_by_the_mouse_alone_and_by_the_keyboard_alone() {
    let list = std::fs::canonicalize("config/demo/lists/qinghe-users.csv").unwrap();
    for by in ["mouse", "keyboard"] {
        let app = TestApp::on_sqlite(silent(), &[]).await;
        add_account(&app, "qian", Role::Operator).await;
        let play = json!({ "base": app.base, "list": list, "by": by });
        let Some(done) = run_in_chromium("tests/external/operator_path.js", play).await else {
            return;
        };
        assert_eq!(done["by"], by, "{done}");
        let mut connection = app.context.database.read().await.unwrap();
        assert!(campaigns::find(&mut connection, "QH-2026").await.unwrap().is_some(), "{by}");
    }
}

/// A test message obeys what every message obeys, and is written down without the number.
#[tokio::test]
async fn test_messages_obey_suppressions_hours_and_caps() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        with_application(&app).await;
        app.import(&["A1"], list_of(0..20).as_bytes()).await.unwrap();
        let qian = Browser::signed_in(&app, "qian").await;
        let draft = [("code", "C1"), ("gateway", "simulator"), ("application-A1", "on")];
        qian.submit("/drafts", &draft).await;
        let test = async |browser: &Browser<'_>, number: &str| {
            let fields = [("step", "0"), ("number", number)];
            browser.submit("/drafts/C1/test", &fields).await
        };
        qian.submit("/suppressions", &[("numbers", "13812345679"), ("reason", "opt_out")]).await;
        let (status, _, page) = test(&qian, "13812345679").await;
        assert!(status == 422 && page.contains("免打扰名单"), "{}: {page}", app.engine);
        for _ in 0..5 {
            assert_eq!(test(&qian, "13812345678").await.0, 303, "{}", app.engine);
        }
        assert_eq!(test(&qian, "13812345678").await.0, 422, "{}: five an hour", app.engine);
        let count = app.simulator.record().submits.len();
        app.clock.advance_to(local("2026-03-02T22:30:00"));
        let late = Browser::signed_in(&app, "qian").await;
        let (status, _, page) = test(&late, "13812345677").await;
        assert!(status == 422 && page.contains("联系时段"), "{}: {page}", app.engine);
        assert_eq!(app.simulator.record().submits.len(), count);
        let action = Some(Action::TestMessageSent);
        let filter = AuditFilter { action, ..AuditFilter::default() };
        let entries = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 9)
            .await
            .unwrap();
        assert_eq!(entries.len(), 5, "{}", app.engine);
        let detail = &entries[0].detail;
        assert!(detail.starts_with("step 1; number ") && !detail.contains("1381234"), "{detail}");
    }
}
