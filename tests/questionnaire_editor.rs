//! The questionnaire editor on both engines: a new version from the one in use to a campaign's
//! questions, without a line of syntax; and in a real browser, by keyboard and mouse.
//! To see the first test fail, let `load_for_category` in `src/services/questionnaires/library.rs`
//! prefer the file.

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{CONSENT_FORM, TestApp};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::category::Category;
use fieldworkd::domain::questionnaire::{ItemKind, KindFile, Questionnaire, QuestionnaireFile};
use fieldworkd::domain::role::Role;
use fieldworkd::services::questionnaires::editor::{self, EditorError};
use fieldworkd::services::questionnaires::library::{load_for_category, versions};
use fieldworkd::services::questionnaires::{ImportOptions, export_xlsform, import_xlsform};
use fieldworkd::simulation::Scenario;

const EDIT: &str = "/questionnaires/brand/edit";

async fn written(app: &TestApp) -> QuestionnaireFile {
    editor::find(&app.context, Category::Brand).await.unwrap().expect("one is being written").file
}

async fn revision(app: &TestApp) -> String {
    let edited = editor::find(&app.context, Category::Brand).await.unwrap().unwrap();
    edited.revision.to_string()
}

/// Sends a card's form, as its page does.
async fn send(browser: &Browser<'_>, open: &str, action: &str, fields: &[(&str, &str)]) -> u16 {
    let revision = revision(browser.app).await;
    let head = [("open", open), ("do", action), ("revision", revision.as_str()), ("lang", "zh")];
    let (status, _, page) = browser.submit(EDIT, &[&head[..], fields].concat()).await;
    assert!(status == 303 || status == 422, "{status} {open} {action}: {page}");
    status
}

/// The fields of the open card as a browser would send them: of inputs, text areas and selects.
async fn fields_of(browser: &Browser<'_>, open: &str) -> Vec<(String, String)> {
    let (_, _, page) = browser.get(&format!("{EDIT}?open={open}")).await;
    let form =
        page.split("data-card>").nth(1).expect("an open card").split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| -> Option<String> {
        let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
        Some(
            value
                .replace("&#60;", "<")
                .replace("&#62;", ">")
                .replace("&#38;", "&")
                .replace("&#39;", "'")
                .replace("&#34;", "\""),
        )
    };
    let mut fields = Vec::new();
    for tag in form.split('<').skip(1) {
        let head = tag.split('>').next().unwrap();
        let body = tag.split_once('>').map_or("", |(_, body)| body);
        let Some(name) = attribute(head, "name") else {
            continue;
        };
        if ["token", "revision", "open", "lang", "do"].contains(&name.as_str()) {
            continue;
        }
        match tag.split([' ', '>']).next().unwrap() {
            "textarea" => {
                let text = body.strip_prefix('\n').unwrap_or(body);
                fields.push((name, text.replace("&#38;", "&")));
            }
            "input" if head.contains("type=\"checkbox\"") => {
                let is_ticked = head.contains(" checked");
                fields.extend(is_ticked.then(|| (name, "1".to_owned())));
            }
            "input" => fields.push((name, attribute(head, "value").unwrap_or_default())),
            "select" => {
                let select = form.split(&format!("name=\"{name}\"")).nth(1).unwrap();
                let select = select.split("</select>").next().unwrap();
                let chosen = select.split("<option").find(|option| option.contains(" selected"));
                let chosen = chosen.or_else(|| select.split("<option").nth(1)).unwrap_or_default();
                fields.push((name, attribute(chosen, "value").unwrap_or_default()));
            }
            _ => {}
        }
    }
    fields
}

