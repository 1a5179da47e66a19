//! The audit log: who viewed personal data, and who changed what. Each entry contains the hash of
//! the previous one, so that none can be changed, removed or inserted unnoticed.

use serde_json::json;

use super::time::Timestamp;

/// The interface through which an actor acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The staff's web pages.
    Console,
    /// The API, with a token.
    Api,
    /// The command line; the name is that of the operating system's user.
    Command,
    /// A respondent's own word.
    Reply,
    /// An applicant's own page; the name is the applicant's code.
    Applicant,
    /// Recorded before the log was chained.
    Legacy,
}

impl Via {
    const ALL: [Via; 6] =
        [Via::Console, Via::Api, Via::Command, Via::Reply, Via::Applicant, Via::Legacy];

    pub fn as_str(self) -> &'static str {
        match self {
            Via::Console => "console",
            Via::Api => "api",
            Via::Command => "command",
            Via::Reply => "reply",
            Via::Applicant => "applicant",
            Via::Legacy => "before",
        }
    }

    /// Returns the label in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Via::Console => ("网页", "web page"),
            Via::Api => ("接口", "API"),
            Via::Command => ("命令行", "command line"),
            Via::Reply => ("受访者回复", "a respondent's reply"),
            Via::Applicant => ("申报单位页面", "an applicant's page"),
            Via::Legacy => ("旧记录", "an earlier version"),
        }
    }

    pub fn parse(raw: &str) -> Option<Via> {
        Via::ALL.into_iter().find(|via| via.as_str() == raw)
    }
}

/// The person or program that acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    pub via: Via,
}

impl Actor {
    pub fn console(name: &str) -> Actor {
        Actor { name: name.to_owned(), via: Via::Console }
    }

    /// Somebody who replies by SMS; who it is stands nowhere.
    pub fn respondent() -> Actor {
        Actor { name: "respondent".into(), via: Via::Reply }
    }

    /// Somebody on an applicant's own page, by the applicant's code.
    pub fn applicant(code: &str) -> Actor {
        Actor { name: code.to_owned(), via: Via::Applicant }
    }

    pub fn command(name: &str) -> Actor {
        Actor { name: name.to_owned(), via: Via::Command }
    }
}

macro_rules! actions {
    ($($name:ident $code:literal $zh:literal $en:literal;)*) => {
        /// The action of an actor. Reading is audited only if it reveals personal data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($name),* }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$name),*];

            pub fn code(self) -> &'static str {
                match self { $(Action::$name => $code),* }
            }

            /// Returns the label in Chinese and in English.
            pub fn labels(self) -> (&'static str, &'static str) {
                match self { $(Action::$name => ($zh, $en)),* }
            }
        }
    };
}

