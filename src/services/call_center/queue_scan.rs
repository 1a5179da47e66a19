//! Who is first in the call queue, and may be called at this moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use sqlx::AnyConnection;

use super::CallCenterError;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::invitations::{self, InvitedCase};
use crate::adapters::database::{
    DatabaseError, calls, campaigns, cases, messages, programmes, quotas, suppressions,
};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::{ApplicationId, CampaignId, InvitationId};
use crate::domain::seeded_random::seeded_fraction;
use crate::domain::telephone::{CallPriority, DayPart};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::AppContext;
use crate::services::sms_sending::eligibility::{earliest_within_caps, may_be_contacted};

/// The number of queue entries for which one scan checks whether they may be called.
const SCAN_SIZE: usize = 50;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// The interval at which an application on hold is checked again.
const HOLD_RECHECK_INTERVAL: Duration = Duration::from_secs(6 * 3_600);

/// A queue entry, and the part of the day where the person is.
pub(super) type Callable = (QueueEntry, DayPart);

/// The result of a scan of the queue.
pub(super) struct QueueScan {
    pub is_empty: bool,
    /// The entries that may be called now, by priority, each with the part of the day in its time
    /// zone.
    pub callable: Vec<Callable>,
    pub put_off: Vec<(InvitationId, Option<Timestamp>)>,
}

impl QueueScan {
    pub async fn run(
        context: &AppContext,
        account: &Account,
        now: Timestamp,
    ) -> Result<QueueScan, CallCenterError> {
        let mut connection = context.database.read().await?;
        let due = call_queue::due(&mut connection, account.id, &account.languages, now).await?;
        let plans = CampaignPlans::of(&mut connection, &due).await?;
        let due = first_in_line(&mut connection, account, due, &plans, now).await?;
        if due.is_empty() {
            return Ok(QueueScan { is_empty: true, callable: Vec::new(), put_off: Vec::new() });
        }
        let ids: Vec<InvitationId> = due.iter().map(|(entry, _)| entry.invitation).collect();
        let hashes: Vec<String> = due.iter().map(|(entry, _)| entry.phone_hash.clone()).collect();
        let mut cases_by_invitation: HashMap<InvitationId, Vec<InvitedCase>> = HashMap::new();
        for case in invitations::cases_of(&mut connection, &ids).await? {
            cases_by_invitation.entry(case.invitation).or_default().push(case);
        }
        let mut contacts: HashMap<String, Vec<Timestamp>> = HashMap::new();
        let sent = messages::recent_contacts(&mut connection, &hashes, now - WEEK).await?;
        for (hash, at) in sent
            .into_iter()
            .chain(calls::recent_contacts(&mut connection, &hashes, now - WEEK).await?)
        {
            contacts.entry(hash).or_default().push(at);
        }
        let mut suppressed: HashMap<&str, HashMap<String, Option<Timestamp>>> = HashMap::new();
        for (_, programme) in plans.0.values() {
            if !suppressed.contains_key(programme.as_str()) {
                let among = suppressions::among(&mut connection, &hashes, programme, now).await?;
                suppressed.insert(programme, among);
            }
        }
        let (mut callable, mut put_off) = (Vec::new(), Vec::new());
        for (entry, part) in due {
            let Some((plan, programme)) = plans.0.get(&entry.campaign) else { continue };
            let zones = plan.zones_of(entry.zone.as_deref());
            let until = suppressed
                .get(programme.as_str())
                .and_then(|by_phone| by_phone.get(&entry.phone_hash))
                .copied();
            let cases =
                cases_by_invitation.get(&entry.invitation).map(Vec::as_slice).unwrap_or_default();
            let reached = contacts.get(&entry.phone_hash).map(Vec::as_slice).unwrap_or_default();
            let is_promised = entry.promised_at.is_some_and(|at| at <= now);
            let allowed = match until {
                Some(None) => CallPermission::Never,
                Some(Some(until)) if until > now => CallPermission::From(until),
                _ if !cases.iter().any(|case| may_be_contacted(case, now)) => {
                    if cases.iter().any(|case| case.is_open && case.is_held) {
                        CallPermission::From(now + HOLD_RECHECK_INTERVAL)
                    } else {
                        CallPermission::Never
                    }
                }
                // A promised call was requested by the respondent, so the caps do not apply.
                _ if is_promised => permitted_from(plan, &zones, now),
                _ => permitted_from(
                    plan,
                    &zones,
                    now.max(earliest_within_caps(reached, &context.config.caps)),
                ),
            };
            match allowed {
                CallPermission::Never => put_off.push((entry.invitation, None)),
                CallPermission::From(at) if at > now => put_off.push((entry.invitation, Some(at))),
                CallPermission::From(_) => callable.push((entry, part)),
            }
        }
        Ok(QueueScan { is_empty: false, callable, put_off })
    }
}

