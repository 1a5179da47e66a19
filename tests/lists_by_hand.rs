//! What staff decide about lists: how they are read, who stays on a list over the limit, and what
//! goes back to the applicant to be corrected.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};

use crate::common::{TestApp, list, number};
use fieldworkd::adapters::database::cases::DispositionSource;
use fieldworkd::adapters::database::{applications, lists};
use fieldworkd::domain::category::Category;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::services::drafts::lists::{self as drafts, LeaveOut};
use fieldworkd::services::list_import::headers::ListColumn;
use fieldworkd::services::list_import::{
    DrawSeed, ImportOutcome, ImportRequest, ListImportError, ListOptions, RowDecision, Selection,
    correction_sheet, import_list, read_table, template,
};
use fieldworkd::services::programmes::{add_applications, apply_programme, contact_of};
use fieldworkd::services::suppressions::{self, SuppressionRequest};
use fieldworkd::simulation::Scenario;
use phonenumber::country;

async fn apps() -> Vec<TestApp> {
    TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await
}

/// Registers a product of an applicant, of which 50 users may be named.
async fn register_product(app: &TestApp, code: &str, applicant: &str) {
    let file = format!(
        "programme = \"p26\"\n[[application]]\ncode = \"{code}\"\napplicant = {{ code = \
            \"{applicant}\", name = \"{applicant}公司\" }}\ncategory = \"product\"\n\
         subject = {{ brand = \"远帆\", product = \"{code}热水器\", model = \"H3\", \
            specification = \"16L\" }}\n"
    );
    add_applications(&app.context, &file).await.unwrap();
}

async fn import(
    app: &TestApp,
    codes: &[&str],
    content: &[u8],
    (options, selection): (ListOptions, Selection),
) -> Result<ImportOutcome, ListImportError> {
    let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    let request = ImportRequest {
        options,
        selection,
        ..ImportRequest::of(&codes, "list.csv", content.into())
    };
    import_list(&app.context, &request, &mut |_, _| ()).await
}

fn selection(left_out: &str, draw: Option<DrawSeed>) -> (ListOptions, Selection) {
    let left_out = Selection::parse(left_out, false, None).unwrap().left_out;
    (ListOptions::default(), Selection { left_out, draw })
}

fn said(header_row: Option<u32>, columns: &[&str]) -> (ListOptions, Selection) {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let options = ListOptions::parse(None, None, header_row, &columns).unwrap();
    (options, Selection::default())
}

/// The rows that are left out.
fn left_out(outcome: &ImportOutcome) -> BTreeSet<u32> {
    let findings = outcome.findings.iter();
    findings.filter(|f| f.decision == RowDecision::LeftOut).map(|f| f.row).collect()
}

/// The cells of the first sheet of a workbook.
fn cells(workbook: &[u8]) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(workbook)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(|row| row.iter().map(Data::to_string).collect()).collect()
}

/// The same seed draws the same people: votingworks/arlo 208.
#[tokio::test]
async fn a_list_over_the_limit_is_drawn_by_a_seed_that_is_recorded() {
    for app in apps().await {
        register_product(&app, "A1", "a").await;
        let people = list(70);
        let over = app.import(&["A1"], people.as_bytes()).await.unwrap_err();
        let ListImportError::OverCap { over: 20, cap: 50, .. } = &over else { panic!("{over}") };
        let drawn = selection("", Some(DrawSeed::OfFile));
        let outcome = import(&app, &["A1"], people.as_bytes(), drawn.clone()).await.unwrap();
        let draw = outcome.drawn.unwrap();
        assert_eq!((draw.from, draw.kept, outcome.accepted, outcome.left_out), (70, 50, 50, 20));
        assert_eq!((outcome.names[0].1, left_out(&outcome).len()), (50, 20), "{}", app.engine);
        // The seed and what was drawn from are on record.
        let mut connection = app.context.database.read().await.unwrap();
        let application = applications::find(&mut connection, "A1").await.unwrap().unwrap();
        let imports =
            lists::imports_of(&mut connection, application.applicant_id, "A1").await.unwrap();
        drop(connection);
        assert_eq!((imports[0].0.draw, imports[0].0.left_out), (Some((draw.seed, 70)), 20));
        // The same again changes nothing; the same seed draws the same people elsewhere.
        let again = import(&app, &["A1"], people.as_bytes(), drawn).await.unwrap();
        assert!(again.already_imported, "{}", app.engine);
        register_product(&app, "B1", "b").await;
        let given = selection("", Some(DrawSeed::Given(draw.seed)));
        let elsewhere = import(&app, &["B1"], people.as_bytes(), given).await.unwrap();
        assert_eq!(left_out(&elsewhere), left_out(&outcome), "{}", app.engine);
        let other = selection("", Some(DrawSeed::Given(draw.seed.wrapping_add(1))));
        register_product(&app, "C1", "c").await;
        let other = import(&app, &["C1"], people.as_bytes(), other).await.unwrap();
        assert_ne!(left_out(&other), left_out(&outcome), "{}", app.engine);
        // A list within the limit is not drawn from.
        register_product(&app, "D1", "d").await;
        let draw = selection("", Some(DrawSeed::OfFile));
        let whole = import(&app, &["D1"], list(50).as_bytes(), draw).await.unwrap();
        assert_eq!((whole.accepted, whole.drawn, whole.left_out), (50, None, 0));
    }
}

