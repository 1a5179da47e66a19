//! The first two messages of a connection: who we are, proved with the shared secret, and in which
//! version we speak.

use chrono_tz::Asia::Shanghai;
use futures_util::{SinkExt, StreamExt};
use md5::{Digest, Md5};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::Framed;

use super::link::PduCodec;
use super::pdu::{Command, Connect, ConnectResp, Pdu, Version};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// The account at the carrier.
pub struct Account {
    /// Source_Addr: six characters or fewer.
    pub user: String,
    pub secret: Personal,
}

/// What became of a CMPP_CONNECT.
#[derive(Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The connection speaks this version from now on.
    Accepted(Version),
    /// Refused with a status other than 0 (7.4.1.2).
    Refused(u32),
    /// Closed, or answered with something else.
    Lost,
}

impl Account {
    /// 7.4.1.1: MD5 of the name, nine zeros, the secret, and ten digits of the time. The name is
    /// not filled up (bigwhite/gocmpp#13), and the time keeps its zero in front (#2).
    pub fn authenticator(&self, timestamp: u32) -> [u8; 16] {
        let mut hash = Md5::new();
        hash.update(&self.user);
        hash.update([0; 9]);
        hash.update(self.secret.reveal());
        hash.update(format!("{timestamp:010}"));
        hash.finalize().into()
    }

    /// 7.4.1.2: MD5 of the status as it is written, our authenticator and the secret.
    pub fn answer_authenticator(&self, answer: &ConnectResp, of_connect: [u8; 16]) -> [u8; 16] {
        let status = answer.status.to_be_bytes();
        let mut hash = Md5::new();
        hash.update(match answer.form {
            Version::V20 => &status[3..],
            Version::V30 => &status,
        });
        hash.update(of_connect);
        hash.update(self.secret.reveal());
        hash.finalize().into()
    }
}

/// MMDDHHMMSS as a number, on the clocks of China.
pub fn timestamp(now: Timestamp) -> u32 {
    now.in_zone(Shanghai).format("%m%d%H%M%S").to_string().parse().unwrap_or_default()
}

/// Connects over a stream in one version. A peer that accepts in the form of 2.0 speaks 2.0.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    framed: &mut Framed<S, PduCodec>,
    account: &Account,
    version: Version,
    now: Timestamp,
) -> Handshake {
    let timestamp = timestamp(now);
    let authenticator = account.authenticator(timestamp);
    let connect = Connect {
        source_addr: account.user.clone(),
        authenticator,
        version: version.octet(),
        timestamp,
    };
    let command = Command { sequence: 1, pdu: Pdu::Connect(connect) };
    if framed.send(command).await.is_err() {
        return Handshake::Lost;
    }
    while let Some(Ok(command)) = framed.next().await {
        let Pdu::ConnectResp(answer) = command.pdu else { continue };
        if answer.status != 0 {
            return Handshake::Refused(answer.status);
        }
        if account.answer_authenticator(&answer, authenticator) != answer.authenticator {
            // Some gateways send zeros; the carrier's address is what we trust.
            tracing::warn!("the gateway does not prove that it knows the shared secret");
        }
        framed.codec_mut().version = answer.form;
        return Handshake::Accepted(answer.form);
    }
    Handshake::Lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// Reckoned with another MD5: `printf '901234\0\0\0\0\0\0\0\0\0secret0206020609' | md5sum`.
    #[test]
    fn authenticators_are_reckoned_as_the_tables_say() {
        let account = Account { user: "901234".into(), secret: Personal::new("secret") };
        let authenticator = account.authenticator(206_020_609);
        assert_eq!(HEXLOWER.encode(&authenticator), "7aaf64f11e1114ca11020622a8a1597e");
        let answer = |form| ConnectResp { form, status: 0, authenticator: [0; 16], version: 0x30 };
        let of =
            |form| HEXLOWER.encode(&account.answer_authenticator(&answer(form), authenticator));
        assert_eq!(of(Version::V20), "af54b0bac84c31883dbab404624b0655");
        assert_eq!(of(Version::V30), "192079fe4c13511a41e273c6d7db28e7");
        let short = Account { user: "9012".into(), secret: Personal::new("secret") };
        assert_eq!(
            HEXLOWER.encode(&short.authenticator(1_126_203_000)),
            "e38921f5666d9aad3d1f12306de0d1f7"
        );
    }

    #[test]
    fn the_time_is_chinas() {
        // 2026-02-05T18:06:09Z
        assert_eq!(timestamp(Timestamp(1_770_314_769_000)), 206_020_609);
    }
}
