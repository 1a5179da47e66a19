//! Deliveries of the carrier's gateway: status reports and replies.

use data_encoding::HEXLOWER;

use super::bodies::{Deliver, Report};
use super::file::File;
use crate::adapters::sms::user_data::{part_of_header, split_header};
use crate::adapters::sms::{NumberKind, Receipt, Reply, ReplyPart, TextCoding};
use crate::domain::personal::Personal;

/// Parses a deliver into a receipt or a reply. A state that is not final gives neither.
pub fn read_delivery(deliver: &Deliver, file: &File) -> (Vec<Receipt>, Vec<Reply>) {
    if deliver.registered_delivery == 1 {
        let report = Report::decode(&deliver.content);
        let receipt = report.and_then(|report| read_report(&report, file));
        return (receipt.into_iter().collect(), Vec::new());
    }
    (Vec::new(), vec![read_reply(deliver)])
}

/// 7.4.5.1: the states are those of SMPP; beside them carriers write codes of their own, such as
/// MA:0001, all of which are failures.
fn read_report(report: &Report, file: &File) -> Option<Receipt> {
    let stat = report.stat.to_uppercase();
    let delivered = match stat.as_str() {
        "DELIVRD" => true,
        "" | "ACCEPTD" | "UNKNOWN" | "ENROUTE" => return None,
        _ => false,
    };
    // All messages of a batch have one id. Of one message the number is not needed: a report may
    // spell it in another way.
    let to = (file.batch > 1).then(|| report.destination.clone());
    let dead_number = !delivered && file.dead_number.contains(&stat);
    Some(Receipt {
        reference: None,
        id: Some(report.msg_id.to_string()),
        to: to.filter(|to| !to.is_empty()),
        delivered,
        dead_number,
        code: (!delivered).then_some(stat),
    })
}

fn read_reply(deliver: &Deliver) -> Reply {
    let octets = deliver.content.octets();
    // TP_udhi is one bit; some write it as in GSM 03.40's first octet.
    let (header, text) =
        if deliver.tp_udhi == 0 { (&[][..], octets) } else { split_header(octets) };
    let coding = coding_of(deliver.msg_fmt);
    let part = part_of_header(header).map(|(reference, number, total)| ReplyPart {
        reference,
        number,
        total,
        coding,
        octets_hex: Personal::new(HEXLOWER.encode(text)),
    });
    // A pseudonym is no number that could be called.
    let from_kind =
        if deliver.source_type == 1 { NumberKind::NotDialled } else { NumberKind::Unknown };
    // A delivery that is repeated has the same Msg_Id. The parts of a reply may share one.
    let id = (deliver.msg_id != 0).then(|| match &part {
        Some(part) => Personal::new(format!("{} {}", deliver.msg_id, part.number)),
        None => Personal::new(deliver.msg_id.to_string()),
    });
    let text = coding.decode(text);
    Reply { from_kind, part, id, ..Reply::new(deliver.source.reveal(), text) }
}