/// Sends an open card with some of its fields changed.
async fn fill(browser: &Browser<'_>, open: &str, action: &str, changed: &[(&str, &str)]) -> u16 {
    let mut fields = fields_of(browser, open).await;
    for (name, value) in changed {
        fields.retain(|(other, _)| other != name);
        fields.push(((*name).to_owned(), (*value).to_owned()));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    send(browser, open, action, &fields).await
}

#[tokio::test]
async fn a_version_is_written_without_syntax_and_the_next_campaign_asks_it() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        add_account(&app, "li", Role::Operator).await;
        let browser = Browser::signed_in(&app, "li").await;
        let (status, _, page) = browser.get("/questionnaires").await;
        assert!(status == 200 && page.contains("品牌用户满意度调查"), "{page}");
        let started =
            browser.upload("/questionnaires/brand/start", &[("from", "file")], "", b"").await;
        assert_eq!((started.0, started.1.as_str()), (303, EDIT), "{}", started.2);
        assert_eq!(written(&app).await.version, 4, "the next after the built-in version");

        // Every card, sent as it is shown, changes nothing (Tangerine-Community/Tangerine#1645,
        // kobotoolbox/kpi#208: a form is changed by being looked at).
        let before = written(&app).await;
        let mut opens = vec!["head".to_owned()];
        opens.extend((1..=before.pages.len()).map(|page| format!("page-{page}")));
        let items = before.pages.iter().flat_map(|page| &page.items);
        opens.extend(items.map(|item| format!("item-{}", item.id)));
        for open in &opens {
            fill(&browser, open, "save", &[]).await;
            assert_eq!(written(&app).await, before, "{open}");
        }
        assert_eq!(revision(&app).await, "1");

        // A new single choice on page 1, its options pasted from a document; then who is asked.
        send(&browser, "page-1", "add-item:single", &[]).await;
        let item = "item-q1";
        let options = "A. 朋友推荐\r\nB. 广告\r\nC、网上\r\n• 其他";
        fill(
            &browser,
            item,
            "save",
            &[("text-zh", "您从哪里知道{subject}？"), ("opt-paste", options)],
        )
        .await;
        let made = written(&app).await.item("q1").unwrap().clone();
        let texts: Vec<&str> = made.options.iter().map(|option| option.text.zh()).collect();
        assert_eq!(texts, ["朋友推荐", "广告", "网上", "其他"]);
        let (_, _, page) = browser.get(&format!("{EDIT}?open={item}")).await;
        assert!(page.contains("错误：缺少English文字"), "{page}");
        assert!(page.contains("还有错误，更正后才能发布"), "{page}");
        let english = [
            ("text-en", "How did you hear of {subject}?"),
            ("opt-0-text-en", "Friends"),
            ("opt-1-text-en", "Advertisement"),
            ("opt-2-text-en", "Online"),
            ("opt-3-text-en", "Else"),
            ("opt-3-exclusive", "1"),
        ];
        fill(&browser, item, "save", &english).await;
        // «If it was an advertisement and they are satisfied at most with 6»: an item on page 3.
        send(&browser, "page-4", "add-item:text", &[]).await;
        let about = [("text-zh", "是哪个广告？"), ("text-en", "Which one?"), ("if-mode", "all")];
        fill(&browser, "item-q2", "save", &about).await;
        let chosen = [("if-0-name", "q1"), ("if-0-test", "is"), ("if-0-value", "2")];
        fill(&browser, "item-q2", "if-add", &chosen).await;
        let rest = [("if-1-name", "sat1"), ("if-1-test", "at_most"), ("if-1-value", "6")];
        fill(&browser, "item-q2", "save", &rest).await;
        let written_now = written(&app).await;
        assert_eq!(
            written_now.item("q2").unwrap().show_if.as_deref(),
            Some("q1 == '2' && sat1 <= 6")
        );
        let (_, _, page) = browser.get(EDIT).await;
        let words =
            "“您从哪里知道{subject}？”选“广告”，且“总体上，您对该品牌的满意程度如何？”不高于 6";
        assert!(page.contains(words), "{page}");
        assert!(page.contains("没有错误"), "{page}");

        // Order, copies, undo.
        send(&browser, "item-q1", "move:1/img1", &[]).await;
        assert_eq!(written(&app).await.pages[0].items[0].id, "q1");
        send(&browser, "item-q1", "down", &[]).await;
        assert_eq!(written(&app).await.pages[0].items[1].id, "q1");
        send(&browser, "item-q1", "copy", &[]).await;
        assert!(written(&app).await.item("q3").is_some());
        let now = revision(&app).await;
        let undone =
            browser.submit(&format!("{EDIT}/undo"), &[("revision", &now), ("open", "")]).await;
        assert_eq!(undone.0, 303, "{}", undone.2);
        assert!(written(&app).await.item("q3").is_none());
        fill(&browser, "item-q1", "rename", &[("id", "heard")]).await;
        assert_eq!(
            written(&app).await.item("q2").unwrap().show_if.as_deref(),
            Some("heard == '2' && sat1 <= 6")
        );

        // The difference from the version in use, in words.
        let (_, _, page) = browser.get("/questionnaires/brand/versions").await;
        assert!(page.contains("新增") && page.contains("是哪个广告？"), "{page}");
        assert!(!page.contains("不可直接比较"), "{page}");

        // Released, it is what a launch asks; the file that there is stays as it is.
        let now = revision(&app).await;
        let (status, to, page) = browser
            .submit(&format!("{EDIT}/release"), &[("revision", &now), ("note", "多问一题")])
            .await;
        assert_eq!((status, to.as_str()), (303, "/questionnaires?flash=released"), "{page}");
        let (_, current) = load_for_category(
            &mut app.context.database.read().await.unwrap(),
            None,
            Category::Brand,
        )
        .await
        .unwrap();
        assert_eq!(current.version, 4);
        assert!(matches!(current.item("heard").unwrap().kind, ItemKind::Choice(_)));
        app.launch_with_people(1, "").await;
        app.dispatcher.tick().await.unwrap();
        let link = app.link(0).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        let page = app.get(&link).await.1;
        assert!(page.contains("您从哪里知道") && page.contains("朋友推荐"), "{page}");
        let all = versions(&mut app.context.database.read().await.unwrap(), None, Category::Brand)
            .await
            .unwrap();
        assert_eq!(all[0].campaign.as_deref(), Some("C1"), "{all:?}");
        assert!(editor::find(&app.context, Category::Brand).await.unwrap().is_none());
        let (_, _, audit) = {
            add_account(&app, "sun", Role::Auditor).await;
            Browser::signed_in(&app, "sun").await.get("/audit").await
        };
        assert!(audit.contains("开始编写问卷") && audit.contains("发布问卷"), "{audit}");
    }
}