#[tokio::test]
async fn people_are_left_out_by_hand_with_all_their_rows() {
    for app in apps().await {
        register_product(&app, "A1", "a").await;
        // Rows 2 to 53 are 52 people; row 54 is the first of them again.
        let people = format!("{}又一次,{}\n", list(52), number(0));
        let people = people.as_bytes();
        let header = String::from_utf8_lossy(people).lines().next().unwrap().to_owned();
        assert_eq!(header.split(',').count(), 2, "{header}");
        let outcome = import(&app, &["A1"], people, selection("2-3", None)).await.unwrap();
        assert_eq!((outcome.accepted, outcome.left_out, outcome.merged), (50, 2, 1));
        assert_eq!(left_out(&outcome), BTreeSet::from([2, 3]), "{}", app.engine);
        // Too few are left out, and the rest is drawn.
        register_product(&app, "B1", "b").await;
        let few = import(&app, &["B1"], people, selection("2", None)).await.unwrap_err();
        assert!(matches!(few, ListImportError::OverCap { over: 1, .. }), "{few}");
        let both = selection("2", Some(DrawSeed::Given(5)));
        let both = import(&app, &["B1"], people, both).await.unwrap();
        assert_eq!((both.accepted, both.left_out), (50, 2), "{}", app.engine);
        assert!(left_out(&both).contains(&2), "{}", app.engine);
    }
}

#[tokio::test]
async fn somebody_left_out_does_not_come_in_again_thousands_of_rows_later() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let programme = format!("{}\n[caps]\nproduct = 6000\n", crate::common::PROGRAMME);
    apply_programme(&app.context, &programme).await.unwrap();
    register_product(&app, "A1", "a").await;
    // More rows than are read together.
    let people = format!("{}又一次,{}\n", list(5_500), number(0));
    let outcome = import(&app, &["A1"], people.as_bytes(), selection("2", None)).await.unwrap();
    assert_eq!((outcome.accepted, outcome.left_out, outcome.merged), (5_499, 1, 1));
}

#[tokio::test]
async fn each_application_of_a_shared_list_has_its_own_limit() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    register_product(&app, "A1", "a").await;
    app.register_brand("A2", "a", "").await;
    // Ten are on the product's list already; the brand may have a hundred names.
    app.import(&["A1"], list(10).as_bytes()).await.unwrap();
    let drawn = selection("", Some(DrawSeed::OfFile));
    let outcome = import(&app, &["A1", "A2"], list(70).as_bytes(), drawn).await.unwrap();
    assert_eq!(outcome.names, [("A1".to_owned(), 50), ("A2".to_owned(), 50)]);
    assert_eq!(outcome.left_out, 20);
}

