//! The draw: where a list is larger than the need, its people are put into random replicates, and
//! the first of them go into the field.

use std::collections::BTreeMap;

use crate::adapters::database::applications::Application;
use crate::adapters::database::invitations::NewInvitation;
use crate::adapters::database::lists::ListedPerson;
use crate::adapters::database::replicates::Replicate;
use crate::domain::ids::ApplicationId;
use crate::domain::replicates::{ReplicateStatus, draw_key, replicates_needed};
use crate::domain::time::Timestamp;

/// An application's part in the campaign.
pub struct ApplicationShare<'a> {
    pub application: &'a Application,
    pub target: u32,
}

/// Draws the people who can be reached (those with a first contact). `invitations` are in the order
/// of `people`; who is held back loses the first contact until the replicate is released.
/// Applications that share people are drawn together. Returns the replicates of lists that are
/// larger than the need.
pub fn draw_replicates(
    shares: &[ApplicationShare<'_>],
    people: &[ListedPerson],
    invitations: &mut [NewInvitation],
    seed: &str,
    expected_rate: f64,
    now: Timestamp,
) -> Vec<Replicate> {
    let lists = group_by_shared_list(shares, people);
    let mut on_list: BTreeMap<ApplicationId, Vec<usize>> = BTreeMap::new();
    for (at, (person, _)) in people
        .iter()
        .zip(invitations.iter())
        .enumerate()
        .filter(|(_, (_, invitation))| invitation.next_at.is_some())
    {
        if let Some(list) = person.applications.first().and_then(|id| lists.get(id)) {
            on_list.entry(*list).or_default().push(at);
        }
    }
    let mut replicates: Vec<Replicate> = Vec::new();
    for (list, mut reached) in on_list {
        let on_this_list: Vec<&ApplicationShare<'_>> =
            shares.iter().filter(|share| lists.get(&share.application.id) == Some(&list)).collect();
        let size = on_this_list.iter().map(|share| replicate_size_of(share)).min().unwrap_or(1);
        reached.sort_by(|a, b| {
            draw_key(seed, &people[*a].phone_hash)
                .total_cmp(&draw_key(seed, &people[*b].phone_hash))
        });
        let parts: Vec<&[usize]> = reached.chunks(size as usize).collect();
        let all = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let need = |share: &&ApplicationShare<'_>| {
            let names = reached
                .iter()
                .filter(|at| people[**at].applications.contains(&share.application.id))
                .count();
            let held_back = u32::try_from(names).unwrap_or(u32::MAX);
            replicates_needed(
                &ReplicateStatus {
                    target: share.target,
                    held_back,
                    replicates: all,
                    ..ReplicateStatus::default()
                },
                expected_rate,
                false,
            )
        };
        let first = on_this_list.iter().map(need).max().unwrap_or(all);
        if first >= all {
            continue;
        }
        let before = replicates.last().map_or(0, |replicate| replicate.number);
        for (part, number) in parts.iter().zip(1..) {
            let is_released = number <= first;
            replicates.push(Replicate {
                number: before + number,
                application: list,
                people: u32::try_from(part.len()).unwrap_or(u32::MAX),
                released_at: is_released.then_some(now),
            });
            for &at in *part {
                invitations[at].replicate = before + number;
                invitations[at].next_at = invitations[at].next_at.filter(|_| is_released);
            }
        }
    }
    replicates
}

/// For each application, the first of those that it shares people with, itself among them.
fn group_by_shared_list(
    shares: &[ApplicationShare<'_>],
    people: &[ListedPerson],
) -> BTreeMap<ApplicationId, ApplicationId> {
    let mut lists: BTreeMap<ApplicationId, ApplicationId> =
        shares.iter().map(|share| (share.application.id, share.application.id)).collect();
    for person in people.iter().filter(|person| person.applications.len() > 1) {
        let shared: Vec<ApplicationId> =
            person.applications.iter().filter_map(|id| lists.get(id)).copied().collect();
        let (Some(&least), true) =
            (shared.iter().min(), shared.iter().any(|list| *list != shared[0]))
        else {
            continue;
        };
        lists.values_mut().filter(|list| shared.contains(list)).for_each(|list| *list = least);
    }
    lists
}

fn replicate_size_of(share: &ApplicationShare<'_>) -> u32 {
    share.application.quota.replicate_size.unwrap_or_else(|| share.target.div_ceil(5)).max(1)
}
