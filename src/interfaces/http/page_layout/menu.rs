//! The menu of the staff pages: its entries, the place a page belongs to, and the part of the handbook
//! that speaks of it.

use super::Translator;
use crate::domain::role::Permission;

/// An entry of the menu.
pub struct NavItem {
    pub path: &'static str,
    pub label: &'static str,
    /// Path data of its picture, in a square of 24.
    pub icon: &'static str,
    /// `page`: it is the page itself; `true`: the page belongs to it.
    pub current: Option<&'static str>,
}

struct Place {
    path: &'static str,
    permission: Permission,
    words: (&'static str, &'static str),
    icon: &'static str,
    /// Beginnings of the paths of further pages that belong to it.
    also: &'static [&'static str],
    /// The handbook's part.
    help: &'static str,
}

const PLACES: [Place; 13] = [
    Place {
        path: "/home",
        permission: Permission::Read,
        words: ("首页", "Home"),
        icon: "M3 11l9-7 9 7v9h-6v-6H9v6H3z",
        also: &[],
        help: "handbook#daily",
    },
    Place {
        path: "/setup",
        permission: Permission::Operate,
        words: ("准备", "Set up"),
        icon: "M4 7h8M18 7h2M4 17h2M12 17h8M15 4v6M9 14v6",
        also: &[
            "/programmes",
            "/applications",
            "/application-drafts",
            "/lists",
            "/list-template",
            "/new-campaign",
            "/drafts",
            "/holidays",
            "/library",
        ],
        help: "handbook#applications",
    },
    Place {
        path: "/questionnaires",
        permission: Permission::Operate,
        words: ("问卷", "Questionnaires"),
        icon: "M6 3h12v18H6zM9 8h6M9 12h6M9 16h3",
        also: &[],
        help: "handbook#questionnaires",
    },
    Place {
        path: "/campaigns",
        permission: Permission::Read,
        words: ("活动", "Campaigns"),
        icon: "M3 12l18-8-6 17-4-7z",
        also: &[],
        help: "handbook#campaign-page",
    },
    Place {
        path: "/cases",
        permission: Permission::Reveal,
        words: ("个案", "Cases"),
        icon: "M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c1-5 4-7 8-7s7 2 8 7",
        also: &[],
        help: "handbook#cases",
    },
    Place {
        path: "/inbox",
        permission: Permission::Operate,
        words: ("回复", "Inbox"),
        icon: "M4 5h16v11H10l-5 4v-4H4z",
        also: &["/messages", "/suppressions"],
        help: "handbook#inbox",
    },
    Place {
        path: "/deliveries",
        permission: Permission::Read,
        words: ("交付", "Deliveries"),
        icon: "M12 3v11m-4-4l4 4 4-4M4 17v4h16v-4",
        also: &["/datasets"],
        help: "handbook#deliveries",
    },
    Place {
        path: "/interview",
        permission: Permission::Interview,
        words: ("电话访问", "Interviewing"),
        icon: "M5 4h4l2 5-2 1a11 11 0 005 5l1-2 5 2v4a1 1 0 01-1 1A15 15 0 014 5a1 1 0 011-1z",
        also: &[],
        help: "interviewer#getting-a-call",
    },
    Place {
        path: "/paper",
        permission: Permission::Interview,
        words: ("问卷录入", "Keying"),
        icon: "M3 7h18v10H3zM7 11h1M11 11h1M15 11h1M8 14h8",
        also: &[],
        help: "handbook#paper",
    },
    Place {
        path: "/supervision",
        permission: Permission::Supervise,
        words: ("电话督导", "Supervision"),
        icon: "M4 15v-3a8 8 0 0116 0v3M4 14h3v5H4zM17 14h3v5h-3z",
        also: &[],
        help: "handbook#supervision",
    },
    Place {
        path: "/accounts",
        permission: Permission::ManageAccounts,
        words: ("账户", "Accounts"),
        icon: "M9 11a4 4 0 100-8 4 4 0 000 8zM2 20c1-5 4-6 7-6s6 1 7 6M16 4a4 4 0 010 7M18 14c2 1 3 3 4 6",
        also: &["/tokens", "/webhooks"],
        help: "handbook#accounts",
    },
    Place {
        path: "/privacy",
        permission: Permission::ManageAccounts,
        words: ("个人信息", "Privacy"),
        icon: "M12 3l8 3v6c0 5-3 8-8 9-5-1-8-4-8-9V6z",
        also: &[],
        help: "handbook#privacy",
    },
    Place {
        path: "/audit",
        permission: Permission::Audit,
        words: ("审计", "Audit"),
        icon: "M12 7v5l3 3M12 21a9 9 0 100-18 9 9 0 000 18z",
        also: &[],
        help: "handbook#audit",
    },
];

