//! One-time codes of a second factor: TOTP (RFC 6238) with the parameters that every authenticator
//! supports: SHA-1, six digits, 30 seconds.

use totp_rs::{Builder, Secret, Totp};
use unicode_normalization::UnicodeNormalization;

use super::password::NoRandom;
use crate::adapters::qr_code;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// The secret shared by an authenticator and the database.
pub struct TotpSecret {
    totp: Totp,
}

impl TotpSecret {
    /// Generates a secret of 160 bits (RFC 4226, section 4).
    pub fn generate(name: &str) -> Result<TotpSecret, NoRandom> {
        let mut bytes = [0u8; 20];
        getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
        TotpSecret::from_bytes(&bytes, name).ok_or(NoRandom)
    }

    /// Restores a secret from its bytes; `None` if they are not a valid secret.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Option<TotpSecret> {
        let builder = Builder::new()
            .with_secret(Secret::new(bytes.into()))
            .with_account_name(name)
            .with_issuer(Some("fieldworkd"));
        Some(TotpSecret { totp: builder.build().ok()? })
    }

    pub fn secret(&self) -> &[u8] {
        self.totp.secret().as_bytes()
    }

    /// Returns the secret in groups of four, for typing.
    pub fn grouped_base32(&self) -> Personal {
        let base32 = self.totp.secret().to_base32();
        Personal::new(
            base32.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "),
        )
    }

    /// Returns the QR code for authenticators as SVG.
    pub fn qr_svg(&self) -> Option<Personal> {
        let url = self.totp.to_url().ok()?;
        qr_code::svg(&url).map(Personal::new)
    }

    /// Returns the time step of a code that is valid now; one step of deviation is allowed for
    /// clocks that differ (RFC 6238, section 5.2). Spaces and wide digits are as good as others.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let seconds = u64::try_from(now.0 / 1_000).ok()?;
        let digits: String = code.nfkc().filter(|c| !c.is_whitespace()).collect();
        i64::try_from(self.totp.check(&digits, seconds)?).ok()
    }

    /// Returns the code of a moment, for a simulated authenticator.
    pub fn code_at(&self, now: Timestamp) -> String {
        self.totp.generate(u64::try_from(now.0 / 1_000).unwrap_or(0)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_rfc_6238_is_known_within_a_step() {
        let one_time = TotpSecret::from_bytes(b"12345678901234567890", "wu").unwrap();
        // RFC 6238, appendix B: 94287082 at 59 s, of which we take six digits.
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        assert_eq!(one_time.code_at(at(59)), "287082");
        assert_eq!(one_time.step_of(" 287 082", at(59)), Some(1));
        assert_eq!(one_time.step_of("287082", at(89)), Some(1), "one step late");
        assert_eq!(
            (one_time.step_of("287082", at(120)), one_time.step_of("abc", at(59))),
            (None, None)
        );
        assert!(one_time.qr_svg().unwrap().reveal().trim_start().starts_with("<svg"));
        assert_eq!(TotpSecret::generate("wu").unwrap().grouped_base32().reveal().len(), 39);
    }
}
