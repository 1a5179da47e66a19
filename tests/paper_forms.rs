//! Paper forms on both engines: from the plan's step to the dataset, keyed once and twice, returned
//! without answers, and what comes when the person has answered in another mode first.
//! To see the first test fail, let `LeftOut::of` in `src/services/paper_forms/printing.rs` pass
//! suppressed people.

use std::collections::BTreeMap;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::interviewers::add_interviewer;
use crate::common::{CONSENT_FORM, PLAN, TestApp, local, number};
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::adapters::database::paper_forms::{self as stored, FormState, KeyingQuality};
use fieldworkd::adapters::database::{applications, campaigns, invitations};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::disposition::Disposition;
use fieldworkd::domain::form_number::FormNumber;
use fieldworkd::domain::ids::{CaseId, InvitationId};
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::role::Role;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::services;
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::services::paper_forms::documents::{RunDocuments, documents};
use fieldworkd::services::paper_forms::keying::{self, Keyed, KeyingOutcome, ReturnedAs};
use fieldworkd::services::paper_forms::printing::{LeftOut, PrintReport, PrintRequest, print};
use fieldworkd::services::paper_forms::{PaperFormError, comparing, status};
use fieldworkd::simulation::{PeopleScenario, Scenario};

/// Two pages: who dislikes it is asked why.
const QUESTIONNAIRE: &str = r#"
code = "paper"
version = 1
title = { zh = "关于{subject}的问卷", en = "About {subject}" }
introduction = { zh = "请评价{subject}。", en = "Please rate {subject}." }
scale = { from = 1, to = 10, low = { zh = "差", en = "poor" }, high = { zh = "好", en = "good" } }
[[page]]
title = { zh = "使用", en = "Use" }
item = [
  { id = "use", variable = "USE", type = "single", dont_know = true, screen_out_if = "use == 'never'", text = { zh = "多久一次？", en = "How often?" }, options = [
    { code = "daily", text = { zh = "每天", en = "Every day" } },
    { code = "rarely", text = { zh = "很少", en = "Rarely" } },
    { code = "never", text = { zh = "从不", en = "Never" } } ] },
  { id = "sat1", variable = "SAT1", latent = "satisfaction", type = "scale", core = true, text = { zh = "满意吗？", en = "Satisfied?" } },
]
[[page]]
title = { zh = "原因", en = "Reasons" }
item = [
  { id = "why", variable = "WHY", type = "multiple", show_if = "sat1 <= 4", text = { zh = "为什么？", en = "Why?" }, options = [
    { code = "price", text = { zh = "价格", en = "Price" } },
    { code = "quality", text = { zh = "质量", en = "Quality" } } ] },
  { id = "web_only", variable = "WEBONLY", latent = "image", type = "scale", show_if = "mode == 'web'", required = false, text = { zh = "网页怎么样？", en = "How is this page?" } },
  { id = "price", variable = "PRICE", latent = "perceived_value", type = "scale", text = { zh = "您答{answer:use}，价格满意吗？", en = "You said {answer:use}; satisfied with the price?" } },
  { id = "note", variable = "NOTE", type = "text", required = false, max_chars = 200, text = { zh = "还有什么？", en = "Anything else?" } },
]
"#;

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// An invitation, a paper step two weeks later for those who have not begun, and a last message.
fn paper_plan() -> String {
    let (head, last) = (
        PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap(),
        PLAN.rsplit("[[step]]").next().unwrap(),
    );
    let step = "[[step]]\nname = \"form\"\nmode = \"paper\"\nafter = \"14d\"\nif = \"!begun\"\n";
    format!("{head}{step}[[step]]{}", last.replace("7d", "14d"))
}

fn paper_list(people: usize) -> String {
    let row = |n: usize| {
        // Every third person has no address.
        let address = if n % 3 == 2 { String::new() } else { format!("解放路{n}号") };
        format!("受访者{n},{},先生,{address}\n", number(n))
    };
    format!("姓名,手机,称呼,通讯地址\n{}", (0..people).map(row).collect::<String>())
}

struct Desk {
    app: TestApp,
    interviews: InterviewService,
    wu: Account,
    zheng: Account,
    _folder: tempfile::TempDir,
}

