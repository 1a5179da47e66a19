//! What staff may do: each has one role, and a role's permissions stand in one table.

use std::fmt;

/// The work that somebody of the staff does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, accounts too.
    Administrator,
    /// Sets up and watches campaigns, and supervises the telephone.
    Operator,
    /// Telephones, and sees the person on the line.
    Interviewer,
    /// Looks at who did what; changes nothing.
    Auditor,
}

/// One thing that may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Take cases from the queue and interview.
    Interview,
    /// See queues and interviewers, hand cases to others, draw completed ones for verification.
    Supervise,
    /// See programmes, campaigns, quotas and forecasts: counts and codes, nobody's name or number.
    Watch,
    /// Set up, launch, pause and close; take lists, deal with replies, alarms and messages in
    /// doubt.
    Operate,
    /// See names, numbers and words of people; each look is written down.
    Reveal,
    /// Fetch datasets and say what becomes of them.
    Datasets,
    /// Add and disable accounts, tokens and webhooks. Who may do that may give every other
    /// permission.
    ManageAccounts,
    /// See who looked at what and who did what.
    Audit,
}

impl Permission {
    pub const ALL: [Permission; 8] = [
        Permission::Watch,
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
            Permission::Watch => "watch",
            Permission::Operate => "operate",
            Permission::Reveal => "reveal",
            Permission::Interview => "interview",
            Permission::Supervise => "supervise",
            Permission::Datasets => "datasets",
            Permission::ManageAccounts => "accounts",
            Permission::Audit => "audit",
        }
    }

    /// In Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Permission::Watch => ("查看进度", "watch"),
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
        Permission::ALL.into_iter().find(|permission| permission.as_str() == raw)
    }
}

impl Role {
    pub const ALL: [Role; 4] =
        [Role::Administrator, Role::Operator, Role::Interviewer, Role::Auditor];

    /// The table of permissions.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Role::Administrator => &Permission::ALL,
            Role::Operator => &[
                Permission::Watch,
                Permission::Operate,
                Permission::Reveal,
                Permission::Interview,
                Permission::Supervise,
                Permission::Datasets,
            ],
            Role::Interviewer => &[Permission::Interview],
            Role::Auditor => &[Permission::Watch, Permission::Audit],
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
            Role::Auditor => "auditor",
        }
    }

    /// In Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Role::Administrator => ("管理员", "administrator"),
            Role::Operator => ("运营人员", "operator"),
            Role::Interviewer => ("访问员", "interviewer"),
            Role::Auditor => ("审计员", "auditor"),
        }
    }

    pub fn parse(raw: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == raw)
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
}
