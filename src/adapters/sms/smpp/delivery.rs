//! Deliveries of an SMSC: receipts, as text or in optional parameters, and replies.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use regex::Regex;
use rusmpp::pdus::{DataSm, DeliverSm};
use rusmpp::tlvs::{Tlv, TlvValue};
use rusmpp::values::{DataCoding, EsmClass, GsmFeatures, MessageState, MessageType, Ton};

use super::super::user_data::{self, part_of_header, valid_part};
use super::super::{NumberKind, Receipt, Reply, ReplyPart, TextCoding};
use super::ReceiptId;
use crate::domain::personal::Personal;

// The patterns are fixed and compile; the tests below use them.
static ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bid:\s*([0-9a-z_.-]{1,64})").expect("a fixed pattern"));
static STATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bstat:\s*([a-z]{1,10})").expect("a fixed pattern"));
/// A receipt's form, which nobody writes by chance: its id, stat, and one of the other fields.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?is)^\s*id:\s*[a-z_.-]*[0-9][0-9a-z_.-]{0,63}\s.*\bstat:\s*[a-z]")
        .expect("a fixed pattern")
});
// Fixed as well.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(sub|dlvrd|submit date|done date):").expect("a fixed pattern")
});
// Fixed as well.
static TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\btext:").expect("a fixed pattern"));
// Fixed as well.
static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\berr:\s*([0-9a-z]{1,10})").expect("a fixed pattern"));

/// What a deliver_sm and a data_sm have in common.
#[derive(Clone, Copy)]
pub struct Delivered<'a> {
    source_ton: Ton,
    source: &'a str,
    class: EsmClass,
    data_coding: DataCoding,
    short_message: &'a [u8],
    tlvs: &'a [Tlv],
}

impl<'a> From<&'a DeliverSm> for Delivered<'a> {
    fn from(pdu: &'a DeliverSm) -> Delivered<'a> {
        Delivered {
            source_ton: pdu.source_addr_ton,
            source: pdu.source_addr.as_str(),
            class: pdu.esm_class,
            data_coding: pdu.data_coding,
            short_message: pdu.short_message().as_ref(),
            tlvs: pdu.tlvs(),
        }
    }
}

impl<'a> From<&'a DataSm> for Delivered<'a> {
    fn from(pdu: &'a DataSm) -> Delivered<'a> {
        Delivered {
            source_ton: pdu.source_addr_ton,
            source: pdu.source_addr.as_str(),
            class: pdu.esm_class,
            data_coding: pdu.data_coding,
            short_message: &[],
            tlvs: pdu.tlvs(),
        }
    }
}

/// Parses a deliver_sm or data_sm into a receipt or a reply. An intermediate report or a state that
/// is not final gives neither.
pub fn read_delivery<'a>(
    pdu: impl Into<Delivered<'a>>,
    receipt_id: ReceiptId,
) -> (Vec<Receipt>, Vec<Reply>) {
    let pdu = &pdu.into();
    let (header, body) = split_header(pdu);
    let text = receipt_text(pdu, &body);
    let is_receipt = pdu.class.message_type == MessageType::ShortMessageContainsMCDeliveryReceipt
        || pdu.tlvs.iter().any(|tlv| matches!(tlv.value(), Some(TlvValue::ReceiptedMessageId(_))))
        || is_in_receipt_form(&text);
    if is_receipt {
        return (read_receipt(pdu, &text, receipt_id).into_iter().collect(), Vec::new());
    }
    let coding = TextCoding::of_data_coding(u8::from(pdu.data_coding));
    let part =
        part_of_header(&header).or_else(|| part_of_sar(pdu)).map(|(reference, number, total)| {
            ReplyPart {
                reference,
                number,
                total,
                coding,
                octets_hex: Personal::new(HEXLOWER.encode(&body)),
            }
        });
    let from_kind = match pdu.source_ton {
        Ton::International => NumberKind::International,
        Ton::National => NumberKind::National,
        Ton::Alphanumeric | Ton::Abbreviated => NumberKind::NotDialled,
        _ => NumberKind::Unknown,
    };
    let reply = Reply { from_kind, part, ..Reply::new(pdu.source, coding.decode(&body)) };
    (Vec::new(), vec![reply])
}