/// Tangerine-Community/Tangerine#1031, umbraco/Umbraco.Forms.Issues#165: two people in one editor,
/// and the later one's save wins unseen.
#[tokio::test]
async fn of_two_people_who_change_the_same_nobody_loses_a_word() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        for name in ["li", "wu"] {
            add_account(&app, name, Role::Operator).await;
        }
        let (li, wu) = (Browser::signed_in(&app, "li").await, Browser::signed_in(&app, "wu").await);
        li.upload("/questionnaires/brand/start", &[("from", "file")], "", b"").await;
        let second = wu.upload("/questionnaires/brand/start", &[("from", "empty")], "", b"").await;
        assert!(second.0 == 422 && second.2.contains("此类别已有正在编写的问卷"), "{}", second.2);
        let old = revision(&app).await;
        fill(&li, "item-sat1", "save", &[("text-zh", "李写的题目？")]).await;
        let form = [
            ("open", "item-sat1"),
            ("do", "save"),
            ("revision", old.as_str()),
            ("fields", "1"),
            ("text-zh", "吴写的题目？"),
        ];
        let (status, _, page) = wu.submit(EDIT, &form).await;
        assert_eq!(status, 409);
        for part in ["他人刚刚改过此问卷", "李写的题目？", "吴写的题目？"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(written(&app).await.item("sat1").unwrap().text.zh(), "李写的题目？");

        // What was undone and written anew is another state, though as many changes were made.
        let old = revision(&app).await;
        let undo = format!("{EDIT}/undo");
        assert_eq!(li.submit(&undo, &[("revision", &old), ("open", "")]).await.0, 303);
        assert!(written(&app).await.item("sat1").unwrap().text.zh().starts_with("总体上"));
        fill(&li, "item-sat1", "save", &[("text-zh", "李又写的题目？")]).await;
        let form = [&form[..2], &[("revision", old.as_str())], &form[3..]].concat();
        assert_eq!(wu.submit(EDIT, &form).await.0, 409);

        // Ten at once over one revision: one is taken.
        let now: i64 = revision(&app).await.parse().unwrap();
        let change = |n: usize| {
            let context = app.context.clone();
            async move {
                editor::change(&context, &Actor::console("li"), Category::Brand, now, |file| {
                    file.item_mut("sat1")?.max_chars = Some(n + 1);
                    Ok(())
                })
                .await
            }
        };
        let results = futures_util::future::join_all((0..10).map(change)).await;
        let taken = results.iter().filter(|result| result.is_ok()).count();
        let is_refused =
            |result: &&Result<_, EditorError>| matches!(result, Err(EditorError::Changed));
        assert_eq!((taken, results.iter().filter(is_refused).count()), (1, 9));
    }
}