/// Installations whose people have reached the paper step.
async fn with_people_due(people: usize, quota: &str, settings: &[(&str, &str)]) -> Vec<Desk> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), QUESTIONNAIRE).unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut all = vec![("QUESTIONNAIRES__FOLDER", path.as_str())];
    all.extend(settings);
    let mut desks = Vec::new();
    for app in TestApp::on_each_engine(silent(), &all).await {
        app.register_brand("A1", "a", quota).await;
        app.import(&["A1"], paper_list(people).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &paper_plan()).await.unwrap();
        let interviews = InterviewService::new(app.context.clone());
        let (wu, zheng) = (add_interviewer(&app, "wu").await, add_interviewer(&app, "zheng").await);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("brand.toml"), QUESTIONNAIRE).unwrap();
        desks.push(Desk { app, interviews, wu, zheng, _folder: folder });
    }
    drop(folder);
    desks
}

const DUE: &str = "2026-03-16T15:00:00";

impl Desk {
    async fn print(&self, cases: Option<&[CaseId]>, with_names: bool) -> PrintReport {
        let request = PrintRequest { campaign: "C1", cases, with_names };
        print(&self.app.context, &Actor::command("test"), &request).await.unwrap()
    }

    async fn documents(&self, run: Option<i64>) -> RunDocuments {
        let actor = Actor::command("test");
        let of = ("C1", run.expect("a run"));
        documents(&self.app.context, &self.interviews, &actor, of).await.unwrap()
    }

    async fn key(
        &self,
        account: &Account,
        number: &FormNumber,
        fields: &[(&str, &str)],
    ) -> Result<KeyingOutcome, PaperFormError> {
        self.key_confirmed(account, number, fields, false).await
    }

    async fn key_confirmed(
        &self,
        account: &Account,
        number: &FormNumber,
        fields: &[(&str, &str)],
        skips_confirmed: bool,
    ) -> Result<KeyingOutcome, PaperFormError> {
        let fields = fields_of(fields);
        let keyed = Keyed { fields: &fields, filled_on: "20260310", skips_confirmed };
        let number = number.to_string();
        keying::key(&self.app.context, &self.interviews, account, &number, &keyed).await
    }

    async fn count(&self, code: &str) -> u64 {
        let all = self.app.dispositions("A1").await;
        all.into_iter().find(|(known, _)| known == code).map_or(0, |(_, cases)| cases)
    }

    async fn completes(&self) -> u32 {
        let mut connection = self.app.context.database.read().await.unwrap();
        let application = applications::find(&mut connection, "A1").await.unwrap().unwrap();
        let cells = fieldworkd::adapters::database::quotas::cells(&mut connection, application.id);
        cells.await.unwrap().iter().find(|cell| cell.number == 0).unwrap().completes
    }

    async fn form(&self, number: &FormNumber) -> stored::StoredForm {
        let mut connection = self.app.context.database.read().await.unwrap();
        stored::find(&mut connection, number).await.unwrap().unwrap()
    }

    /// The form of the `n`th person of the list.
    async fn form_of(&self, n: usize, numbers: &[FormNumber]) -> FormNumber {
        let link = self.app.link(n).await;
        let code = link.rsplit('/').next().unwrap();
        let opened = self
            .interviews
            .open_invitation(code, fieldworkd::domain::mode::Mode::Paper)
            .await
            .unwrap();
        for number in numbers {
            if self.form(number).await.case == opened.cases[0].case.id {
                return number.clone();
            }
        }
        panic!("the {n}th person has no form")
    }

    async fn next_contact(&self, invitation: InvitationId) -> bool {
        let mut connection = self.app.context.database.read().await.unwrap();
        invitations::next_contact(&mut connection, invitation).await.unwrap().is_some()
    }

    async fn quality(&self) -> KeyingQuality {
        status::status(&self.app.context, "C1").await.unwrap().quality
    }

    /// The stored answer to an item of a form's case.
    async fn answer(&self, number: &FormNumber, item: &str) -> Option<String> {
        let case = self.form(number).await.case;
        let mut connection = self.app.context.database.read().await.unwrap();
        let response =
            fieldworkd::adapters::database::responses::of_case(&mut connection, case).await;
        match response.unwrap()?.answers.get(item)? {
            fieldworkd::adapters::database::responses::StoredValue::Plain(value) => {
                Some(value.clone())
            }
            _ => Some("(sealed)".to_owned()),
        }
    }
}

