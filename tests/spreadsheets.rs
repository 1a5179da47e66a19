//! A dataset in a spreadsheet program: every cell of every CSV and XLSX file is there as it was
//! meant, and codes with leading zeros keep them on the whole way from the list.
//!
//! LibreOffice opens the files (`tests/run` installs it). Cases from public bug reports name their
//! source: `owner/repository#number`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use fieldworkd::adapters::spreadsheets::{self, Sheets};
use fieldworkd::services::{self, deadlines};
use fieldworkd::simulation::Scenario;

use crate::common::{CONSENT_FORM, PLAN, TestApp, number};
use crate::datasets::versions;

const MARK: &[u8] = "\u{feff}".as_bytes();
const CODES: &str = "list_fields = { code = [\"编码\"] }";

/// Words of a list that programs like to take for something else.
const WORDS: [&str; 22] = [
    "0012",
    "000",
    "=1+1",
    "+8613800000000",
    "-5",
    "@SUM(A1)",
    "123456789012345678",
    "2026-03-01",
    "03/04",
    "12:30",
    "1E5",
    "TRUE",
    "50%",
    "say \"hi\"",
    "'quoted'",
    "a,b;c|d",
    "中文，、😀",
    "#N/A",
    "1,234",
    "１２",
    "NULL",
    "_x0041_",
];
/// What LibreOffice takes for something else where a CSV file is opened with standard columns; the
/// code of a disposition is among it. (shuchkin/simplexlsx#97, instedd/surveda#1099,
/// huanz/tableExport#4: a CSV file has no types.)
const CHANGED: [&str; 8] =
    ["000", "0012", "03/04", "1,234", "123456789012345678", "12:30", "1E5", "2.20"];

const QUESTIONNAIRE: &str = r#"
code = "cells"
version = 1
title = { zh = "样例", en = "Sample" }
introduction = { zh = "关于{subject}", en = "About {subject}" }
scale = { from = 1, to = 5, low = { zh = "差", en = "poor" }, high = { zh = "好", en = "good" } }
[[page]]
title = { zh = "满意", en = "Satisfaction" }
item = [
  { id = "sat1", variable = "SAT1", latent = "satisfaction", type = "scale", core = true, text = { zh = "满意吗？", en = "Satisfied?" } },
  { id = "more", variable = "MORE", type = "text", required = false, max_chars = 32767, text = { zh = "还有什么？", en = "Anything else?" } },
]
"#;

/// Closes a field with [`WORDS`] on its list and difficult open answers; returns the dataset.
async fn dataset(app: &TestApp) -> PathBuf {
    app.register_brand("A1", "a", CODES).await;
    let mut list = csv::Writer::from_writer(Vec::new());
    list.write_record(["姓名", "手机", "编码"]).unwrap();
    for (n, word) in WORDS.iter().enumerate() {
        list.write_record([&format!("受访者{n}"), &number(n), *word]).unwrap();
    }
    app.import(&["A1"], &list.into_inner().unwrap()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(crate::common::local("2026-03-03T12:00:00")).await;
    // With the apostrophe before it, it is longer than a cell holds.
    let long = format!("={}", "长".repeat(32_766));
    let texts = ["一\r\n二, \"三\"\r\n", "a\tb;\tc", "=HYPERLINK(\"x\")", "0012", "真的", &long];
    for (n, text) in texts.into_iter().enumerate() {
        let link = app.link(n).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        let fields = [("case", "0"), ("page", "0"), ("sat1", "4"), ("more", text)];
        assert_eq!(app.post(&format!("{link}/answers"), &fields).await.0, 303);
    }
    deadlines::freeze(&app.context, "A1").await.unwrap();
    services::datasets::write_pending(&app.context).await.unwrap();
    app.context.config.datasets.join("A1/v1")
}

async fn apps(settings: &[(&str, &str)]) -> (Vec<TestApp>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), QUESTIONNAIRE).unwrap();
    let own = [
        ("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap()),
        ("DATASET__SMALLEST_CELL", "1"),
    ];
    let settings: Vec<(&str, &str)> = own.into_iter().chain(settings.iter().copied()).collect();
    (TestApp::on_each_engine(Scenario::faultless(1, 500), &settings).await, folder)
}