/// What changes elsewhere do to conditions is mended, or told beside the item.
#[tokio::test]
async fn conditions_follow_what_they_look_at_or_it_is_told() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        add_account(&app, "li", Role::Operator).await;
        let browser = Browser::signed_in(&app, "li").await;
        let begin = async || {
            browser.submit(&format!("{EDIT}/discard"), &[]).await;
            browser.upload("/questionnaires/brand/start", &[("from", "file")], "", b"").await;
        };
        let told = async |item: &str, said: &str| {
            let (_, _, page) = browser.get(EDIT).await;
            let card = page.split(&format!("id=\"item-{item}\"")).nth(1).expect(item);
            let card = card.split("<li class=\"card").next().unwrap();
            assert!(card.contains(said), "{item}: {said}: {card}");
        };
        // LimeSurvey/LimeSurvey#4940: a question is renamed, and its conditions are not.
        begin().await;
        fill(&browser, "item-complained", "rename", &[("id", "complaint")]).await;
        let condition = written(&app).await.item("com1").unwrap().show_if.clone();
        assert_eq!(condition.as_deref(), Some("complaint == 'yes'"));
        // LimeSurvey/LimeSurvey#328: a question is moved behind those that hang on it.
        begin().await;
        fill(&browser, "item-complained", "move-page", &[("to-page", "4")]).await;
        told("com1", "条件用到的 complained 此时尚未作答").await;
        // kobotoolbox/kpi#763: a copy keeps its condition.
        begin().await;
        send(&browser, "item-com1", "copy", &[]).await;
        let copied = written(&app).await.item("q1").unwrap().show_if.clone();
        assert_eq!(copied.as_deref(), Some("complained == 'yes'"));
        told("q1", "仅当“您有没有投诉过该品牌？”选“有”时提问").await;
        // kobotoolbox/kpi#518: the kind no longer fits a condition on it.
        begin().await;
        fill(&browser, "item-complained", "save", &[("kind", "number")]).await;
        told("com1", "没有人会被问到").await;
        // An option is removed, and a condition looks at it.
        begin().await;
        send(&browser, "item-complained", "option-remove:0", &[]).await;
        told("com1", "没有人会被问到").await;
        // An item is removed, and a condition and a text look at it.
        begin().await;
        fill(&browser, "item-com1", "save", &[("text-zh", "{answer:complained}？")]).await;
        send(&browser, "item-complained", "remove", &[]).await;
        told("com1", "条件中的 complained 既不是题目，也不是名单字段").await;
        told("com1", "{answer:complained} 无所指").await;
        // formbricks/formbricks#6807: a translation that is missing where nobody looks.
        begin().await;
        fill(&browser, "item-sat1", "save", &[("hint-zh", "请逐字念出"), ("hint-en", "")]).await;
        told("sat1", "错误：缺少English文字").await;
        let (_, _, page) = browser.get(&format!("{EDIT}?open=item-sat1")).await;
        assert!(page.contains("<details open><summary>更多"), "{page}");
        // Messages of the item's own (kept from an XLSForm's `required_message`).
        begin().await;
        let messages = [("missing-zh", "请给一个分数"), ("missing-en", "Please give a mark")];
        fill(&browser, "item-sat1", "save", &messages).await;
        let message = written(&app).await.item("sat1").unwrap().missing_answer.clone();
        assert_eq!(message.unwrap().zh(), "请给一个分数");
        // A condition that is written by hand stays as it is when the rest of its card changes.
        begin().await;
        let source = "size(['a']) == 1 && sat1 <= 4";
        fill(&browser, "item-loy1", "save", &[("if-mode", "written"), ("if-source", source)]).await;
        fill(&browser, "item-loy1", "save", &[("text-zh", "下次呢？")]).await;
        let kept = written(&app).await.item("loy1").unwrap().show_if.clone();
        assert_eq!(kept.as_deref(), Some(source));
    }
}