/// Parts of the handbook for pages that the menu does not have, and closer ones than their place's.
const HELP: [(&str, &str); 16] = [
    ("/setup", "handbook#programmes"),
    ("/applications", "handbook#applications"),
    ("/application-drafts", "handbook#applications-word"),
    ("/lists", "handbook#lists-check"),
    ("/new-campaign", "handbook#campaigns"),
    ("/drafts", "handbook#plan"),
    ("/holidays", "handbook#calendar"),
    ("/library", "handbook#library"),
    ("/suppressions", "handbook#suppressions"),
    ("/webhooks", "handbook#webhooks"),
    ("/supervision/appointments", "handbook#telephone"),
    ("/interview/days", "interviewer#own-days"),
    ("/staff/account", "handbook#sign-in"),
    ("/staff", "handbook#sign-in"),
    ("/datasets", "handbook#closing"),
    ("/tokens", "administrator#accounts"),
];

fn belongs(path: &str, to: &str) -> bool {
    path.strip_prefix(to).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The entries that somebody may open, with the place of the page at `path` marked.
pub fn nav_items(tr: Translator, path: &str, may: impl Fn(Permission) -> bool) -> Vec<NavItem> {
    let current = |place: &Place| {
        if path == place.path {
            Some("page")
        } else {
            let is_in = belongs(path, place.path) || place.also.iter().any(|to| belongs(path, to));
            is_in.then_some("true")
        }
    };
    PLACES
        .iter()
        .filter(|place| may(place.permission))
        .map(|place| NavItem {
            path: place.path,
            label: tr.pair(place.words),
            icon: place.icon,
            current: current(place),
        })
        .collect()
}

/// The handbook's part for the page at `path`, such as `handbook#lists`.
pub fn help_for(path: &str) -> &'static str {
    let closest = HELP.iter().filter(|(to, _)| belongs(path, to)).max_by_key(|(to, _)| to.len());
    let of_place = || PLACES.iter().find(|place| belongs(path, place.path)).map(|place| place.help);
    closest.map(|(_, help)| *help).or_else(of_place).unwrap_or("handbook#overview")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::ConsoleLanguage;
    use crate::interfaces::http::handbook;

    #[test]
    fn a_page_is_marked_in_the_menu_and_has_its_help() {
        let tr = Translator(ConsoleLanguage::Zh);
        let marked = |path: &str| -> Vec<(&'static str, &'static str)> {
            nav_items(tr, path, |_| true)
                .iter()
                .filter_map(|item| Some((item.path, item.current?)))
                .collect()
        };
        assert_eq!(marked("/home"), [("/home", "page")]);
        assert_eq!(marked("/drafts/C1"), [("/setup", "true")]);
        assert_eq!(marked("/paper/12"), [("/paper", "true")]);
        assert_eq!(marked("/homeless"), []);
        assert_eq!(help_for("/drafts/C1/launch"), "handbook#plan");
        assert_eq!(help_for("/inbox"), "handbook#inbox");
    }

    #[test]
    fn every_help_is_a_part_of_the_handbook() {
        let all = PLACES.iter().map(|place| place.help).chain(HELP.iter().map(|(_, help)| *help));
        for help in all {
            let (document, anchor) = help.split_once('#').unwrap();
            let document = handbook::document(document).unwrap();
            assert!(document.contains(&format!("<a id=\"{anchor}\"></a>")), "{help}");
        }
    }
}
