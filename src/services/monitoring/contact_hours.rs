//! When people answer, and when contacts reach them: counts by weekday and hour of the programme's
//! zone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use tokio::sync::Mutex;

use super::MonitoringError;
use crate::adapters::database::{answer_counts, campaigns, programmes};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::services::campaigns::CampaignError;
use crate::services::context::AppContext;

/// Counts by weekday, from Monday, and hour.
pub type Week = [[u64; 24]; 7];

/// The limits between the classes of delay, in hours after the message.
pub const DELAY_HOURS: [u64; 6] = [1, 3, 6, 12, 24, 72];

/// Contacts by the hour in which they were made, and those among them that had success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactWeek {
    pub made: Week,
    pub succeeded: Week,
}

#[derive(Debug, Clone)]
pub struct ContactHours {
    pub zone: Tz,
    pub counted_at: Timestamp,
    /// The fewest contacts of which a rate is told.
    pub minimum: u64,
    /// When people began to answer by themselves.
    pub begun: Week,
    /// How long after the last message, by the classes of [`DELAY_HOURS`] and one for longer.
    pub delays: [u64; DELAY_HOURS.len() + 1],
    /// Who began before any message.
    pub without_message: u64,
    /// Calls, and those in which the person was reached.
    pub calls: ContactWeek,
    /// Messages, and those after which, before the next one, the person began to answer.
    pub messages: ContactWeek,
    took: Duration,
}

fn add(week: &mut Week, at: Timestamp, zone: Tz, count: u64) {
    let local = at.in_zone(zone);
    week[local.weekday().num_days_from_monday() as usize][local.hour() as usize] += count;
}

/// The latest counts, by campaign.
#[derive(Default)]
pub struct ContactHourCounts(Mutex<HashMap<CampaignId, Arc<ContactHours>>>);

impl ContactHourCounts {
    /// Returns the counts of a campaign, a minute old at most or as old as [`super::answers`] lets
    /// counts become.
    pub async fn of_campaign(
        &self,
        context: &AppContext,
        code: &str,
    ) -> Result<Arc<ContactHours>, MonitoringError> {
        let mut known = self.0.lock().await;
        let mut connection = context.database.read().await?;
        let campaign = campaigns::find(&mut connection, code)
            .await?
            .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
        let now = context.clock.now();
        if let Some(hours) = known.get(&campaign.id) {
            let keep = super::answers::SHORTEST_AGE.max(hours.took * 20);
            if now.since(hours.counted_at) < keep {
                return Ok(hours.clone());
            }
        }
        let began = Instant::now();
        let zone = programmes::get(&mut connection, campaign.programme_id).await?.time_zone;
        let mut hours = ContactHours {
            zone,
            counted_at: now,
            minimum: u64::from(context.config.console.smallest_group),
            begun: Week::default(),
            delays: Default::default(),
            without_message: 0,
            calls: ContactWeek::default(),
            messages: ContactWeek::default(),
            took: Duration::ZERO,
        };
        for (at, made, reached) in
            answer_counts::calls_by_quarter(&mut connection, campaign.id).await?
        {
            add(&mut hours.calls.made, at, zone, made);
            add(&mut hours.calls.succeeded, at, zone, reached);
        }
        for (at, made) in answer_counts::messages_by_quarter(&mut connection, campaign.id).await? {
            add(&mut hours.messages.made, at, zone, made);
        }
        for (at, sent) in answer_counts::first_answers(&mut connection, campaign.id).await? {
            add(&mut hours.begun, at, zone, 1);
            let Some(sent) = sent else {
                hours.without_message += 1;
                continue;
            };
            add(&mut hours.messages.succeeded, sent, zone, 1);
            let passed = at.since(sent).as_secs() / 3600;
            let class = DELAY_HOURS.iter().position(|limit| passed < *limit);
            hours.delays[class.unwrap_or(DELAY_HOURS.len())] += 1;
        }
        hours.took = began.elapsed();
        let hours = Arc::new(hours);
        known.insert(campaign.id, hours.clone());
        Ok(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wa0x6e/cal-heatmap#337: a night in China was shown on the day before.
    #[test]
    fn an_hour_is_that_of_the_zone() {
        let at = Timestamp::parse_rfc3339("2023-03-10T16:44:06Z").unwrap();
        let mut week = Week::default();
        add(&mut week, at, chrono_tz::Asia::Shanghai, 1);
        assert_eq!(week[5][0], 1, "Saturday, 0:44");
        add(&mut week, at, chrono_tz::Asia::Kathmandu, 1);
        assert_eq!(week[4][22], 1, "Friday, 22:29");
    }
}
