//! Questionnaires, messages and pages in other languages than Chinese and English.

use std::collections::BTreeMap;

use fieldworkd::domain::language::{Language, LocalizedText};
use fieldworkd::domain::questionnaire::{Questionnaire, review};
use fieldworkd::domain::sms_text::{Encoding, measure_parts};
use fieldworkd::services::{datasets, deadlines};
use fieldworkd::simulation::Scenario;

use super::common::{CONSENT_FORM, TestApp, number};

/// A questionnaire in Arabic, traditional Chinese and Portuguese; Arabic comes first.
const QUESTIONNAIRE: &str = r#"
code = "languages"
version = 1
languages = ["ar", "zh-Hant", "pt"]
title = { ar = "استبيان", "zh-Hant" = "問卷", pt = "Questionário" }
introduction = { ar = "عن {subject}", "zh-Hant" = "關於{subject}", pt = "Sobre {subject}" }
[[page]]
title = { ar = "الرضا", "zh-Hant" = "滿意度", pt = "Satisfação" }
[[page.item]]
id = "sat1"
variable = "SAT1"
latent = "satisfaction"
type = "scale"
core = true
text = { ar = "ما مدى رضاك؟", "zh-Hant" = "您有多滿意？", pt = "Está satisfeito?" }
scale = { from = 1, to = 10, low = { ar = "منخفض", "zh-Hant" = "低", pt = "pouco" }, high = { ar = "مرتفع", "zh-Hant" = "高", pt = "muito" } }
[[page.item]]
id = "why"
variable = "WHY"
type = "single"
required = false
text = { ar = "لماذا؟", "zh-Hant" = "為甚麼？", pt = "Porquê?" }
options = [
  { code = "price", text = { ar = "السعر", "zh-Hant" = "價格", pt = "preço" } },
  { code = "other", text = { ar = "غير ذلك", "zh-Hant" = "其他", pt = "outra razão" } },
]
"#;

const PLAN: &str = r#"
name = "languages"
signature = "QA"
max_parts = 3
spread = "0s"
[hours]
monday = ["09:00-21:00"]
tuesday = ["09:00-21:00"]
wednesday = ["09:00-21:00"]
thursday = ["09:00-21:00"]
friday = ["09:00-21:00"]
saturday = ["09:00-21:00"]
sunday = ["09:00-21:00"]
[[step]]
name = "invitation"
after = "0d"
text.ar = "【{signature}】{name}: {subject} {link} أرسل STOP للإلغاء"
text.zh-Hant = "【{signature}】{name}您好，請評價{subject}：{link} 退訂回T"
text.pt = "【{signature}】{name}, avalie {subject}: {link} Responda STOP para sair"
"#;

/// Rows with their language cells; the last is in a language that the questionnaire does not have.
const CELLS: [(&str, &str); 6] = [
    ("العربية", "ar"),
    ("zh-HK", "zh-Hant"),
    ("葡语", "pt"),
    ("pt-BR", "pt"),
    ("粵語", "zh-Hant"),
    ("français", "ar"),
];

async fn start(settings: &[(&str, &str)]) -> (Vec<TestApp>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), QUESTIONNAIRE).unwrap();
    let questionnaires = ("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap());
    let settings: Vec<(&str, &str)> =
        [questionnaires].into_iter().chain(settings.iter().copied()).collect();
    (TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await, folder)
}

