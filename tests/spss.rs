//! The SPSS files of a dataset, read back with pyreadstat (`tests/run` installs it): names, labels
//! and texts that other writers of such files have lost or broken. Cases from public bug reports
//! name their source: `owner/repository#number`.

use std::path::{Path, PathBuf};
use std::process::Command;

use fieldworkd::services::{self, deadlines};
use fieldworkd::simulation::Scenario;
use serde_json::Value;

use crate::common::{self, CONSENT_FORM, PLAN, TestApp, local, number};

/// 200 bytes and more in Chinese; the two differ only behind what fits into a label.
const LONG: &str = "法律及工商服务业包含顾问服务土地代书信息服务维护广告业及产品包装设计保全影印职业介绍以及其他\
                    未列入上述各类的专业与商业服务单位请按主要收入来源选择";

fn questionnaire() -> String {
    let options = |codes: &[&str], text: &dyn Fn(&str) -> String| -> String {
        let option = |code: &&str| {
            format!(
                "{{ code = \"{code}\", text = {{ zh = \"{}\", en = \"option {code}\" }} }},",
                text(code)
            )
        };
        codes.iter().map(option).collect()
    };
    let plain = |code: &str| format!("选项{code}😀");
    let long = |code: &str| format!("{LONG}{code}");
    let same = |_: &str| "满意".to_owned();
    format!(
        r#"
code = "hostile"
version = 1
title = {{ zh = "样例", en = "Sample" }}
introduction = {{ zh = "关于{{subject}}", en = "About {{subject}}" }}
scale = {{ from = 1, to = 10, low = {{ zh = "差", en = "poor" }}, high = {{ zh = "好", en = "good" }} }}
[[page]]
title = {{ zh = "满意", en = "Satisfaction" }}
item = [
  {{ id = "i_all", variable = "ALL", latent = "satisfaction", type = "scale", core = true, dont_know = true, refused = true, text = {{ zh = "您对{{subject}}满意吗？", en = "Satisfied with {{subject}}?" }} }},
  {{ id = "i_with", variable = "with", type = "single", not_applicable = true, text = {{ zh = "{LONG}", en = "With?" }}, options = [{}] }},
  {{ id = "i_num", variable = "NUM", type = "single", dont_know = true, text = {{ zh = "数字代码", en = "Numeric" }}, options = [{}] }},
  {{ id = "i_same", variable = "same_", type = "single", refused = true, text = {{ zh = "同名选项", en = "Same" }}, options = [{}] }},
  {{ id = "i_why", variable = "WHY", type = "multiple", max = 3, dont_know = true, text = {{ zh = "为什么？", en = "Why?" }}, options = [{}] }},
  {{ id = "i_paid", variable = "PAID", type = "number", required = false, refused = true, decimals = 2, text = {{ zh = "多少钱？", en = "How much?" }} }},
  {{ id = "i_cold", variable = "COLD", type = "number", required = false, min = -5000, max = 10, text = {{ zh = "最低值", en = "Lowest" }} }},
  {{ id = "i_day", variable = "DAY", type = "date", required = false, refused = true, text = {{ zh = "哪一天？", en = "Which day?" }} }},
  {{ id = "i_long", variable = "LONGA", type = "text", required = false, max_chars = 32767, text = {{ zh = "还有什么？", en = "Anything else?" }} }},
  {{ id = "i_long1", variable = "LONGA0", type = "text", required = false, max_chars = 32767, text = {{ zh = "还有呢？", en = "And?" }} }},
]
"#,
        options(&["01", "1", "abcdefghij"], &long),
        options(&["1", "2", "99"], &plain),
        options(&["1", "2"], &same),
        options(&["a-b", "a_b", "Z"], &plain),
    )
}

/// The answers of three people to the open questions: the second and the third are longer than a
/// segment, and than a text of SPSS.
fn texts() -> [[String; 2]; 3] {
    let chinese = "真的很满意，".repeat(20);
    let exact = "b".repeat(255);
    [
        [chinese, exact],
        [format!("{}क", "a".repeat(254)), format!("{}क", "c".repeat(254))],
        ["长".repeat(20_000), format!("x{}", "😀".repeat(8_191))],
    ]
}