fn fields_of(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect()
}

const GOOD: [(&str, &str); 3] = [("use", "1"), ("sat1", "9"), ("price", "8")];

async fn suppress(app: &TestApp, n: usize, reason: SuppressionReason) {
    let phone = Phone::parse(&number(n), phonenumber::country::CN).unwrap();
    let hash = app.context.keys.hasher().phone_hash(&phone);
    let mut tx = app.context.database.write().await.unwrap();
    let request = services::suppressions::SuppressionRequest {
        reason,
        programme: None,
        expires_at: None,
        phone_hash: &hash,
    };
    let source = fieldworkd::adapters::database::cases::DispositionSource::Staff;
    services::suppressions::suppress(&mut tx, &request, source, app.clock_now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_form_goes_from_the_plans_step_into_the_dataset() {
    for desk in with_people_due(6, "", &[("PAPER__SECOND_KEYING", "0")]).await {
        let app = &desk.app;
        app.advance_until(local("2026-03-16T09:00:00")).await;
        assert_eq!(status::status(&app.context, "C1").await.unwrap().due, 0, "too early");
        // One begins on the web, one opts out after becoming due.
        app.post(&format!("{}/begin", app.link(0).await), CONSENT_FORM).await;
        app.advance_until(local(DUE)).await;
        assert_eq!(status::status(&app.context, "C1").await.unwrap().due, 5, "{}", app.engine);
        suppress(app, 1, SuppressionReason::OptOut).await;
        let report = desk.print(None, false).await;
        assert_eq!(report.left_out, BTreeMap::from([(LeftOut::Suppressed, 1)]), "{}", app.engine);
        assert_eq!(report.numbers.len(), 4);
        assert_eq!(desk.count("2.20").await, 4, "delivered, and posted: {}", app.engine);
        // Nothing is due any more; chosen again, a form keeps its number.
        assert!(desk.print(None, false).await.run.is_none());
        let number = desk.form_of(3, &report.numbers).await;
        let case = desk.form(&number).await.case;
        assert_eq!(desk.print(Some(&[case]), true).await.numbers, std::slice::from_ref(&number));

        // The printed pages have the number, and neither the link nor, unless it is wanted, the name.
        let made = desk.documents(report.run).await;
        let (forms, letters) = (made.forms_html().unwrap(), made.letters_html().unwrap());
        assert_eq!((made.form_count(), made.label_count(), made.without_address), (4, 2, 2));
        for number in &report.numbers {
            assert!(forms.contains(&number.to_string()) && letters.contains(&number.to_string()));
        }
        for page in [&forms, &letters] {
            assert!(!page.contains("/i/") && !page.contains("受访者") && !page.contains("1380"));
        }
        for words in [
            "A1牌",
            "仅当第 2 题的回答为 4 或更小时回答；否则请转至第 4 题。",
            "第 1 题选 3 的，后面的题不必再答",
            "您答（您对第 1 题的回答），价格满意吗？",
            "2026 年 5 月 13 日",
            "98</span> 不知道",
        ] {
            assert!(forms.contains(words), "{words}: {forms}");
        }
        assert!(!forms.contains("网页怎么样"), "of another mode");
        let named = desk.documents(Some(2)).await;
        assert!(named.letters_html().unwrap().contains("尊敬的受访者3先生："));
        assert!(named.forms_html().unwrap().contains("受访者3先生"));
        let labels = made.labels_csv().unwrap();
        assert!(labels.contains("解放路3号") && labels.contains("受访者3先生"), "{labels}");

        // Keyed by digits; a wrong one is told, an answer that the routing skips is confirmed.
        let wrong = desk.key(&desk.wu, &number, &[("use", "4"), ("sat1", "9")]).await.unwrap();
        assert!(
            matches!(&wrong, KeyingOutcome::Problems(problems) if problems.contains_key("use"))
        );
        let all = [("use", "1"), ("sat1", "9"), ("why", "12"), ("price", "8"), ("note", "很好")];
        let skipped = desk.key(&desk.wu, &number, &all).await.unwrap();
        assert_eq!(skipped, KeyingOutcome::Skipped(vec!["why".to_owned()]));
        assert_eq!(desk.completes().await, 0, "nothing is stored so far");
        let done = desk.key_confirmed(&desk.wu, &number, &all, true).await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::Complete));
        assert_eq!((desk.completes().await, desk.count("1.1").await), (1, 1), "{}", app.engine);
        assert_eq!(desk.answer(&number, "why").await, None);
        // The contacts stop, and the person's link says thank you.
        assert!(!desk.next_contact(desk.form(&number).await.invitation).await);
        assert!(app.get(&app.link(3).await).await.1.contains("感谢您的评价"), "{}", app.engine);
        let again = desk.key(&desk.zheng, &number, &GOOD).await;
        assert!(matches!(again, Err(PaperFormError::AlreadyKeyed(name)) if name == "wu"));

        // Every core item answered is a partial response at once; less than that goes on.
        let partial = desk.form_of(2, &report.numbers).await;
        let done = desk.key(&desk.wu, &partial, &[("use", "1"), ("sat1", "9")]).await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::Partial), "{}", app.engine);
        let little = desk.form_of(4, &report.numbers).await;
        let done = desk.key(&desk.wu, &little, &[("use", "1")]).await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::BreakOff));
        assert!(desk.next_contact(desk.form(&little).await.invitation).await);
        let last = desk.form_of(5, &report.numbers).await;
        let done = desk.key(&desk.wu, &last, &[("use", "3")]).await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::NotEligible));

        app.advance_until(local("2026-05-14T00:00:00")).await;
        services::datasets::write_pending(&app.context).await.unwrap();
        let folder = app.context.config.datasets.join("A1/v1");
        services::datasets::verify(&folder, None).unwrap();
        let responses = csv_rows(&folder.join("responses.csv"));
        assert_eq!(responses.len(), 2, "{}", app.engine);
        for row in &responses {
            assert_eq!((row["mode"].as_str(), row["device"].as_str()), ("paper", ""));
            assert_eq!((row["seconds"].as_str(), row["speeding"].as_str()), ("", ""));
        }
        let complete = responses.iter().find(|row| row["disposition"] == "1.1").unwrap();
        assert_eq!((complete["USE"].as_str(), complete["SAT1"].as_str()), ("daily", "9"));
        let answers = csv_rows(&folder.join("answers.csv"));
        assert!(answers.iter().all(|row| row["mode"] == "paper" && !row["interviewer"].is_empty()));
        let cases = csv_rows(&folder.join("cases.csv"));
        let posted = cases.iter().find(|row| row["case"] == complete["case"]).unwrap();
        assert_eq!(posted["attempts"], "3", "a message and two print runs: {}", app.engine);
        let rates =
            services::campaigns::rates(&app.context, "C1", services::campaigns::RateGrouping::Mode);
        let rates = rates.await.unwrap();
        let paper = rates.iter().find(|group| group.group == "paper").unwrap();
        assert_eq!((paper.cases, paper.complete), (4, 1), "{}", app.engine);
    }
}