#[tokio::test]
async fn a_draft_over_the_limit_is_ticked_off_or_drawn() {
    for app in apps().await {
        register_product(&app, "A1", "a").await;
        let codes = ["A1".to_owned()];
        let people = list(60);
        let people = people.as_bytes();
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", people);
        let id = id.await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert!(matches!(preview.outcome, Err(ListImportError::OverCap { over: 10, .. })));
        drafts::leave_out(&app.context, id, LeaveOut::Rows((2..=4).collect())).await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert!(matches!(preview.outcome, Err(ListImportError::OverCap { over: 7, .. })));
        drafts::leave_out(&app.context, id, LeaveOut::Draw).await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        let first = left_out(preview.outcome.as_ref().unwrap());
        assert_eq!(first.len(), 10, "{}", app.engine);
        // A correction afterwards draws nobody else.
        let corrections = BTreeMap::from([((61, 0), "另一个名字".to_owned())]);
        drafts::correct(&app.context, id, &corrections).await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert_eq!(left_out(preview.outcome.as_ref().unwrap()), first, "{}", app.engine);
        drafts::leave_out(&app.context, id, LeaveOut::Nobody).await.unwrap();
        assert!(drafts::preview(&app.context, id).await.unwrap().outcome.is_err());
        drafts::leave_out(&app.context, id, LeaveOut::Draw).await.unwrap();
        let outcome = drafts::import_list_draft(&app.context, id).await.unwrap();
        assert_eq!((outcome.accepted, outcome.names[0].1), (50, 50), "{}", app.engine);
    }
}

/// Columns are chosen once for a form and not with every file, whatever it is called: dbeaver 10332,
/// mautic 1491, tableflowhq/csv-import 232.
#[tokio::test]
async fn how_a_form_is_read_is_remembered_for_the_applicant() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.register_brand("B1", "b", "").await;
        let form = |from: usize| {
            let row = |n: usize| format!("x{n},{},{},赵{n}\n", number(n), number(n + 500));
            let rows: String = (from..from + 3).map(row).collect();
            format!("名册\n编码,甲列,乙列,丙列\n{rows}")
        };
        let chosen = said(Some(2), &["mobile=C", "name=D"]);
        let first = import(&app, &["A1"], form(0).as_bytes(), chosen).await.unwrap();
        assert_eq!((first.accepted, first.known_form), (3, false), "{}", app.engine);
        let second = app.import(&["A1"], form(10).as_bytes()).await.unwrap();
        assert_eq!((second.accepted, second.known_form), (3, true), "{}", app.engine);
        // The third column, and not the second, which holds numbers as well.
        let codes = ["A2".to_owned()];
        let third = form(20);
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", third.as_bytes());
        let id = id.await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert!(preview.is_known_form, "{}", app.engine);
        assert_eq!(preview.columns[2], Some(ListColumn::Mobile), "{}", app.engine);
        assert_eq!(preview.columns[1], None, "{}", app.engine);
        // Another form is another question, and so is the same form of somebody else.
        let other = form(30).replace("甲列", "子列");
        assert!(!app.import(&["A1"], other.as_bytes()).await.unwrap().known_form);
        let foreign = app.import(&["B1"], form(40).as_bytes()).await;
        assert!(!foreign.is_ok_and(|outcome| outcome.known_form), "{}", app.engine);
        // What is said on the page is remembered as well, and goes before what was known.
        let again = BTreeMap::from([(1, ListColumn::Mobile), (3, ListColumn::Name)]);
        drafts::choose_columns(&app.context, id, &again, Some(2)).await.unwrap();
        drafts::import_list_draft(&app.context, id).await.unwrap();
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", third.as_bytes());
        let preview = drafts::preview(&app.context, id.await.unwrap()).await.unwrap();
        assert_eq!(preview.columns[1], Some(ListColumn::Mobile), "{}", app.engine);
    }
}

