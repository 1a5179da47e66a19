//! The inbox: what somebody wrote is shown with what they were sent, given to a colleague, handed to
//! the interviewers, and dealt with one by one or several at once.

use crate::common::browser::{Browser, add_account};
use crate::common::{TestApp, local, number};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::domain::audit::Action;
use fieldworkd::domain::role::Role;
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::json;

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

async fn says(app: &TestApp, id: &str, person: usize, text: &str) {
    let pushed = json!({ "id": id, "from": number(person), "text": text });
    assert!(app.push_replies(&pushed).await < 300, "{id}");
}

fn replies_of(page: &str) -> Vec<String> {
    let ids = page.split("name=\"pick-").skip(1);
    ids.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_reply_is_read_in_its_thread_given_to_somebody_and_called_back() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(6, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        for (name, role) in
            [("qian", Role::Operator), ("wu", Role::Interviewer), ("li", Role::Auditor)]
        {
            add_account(&app, name, role).await;
        }
        let qian = Browser::signed_in(&app, "qian").await;
        says(&app, "r1", 0, "什么时候截止？").await;
        says(&app, "r2", 1, "请给我打电话").await;
        says(&app, "r3", 2, "我想问一下情况").await;
        // The texts are there at once for those who may see them, and that is written down.
        let list = qian.get("/inbox").await.2;
        for text in ["什么时候截止？", "请给我打电话", "我想问一下情况"] {
            assert!(list.contains(text), "{}: {text}: {list}", app.engine);
        }
        let ids = replies_of(&list);
        assert_eq!(ids.len(), 3, "{list}");
        let filter = AuditFilter { action: Some(Action::ReplyViewed), ..AuditFilter::default() };
        let seen = async || {
            let mut connection = app.context.database.read().await.unwrap();
            audit::entries(&mut connection, &filter, 20).await.unwrap()
        };
        assert!(seen().await.iter().any(|entry| entry.detail.split(' ').count() == 3));
        // The thread: what was sent, without the link, and what came.
        let thread = qian.get(&format!("/inbox/{}", ids[0])).await.2;
        assert!(
            thread.contains("class=\"ours\"") && thread.contains("请评价A1牌：…"),
            "{}: {thread}",
            app.engine
        );
        assert!(!thread.contains("/i/"), "a personal link: {thread}");
        assert!(thread.contains("aria-current=\"true\"") && thread.contains("/cases/"), "{thread}");
        assert!(seen().await.iter().any(|entry| entry.object == format!("reply:{}", ids[0])));
        // It is given to somebody who deals with replies, and to nobody else.
        let to = format!("/inbox/{}/assign", ids[0]);
        assert_eq!(qian.submit(&to, &[("to", "wu")]).await.0, 400);
        assert_eq!(qian.submit(&to, &[("to", "qian")]).await.0, 303);
        let mine = qian.get("/inbox?mine").await.2;
        assert_eq!(replies_of(&mine), [ids[0].as_str()], "{mine}");
        // Called back: the interviewers get the person, although the plan has no calls.
        let wu = Browser::signed_in(&app, "wu").await;
        let nobody = wu.submit("/interview/next", &[]).await;
        assert_eq!(nobody.1, "/interview?noted=nobody", "{nobody:?}");
        let call_me = list.split("<tr id=").find(|row| row.contains("请给我打电话")).unwrap();
        let call_me = replies_of(call_me).remove(0);
        let called = qian.submit(&format!("/inbox/{call_me}/call"), &[]).await;
        assert_eq!(called.1, "/inbox?noted=called", "{called:?}");
        let next = wu.submit("/interview/next", &[]).await;
        assert_eq!(next.1, "/interview", "{}", app.engine);
        let call = wu.get("/interview").await.2;
        assert!(call.replace(' ', "").contains(&number(1)), "{call}");
        // Several are dealt with at once, each with its entry.
        let left = replies_of(&qian.get("/inbox").await.2);
        assert_eq!(left.len(), 2, "{}", app.engine);
        let ticked: Vec<(String, &str)> =
            left.iter().map(|id| (format!("pick-{id}"), "on")).collect();
        let ticked: Vec<(&str, &str)> =
            ticked.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(qian.submit("/inbox/handle", &[]).await.1, "/inbox?noted=none");
        assert_eq!(qian.submit("/inbox/handle", &ticked).await.1, "/inbox?noted=done");
        assert_eq!(qian.submit("/inbox/handle", &ticked).await.1, "/inbox?noted=gone");
        assert!(replies_of(&qian.get("/inbox").await.2).is_empty(), "{}", app.engine);
        let handled = AuditFilter { action: Some(Action::ReplyHandled), ..AuditFilter::default() };
        let mut connection = app.context.database.read().await.unwrap();
        assert_eq!(audit::entries(&mut connection, &handled, 20).await.unwrap().len(), 2);
        drop(connection);
        // Somebody who has opted out is not called, whoever asks.
        says(&app, "r4", 3, "请给我打电话").await;
        says(&app, "r5", 3, "退订").await;
        let list = qian.get("/inbox").await.2;
        let other = replies_of(&list).remove(0);
        let refused = qian.submit(&format!("/inbox/{other}/call"), &[]).await;
        assert!(refused.0 == 409 && refused.2.contains("不能回电"), "{}: {refused:?}", app.engine);
        // Auditors see no texts.
        let li = Browser::signed_in(&app, "li").await;
        assert!(!li.get("/inbox").await.2.contains("请给我打电话"));
        assert_eq!(li.get(&format!("/inbox/{other}")).await.0, 403);
    }
}

