//! The questionnaire engine through the web: every kind of item, routing by the answers, and the
//! resulting dataset.

use crate::common;
use std::process::Command;

use crate::common::{TestApp, local};
use fieldworkd::domain::questionnaire::{ItemKind, Questionnaire};
use fieldworkd::services::datasets;
use fieldworkd::simulation::Scenario;

const EVERY_KIND: &str = include_str!("fixtures/every_kind.toml");

/// Starts installations with a field that asks the questionnaire with every kind of item.
async fn apps(people: usize) -> Vec<(TestApp, tempfile::TempDir)> {
    let mut apps = Vec::new();
    for engine in 0.. {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("brand.toml"), EVERY_KIND).unwrap();
        let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
        let Some(app) = TestApp::on_each_engine(Scenario::faultless(1, 50), &settings)
            .await
            .into_iter()
            .nth(engine)
        else {
            break;
        };
        app.launch_with_people(people, "").await;
        app.dispatcher.tick().await.unwrap();
        apps.push((app, folder));
    }
    apps
}

fn page<'a>(number: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("case", "0"), ("page", number)].into_iter().chain(fields.iter().copied()).collect()
}

/// What an item says itself of a wrong or a missing answer stands where the fixed words would.
#[tokio::test]
async fn an_item_says_in_its_own_words_what_is_wrong() {
    let file = EVERY_KIND.replacen(
        "id = \"sat1\",",
        "id = \"sat1\", missing_answer = { zh = \"请给一个分数\", en = \"A mark, please\" }, \
         wrong_answer = { zh = \"没有这个分数\", en = \"No such mark\" },",
        1,
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), file).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await {
        app.launch_with_people(1, "").await;
        app.dispatcher.tick().await.unwrap();
        let link = app.link(0).await;
        app.post(&format!("{link}/begin?lang=en"), common::CONSENT_FORM).await;
        for (language, missing, wrong) in
            [("zh", "请给一个分数", "没有这个分数"), ("en", "A mark, please", "No such mark")]
        {
            let answers = format!("{link}/answers?lang={language}");
            app.post(&answers, &page("0", &[("use", "daily")])).await;
            let (status, _, again) = app.post(&answers, &page("1", &[("g1", "4")])).await;
            assert!(status == 422 && again.contains(missing), "{status} {again}");
            let (_, _, again) = app.post(&answers, &page("1", &[("sat1", "99")])).await;
            assert!(again.contains(wrong), "{again}");
        }
    }
}

