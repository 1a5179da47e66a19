//! The house's rules, read from its source: floors, SQL in the store, time from the clock, licences, no secrets of the workshop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Top-level modules by floor; a file may import from its own floor and from those below.
const FLOORS: [&[&str]; 4] = [
    &["domain"],
    &["store", "gateway", "sink", "clock", "config", "crypto", "http_client", "installation", "telemetry"],
    &[
        "accounts",
        "intake",
        "campaign",
        "dispatch",
        "collect",
        "events",
        "quota",
        "deadline",
        "dataset",
        "retention",
        "telephone",
        "sms_interview",
        "setup",
        "watch",
    ],
    &["cli", "web"],
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

fn module_of(file: &Path) -> String {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The program's part of a file; tests below may look anywhere.
fn program_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// Every `crate::module` that a text names, `use crate::{a, b}` included.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        let names: Vec<&str> = match part.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![part],
        };
        found.extend(names.iter().map(|n| n.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()));
    }
    found
}

#[test]
fn no_file_imports_from_a_floor_above_its_own() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let module = module_of(&file);
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let own = floor_of(&module).unwrap_or_else(|| panic!("{} stands on no floor; put {module} into FLOORS", file.display()));
        for import in imports(&program_of(&file)) {
            if floor_of(&import).is_some_and(|floor| floor > own) {
                wrong.push(format!("{} (floor {}) imports {import}", file.display(), own + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_floor_test_sees_an_import_that_points_up() {
    assert_eq!(imports("use crate::{dataset, store::x};\nuse crate::web::serve;"), ["dataset", "store", "web"].map(str::to_owned).into());
}

#[test]
fn domain_is_pure_sql_is_in_the_store_and_time_comes_from_the_clock() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let (text, module) = (program_of(&file), module_of(&file));
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let mut forbid = |words: &[&str], why: &str| {
            wrong.extend(words.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word} ({why})", file.display())));
        };
        if module != "clock" {
            forbid(&["SystemTime::now", "Utc::now", "Local::now"], "time comes from the clock");
        }
        if module != "store" {
            forbid(&["sqlx::query", "\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE "], "SQL stands in the store");
        }
        if module == "domain" {
            forbid(&["async fn", "std::fs", "sqlx", "tokio", "Instant::now"], "the domain is pure");
        }
        forbid(&["todo!(", "unimplemented!(", "dbg!("], "unfinished");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn panics_are_explained_where_they_stand() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let text = program_of(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let panics =
                [".unwrap()", ".expect(\"", "panic!(", "unreachable!("].iter().any(|p| line.contains(p)) && !line.trim_start().starts_with("//");
            let explained = lines[n.saturating_sub(4)..n].iter().any(|above| above.trim_start().starts_with("//"));
            if panics && !explained {
                wrong.push(format!("{}:{}: {}", file.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_licence_is_permissive_and_only_ring_does_cryptography_for_tls() {
    let version = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    const PERMISSIVE: [&str; 11] =
        ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0", "Unlicense", "CC0-1.0", "MIT-0", "0BSD"];
    let built: BTreeSet<&str> = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap().iter().filter(|p| built.contains(p["id"].as_str().unwrap())) {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        // One alternative of an OR is enough; all parts of an AND must fit. (`WITH LLVM-exception` only permits more.)
        let fits =
            licence.replace('/', " OR ").replace(['(', ')'], " ").split(" OR ").any(|alternative| {
                alternative.split(" AND ").all(|part| PERMISSIVE.contains(&part.split(" WITH ").next().unwrap_or_default().trim()))
            });
        if !fits && !(licence.contains("CDLA-Permissive-2.0")) {
            wrong.push(format!("{name}: {licence}"));
        }
        if ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"].contains(&name) {
            wrong.push(format!("{name}: TLS is ring's"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Keys, databases and logs are written at run time; a committed key is everybody's key.
#[test]
fn nothing_that_is_written_at_run_time_is_committed() {
    let output = Command::new("git").args(["ls-files", "-z"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = files.split('\0').filter(|file| !file.is_empty()).collect();
    assert!(files.contains(&"Cargo.toml"), "git lists the tree");
    let mut wrong = Vec::new();
    for file in files {
        let is_named_so = [".key", ".db", ".db-wal", ".db-shm", ".sqlite", ".log", ".pem", ".p12"].iter().any(|end| file.ends_with(end));
        let Ok(content) = std::fs::read(file) else { continue };
        let text = String::from_utf8_lossy(&content[..content.len().min(4096)]);
        let is_key = text.trim().len() == 64 && text.trim().bytes().all(|b| b.is_ascii_hexdigit());
        // In two parts, so that this file does not find itself.
        let is_secret = is_key || text.contains(concat!("PRIVATE KEY", "-----")) || text.starts_with("SQLite format 3");
        if is_named_so || is_secret || file.starts_with("var/") {
            wrong.push(file);
        }
    }
    assert!(wrong.is_empty(), "written at run time, and committed: {wrong:?}");
}

#[test]
fn the_glossary_holds_every_word_of_the_field() {
    let glossary = std::fs::read_to_string("docs/glossary.md").unwrap();
    for word in [
        "programme",
        "applicant",
        "application",
        "category",
        "respondent",
        "case",
        "invitation",
        "campaign",
        "contact plan",
        "step",
        "attempt",
        "message",
        "part",
        "receipt",
        "questionnaire",
        "item",
        "response",
        "answer",
        "quota",
        "cell",
        "disposition",
        "deadline",
        "dataset",
        "version",
        "delivery",
        "suppression",
        "gateway",
    ] {
        assert!(glossary.contains(&format!("| {word} |")), "{word} is missing in docs/glossary.md");
    }
}
