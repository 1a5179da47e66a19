//! Export: the import of what was exported is the same questionnaire, and `pyxform`, the reference
//! implementation, converts it.

use std::fmt::Write;
use std::process::Command;

use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::services::questionnaires::{ImportOptions, export_xlsform, import_xlsform};
use proptest::prelude::*;

fn text(random: &mut fastrand::Rng, word: &str) -> String {
    let zh = [
        "满意吗",
        "您好，{subject}",
        " 前后有空 ",
        "“引号”",
        "花了 $5 {",
        "a\\nb",
        "=1+1",
        "第一行\\n第二行",
    ];
    let en = [
        "Satisfied?",
        "{applicant} asks",
        " blanks ",
        "it's “so”",
        "costs $5 <b>",
        "&amp;",
        "-",
        "1.0",
    ];
    let (zh, en) = (zh[random.usize(0..zh.len())], en[random.usize(0..en.len())]);
    format!("{{ zh = \"{zh}{word}\", en = \"{en} {word}\" }}")
}

/// An item that later conditions can use: its id, and conditions over it.
type Known = (String, Vec<String>);

struct Generator {
    random: fastrand::Rng,
    toml: String,
    known: Vec<Known>,
    count: usize,
}

impl Generator {
    fn chance(&mut self, of: usize) -> bool {
        self.random.usize(0..of) == 0
    }

    fn text(&mut self, word: &str) -> String {
        let mut text = text(&mut self.random, word);
        if self.chance(4)
            && let Some((id, _)) = self.pick_known()
        {
            text = text.replace("\" }", &format!(" {{answer:{id}}}\" }}"));
        }
        text
    }

    fn pick_known(&mut self) -> Option<Known> {
        (!self.known.is_empty()).then(|| self.known[self.random.usize(0..self.known.len())].clone())
    }

    fn condition(&mut self) -> Option<String> {
        let simple = |generator: &mut Generator| {
            let (_, conditions) = generator.pick_known()?;
            Some(conditions[generator.random.usize(0..conditions.len())].clone())
        };
        if self.chance(6) {
            let facts = [
                "segment == '大客户'",
                "category != \"brand\"",
                "mode == 'web' && region == 'north'",
                "region.startsWith('n')",
            ];
            return Some(facts[self.random.usize(0..facts.len())].to_owned());
        }
        let first = simple(self)?;
        Some(match self.random.usize(0..5) {
            0 => format!("{first} && {}", simple(self)?),
            1 => format!("{first} || {}", simple(self)?),
            2 => format!("!({first})"),
            3 => format!("({first}) && ({} || {})", simple(self)?, simple(self)?),
            _ => first,
        })
    }

    fn options(&mut self, takes_exclusive: bool) -> (String, Vec<String>) {
        let codes: Vec<String> = match self.random.usize(0..4) {
            0 => (1..=self.random.usize(2..12)).map(|n| n.to_string()).collect(),
            1 => ["yes", "no", "other"].map(str::to_owned).to_vec(),
            2 => ["a-1", "b_2", "-9"].map(str::to_owned).to_vec(),
            _ => ["Price", "price_2", "none"].map(str::to_owned).to_vec(),
        };
        let mut options = String::new();
        for (place, code) in codes.iter().enumerate() {
            let exclusive =
                if takes_exclusive && place + 1 == codes.len() { ", exclusive = true" } else { "" };
            let text =
                text(&mut self.random, code).replace("{subject}", "").replace("{applicant}", "");
            let _ = writeln!(options, "  {{ code = \"{code}\", text = {text}{exclusive} }},");
        }
        (options, codes)
    }

    fn keys(&mut self, is_core: bool) -> String {
        let mut keys = String::new();
        if is_core {
            keys.push_str("core = true\n");
        } else if self.chance(3) {
            keys.push_str("required = false\n");
        }
        for (of, key) in [(4, "not_applicable"), (4, "dont_know"), (5, "refused")] {
            if self.chance(of) {
                let _ = writeln!(keys, "{key} = true");
            }
        }
        keys
    }

