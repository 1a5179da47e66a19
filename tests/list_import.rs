//! Lists as applicants deliver them, on both engines.

use crate::common;
use crate::common::{TestApp, list, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::{applications, lists};
use fieldworkd::services::list_import::{self, ImportRequest, ListImportError, RowDecision};
use fieldworkd::services::programmes::add_applications;
use fieldworkd::services::programmes::apply_programme;
use fieldworkd::simulation::Scenario;

const DIRTY: &str = "序号,姓名,手机号码,备注\n\
    1,王小明,138 1000 0000,\n\
    2,李四,0086-13810000001,\n\
    3,王小明,１３８１０００００００,又一次\n\
    4,赵六,1381000,\n\
    5,钱七,,没有\n\
    6,孙八,1.38E+10,\n\
    7,周九,021-61234567转8,座机\n";

async fn apps() -> Vec<TestApp> {
    TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await
}

#[tokio::test]
async fn a_dirty_list_gives_people_and_findings_that_name_the_place_and_hide_the_value() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        let outcome = app.import(&["A1"], DIRTY.as_bytes()).await.unwrap();
        assert_eq!(
            (outcome.rows, outcome.accepted, outcome.merged, outcome.rejected, outcome.fixed_lines),
            (7, 3, 1, 3, 1),
            "{}",
            app.engine
        );
        let rejected: Vec<(u32, &str, &str)> = outcome
            .findings
            .iter()
            .filter(|f| f.decision == RowDecision::Rejected)
            .map(|f| (f.row, f.column.as_str(), f.value.as_str()))
            .collect();
        assert_eq!(
            rejected,
            [(5, "手机号码", "138**00"), (6, "手机号码", ""), (7, "手机号码", "*.**E+**")]
        );
        let merged = outcome.findings.iter().find(|f| f.decision == RowDecision::Merged).unwrap();
        assert_eq!((merged.row, merged.message.contains("row 2")), (4, true));
        for finding in &outcome.findings {
            let text = format!("{finding:?}");
            assert!(!text.contains("王小明") && !text.contains("13810000000"), "{text}");
            assert!(!finding.message.is_empty());
        }
        assert_eq!(outcome.names, [("A1".to_owned(), 3)]);
    }
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_a_dry_run_writes_nothing() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        let applications = ["A1".to_owned()];
        let dry = ImportRequest {
            dry_run: true,
            ..ImportRequest::of(&applications, "x", DIRTY.as_bytes().into())
        };
        let outcome = list_import::import_list(&app.context, &dry, &mut |_, _| {}).await.unwrap();
        assert_eq!((outcome.accepted, outcome.findings.len()), (3, 5));
        let find = async || {
            applications::find(&mut app.context.database.read().await.unwrap(), "A1")
                .await
                .unwrap()
                .unwrap()
        };
        assert_eq!(find().await.list_received_at, None, "{}: a dry run is no receipt", app.engine);

        assert!(!app.import(&["A1"], DIRTY.as_bytes()).await.unwrap().already_imported);
        let received = find().await.list_received_at;
        assert_eq!(received, Some(app.clock.now()));
        app.clock.advance_to(common::local("2026-03-05T10:00:00"));
        let again = app.import(&["A1"], DIRTY.as_bytes()).await.unwrap();
        assert!(again.already_imported && again.names == [("A1".to_owned(), 3)]);
        assert_eq!(find().await.list_received_at, received);
        // Other bytes, the same people: all are merged, none is new.
        let other = app.import(&["A1"], format!("{DIRTY}\n").as_bytes()).await.unwrap();
        assert_eq!((other.already_imported, other.accepted, other.merged), (false, 0, 4));
    }
}

#[tokio::test]
async fn one_person_on_two_lists_of_an_applicant_is_one_respondent_and_on_another_applicants_list_another()
 {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.register_brand("B1", "b", "").await;
        app.import(&["A1"], list(3).as_bytes()).await.unwrap();
        let second = app.import(&["A2"], list(2).as_bytes()).await.unwrap();
        assert_eq!((second.accepted, second.merged), (2, 0));
        assert!(second.findings.iter().all(|f| f.decision == RowDecision::AcceptedWithNotice
            && f.message.contains("one invitation")));
        app.import(&["B1"], list(1).as_bytes()).await.unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let mut ids = Vec::new();
        for code in ["A1", "A2", "B1"] {
            ids.push(applications::find(&mut connection, code).await.unwrap().unwrap().id);
        }
        let people = lists::people_of(&mut connection, &ids).await.unwrap();
        let cases: Vec<usize> = people.iter().map(|p| p.applications.len()).collect();
        assert_eq!(cases, [2, 2, 1, 1], "{}: three of applicant a, one of applicant b", app.engine);
    }
}

#[tokio::test]
async fn a_shared_list_gives_each_person_one_case_in_each_application() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.register_brand("B1", "b", "").await;
        let outcome = app.import(&["A1", "A2"], list(5).as_bytes()).await.unwrap();
        assert_eq!(outcome.names, [("A1".to_owned(), 5), ("A2".to_owned(), 5)]);
        let error = app.import(&["A1", "B1"], list(6).as_bytes()).await.unwrap_err();
        assert!(matches!(error, ListImportError::DifferentApplicants(..)), "{error}");
        let unknown = app.import(&["A9"], list(1).as_bytes()).await.unwrap_err().to_string();
        assert_eq!(unknown, "no application has the code A9");
    }
}

