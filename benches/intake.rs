//! `cargo bench --bench intake`: imports a list of a million people with the real binary (`list
//! import`: read, check, merge, seal, write to disk), compared with only reading the same file and
//! parsing its numbers. One run; the ratio is printed at the end, higher is better, together with
//! the import's memory.
//!
//! PostgreSQL is measured when FIELDWORKD_TEST_POSTGRES names a server (`tests/run bench --bench
//! intake` starts one).

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fieldworkd::domain::phone::Phone;

const PEOPLE: usize = 1_000_000;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("list.csv");
    write_list(&list);
    let mut ratios = Vec::new();
    for url in runtime.block_on(common::fresh_urls(folder.path())) {
        let engine = if url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
        if std::env::var("ONLY").is_ok_and(|only| only != engine) {
            continue;
        }
        let before = parse_alone(&list);
        let (import_time, memory) = import(folder.path(), &url, engine);
        let after = parse_alone(&list);
        let bound = (before + after) / 2.0;
        println!(
            "import on {engine:<9} {:.0} rows/s, {memory} MB at most; reading and parsing alone \
                {:.0} rows/s",
            PEOPLE as f64 / import_time,
            PEOPLE as f64 / bound
        );
        ratios.push((engine, bound / import_time));
    }
    // The embedded database comes last, since the goal refers to it.
    ratios
        .iter()
        .filter(|(engine, _)| *engine != "sqlite")
        .for_each(|(engine, ratio)| println!("ratio intake_{engine} {ratio:.2}"));
    ratios
        .iter()
        .filter(|(engine, _)| *engine == "sqlite")
        .for_each(|(_, ratio)| println!("ratio intake {ratio:.2}"));
}

/// Writes a million made-up people, with numbers formatted as in real lists.
fn write_list(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(file, "姓名,单位,手机,备注").expect("it is written");
    for n in 0..PEOPLE {
        let number = common::number(n);
        let written = match n % 4 {
            0 => format!("+86 {number}"),
            1 => format!("{}-{}-{}", &number[..3], &number[3..7], &number[7..]),
            _ => number,
        };
        writeln!(file, "受访者{n},第{}公司,{written},", n % 997).expect("it is written");
    }
    file.flush().expect("it is written");
}

/// Returns the time in seconds.
fn parse_alone(list: &Path) -> f64 {
    let begun = Instant::now();
    let mut reader = csv::Reader::from_path(list).expect("the list");
    let mut record = csv::StringRecord::new();
    let mut good = 0;
    while reader.read_record(&mut record).expect("a record") {
        good += usize::from(
            Phone::parse(record.get(2).unwrap_or_default(), phonenumber::country::CN).is_ok(),
        );
    }
    assert_eq!(good, PEOPLE);
    begun.elapsed().as_secs_f64()
}

/// Returns the time in seconds and the memory in megabytes.
fn import(folder: &Path, url: &str, engine: &str) -> (f64, u64) {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldworkd"));
        command
            .current_dir(folder)
            .env("FIELDWORKD_DATABASE__URL", url)
            .env("FIELDWORKD_KEYS__RING", format!("keys-{engine}"));
        command.args(arguments).stdout(Stdio::null());
        command
    };
    let written =
        |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("it is written");
    written("programme.toml", &format!("{}caps = {{ brand = {PEOPLE} }}\n", common::PROGRAMME));
    written(
        "applications.toml",
        "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { code = \"a\", name = \
            \"甲公司\" }\ncategory = \"brand\"\nsubject = { brand = \"甲\" }\n",
    );
    for arguments in
        [["programme", "apply", "programme.toml"], ["application", "add", "applications.toml"]]
    {
        assert!(run(&arguments).status().expect("it runs").success());
    }
    let begun = Instant::now();
    let mut child =
        run(&["list", "import", "--application", "A1", "list.csv"]).spawn().expect("it runs");
    let mut most = 0;
    let status = loop {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        most = kilobytes.unwrap_or(0).max(most);
        match child.try_wait().expect("it is ours") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success());
    (begun.elapsed().as_secs_f64(), most / 1024)
}
