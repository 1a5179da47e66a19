//! Parsers of list files from applicants.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(rows) = fieldworkd::services::list_import::read_table(data) {
        for cell in rows.iter().flat_map(|row| &row.cells) {
            let _ = fieldworkd::domain::phone::Phone::parse(cell, phonenumber::country::CN);
        }
    }
});