/// An encoding that was guessed wrongly is corrected on the page, from the bytes as they came
/// (otherworld-dev/Budget 371, LukeMurphey/lookup-editor 43, nocodb 9634); the list may stand on
/// another sheet than the one that was found (OpenRefine 280, programmeres/excel-boot 6).
#[tokio::test]
async fn a_draft_is_read_again_in_another_encoding_or_from_another_sheet() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        let codes = ["A1".to_owned()];
        let text = format!("姓名,手機,單位\n陳大文,{},香港中環某某公司\n", number(0));
        let (big5, ..) = encoding_rs::BIG5.encode(&text);
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", &big5);
        let id = id.await.unwrap();
        drafts::read_again(&app.context, id, "", "gb18030").await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert!(preview.is_text && preview.encoding.as_deref() == Some("gb18030"));
        assert_ne!(preview.rows[0].cells[0].reveal(), "陳大文", "{}", app.engine);
        let wrong = drafts::read_again(&app.context, id, "", "klingon").await.unwrap_err();
        assert!(wrong.to_string().contains("klingon"), "{wrong}");
        drafts::read_again(&app.context, id, "", "big5").await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert_eq!(preview.rows[0].cells[0].reveal(), "陳大文", "{}", app.engine);
        drafts::import_list_draft(&app.context, id).await.unwrap();
        // The encoding is remembered with the form.
        let (big5, ..) = encoding_rs::BIG5.encode(&text);
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", &big5);
        let preview = drafts::preview(&app.context, id.await.unwrap()).await.unwrap();
        assert_eq!(preview.encoding.as_deref(), Some("Big5"), "{}", app.engine);

        let mut book = rust_xlsxwriter::Workbook::new();
        for (name, from) in [("去年", 100), ("今年", 200)] {
            let sheet = book.add_worksheet();
            sheet.set_name(name).unwrap();
            for (column, header) in ["姓名", "手机", name].iter().enumerate() {
                sheet.write_string(0, column as u16, *header).unwrap();
            }
            sheet.write_string(1, 0, name).unwrap();
            sheet.write_string(1, 1, number(from)).unwrap();
        }
        let book = book.save_to_buffer().unwrap();
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.xlsx", &book);
        let id = id.await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert_eq!(preview.sheets, ["去年", "今年"], "{}", app.engine);
        drafts::read_again(&app.context, id, "2", "").await.unwrap();
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert_eq!(preview.rows.len(), 1, "{}", app.engine);
        assert_eq!(preview.rows[0].cells[0].reveal(), "今年", "{}", app.engine);
        let nowhere = drafts::read_again(&app.context, id, "7", "").await;
        assert!(nowhere.is_err(), "{}", app.engine);
        let preview = drafts::preview(&app.context, id).await.unwrap();
        assert_eq!(preview.rows[0].cells[0].reveal(), "今年", "nothing is lost");
        drafts::discard_draft(&app.context, id).await.unwrap();
    }
}