async fn launch(app: &TestApp) {
    app.register_brand("A1", "a", "").await;
    let rows =
        CELLS.iter().enumerate().map(|(n, (cell, _))| format!("N{n},{},{cell}\n", number(n)));
    let list = format!("姓名,手机,语言\n{}", rows.collect::<String>());
    app.import(&["A1"], list.as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.dispatcher.tick().await.unwrap();
}

/// From the list to the dataset in Arabic: a message in UCS-2, a page from right to left, answers,
/// and the tag and the labels in the dataset.
#[tokio::test]
async fn an_arabic_interview_from_the_list_to_the_dataset() {
    let (apps, _folder) = start(&[]).await;
    for app in apps {
        launch(&app).await;
        let link = app.link(0).await;
        let (status, page) = app.get(&link).await;
        assert_eq!(status, 200);
        // The direction is that of the tag, whatever the text begins with
        // (kobotoolbox/enketo-express#667).
        assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"), "{page}");
        // Names run in their own direction.
        assert!(page.contains("<li><bdi>A1牌</bdi></li>"), "{page}");
        for (tag, direction, name) in [("zh-Hant", "ltr", "繁體中文"), ("pt", "ltr", "Português")]
        {
            let switch = format!("?lang={tag}\" lang=\"{tag}\" dir=\"{direction}\">{name}</a>");
            assert!(page.contains(&switch), "{switch} {page}");
        }
        app.post(&format!("{link}/begin?lang=ar"), CONSENT_FORM).await;
        let (_, page) = app.get(&link).await;
        assert!(page.contains("عن \u{2068}A1牌\u{2069}"), "{page}");
        assert!(page.contains("ما مدى رضاك؟") && page.contains("منخفض"), "{page}");
        // The points follow in the order of the file: the page turns them (formbricks/formbricks#5993).
        let at = |point: &str| page.find(&format!("value=\"{point}\"><span>")).unwrap();
        assert!(at("1") < at("10"));
        let fields = [("case", "0"), ("page", "0"), ("sat1", "8"), ("why", "price")];
        app.post(&format!("{link}/answers?lang=ar"), &fields).await;
        deadlines::freeze(&app.context, "A1").await.unwrap();
        while datasets::write_pending(&app.context).await.unwrap() > 0 {}
        let folder = app.context.config.datasets.join("A1").join("v1");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let responses = read("responses.csv");
        let header: Vec<&str> = responses.lines().next().unwrap().split(',').collect();
        let row: Vec<&str> = responses.lines().nth(1).unwrap().split(',').collect();
        let cell = |name: &str| row[header.iter().position(|column| *column == name).unwrap()];
        assert_eq!((cell("language"), cell("SAT1"), cell("WHY")), ("ar", "8", "price"));
        let codebook: serde_json::Value = serde_json::from_str(&read("codebook.json")).unwrap();
        let text = &codebook["variables"][0]["text"];
        assert_eq!(text["ar"], "ما مدى رضاك؟");
        assert_eq!(text["pt"], "Está satisfeito?");
        let ddi = read("codebook.ddi.xml");
        assert!(ddi.contains("<labl xml:lang=\"ar\">ما مدى رضاك؟</labl>"), "{ddi}");
        assert!(ddi.contains("<labl xml:lang=\"zh-Hant\">您有多滿意？</labl>"), "{ddi}");
        assert!(folder.join("questionnaire.ar.html").exists());
        let printed = read("questionnaire.ar.html");
        assert!(printed.contains("<html lang=\"ar\" dir=\"rtl\">"), "{printed}");
    }
}

/// Words in Arabic for the pages that are looked at.
const ARABIC: &str = r#"
language = "ar"
invites = "ندعوكم إلى تقييم"
rated = "الجهة التي يتم تقييمها: "
asked_by = ". الجهة المنظمة هي التي تجري هذا الاستبيان."
please_rate = "يرجى التقييم: "
duration_note = "يستغرق نحو 3 دقائق."
open_until = "مفتوح حتى"
privacy = "إشعار الخصوصية"
agree = "أوافق وأبدأ"
next = "التالي"
finish = "إرسال"
back = "السابق"
progress = "التقدم"
optional = "اختياري"
check_marked = "يرجى مراجعة الأسئلة المحددة."
missing = "يرجى الإجابة عن هذا السؤال."
"#;

/// A real Chromium finds nothing wrong with pages from right to left, in traditional Chinese and in
/// Portuguese: widths, colours, axe-core, and the direction of scales.
#[tokio::test(flavor = "multi_thread")]
async fn pages_in_other_languages_look_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ar.toml");
    std::fs::write(&file, ARABIC).unwrap();
    let (apps, _folder) = start(&[("WORDS__FILES", file.to_str().unwrap())]).await;
    let app = &apps[0];
    launch(app).await;
    let mut pages = Vec::new();
    for (n, tag) in [(0, "ar"), (1, "zh-Hant"), (2, "pt")] {
        let (welcome, link) = (app.link(n + 3).await, app.link(n).await);
        app.post(&format!("{link}/begin?lang={tag}"), CONSENT_FORM).await;
        for (name, link, submit) in
            [("welcome", &welcome, false), ("questions", &link, false), ("mistake", &link, true)]
        {
            let url = format!("{link}?lang={tag}");
            pages.push(serde_json::json!({ "name": format!("{tag} {name}"), "url": url, "submit": submit }));
        }
    }
    super::respondent_pages::look_at(pages, None).await;
}