async fn dataset(app: &TestApp) -> PathBuf {
    app.register_brand("A1", "a", "list_fields = { city = [\"城市\"], device = [\"设备\"] }").await;
    let mut list = csv::Writer::from_writer(Vec::new());
    list.write_record(["姓名", "手机", "城市", "设备"]).unwrap();
    let cities = ["北京", "上海", "", "=1+1", &"很长的地名".repeat(8)].map(str::to_owned);
    for (n, city) in cities.iter().enumerate() {
        list.write_record([&format!("受访者{n}"), &number(n), city, "phone"]).unwrap();
    }
    app.import(&["A1"], &list.into_inner().unwrap()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-03T12:00:00")).await;
    let coded = [
        [("i_all", "10"), ("i_with", "01"), ("i_num", "1"), ("i_same", "1"), ("i_why", "a-b")],
        [("i_all", "dk"), ("i_with", "1"), ("i_num", "dk"), ("i_same", "2"), ("i_why", "dk")],
        [
            ("i_all", "refused"),
            ("i_with", "na"),
            ("i_num", "99"),
            ("i_same", "refused"),
            ("i_why", "Z"),
        ],
    ];
    let rest = [
        [("i_paid", "-999"), ("i_cold", "-994"), ("i_day", "1990-02-28")],
        [("i_paid", "refused"), ("i_cold", ""), ("i_day", "refused")],
        [("i_paid", "999999"), ("i_cold", "-5000"), ("i_day", "")],
    ];
    for (n, [one, two]) in texts().iter().enumerate() {
        let link = app.link(n).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        let mut form = vec![("case", "0"), ("page", "0"), ("i_long", one), ("i_long1", two)];
        form.extend(coded[n]);
        form.extend(rest[n]);
        let (status, _, page) = app.post(&format!("{link}/answers"), &form).await;
        assert_eq!(status, 303, "{page}");
    }
    // Somebody who only begins is no response.
    app.post(&format!("{}/begin", app.link(3).await), CONSENT_FORM).await;
    deadlines::freeze(&app.context, "A1").await.unwrap();
    services::datasets::write_pending(&app.context).await.unwrap();
    app.context.config.datasets.join("A1/v1")
}

/// What pyreadstat reads; `None`: it is not installed.
fn read(file: &Path) -> Option<Value> {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!("FIELDWORKD_TEST_PYTHON is not set: no SPSS file is read (use tests/run)");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/read_spss.py");
    let output = Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn variable<'f>(file: &'f Value, name: &str) -> &'f Value {
    let variables = file["variables"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).unwrap_or_else(|| {
        panic!("no {name} in {:?}", variables.iter().map(|v| &v["name"]).collect::<Vec<_>>())
    })
}

fn values<'f>(file: &'f Value, name: &str, cases: &[usize]) -> Vec<&'f Value> {
    let values = variable(file, name)["values"].as_array().unwrap();
    cases.iter().map(|case| &values[*case]).collect()
}