#[tokio::test]
async fn routing_follows_the_answers_and_answers_off_the_route_are_dropped() {
    for (app, _folder) in apps(3).await {
        let engine = app.engine;
        let link = app.link(0).await;
        let answers = format!("{link}/answers?lang=en");
        let site = link.split("/i/").next().unwrap().to_owned();
        app.post(&format!("{link}/begin?lang=en"), common::CONSENT_FORM).await;
        let (_, first) = app.get(&format!("{link}?lang=en")).await;
        assert!(
            first.contains("a公司 would like your view of A1牌.") && first.contains("Progress 1/3"),
            "{engine}: texts are filled in\n{first}"
        );
        assert_eq!(app.post(&answers, &page("0", &[("use", "daily")])).await.0, 303);
        let (_, second) = app.get(&format!("{link}?lang=en&page=1")).await;
        assert!(
            second.contains("Please rate:")
                && second.contains("value=\"-5\"")
                && second.contains("value=\"dk\""),
            "{engine}: {second}"
        );
        // Dissatisfied: the page of reasons is on the path.
        let (_, to, _) =
            app.post(&answers, &page("1", &[("sat1", "1"), ("g1", "4"), ("g2", "na")])).await;
        let (_, third) = app.get(&format!("{site}{to}")).await;
        assert!(
            third.contains("You use it (Every day)") && third.contains("3/4"),
            "{engine}: {to}\n{third}"
        );
        assert!(
            third.contains("type=\"checkbox\"")
                && third.find("None of these").unwrap() > third.find("Quality").unwrap()
        );
        // A form sends each choice as a separate field; an exclusive option excludes the others.
        let (status, _, again) =
            app.post(&answers, &page("2", &[("why", "none"), ("why", "price")])).await;
        assert!(
            status == 422
                && again.contains("This option cannot be chosen together with others.")
                && again.contains("value=\"price\" checked")
        );
        assert_eq!(
            app.post(&answers, &page("2", &[("why", "quality"), ("why", "price")])).await.0,
            303
        );
        let (_, fourth) = app.get(&format!("{link}?lang=en&page=3")).await;
        assert!(
            fourth.contains("name=\"paid\"")
                && !fourth.contains("name=\"since\"")
                && fourth.contains("name=\"rank1.a\""),
            "{engine}: {fourth}"
        );
        let ranked = [("rank1.a", "2"), ("rank1.b", "1"), ("rank1.c", "1")];
        let (status, _, again) =
            app.post(&answers, &page("3", &[&[("paid", "99.9")], &ranked[..]].concat())).await;
        assert!(
            status == 422
                && again.contains("a place of its own")
                && again.contains("value=\"99.9\""),
            "{engine}: {again}"
        );
        // Back, and satisfied after all: the reasons and the price are not asked any more, and
        // their answers do not count.
        assert_eq!(
            app.post(&answers, &page("1", &[("sat1", "4"), ("g1", "4"), ("g2", "na")])).await.0,
            303
        );
        let (_, to, _) = app.post(&answers, &page("2", &[("why", "other")])).await;
        assert!(
            app.get(&format!("{site}{to}")).await.1.contains("name=\"rank1.a\""),
            "{engine}: a page that is not asked any more leads on"
        );
        let ranked =
            [("rank1.a", "2"), ("rank1.b", "1"), ("rank1.c", "3"), ("open1", "电话 13800138000")];
        assert_eq!(app.post(&answers, &page("3", &ranked)).await.0, 303);
        assert!(app.get(&link).await.1.contains("感谢您的评价"), "{engine}");

        // Another one is not a user, and is screened out by an answer.
        let link = app.link(1).await;
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        app.post(&format!("{link}/answers"), &page("0", &[("use", "never")])).await;
        assert!(app.get(&link).await.1.contains("谢谢您的说明"), "{engine}");
        // A third one is dissatisfied to the end.
        let link = app.link(2).await;
        let answers = format!("{link}/answers");
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        for (number, fields) in [
            ("0", vec![("use", "rarely")]),
            ("1", vec![("sat1", "dk"), ("g1", "1"), ("g2", "2")]),
            ("1", vec![("sat1", "-5"), ("g1", "1"), ("g2", "2")]),
            ("2", vec![("why", "price")]),
            ("3", vec![("paid", "１２.5"), ("rank1.a", "1"), ("rank1.b", "2"), ("rank1.c", "3")]),
        ] {
            assert_eq!(
                app.post(&answers, &page(number, &fields)).await.0,
                303,
                "{engine}: page {number}"
            );
        }
        assert_eq!(
            app.dispositions("A1").await,
            [("1.1", 2), ("4.1", 1)].map(|(code, n)| (code.to_owned(), n)),
            "{engine}"
        );

        let mut connection = app.context.database.read().await.unwrap();
        let paradata: Vec<String> = sqlx::query_scalar(
            "SELECT option_order FROM answer WHERE item = 'why' AND option_order IS NOT NULL",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        assert!(
            paradata.len() == 1
                && paradata[0].split(' ').count() == 4
                && paradata[0].ends_with(" none"),
            "{engine}: the drawn order is kept, {paradata:?}"
        );
        drop(connection);
        app.advance_until(local("2026-05-14T00:00:00")).await;
        assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1);
        let folder = app.context.config.datasets.join("A1/v1");
        let csv = std::fs::read_to_string(folder.join("responses.csv")).unwrap();
        let mut lines = csv.lines();
        let columns = "USE,SAT1,G1,G2,WHY_price,WHY_quality,WHY_other,WHY_none,PAID,SINCE,RANK_a,RANK_b,RANK_c,OPEN1,w_raked";
        assert!(lines.next().unwrap().ends_with(columns), "{csv}");
        let mut rows: Vec<&str> = lines.map(|line| line.splitn(16, ',').last().unwrap()).collect();
        rows.sort_unstable();
        assert_eq!(
            rows[0],
            "daily,4,4,.not_applicable,.not_asked,.not_asked,.not_asked,.not_asked,.not_asked,\
             .not_asked,2,1,3,电话 […],1",
            "{engine}: {csv}"
        );
        assert_eq!(
            rows[1], "rarely,-5,1,2,1,0,0,0,12.5,.not_asked,1,2,3,.skipped,1",
            "{engine}: {csv}"
        );
        common::validate_dataset(&folder);
        datasets::verify(&folder, None).unwrap();
    }
}