/// Each person is invited and shown the page in the language that the questionnaire has for him:
/// zh-HK is traditional (greasyfork-org/greasyfork#1223), a region falls back to its language, and
/// whoever speaks none of them gets the first.
#[tokio::test]
async fn everybody_gets_the_nearest_language_of_the_questionnaire() {
    let (apps, _folder) = start(&[]).await;
    for app in apps {
        launch(&app).await;
        for (n, (cell, language)) in CELLS.iter().enumerate() {
            let (_, page) = app.get(&app.link(n).await).await;
            assert!(page.contains(&format!("<html lang=\"{language}\"")), "{cell}: {page}");
        }
        let (_, page) = app.get(&app.link(1).await).await;
        assert!(page.contains("同意並開始"), "{page}");
        let (_, page) = app.get(&app.link(2).await).await;
        assert!(page.contains("Concordar e começar"), "{page}");
        assert!(page.contains("Your name and number come from"), "{page}");
        // An address may name any language; the interview is in one of the questionnaire.
        let link = app.link(1).await;
        app.post(&format!("{link}/begin?lang=pt-AO"), CONSENT_FORM).await;
        let (_, page) = app.get(&format!("{link}?lang=tlh")).await;
        assert!(page.contains("<html lang=\"ar\""), "{page}");
        let fields = [("case", "0"), ("page", "0"), ("sat1", "8")];
        app.post(&format!("{link}/answers?lang=pt-AO"), &fields).await;
        let rows = {
            let mut connection = app.context.database.read().await.unwrap();
            let sql = "SELECT language FROM response";
            let found: Vec<String> =
                sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
            found
        };
        assert_eq!(rows, ["pt"], "{}", app.engine);
    }
}

/// Messages and calls are in the language of the page, which is one of the questionnaire: nobody
/// waits for an interviewer of a language in which nothing is asked.
#[tokio::test]
async fn an_invitation_is_in_a_language_of_the_questionnaire() {
    let (apps, _folder) = start(&[]).await;
    for app in apps {
        launch(&app).await;
        let mut connection = app.context.database.read().await.unwrap();
        let sql = "SELECT language FROM invitation ORDER BY respondent_id";
        let stored: Vec<String> =
            sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        assert_eq!(stored, CELLS.map(|(_, language)| language), "{}", app.engine);
    }
}

/// `ç` and `ã` are not in the GSM alphabet, `Ç` is (Vonage/vonage-ruby-sdk#255).
#[test]
fn portuguese_messages_are_counted_in_their_encoding() {
    let of = |text: &str| (measure_parts(text).encoding, measure_parts(text).parts);
    assert_eq!(of("Avalie o serviço"), (Encoding::Ucs2, 1));
    assert_eq!(of("Avaliação"), (Encoding::Ucs2, 1));
    assert_eq!(of("A QUALIDADE DO SERVIÇO é à hora"), (Encoding::Gsm7, 1));
    assert_eq!(of("{link} [ok] €"), (Encoding::Gsm7, 1));
    let text = "Responda STOP para sair. Obrigado pela participacao no nosso inquerito de 2026.";
    assert_eq!(of(text), (Encoding::Gsm7, 1));
    assert_eq!(of(&text.replace("participacao", "participação")), (Encoding::Ucs2, 2));
}

