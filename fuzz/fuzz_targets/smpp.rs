//! The parser of an SMSC's `deliver_sm`, after the library has decoded it.
#![no_main]

use fieldworkd::adapters::sms::smpp::ReceiptId;
use fieldworkd::adapters::sms::smpp::delivery::read_delivery;
use libfuzzer_sys::fuzz_target;
use rusmpp::pdus::DeliverSm;
use rusmpp::types::OctetString;
use rusmpp::values::{DataCoding, EsmClass};

fuzz_target!(|data: &[u8]| {
    let [class, coding, body @ ..] = data else { return };
    let Ok(text) = OctetString::from_vec(body[..body.len().min(255)].to_vec()) else { return };
    let pdu = DeliverSm::builder().esm_class(EsmClass::from(*class)).data_coding(DataCoding::from(*coding)).short_message(text).build();
    for receipt_id in [ReceiptId::Auto, ReceiptId::Same, ReceiptId::DecimalOfHex] {
        let _ = read_delivery(&pdu, receipt_id);
    }
});
