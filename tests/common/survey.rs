//! A short survey whose field is open, over HTTP like a browser without scripts.

use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, responses};
use fieldworkd::domain::questionnaire::Answer;
use fieldworkd::services::interviews::decode_answers;
use fieldworkd::simulation::Scenario;

use super::TestApp;

/// Two pages with optional items of each kind.
pub const QUESTIONNAIRE: &str = r#"
code = "inputs"
version = 1
title = { zh = "样例", en = "Sample" }
introduction = { zh = "关于{subject}", en = "About {subject}" }
scale = { from = 1, to = 5, low = { zh = "差", en = "poor" }, high = { zh = "好", en = "good" } }
[[page]]
title = { zh = "使用", en = "Use" }
item = [
  { id = "use", variable = "USE", type = "single", screen_out_if = "use == 'never'", text = { zh = "多久一次？", en = "How often?" }, options = [
    { code = "daily", text = { zh = "每天", en = "Every day" } },
    { code = "never", text = { zh = "从不", en = "Never" } } ] },
  { id = "mark", variable = "MARK", type = "scale", latent = "loyalty", required = false, text = { zh = "打分", en = "Mark" } },
  { id = "paid", variable = "PAID", type = "number", required = false, min = 0, max = 1000, text = { zh = "多少钱", en = "How much?" } },
  { id = "note", variable = "NOTE", type = "text", required = false, max_chars = 20, text = { zh = "说说", en = "Tell us" } },
]
[[page]]
title = { zh = "对{subject}满意吗", en = "Are you satisfied with {subject}" }
item = [
  { id = "sat1", variable = "SAT1", latent = "satisfaction", type = "scale", core = true, text = { zh = "您答{answer:use}，满意吗？", en = "You said {answer:use}; satisfied?" } },
  { id = "seen", variable = "SEEN", type = "multiple", required = false, text = { zh = "见过？", en = "Seen?" }, options = [
    { code = "shop", text = { zh = "店里", en = "in a shop" } },
    { code = "web", text = { zh = "网上", en = "on the web" } } ] },
  { id = "day", variable = "DAY", type = "date", required = false, text = { zh = "哪天？", en = "Which day?" } },
  { id = "more", variable = "MORE", type = "text", required = false, max_chars = 9000, text = { zh = "还有什么？", en = "Anything else?" } },
]
"#;

/// An installation with [`QUESTIONNAIRE`], whose field is open.
pub struct Survey {
    pub app: TestApp,
    _folder: tempfile::TempDir,
}

impl Survey {
    pub async fn start(people: usize) -> Survey {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("brand.toml"), QUESTIONNAIRE).unwrap();
        let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
        let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &settings).await;
        app.launch_with_people(people, "").await;
        app.dispatcher.tick().await.unwrap();
        Survey { app, _folder: folder }
    }

    /// Begins the interview of the `n`th person and returns its link.
    pub async fn begin(&self, n: usize) -> String {
        let link = self.app.link(n).await;
        self.app.post(&format!("{link}/begin"), super::CONSENT_FORM).await;
        link
    }

    /// Posts a page of the only case to an address of the link.
    pub async fn send(
        &self,
        link: &str,
        to: &str,
        page: &str,
        fields: &[(&str, &str)],
    ) -> (u16, String, String) {
        let all: Vec<(&str, &str)> =
            [("case", "0"), ("page", page)].into_iter().chain(fields.iter().copied()).collect();
        self.app.post(&format!("{link}/{to}"), &all).await
    }

    pub async fn page(&self, link: &str) -> String {
        self.app.get(link).await.1
    }

    /// Returns the stored form of an answer of the first response; the text of an open one.
    pub async fn stored(&self, item: &str) -> Option<String> {
        let app = &self.app;
        let mut connection = app.context.database.read().await.unwrap();
        let application = applications::find(&mut connection, "A1").await.unwrap().unwrap();
        let all = responses::of_application(&mut connection, application.id).await.unwrap();
        let stored = match &all.first()?.answers.get(item)? {
            StoredValue::Plain(value) => return Some(value.clone()),
            StoredValue::Sealed(sealed) => StoredValue::Sealed(sealed.clone()),
        };
        let questionnaire =
            fieldworkd::domain::questionnaire::Questionnaire::parse(QUESTIONNAIRE).unwrap();
        let sealer = app.context.keys.sealer(&application.key_id).unwrap();
        let read = decode_answers(&sealer, &questionnaire, [(item.to_owned(), stored)]).unwrap();
        match &read[item] {
            Answer::Open(text) => Some(text.reveal().to_owned()),
            other => other.to_stored(),
        }
    }
}

pub const DAILY: (&str, &str) = ("use", "daily");

/// Asserts that a page's style shows a chosen point without new selectors, in forced colours and on
/// paper.
pub fn assert_old_browsers_read(page: &str) {
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    for rule in
        [".scale input:checked+span", "@media(forced-colors:active)", "@media print", "Highlight"]
    {
        assert!(style.contains(rule), "{rule}");
    }
    // An unknown selector voids its whole rule: one of its own for each `:has`.
    for selectors in style.split(['{', '}']).filter(|part| part.contains(":has(")) {
        assert!(!selectors.contains("),") && !selectors.contains(",."), "{selectors}");
    }
    // The mark of a native input has a colour that is seen without `:has`, too.
    assert!(style.contains("flex:none;accent-color:var(--lead)"), "{style}");
}