    fn item(&mut self, pending: &mut Vec<Known>) {
        self.count += 1;
        let number = self.count;
        let id = match self.random.usize(0..8) {
            0 => format!("{number}st"),
            1 => format!("Item_{number}"),
            2 => format!("language{}", "_".repeat(number)),
            _ => format!("q{number}"),
        };
        let variable = if self.chance(2) { id.clone() } else { format!("VAR{number}") };
        let usable = !id.starts_with(|c: char| c.is_ascii_digit());
        let mut add = |conditions: Vec<String>| {
            if usable {
                pending.push((id.clone(), conditions));
            }
        };
        let (mut body, kind) = (String::new(), self.random.usize(0..9));
        match kind {
            0 | 1 => {
                let from = self.random.i64(-3..2);
                let to = from + self.random.i64(1..11);
                let ends = (
                    text(&mut self.random, "low")
                        .replace("{subject}", "")
                        .replace("{applicant}", ""),
                    text(&mut self.random, "high")
                        .replace("{subject}", "")
                        .replace("{applicant}", ""),
                );
                body = format!(
                    "type = \"scale\"\nlatent = \"loyalty\"\nscale = {{ from = {from}, to = {to}, \
                     low = {}, high = {} }}\n",
                    ends.0, ends.1
                );
                add(vec![
                    format!("{id} <= {to}"),
                    format!("{id} == 'dk'"),
                    format!("{id} + {id} > {from}"),
                    format!("{id} == null"),
                ]);
            }
            2 => {
                let (options, codes) = self.options(false);
                let latent = if self.chance(3) { "latent = \"image\"\n" } else { "" };
                let order = if self.chance(3) { "order = \"random\"\n" } else { "" };
                body = format!("type = \"single\"\n{latent}{order}options = [\n{options}]\n");
                add(vec![
                    format!("{id} == '{}'", codes[0]),
                    format!("{id} in ['{}', '{}']", codes[0], codes[1]),
                    format!("{id} != null"),
                ]);
            }
            3 => {
                let is_exclusive = self.chance(2);
                let (options, codes) = self.options(is_exclusive);
                let min = self.random.usize(0..codes.len());
                let max = self.random.usize(min.max(1)..=codes.len());
                let limits = if self.chance(2) {
                    format!("min = {min}\nmax = {max}\n")
                } else {
                    String::new()
                };
                body = format!("type = \"multiple\"\n{limits}options = [\n{options}]\n");
                add(vec![
                    format!("'{}' in {id}", codes[1]),
                    format!("size({id}) >= 2"),
                    format!("size({id}) == 0"),
                ]);
            }
            4 => {
                let (options, codes) = self.options(false);
                body = format!("type = \"rank\"\noptions = [\n{options}]\n");
                add(vec![
                    format!("{id}[0] == '{}'", codes[0]),
                    format!("({id} != null && {id}[1] == '{}')", codes[1]),
                ]);
            }
            5 => {
                let decimals = self.random.usize(0..4);
                let unit =
                    if self.chance(2) { "unit = { zh = \"元\", en = \"yuan\" }\n" } else { "" };
                let limits = [
                    "",
                    "min = -5\n",
                    "max = 99.5\n",
                    "min = 0\nmax = 1000000\n",
                    "min = 0.25\nmax = 0.75\n",
                ];
                let limits = limits[self.random.usize(0..limits.len())];
                body = format!("type = \"number\"\ndecimals = {decimals}\n{unit}{limits}");
                add(vec![format!("{id} > 3"), format!("{id} != 0.5"), format!("{id} * 2 < 10")]);
            }
            6 => {
                let limits = [
                    "",
                    "first = \"2000-01-01\"\n",
                    "first = \"2020-02-29\"\nlast = \"2026-12-31\"\n",
                ];
                body = format!("type = \"date\"\n{}", limits[self.random.usize(0..limits.len())]);
                add(vec![format!("{id} >= '2026-01-01'")]);
            }
            7 => {
                let longest = ["", "max_chars = 1\n", "max_chars = 32767\n"];
                body = format!("type = \"text\"\n{}", longest[self.random.usize(0..longest.len())]);
            }
            _ => {}
        }
        if kind == 8 {
            let text = self.text("info");
            let _ =
                writeln!(self.toml, "[[page.item]]\nid = \"{id}\"\ntype = \"info\"\ntext = {text}");
            return self.finish_item();
        }
        let is_core = number == 1 || self.chance(4);
        let keys = self.keys(is_core);
        if kind <= 2 && self.chance(2) {
            return self.grid(
                &id,
                &body.replace("type = \"scale\"\n", "").replace("type = \"single\"\n", ""),
                &keys,
            );
        }
        let text = self.text(&id);
        let _ = write!(
            self.toml,
            "[[page.item]]\nid = \"{id}\"\nvariable = \"{variable}\"\n{body}{keys}text = {text}\n"
        );
        self.messages();
        self.finish_item();
    }