fn check(file: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
        .args(["questionnaire", "check", file])
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_file_is_checked_drawn_and_printed_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (diagram, form) = (path("way.svg"), path("form.html"));
    let (status, said, _) = check(
        "tests/fixtures/every_kind.toml",
        &["--diagram", &diagram, "--form", &form, "--language", "en"],
    );
    assert!(
        status == Some(0)
            && said
                .contains("every_kind version 1: 4 pages, 9 items, about 1.5 minutes; 0 mistakes"),
        "{said}"
    );
    let diagram = std::fs::read_to_string(diagram).unwrap();
    assert!(
        diagram.contains("sat1 &lt;= 2")
            && diagram.contains("4.1 ⟨use == &apos;never&apos;⟩")
            && diagram.matches("class=\"arrow\"").count() == 2,
        "{diagram}"
    );
    quick_xml::Reader::from_str(&diagram).read_event().unwrap();
    let form = std::fs::read_to_string(form).unwrap();
    assert!(
        form.contains("How satisfied are you?")
            && form.contains("☞ Read out word by word")
            && form.contains("1–2 of them"),
        "{form}"
    );
    // surveyjs/survey-pdf#298: on paper nothing replaces a name; there is a line to write on.
    assert!(
        form.contains("<p>About ________</p>")
            && form.contains("________ would like your view of ________.")
            && form.contains("You use it (________); why")
            && !form.split("</style>").nth(1).unwrap().contains('{'),
        "{form}"
    );

    let wrong = path("wrong.toml");
    std::fs::write(&wrong, EVERY_KIND.replace("sat1 <= 2", "sat1 > 9")).unwrap();
    let (status, said, error) = check(&wrong, &[]);
    assert!(
        status == Some(1)
            && said.contains("nobody is ever asked")
            && error.contains("correct them before the launch"),
        "{said}{error}"
    );
    // A text that no cell of a worksheet holds, and a number that may be anything.
    let limits = EVERY_KIND
        .replace("max_chars = 200", "max_chars = 40000")
        .replace("min = 0, max = 100000, ", "");
    std::fs::write(&wrong, limits).unwrap();
    let (status, said, error) = check(&wrong, &[]);
    assert!(
        status == Some(1)
            && said.contains("mistake  item open1     max_chars 40000 is not from 1 to 32767")
            && said.contains("remark   item paid      without min and max, numbers are taken from")
            && error.contains("1 of these cannot be meant so"),
        "{said}{error}"
    );
    std::fs::write(&wrong, EVERY_KIND.replace("sat1 <= 2", "sat9 <= 2")).unwrap();
    let (status, _, error) = check(&wrong, &[]);
    assert!(
        status == Some(1)
            && error.contains("wrong.toml: page 3: «sat9 <= 2» looks at sat9")
            && error.trim().lines().count() == 1,
        "{error}"
    );
}

#[test]
fn the_shipped_questionnaires_have_no_mistake() {
    for file in std::fs::read_dir("config/questionnaires").unwrap() {
        let file = file.unwrap().path();
        let (status, said, error) = check(file.to_str().unwrap(), &["--json"]);
        assert_eq!(status, Some(0), "{said}{error}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(said["minutes"].as_f64().unwrap() <= 3.0, "{said}");
    }
}

/// Writes an XLSForm workbook.
fn workbook(path: &str, survey: &[&[&str]], choices: &[&[&str]]) {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let settings: &[&[&str]] =
        &[&["form_title", "form_id", "version"], &["门店满意度", "store_2026", "3"]];
    for (name, rows) in [("survey", survey), ("choices", choices), ("settings", settings)] {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name).unwrap();
        for (row, cells) in rows.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                sheet
                    .write_string(
                        u32::try_from(row).unwrap(),
                        u16::try_from(column).unwrap(),
                        *cell,
                    )
                    .unwrap();
            }
        }
    }
    workbook.save(path).unwrap();
}