/// Pushes a reply and returns its id in the inbox.
async fn arrives(app: &TestApp, qian: &Browser<'_>, id: &str, person: usize, text: &str) -> String {
    says(app, id, person, text).await;
    let list = qian.get("/inbox").await.2;
    let row = list.split("<tr id=").find(|row| row.contains(text));
    let row = row.unwrap_or_else(|| panic!("{text}: {list}")).to_owned();
    replies_of(&row).remove(0)
}

fn times_sent(app: &TestApp, person: usize, text: &str) -> u32 {
    app.simulator.record().times_sent(&format!("+86{}", number(person)), text)
}

async fn answer(qian: &Browser<'_>, reply: &str, text: &str) -> (u16, String, String) {
    let page = qian.get(&format!("/inbox/{reply}")).await.2;
    let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap_or("0");
    let seen = seen.split('"').next().unwrap_or_default();
    qian.submit(&format!("/inbox/{reply}/answer"), &[("answer", text), ("seen", seen)]).await
}

#[tokio::test]
async fn a_reply_is_answered_by_sms_once_and_the_plan_goes_on() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(6, "").await;
        app.advance_until(local("2026-03-02T20:30:00")).await;
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let reply = arrives(&app, &qian, "r1", 0, "什么时候截止？").await;
        // All that is wrong is said, nothing is kept, and what was typed stays.
        for (text, status, said) in [
            ("  ", 422, "请填写答复内容"),
            ("见 {lnik}", 422, "{lnik}"),
            (&"长".repeat(300), 422, "按 5 条计费，联系计划最多允许 3 条"),
        ] {
            let refused = answer(&qian, &reply, text).await;
            assert!(refused.0 == status && refused.2.contains(said), "{}: {refused:?}", app.engine);
            assert!(refused.2.contains(text.trim()), "what was typed is gone");
        }
        let preview = format!("/inbox/{reply}/preview");
        let shown = qian.submit(&preview, &[("answer", "{name}，截止到月底。")]).await.2;
        assert!(shown.contains("【质协】") && shown.contains("，截止到月底。"), "{shown}");
        // After nine in the evening it waits for the morning, once, however often it is pressed.
        app.advance_until(local("2026-03-02T21:30:00")).await;
        let sent = answer(&qian, &reply, "截止到3月20日。链接：{link}").await;
        assert_eq!(sent.1, format!("/inbox/{reply}?noted=answered"), "{}: {sent:?}", app.engine);
        // Sent twice by a weak connection it is one message (chatwoot/chatwoot#9314); a colleague who
        // has not seen it is told.
        let form = format!("/inbox/{reply}/answer");
        let twice = [("answer", "截止到3月20日。链接：{link}"), ("seen", "0")];
        let twice = qian.submit(&form, &twice).await;
        assert_eq!(twice.1, format!("/inbox/{reply}?noted=answered"), "{twice:?}");
        let other = qian.submit(&form, &[("answer", "月底。"), ("seen", "0")]).await;
        assert!(other.0 == 409 && other.2.contains("已有人先作了答复"), "{other:?}");
        let again = answer(&qian, &reply, "截止到3月20日。链接：{link}").await;
        assert!(again.0 == 409 && again.2.contains("还有一条短信待发"), "{again:?}");
        let thread = qian.get(&format!("/inbox/{reply}")).await.2;
        assert!(thread.contains("待发送，最早 03-03 09:00"), "{}: {thread}", app.engine);
        assert!(replies_of(&qian.get("/inbox").await.2).is_empty(), "it is dealt with");
        let link = app.link(0).await;
        let text = format!("【质协】截止到3月20日。链接：{link}");
        app.advance_until(local("2026-03-03T08:59:00")).await;
        assert_eq!(times_sent(&app, 0, &text), 0, "{}: at night", app.engine);
        app.advance_until(local("2026-03-03T09:05:00")).await;
        assert_eq!(times_sent(&app, 0, &text), 1, "{}", app.engine);
        let qian = Browser::signed_in(&app, "qian").await;
        let thread = qian.get(&format!("/inbox/{reply}")).await.2;
        assert!(
            thread.contains("【质协】截止到3月20日。链接：…") && !thread.contains("待发送"),
            "{thread}"
        );
        // It is no attempt: the plan's reminder comes as it would after any step.
        let reminder = format!("【质协】受访者0您好，再请评价A1牌：{link} 退订回T");
        app.advance_until(local("2026-03-12T12:00:00")).await;
        assert_eq!(times_sent(&app, 0, &reminder), 1, "{}", app.engine);
        assert_eq!(times_sent(&app, 0, &text), 1, "{}: never again", app.engine);
        let filter = AuditFilter { action: Some(Action::ReplyAnswered), ..AuditFilter::default() };
        let mut connection = app.context.database.read().await.unwrap();
        let written = audit::entries(&mut connection, &filter, 20).await.unwrap();
        assert_eq!(written.len(), 1);
        assert!(written[0].object == format!("reply:{reply}") && written[0].detail.is_empty());
    }
}

