//! Parsers of message texts, contact plans and gateway patterns from operators.
#![no_main]

use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::sms_text::{Template, measure_parts, split_parts};
use fieldworkd::adapters::sms::template::Pattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = Template::parse(&text);
    let _ = Pattern::parse(&text);
    let (_, parts) = split_parts(&text);
    assert_eq!(parts.len() as u32, measure_parts(&text).parts);
    assert_eq!(parts.concat(), text);
    if let Ok(plan) = PlanFile::parse(&text) {
        let _ = plan.check();
    }
});
