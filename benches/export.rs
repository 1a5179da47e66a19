//! Exports a dataset of a million responses as CSV and Parquet from the database, compared with
//! writing the same rows from memory with the same crates.
//!
//! The last line is `ratio export VALUE`: the time from memory divided by the time from the
//! database, as medians of alternating rounds (goal: at least 0.35), with the memory that the
//! export took (goal: under 250 MB). `ROWS` in the environment sets the size;
//! `ONLY=sqlite|postgres` selects one engine, whose memory is reported.

use fieldworkd::services::programmes::add_applications;
use fieldworkd::services::programmes::apply_programme;
use std::io;
use std::time::Instant;

use csv::StringRecord;
use fieldworkd::adapters::clock::SystemClock;
use fieldworkd::adapters::config::Config;
use fieldworkd::adapters::crypto;
use fieldworkd::adapters::database::datasets::{self, DatasetKind, FreezeReason};
use fieldworkd::adapters::database::{applications, campaigns};
use fieldworkd::adapters::transports::NewFolder;
use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::datasets::frozen::Frozen;
use fieldworkd::services::datasets::layout::{Table, layout};
use fieldworkd::services::datasets::metadata::DatasetMetadata;
use fieldworkd::services::datasets::missing::{CURRENT_RULES, MissingCodes};
use fieldworkd::services::datasets::package::csv_files::CsvFile;
use fieldworkd::services::datasets::package::parquet_files::ParquetFile;
use fieldworkd::services::datasets::package::{NamedFormat, TableFormat, write_rows};

const ROUNDS: usize = 3;
/// The number of rows in a frozen block, as in freezing.
const BLOCK: usize = 1_000;

const PROGRAMME: &str = "code = \"p26\"\nname = { zh = \"评价\", en = \"Rating\" }\n";
const APPLICATION: &str = "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { \
    code = \"a\", name = \"甲公司\" }\n\
                           category = \"brand\"\nsubject = { brand = \"甲\" }\n";

/// Fifteen items: twelve ratings, a single choice, a number, a day.
const QUESTIONNAIRE: &str = include_str!("export-questionnaire.toml");

fn row(number: u64, rng: &mut fastrand::Rng) -> StringRecord {
    let mut cells = vec![
        format!("{number:016x}"),
        if rng.u8(0..10) == 0 { "1.2" } else { "1.1" }.to_owned(),
        "zh".into(),
        "web".into(),
        format!(
            "2026-03-{:02}T{:02}:{:02}:{:02}+08:00",
            rng.u8(1..29),
            rng.u8(9..21),
            rng.u8(0..60),
            rng.u8(0..60)
        ),
        format!(
            "2026-04-{:02}T{:02}:{:02}:{:02}+08:00",
            rng.u8(1..29),
            rng.u8(9..21),
            rng.u8(0..60),
            rng.u8(0..60)
        ),
        rng.u16(60..900).to_string(),
        "phone".into(),
        "false".into(),
        "false".into(),
        "0.0000".into(),
    ];
    cells.extend((0..12).map(|_| {
        if rng.u8(0..20) == 0 { ".not_applicable".to_owned() } else { rng.u8(1..11).to_string() }
    }));
    cells.push(["a", "b", "c"][rng.usize(0..3)].to_owned());
    cells.push(rng.u16(0..500).to_string());
    cells.push(format!("2025-{:02}-{:02}", rng.u8(1..13), rng.u8(1..29)));
    StringRecord::from(cells)
}

fn formats(
    folder: &NewFolder,
    questionnaire: &Questionnaire,
) -> io::Result<Vec<Box<dyn TableFormat>>> {
    let fields = layout(Table::Responses, questionnaire, &DatasetMetadata::default());
    let csv = CsvFile::begin(
        folder.file("responses.csv")?,
        Table::Responses,
        true,
        fields.iter().map(|field| field.name.as_str()),
    )?;
    let codes = MissingCodes::of_rules(CURRENT_RULES);
    let parquet = ParquetFile::begin(
        folder.file("responses.parquet")?,
        Table::Responses,
        &fields,
        codes,
        "{}",
    )?;
    Ok(vec![Box::new(csv), Box::new(parquet)])
}

/// Returns the resident memory of this process in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
        / 1e6
}

fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}