actions! {
    SignIn "sign_in" "登录" "signed in";
    SignInFailed "sign_in_failed" "登录失败" "failed to sign in";
    SignOut "sign_out" "退出" "signed out";
    OwnPasswordChanged "own_password" "修改密码" "changed the own password";
    SecondFactorEnabled "second_factor" "启用动态口令" "set up one-time codes";
    SecondFactorRemoved "no_second_factor" "停用动态口令" "removed one-time codes";
    AccountAdded "account_added" "新增账户" "added an account";
    AccountInvited "account_invited" "邀请开通账户" "invited somebody";
    InvitationRevoked "invitation_revoked" "撤销账户邀请" "revoked an invitation";
    InvitationAccepted "invitation_accepted" "接受邀请并设置密码" "accepted an invitation";
    StaffPersonChanged "staff_person" "修改员工姓名或电话" "changed a colleague's name or telephone";
    AccountDisabled "account_disabled" "停用账户" "disabled an account";
    AccountPasswordReset "account_password" "重置密码" "reset a password";
    TokenCreated "token_made" "新建接口令牌" "added a token";
    TokenRevoked "token_revoked" "吊销接口令牌" "revoked a token";
    WebhookAdded "webhook_added" "新增事件推送" "added a webhook";
    WebhookSecretRotated "webhook_secret" "更换事件推送密钥" "rotated a webhook's secret";
    WebhookEventsResent "webhook_resent" "重新推送事件" "sent a webhook's events again";
    WebhookRemoved "webhook_removed" "停用事件推送" "removed a webhook";
    CallPersonViewed "call" "通话中查看受访者" "saw the person of a call";
    CallWatched "call_watched" "旁观访问" "sat beside an interview";
    VerificationPersonViewed "verification" "复核时查看受访者" "saw the person of a verification";
    OptOutLifted "opt_out_lifted" "本人恢复接收" "lifted their own opt-out";
    ReplyViewed "reply" "查看回复" "read a reply";
    CasePersonViewed "case_revealed" "查看受访者" "saw the person of a case";
    PersonExported "person" "导出个人信息" "exported what is held of a person";
    ResponseReviewed "response_reviewed" "处理可疑问卷" "accepted or excluded a response";
    OpenAnswersViewed "dataset" "查看开放题" "read open answers";
    PersonSearched "searched" "查找受访者" "looked for a person";
    CaseAssigned "assign" "转交个案" "handed a case over";
    AppointmentMoved "appointment_moved" "改预约时间" "moved an appointment";
    ShiftAdded "shift_added" "排班" "set a shift";
    ShiftRemoved "shift_removed" "删除班次" "removed a shift";
    CallReported "called" "记录通话" "recorded a call";
    VerificationReported "verified" "记录复核" "recorded a verification";
    NonUserReported "not_a_user" "记录非用户" "recorded a non-user";
    VerificationsDrawn "verifications_drawn" "抽取复核" "drew interviews to verify";
    FormsPrinted "paper_printed" "打印纸质问卷" "printed paper forms";
    FormsOpened "paper_opened" "查看纸质问卷" "opened paper forms";
    FormRecorded "paper_recorded" "登记纸质问卷" "recorded a paper form";
    FormSettled "paper_settled" "裁定录入不一致" "settled differences of a paper form";
    FormPreferred "paper_preferred" "改用纸质回答" "took the answers of a paper form instead";
    ProgrammeSaved "programme" "设置项目" "set up a programme";
    ApplicationRegistered "applicant" "登记申报" "registered an application";
    ContactViewed "contact_shown" "查看申报单位联系人" "saw an applicant's contact";
    FormsRead "forms_read" "读取申报材料" "read application documents";
    FormsViewed "forms_shown" "查看申报材料" "saw application documents";
    FormsCorrected "forms_corrected" "更正申报材料" "corrected application documents";
    FormsDiscarded "forms_dropped" "放弃申报材料" "discarded application documents";
    ApplicantLinkCreated "applicant_link" "创建申报单位链接" "created an applicant's link";
    ApplicantLinkRevoked "applicant_link_revoked" "撤销申报单位链接" "revoked an applicant's link";
    ApplicantCodeSent "applicant_code" "向申报单位发送验证码" "sent an applicant a code";
    ApplicantSignedIn "applicant_signed_in" "申报单位登录" "signed in as an applicant";
    ListHandedIn "list_handed_in" "申报单位提交名单" "handed a list in";
    ListReturned "list_returned" "退回名单" "sent a list back";
    ListUploaded "list_uploaded" "上传名单" "uploaded a list";
    ListViewed "list_shown" "查看名单" "saw a list";
    ListDiscarded "list_dropped" "放弃名单" "discarded a list";
    ListImported "list_imported" "导入名单" "imported a list";
    ListSentBack "list_sent_back" "下载名单更正表" "downloaded a list's correction sheet";
    ListLeftOut "list_left_out" "名单删减" "left people out of a list";
    ListReread "list_reread" "重新读取名单" "read a list again";
    ListCorrected "list_corrected" "更正名单" "corrected a list";
    PlanSaved "plan_saved" "保存联系计划" "saved a contact plan";
    QuestionnaireStarted "questionnaire_started" "开始编写问卷" "began a questionnaire";
    QuestionnaireEdited "questionnaire_edited" "修改问卷" "changed a questionnaire";
    QuestionnaireReleased "questionnaire_released" "发布问卷" "released a questionnaire";
    QuestionnaireDiscarded "questionnaire_dropped" "放弃编写的问卷" "discarded a questionnaire";
    ReplyAssigned "reply_assigned" "分派回复" "gave a reply to somebody";
    ReplyToInterviewers "reply_to_interviewers" "转交访问员回电" "gave a reply to the interviewers";
    ReplyAnswered "reply_answered" "短信答复" "answered a reply by SMS";
    HolidaysSaved "holidays_saved" "修改节假日" "changed the holidays of a year";
    LibraryChanged "library" "修改文库" "changed the library";
    CampaignNoteWritten "campaign_note" "在活动上留言" "left a comment on a campaign";
    CampaignNoteDeleted "campaign_note_deleted" "删除自己的留言" "deleted a comment of their own";
    DraftDiscarded "plan_dropped" "放弃草稿" "discarded a draft";
    TestMessageSent "text_tested" "发送测试短信" "sent a test message";
    LaunchRequested "launch_asked" "申请启动" "requested a launch";
    CampaignLaunched "launched" "启动活动" "launched a campaign";
    CampaignStateChanged "campaign_state" "暂停、恢复或结束活动" "paused, resumed or closed a \
        campaign";
    DeadlineChanged "deadline" "调整期限" "changed a deadline";
    NumberSuppressed "suppressed" "加入免打扰" "suppressed a number";
    ReplyHandled "reply_handled" "处理回复" "handled a reply";
    MessageSettled "message_settled" "处理存疑短信" "resolved a message in doubt";
    AlarmAcknowledged "alarm_taken" "确认告警" "acknowledged an alarm";
    DatasetFrozen "frozen" "冻结数据" "froze data";
    DatasetReleased "released" "放行数据" "released data";
    VerdictRecorded "judged" "评分端反馈" "judged a dataset";
    DatasetRedelivered "redelivered" "重新交付" "delivered again";
    DatasetDownloaded "data_fetched" "下载数据" "fetched data";
    SigningKeyRotated "signing_key" "更换签名密钥" "changed the signing key";
    PeoplePurged "purged" "清除个人信息" "purged people";
    LegalHoldChanged "legal_hold" "法律保全" "changed a legal hold";
    PersonErased "erased" "删除个人信息" "erased a person";
    BackupRestored "restored" "从备份恢复" "restored a backup";
    DatabaseBackedUp "backed_up" "备份" "made a backup";
    AuditLogVerified "log_verified" "核验审计日志" "verified the audit log";
    Refused "refused" "未获执行" "was refused";
}