const SURVEY: [&[&str]; 12] = [
    &[
        "type",
        "name",
        "label::中文 (zh)",
        "label::English (en)",
        "required",
        "relevant",
        "latent",
        "parameters",
        "hint",
        "constraint",
    ],
    &["start", "start", "", "", "", "", "", "", "", ""],
    &["begin_group", "g1", "到店", "Your visit", "", "", "", "", "", ""],
    &[
        "select_one often",
        "use",
        "多久来一次？",
        "How often do you come?",
        "yes",
        "",
        "",
        "",
        "逐字念出",
        "",
    ],
    &[
        "range",
        "sat",
        "满意吗？",
        "How satisfied are you?",
        "yes",
        "",
        "satisfaction",
        "start=1 end=10 step=1",
        "",
        "",
    ],
    &[
        "select_multiple reason",
        "why",
        "为什么？",
        "Why?",
        "yes",
        "${sat} <= 4 and not(${use} = '1')",
        "",
        "randomize=true",
        "",
        "",
    ],
    &["end_group", "", "", "", "", "", "", "", "", ""],
    &["begin_group", "g2", "细节", "Details", "", "${sat} <= 4", "", "", "", ""],
    &[
        "decimal",
        "paid",
        "${use}：花了多少？",
        "How much did you spend?",
        "",
        "selected(${why}, 'price')",
        "",
        "",
        "",
        ". >= 0 and . <= 9999.5",
    ],
    &["note", "thanks", "谢谢", "Thank you", "", "", "", "", "", ""],
    &["end_group", "", "", "", "", "", "", "", "", ""],
    &["text", "open", "还有什么？", "", "", "", "", "", "", ""],
];
const CHOICES: [&[&str]; 5] = [
    &["list_name", "name", "label::中文 (zh)", "label::English (en)"],
    &["often", "1", "每周", "Weekly"],
    &["often", "2", "很少", "Rarely"],
    &["reason", "price", "价格", "Price"],
    &["reason", "other", "其他", "Other"],
];

/// Checks that pyxform, the XLSForm reference reader, accepts our sample too.
fn is_good_for_pyxform(form: &str) {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else { return };
    let output = Command::new(python)
        .args(["-m", "pyxform.xls2xform", "--skip_validate", form])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(std::fs::read_to_string(form.replace(".xlsx", ".xml")).unwrap().contains("selected("));
}

