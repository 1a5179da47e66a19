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
    /// Add and disable accounts.
    ManageAccounts,
    /// See who looked at what and who did what.
    Audit,
}

impl Permission {
    pub const ALL: [Permission; 4] = [Permission::Interview, Permission::Supervise, Permission::ManageAccounts, Permission::Audit];
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Administrator, Role::Operator, Role::Interviewer, Role::Auditor];

    /// The table of permissions.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Role::Administrator => &Permission::ALL,
            Role::Operator => &[Permission::Interview, Permission::Supervise],
            Role::Interviewer => &[Permission::Interview],
            Role::Auditor => &[Permission::Audit],
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
            assert_eq!(Permission::ALL.into_iter().all(|permission| role.may(permission)), role == Role::Administrator);
        }
        assert!(!Role::Auditor.may(Permission::Interview) && !Role::Interviewer.may(Permission::Supervise));
        assert_eq!(Role::parse("root"), None);
    }
}
