//! The messages of CMPP 2.0 and 3.0, as octets and as types. Section numbers are those of the
//! document of 2.0, «中国移动通信互联网短信网关接口协议»; 3.0 has the same messages.

use super::bodies::{Deliver, Submit};
use super::fields::{Content, Reader, Writer};

/// 7.3: total length, command and sequence number.
pub const HEADER: usize = 12;
/// The longest message that is read. A 3.0 submit to 99 numbers has 3,471 octets.
pub const MAX_LENGTH: usize = 4096;
/// The bit that tells an answer from its request (8).
const ANSWER: u32 = 0x8000_0000;
const CONNECT: u32 = 1;
const CONNECT_ANSWER: u32 = CONNECT | ANSWER;
const TERMINATE: u32 = 2;
const TERMINATE_ANSWER: u32 = TERMINATE | ANSWER;
const SUBMIT: u32 = 4;
const SUBMIT_ANSWER: u32 = SUBMIT | ANSWER;
pub const DELIVER: u32 = 5;
const DELIVER_ANSWER: u32 = DELIVER | ANSWER;
pub const QUERY: u32 = 6;
pub const CANCEL: u32 = 7;
const ACTIVE_TEST: u32 = 8;
const ACTIVE_TEST_ANSWER: u32 = ACTIVE_TEST | ANSWER;

/// The version of a connection: it decides how wide some fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V20,
    V30,
}

impl Version {
    /// 7.4.1.1: the main version in the high four bits.
    pub fn octet(self) -> u8 {
        match self {
            Version::V20 => 0x20,
            Version::V30 => 0x30,
        }
    }

    /// The width of a telephone number.
    pub fn number_width(self) -> usize {
        match self {
            Version::V20 => 21,
            Version::V30 => 32,
        }
    }
}

/// A message with its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub sequence: u32,
    pub pdu: Pdu,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pdu {
    Connect(Connect),
    ConnectResp(ConnectResp),
    Terminate,
    TerminateResp,
    Submit(Box<Submit>),
    SubmitResp(Answer),
    Deliver(Box<Deliver>),
    DeliverResp(Answer),
    ActiveTest,
    ActiveTestResp,
    /// What is not known here, or cannot be read.
    Other {
        command: u32,
        body: Content,
    },
}

/// 7.4.1.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub source_addr: String,
    pub authenticator: [u8; 16],
    pub version: u8,
    /// MMDDHHMMSS as a number.
    pub timestamp: u32,
}

/// 7.4.1.2
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectResp {
    /// Which version's table it has: the status is one octet wide, or four.
    pub form: Version,
    pub status: u32,
    pub authenticator: [u8; 16],
    /// The highest version that the peer supports.
    pub version: u8,
}

/// 7.4.3.2 and 7.4.5.2: the answer to a submit or a deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub msg_id: u64,
    pub result: u32,
}

impl Pdu {
    pub fn command(&self) -> u32 {
        match self {
            Pdu::Connect(_) => CONNECT,
            Pdu::ConnectResp(_) => CONNECT_ANSWER,
            Pdu::Terminate => TERMINATE,
            Pdu::TerminateResp => TERMINATE_ANSWER,
            Pdu::Submit(_) => SUBMIT,
            Pdu::SubmitResp(_) => SUBMIT_ANSWER,
            Pdu::Deliver(_) => DELIVER,
            Pdu::DeliverResp(_) => DELIVER_ANSWER,
            Pdu::ActiveTest => ACTIVE_TEST,
            Pdu::ActiveTestResp => ACTIVE_TEST_ANSWER,
            Pdu::Other { command, .. } => *command,
        }
    }

    pub fn is_answer(&self) -> bool {
        self.command() & ANSWER != 0
    }
}

impl Command {
    /// Writes the whole message, with its header.
    pub fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Writer::default();
        match &self.pdu {
            Pdu::Connect(pdu) => {
                body.text(&pdu.source_addr, 6).octets(&pdu.authenticator);
                body.octet(pdu.version).word(pdu.timestamp);
            }
            Pdu::ConnectResp(pdu) => {
                write_status(&mut body, pdu.status, pdu.form);
                body.octets(&pdu.authenticator).octet(pdu.version);
            }
            Pdu::Submit(pdu) => pdu.write(&mut body, version),
            Pdu::Deliver(pdu) => pdu.write(&mut body, version),
            Pdu::SubmitResp(pdu) | Pdu::DeliverResp(pdu) => {
                write_status(body.long(pdu.msg_id), pdu.result, version);
            }
            Pdu::ActiveTestResp => {
                body.octet(0);
            }
            Pdu::Terminate | Pdu::TerminateResp | Pdu::ActiveTest => {}
            Pdu::Other { body: octets, .. } => {
                body.octets(octets.octets());
            }
        }
        let length = u32::try_from(HEADER + body.0.len()).unwrap_or(u32::MAX);
        let mut whole = Writer::default();
        whole.word(length).word(self.pdu.command()).word(self.sequence).octets(&body.0);
        whole.0
    }

    /// Reads a whole message; `None` if it has no header.
    pub fn decode(frame: &[u8], version: Version) -> Option<Command> {
        let mut reader = Reader(frame);
        let (_, command, sequence) = (reader.word()?, reader.word()?, reader.word()?);
        let body = reader.0;
        let pdu = read_body(command, body, version)
            .unwrap_or_else(|| Pdu::Other { command, body: Content::new(body.to_vec()) });
        Some(Command { sequence, pdu })
    }
}