/// The plan and the programme's code of each campaign whose plan can be read.
struct CampaignPlans(HashMap<CampaignId, (ContactPlan, String)>);

impl CampaignPlans {
    async fn of(
        connection: &mut AnyConnection,
        entries: &[QueueEntry],
    ) -> Result<CampaignPlans, DatabaseError> {
        let mut plans = HashMap::new();
        for entry in entries {
            if plans.contains_key(&entry.campaign) {
                continue;
            }
            let campaign = campaigns::get(connection, entry.campaign).await?;
            let plan = match ContactPlan::from_stored(&campaign.plan) {
                Ok(plan) => plan,
                Err(error) => {
                    // The dispatcher has it among what is stuck; the other campaigns go on.
                    tracing::error!(campaign = campaign.code, %error, "nobody of it can be called");
                    continue;
                }
            };
            let programme = programmes::get(connection, campaign.programme_id).await?.code;
            plans.insert(entry.campaign, (plan, programme));
        }
        Ok(CampaignPlans(plans))
    }

    /// Returns the part of the day where the person is.
    fn day_part(&self, entry: &QueueEntry, now: Timestamp) -> Option<DayPart> {
        let (plan, _) = self.0.get(&entry.campaign)?;
        let zones = plan.zones_of(entry.zone.as_deref());
        Some(DayPart::of(now, zones.iter().next().unwrap_or(plan.time_zone)))
    }
}

/// Returns the first [`SCAN_SIZE`] entries of the queue by priority, with the part of the day where
/// each person is. What the cells need is looked up only for those whom nothing before it decides.
async fn first_in_line(
    connection: &mut AnyConnection,
    account: &Account,
    due: Vec<QueueEntry>,
    plans: &CampaignPlans,
    now: Timestamp,
) -> Result<Vec<Callable>, CallCenterError> {
    let priority = |(entry, part): &Callable, need: u32, place: u64| {
        CallPriority::new(
            entry.promised_at.filter(|at| *at <= now),
            entry.refused_to == Some(account.id),
            entry.tried_day_parts & part.bit() != 0,
            entry.calls,
            need,
            place,
        )
    };
    let with_part = |entry: QueueEntry| plans.day_part(&entry, now).map(|part| (entry, part));
    let mut line: Vec<(CallPriority, Callable)> = due
        .into_iter()
        .filter_map(with_part)
        .map(|callable| (priority(&callable, 0, 0), callable))
        .collect();
    line.sort_by_key(|(rank, _)| *rank);
    if let Some((last, _)) = line.get(SCAN_SIZE - 1) {
        let last = *last;
        line.truncate(line.partition_point(|(rank, _)| *rank <= last));
    }
    let ids: Vec<InvitationId> = line.iter().map(|(_, (entry, _))| entry.invitation).collect();
    let needs = CellNeeds::of(connection, &ids).await?;
    for (rank, callable) in &mut line {
        let entry = &callable.0;
        let place = (seeded_fraction(&entry.phone_hash, 0x7e1e) * 1e9) as u64;
        *rank = priority(callable, needs.of_invitation(entry.invitation), place);
    }
    line.sort_by_key(|(rank, _)| *rank);
    line.truncate(SCAN_SIZE);
    Ok(line.into_iter().map(|(_, callable)| callable).collect())
}

enum CallPermission {
    From(Timestamp),
    Never,
}

fn permitted_from(plan: &ContactPlan, zones: &Zones, at: Timestamp) -> CallPermission {
    plan.hours.next_open(at, zones).map_or(CallPermission::Never, CallPermission::From)
}

/// What the quota cells of each invitation still need, in thousandths of their targets.
struct CellNeeds(HashMap<InvitationId, u32>);

impl CellNeeds {
    async fn of(
        connection: &mut AnyConnection,
        invitations: &[InvitationId],
    ) -> Result<CellNeeds, DatabaseError> {
        let mut cells: HashMap<ApplicationId, Vec<quotas::QuotaCell>> = HashMap::new();
        let mut needs: HashMap<InvitationId, u32> = HashMap::new();
        for (invitation, application, mask) in
            cases::cells_of_invitations(connection, invitations).await?
        {
            let cell_needs = match cells.entry(application) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(quotas::cells(connection, application).await?)
                }
            };
            let need = |(number, cell): (usize, &quotas::QuotaCell)| {
                let is_in = number == 0 || mask & (1 << number) != 0;
                let still = cell.target.saturating_sub(cell.completes);
                is_in.then(|| still * 1000 / cell.target.max(1))
            };
            let most = cell_needs.iter().enumerate().filter_map(need).max().unwrap_or(0);
            let known = needs.entry(invitation).or_default();
            *known = (*known).max(most);
        }
        Ok(CellNeeds(needs))
    }

    fn of_invitation(&self, invitation: InvitationId) -> u32 {
        self.0.get(&invitation).copied().unwrap_or(0)
    }
}
