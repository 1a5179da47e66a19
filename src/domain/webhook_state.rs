//! The state of a webhook: from which failure on somebody has to look at it.

use std::time::Duration;

use super::retry_delay::{LONGEST_RETRY_DELAY, retry_delay};

/// Failures in a row, of the webhook or of one event, from which on it is failing. One may be a
/// restart of the receiver and two a slow one.
pub const FAILING_AFTER: u32 = 3;
/// It is failing as well if it has accepted nothing for this long since a failure.
pub const FAILING_AFTER_TIME: Duration = Duration::from_secs(900);

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum WebhookState {
    Ok,
    /// Its last attempt failed; that may pass by itself.
    Retrying,
    /// Somebody has to look at it. Its events are kept and tried again.
    Failing,
    /// It answered 410: it gets nothing more until somebody sends it something.
    Disabled,
}

impl WebhookState {
    /// `failures`: attempts in a row that have failed, and since when. `tries`: those of the most
    /// tried event that has not arrived: a webhook that takes all others loses this one.
    pub fn of(
        is_disabled: bool,
        failures: u32,
        failing_for: Option<Duration>,
        tries: u32,
    ) -> WebhookState {
        if is_disabled {
            WebhookState::Disabled
        } else if failures >= FAILING_AFTER
            || tries >= FAILING_AFTER
            || failing_for.is_some_and(|time| time >= FAILING_AFTER_TIME)
        {
            WebhookState::Failing
        } else if failures > 0 || failing_for.is_some() {
            WebhookState::Retrying
        } else {
            WebhookState::Ok
        }
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether somebody has to look at it.
    pub fn needs_attention(self) -> bool {
        matches!(self, WebhookState::Failing | WebhookState::Disabled)
    }
}

/// Returns the delay before the next attempt after a number of failed ones; it never gives up.
pub fn next_attempt(failed: u32) -> Duration {
    retry_delay(failed.max(1)).unwrap_or(LONGEST_RETRY_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_of_whatever_kind_or_a_quarter_of_an_hour() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        for (failures, failing_for, tries, state) in [
            (0, None, 0, WebhookState::Ok),
            (1, minutes(0), 1, WebhookState::Retrying),
            (2, minutes(14), 2, WebhookState::Retrying),
            (3, minutes(4), 3, WebhookState::Failing),
            (1, minutes(15), 1, WebhookState::Failing),
            // All others arrive.
            (0, None, 3, WebhookState::Failing),
        ] {
            assert_eq!(WebhookState::of(false, failures, failing_for, tries), state);
            assert_eq!(
                WebhookState::of(true, failures, failing_for, tries),
                WebhookState::Disabled
            );
        }
    }

    #[test]
    fn an_event_is_never_given_up_for_the_number_of_its_attempts() {
        assert_eq!(next_attempt(1), Duration::from_secs(60));
        assert_eq!(next_attempt(12), LONGEST_RETRY_DELAY);
        assert_eq!(next_attempt(u32::MAX), LONGEST_RETRY_DELAY);
    }
}