fn read_body(command: u32, body: &[u8], version: Version) -> Option<Pdu> {
    let reader = &mut Reader(body);
    Some(match command {
        CONNECT => Pdu::Connect(Connect {
            source_addr: reader.text(6)?,
            authenticator: reader.array()?,
            version: reader.octet()?,
            timestamp: reader.word()?,
        }),
        CONNECT_ANSWER => {
            // A peer that does not know 3.0 answers in the form of 2.0.
            let form = if body.len() < 4 + 16 + 1 { Version::V20 } else { Version::V30 };
            Pdu::ConnectResp(ConnectResp {
                form,
                status: read_status(reader, form)?,
                authenticator: reader.array()?,
                version: reader.octet()?,
            })
        }
        TERMINATE => Pdu::Terminate,
        TERMINATE_ANSWER => Pdu::TerminateResp,
        SUBMIT => Pdu::Submit(Box::new(Submit::read(reader, version)?)),
        SUBMIT_ANSWER => Pdu::SubmitResp(read_answer(reader)?),
        DELIVER => Pdu::Deliver(Box::new(Deliver::read(reader, version)?)),
        DELIVER_ANSWER => Pdu::DeliverResp(read_answer(reader)?),
        ACTIVE_TEST => Pdu::ActiveTest,
        // Some peers leave the reserved octet out.
        ACTIVE_TEST_ANSWER => Pdu::ActiveTestResp,
        _ => return None,
    })
}

fn write_status(body: &mut Writer, status: u32, version: Version) {
    match version {
        Version::V20 => body.octet(u8::try_from(status).unwrap_or(u8::MAX)),
        Version::V30 => body.word(status),
    };
}

fn read_status(reader: &mut Reader<'_>, version: Version) -> Option<u32> {
    match version {
        Version::V20 => reader.octet().map(u32::from),
        Version::V30 => reader.word(),
    }
}

/// Either version's answer, told apart by its length.
fn read_answer(reader: &mut Reader<'_>) -> Option<Answer> {
    let msg_id = reader.long()?;
    let form = if reader.0.len() < 4 { Version::V20 } else { Version::V30 };
    Some(Answer { msg_id, result: read_status(reader, form)? })
}

#[cfg(test)]
mod tests {
    use super::super::bodies::Report;
    use super::*;
    use crate::domain::personal::Personal;
    use proptest::prelude::*;

    const VERSIONS: [Version; 2] = [Version::V20, Version::V30];

    fn text(width: usize) -> impl Strategy<Value = String> {
        proptest::string::string_regex(&format!("[!-~]{{0,{width}}}")).unwrap()
    }

    fn number() -> impl Strategy<Value = Personal> {
        "[0-9]{0,21}".prop_map(Personal::new)
    }

    fn content() -> impl Strategy<Value = Content> {
        proptest::collection::vec(any::<u8>(), 0..256).prop_map(Content::new)
    }

    fn connects() -> impl Strategy<Value = Pdu> {
        let connect = (text(6), any::<[u8; 16]>(), any::<u8>(), any::<u32>());
        let connect = connect.prop_map(|(source_addr, authenticator, version, timestamp)| {
            Pdu::Connect(Connect { source_addr, authenticator, version, timestamp })
        });
        let answer = (any::<bool>(), any::<u8>(), any::<[u8; 16]>(), any::<u8>());
        let answer = answer.prop_map(|(is_new, status, authenticator, version)| {
            let form = if is_new { Version::V30 } else { Version::V20 };
            let status = u32::from(status);
            Pdu::ConnectResp(ConnectResp { form, status, authenticator, version })
        });
        prop_oneof![connect, answer]
    }

    fn submits() -> impl Strategy<Value = Pdu> {
        let octets = any::<[u8; 7]>();
        let texts = (text(10), text(21), text(6), text(2), text(6), text(21));
        let rest = (proptest::collection::vec(number(), 0..100), content());
        (octets, texts, rest).prop_map(|(octets, texts, (destinations, content))| {
            let [total, nth, receipt, level, user_type, udhi, format] = octets;
            Pdu::Submit(Box::new(Submit {
                pk_total: total,
                pk_number: nth,
                registered_delivery: receipt,
                msg_level: level,
                service_id: texts.0,
                fee_user_type: user_type,
                fee_terminal_id: texts.1,
                tp_udhi: udhi,
                msg_fmt: format,
                msg_src: texts.2,
                fee_type: texts.3,
                fee_code: texts.4,
                src_id: texts.5,
                destinations,
                content,
            }))
        })
    }

