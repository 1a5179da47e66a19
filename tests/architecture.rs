//! The architecture rules, checked on the source: layers, the order of services, SQL only in the
//! database adapter, time only from the clock, licences, no run-time data.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders from the lowest layer to the highest. A file imports only from its own layer and those
/// below.
const LAYERS: [&[&str]; 7] = [
    &["domain"],
    &["adapters"],
    &["services"],
    &["interfaces/errors"],
    &["interfaces/http"],
    &["daemon", "simulation"],
    &["interfaces/cli", "interfaces"],
];

/// Services in order: each uses only those before it. `sealing` and `context` are below all others.
const SERVICES: [&str; 30] = [
    "sealing",
    "context",
    "versions",
    "stuck_work",
    "holidays",
    "accounts",
    "list_import",
    "questionnaires",
    "programmes",
    "suppressions",
    "quotas",
    "campaigns",
    "sms_sending",
    "sms_inbound",
    "interviews",
    "call_center",
    "paper_forms",
    "clock_steps",
    "response_quality",
    "datasets",
    "forecasting",
    "deadlines",
    "alerts",
    "erasure",
    "restore",
    "monitoring",
    "drafts",
    "application_forms",
    "applicant_pages",
    "webhooks",
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

/// Returns the module path of a file: `src/services/quotas/mod.rs` is `services/quotas`.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.strip_prefix("src").unwrap().with_extension("");
    let mut module: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

fn layer_of(module: &[String]) -> Option<usize> {
    let (one, two) =
        (module.first()?.clone(), module.iter().take(2).cloned().collect::<Vec<_>>().join("/"));
    let position = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    position(&two).or_else(|| position(&one))
}

/// Returns the code of a file without comments and without its tests, which may import anything.
fn program_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let program = text.split("#[cfg(test)]").next().unwrap_or_default();
    program
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns every module path that a text in this module imports by `crate::` or `super::`,
/// including groups in braces.
fn imports(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        if !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            read_tree(&text[at + "crate::".len()..], Vec::new(), &mut found);
        }
    }
    for (at, _) in text.match_indices("super::") {
        if !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            let mut rest = &text[at..];
            let mut base = module.to_vec();
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            read_tree(rest, base, &mut found);
        }
    }
    // `use crate::services;` and then `services::quotas::…`
    for (at, _) in text.match_indices("services::") {
        if !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            read_tree(&text[at..], Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one tree of names, such as `a::{b, c::d}`. Returns the rest of the text.
fn read_tree<'a>(text: &'a str, base: Vec<String>, found: &mut BTreeSet<Vec<String>>) -> &'a str {
    let (mut path, mut rest) = (base, text.trim_start());
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                if inside.is_empty() || inside.starts_with('}') {
                    return inside.get(1..).unwrap_or_default();
                }
                let after = read_tree(inside, path.clone(), found);
                // Anything that is not a name (`*`, `as`) is skipped.
                inside = if after.len() == inside.len() { &inside[1..] } else { after };
            }
        }
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if length > 0 {
            path.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    found.insert(path);
    rest
}