impl Action {
    pub fn parse(raw: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| action.code() == raw)
    }
}

/// An audit entry. It contains ids and codes, never personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3, … without a gap.
    pub number: i64,
    pub at: Timestamp,
    pub actor: Actor,
    pub action: Action,
    /// The object of the action: `campaign:C1`, `case:17`.
    pub object: String,
    pub detail: String,
}

impl AuditEntry {
    /// Returns the input of this entry's hash. `previous_hash` is the hash of the previous entry,
    /// empty for the first.
    pub fn hash_input(&self, previous_hash: &str) -> String {
        json!([
            self.number,
            self.at.0,
            self.actor.name,
            self.actor.via.as_str(),
            self.action.code(),
            self.object,
            self.detail,
            previous_hash
        ])
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_changed_changes_what_is_hashed() {
        let entry = AuditEntry {
            number: 7,
            at: Timestamp(1),
            actor: Actor::console("wu"),
            action: Action::CasePersonViewed,
            object: "case:1".into(),
            detail: String::new(),
        };
        let others = [
            AuditEntry { number: 8, ..entry.clone() },
            AuditEntry { at: Timestamp(2), ..entry.clone() },
            AuditEntry { actor: Actor::command("wu"), ..entry.clone() },
            AuditEntry { actor: Actor::console("wu\",\"console"), ..entry.clone() },
            AuditEntry { action: Action::CallPersonViewed, ..entry.clone() },
            AuditEntry { object: "case:12".into(), ..entry.clone() },
            AuditEntry { detail: "x".into(), ..entry.clone() },
        ];
        assert!(others.iter().all(|other| other.hash_input("a") != entry.hash_input("a")));
        assert_ne!(entry.hash_input("a"), entry.hash_input("b"));
    }

    #[test]
    fn codes_are_told_apart() {
        let codes: std::collections::HashSet<_> =
            Action::ALL.iter().map(|action| action.code()).collect();
        assert_eq!(codes.len(), Action::ALL.len());
        assert!(Action::ALL.iter().all(|action| Action::parse(action.code()) == Some(*action)));
    }
}
