//! Documents that only an office program reads (Word before 2007, WPS, RTF, OpenDocument texts, PDF):
//! LibreOffice makes them readable, if it is installed.
//!
//! A conversion is a child process of this program, which keeps LibreOffice in a folder of its own,
//! without network and with limited memory and time, and takes everything away again when LibreOffice
//! ends, when its time is over and when the program that asked is gone ([`serve_conversion`]).

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ForeignFile, MAX_BYTES, OLE, Result, SpreadsheetError, holds_stream};

mod keeper;

pub use keeper::{serve_conversion, sweep_leftovers};

/// How long a conversion may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Which LibreOffice converts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfficeProgram {
    /// `soffice` on the PATH, if it is there.
    OnPath,
    At(PathBuf),
    Never,
}

impl OfficeProgram {
    /// Returns the program, if there is one.
    pub fn find(&self) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| {
            path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        match self {
            OfficeProgram::Never => None,
            OfficeProgram::At(path) => Some(path.clone()).filter(is_program),
            OfficeProgram::OnPath => {
                let folders = std::env::var_os("PATH")?;
                let mut found = std::env::split_paths(&folders).map(|at| at.join("soffice"));
                found.find(|path| path.is_absolute() && is_program(path))
            }
        }
    }
}

/// Why a file was not converted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversionProblem {
    /// LibreOffice made nothing of it.
    Refused,
    TimeLimit,
    /// What it became is larger than a spreadsheet may be.
    TooLarge,
    /// LibreOffice could not be started; why.
    NotStarted(String),
}

impl ConversionProblem {
    /// Returns what is wrong and what to do, in Chinese and in English.
    pub fn labels(&self) -> (String, String) {
        match self {
            ConversionProblem::Refused => (
                "LibreOffice 无法打开此文件（已损坏、有密码，或服务器缺少 libreoffice-writer、-calc 或 -draw），请去掉密码，另存为 .docx 或 .xlsx".to_owned(),
                "LibreOffice cannot open it: it is damaged or has a password, or libreoffice-writer, \
                    -calc or -draw is not installed; save it as .docx or .xlsx without a password"
                    .to_owned(),
            ),
            ConversionProblem::TimeLimit => (
                "LibreOffice 60 秒内未能转换此文件，请另存为 .docx 或 .xlsx".to_owned(),
                "LibreOffice did not convert it within 60 seconds; save it as .docx or .xlsx"
                    .to_owned(),
            ),
            ConversionProblem::TooLarge => (
                "转换后的文件超过 32 MB，请删去图片，另存为 .docx 或 .xlsx".to_owned(),
                "it is larger than 32 MB when it is converted; remove its pictures and save it as \
                    .docx or .xlsx"
                    .to_owned(),
            ),
            ConversionProblem::NotStarted(problem) => (
                format!("LibreOffice 无法启动（{problem}），请另存为 .docx 或 .xlsx，并告知系统管理员"),
                format!(
                    "LibreOffice cannot be started ({problem}); save it as .docx or .xlsx, and tell \
                        the administrator"
                ),
            ),
        }
    }
}

/// A kind of file that is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    OpenText,
    RichText,
    OldDocument,
    OldWorkbook,
    Pdf,
}

impl Source {
    const ALL: [Source; 5] =
        [Source::OpenText, Source::RichText, Source::OldDocument, Source::OldWorkbook, Source::Pdf];

    /// The kind that a foreign file is converted as; `None`: it stays what it is.
    pub fn of(kind: ForeignFile) -> Option<Source> {
        match kind {
            ForeignFile::Pdf => Some(Source::Pdf),
            ForeignFile::RichText => Some(Source::RichText),
            ForeignFile::OldDocument => Some(Source::OldDocument),
            ForeignFile::ScannedPdf
            | ForeignFile::TornPdf
            | ForeignFile::Picture
            | ForeignFile::WebArchive
            | ForeignFile::Archive
            | ForeignFile::Mail => None,
        }
    }

    /// As for [`Source::of`], for a file of [`is_other_old`].
    pub fn of_other_old(bytes: &[u8]) -> Source {
        let is_workbook = holds_stream(bytes, "Workbook") || holds_stream(bytes, "Book");
        if is_workbook { Source::OldWorkbook } else { Source::OldDocument }
    }