fn part_of_sar(pdu: &Delivered<'_>) -> Option<(u16, u8, u8)> {
    let (mut reference, mut number, mut total) = (None, None, None);
    for tlv in pdu.tlvs {
        match tlv.value() {
            Some(TlvValue::SarMsgRefNum(value)) => reference = Some(*value),
            Some(TlvValue::SarSegmentSeqnum(value)) => number = Some(*value),
            Some(TlvValue::SarTotalSegments(value)) => total = Some(*value),
            _ => {}
        }
    }
    valid_part(reference?, number?, total?)
}

/// Receipts are ASCII, unless a carrier codes them like the message that they are about.
fn receipt_text(pdu: &Delivered<'_>, body: &[u8]) -> String {
    match TextCoding::of_data_coding(u8::from(pdu.data_coding)) {
        TextCoding::Utf16 if body.contains(&0) => TextCoding::Utf16.decode(body),
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

/// Many SMSCs leave out the flag of a receipt.
fn is_in_receipt_form(text: &str) -> bool {
    let text = before_text(text);
    FORM.is_match(text) && FIELD.is_match(text)
}

/// The message itself comes last, and may contain anything.
fn before_text(receipt: &str) -> &str {
    TEXT.find(receipt).map_or(receipt, |text| &receipt[..text.start()])
}

fn read_receipt(pdu: &Delivered<'_>, text: &str, receipt_id: ReceiptId) -> Option<Receipt> {
    let text = before_text(text);
    let find = |pattern: &Regex| {
        pattern.captures(text).and_then(|found| Some(found.get(1)?.as_str().to_owned()))
    };
    let mut id = find(&ID);
    let mut state = find(&STATE).map(|state| state.to_uppercase());
    for tlv in pdu.tlvs {
        match tlv.value() {
            Some(TlvValue::ReceiptedMessageId(given)) => id = Some(given.as_str().to_owned()),
            Some(TlvValue::MessageState(given)) => {
                state = state.or_else(|| word_of(*given).map(str::to_owned))
            }
            _ => {}
        }
    }
    // SMPP 3.4, appendix B: the final states. ACCEPTD and UNKNOWN, like ENROUTE, are not final.
    let delivered = match state.as_deref()? {
        "DELIVRD" => true,
        // FAILED is none of them, but sent.
        "EXPIRED" | "DELETED" | "UNDELIV" | "REJECTD" | "FAILED" => false,
        _ => return None,
    };
    let id = match receipt_id {
        ReceiptId::Auto | ReceiptId::Same => id?,
        ReceiptId::DecimalOfHex => format!("{:x}", id?.parse::<u64>().ok()?),
    };
    let code = if delivered {
        None
    } else {
        state.map(|state| find(&CODE).map_or(state.clone(), |code| format!("{state}:{code}")))
    };
    Some(Receipt { reference: None, id: Some(id), to: None, delivered, dead_number: false, code })
}

fn word_of(state: MessageState) -> Option<&'static str> {
    match state {
        MessageState::Delivered => Some("DELIVRD"),
        MessageState::Expired => Some("EXPIRED"),
        MessageState::Deleted => Some("DELETED"),
        MessageState::Undeliverable => Some("UNDELIV"),
        MessageState::Rejected => Some("REJECTD"),
        _ => None,
    }
}

/// Returns the user data header (without its length) and the text's octets, from either field.
fn split_header(pdu: &Delivered<'_>) -> (Vec<u8>, Vec<u8>) {
    let payload = pdu.tlvs.iter().find_map(|tlv| match tlv.value() {
        Some(TlvValue::MessagePayload(payload)) => Some(payload.value.as_ref().to_vec()),
        _ => None,
    });
    let body = payload.unwrap_or_else(|| pdu.short_message.to_vec());
    let has_header = matches!(
        pdu.class.gsm_features,
        GsmFeatures::UdhiIndicator | GsmFeatures::SetUdhiAndReplyPath
    );
    if !has_header {
        return (Vec::new(), body);
    }
    let (header, text) = user_data::split_header(&body);
    (header.to_vec(), text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::super::Entries;
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::*;
    use rusmpp::types::{COctetString, OctetString};
    use rusmpp::values::{DataCoding, EsmClass};

    fn pdu(class: u8, coding: DataCoding, body: &[u8]) -> DeliverSm {
        DeliverSm::builder()
            .source_addr("8613800138000".parse::<COctetString<1, 21>>().unwrap())
            .esm_class(EsmClass::from(class))
            .data_coding(coding)
            .short_message(OctetString::from_vec(body.to_vec()).unwrap())
            .build()
    }

    fn receipt(text: &str, receipt_id: ReceiptId) -> Option<Receipt> {
        read_delivery(&pdu(4, DataCoding::McSpecific, text.as_bytes()), receipt_id).0.pop()
    }

    #[test]
    fn receipts_as_text() {
        let text = |state: &str| {
            format!(
                "id:10ab sub:001 dlvrd:001 submit date:2603021000 done date:2603021001 \
                    stat:{state} err:021 text:x"
            )
        };
        let delivered = receipt(&text("DELIVRD"), ReceiptId::Same).unwrap();
        assert_eq!(
            (delivered.id.as_deref(), delivered.delivered, delivered.code.as_deref()),
            (Some("10ab"), true, None)
        );
        for state in ["EXPIRED", "DELETED", "UNDELIV", "REJECTD"] {
            let failed = receipt(&text(state), ReceiptId::Same).unwrap();
            assert_eq!((failed.delivered, failed.code.unwrap()), (false, format!("{state}:021")));
        }
        assert!(
            receipt(&text("ACCEPTD"), ReceiptId::Same).is_none()
                && receipt(&text("UNKNOWN"), ReceiptId::Same).is_none()
        );
        assert!(receipt("garbage", ReceiptId::Same).is_none());
        assert_eq!(
            receipt("id:255 stat:DELIVRD", ReceiptId::DecimalOfHex).unwrap().id.as_deref(),
            Some("ff")
        );
    }

    /// Coded like the message that they are about (vumi 635), or only called so (node-smpp 68).
    #[test]
    fn receipts_in_another_coding() {
        let text = "id:10ab sub:001 dlvrd:001 stat:DELIVRD err:000 text:";
        let ucs2: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for body in [&ucs2[..], text.as_bytes()] {
            let delivered = pdu(4, DataCoding::Ucs2, body);
            let (receipts, _) = read_delivery(&delivered, ReceiptId::Same);
            assert_eq!(describe_receipts(Ok(Entries::of(receipts))), ["id=10ab delivered"]);
        }
    }

    #[test]
    fn receipts_in_optional_parameters() {
        use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Tlv;
        let mut pdu = pdu(0, DataCoding::McSpecific, b"");
        pdu.push_tlv(Tlv::ReceiptedMessageId("77".parse().unwrap()));
        pdu.push_tlv(Tlv::MessageState(MessageState::Undeliverable));
        let (receipts, replies) = read_delivery(&pdu, ReceiptId::Same);
        assert!(
            replies.is_empty() && receipts[0].id.as_deref() == Some("77") && !receipts[0].delivered
        );
    }

    #[test]
    fn replies_in_each_coding() {
        let ucs2: Vec<u8> = "退订".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let with_header = [&[5, 0, 3, 1, 1, 1][..], &ucs2].concat();
        for (class, coding, body, text) in [
            (0, DataCoding::McSpecific, &b"TD"[..], "TD"),
            (0, DataCoding::Ucs2, &ucs2[..], "退订"),
            (0x40, DataCoding::Ucs2, &with_header[..], "退订"),
        ] {
            let (receipts, replies) = read_delivery(&pdu(class, coding, body), ReceiptId::Same);
            assert!(receipts.is_empty());
            assert_eq!(
                (replies[0].text.reveal(), replies[0].from.reveal()),
                (text, "8613800138000")
            );
        }
    }

    #[test]
    fn receipts_of_every_shape() {
        for (text, receipt_id, expected) in [
            ("id:10ab stat:DELIVRD err:000", ReceiptId::Same, &["id=10ab delivered"][..]),
            ("ID: 10ab STAT: delivrd", ReceiptId::Same, &["id=10ab delivered"]),
            (
                "id:10ab sub:001 new:x stat:UNDELIV err:021",
                ReceiptId::Same,
                &["id=10ab undelivered code=UNDELIV:021"],
            ),
            (
                "id:10ab stat:REJECTD text:id:99 stat:DELIVRD",
                ReceiptId::Same,
                &["id=10ab undelivered code=REJECTD"],
            ),
            // Not final.
            (
                "id:10ab stat:FAILED err: 0000",
                ReceiptId::Same,
                &["id=10ab undelivered code=FAILED:0000"],
            ),
            // What the text says is not the state.
            ("id:10ab text:stat:DELIVRD", ReceiptId::Same, &[]),
            ("id:10ab stat:ENROUTE", ReceiptId::Same, &[]),
            ("id:10ab stat:ACCEPTD", ReceiptId::Same, &[]),
            ("id:10ab stat:UNKNOWN", ReceiptId::Same, &[]),
            ("id:10ab stat:NEVERHEARD", ReceiptId::Same, &[]),
            ("id:10ab", ReceiptId::Same, &[]),
            ("stat:DELIVRD", ReceiptId::Same, &[]),
            ("id:10ab st", ReceiptId::Same, &[]),
            ("<html>", ReceiptId::Same, &[]),
            ("", ReceiptId::Same, &[]),
            ("id:4267 stat:DELIVRD", ReceiptId::DecimalOfHex, &["id=10ab delivered"]),
            ("id:10ab stat:DELIVRD", ReceiptId::DecimalOfHex, &[]),
        ] {
            let delivered = pdu(4, DataCoding::McSpecific, text.as_bytes());
            let (receipts, replies) = read_delivery(&delivered, receipt_id);
            assert!(replies.is_empty(), "{text}");
            assert_eq!(describe_receipts(Ok(Entries::of(receipts))), expected, "{text}");
        }
    }

    #[test]
    fn states_in_optional_parameters() {
        use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Tlv;
        for (state, text, expected) in [
            (MessageState::Delivered, "", &["id=77 delivered"][..]),
            (MessageState::Expired, "", &["id=77 undelivered code=EXPIRED"]),
            (MessageState::Deleted, "", &["id=77 undelivered code=DELETED"]),
            (MessageState::Undeliverable, "err:021", &["id=77 undelivered code=UNDELIV:021"]),
            (MessageState::Rejected, "", &["id=77 undelivered code=REJECTD"]),
            (MessageState::Enroute, "", &[]),
            (MessageState::Accepted, "", &[]),
            (MessageState::Unknown, "", &[]),
            // The id of the parameter counts, and the state of the text.
            (MessageState::Delivered, "id:1 stat:EXPIRED", &["id=77 undelivered code=EXPIRED"]),
        ] {
            let mut pdu = pdu(4, DataCoding::McSpecific, text.as_bytes());
            pdu.push_tlv(Tlv::ReceiptedMessageId("77".parse().unwrap()));
            pdu.push_tlv(Tlv::MessageState(state));
            let (receipts, _) = read_delivery(&pdu, ReceiptId::Same);
            assert_eq!(describe_receipts(Ok(Entries::of(receipts))), expected, "{state:?} {text}");
        }
    }

    #[test]
    fn replies_of_every_shape() {
        let ucs2 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let cut = [ucs2("好").as_slice(), &[0xd8]].concat();
        for (from, coding, body, expected) in [
            ("8613800138000", DataCoding::McSpecific, b"8".to_vec(), "8613800138000: «8»"),
            ("+8613800138000", DataCoding::McSpecific, b"TD".to_vec(), "+8613800138000: «TD»"),
            // A service's short number is no number of a country.
            ("10086", DataCoding::McSpecific, b"R".to_vec(), "10086: «R»"),
            ("8613800138000", DataCoding::McSpecific, vec![0, 0x1b, 0x65], "8613800138000: «@€»"),
            ("8613800138000", DataCoding::Ucs2, ucs2("很好👍🏽"), "8613800138000: «很好👍🏽»"),
            ("8613800138000", DataCoding::Ucs2, cut, "8613800138000: «好»"),
            (
                "8613800138000",
                DataCoding::Ucs2,
                ucs2("👍")[..2].to_vec(),
                "8613800138000: «\u{fffd}»",
            ),
            ("8613800138000", DataCoding::Latin1, vec![0xe9], "8613800138000: «é»"),
            ("8613800138000", DataCoding::Ia5, b"STOP".to_vec(), "8613800138000: «STOP»"),
            ("8613800138000", DataCoding::McSpecific, Vec::new(), "8613800138000: «»"),
        ] {
            let delivered = DeliverSm::builder()
                .source_addr(from.parse::<COctetString<1, 21>>().unwrap())
                .data_coding(coding)
                .short_message(OctetString::from_vec(body.clone()).unwrap())
                .build();
            let (receipts, replies) = read_delivery(&delivered, ReceiptId::Same);
            assert!(receipts.is_empty(), "{body:?}");
            // SMPP gives a reply no id.
            assert_eq!(
                describe_replies(Ok(Entries::of(replies))),
                [expected],
                "{from} {coding:?} {body:?}"
            );
        }
    }

    /// Parts of a long reply: jookies/jasmin 612 (other elements in the header), jsmpp 121 (16 bits),
    /// Lihuanghe/SMSGate 50 (header and `sar_*`), linxGnu/gosmpp 55 (header in the payload).
    #[test]
    fn parts_however_they_are_marked() {
        use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Tlv;
        let text: Vec<u8> = "问卷".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let place = |pdu: &DeliverSm| {
            let reply = read_delivery(pdu, ReceiptId::Same).1.remove(0);
            let part = reply.part.map(|part| (part.reference, part.number, part.total));
            (reply.text.reveal().to_owned(), part)
        };
        let with_header = |header: &[u8]| {
            let body = [&[header.len() as u8], header, &text].concat();
            pdu(0x40, DataCoding::Ucs2, &body)
        };
        for (header, expected) in [
            (&[0, 3, 0x14, 2, 1][..], Some((0x14, 1, 2))),
            (&[8, 4, 1, 0x14, 3, 2], Some((0x114, 2, 3))),
            (&[5, 4, 0x0b, 0x84, 0, 0, 0, 3, 0x14, 2, 2], Some((0x14, 2, 2))),
            (&[0x24, 1, 3], None),
            (&[0, 3, 7, 1, 1], None),
            (&[0, 3, 7, 0, 0], None),
            (&[0, 3, 7, 2, 3], None),
            (&[0, 9, 7, 2, 1], None),
        ] {
            assert_eq!(place(&with_header(header)), ("问卷".into(), expected), "{header:?}");
        }
        let sar = |mut pdu: DeliverSm| {
            pdu.push_tlv(Tlv::SarMsgRefNum(3));
            pdu.push_tlv(Tlv::SarTotalSegments(4));
            pdu.push_tlv(Tlv::SarSegmentSeqnum(1));
            pdu
        };
        let alone = sar(pdu(0, DataCoding::Ucs2, &text));
        assert_eq!(place(&alone), ("问卷".into(), Some((3, 1, 4))));
        let both = sar(with_header(&[0, 3, 0x14, 2, 1]));
        assert_eq!(place(&both), ("问卷".into(), Some((0x14, 1, 2))));
        let mut payload = pdu(0x40, DataCoding::Ucs2, b"");
        let body = [&[5, 0, 3, 0x14, 2, 1][..], &text].concat();
        payload.push_tlv(Tlv::MessagePayload(rusmpp::values::MessagePayload::new(
            rusmpp::types::AnyOctetString::from_vec(body),
        )));
        assert_eq!(place(&payload), ("问卷".into(), Some((0x14, 1, 2))));
    }
}