#[test]
fn an_xlsform_becomes_a_questionnaire_to_be_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
            .arg("questionnaire")
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (form, toml) = (path("form.xlsx"), path("form.toml"));
    workbook(&form, &SURVEY, &CHOICES);
    is_good_for_pyxform(&form);
    let (status, _, remarks) = run(&["import", &form, "--output", &toml]);
    assert_eq!(status, Some(0), "{remarks}");
    for remark in [
        "row 2: start is left out",
        "sat is a scale; give its ends words",
        "2 texts stand in one language only",
        "no column core",
    ] {
        assert!(remarks.contains(remark), "{remarks}");
    }
    let read = Questionnaire::parse(&std::fs::read_to_string(&toml).unwrap()).unwrap();
    assert_eq!(
        (read.code.as_str(), read.version, read.title.zh()),
        ("store_2026", 3, "门店满意度")
    );
    let pages: Vec<Vec<&str>> = read
        .pages
        .iter()
        .map(|page| page.items.iter().map(|item| item.id.as_str()).collect())
        .collect();
    assert_eq!(
        pages,
        [vec!["use", "sat"], vec!["why"], vec!["paid", "thanks"], vec!["open"]],
        "a condition looks at earlier pages"
    );
    let condition =
        |id: &str| read.item(id).unwrap().show_if.as_ref().map(|c| c.source().to_owned());
    assert_eq!(condition("why").as_deref(), Some("sat <= 4 && !(use == '1')"));
    let ItemKind::Number(range) = &read.item("paid").unwrap().kind else { panic!() };
    assert_eq!((range.min, range.max), (Some(0.0), Some(9999.5)));
    assert_eq!(condition("paid").as_deref(), Some("'price' in why"));
    assert_eq!(read.pages[2].show_if.as_ref().unwrap().source(), "sat <= 4");
    assert!(read.item("paid").unwrap().text.zh().starts_with("{answer:use}"));
    let (status, said, error) = run(&["check", &toml]);
    assert!(status == Some(0) && said.contains("0 mistakes"), "{said}{error}");

    let mut wrong = SURVEY.to_vec();
    wrong[8] = &["image", "photo", "拍照", "Photo", "", "", "", "", "", ""];
    workbook(&form, &wrong, &CHOICES);
    let (status, _, error) = run(&["import", &form]);
    assert!(
        status == Some(1)
            && error.contains("form.xlsx: sheet survey, row 9: type image cannot be asked here"),
        "{error}"
    );
    let mut more = wrong.clone();
    more[11] = &["audio", "sound", "录音", "Sound", "", "", "", "", "", ""];
    workbook(&form, &more, &CHOICES);
    let (status, _, error) = run(&["import", &form]);
    let lines: Vec<&str> = error.lines().collect();
    assert!(
        status == Some(1)
            && lines[0].ends_with("form.xlsx: it cannot be imported for 2 reasons:")
            && lines[1].starts_with("  sheet survey, row 9: type image")
            && lines[2].starts_with("  sheet survey, row 12: type audio")
            && lines[3].contains("[xlsform.row]"),
        "{error}"
    );
    workbook(&form, &wrong, &CHOICES);
    let (status, _, remarks) = run(&["import", &form, "--leave-out", "--output", &toml]);
    assert!(
        status == Some(0) && remarks.contains("row 9: type image cannot be asked here; left out"),
        "{remarks}"
    );
    let (status, _, error) = run(&["import", &form, "--leave-out", "--language", "zh=French"]);
    assert!(
        status == Some(1)
            && error.contains("no language «French»; it has: 中文 (zh), English (en)")
            && error.contains("[xlsform.language]"),
        "{error}"
    );
    let (status, _, error) = run(&["import", &form, "--language", "french=French"]);
    assert!(status == Some(1) && error.contains("write TAG=NAME"), "{error}");
    // What is exported is imported as the same file.
    let (status, _, error) = run(&["export", &toml, "--xlsform", &path("again.xlsx")]);
    assert_eq!(status, Some(0), "{error}");
    let (status, again, error) = run(&["import", &path("again.xlsx")]);
    assert_eq!(status, Some(0), "{error}");
    let file = std::fs::read_to_string(&toml).unwrap();
    let parsed = |file: &str| format!("{:?}", Questionnaire::parse(file).unwrap());
    assert_eq!(parsed(&again), parsed(&file));

    workbook(&form, &SURVEY, &CHOICES[..3]);
    let (status, _, error) = run(&["import", &form]);
    assert!(
        status == Some(1) && error.contains("row 6: the list reason has no choices"),
        "{error}"
    );
    std::fs::write(&form, "name,phone\n").unwrap();
    let (status, _, error) = run(&["import", &form]);
    assert!(status == Some(1) && error.trim().lines().count() == 1, "{error}");
}

#[test]
fn the_published_schema_is_that_of_the_program() {
    let output = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
        .args(["questionnaire", "schema"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let published = std::fs::read_to_string("docs/questionnaire.schema.json").unwrap();
    assert!(
        published == printed,
        "write it anew: fieldworkd questionnaire schema > docs/questionnaire.schema.json"
    );
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else { return };
    // The library used by frictionless finds our files valid, and a misspelt one invalid.
    let script = "import json, sys, tomllib, jsonschema\nschema = json.load(open(sys.argv[1]))\n\
                  [jsonschema.Draft202012Validator(schema).validate(tomllib.load(open(f, 'rb'))) \
                  for f in sys.argv[2:]]\n\
                  bad = tomllib.load(open(sys.argv[2], 'rb')); bad['page'][0]['item'][0]['typ'] \
                  = 'x'\n\
                  sys.exit(0 if not jsonschema.Draft202012Validator(schema).is_valid(bad) else 1)";
    let files: Vec<_> = std::fs::read_dir("config/questionnaires")
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let mut python = Command::new(python);
    let output = python
        .args(["-c", script, "docs/questionnaire.schema.json", "tests/fixtures/every_kind.toml"])
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