#[test]
fn no_file_imports_from_a_layer_above_its_own() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let module = module_of(&file);
        if module.is_empty() {
            continue;
        }
        let own = layer_of(&module)
            .unwrap_or_else(|| panic!("{} stands in no layer; put it into LAYERS", file.display()));
        for import in imports(&program_of(&file), &module) {
            if layer_of(&import).is_some_and(|layer| layer > own) {
                wrong.push(format!("{} imports {}", file.display(), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_service_calls_only_services_before_it() {
    let place = |name: &str| SERVICES.iter().position(|service| *service == name);
    let mut wrong = Vec::new();
    for file in sources(Path::new("src/services")) {
        let module = module_of(&file);
        let Some(service) = module.get(1) else { continue };
        let own = place(service).unwrap_or_else(|| panic!("{service} has no place in SERVICES"));
        for import in imports(&program_of(&file), &module) {
            let other =
                import.get(1).filter(|_| import[0] == "services").and_then(|name| place(name));
            if other.is_some_and(|other| other > own) {
                wrong.push(format!("{} imports {}", file.display(), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_layer_test_finds_an_upward_import() {
    let found = imports(
        "use crate::{services::datasets::{self, x}, adapters::y};\nuse \
            super::super::http::z;\nservices::quotas::f()",
        &["interfaces".to_owned(), "cli".to_owned(), "demo".to_owned()],
    );
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    let expected = [
        "adapters::y",
        "interfaces::http::z",
        "services::datasets::self",
        "services::datasets::x",
        "services::quotas::f",
    ];
    assert_eq!(found, expected);
    let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    assert!(layer_of(&path("interfaces/cli/demo")) > layer_of(&path("simulation/demo")));
    assert!(layer_of(&path("interfaces/http/console")) > layer_of(&path("services/quotas")));
}

#[test]
fn domain_is_pure_sql_is_in_the_database_adapter_and_time_comes_from_the_clock() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let code = program_of(&file);
        let mut forbid = |words: &[&str], why: &str| {
            wrong.extend(
                words
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{}: {word} ({why})", file.display())),
            );
        };
        if !file.ends_with("adapters/clock.rs") {
            forbid(&["SystemTime::now", "Utc::now", "Local::now"], "time comes from the clock");
        }
        if !file.starts_with("src/adapters/database") {
            forbid(
                &["sqlx::query", "\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE "],
                "SQL stands in the database adapter",
            );
        }
        if file.starts_with("src/domain") {
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
        let text = std::fs::read_to_string(&file).unwrap();
        // A file of tables begins with `#![cfg(test)]`.
        let text = text.split("[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let panics = [".unwrap()", ".expect(\"", "panic!(", "unreachable!("]
                .iter()
                .any(|p| line.contains(p))
                && !line.trim_start().starts_with("//");
            let explained = lines[n.saturating_sub(4)..n]
                .iter()
                .any(|above| above.trim_start().starts_with("//"));
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
    let arguments =
        ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    const PERMISSIVE: [&str; 11] = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "Unlicense",
        "CC0-1.0",
        "MIT-0",
        "0BSD",
    ];
    let built: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| built.contains(p["id"].as_str().unwrap()))
    {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        // One alternative of an OR is enough; all parts of an AND must be allowed. (`WITH
        // LLVM-exception` only permits more.)
        let fits = licence.replace('/', " OR ").replace(['(', ')'], " ").split(" OR ").any(
            |alternative| {
                alternative.split(" AND ").all(|part| {
                    PERMISSIVE.contains(&part.split(" WITH ").next().unwrap_or_default().trim())
                })
            },
        );
        if !fits && !(licence.contains("CDLA-Permissive-2.0")) {
            wrong.push(format!("{name}: {licence}"));
        }
        if ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"].contains(&name) {
            wrong.push(format!("{name}: TLS is ring's"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Keys, databases and logs are written at run time; a committed key is no longer secret.
#[test]
fn nothing_that_is_written_at_run_time_is_committed() {
    let output = Command::new("git").args(["ls-files", "-z"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = files.split('\0').filter(|file| !file.is_empty()).collect();
    assert!(files.contains(&"Cargo.toml"), "git lists the tree");
    let mut wrong = Vec::new();
    for file in files {
        let is_named_so = [".key", ".db", ".db-wal", ".db-shm", ".sqlite", ".log", ".pem", ".p12"]
            .iter()
            .any(|end| file.ends_with(end));
        let Ok(content) = std::fs::read(file) else { continue };
        let text = String::from_utf8_lossy(&content[..content.len().min(4096)]);
        let is_key = text.trim().len() == 64 && text.trim().bytes().all(|b| b.is_ascii_hexdigit());
        // Concatenated, so that this file does not match itself.
        let is_secret = is_key
            || text.contains(concat!("PRIVATE KEY", "-----"))
            || text.starts_with("SQLite format 3");
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