#[tokio::test]
async fn a_list_over_the_cap_is_refused_whole_with_the_count() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        let error = app.import(&["A1"], list(101).as_bytes()).await.unwrap_err().to_string();
        assert!(
            error.contains("101 names") && error.contains("at most 100") && error.contains("by 1"),
            "{error}"
        );
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        assert!(
            lists::names_by_segment(&mut connection, id).await.unwrap().is_empty(),
            "{}: nothing was imported",
            app.engine
        );
        drop(connection);
        assert_eq!(app.import(&["A1"], list(100).as_bytes()).await.unwrap().accepted, 100);
        // One more person on a second list also exceeds the cap.
        let one_more = format!("姓名,手机\n新,{}\n", number(500));
        assert!(matches!(
            app.import(&["A1"], one_more.as_bytes()).await,
            Err(ListImportError::OverCap { names: 101, .. })
        ));
    }
}

#[tokio::test]
async fn what_cannot_be_a_list_is_refused_in_one_line() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    for (content, expected) in [
        (&b""[..], "empty"),
        (b"\xe5\xa7\x93", "no column holds telephone numbers"),
        ("姓名,手机\n".as_bytes(), "empty"),
        ("姓名,城市\n王,北京\n".as_bytes(), "no column holds telephone numbers"),
        (b"PK\x03\x04not a zip", "spreadsheet cannot be opened"),
        ("姓名,手机\n王,坏的\n".as_bytes(), "no row could be taken"),
    ] {
        let error = app.import(&["A1"], content).await.unwrap_err().to_string();
        assert!(
            error.starts_with("list.csv: ") && error.contains(expected) && !error.contains('\n'),
            "{error}"
        );
    }
}

/// The demo's lists in six formats, and an XLSX written here with numeric cells.
#[tokio::test]
async fn every_file_form_is_read() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let mut forms = Vec::new();
    for entry in std::fs::read_dir("config/demo/lists").unwrap() {
        let path = entry.unwrap().path();
        forms.push((
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            std::fs::read(&path).unwrap(),
        ));
    }
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, text) in ["Mobile", "Name"].into_iter().enumerate() {
        sheet.write(0, column as u16, text).unwrap();
    }
    sheet.write(1, 0, 13_812_345_678.0).unwrap();
    sheet.write(1, 1, "Somebody").unwrap();
    forms.push(("written".to_owned(), workbook.save_to_buffer().unwrap()));
    assert_eq!(forms.len(), 8);
    for (n, (name, content)) in forms.into_iter().enumerate() {
        let code = format!("F{n}");
        app.register_brand(&code, &format!("applicant{n}"), "").await;
        let outcome =
            app.import(&[&code], &content).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(
            outcome.accepted
                >= match name.as_str() {
                    "written" => 1,
                    "linquan-owners" => 22,
                    _ => 38,
                },
            "{name}: {} taken",
            outcome.accepted
        );
        assert!(outcome.rejected <= 2, "{name}: {} rejected", outcome.rejected);
    }
}

#[tokio::test]
async fn lists_after_the_cut_off_belong_to_the_next_programme() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    apply_programme(&app.context, &format!("{}cut_off = 2026-03-01\n", common::PROGRAMME))
        .await
        .unwrap();
    app.register_brand("A1", "a", "").await;
    assert!(matches!(
        app.import(&["A1"], list(1).as_bytes()).await,
        Err(ListImportError::AfterCutOff { .. })
    ));
    app.register_brand("A1", "a", "list_received = 2026-02-27").await;
    app.import(&["A1"], list(1).as_bytes()).await.unwrap();
}

#[tokio::test]
async fn applications_that_break_a_rule_are_refused_with_its_name() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let head = "programme = \"p26\"\n[[application]]\ncode = \"X\"\napplicant = { code = \"x\", \
        name = \"X\" }\n";
    for (rest, expected) in [
        (
            "category = \"product\"\nsubject = { brand = \"山海\", product = \"热水器\" }",
            "product with model and specification",
        ),
        (
            "category = \"project\"\nsubject = { name = \"江畔花园\" }",
            "building with place and number",
        ),
        ("category = \"brand\"\nsubject = { brand = \"甲、乙\" }", "one brand"),
        ("category = \"car\"\nsubject = {}", "category «car» is unknown"),
        (
            "category = \"brand\"\nsubject = { brand = \"甲\" }\nquota = { target = 101 }",
            "at most 100",
        ),
        ("category = \"brand\"\nsubject = { brand = \"甲\" }\ncolour = 1", "colour"),
    ] {
        let error = add_applications(&app.context, &format!("{head}{rest}\n"))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = add_applications(
        &app.context,
        "programme = \
            \"p99\"\n[[application]]\ncode=\"X\"\napplicant={code=\"x\",name=\"X\"}\ncategory=\"brand\"\nsubject={brand=\"甲\"}",
    );
    assert!(error.await.unwrap_err().to_string().contains("p99"));
}
