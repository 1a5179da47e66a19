//! The command line through the real binary: every refusal is one clear line with exit status 1 or
//! 2, and nothing is half-written.

use crate::common;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::list;

struct WorkFolder {
    folder: tempfile::TempDir,
}

impl WorkFolder {
    fn new() -> WorkFolder {
        let work_folder = WorkFolder { folder: tempfile::tempdir().unwrap() };
        work_folder.write("programme.toml", common::PROGRAMME);
        work_folder.write(
            "applications.toml",
            "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { code = \"a\", \
                name = \"甲公司\" }\ncategory = \"brand\"\nsubject = { brand = \"甲\" }\n",
        );
        work_folder.write("plan.toml", common::PLAN);
        work_folder.write("list.csv", &list(5));
        work_folder
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
            .args(arguments)
            .current_dir(self.path())
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    fn run_ok(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, &[]);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the one line of a refusal, without the program's name.
    fn run_refused(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run_with(arguments, environment);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
        error
            .strip_prefix("fieldworkd: ")
            .unwrap_or_else(|| panic!("{error}"))
            .trim_end()
            .to_owned()
    }
}

#[test]
fn from_nothing_to_launched_on_the_command_line() {
    let work_folder = WorkFolder::new();
    work_folder.run_ok(&["programme", "apply", "programme.toml"]);
    assert!(work_folder.run_ok(&["application", "add", "applications.toml"]).contains("A1"));
    work_folder.write("list.csv", &format!("{}坏,1381\n", list(5)));
    let dry =
        work_folder.run_ok(&["list", "import", "--application", "A1", "list.csv", "--dry-run"]);
    assert!(
        dry.contains("dry run, nothing written")
            && dry.contains("row 7, 手机: rejected")
            && !work_folder.path().join("list.csv.report.csv").exists()
    );
    let done = work_folder.run_ok(&["list", "import", "--application", "A1", "list.csv"]);
    assert!(
        done.contains("5 taken, 0 merged, 1 rejected") && done.contains("list.csv.report.csv"),
        "{done}"
    );
    let report = std::fs::read_to_string(work_folder.path().join("list.csv.report.csv")).unwrap();
    assert!(report.contains("list.csv,7,手机,****,rejected,"), "{report}");
    assert!(
        work_folder
            .run_ok(&["list", "import", "--application", "A1", "list.csv"])
            .contains("nothing was changed")
    );
    let launch = [
        "campaign",
        "launch",
        "C1",
        "--application",
        "A1",
        "--plan",
        "plan.toml",
        "--gateway",
        "simulator",
    ];
    assert!(
        work_folder.run_ok(&[&launch[..], &["--dry-run"]].concat()).contains("could be launched")
    );
    // Where two people agree to a launch, the command line asks for the second, or says why not.
    let two = [("FIELDWORKD_CONSOLE__LAUNCH_APPROVAL", "second_person")];
    let asked = work_folder.run_with(&launch, &two);
    let asked = String::from_utf8(asked.stdout).unwrap();
    assert!(asked.contains("C1 waits for a second person, who launches it at"), "{asked}");
    assert_eq!(work_folder.run_ok(&["campaign", "list", "--json"]).trim(), "[]");
    let alone = [&launch[..], &["--alone", "the other is ill"]].concat();
    let launched = work_folder.run_with(&alone, &two);
    assert!(String::from_utf8(launched.stdout).unwrap().contains("if everybody gets every step: "));
    let audit = work_folder.run_ok(&["audit", "list"]);
    assert!(audit.contains("alone: the other is ill"), "{audit}");
    let status: serde_json::Value =
        serde_json::from_str(&work_folder.run_ok(&["campaign", "status", "C1", "--json"])).unwrap();
    assert_eq!(
        (&status["state"], &status["applications"][0]["names"]),
        (&"running".into(), &5.into())
    );
    assert!(work_folder.run_ok(&["application", "list"]).contains("in_field"));
    let campaigns: serde_json::Value =
        serde_json::from_str(&work_folder.run_ok(&["campaign", "list", "--json"])).unwrap();
    assert_eq!(
        (&campaigns[0]["code"], &campaigns[0]["applications"][0]),
        (&"C1".into(), &"A1".into())
    );
    assert!(work_folder.run_ok(&["campaign", "pause", "C1"]).contains("paused"));
    assert!(work_folder.run_ok(&["campaign", "resume", "C1"]).contains("running"));
    assert!(
        work_folder
            .run_ok(&["suppress", "add", "13810000000"])
            .contains("1 numbers are suppressed everywhere")
    );
    assert!(work_folder.run_ok(&["suppress", "list"]).contains("opt_out"));
    assert!(work_folder.run_ok(&["campaign", "close", "C1"]).contains("A1"));
    assert!(work_folder.run_ok(&["dataset", "verify", "var/datasets/A1/v1"]).contains("is whole"));
    let datasets: serde_json::Value =
        serde_json::from_str(&work_folder.run_ok(&["dataset", "list", "--json"])).unwrap();
    assert_eq!(datasets[0]["application"], "A1");
    let doctor = work_folder.run_ok(&["doctor"]);
    assert!(
        doctor.contains("ok      the key ring belongs to the database")
            && !doctor.contains("PROBLEM"),
        "{doctor}"
    );
    assert!(
        work_folder
            .run_ok(&["gateways"])
            .contains("receipts come to http://127.0.0.1:8080/hooks/simulator/")
    );
    work_folder.run_ok(&["migrate"]);
    work_folder.run_ok(&["check-config"]);
}

#[test]
fn every_wrong_input_gets_one_line_that_names_it() {
    let work_folder = WorkFolder::new();
    assert!(
        work_folder
            .run_refused(&["application", "add", "applications.toml"], &[])
            .contains("no programme has the code p26")
    );
    work_folder.run_ok(&["programme", "apply", "programme.toml"]);
    work_folder.run_ok(&["application", "add", "applications.toml"]);
    work_folder.write("empty.csv", "");
    work_folder.write("long.csv", &list(101));
    let import = |file| ["list", "import", "--application", "A1", file];
    for (arguments, expected) in [
        (&["programme", "apply", "nowhere.toml"][..], "nowhere.toml cannot be read"),
        (&["programme", "apply", "list.csv"], "list.csv: TOML parse error"),
        (&import("nowhere.csv"), "nowhere.csv cannot be read"),
        (&import("empty.csv"), "empty.csv: the file is empty"),
        (&import("."), ". cannot be read"),
        (
            &import("long.csv"),
            "long.csv: application A1 would have 101 names, but category brand allows at most 100",
        ),
        (&["list", "import", "--application", "B7", "list.csv"], "no application has the code B7"),
        (&["campaign", "status", "C9"], "no campaign has the code C9"),
        (&["campaign", "close", "C9"], "no campaign has the code C9"),
        (
            &[
                "campaign",
                "launch",
                "C1",
                "--application",
                "A1",
                "--plan",
                "plan.toml",
                "--gateway",
                "pigeon",
            ],
            "no gateway is called pigeon; configured are: simulator",
        ),
        (
            &[
                "campaign",
                "launch",
                "C1",
                "--application",
                "A1",
                "--plan",
                "plan.toml",
                "--gateway",
                "simulator",
            ],
            "application A1 has no list",
        ),
        (&["dataset", "verify", "."], ". is no dataset folder: it has no SHA256SUMS"),
        (&["suppress", "add", "12"], "row 1: this is not a telephone number"),
        (&["--config", "nowhere.toml", "doctor"], "nowhere.toml: cannot be read"),
        (&["demo", "--dir", "."], ". holds something else than a demo"),
    ] {
        let error = work_folder.run_refused(arguments, &[]);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    // Errors in a plan name the plan's file.
    work_folder.run_ok(&import("list.csv"));
    let launch = [
        "campaign",
        "launch",
        "C1",
        "--application",
        "A1",
        "--plan",
        "bad.toml",
        "--gateway",
        "simulator",
    ];
    work_folder.write("bad.toml", &common::PLAN.replace("{link}", "{lnik}"));
    let refusal = work_folder.run_refused(&launch, &[]);
    assert!(
        refusal.contains("bad.toml: contact plan: step 1 (invitation), text")
            && refusal.matches("step 1").count() == 1,
        "{refusal}"
    );
    work_folder.write("bad.toml", &format!("time_zone = \"Mars/Olympus\"\n{}", common::PLAN));
    assert!(work_folder.run_refused(&launch, &[]).contains("«Mars/Olympus» is no time zone"));
    work_folder.write("bad.toml", &format!("holidays = \"none.toml\"\n{}", common::PLAN));
    assert!(work_folder.run_refused(&launch, &[]).contains("none.toml cannot be read"));
}

#[test]
fn wrong_usage_is_status_2() {
    let work_folder = WorkFolder::new();
    for arguments in
        [&["lunch"][..], &["list", "import", "list.csv"], &["demo", "--seed", "x"], &[]]
    {
        assert_eq!(work_folder.run_with(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn configuration_mistakes_are_all_listed_with_file_and_key() {
    let work_folder = WorkFolder::new();
    work_folder.write(
        "bad.toml",
        "[web]\nlisten = \"here\"\n[dispatch]\nbatch = 0\ntick = \
        1\n[gateway.g]\nfile = \"none.toml\"\n",
    );
    let output = work_folder.run_with(&["--config", "bad.toml", "check-config"], &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for expected in [
        "bad.toml: web.listen:",
        "bad.toml: dispatch.batch:",
        "bad.toml: dispatch.tick: no such key",
        "bad.toml: gateway.g.file:",
    ] {
        assert!(error.contains(expected), "{expected} in\n{error}");
    }
}

#[test]
fn check_config_knows_what_each_gateway_is_to_send() {
    let work_folder = WorkFolder::new();
    let gateway = |templates: &str| {
        let shipped = include_str!("../config/gateways/tencent.toml");
        work_folder.write("tencent.toml", &format!("{shipped}\n{templates}"));
    };
    let check = || {
        let output = work_folder.run_with(&["--config", "approved.toml", "check-config"], &[]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    work_folder.write(
        "approved.toml",
        "[gateway.tencent]\nfile = \"tencent.toml\"\nuser = \"u\"\n[applicant_pages]\n\
        gateway = \"tencent\"\nsignature = \"协会\"\n[notify.sms]\ngateway = \"tencent\"\n\
        signature = \"协会\"\nto_file = \"number\"\n",
    );
    work_folder.write("number", "13800138000");
    gateway("");
    let (status, said) = check();
    assert!(
        status == Some(1)
            && said.contains("applicant_pages.gateway: tencent: the gateway's file has no [template.applicant_code]")
            && said.contains("notify.sms.gateway: tencent: the gateway's file has no [template.alarm]"),
        "{said}"
    );
    let code = "[template.applicant_code]\ncode = \"2\"\nparameters = [\"{code}\"]\n";
    let alarm = "[template.alarm]\ncode = \"3\"\nparameters = []\n";
    gateway(&format!("{code}{alarm}"));
    let (status, said) = check();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("gateway.tencent has no secret"), "{said}");
    gateway(&code.replace("{code}", "{name}"));
    let (status, said) = check();
    assert!(status == Some(1) && said.contains("template.\"applicant_code\""), "{said}");
}

#[test]
fn a_database_that_cannot_be_used_says_why() {
    let work_folder = WorkFolder::new();
    work_folder.run_ok(&["migrate"]);
    let list = ["application", "list"];
    // Another program holds the lock.
    let holder = lock_of_another_program(&work_folder.path().join("var/fieldworkd.db"));
    let locked = work_folder.run_refused(&["programme", "apply", "programme.toml"], &[]);
    assert!(locked.contains("locked by another program"), "{locked}");
    drop(holder);
    // Nothing was half-written while it was locked.
    assert!(!work_folder.run_ok(&list).contains("p26"));
    let nobody = work_folder
        .run_refused(&list, &[("FIELDWORKD_DATABASE__URL", "postgres://u:hush@127.0.0.1:1/x")]);
    assert!(nobody.contains("check database.url") && !nobody.contains("hush"), "{nobody}");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(work_folder.path().join(format!("var/fieldworkd.db{end}")));
    }
    std::fs::write(
        work_folder.path().join("var/fieldworkd.db"),
        "not a database at all, whatever its name says",
    )
    .unwrap();
    assert!(work_folder.run_refused(&list, &[]).contains("database"));
}

/// Holds the write lock of an SQLite file until the child is killed.
fn lock_of_another_program(path: &Path) -> LockHolder {
    let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1])\nc.execute('BEGIN \
        EXCLUSIVE')\nprint('held',flush=True)\ntime.sleep(120)";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.as_mut().unwrap()),
        &mut line,
    )
    .unwrap();
    assert_eq!(line, "held\n");
    LockHolder(child)
}

struct LockHolder(std::process::Child);

impl Drop for LockHolder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn completions_a_manual_and_the_apis_description_come_from_the_commands_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["completions", "bash"]).contains("fieldworkd"));
    run(&["manual", "man"]);
    let page =
        std::fs::read_to_string(folder.path().join("man/fieldworkd-campaign-launch.1")).unwrap();
    assert!(page.contains("contact plan"), "{page}");
    let api: serde_json::Value = serde_json::from_str(&run(&["openapi"])).unwrap();
    assert!(api["paths"]["/api/v1/campaigns"]["post"].is_object());
}

/// `… | head` and the like: a closed pipe neither stops the work nor causes a panic.
#[test]
fn a_closed_output_pipe_stops_no_command() {
    let work_folder = WorkFolder::new();
    work_folder.run_ok(&["programme", "apply", "programme.toml"]);
    for (arguments, what) in [
        (["openapi"].as_slice(), "much to read"),
        (&["completions", "bash"], "much to read"),
        (&["application", "add", "applications.toml"], "it is done all the same"),
        (&["list", "import", "--application", "A1", "list.csv"], "it is done all the same"),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
            .args(arguments)
            .current_dir(work_folder.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody reads the output.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{arguments:?} ({what}): {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(work_folder.run_ok(&["application", "list"]).contains("A1"));
    assert!(work_folder.run_ok(&["programme", "status", "p26"]).contains('5'), "the list is in");
}