    /// The ending under which LibreOffice gets it; it looks into the file as well.
    fn ending(self) -> &'static str {
        match self {
            Source::OpenText => "odt",
            Source::RichText => "rtf",
            Source::OldDocument => "doc",
            Source::OldWorkbook => "xls",
            Source::Pdf => "pdf",
        }
    }

    fn parse(ending: &OsStr) -> Option<Source> {
        Source::ALL.into_iter().find(|source| ending == source.ending())
    }

    /// What it becomes, with the filters of LibreOffice. A PDF becomes a drawing that says where each
    /// text and each line stands: as a document, it has lost the rows of its tables.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Source::OpenText | Source::RichText | Source::OldDocument => {
                &["--convert-to", "docx:MS Word 2007 XML"]
            }
            Source::OldWorkbook => &["--convert-to", "xlsx:Calc MS Excel 2007 XML"],
            Source::Pdf => &[
                "--infilter=draw_pdf_import",
                "--convert-to",
                "fodg:OpenDocument Drawing Flat XML",
            ],
        }
    }
}

/// Whether a file is an OpenDocument text, by the name that such an archive begins with.
pub fn is_open_text(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument.text";
    bytes.starts_with(b"PK\x03\x04")
        && bytes.get(30..30 + NAME.len()) == Some(NAME)
        // A master document or a web page is another kind.
        && bytes.get(30 + NAME.len()) != Some(&b'-')
}

/// Whether an office program may read a file of before 2007 that could not be read here: it is none
/// with a password.
pub fn is_other_old(bytes: &[u8]) -> bool {
    bytes.starts_with(OLE) && !holds_stream(bytes, "EncryptedPackage")
}

/// Converts files by LibreOffice, one at a time.
#[derive(Debug, Clone)]
pub struct Converter {
    /// This program, and the argument with which it serves as a child.
    pub program: PathBuf,
    pub argument: &'static str,
    pub soffice: PathBuf,
    /// Where the folders of conversions are made.
    pub folder: PathBuf,
    pub time_limit: Duration,
}

static IN_USE: RwLock<Option<Converter>> = RwLock::new(None);
static TURN: Mutex<()> = Mutex::new(());

/// From now on, files that cannot be read otherwise are converted by this office program, in child
/// processes of this program that are started with this argument; they call [`serve_conversion`].
pub fn convert_with(program: PathBuf, argument: &'static str, office: &OfficeProgram) {
    let converter = office.find().map(|soffice| Converter {
        program,
        argument,
        soffice,
        folder: std::env::temp_dir(),
        time_limit: TIME_LIMIT,
    });
    *IN_USE.write().unwrap_or_else(PoisonError::into_inner) = converter;
}

pub(super) fn in_use() -> Option<Converter> {
    IN_USE.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns the office program that is in use, if there is one.
pub fn office_in_use() -> Option<PathBuf> {
    in_use().map(|converter| converter.soffice)
}

/// The child's answer; what the file became follows it.
#[derive(Serialize, Deserialize)]
enum Reply {
    Converted,
    Failed(ConversionProblem),
}

impl Converter {
    /// Converts a file. Returns what it became: a document, a workbook or a drawing.
    ///
    /// # Errors
    /// If LibreOffice refuses it, takes too long or cannot be started.
    pub fn convert(&self, bytes: &[u8], source: Source) -> Result<Vec<u8>> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let not_started = |error: io::Error| {
            SpreadsheetError::NotConverted(ConversionProblem::NotStarted(error.to_string()))
        };
        let mut child = Command::new(&self.program)
            .args([OsStr::new(self.argument), self.soffice.as_os_str(), self.folder.as_os_str()])
            .arg(OsString::from(self.time_limit.as_millis().to_string()))
            .arg(source.ending())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(not_started)?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // The child reads the whole file before it answers. While the pipe is open, it knows that
        // somebody waits.
        let written = stdin.as_mut().map(|stdin| {
            stdin.write_all(&(bytes.len() as u64).to_le_bytes())?;
            stdin.write_all(bytes)?;
            stdin.flush()
        });
        let read = || -> io::Result<(Reply, Vec<u8>)> {
            written.unwrap_or(Ok(()))?;
            let mut stdout =
                BufReader::new(stdout.into_iter().next().ok_or(io::ErrorKind::BrokenPipe)?);
            let (mut line, mut converted) = (String::new(), Vec::new());
            stdout.read_line(&mut line)?;
            stdout.take(MAX_BYTES).read_to_end(&mut converted)?;
            Ok((serde_json::from_str(&line)?, converted))
        };
        let reply = read();
        drop(stdin);
        let _ = child.wait();
        match reply.map_err(not_started)? {
            (Reply::Converted, converted) => Ok(converted),
            // Such a drawing holds pictures of the pages.
            (Reply::Failed(ConversionProblem::TooLarge), _) if source == Source::Pdf => {
                Err(SpreadsheetError::Foreign(ForeignFile::ScannedPdf))
            }
            (Reply::Failed(problem), _) => Err(SpreadsheetError::NotConverted(problem)),
        }
    }
}

/// The address of a folder as LibreOffice wants it.
fn address(path: &Path) -> Option<String> {
    url::Url::from_directory_path(path)
        .ok()
        .map(|url| url.as_str().trim_end_matches('/').to_owned())
}