/// Msg_Fmt: 0 is ASCII, of which GB 18030 is a superset, and some gateways say 0 of a Chinese text.
/// 9 is UCS-2 as well (hujm2023/go-sms-protocol#12).
fn coding_of(msg_fmt: u8) -> TextCoding {
    match msg_fmt {
        0 => TextCoding::Gb18030,
        9 => TextCoding::Utf16,
        other => TextCoding::of_data_coding(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Entries;
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::super::fields::Content;
    use super::super::file::tests::{config, file};
    use super::super::pdu::Version;
    use super::*;

    fn read(deliver: &Deliver, more: &str) -> Vec<String> {
        let file = File::read(&config("900001", &file(more))).unwrap();
        let (receipts, replies) = read_delivery(deliver, &file);
        let mut lines = describe_receipts(Ok(Entries::of(receipts)));
        lines.extend(describe_replies(Ok(Entries::of(replies))));
        lines
    }

    fn report(stat: &str, version: Version) -> Deliver {
        let report = Report {
            msg_id: 12_345_678_901_234_567_890,
            stat: stat.into(),
            submit_time: "2603021000".into(),
            done_time: "2603021001".into(),
            destination: Personal::new("13800138000"),
            smsc_sequence: 7,
        };
        let content = report.encode(version);
        Deliver { msg_id: 1, registered_delivery: 1, content, ..Deliver::default() }
    }

    fn reply(tp_udhi: u8, msg_fmt: u8, octets: &[u8]) -> Deliver {
        Deliver {
            msg_id: 42,
            tp_udhi,
            msg_fmt,
            source: Personal::new("13800138000"),
            content: Content::new(octets.to_vec()),
            ..Deliver::default()
        }
    }

    #[test]
    fn reports_of_every_state() {
        const ID: &str = "id=12345678901234567890";
        for (stat, more, expected) in [
            ("DELIVRD", "", Some("delivered")),
            ("delivrd", "", Some("delivered")),
            ("EXPIRED", "", Some("undelivered code=EXPIRED")),
            ("DELETED", "", Some("undelivered code=DELETED")),
            ("UNDELIV", "", Some("undelivered code=UNDELIV")),
            ("REJECTD", "", Some("undelivered code=REJECTD")),
            ("MA:0001", "", Some("undelivered code=MA:0001")),
            ("MK:0012", "dead_number = [\"MK:0012\"]", Some("dead number code=MK:0012")),
            ("MK:0013", "dead_number = [\"MK:0012\"]", Some("undelivered code=MK:0013")),
            ("DELIVRD", "dead_number = [\"DELIVRD\"]", Some("delivered")),
            // Not final.
            ("ACCEPTD", "", None),
            ("UNKNOWN", "", None),
            ("", "", None),
        ] {
            for version in [Version::V20, Version::V30] {
                let expected: Vec<String> =
                    expected.iter().map(|expected| format!("{ID} {expected}")).collect();
                assert_eq!(read(&report(stat, version), more), expected, "{stat}");
            }
        }
        let batched = read(&report("DELIVRD", Version::V20), "batch = 50");
        assert_eq!(batched, [format!("{ID} to=13800138000 delivered")]);
    }

    /// Lihuanghe/SMSGate tells of a gateway whose 3.0 reports are eleven octets short.
    #[test]
    fn reports_that_are_too_short() {
        let whole = report("DELIVRD", Version::V30);
        for (length, is_read) in [(71, true), (60, true), (40, true), (15, true), (14, false)] {
            let content = Content::new(whole.content.octets()[..length].to_vec());
            let cut = Deliver { content, ..whole.clone() };
            assert_eq!(read(&cut, "").len(), usize::from(is_read), "{length}");
        }
    }

    #[test]
    fn replies_in_every_coding() {
        let ucs2: Vec<u8> = "退订".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (tp_udhi, msg_fmt, octets, text) in [
            (0, 0, &b"R"[..], "R"),
            (0, 0, b"a@b_$", "a@b_$"),
            (0, 0, b"\xcd\xcb\xb6\xa9", "退订"),
            (0, 3, b"TD", "TD"),
            (0, 4, b"TD", "TD"),
            (0, 8, &ucs2, "退订"),
            (0, 9, &ucs2, "退订"),
            (0, 15, b"\xcd\xcb\xb6\xa9", "退订"),
            (1, 8, &[&[6, 8, 4, 1, 2, 1, 1][..], &ucs2].concat(), "退订"),
            (0x40, 15, b"\x05\x00\x03\x01\x01\x01\xcd\xcb\xb6\xa9", "退订"),
            (1, 8, &[], ""),
            (1, 8, &[200], ""),
        ] {
            let expected = format!("13800138000: «{text}» id=«42»");
            assert_eq!(read(&reply(tp_udhi, msg_fmt, octets), ""), [expected], "{octets:?}");
        }
    }

    #[test]
    fn parts_of_a_long_reply() {
        let octets = b"\x05\x00\x03\x14\x02\x01\xcd\xcb\xb6\xa9";
        let file = File::read(&config("900001", &file(""))).unwrap();
        let (_, mut replies) = read_delivery(&reply(1, 15, octets), &file);
        let reply = replies.remove(0);
        let part = reply.part.unwrap();
        assert_eq!((part.reference, part.number, part.total), (0x14, 1, 2));
        assert_eq!((part.coding, part.octets_hex.reveal()), (TextCoding::Gb18030, "cdcbb6a9"));
        assert_eq!(reply.id.unwrap().reveal(), "42 1");
    }

    #[test]
    fn a_pseudonym_is_no_number() {
        let deliver = Deliver { source_type: 1, ..reply(0, 0, b"R") };
        let file = File::read(&config("900001", &file(""))).unwrap();
        let reply = read_delivery(&deliver, &file).1.remove(0);
        assert_eq!(reply.from_kind, NumberKind::NotDialled);
        let nameless = Deliver { msg_id: 0, ..deliver };
        assert!(read_delivery(&nameless, &file).1.remove(0).id.is_none());
    }
}
