//! Reading in a child process: the program starts itself, gives the file on standard input and
//! reads rows as JSON lines. The child limits its own memory and processor time before it looks at
//! the file; when it dies, the file was too much for it.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::{LeftOut, Result, Row, Sheet, Sheets, SpreadsheetError, read_here};

/// Address space of a child, which holds its program, the file and what is read of it.
const MAX_MEMORY: u64 = 1024 * 1024 * 1024;
const MAX_SECONDS: u64 = 60;
/// Children at once.
const MAX_CHILDREN: usize = 2;

/// The program, and the argument with which it serves as a child.
static PROGRAM: OnceLock<(PathBuf, &'static str)> = OnceLock::new();
static CHILDREN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// From now on, files are read by child processes of this program, started with this argument and
/// the name of [`Sheets`]; the program then calls [`serve_parent`]. Without this call, as in
/// another program that uses the library, files are read in the process itself.
pub fn in_child_process(program: PathBuf, argument: &'static str) {
    let _ = PROGRAM.set((program, argument));
}

/// A line of the child's output.
#[derive(Serialize, Deserialize)]
enum Line {
    Sheet(String),
    Row(Row),
    /// The rows of the sheet that are left out.
    LeftOut(LeftOut),
    Failed(SpreadsheetError),
    Done,
}

fn word(which: Sheets) -> &'static str {
    match which {
        Sheets::Visible => "visible",
        Sheets::VisibleWithHiddenRows => "hidden-rows",
        Sheets::All => "all",
    }
}

/// Reads a file in a child; `None` if the program does not use children.
pub fn read(bytes: &[u8], which: Sheets) -> Option<Result<Vec<Sheet>>> {
    let (program, argument) = PROGRAM.get()?;
    let _turn = Turn::take();
    let child = Command::new(program)
        .args([argument, word(which)])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Some(match child {
        Ok(child) => converse(Running(child), bytes),
        Err(error) => Err(SpreadsheetError::Unreadable(format!("no process to read it: {error}"))),
    })
}

fn converse(mut child: Running, bytes: &[u8]) -> Result<Vec<Sheet>> {
    let (stdin, stdout) = (child.0.stdin.take(), child.0.stdout.take());
    std::thread::scope(|scope| {
        // The child reads the whole file before it writes. If it dies first, its end says so.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(bytes)));
        let mut sheets: Vec<Sheet> = Vec::new();
        for line in BufReader::new(stdout.into_iter().next().ok_or_else(died)?).lines() {
            let line = line.map_err(|_| died())?;
            match serde_json::from_str(&line).map_err(|_| died())? {
                Line::Sheet(name) => {
                    sheets.push(Sheet { name, rows: Vec::new(), left_out: LeftOut::default() })
                }
                Line::LeftOut(left_out) => {
                    sheets.last_mut().ok_or_else(died)?.left_out = left_out;
                }
                Line::Row(row) => {
                    sheets.last_mut().ok_or_else(died)?.rows.push(row);
                }
                Line::Failed(error) => return Err(error),
                Line::Done => return Ok(sheets),
            }
        }
        Err(died())
    })
}

/// What is said of a file that was too much for its child.
pub const DIED: &str = "it is damaged, or takes more than 1 GB of memory or a minute to read";

fn died() -> SpreadsheetError {
    SpreadsheetError::Unreadable(DIED.into())
}

/// A child that is ended with its reader.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A turn among the children at once.
struct Turn;

impl Turn {
    fn take() -> Turn {
        let (running, freed) = &CHILDREN;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= MAX_CHILDREN {
            running = freed.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (running, freed) = &CHILDREN;
        *running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

/// The child's part: limits itself, reads the file from standard input and writes its rows.
///
/// # Errors
/// If the parent is gone.
pub fn serve_parent(which: &str) -> io::Result<()> {
    limit_this_process();
    let mut bytes = Vec::new();
    io::stdin().take(super::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let which = [Sheets::All, Sheets::VisibleWithHiddenRows]
        .into_iter()
        .find(|known| which == word(*known))
        .unwrap_or_default();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut write = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    };
    match read_here(&bytes, which) {
        Ok(sheets) => {
            for sheet in sheets {
                write(&Line::Sheet(sheet.name))?;
                for row in sheet.rows {
                    write(&Line::Row(row))?;
                }
                if !sheet.left_out.is_empty() {
                    write(&Line::LeftOut(sheet.left_out))?;
                }
            }
            write(&Line::Done)?;
        }
        Err(error) => write(&Line::Failed(error))?,
    }
    out.flush()
}

fn limit_this_process() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limits = [
        (Resource::As, MAX_MEMORY),
        (Resource::Cpu, MAX_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ];
    for (resource, most) in limits {
        // A limit that is already lower stays.
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}
