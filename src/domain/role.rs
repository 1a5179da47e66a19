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
    pub const ALL: [Role; 4] =
        [Role::Administrator, Role::Operator, Role::Interviewer, Role::Auditor];

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
            Role::Auditor => "auditor",
        }
    }

    /// Returns the label in Chinese and in English.
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