fn csv_rows(path: &std::path::Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// climsoft/Climsoft#216: a second entry silently overwrites the first. sleepepi/slice#178: the
/// first entry counts until somebody looks at the paper.
#[tokio::test]
async fn a_second_person_keys_again_and_a_third_look_settles_what_differs() {
    for desk in with_people_due(3, "", &[("PAPER__SECOND_KEYING", "1")]).await {
        let app = &desk.app;
        app.advance_until(local(DUE)).await;
        let numbers = desk.print(None, false).await.numbers;
        for number in &numbers {
            desk.key(
                &desk.wu,
                number,
                &[("use", "1"), ("sat1", "2"), ("why", "1 2"), ("price", "8")],
            )
            .await
            .unwrap();
        }
        let (first, second, third) = (&numbers[0], &numbers[1], &numbers[2]);
        assert_eq!(status::desk(&app.context, &desk.wu).await.unwrap().second, []);
        assert_eq!(status::desk(&app.context, &desk.zheng).await.unwrap().second.len(), 3);
        let own = desk.key(&desk.wu, first, &GOOD).await;
        assert!(matches!(own, Err(PaperFormError::OwnKeying)), "{own:?}");
        // Digits in another spelling are the same answer.
        let same = [("use", "1"), ("sat1", "2"), ("why", "21"), ("price", "8")];
        let agreed = desk.key(&desk.zheng, first, &same).await.unwrap();
        assert_eq!(agreed, KeyingOutcome::Compared { different: 0 }, "{}", app.engine);
        let other = [("use", "1"), ("sat1", "3"), ("why", "2"), ("price", "8")];
        for number in [second, third] {
            let differs = desk.key(&desk.zheng, number, &other).await.unwrap();
            assert_eq!(differs, KeyingOutcome::Compared { different: 2 });
        }
        assert_eq!(desk.answer(second, "sat1").await.as_deref(), Some("2"), "the first one counts");
        let quality = desk.quality().await;
        assert_eq!((quality.keyed_twice, quality.open), (3, 2), "{}", app.engine);
        assert_eq!((quality.items_compared, quality.items_different), (12, 4));

        let found = comparing::differences(&app.context, &desk.interviews, second.digits()).await;
        let found = found.unwrap();
        let shown: Vec<_> =
            found.items.iter().map(|d| (d.number, d.first.as_str(), d.second.as_str())).collect();
        assert_eq!(shown, [(2, "2", "3"), (3, "1 2", "2")]);
        assert_eq!((found.first_keyer.as_str(), found.second_keyer.as_str()), ("wu", "zheng"));
        let settle = async |number: &FormNumber, values: &[(&str, &str)]| {
            let settled = fields_of(values);
            let (context, number) = (&app.context, number.digits());
            comparing::settle(context, &desk.interviews, &desk.zheng, number, &settled).await
        };
        let wrong = settle(second, &[("sat1", "77"), ("why", "2")]).await.unwrap();
        assert!(matches!(wrong, KeyingOutcome::Problems(_)));
        settle(second, &[("sat1", "3"), ("why", "2")]).await.unwrap();
        assert_eq!(desk.answer(second, "sat1").await.as_deref(), Some("3"), "{}", app.engine);
        assert_eq!(desk.answer(second, "why").await.as_deref(), Some("quality"));
        assert_eq!(desk.answer(second, "price").await.as_deref(), Some("8"));
        // Another value than either keyer's, by which a question is skipped.
        settle(third, &[("sat1", "9"), ("why", "")]).await.unwrap();
        assert_eq!(desk.answer(third, "sat1").await.as_deref(), Some("9"));
        assert_eq!(desk.answer(third, "why").await, None, "{}", app.engine);
        assert_eq!((desk.completes().await, desk.quality().await.open), (3, 0));
        let twice = settle(second, &[("sat1", "2"), ("why", "1")]).await;
        assert!(matches!(twice, Err(PaperFormError::NothingToSettle)));
    }
}

#[tokio::test]
async fn a_form_that_comes_back_without_answers_has_its_disposition() {
    for desk in with_people_due(4, "", &[]).await {
        let app = &desk.app;
        app.advance_until(local(DUE)).await;
        let numbers = desk.print(None, false).await.numbers;
        let back = async |n: usize, returned: ReturnedAs| {
            let number = desk.form_of(n, &numbers).await;
            keying::record_return(&app.context, &desk.wu, number.digits(), returned).await.unwrap();
            number
        };
        let undelivered = back(0, ReturnedAs::Undelivered).await;
        // The message was delivered, which says more than the post.
        assert_eq!(desk.count("2.20").await, 4, "{}", app.engine);
        assert!(desk.next_contact(desk.form(&undelivered).await.invitation).await);
        let refused = back(1, ReturnedAs::Refused).await;
        assert_eq!(desk.count("2.112").await, 1, "{}", app.engine);
        assert!(!desk.next_contact(desk.form(&refused).await.invitation).await);
        let blank = back(2, ReturnedAs::Blank).await;
        assert_eq!(desk.count("2.113").await, 1, "{}", app.engine);
        assert!(!desk.next_contact(desk.form(&blank).await.invitation).await);
        for number in [&undelivered, &refused, &blank] {
            let keyed = desk.key(&desk.zheng, number, &GOOD).await;
            assert!(matches!(keyed, Err(PaperFormError::AlreadyRecorded(_))), "{keyed:?}");
        }
        // Who refused on paper is suppressed, and gets no form again.
        let cases = [desk.form(&refused).await.case, desk.form(&blank).await.case];
        let report = desk.print(Some(&cases), false).await;
        let expected = BTreeMap::from([(LeftOut::Suppressed, 1), (LeftOut::Refused, 1)]);
        assert_eq!((report.run, report.left_out), (None, expected));
        // What came back undelivered is sent again to whom staff choose.
        let again = desk.print(Some(&[desk.form(&undelivered).await.case]), false).await;
        assert_eq!(again.numbers, std::slice::from_ref(&undelivered));
        assert_eq!(desk.form(&undelivered).await.state, FormState::Printed);
    }
}

#[tokio::test]
async fn an_answer_in_another_mode_that_came_first_stands_unless_the_person_says_otherwise() {
    for desk in with_people_due(3, "", &[("PAPER__SECOND_KEYING", "0")]).await {
        let app = &desk.app;
        app.advance_until(local(DUE)).await;
        let numbers = desk.print(None, false).await.numbers;
        answer_on_web(app, 0, "7").await;
        answer_on_web(app, 1, "7").await;
        assert_eq!(desk.completes().await, 2);
        let (first, second) = (desk.form_of(0, &numbers).await, desk.form_of(1, &numbers).await);
        let keyed = desk.key(&desk.wu, &first, &GOOD).await;
        assert!(matches!(keyed, Err(PaperFormError::AnsweredBefore)), "{keyed:?}");
        let (context, interviews) = (&app.context, &desk.interviews);
        keying::record_came_after(context, &desk.wu, first.digits()).await.unwrap();
        assert_eq!(desk.form(&first).await.state, FormState::CameAfter);
        assert_eq!(desk.answer(&first, "sat1").await.as_deref(), Some("7"));

        let fields = fields_of(&[("use", "1"), ("sat1", "4"), ("why", "2"), ("price", "3")]);
        let keyed = Keyed { fields: &fields, filled_on: "", skips_confirmed: false };
        let prefer = async |reason: &str| {
            let number = second.digits();
            keying::prefer_paper(context, interviews, &desk.wu, number, &keyed, reason).await
        };
        assert!(matches!(prefer(" ").await, Err(PaperFormError::Reason)));
        let done = prefer("本人来电要求").await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::Complete), "{}", app.engine);
        assert_eq!(desk.answer(&second, "sat1").await.as_deref(), Some("4"));
        assert_eq!(desk.answer(&second, "why").await.as_deref(), Some("quality"));
        assert_eq!(desk.completes().await, 2, "counted once: {}", app.engine);
        assert_eq!(desk.form(&second).await.state, FormState::Keyed);

        // Half-way on the web: the form goes on with it, and what is empty on it stays.
        let third = desk.form_of(2, &numbers).await;
        let link = app.link(2).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        send(app, &link, "0", &[("use", "rarely"), ("sat1", "6")]).await;
        let done = desk.key(&desk.wu, &third, &[("sat1", "8"), ("price", "5")]).await.unwrap();
        assert_eq!(done, KeyingOutcome::Stored(Disposition::Complete), "{}", app.engine);
        assert_eq!(desk.answer(&third, "use").await.as_deref(), Some("rarely"));
        assert_eq!(desk.answer(&third, "sat1").await.as_deref(), Some("8"));
    }
}