    fn delivers() -> impl Strategy<Value = Pdu> {
        let texts = (text(21), text(10), number());
        (any::<u64>(), texts, any::<[u8; 3]>(), content()).prop_map(
            |(msg_id, (dest_id, service_id, source), [tp_udhi, msg_fmt, receipt], content)| {
                Pdu::Deliver(Box::new(Deliver {
                    msg_id,
                    dest_id,
                    service_id,
                    tp_udhi,
                    msg_fmt,
                    source,
                    source_type: 0,
                    registered_delivery: receipt,
                    content,
                }))
            },
        )
    }

    fn pdus() -> impl Strategy<Value = Pdu> {
        let answer = (any::<u64>(), any::<u8>());
        let answer = answer.prop_map(|(id, result)| Answer { msg_id: id, result: result.into() });
        let other = (9u32..100, content());
        prop_oneof![
            connects(),
            submits(),
            delivers(),
            answer.clone().prop_map(Pdu::SubmitResp),
            answer.prop_map(Pdu::DeliverResp),
            Just(Pdu::Terminate),
            Just(Pdu::TerminateResp),
            Just(Pdu::ActiveTest),
            Just(Pdu::ActiveTestResp),
            other.prop_map(|(command, body)| Pdu::Other { command, body }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pdu in pdus(), sequence in any::<u32>()) {
            for version in VERSIONS {
                let command = Command { sequence, pdu: pdu.clone() };
                let octets = command.encode(version);
                prop_assert!(octets.len() <= MAX_LENGTH);
                prop_assert_eq!(octets.len(), u32::from_be_bytes(octets[..4].try_into().unwrap()) as usize);
                prop_assert_eq!(Command::decode(&octets, version), Some(command));
            }
        }

        #[test]
        fn reports_that_are_written_are_read(id in any::<u64>(), stat in text(7), number in number(), sequence in any::<u32>()) {
            for version in VERSIONS {
                let report = Report {
                    msg_id: id,
                    stat: stat.clone(),
                    submit_time: "2603021000".into(),
                    done_time: "2603021001".into(),
                    destination: number.clone(),
                    smsc_sequence: sequence,
                };
                prop_assert_eq!(Report::decode(&report.encode(version)), Some(report));
            }
        }

        /// Nothing is made of more octets than came.
        #[test]
        fn any_octets_are_read_without_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..600), command in 0u32..10, is_answer in any::<bool>()) {
            if let Some(field) = octets.get_mut(4..8) {
                field.copy_from_slice(&(command | if is_answer { ANSWER } else { 0 }).to_be_bytes());
            }
            for version in VERSIONS {
                let read = Command::decode(&octets, version);
                prop_assert_eq!(read.is_some(), octets.len() >= HEADER);
                if let Some(Pdu::Submit(submit)) = read.map(|read| read.pdu) {
                    prop_assert!(submit.destinations.len() * 21 <= octets.len());
                }
            }
            let _ = Report::decode(&Content::new(octets));
        }
    }

    /// The lengths of public tables: bigwhite/gocmpp counts them the same.
    #[test]
    fn lengths_are_those_of_the_tables() {
        let submit = |count: usize| {
            let destinations = vec![Personal::new("13800138000"); count];
            let content = Content::new(vec![0; 140]);
            Pdu::Submit(Box::new(Submit { destinations, content, ..Submit::default() }))
        };
        let deliver = Pdu::Deliver(Box::new(Deliver {
            content: Content::new(vec![0; 140]),
            ..Deliver::default()
        }));
        let answer = Answer { msg_id: 1, result: 0 };
        let connect = Connect {
            source_addr: "900001".into(),
            authenticator: [0; 16],
            version: 0x30,
            timestamp: 0,
        };
        for (pdu, old, new) in [
            (Pdu::Connect(connect), 39, 39),
            (submit(1), 12 + 117 + 21 + 1 + 140 + 8, 12 + 129 + 32 + 1 + 1 + 140 + 20),
            (submit(99), 12 + 117 + 99 * 21 + 149, 12 + 129 + 99 * 32 + 162),
            (Pdu::SubmitResp(answer), 21, 24),
            (deliver, 12 + 65 + 140 + 8, 12 + 77 + 140 + 20),
            (Pdu::DeliverResp(answer), 21, 24),
            (Pdu::ActiveTest, 12, 12),
            (Pdu::ActiveTestResp, 13, 13),
            (Pdu::Terminate, 12, 12),
            (Pdu::TerminateResp, 12, 12),
        ] {
            let command = Command { sequence: 1, pdu };
            let lengths = VERSIONS.map(|version| command.encode(version).len());
            assert_eq!(lengths, [old, new], "{command:?}");
        }
    }

    #[test]
    fn debug_prints_no_number_and_no_text() {
        let submit = Submit {
            destinations: vec![Personal::new("13800138000")],
            content: Content::new(b"secret".to_vec()),
            ..Submit::default()
        };
        let printed = format!("{:?}", Pdu::Submit(Box::new(submit)));
        assert!(!printed.contains("138") && !printed.contains("115"), "{printed}");
    }
}