    fn messages(&mut self) {
        for key in ["wrong_answer", "missing_answer"] {
            if self.chance(4) {
                // Names in braces are not replaced in messages.
                let message =
                    text(&mut self.random, key).replace("{subject}", "").replace("{applicant}", "");
                let _ = writeln!(self.toml, "{key} = {message}");
            }
        }
    }

    fn grid(&mut self, id: &str, body: &str, keys: &str) {
        let heading = self.text("heading");
        let mut rows = String::new();
        for row in 0..self.random.usize(1..4) {
            let text = self.text("row");
            let latent = if self.chance(3) { ", latent = \"complaint\"" } else { "" };
            let _ = writeln!(
                rows,
                "  {{ id = \"{id}_{row}\", variable = \"G{id}_{row}\", text = {text}{latent} }},"
            );
        }
        let _ = write!(
            self.toml,
            "[[page.item]]\nid = \"{id}\"\ntype = \"grid\"\n{body}{keys}text = {heading}\n\
             rows = [\n{rows}]\n"
        );
        self.messages();
        self.finish_item();
    }

    fn finish_item(&mut self) {
        if self.chance(3) {
            let hint = self.text("hint");
            let _ = writeln!(self.toml, "hint = {hint}");
        }
        if self.chance(4) {
            let _ = writeln!(self.toml, "sms = {{ zh = \"短\", en = \"short\" }}");
        }
        if self.chance(3)
            && let Some(condition) = self.condition()
        {
            let _ = writeln!(self.toml, "show_if = {condition:?}");
        }
        if self.chance(8)
            && let Some(condition) = self.condition()
        {
            let _ = writeln!(self.toml, "screen_out_if = {condition:?}");
        }
    }
}

/// Writes a questionnaire file with every feature.
fn generate(seed: u64) -> String {
    let random = fastrand::Rng::with_seed(seed);
    let mut generator = Generator { random, toml: String::new(), known: Vec::new(), count: 0 };
    let version = generator.random.u32(..);
    generator.toml = format!(
        "code = \"_q-{seed}\"\nversion = {version}\ntitle = {}\nintroduction = {}\n\
         list_fields = [\"region\", \"a_b\"]\n",
        text(&mut generator.random, "title").replace("{subject}", "").replace("{applicant}", ""),
        text(&mut generator.random, "introduction"),
    );
    for page in 0..generator.random.usize(1..5) {
        let title = generator.text(&format!("page {page}"));
        let _ = writeln!(generator.toml, "[[page]]\ntitle = {title}");
        if generator.chance(3)
            && let Some(condition) = generator.condition()
        {
            let _ = writeln!(generator.toml, "show_if = {condition:?}");
        }
        let mut pending = Vec::new();
        for _ in 0..generator.random.usize(1..6) {
            generator.item(&mut pending);
        }
        // Grids take other ids; conditions use what is a single item.
        let toml = generator.toml.clone();
        pending.retain(|(id, _)| toml.contains(&format!("id = \"{id}\"\nvariable")));
        generator.known.extend(pending);
    }
    in_languages(&generator.toml, &mut generator.random)
}

/// Rewrites the texts, which are in Chinese and English, in other languages.
fn in_languages(toml: &str, random: &mut fastrand::Rng) -> String {
    const SETS: [&[&str]; 7] = [
        &["zh", "en"],
        &["en", "zh"],
        &["pt"],
        &["zh", "zh-Hant"],
        &["ar", "en"],
        &["pt-BR", "tlh", "zh"],
        &["zh", "en", "zh-Hant-HK", "pt"],
    ];
    let set = SETS[random.usize(0..SETS.len())];
    let mut rest = toml;
    let mut whole = format!("languages = {set:?}\n");
    while let Some((before, text)) = rest.split_once("{ zh = \"") {
        let (zh, text) = text.split_once("\", en = \"").unwrap();
        let (en, behind) = text.split_once("\" }").unwrap();
        let text = |tag: &&str| match tag.starts_with("zh") {
            true => format!("\"{tag}\" = \"{zh}\""),
            false => format!("\"{tag}\" = \"{en}\""),
        };
        let texts: Vec<String> = set.iter().map(text).collect();
        whole.push_str(&format!("{before}{{ {} }}", texts.join(", ")));
        rest = behind;
    }
    whole + rest
}

