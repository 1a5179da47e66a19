//! Staff roles and permissions: each account has one role, and one table defines each role's
//! permissions.

use std::fmt;

/// The role of a staff account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, including accounts.
    Administrator,
    /// Sets up and monitors campaigns, and supervises the telephone interviews.
    Operator,
    /// Calls respondents, and sees the data of the person on the line.
    Interviewer,
    /// Leads the interviewers: sees their work and the progress, hands cases and appointments over,
    /// verifies interviews, and interviews where somebody is missing. Configures and exports nothing.
    Supervisor,
    /// Reads the audit log; changes nothing.
    Auditor,
}

/// A permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Take cases from the queue and interview.
    Interview,
    /// See queues and interviewers, reassign cases, draw completed interviews for verification.
    Supervise,
    /// See programmes, campaigns, quotas and forecasts: counts and codes, no names or numbers.
    Read,
    /// Set up, launch, pause and close; import lists, handle replies, alarms and messages in doubt.
    Operate,
    /// See names, numbers and texts of people; each access is audited.
    Reveal,
    /// Fetch datasets and record verdicts.
    Datasets,
    /// Add and disable accounts, tokens and webhooks, which includes granting any other permission.
    ManageAccounts,
    /// Read the audit log.
    Audit,
}

impl Permission {
    pub const ALL: [Permission; 8] = [
        Permission::Read,
        Permission::Operate,
        Permission::Reveal,
        Permission::Interview,
        Permission::Supervise,
        Permission::Datasets,
        Permission::ManageAccounts,
        Permission::Audit,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Operate => "operate",
            Permission::Reveal => "reveal",
            Permission::Interview => "interview",
            Permission::Supervise => "supervise",
            Permission::Datasets => "datasets",
            Permission::ManageAccounts => "accounts",
            Permission::Audit => "audit",
        }
    }

    /// Returns the label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Permission::Read => ("查看进度", "read"),
            Permission::Operate => ("运营", "operate"),
            Permission::Reveal => ("查看个人信息", "see people"),
            Permission::Interview => ("电话访问", "interview"),
            Permission::Supervise => ("电话督导", "supervise"),
            Permission::Datasets => ("读取数据", "fetch datasets"),
            Permission::ManageAccounts => ("管理账户", "manage accounts"),
            Permission::Audit => ("审计", "audit"),
        }
    }

    pub fn parse(raw: &str) -> Option<Permission> {
        // «watch» was the word of version 0.1.
        let raw = if raw == "watch" { "read" } else { raw };
        Permission::ALL.into_iter().find(|permission| permission.as_str() == raw)
    }
}

impl Role {
    /// Least permissions first, so that the first choice of a form gives the least.
    pub const ALL: [Role; 5] =
        [Role::Interviewer, Role::Auditor, Role::Supervisor, Role::Operator, Role::Administrator];

    /// Returns the permissions of the role.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Role::Administrator => &Permission::ALL,
            Role::Operator => &[
                Permission::Read,
                Permission::Operate,
                Permission::Reveal,
                Permission::Interview,
                Permission::Supervise,
                Permission::Datasets,
            ],
            Role::Interviewer => &[Permission::Interview],
            Role::Supervisor => &[Permission::Read, Permission::Interview, Permission::Supervise],
            Role::Auditor => &[Permission::Read, Permission::Audit],
        }
    }

    pub fn may(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::Operator => "operator",
            Role::Interviewer => "interviewer",
            Role::Supervisor => "supervisor",
            Role::Auditor => "auditor",
        }
    }

    /// Returns the label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Role::Administrator => ("管理员", "administrator"),
            Role::Operator => ("运营人员", "operator"),
            Role::Interviewer => ("访问员", "interviewer"),
            Role::Supervisor => ("督导", "supervisor"),
            Role::Auditor => ("审计员", "auditor"),
        }
    }

    /// Returns what the role is for, in Chinese and in English.
    pub fn descriptions(self) -> (&'static str, &'static str) {
        match self {
            Role::Interviewer => (
                "打电话、录入问卷，只看到正在通话的人",
                "calls people and keys forms; sees only the person on the line",
            ),
            Role::Supervisor => (
                "看进度和访问员的工作，转交个案和预约，复核访问；不能改设置，也不能导出",
                "sees the progress and the interviewers' work, hands over cases and appointments, \
                    verifies interviews; sets up and exports nothing",
            ),
            Role::Auditor => (
                "只看进度和审计日志，看不到个人信息",
                "reads the progress and the audit log, no personal data",
            ),
            Role::Operator => (
                "准备和启动活动，处理名单、回复、数据，可查看个人信息",
                "sets up and launches campaigns, handles lists, replies and data; may see people",
            ),
            Role::Administrator => ("以上全部，并管理账户", "all of this, and accounts"),
        }
    }

    pub fn parse(raw: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == raw)
    }

    /// Parses a role as people write it: its code, or its label in either language.
    pub fn parse_label(raw: &str) -> Option<Role> {
        let raw = raw.trim();
        Role::ALL.into_iter().find(|role| {
            let (zh, en) = role.labels();
            raw == zh || raw.eq_ignore_ascii_case(en) || raw.eq_ignore_ascii_case(role.as_str())
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_as_it_is_written_and_none_but_administrators_may_do_all() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(
                Permission::ALL.into_iter().all(|permission| role.may(permission)),
                role == Role::Administrator
            );
        }
        assert!(
            Permission::ALL
                .into_iter()
                .all(|permission| Permission::parse(permission.as_str()) == Some(permission))
        );
        assert!(!Role::Auditor.may(Permission::Reveal) && !Role::Auditor.may(Permission::Operate));
        assert!(
            !Role::Auditor.may(Permission::Interview)
                && !Role::Interviewer.may(Permission::Supervise)
        );
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn a_supervisor_leads_interviewers_and_neither_configures_nor_exports() {
        let held: Vec<Permission> = Permission::ALL
            .into_iter()
            .filter(|permission| Role::Supervisor.may(*permission))
            .collect();
        assert_eq!(held, [Permission::Read, Permission::Interview, Permission::Supervise]);
    }

    #[test]
    fn the_first_role_of_a_form_gives_the_least() {
        let held = Role::ALL.map(|role| role.permissions().len());
        assert!(held.is_sorted(), "{held:?}");
        assert_eq!((Role::ALL[0], Role::ALL[4]), (Role::Interviewer, Role::Administrator));
        assert_eq!(Role::parse_label(" 督导 "), Some(Role::Supervisor));
        assert_eq!(Role::parse_label("Interviewer"), Some(Role::Interviewer));
        assert_eq!(Role::parse_label("经理"), None);
    }
}