fn cells_of(content: &[u8]) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn read(path: &Path) -> Vec<Vec<String>> {
    cells_of(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// LibreOffice with a profile of its own; `None`: it is not installed.
struct Office {
    program: String,
    scratch: tempfile::TempDir,
}

impl Office {
    fn find() -> Option<Office> {
        let Ok(program) = std::env::var("FIELDWORKD_TEST_SOFFICE") else {
            eprintln!("FIELDWORKD_TEST_SOFFICE is not set: no spreadsheet program (use tests/run)");
            return None;
        };
        Some(Office { program, scratch: tempfile::tempdir().unwrap() })
    }

    /// Opens a file and saves every sheet of it as CSV; returns their folder. `columns`: how a CSV
    /// file is opened, as in the dialog that asks.
    fn convert(&self, file: &Path, columns: Option<&str>) -> PathBuf {
        let out = self.scratch.path().join(format!("out{}", columns.map_or(0, str::len)));
        let profile = self.scratch.path().join("profile");
        let mut command = Command::new("timeout");
        command
            .env("LC_ALL", "C.UTF-8")
            .args(["180", &self.program, "--headless", "--norestore"])
            .arg(format!("-env:UserInstallation=file://{}", profile.display()));
        if let Some(columns) = columns {
            // Commas, quotation marks, UTF-8, from the first line on.
            command.arg(format!("--infilter=CSV:44,34,76,1,{columns}"));
        }
        let every_sheet = if columns.is_none() { ",false,false,-1" } else { "" };
        let done = command
            .arg("--convert-to")
            .arg(format!(
                "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false{every_sheet}"
            ))
            .arg("--outdir")
            .args([&out, &file.to_path_buf()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        out
    }
}

/// Whether a spreadsheet shows a cell of the CSV file as it is: a truth value in its own letters, a
/// number without zeros at its end, and cut where a cell holds no more.
fn is_shown(cell: &str, shown: &str) -> bool {
    let is_same_number = || {
        let (cell, shown) = (cell.parse::<f64>(), shown.parse::<f64>());
        matches!((cell, shown), (Ok(cell), Ok(shown)) if cell == shown)
    };
    let is_cut = || {
        shown
            .strip_suffix('…')
            .is_some_and(|start| cell.starts_with(start) && shown.encode_utf16().count() == 32_767)
    };
    cell == shown
        || ["true", "false"].contains(&cell) && shown == cell.to_uppercase()
        || cell.starts_with("0.") && is_same_number()
        || is_cut()
}

/// sqlpage/SQLPage#528, getodk/central#752, ushahidi/platform#3899: without the mark, Excel shows
/// Chinese as other characters. dhatim/fastexcel#318, dfinke/ImportExcel#1166: a longer cell makes a
/// workbook that Excel wants to repair. hhurz/tableExport.jquery.plugin#230: a formula in a cell.
#[tokio::test]
async fn every_file_opens_in_a_spreadsheet_program_with_the_same_cells() {
    let Some(office) = Office::find() else { return };
    let (apps, _folder) = apps(&[]).await;
    for app in apps {
        let folder = dataset(&app).await;
        crate::common::validate_dataset(&folder);
        for table in ["cases", "responses", "paradata", "triple-s"] {
            let file = folder.join(format!("{table}.csv"));
            let ours = read(&file);
            assert!(ours.len() > 1);
            let as_text: Vec<String> = (1..=ours[0].len()).map(|n| format!("{n}/2")).collect();
            let shown = office.convert(&file, Some(&as_text.join("/")));
            assert_eq!(read(&shown.join(format!("{table}.csv"))), ours, "{table}, as text");
        }
        // As it opens by itself, some codes are numbers: docs/scoring-contract.md says so.
        let ours = read(&folder.join("cases.csv"));
        let shown = read(&office.convert(&folder.join("cases.csv"), Some("")).join("cases.csv"));
        let changed: BTreeSet<&str> = ours
            .iter()
            .flatten()
            .zip(shown.iter().flatten())
            .filter(|(cell, shown)| !is_shown(cell, shown))
            .map(|(cell, _)| cell.as_str())
            .collect();
        assert_eq!(changed, BTreeSet::from(CHANGED), "{}", app.engine);

        let sheets = office.convert(&folder.join("dataset.xlsx"), None);
        for table in ["cases", "responses"] {
            let ours = read(&folder.join(format!("{table}.csv")));
            let shown = read(&sheets.join(format!("dataset-{table}.csv")));
            assert_eq!(shown.len(), ours.len(), "{table}");
            for (cell, shown) in ours.iter().flatten().zip(shown.iter().flatten()) {
                assert!(is_shown(cell, shown), "{table}: {cell:.60} became {shown:.60}");
            }
        }
        let labels = read(&sheets.join("dataset-labels.csv"));
        assert_eq!(labels.len(), read(&folder.join("responses.csv")).len());
    }
}

/// A version keeps what was set when it was frozen: the same version gives the same bytes.
/// (C2FO/fast-csv#131: there are readers that take the mark for a part of the first name.)
#[tokio::test]
async fn the_byte_order_mark_is_as_set_when_the_version_was_frozen() {
    for (setting, has_mark) in [("with", true), ("without", false)] {
        let (apps, _folder) = apps(&[("DATASET__CSV_BYTE_ORDER_MARK", setting)]).await;
        for app in apps {
            let folder = dataset(&app).await;
            services::datasets::verify(&folder, None).unwrap();
            crate::common::validate_dataset(&folder);
            let names = ["cases.csv", "responses.csv", "paradata.csv", "triple-s.csv"];
            let bytes = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
            for name in names {
                let content = bytes(&folder, name);
                assert_eq!(content.starts_with(MARK), has_mark, "{name}");
                assert!(!content[1..].windows(3).any(|three| three == MARK), "{name}: once");
            }
            let again = app.installation_with(None, app.clock.clone());
            let mut again = std::sync::Arc::into_inner(again).unwrap();
            again.config.csv_byte_order_mark = !has_mark;
            let copy = app.folder.path().join("copy");
            let version = versions(&app).await.remove(0);
            services::datasets::export(&again, &version, &copy).await.unwrap();
            for name in names.iter().chain(&["SHA256SUMS"]) {
                assert_eq!(bytes(&copy, name), bytes(&folder, name), "{}: {name}", app.engine);
            }
        }
    }
}

/// The lists of the test below: 0012 and 0100 as text, as numbers that are shown so, or both.
fn lists_of_codes() -> Vec<(&'static str, Vec<u8>)> {
    let head = ["姓名", "手机", "编码", "用户类型"];
    let people = [(0, 12.0), (1, 100.0), (2, 12.0)];
    let code = |value: f64| format!("{value:04}");
    let mut text = csv::Writer::from_writer(Vec::new());
    text.write_record(head).unwrap();
    let mut workbooks = [false, true].map(|_| rust_xlsxwriter::Workbook::new());
    for (as_number, workbook) in [false, true].into_iter().zip(&mut workbooks) {
        let sheet = workbook.add_worksheet();
        // As Excel writes it, and as the Chinese postal codes among its special formats.
        let formats = ["0000", "[$-804]0000_ ", "0000;@"]
            .map(|code| rust_xlsxwriter::Format::new().set_num_format(code));
        for (column, name) in (0..).zip(head) {
            sheet.write_string(0, column, name).unwrap();
        }
        for ((row, (n, value)), format) in (1..).zip(people).zip(&formats) {
            sheet.write_string(row, 0, format!("受访者{n}")).unwrap();
            sheet.write_string(row, 1, number(n)).unwrap();
            for column in [2, 3] {
                if as_number {
                    sheet.write_number_with_format(row, column, value, format).unwrap();
                } else {
                    sheet.write_string(row, column, code(value)).unwrap();
                }
            }
        }
    }
    for (n, value) in people {
        let cells = [format!("受访者{n}"), number(n), code(value), code(value)];
        text.write_record(cells).unwrap();
    }
    let [as_text, as_numbers] = workbooks.map(|mut workbook| workbook.save_to_buffer().unwrap());
    vec![
        ("csv", text.into_inner().unwrap()),
        ("xlsx as text", as_text),
        ("xlsx as numbers", as_numbers),
    ]
}

/// A branch 0012 is not the branch 12. shuchkin/simplexlsx#97: a number whose format shows zeros.
#[tokio::test]
async fn codes_of_a_list_keep_their_leading_zeros_up_to_the_dataset() {
    for (form, list) in lists_of_codes() {
        for app in
            TestApp::on_each_engine(Scenario::faultless(1, 50), &[("DATASET__SMALLEST_CELL", "1")])
                .await
        {
            app.register_brand("A1", "a", CODES).await;
            app.import(&["A1"], &list).await.unwrap();
            app.launch("C1", &["A1"], PLAN).await.unwrap();
            app.advance_until(crate::common::local("2026-03-03T12:00:00")).await;
            deadlines::freeze(&app.context, "A1").await.unwrap();
            services::datasets::write_pending(&app.context).await.unwrap();
            let folder = app.context.config.datasets.join("A1/v1");
            services::datasets::verify(&folder, None).unwrap();
            crate::common::validate_dataset(&folder);

            let codes = |rows: &[Vec<String>]| -> Vec<String> {
                let mut codes = Vec::new();
                for name in ["segment", "code"] {
                    let at = rows[0].iter().position(|cell| cell == name).unwrap();
                    codes.extend(rows[1..].iter().map(|row| row[at].clone()));
                }
                codes.sort();
                codes
            };
            let expected = ["0012", "0012", "0012", "0012", "0100", "0100"];
            assert_eq!(codes(&read(&folder.join("cases.csv"))), expected, "{form}, {}", app.engine);

            let workbook = std::fs::read(folder.join("dataset.xlsx")).unwrap();
            let sheets = spreadsheets::read(&workbook, Sheets::All).unwrap();
            let cases = sheets.into_iter().find(|sheet| sheet.name == "cases").unwrap();
            let rows: Vec<Vec<String>> = cases.rows.into_iter().map(|row| row.cells).collect();
            assert_eq!(codes(&rows), expected, "{form}: XLSX");

            let descriptor = std::fs::read(folder.join("datapackage.json")).unwrap();
            let descriptor: serde_json::Value = serde_json::from_slice(&descriptor).unwrap();
            let fields = descriptor["resources"][1]["schema"]["fields"].as_array().unwrap();
            for name in ["segment", "code"] {
                let field = fields.iter().find(|field| field["name"] == name).unwrap();
                assert_eq!(field["type"], "string", "{form}: {name}");
            }
            let parquet = std::fs::File::open(folder.join("cases.parquet")).unwrap();
            let parquet = parquet::file::reader::SerializedFileReader::new(parquet).unwrap();
            let rows: String =
                parquet.into_iter().map(|row| format!("{}\n", row.unwrap())).collect();
            assert_eq!(
                (rows.matches("\"0012\"").count(), rows.matches("\"0100\"").count()),
                (4, 2)
            );
        }
    }
}
