//! Events that are published to other systems. They contain codes and counts, no personal data.

use serde_json::{Value, json};

use super::time::Timestamp;

macro_rules! kinds {
    ($($name:ident $code:literal $zh:literal $en:literal;)*) => {
        /// The kind of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind { $($name),* }

        impl EventKind {
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name),*];

            /// Returns its name, the `type` of the body.
            pub fn code(self) -> &'static str {
                match self { $(EventKind::$name => $code),* }
            }

            /// Returns the label in Chinese and in English.
            pub fn labels(self) -> (&'static str, &'static str) {
                match self { $(EventKind::$name => ($zh, $en)),* }
            }
        }
    };
}

kinds! {
    CampaignLaunched "campaign.launched" "活动启动" "a campaign was launched";
    CampaignPaused "campaign.paused" "活动暂停" "a campaign was paused";
    CampaignResumed "campaign.resumed" "活动恢复" "a campaign was resumed";
    CampaignClosed "campaign.closed" "活动结束" "a campaign was closed";
    FeeSettled "application.fee_settled" "申报费用到账" "an application's fee was settled";
    ApplicationLaunched "application.launched" "申报启动" "an application went into the field";
    ApplicationHeld "application.held" "申报暂停" "an application was put on hold";
    ApplicationReleased "application.released" "申报恢复" "an application was released";
    ApplicationExtended "application.extended" "申报延期" "an application got more days";
    ApplicationClosed "application.closed" "申报结束" "an application was closed";
    ListImported "list.imported" "名单导入" "a list was imported";
    InterviewCompleted "interview.completed" "完成问卷" "an interview was completed";
    ReplyReceived "reply.received" "收到回复" "a reply came in";
    AlarmRaised "alarm.raised" "发出告警" "an alarm was raised, or got worse";
    AlarmAcknowledged "alarm.acknowledged" "告警已确认" "an alarm was acknowledged";
    AlarmEnded "alarm.ended" "告警解除" "an alarm is over";
    GatewayPaused "gateway.paused" "网关停用" "a gateway is paused";
    DatasetReady "dataset.ready" "数据集就绪" "a dataset is written";
    DatasetAccepted "dataset.accepted" "数据集被接受" "the scoring step took a dataset";
    DatasetRejected "dataset.rejected" "数据集被退回" "the scoring step rejected a dataset";
}

impl EventKind {
    pub fn parse(raw: &str) -> Option<EventKind> {
        EventKind::ALL.iter().copied().find(|kind| kind.code() == raw)
    }
}

/// The `type` of a test event.
pub const TEST_EVENT: &str = "webhook.test";

/// Returns the body of an event (Standard Webhooks, «Payload structure»): `type`, `timestamp`,
/// `data`.
pub fn event_body(code: &str, data: &Value, at: Timestamp) -> String {
    json!({ "type": code, "timestamp": at.rfc3339(chrono_tz::UTC), "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_fit_a_list_with_blanks() {
        let codes: std::collections::HashSet<_> =
            EventKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), EventKind::ALL.len());
        assert!(
            EventKind::ALL
                .iter()
                .all(|kind| EventKind::parse(kind.code()) == Some(*kind)
                    && !kind.code().contains(' '))
        );
        assert_eq!(EventKind::parse(TEST_EVENT), None);
    }

    #[test]
    fn a_body_says_what_when_and_of_what() {
        let body: Value = serde_json::from_str(&event_body(
            "campaign.paused",
            &json!({ "campaign": "C1" }),
            Timestamp(0),
        ))
        .unwrap();
        assert_eq!(
            body,
            json!({ "type": "campaign.paused", "timestamp": "1970-01-01T00:00:00+00:00", "data": { "campaign": "C1" } })
        );
    }
}