#[tokio::test]
async fn forms_come_in_and_go_out_as_files() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        add_account(&app, "li", Role::Operator).await;
        let browser = Browser::signed_in(&app, "li").await;
        let source = include_str!("fixtures/every_kind.toml");
        let questionnaire = Questionnaire::parse(source).unwrap();
        let form = export_xlsform(&questionnaire).unwrap().bytes;
        let start = "/questionnaires/service/start";
        let discard = "/questionnaires/service/edit/discard";
        let upload = [("from", "upload")];
        let (status, _, page) = browser.upload(start, &upload, "form.xlsx", &form).await;
        assert!(status == 303 || status == 200, "{status} {page}");
        let edited = editor::find(&app.context, Category::Service).await.unwrap().unwrap();
        let imported = import_xlsform(&form, &ImportOptions::default()).unwrap();
        let mut expected = QuestionnaireFile::read(&imported.toml).unwrap();
        // Versions are counted under the category's code.
        expected.code = "service".to_owned();
        expected.version = edited.file.version;
        assert_eq!(edited.file, expected);
        let (status, _, toml) =
            browser.get("/questionnaires/service/file/toml?version=edited").await;
        assert_eq!((status, toml), (200, edited.file.write()));
        let sheet = app
            .http
            .get(format!("{}/questionnaires/service/file/xlsx?version=edited", app.base))
            .header("cookie", browser.cookie.clone().unwrap())
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        assert!(import_xlsform(&sheet, &ImportOptions::default()).is_ok());
        browser.submit(discard, &[]).await;
        assert!(editor::find(&app.context, Category::Service).await.unwrap().is_none());

        let deep = format!("x = {}{}", "[".repeat(50_000), "]".repeat(50_000));
        for (name, content, said) in [
            ("q.toml", source.as_bytes(), ""),
            ("q.toml", b"code = \"x\"\nversion = 1\n", "文件不是有效的问卷"),
            ("q.toml", b"\xff\xfe\x00garbage", "文件不是有效的问卷"),
            ("q.xlsx", b"PK\x03\x04 no workbook", "XLSForm 未能导入"),
            ("", b"", "没有选择文件"),
            ("deep.toml", deep.as_bytes(), "文件不是有效的问卷（TOML）：line 1:"),
        ] {
            let (status, _, page) = browser.upload(start, &upload, name, content).await;
            match said {
                "" => assert_eq!(status, 303, "{page}"),
                said => {
                    assert!(status == 422 && page.contains(said), "{name} {status}: {page}");
                    let alert = page.split("role=\"alert\">").nth(1).unwrap();
                    assert!(alert.split('<').next().unwrap().chars().count() < 500, "{page}");
                }
            }
            browser.submit(discard, &[]).await;
        }
        let large = format!("# {}\n{source}", "x".repeat(600 * 1024));
        let (status, _, page) = browser.upload(start, &upload, "q.toml", large.as_bytes()).await;
        assert!(status == 422 && page.contains("512 kB"), "{status}");

        // What cannot be asked is told in the page's language, with what can be done on it.
        let form = |name: &str| {
            let found = crate::xlsform::forms().into_iter().find(|form| form.name == name);
            found.unwrap().workbook
        };
        let (status, _, page) = browser.upload(start, &upload, "x.xlsx", &form("today")).await;
        assert!(
            status == 422
                && page.contains("工作表 survey，第 3 行，relevant 列")
                && page.contains("不能用 today()")
                && page.contains("或勾选“略去 XLSForm 中无法提问的内容”")
                && !page.contains("--leave-out"),
            "{page}"
        );
        // A file that is attached counts, whatever is selected beside it.
        let beside = [("from", "file")];
        let (status, _, page) =
            browser.upload(start, &beside, "x.xlsx", &form("choice_media")).await;
        assert!(
            status == 200
                && page.contains("已从附上的文件开始")
                && page
                    .contains("工作表 choices，image 列：图片、声音和视频不会显示（第 2, 3 行）"),
            "{page}"
        );
        let edited = editor::find(&app.context, Category::Service).await.unwrap().unwrap();
        assert_eq!(edited.file.pages[0].items[0].id, "which");
        browser.submit(discard, &[]).await;

        // Another category's, and an empty one.
        for from in ["brand/file", "empty"] {
            let (status, _, page) = browser.upload(start, &[("from", from)], "", b"").await;
            assert_eq!(status, 303, "{page}");
            let edited = editor::find(&app.context, Category::Service).await.unwrap().unwrap();
            assert_eq!(edited.file.code, "service");
            assert!(edited.check().is_good() == (from != "empty"));
            let (status, _, _) = browser.get("/questionnaires/service/edit?open=item-q1").await;
            assert_eq!(status, 200);
            browser.submit(discard, &[]).await;
        }
    }
}