/// Roche/pyreadstat#115, onaio/onadata#1447: reserved words. tidyverse/haven#431,
/// tidyverse/haven#262: long labels. tidyverse/haven#550: labels of codes of nine letters and more.
/// melff/memisc#42: labels that are the same. tidyverse/haven#226, tidyverse/haven#107: texts of 255
/// and of 256 bytes. WizardMac/ReadStat#380: segments with the name of another variable.
/// WizardMac/ReadStat#236: segments that SPSS does not join. tidyverse/haven#571: missing values of
/// whole numbers and of texts. tidyverse/haven#578: a missing text counted as a value.
#[tokio::test]
async fn hostile_names_labels_and_texts_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), questionnaire()).unwrap();
    let settings = [
        ("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap()),
        ("DATASET__SMALLEST_CELL", "1"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 500), &settings).await {
        let dataset = dataset(&app).await;
        assert!(!dataset.join("left-out.txt").exists());
        services::datasets::verify(&dataset, None).unwrap();
        common::validate_dataset(&dataset);
        let Some(file) = read(&dataset.join("responses.sav")) else { continue };
        let names: Vec<&str> = file["variables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .skip(14)
            .collect();
        let expected = [
            "items_answered",
            "v_ALL",
            "v_with",
            "with_missing",
            "NUM",
            "same",
            "WHY_a_b",
            "WHY_a_b_2",
            "WHY_Z",
            "PAID",
            "COLD",
            "DAY",
            "LONGA",
            "LONGA_missing",
            "LONGA0",
            "LONGA0_missing",
            "w_raked",
        ];
        assert_eq!(names, expected, "{}", app.engine);
        let notes = file["notes"].to_string();
        for line in ["v_ALL = ALL", "WHY_a_b = WHY_a-b", "WHY_a_b_2 = WHY_a_b", "1 个文本超过"]
        {
            assert!(notes.contains(line), "{line}: {notes}");
        }

        // The people are in the order of their pseudonyms: the first has 10, then «don't know».
        let place = |point: f64| {
            let all = variable(&file, "v_ALL")["values"].as_array().unwrap();
            all.iter().position(|value| *value == point).unwrap_or_else(|| panic!("{all:?}"))
        };
        let cases = [place(10.0), place(-999.0), place(-993.0)];
        let all = variable(&file, "v_ALL");
        assert_eq!(all["label"], "您对A1牌满意吗？ Satisfied with A1牌?");
        assert_eq!(all["missing"].to_string(), r#"[{"lo":-999.0,"hi":-993.0}]"#);
        assert_eq!((&all["measure"], &all["format"]), (&"scale".into(), &"F4.0".into()));
        let labels = all["labels"].to_string();
        for label in [
            r#"["1.0","差 poor"]"#,
            r#"["10.0","好 good"]"#,
            r#"["-999.0","不知道 don't know"]"#,
            r#"["-993.0","拒答 refused"]"#,
            r#"["-995.0","未答到此题 not reached"]"#,
        ] {
            assert!(labels.contains(label), "{label}: {labels}");
        }

        let with = variable(&file, "v_with");
        assert_eq!(values(&file, "v_with", &cases), ["01", "1", ""]);
        assert_eq!(values(&file, "with_missing", &cases)[2], -998.0);
        assert_eq!(with["missing"].to_string(), r#"[{"lo":"","hi":""}]"#);
        assert_eq!(with["labels"].as_array().unwrap().len(), 3);
        for (code, label) in
            ["01", "1", "abcdefghij"].iter().zip(with["labels"].as_array().unwrap())
        {
            let text = label[1].as_str().unwrap();
            assert_eq!(label[0], *code);
            assert!(text.starts_with(&format!("[{code}] 法律")) && text.ends_with('…'), "{text}");
            assert!((110..=120).contains(&text.len()), "{text}");
        }
        assert!(with["label"].as_str().unwrap().starts_with(LONG), "{with}");

        assert_eq!(values(&file, "NUM", &cases), [1.0, -999.0, 99.0]);
        assert!(variable(&file, "NUM")["labels"].to_string().contains("选项2😀 option 2"));
        assert!(variable(&file, "same")["labels"].to_string().contains("满意 option 2"));
        assert_eq!(values(&file, "same", &cases), [1.0, 2.0, -993.0]);
        assert_eq!(values(&file, "WHY_a_b", &cases), [1.0, -999.0, 0.0]);
        let set = &file["sets"]["WHY"];
        assert_eq!(set["type"], "D", "{}", file["sets"]);
        assert_eq!(set["variable_list"].to_string(), r#"["WHY_a_b","WHY_a_b_2","WHY_Z"]"#);
        assert_eq!(set["label"], "为什么？ Why?");

        // The reasons are below every answer that there can be.
        assert_eq!(values(&file, "PAID", &cases), [-999.0, -9_930_000.0, 999_999.0]);
        assert_eq!(values(&file, "COLD", &cases), [-994.0, -9_960.0, -5_000.0]);
        let days = values(&file, "DAY", &cases);
        let day = 86_400.0;
        assert_eq!(days[1..], [-993.0 * day, -996.0 * day]);
        assert_eq!(variable(&file, "DAY")["format"], "SDATE10");
        assert_eq!(variable(&file, "started_at")["format"], "DATETIME20");

        for (case, [one, two]) in cases.iter().zip(texts()) {
            let (read_one, read_two) =
                (values(&file, "LONGA", &[*case]), values(&file, "LONGA0", &[*case]));
            let (read_one, read_two) =
                (read_one[0].as_str().unwrap(), read_two[0].as_str().unwrap());
            assert_eq!(read_two, two);
            match one.len() > 32_767 {
                true => assert_eq!(read_one, format!("{}…", "长".repeat(10_921))),
                false => assert_eq!(read_one, one),
            }
        }
        assert_eq!(file["label"], "A1牌");

        let cases = read(&dataset.join("cases.sav")).unwrap();
        let mut cities: Vec<&str> = variable(&cases, "city")["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        cities.sort_by_key(|city| (city.len(), *city));
        let long = "很长的地名".repeat(8);
        assert_eq!(cities, ["", "'=1+1", "上海", "北京", &long], "{}", app.engine);
        assert_eq!(variable(&cases, "city")["width"], 120);
        // A column of the list is not what ours of the same name is.
        assert_eq!(variable(&cases, "device")["label"], "名单字段“device” list field device");
        let outcomes = variable(&cases, "disposition")["labels"].to_string();
        assert!(outcomes.contains(r#"["1.1","完成 complete"]"#), "{outcomes}");
    }
}