/// Returns a questionnaire that is valid, from one of the next seeds.
fn valid(seed: u64) -> (String, Questionnaire) {
    (0..200)
        .find_map(|more| {
            let toml = generate(seed.wrapping_add(more * 7_919));
            Some((Questionnaire::parse(&toml).ok()?, toml))
        })
        .map(|(questionnaire, toml)| (toml, questionnaire))
        .expect("some of them are valid")
}

fn check_round_trip(questionnaire: &Questionnaire) -> Result<(), String> {
    let form = export_xlsform(questionnaire).map_err(|error| error.to_string())?;
    let imported = import_xlsform(&form.bytes, &ImportOptions::default())
        .map_err(|error| format!("not imported: {error}"))?;
    let again = Questionnaire::parse(&imported.toml).map_err(|error| error.to_string())?;
    let (before, after) = (format!("{questionnaire:#?}"), format!("{again:#?}"));
    let difference = before.lines().zip(after.lines()).enumerate().find(|(_, (a, b))| a != b);
    match difference {
        None if before.len() == after.len() => Ok(()),
        None => Err("one is longer".to_owned()),
        Some((line, (a, b))) => {
            let context = before
                .lines()
                .skip(line.saturating_sub(12))
                .take(16)
                .collect::<Vec<_>>()
                .join("\n");
            Err(format!("line {line}: «{a}» became «{b}»\n{context}"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_import_of_an_export_is_the_same(seed in any::<u64>()) {
        let (toml, questionnaire) = valid(seed);
        if let Err(problem) = check_round_trip(&questionnaire) {
            prop_assert!(false, "{problem}\n{toml}");
        }
    }
}

fn shipped() -> Vec<(String, Questionnaire)> {
    let mut files: Vec<_> = std::fs::read_dir("config/questionnaires")
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.push("tests/fixtures/every_kind.toml".into());
    files
        .into_iter()
        .map(|file| {
            let questionnaire =
                Questionnaire::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
            (file.file_stem().unwrap().to_string_lossy().into_owned(), questionnaire)
        })
        .collect()
}

#[test]
fn the_shipped_questionnaires_come_back() {
    for (name, questionnaire) in shipped() {
        check_round_trip(&questionnaire).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    }
}

/// What is changed in another program counts, and not what stood there before.
#[test]
fn a_changed_condition_is_not_silently_undone() {
    let toml = std::fs::read_to_string("tests/fixtures/every_kind.toml")
        .unwrap()
        .replace("segment == '大业主'", "segment.startsWith('大')");
    let questionnaire = Questionnaire::parse(&toml).unwrap();
    let form = export_xlsform(&questionnaire).unwrap();
    assert!(
        form.remarks.iter().any(|remark| remark.contains("relevant is false()")),
        "{:?}",
        form.remarks
    );
    let mut sheets = fieldworkd::services::list_import::table::sheets(&form.bytes).unwrap();
    let relevant = sheets[0].rows[0].cells.iter().position(|cell| cell == "relevant").unwrap();
    let row =
        sheets[0].rows.iter_mut().find(|row| row.cells.iter().any(|cell| cell == "since")).unwrap();
    assert_eq!(row.cells[relevant], "false()");
    row.cells[relevant] = "${segment} = 'A'".to_owned();
    let error = fieldworkd::services::questionnaires::import_xlsform_sheets(
        &sheets,
        &ImportOptions::default(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("(column fieldworkd_show_if)") && error.contains("delete the cell"),
        "{error}"
    );
}

/// The reference implementation converts every export.
#[test]
fn pyxform_converts_every_export() {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut all = shipped();
    all.extend((0..80).map(|seed| (format!("generated_{seed}"), valid(seed * 31).1)));
    for (name, questionnaire) in &all {
        let form = export_xlsform(questionnaire).unwrap();
        std::fs::write(folder.path().join(format!("{name}.xlsx")), form.bytes).unwrap();
    }
    let script = "import glob, sys\nfrom pyxform.xls2xform import convert\nbad = 0\n\
                  for f in sorted(glob.glob(sys.argv[1] + '/*.xlsx')):\n    \
                  try:\n        assert '<h:html' in convert(f, validate=False).xform\n    \
                  except Exception as e:\n        bad += 1; print(f, repr(e)[:400])\nsys.exit(bad > 0)";
    let output = Command::new(python).args(["-c", script]).arg(folder.path()).output().unwrap();
    println!("pyxform converts {} exports", all.len());
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