/// Wrong rows are handed back, those only, with the wrong cells shown: frappe 23295 (186 rows exported
/// for 29 that had failed), odoo 2686, django-import-export 503.
#[tokio::test]
async fn the_correction_sheet_goes_to_the_applicant_and_comes_back_as_a_list() {
    for app in apps().await {
        app.register_brand("A1", "a", "").await;
        let (blocked, first) = (number(9), number(1));
        let blocked_phone = Phone::parse(&blocked, country::CN).unwrap();
        let request = SuppressionRequest {
            phone_hash: &app.context.keys.hasher().phone_hash(&blocked_phone),
            programme: None,
            reason: SuppressionReason::OptOut,
            expires_at: None,
        };
        let mut tx = app.context.database.write().await.unwrap();
        let source = DispositionSource::Reply;
        suppressions::suppress(&mut tx, &request, source, app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        let people = format!(
            "登记表,,\n编号,姓名,手机号码\n1,王,{first}\n2,李,1381000\n3,赵,\n4,钱,{first}\n5,孙,李总{}\n6,周,{blocked}\n",
            number(5)
        );
        let codes = ["A1".to_owned()];
        let request = ImportRequest::of(&codes, "l.csv", people.as_bytes().into());
        let outcome = import_list(&app.context, &request, &mut |_, _| ()).await.unwrap();
        assert_eq!((outcome.accepted, outcome.rejected, outcome.merged), (3, 2, 1));
        let marked =
            correction_sheet::marked_lists(&app.context, &request, &outcome).await.unwrap();
        let sheet = correction_sheet::write(&marked).unwrap();
        let rows = cells(&sheet);
        assert_eq!(rows[0], ["原行号", "编号", "姓名", "手机号码", "请更正"], "{}", app.engine);
        let numbers: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
        assert_eq!(numbers, ["4", "5", "6", "7"], "{}: wrong rows only", app.engine);
        assert!(rows[1..].iter().all(|row| !row[4].is_empty()), "{rows:?}");
        let all = rows.concat().join(" ");
        assert!(!all.contains(&blocked) && !all.contains("免打扰"), "{all}");
        // As a draft it is the same.
        let id = drafts::create_list_draft(&app.context, "mei", &codes, "l.csv", people.as_bytes());
        let id = id.await.unwrap();
        let (_, of_draft) = drafts::correction_workbook(&app.context, id).await.unwrap().unwrap();
        assert_eq!(cells(&of_draft)[0], rows[0], "{}", app.engine);
        // Corrected, it is a list like any other.
        let mut corrected = rows;
        corrected[1][3] = number(2);
        corrected[2][3] = number(3);
        corrected[3][3] = number(4);
        corrected[4][3] = number(5);
        let back: String = corrected.iter().map(|row| row.join(",") + "\n").collect();
        let outcome = app.import(&["A1"], back.as_bytes()).await.unwrap();
        assert_eq!(
            (outcome.accepted, outcome.rejected, outcome.merged),
            (3, 0, 1),
            "{}",
            app.engine
        );
    }
}

/// An example that was left in is nobody: DFE-Digital/get-help-with-tech 1205.
#[tokio::test]
async fn a_template_is_an_empty_list_that_is_read_when_it_is_filled_in() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    register_product(&app, "A1", "a").await;
    app.register_brand("B1", "b", "list_fields = { region = [\"地区\"] }").await;
    let of = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    let empty = template::of_applications(&app.context, &of(&["A1"]), &[]).await.unwrap();
    let error = app.import(&["A1"], &empty).await.unwrap_err();
    assert!(matches!(error, ListImportError::NothingTaken { rejected: 0, .. }), "{error}");
    let rows = read_table(&empty).unwrap();
    assert!(rows[0].cells[0].contains("产品类") && rows[1].cells[0].contains("a公司"), "{rows:?}");
    // Filled in below the example, as it is handed in.
    let mut text = String::new();
    for row in &rows {
        text += &(row.cells.join(",") + "\n");
    }
    let place = |header: &str| rows[2].cells.iter().position(|cell| cell == header).unwrap();
    let mut filled = vec![String::new(); rows[2].cells.len()];
    filled[place("被访者姓名")] = "王小明".into();
    filled[place("称呼")] = "先生".into();
    filled[place("手机")] = number(1);
    text += &(filled.join(",") + "\n");
    let outcome = app.import(&["A1"], text.as_bytes()).await.unwrap();
    assert_eq!((outcome.accepted, outcome.rejected, outcome.not_people), (1, 0, 1));
    // Whoever is called like it is somebody all the same.
    let named = app.import(&["A1"], "姓名,手机\n样例甲,1381000\n".as_bytes()).await.unwrap_err();
    assert!(matches!(named, ListImportError::NothingTaken { rejected: 1, .. }), "{named}");
    let of_brand = template::of_applications(&app.context, &of(&["B1"]), &[]).await.unwrap();
    assert!(cells(&of_brand)[2].contains(&"地区".to_owned()), "the fields that are kept");
    let of_project =
        template::of_applications(&app.context, &[], &[Category::Project]).await.unwrap();
    assert!(cells(&of_project)[2].contains(&"用户类型".to_owned()));
    assert!(template::of_applications(&app.context, &of(&["NO"]), &[]).await.is_err());
}

#[tokio::test]
async fn the_contact_and_what_is_asked_for_are_kept() {
    for app in apps().await {
        let file = "programme = \"p26\"\n[[application]]\ncode = \"A1\"\ncategory = \"brand\"\n\
            subject = { brand = \"远帆\" }\nrequested_title = \"用户满意品牌\"\nmay_publish = false\n\
            [application.applicant]\ncode = \"a\"\nname = \"a公司\"\n\
            contact = { contact = \"李磊\", mobile = \"13600136001\", note = \"x\" }\n";
        add_applications(&app.context, file).await.unwrap();
        let find = async || {
            let mut connection = app.context.database.read().await.unwrap();
            applications::find(&mut connection, "A1").await.unwrap().unwrap()
        };
        let application = find().await;
        assert_eq!(application.requested_title, "用户满意品牌", "{}", app.engine);
        assert_eq!(application.may_publish, Some(false), "{}", app.engine);
        let contact = contact_of(&app.context, &application).await.unwrap();
        let told: Vec<(&str, &str)> = contact.iter().map(|(f, v)| (*f, v.reveal())).collect();
        assert_eq!(told, [("contact", "李磊"), ("mobile", "13600136001")], "{}", app.engine);
        assert!(!format!("{contact:?}").contains("李磊"), "{}", app.engine);
        // Registered again without them, they stay.
        app.register_brand("A1", "a", "").await;
        let application = find().await;
        assert_eq!(application.may_publish, Some(false), "{}", app.engine);
        assert_eq!(contact_of(&app.context, &application).await.unwrap().len(), 2);
    }
}