/// Freezes made-up rows as a closed field would.
async fn freeze(context: &AppContext, rows: u64) -> datasets::Dataset {
    apply_programme(context, PROGRAMME).await.unwrap();
    add_applications(context, APPLICATION).await.unwrap();
    let mut tx = context.database.write().await.unwrap();
    let questionnaire = campaigns::freeze_questionnaire(
        &mut tx,
        "bench",
        1,
        &crypto::sha256_hex(QUESTIONNAIRE.as_bytes()),
        QUESTIONNAIRE,
    )
    .await
    .unwrap();
    let application = applications::find(&mut tx, "A1").await.unwrap().unwrap();
    let (id, _) = datasets::begin(
        &mut tx,
        application.id,
        DatasetKind::Final,
        FreezeReason::Closed,
        0,
        Timestamp(0),
    )
    .await
    .unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    for (first, number) in (0..rows).step_by(BLOCK).zip(0..) {
        let mut block = csv::Writer::from_writer(Vec::new());
        for at in first..rows.min(first + BLOCK as u64) {
            block.write_record(&row(at, &mut rng)).unwrap();
        }
        datasets::add_block(&mut tx, id, "responses", number, block.into_inner().unwrap(), None)
            .await
            .unwrap();
    }
    let metadata =
        DatasetMetadata { questionnaire_id: questionnaire.unwrap(), ..DatasetMetadata::default() };
    datasets::finalise(&mut tx, id, &serde_json::to_string(&metadata).unwrap(), Some(Timestamp(0)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    datasets::all(&mut context.database.read().await.unwrap()).await.unwrap().remove(0)
}

/// A frozen dataset in its own database.
struct Bench {
    context: AppContext,
    dataset: datasets::Dataset,
    folder: tempfile::TempDir,
}

async fn bench(url: &str, rows: u64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let url = if url == "sqlite" { format!("sqlite:{}", path("bench.db")) } else { url.to_owned() };
    let settings = [
        ("FIELDWORKD_DATABASE__URL".to_owned(), url),
        ("FIELDWORKD_KEYS__RING".to_owned(), path("keyring")),
    ];
    let config = Config::load(None, settings.into_iter()).unwrap();
    let context = AppContext::open(config, std::sync::Arc::new(SystemClock)).await.unwrap();
    let dataset = freeze(&context, rows).await;
    Bench { context, dataset, folder }
}

async fn measure_fieldworkd(bench: &Bench, round: usize) -> f64 {
    let frozen = Frozen::open(&bench.context, &bench.dataset).await.unwrap();
    let began = Instant::now();
    let target = NewFolder::begin(&bench.folder.path().join(format!("round-{round}"))).unwrap();
    let formats = formats(&target, &frozen.questionnaire).unwrap();
    let formats = formats.into_iter().map(NamedFormat::required).collect();
    write_rows(&bench.context, &frozen, formats).await.unwrap().unwrap();
    target.commit().unwrap();
    began.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure_bound(rows: u64) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let questionnaire = Questionnaire::parse(QUESTIONNAIRE).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    let all: Vec<StringRecord> = (0..rows).map(|number| row(number, &mut rng)).collect();
    let began = Instant::now();
    let target = NewFolder::begin(&folder.path().join("bound")).unwrap();
    let mut formats = formats(&target, &questionnaire).unwrap();
    for row in &all {
        for format in &mut formats {
            format.row(Table::Responses, row).unwrap();
        }
    }
    formats.into_iter().try_for_each(|format| format.finish()).unwrap();
    target.commit().unwrap();
    began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let rows: u64 =
        std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut urls = vec![("sqlite", "sqlite".to_owned())];
    if let Ok(server) = std::env::var("FIELDWORKD_TEST_POSTGRES") {
        urls.push(("postgres", format!("{server}/postgres")));
    }
    let mut lines = Vec::new();
    for (engine, url) in urls.iter().filter(|(engine, _)| only.is_empty() || only == *engine) {
        let bench = bench(url, rows).await;
        let (mut times, mut bounds) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // The first round of each engine measures the memory: before it, nothing was stored in
            // memory here.
            let before = resident();
            times.push(measure_fieldworkd(&bench, round).await);
            if lines.is_empty() && round == 0 {
                println!("{engine}: {:.0} MB at the most, {before:.0} MB before", peak());
            }
            bounds.push(measure_bound(rows));
        }
        bench.context.database.close().await;
        let (export_time, bound) = (median(times), median(bounds));
        println!(
            "{engine}: {rows} rows in {export_time:.2} s, from memory {bound:.2} s (medians of {ROUNDS})"
        );
        lines.push(format!(
            "ratio export{} {:.2}",
            if *engine == "sqlite" { "" } else { "_postgres" },
            bound / export_time
        ));
    }
    lines.iter().rev().for_each(|line| println!("{line}"));
}