#[tokio::test]
async fn an_answer_goes_to_a_closed_case_but_never_after_an_opt_out() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(6, "").await;
        app.advance_until(local("2026-03-02T21:30:00")).await;
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        // Answered at night; before the morning the one takes part, the other opts out.
        let (first, second) = (
            arrives(&app, &qian, "r1", 0, "要多久？").await,
            arrives(&app, &qian, "r2", 1, "谁给你们的号码？").await,
        );
        assert_eq!(answer(&qian, &first, "大约三分钟。").await.0, 303);
        assert_eq!(answer(&qian, &second, "由申报单位提供。").await.0, 303);
        app.answer_all(&app.link(0).await, 0, "9").await;
        says(&app, "r3", 1, "退订").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        assert_eq!(times_sent(&app, 0, "【质协】大约三分钟。"), 1, "{}", app.engine);
        assert_eq!(times_sent(&app, 1, "【质协】由申报单位提供。"), 0, "{}", app.engine);
        let qian = Browser::signed_in(&app, "qian").await;
        // What was dropped is told where everybody looks (SupportFlow/supportflow#237,
        // airyhq/airy#2892), and nothing more can be written to them.
        let list = qian.get("/inbox").await.2;
        assert!(
            list.contains("有答复未送达") && list.contains(&format!("/inbox/{second}")),
            "{list}"
        );
        assert!(!list.contains(&format!("href=\"/inbox/{first}\"")), "{}: {list}", app.engine);
        let thread = qian.get(&format!("/inbox/{second}")).await.2;
        assert!(thread.contains("未发出") && !thread.contains("name=\"answer\""), "{thread}");
        let refused = answer(&qian, &second, "还在吗？").await;
        assert!(refused.0 == 409 && refused.2.contains("免打扰"), "{refused:?}");
        // A case that ended gets an answer, and nothing of its plan after it.
        let third = arrives(&app, &qian, "r4", 0, "谢谢，结果什么时候公布？").await;
        assert_eq!(answer(&qian, &third, "六月公布。").await.0, 303);
        app.advance_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(times_sent(&app, 0, "【质协】六月公布。"), 1, "{}", app.engine);
        let reminder = format!("【质协】受访者0您好，再请评价A1牌：{} 退订回T", app.link(0).await);
        assert_eq!(times_sent(&app, 0, &reminder), 0, "{}", app.engine);
        // The end of the campaign ends the answers.
        let qian = Browser::signed_in(&app, "qian").await;
        let fourth = arrives(&app, &qian, "r5", 2, "还能参加吗？").await;
        app.execute_sql("UPDATE campaign SET state = 'closed'").await.unwrap();
        let page = qian.get(&format!("/inbox/{fourth}")).await.2;
        assert!(page.contains("请直接致电") && !page.contains("name=\"answer\""), "{page}");
        let refused = answer(&qian, &fourth, "可以。").await;
        assert!(refused.0 == 409 && refused.2.contains("活动已结束"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_persons_document_has_the_answers_and_erasure_takes_them_away() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let reply = arrives(&app, &qian, "r1", 0, "要多久？").await;
        assert_eq!(answer(&qian, &reply, "大约三分钟。").await.0, 303);
        let thread = qian.get(&format!("/inbox/{reply}")).await.2;
        let case = thread.split("/cases/").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let document = qian.submit(&format!("/cases/{case}/export"), &[]).await.2;
        assert!(document.contains("大约三分钟。"), "{}: {document}", app.engine);
        // Deleted before it goes out: it never does.
        let erased = qian
            .submit(&format!("/cases/{case}/erase"), &[("sure", &case), ("reason", "asked")])
            .await;
        assert!(erased.0 < 400, "{erased:?}");
        app.advance_until(local("2026-03-03T12:00:00")).await;
        assert_eq!(times_sent(&app, 0, "【质协】大约三分钟。"), 0, "{}", app.engine);
        let kept = "SELECT 1 / (CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END) FROM staff_answer WHERE \
            text_sealed IS NOT NULL";
        assert!(app.execute_sql(kept).await.is_ok(), "{}", app.engine);
    }
}
