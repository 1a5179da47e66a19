//! The messages of a CMPP gateway, in both versions, and what their deliveries say.
#![no_main]

use fieldworkd::adapters::sms::cmpp::bodies::Report;
use fieldworkd::adapters::sms::cmpp::fields::Content;
use fieldworkd::adapters::sms::cmpp::pdu::{Command, MAX_LENGTH, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(MAX_LENGTH)];
    for version in [Version::V20, Version::V30] {
        let Some(command) = Command::decode(data, version) else { continue };
        // What was read can be written and read again, and grows by its fixed fields only.
        let written = command.encode(version);
        assert!(written.len() <= data.len() + 64);
        assert!(Command::decode(&written, version).is_some());
    }
    let _ = Report::decode(&Content::new(data.to_vec()));
});