async fn send(app: &TestApp, link: &str, page: &str, fields: &[(&str, &str)]) -> u16 {
    let all: Vec<(&str, &str)> =
        [("case", "0"), ("page", page)].into_iter().chain(fields.iter().copied()).collect();
    app.post(&format!("{link}/answers"), &all).await.0
}

async fn answer_on_web(app: &TestApp, n: usize, rating: &str) {
    let link = app.link(n).await;
    app.post(&format!("{link}/begin"), CONSENT_FORM).await;
    send(app, &link, "0", &[("use", "daily"), ("sat1", rating)]).await;
    send(app, &link, "1", &[("price", rating)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_form_keyed_by_two_at_once_and_a_web_answer_count_once() {
    for desk in with_people_due(12, "quota = { target = 8 }", &[]).await {
        desk.app.advance_until(local(DUE)).await;
        let numbers = desk.print(None, false).await.numbers;
        let mut of_person = Vec::new();
        for n in 0..12 {
            of_person.push(desk.form_of(n, &numbers).await);
        }
        let (desk, engine) = (std::sync::Arc::new(desk), "");
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(36));
        let mut under_way = tokio::task::JoinSet::new();
        for (n, number) in of_person.iter().enumerate() {
            for who in 0..3 {
                let (desk, number, start) = (desk.clone(), number.clone(), start.clone());
                under_way.spawn(async move {
                    start.wait().await;
                    match who {
                        0 => _ = desk.key(&desk.wu, &number, &GOOD).await,
                        1 => _ = desk.key(&desk.zheng, &number, &GOOD).await,
                        _ => answer_on_web(&desk.app, n, "7").await,
                    }
                });
            }
        }
        while let Some(done) = under_way.join_next().await {
            done.unwrap();
        }
        assert_eq!(desk.completes().await, 8, "{engine}{}", desk.app.engine);
        assert_eq!(desk.count("1.1").await, 8, "{}", desk.app.engine);
        for number in &of_person {
            let form = desk.form(number).await;
            assert!(matches!(form.state, FormState::Printed | FormState::Keyed), "{form:?}");
        }
    }
}

/// sdaps/sdaps#235: the number also stands in digits, so that a form is found without a reader.
#[tokio::test]
async fn a_number_says_at_once_what_is_wrong_with_it() {
    let desk = with_people_due(1, "", &[]).await.remove(0);
    let app = &desk.app;
    app.advance_until(local(DUE)).await;
    let number = desk.print(None, false).await.numbers.remove(0);
    add_account(app, "sun", Role::Interviewer).await;
    let browser = Browser::signed_in(app, "sun").await;
    let look = async |typed: &str| browser.submit("/paper", &[("number", typed)]).await;
    let (status, location, _) = look(&number.to_string()).await;
    assert_eq!((status, location), (303, format!("/paper/{}", number.digits())));
    assert!(look("123").await.2.contains("十位数字"));
    let mut digits: Vec<char> = number.digits().chars().collect();
    digits[4] = char::from_digit((digits[4].to_digit(10).unwrap() + 1) % 10, 10).unwrap();
    let mistyped: String = digits.into_iter().collect();
    assert!(look(&mistyped).await.2.contains("有一位录错"));
    let other = FormNumber::from_random(77);
    assert!(look(other.digits()).await.2.contains("没有此编号的问卷"));
    // No page open to respondents takes it.
    assert_eq!(app.get(&format!("{}/i/{}", app.base, number.digits())).await.0, 404);

    // The page: Enter without a script checks, and stores nothing.
    let page = browser.get(&format!("/paper/{}", number.digits())).await.2;
    assert!(page.find("value=\"check\"").unwrap() < page.find("value=\"save\"").unwrap());
    assert!(page.contains("1 每天 · 2 很少 · 3 从不 · 98 不知道"), "{page}");
    let form = format!("/paper/{}", number.digits());
    let (status, _, page) = browser.submit(&form, &[("f-use", "1")]).await;
    assert_eq!((status, desk.count("2.12").await), (200, 0));
    assert!(page.contains("class=\"skipped\" data-item=\"why\""), "{page}");
    let asked = browser.submit(&format!("{form}/asked"), &[("f-use", "1"), ("f-sat1", "2")]).await;
    assert!(asked.2.contains("\"skipped\":[]"), "{}", asked.2);
    let save = [("do", "save"), ("f-use", "9"), ("f-sat1", "9"), ("f-price", "8")];
    let (status, _, page) = browser.submit(&form, &save).await;
    assert!(status == 422 && page.contains("aria-invalid=\"true\""), "{page}");
    let save = [("do", "save"), ("f-use", "1"), ("f-sat1", "9"), ("f-price", "8")];
    let (status, location, _) = browser.submit(&form, &save).await;
    assert_eq!((status, location.as_str()), (303, "/paper?noted=complete"));
    assert!(browser.get("/paper?noted=complete").await.2.contains("已录入：完成"));
    // An interviewer neither settles differences nor prefers the paper, nor prints.
    for path in ["/differences", "/prefer"] {
        assert_eq!(browser.get(&format!("{form}{path}")).await.0, 403);
    }
    assert_eq!(browser.get("/campaigns/C1/paper").await.0, 403);
}

#[tokio::test]
async fn staff_print_on_the_console_and_everything_is_in_the_audit_log() {
    let desk = with_people_due(3, "", &[]).await.remove(0);
    let app = &desk.app;
    app.advance_until(local(DUE)).await;
    add_account(app, "qian", Role::Operator).await;
    let browser = Browser::signed_in(app, "qian").await;
    let page = browser.get("/campaigns/C1/paper").await.2;
    assert!(page.contains("<dd>3</dd>"), "{page}");
    let print = "/campaigns/C1/paper/print";
    let (status, location, _) = browser.submit(print, &[("which", "due"), ("names", "yes")]).await;
    assert_eq!((status, location.as_str()), (303, "/campaigns/C1/paper?printed=3"));
    let page = browser.get(&location).await.2;
    assert!(page.contains("已生成打印批次，份数： 3"), "{page}");
    for (document, words) in [
        ("forms", "受访者0先生"),
        ("letters", "尊敬的受访者0先生："),
        ("labels", "解放路0号"),
        ("labels.csv", "number,organisation,name,address"),
    ] {
        let run = "/campaigns/C1/paper/runs/1";
        let (status, _, page) = browser.submit(run, &[("document", document)]).await;
        assert!(status == 200 && page.contains(words), "{document}: {page}");
    }
    let cases = browser.get("/cases?application=A1").await.2;
    assert!(cases.contains("action=\"/campaigns/C1/paper/print\""), "{cases}");
    let case = cases.split("name=\"case\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, location, _) = browser.submit(print, &[("which", "ticked"), ("case", case)]).await;
    assert_eq!(location, "/campaigns/C1/paper?printed=1");
    let entries = fieldworkd::adapters::database::audit::entries(
        &mut app.context.database.read().await.unwrap(),
        &Default::default(),
        100,
    )
    .await
    .unwrap();
    let details: Vec<&str> = entries.iter().map(|entry| entry.detail.as_str()).collect();
    assert!(details.contains(&"3 forms, with names"), "{details:?}");
    assert!(details.contains(&"1 forms, without names"), "{details:?}");
    assert!(details.contains(&"run 1: 3 forms, with names"), "{details:?}");
    services::campaigns::change_state(&app.context, "C1", campaigns::CampaignState::Paused)
        .await
        .unwrap();
    let (status, _, page) = browser.submit(print, &[("which", "ticked"), ("case", case)]).await;
    assert!(status == 422 && page.contains("进行中才能打印"), "{page}");
}

/// With a Chromium (`tests/run paper_forms::`): keyed by the keyboard alone, at both widths and
/// colours, and printed on A4. FIELDWORKD_TEST_PICTURES keeps pictures and PDF files.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_are_keyed_by_the_keyboard_and_printed_in_a_browser() {
    let desk = with_people_due(9, "", &[("PAPER__SECOND_KEYING", "1")]).await.remove(0);
    let app = &desk.app;
    app.advance_until(local(DUE)).await;
    add_account(app, "qian", Role::Operator).await;
    let report = desk.print(None, true).await;
    let third = &report.numbers[2];
    desk.key(&desk.wu, third, &GOOD).await.unwrap();
    desk.key(&desk.zheng, third, &[("use", "1"), ("sat1", "8"), ("price", "8")]).await.unwrap();
    let folder = match std::env::var("FIELDWORKD_TEST_PICTURES") {
        Ok(folder) => std::path::PathBuf::from(folder),
        Err(_) => app.folder.path().to_owned(),
    };
    let made = desk.documents(report.run).await;
    for (name, html) in [
        ("forms", made.forms_html().unwrap()),
        ("letters", made.letters_html().unwrap()),
        ("labels", made.labels_html().unwrap()),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
    let numbers: Vec<String> = report.numbers.iter().map(ToString::to_string).collect();
    let task = serde_json::json!({ "base": app.base, "numbers": numbers, "folder": folder });
    let Some(done) = run_in_chromium("tests/external/paper_pages.js", task).await else { return };
    assert_eq!(done["printed"], 3, "{done}");
}
