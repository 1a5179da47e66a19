//! The corpus in `tests/fixtures/xlsforms`: each form says what its import gives.

use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::services::questionnaires::{ImportOptions, XlsFormError, import_xlsform};

use fieldworkd::domain::language::ConsoleLanguage;
use fieldworkd::interfaces::errors::xlsform::{chinese, finding_text};

use super::{Form, forms, workbook};

/// Returns what an import says, and the file if there is one.
fn outcome(form: &Form) -> (Option<String>, usize, String) {
    match form.import() {
        Ok(imported) => {
            let remarks: Vec<String> = imported.remarks.iter().map(ToString::to_string).collect();
            (Some(imported.toml), 0, remarks.join("\n"))
        }
        Err(XlsFormError::Row(refusals)) => (None, refusals.0.len(), refusals.to_string()),
        Err(error) => (None, 0, error.to_string()),
    }
}

#[test]
fn every_form_of_the_corpus_does_what_it_says() {
    let mut wrong = Vec::new();
    let (mut imported, mut refused) = (0, 0);
    for form in forms() {
        let (toml, refusals, said) = outcome(&form);
        let mut miss = |what: String| wrong.push(format!("{}: {what}\n{said}\n", form.name));
        match &toml {
            Some(_) => imported += 1,
            None => refused += 1,
        }
        if toml.is_some() != form.expects("imports").next().is_some() {
            miss(format!("imports: {}", toml.is_some()));
        }
        for count in form.expects("refused") {
            if count.parse() != Ok(refusals) {
                miss(format!("{refusals} refusals, not {count}"));
            }
        }
        for text in form.expects("says").filter(|text| !said.contains(text)) {
            miss(format!("does not say «{text}»"));
        }
        let Some(toml) = toml else { continue };
        for text in form.expects("contains").filter(|text| !toml.contains(text)) {
            miss(format!("the file does not contain «{text}»\n{toml}"));
        }
        let questionnaire = Questionnaire::parse(&toml).unwrap();
        for (what, found) in facts(&questionnaire) {
            for expected in form.expects(&what).filter(|expected| *expected != found) {
                miss(format!("{what}: «{found}», not «{expected}»"));
            }
        }
    }
    println!("{imported} forms of the corpus import, {refused} are refused with all their reasons");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn facts(questionnaire: &Questionnaire) -> Vec<(String, String)> {
    let ids = |core: bool| {
        let items = questionnaire.items().filter(|item| !core || item.core);
        items.map(|item| item.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    let page = |page: &fieldworkd::domain::questionnaire::Page| {
        page.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    let pages: Vec<String> = questionnaire.pages.iter().map(page).collect();
    let mut facts = vec![
        ("items".to_owned(), ids(false)),
        ("core".to_owned(), ids(true)),
        ("pages".to_owned(), pages.join(" / ")),
    ];
    for page in &questionnaire.pages {
        for item in &page.items {
            let of = |condition: &Option<fieldworkd::domain::condition::Condition>| {
                condition.as_ref().map_or(String::new(), |condition| condition.source().to_owned())
            };
            facts.push((format!("condition {}", item.id), of(&item.show_if)));
            facts.push((format!("page-condition {}", item.id), of(&page.show_if)));
        }
    }
    facts
}

/// Merged cells, hidden rows, comments, boolean and date cells, a column left of the first header.
#[test]
fn traps_of_spreadsheet_programs_are_none() {
    use rust_xlsxwriter::{ExcelDateTime, Format, Note, Workbook};
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Survey").unwrap();
    for (column, head) in (1..).zip(["type", "name", "label", "required", "default", "constraint"])
    {
        sheet.write_string(2, column, head).unwrap();
    }
    let format = Format::new();
    sheet.write_string(3, 1, "begin group").unwrap();
    sheet.merge_range(3, 3, 3, 4, "A merged title", &format).unwrap();
    sheet.write_string(4, 1, "integer").unwrap();
    sheet.write_string(4, 2, "age").unwrap();
    sheet.write_string(4, 3, "How old?").unwrap();
    sheet.write_boolean(4, 4, true).unwrap();
    sheet.insert_note(4, 3, &Note::new("ask politely")).unwrap();
    sheet.set_row_hidden(4).unwrap();
    sheet.write_string(5, 1, "date").unwrap();
    sheet.write_string(5, 2, "day").unwrap();
    sheet.write_string(5, 3, "When?").unwrap();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let at = ExcelDateTime::parse_from_str("2026-05-13").unwrap();
    sheet.write_with_format(5, 5, &at, &day).unwrap();
    sheet.write_string(6, 1, "end group").unwrap();
    let imported =
        import_xlsform(&book.save_to_buffer().unwrap(), &ImportOptions::default()).unwrap();
    let questionnaire = Questionnaire::parse(&imported.toml).unwrap();
    let age = questionnaire.item("age").unwrap();
    assert!(age.required && age.core && age.text.en() == "How old?", "{}", imported.toml);
    assert!(!questionnaire.item("day").unwrap().required, "{}", imported.toml);
    assert_eq!(questionnaire.pages[0].title.en(), "A merged title");
    let said: Vec<String> = imported.remarks.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("(rows 6) (column default)")), "{said:?}");
}

fn survey(rows: Vec<Vec<String>>) -> Vec<u8> {
    let head = ["type", "name", "label", "relevant"].map(str::to_owned).to_vec();
    workbook(&[("survey".to_owned(), [vec![head], rows].concat())])
}

fn row(cells: [&str; 4]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Forms that are large, deep or long are refused, and nothing overflows.
#[test]
fn limits_are_kept() {
    let import = |rows| {
        let result = import_xlsform(&survey(rows), &ImportOptions::default());
        result.map(|imported| imported.toml).map_err(|error| error.to_string())
    };
    let number = row(["integer", "n", "N?", ""]);
    let deep = format!("{}${{n}} = 1{}", "not(".repeat(600), ")".repeat(600));
    let error = import(vec![number.clone(), row(["text", "t", "T?", &deep])]).unwrap_err();
    assert!(error.contains("nested deeper than 32"), "{error}");
    let nested = |depth: usize| {
        let begin = (0..depth).map(|_| row(["begin group", "g", "", ""]));
        let end = (0..depth).map(|_| row(["end group", "", "", ""]));
        begin.chain([number.clone()]).chain(end).collect::<Vec<_>>()
    };
    assert!(import(nested(16)).is_ok());
    let error = import(nested(500)).unwrap_err();
    assert!(error.contains("more than 16 deep"), "{error}");
    let many: Vec<_> = (0..2_500).map(|n| row(["integer", &format!("n{n}"), "N?", ""])).collect();
    let error = import(many).unwrap_err();
    assert!(error.contains("more than 2000 questions"), "{error}");
    // The widest conditions that are read can be used, too.
    for condition in [
        vec!["${n} = 1"; 300].join(" or "),
        vec!["${n} != 1"; 300].join(" and "),
        format!("{}${{n}} > 1{}", "not(".repeat(28), ")".repeat(28)),
        format!("{}${{n}} > 1{}", "(".repeat(30), ")".repeat(30)),
        (0..28)
            .fold("${n} = 1".to_owned(), |inner, n| format!("if(${{n}} > {n}, {inner}, false())")),
    ] {
        let toml = import(vec![number.clone(), row(["text", "t", "T?", &condition])]);
        match toml {
            Ok(toml) => {
                assert!(fieldworkd::domain::questionnaire::Questionnaire::parse(&toml).is_ok())
            }
            Err(error) => assert!(error.contains("deep") || error.contains("branch"), "{error}"),
        }
    }
}

/// Whatever stands in the cells, an import ends without a panic.
#[test]
fn any_cells_are_imported_or_refused() {
    const WORDS: [&str; 40] = [
        "begin group",
        "end group",
        "begin repeat",
        "end repeat",
        "select_one l",
        "select_multiple l",
        "rank l",
        "integer",
        "decimal",
        "range",
        "calculate",
        "note",
        "text",
        "${a}",
        "${b} = 1",
        "1",
        "0",
        "-1",
        "a",
        "b",
        "count-selected(${a}) > 1",
        "selected(${a}, 'x')",
        "not(",
        ")",
        "'",
        "{",
        "}",
        "${",
        "start=1 end=0",
        "yes",
        "if(${a}, 1, 2) = 1",
        "coalesce(${a}, ${b})",
        "date",
        "hidden",
        "segment",
        "table-list",
        "field-list",
        "label",
        "x=${a}",
        "l",
    ];
    const HEADS: [&str; 14] = [
        "type",
        "name",
        "label",
        "relevant",
        "constraint",
        "calculation",
        "repeat_count",
        "appearance",
        "parameters",
        "choice_filter",
        "required",
        "list_name",
        "latent",
        "hint",
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..1_500 {
        let mut sheet = |rows: usize| {
            let cell = |random: &mut fastrand::Rng| {
                if random.bool() {
                    WORDS[random.usize(0..WORDS.len())].to_owned()
                } else {
                    String::new()
                }
            };
            let mut all = vec![HEADS.map(str::to_owned).to_vec()];
            all.extend((0..rows).map(|_| HEADS.map(|_| cell(&mut random)).to_vec()));
            all
        };
        let sheets = [("survey".to_owned(), sheet(6)), ("choices".to_owned(), sheet(4))];
        let options = ImportOptions { leaves_out: true, ..ImportOptions::default() };
        if let Ok(imported) = import_xlsform(&workbook(&sheets), &options) {
            Questionnaire::parse(&imported.toml).unwrap();
        }
    }
}

/// Whoever works in Chinese on the console gets each finding in Chinese, whatever it is about.
#[test]
fn every_finding_of_the_corpus_is_told_in_chinese() {
    let mut english = Vec::new();
    let mut count = 0;
    for form in forms() {
        for leaves_out in [false, true] {
            let findings = match form.import_with(leaves_out) {
                Ok(imported) => imported.remarks,
                Err(XlsFormError::Row(refusals)) => refusals.0,
                Err(_) => continue,
            };
            for finding in findings {
                let said = finding_text(&finding, ConsoleLanguage::Zh);
                // What the form itself says may be English.
                let own: String = said
                    .split('“')
                    .map(|part| part.split_once('”').map_or(part, |(_, behind)| behind))
                    .collect();
                let is_english = |word: &str| {
                    let words = ["is", "are", "not", "has", "it", "the", "of", "a", "and", "or"];
                    words.contains(&word)
                };
                let untold = [&finding.what, &finding.remedy]
                    .iter()
                    .any(|text| !text.is_empty() && chinese(text).is_none());
                let checked = finding.what_zh.is_some();
                if !checked && (untold || own.split_whitespace().any(is_english)) {
                    english.push(format!("{}: {said}", form.name));
                }
                assert!(!said.contains("--"), "{said}");
                count += 1;
            }
        }
    }
    println!("{count} findings of the corpus are told in Chinese");
    assert!(english.is_empty() && count > 100, "{}", english.join("\n"));
}