/// What a browser would never send: names, numbers and kinds that there are not.
#[tokio::test]
async fn forms_that_no_page_made_change_nothing_they_should_not() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        add_account(&app, "li", Role::Operator).await;
        let browser = Browser::signed_in(&app, "li").await;
        browser.upload("/questionnaires/brand/start", &[("from", "file")], "", b"").await;
        let before = written(&app).await;
        for (open, action) in [
            ("item-nobody", "up"),
            ("item-sat1", "move:99/"),
            ("item-sat1", "move:x/y"),
            ("item-sat1", "move"),
            ("page-99", "page-up"),
            ("page-0", "add-item:nonsense"),
            ("page-1", "add-item:nonsense"),
            ("item-sat1", "option-remove:99999999999999999999"),
            ("head", "add-language"),
            ("head", "remove-language:xx"),
            ("", "page-remove"),
            ("page-18446744073709551615", "page-down"),
            ("item-sat1", "option-up:0"),
            ("item-sat1", "nonsense"),
        ] {
            send(&browser, open, action, &[]).await;
            assert_eq!(written(&app).await, before, "{open} {action}");
        }
        // A hostile text is a text.
        let text = "</textarea><script>alert(1)</script>\u{0}\u{202e}";
        fill(&browser, "item-sat1", "save", &[("text-zh", text)]).await;
        let (_, _, page) = browser.get(&format!("{EDIT}?open=item-sat1")).await;
        assert!(!page.contains("<script>alert"), "{page}");
        let condition = [("if-mode", "written"), ("if-source", "sat1 <=")];
        fill(&browser, "item-loy1", "save", &condition).await;
        let (_, _, page) = browser.get(&format!("{EDIT}?open=item-loy1")).await;
        assert!(page.contains("条件“sat1 &#60;=”无法读取"), "{page}");
        let now = revision(&app).await;
        let (status, _, page) =
            browser.submit(&format!("{EDIT}/release"), &[("revision", &now)]).await;
        assert!(status == 422 && page.contains("问卷还有错误"), "{status} {page}");

        // A kind that is changed back and forth is complete each time.
        for kind in <KindFile as strum::IntoEnumIterator>::iter() {
            let name: &str = kind.into();
            fill(&browser, "item-open1", "save", &[("kind", name)]).await;
            let (status, _, _) = browser.get(&format!("{EDIT}?open=item-open1")).await;
            assert_eq!((status, written(&app).await.item("open1").unwrap().kind), (200, kind));
            fill(&browser, "item-open1", "save", &[]).await;
        }
        // More than can be: the page says so.
        for _ in 0..120 {
            let revision = revision(&app).await;
            let form = [("open", "page-1"), ("do", "add-page"), ("revision", revision.as_str())];
            browser.submit(EDIT, &form).await;
        }
        assert_eq!(written(&app).await.pages.len(), 100);
    }
}

/// With a Chromium (`tests/run questionnaire_editor::`); FIELDWORKD_TEST_PICTURES keeps pictures.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chromium_writes_a_questionnaire_by_keyboard_and_by_mouse() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "li", Role::Operator).await;
    let task = serde_json::json!({ "base": app.base });
    let Some(done) = run_in_chromium("tests/external/questionnaire_editor.js", task).await else {
        return;
    };
    assert_eq!(done["released"], true, "{done}");
    let mut connection = app.context.database.read().await.unwrap();
    let (_, current) = load_for_category(&mut connection, None, Category::Brand).await.unwrap();
    assert_eq!(current.version, 4);
    let item = current.item("q1").unwrap();
    assert_eq!(item.show_if.as_ref().unwrap().source(), "sat1 <= 6");
}