/// Words of a file stand on the page; what it lacks is English. Files are refused as the
/// configuration is read.
#[tokio::test]
async fn words_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sw.toml");
    std::fs::write(&file, "language = \"sw\"\nagree = \"Kubali na uanze\"\n").unwrap();
    let questionnaire = QUESTIONNAIRE.replace("ar = ", "sw = ").replace("\"ar\"", "\"sw\"");
    let (apps, questionnaires) = start(&[("WORDS__FILES", file.to_str().unwrap())]).await;
    std::fs::write(questionnaires.path().join("brand.toml"), questionnaire).unwrap();
    for app in apps {
        launch(&app).await;
        assert!(app.context.config.words[0].gaps().unwrap().contains("shown in en: "));
        let (_, page) = app.get(&app.link(5).await).await;
        assert!(page.contains("<html lang=\"sw\" dir=\"ltr\">"), "{page}");
        assert!(page.contains("Kubali na uanze") && page.contains("Privacy notice"), "{page}");
    }
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "language = \"sw\"\n[sms]\nscale = \"{from}\"\n").unwrap();
    let environment = [("FIELDWORKD_WORDS__FILES".to_owned(), bad.display().to_string())];
    let error = fieldworkd::adapters::config::Config::load(None, environment.into_iter())
        .unwrap_err()
        .to_string();
    assert!(error.contains("words.files") && error.contains("sms.scale"), "{error}");
}

/// A text that lacks a language of the questionnaire would be blank for its readers
/// (kobotoolbox/kpi#3480).
#[test]
fn a_text_without_a_language_of_the_questionnaire_is_refused_with_its_place() {
    let error = |from: &str, to: &str| {
        assert!(QUESTIONNAIRE.contains(from), "{from}");
        Questionnaire::parse(&QUESTIONNAIRE.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert_eq!(error(", pt = \"preço\"", ""), "item why: the text in language pt is missing");
    assert_eq!(
        error("pt = \"muito\"", "pt = \" \""),
        "item sat1: the text in language pt is missing"
    );
    assert_eq!(error("\"pt\"]", "\"pt\", \"en\"]"), "title: the text in language en is missing");
    assert_eq!(error("\"pt\"]", "\"pt\", \"pt\"]"), "languages: pt stands twice");
    assert!(error("\"pt\"]", "\"portuguese\"]").contains("no language tag"));
    assert!(error("pt = \"preço\"", "pt-PT-x = \"preço\"").contains("no language tag"));
}

/// The kind of surveysolutions/surveysolutions#1494: a translation that shows another name.
#[test]
fn a_translation_with_other_placeholders_is_a_finding() {
    let found = |text: &str| {
        let questionnaire = Questionnaire::parse(text).unwrap();
        review(&questionnaire).iter().any(|finding| finding.what.en().contains("placeholders"))
    };
    assert!(!found(QUESTIONNAIRE));
    assert!(found(&QUESTIONNAIRE.replace("Está satisfeito?", "Está satisfeito com {subject}?")));
}

/// Files without `languages` have those of their title, Chinese first.
#[test]
fn a_file_without_the_key_has_the_languages_of_its_title() {
    let text = QUESTIONNAIRE.replace("languages = [\"ar\", \"zh-Hant\", \"pt\"]\n", "");
    let questionnaire = Questionnaire::parse(&text).unwrap();
    let tags: Vec<String> = questionnaire.languages.iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["ar", "zh-Hant", "pt"]);
    let both = LocalizedText::zh_en("一", "one");
    let texts: BTreeMap<String, String> =
        serde_json::from_value(serde_json::to_value(&both).unwrap()).unwrap();
    assert_eq!(texts.len(), 2);
    let turned: LocalizedText = serde_json::from_str("{\"en\":\"one\",\"zh\":\"一\"}").unwrap();
    assert_eq!(turned, both);
    assert_eq!(turned.in_language(Language::PT), "一");
}
