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
