//! Code words of the audit log and of timelines in the words of people. The log keeps the codes,
//! and so does its export.

use super::super::page_layout::Translator;
use crate::domain::audit::Action;
use crate::domain::category::Category;
use crate::domain::role::Permission;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::drafts::library::EntryKind;

/// What an audit entry is about: its kind in codes, in Chinese and in English.
const OBJECTS: [(&str, (&str, &str)); 20] = [
    ("case", ("个案", "case")),
    ("campaign", ("活动", "campaign")),
    ("application", ("申报", "application")),
    ("application-draft", ("申报材料", "application documents")),
    ("applicant", ("申报单位", "applicant")),
    ("programme", ("项目", "programme")),
    ("account", ("账户", "account")),
    ("token", ("接口令牌", "token")),
    ("webhook", ("事件推送", "webhook")),
    ("list", ("名单", "list")),
    ("draft", ("活动草稿", "draft")),
    ("dataset", ("数据集", "dataset")),
    ("message", ("短信", "message")),
    ("reply", ("回复", "reply")),
    ("call", ("通话", "call")),
    ("verification", ("复核", "verification")),
    ("invitation", ("邀请", "invitation")),
    ("form", ("纸质问卷", "paper form")),
    ("person", ("受访者", "respondent")),
    ("library", ("文库", "library")),
];

/// Returns an object in words: `case:1` is «个案 1».
pub fn object_label(tr: Translator, colleagues: &Colleagues, object: &str) -> String {
    let named = |kind: &str| OBJECTS.iter().find(|(code, _)| *code == kind);
    let Some((kind, id)) = object.split_once(':') else {
        return named(object).map_or(object, |(_, label)| tr.pair(*label)).to_owned();
    };
    if kind == "entry" {
        return format!("{} {id}", tr.t("日志第", "entry"));
    }
    let Some((_, label)) = named(kind) else { return object.to_owned() };
    match kind {
        "account" => format!("{} {}", tr.pair(*label), colleagues.name_and_account(id).reveal()),
        _ => format!("{} {id}", tr.pair(*label)),
    }
}

/// Returns the page of an object, with the permission that it takes.
pub fn object_page(object: &str) -> Option<(String, Permission)> {
    let (kind, id) = object.split_once(':')?;
    let path: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    Some(match kind {
        "case" => (format!("/cases/{path}"), Permission::Reveal),
        "campaign" => (format!("/campaigns/{path}"), Permission::Read),
        "application" => (format!("/applications/{path}"), Permission::Operate),
        "account" | "token" => ("/accounts".to_owned(), Permission::ManageAccounts),
        _ => return None,
    })
}

/// Returns the object as the log has it: «个案 17» and `case 17` are `case:17`; what is no object in
/// words stays as it is.
pub fn object_code(typed: &str) -> String {
    let typed = typed.trim();
    // The longer of two labels that begin alike is the right one.
    let found = OBJECTS
        .iter()
        .flat_map(|(code, (zh, en))| [(*code, *zh), (*code, *en)])
        .filter_map(|(code, label)| {
            let rest = typed.strip_prefix(label)?;
            let id = rest.trim_start_matches([' ', '　', '#', '：']);
            let is_apart = rest.len() > id.len() || label.chars().all(|c| !c.is_ascii());
            (is_apart && !id.starts_with(':')).then(|| (label.len(), format!("{code}:{id}")))
        })
        .max_by_key(|(length, _)| *length);
    found.map_or_else(|| typed.to_owned(), |(_, code)| code)
}

/// Returns an entry's detail in words, where it is a code word.
pub fn detail_label(tr: Translator, action: Action, detail: &str) -> String {
    let (word, rest) = detail.split_once(' ').unwrap_or((detail, ""));
    let known = match (action, word) {
        (Action::CampaignStateChanged, "paused") => tr.t("暂停", "paused"),
        (Action::CampaignStateChanged, "running") => tr.t("恢复", "resumed"),
        (Action::CampaignStateChanged, "closed") => tr.t("结束", "closed"),
        (Action::CampaignStateChanged, "budget") => tr.t("预算", "budget"),
        (Action::MessageSettled, "sent") => tr.t("已发出", "went out"),
        (Action::MessageSettled, "not_sent") => tr.t("未发出，重发", "did not, sent again"),
        (Action::LegalHoldChanged, "set") => tr.t("设置", "set"),
        (Action::LegalHoldChanged, "lift") => tr.t("解除", "lifted"),
        (Action::DeadlineChanged, "hold") => tr.t("暂停计时", "put on hold"),
        (Action::DeadlineChanged, "resume") => tr.t("恢复计时", "resumed"),
        (Action::DeadlineChanged, "extend") => tr.t("延长天数", "extended by days:"),
        (Action::DeadlineChanged, "fee") => {
            let day = detail.rsplit(' ').next().unwrap_or_default();
            return format!("{} {day}", tr.t("缴费日", "fee settled on"));
        }
        (Action::ApplicationRegistered, code) => match Category::parse(code) {
            Some(category) => return super::setup::category_label(tr, category),
            None => return detail.to_owned(),
        },
        (Action::LibraryChanged, "rename") => tr.t("改名", "renamed"),
        (Action::LibraryChanged, "delete") => tr.t("删除", "deleted"),
        (Action::LibraryChanged, "restore") => tr.t("恢复", "had back"),
        (Action::LibraryChanged, kind) => {
            let kind = EntryKind::parse(kind).map_or(("", ""), EntryKind::labels);
            return format!("{} {}", tr.t("存入", "kept a"), tr.pair(kind));
        }
        (Action::ProgrammeSaved, "organiser") => tr.t("受访者看到的主办方", "what respondents see"),
        (Action::ProgrammeSaved, "logo") if rest == "removed" => {
            return tr.t("去掉标志", "took the logo away").to_owned();
        }
        (Action::ProgrammeSaved, "logo") => tr.t("标志", "logo"),
        (Action::PlanSaved, "standard") => tr.t("标准计划", "the standard plan"),
        (Action::PlanSaved, from) => match from.split_once(':') {
            Some((kind @ ("campaign" | "draft" | "library"), id)) => {
                let label = OBJECTS.iter().find(|(code, _)| *code == kind).map(|(_, label)| *label);
                let label = tr.pair(label.unwrap_or_default());
                return format!("{} {label} {id}", tr.t("计划取自", "the plan of"));
            }
            _ => return detail.to_owned(),
        },
        (Action::NumberSuppressed, "opt_out") => tr.t("退订", "opt-out"),
        (Action::NumberSuppressed, "complaint") => tr.t("投诉", "complaint"),
        (Action::NumberSuppressed, "invalid") => tr.t("无效号码", "invalid number"),
        (Action::DatasetDownloaded, version) if rest == "package" => {
            return format!("{version} {}", tr.t("全部文件", "all files"));
        }
        _ => return detail.to_owned(),
    };
    format!("{known} {rest}").trim_end().to_owned()
}

/// Returns the way by which a case got its outcome, or by which somebody answered.
pub fn source_label(tr: Translator, source: &str) -> &str {
    match source {
        "gateway" => tr.t("短信网关", "gateway"),
        "web" => tr.t("网页", "web"),
        "sms" => tr.t("短信", "SMS"),
        "reply" => tr.t("短信回复", "reply"),
        "telephone" => tr.t("电话", "telephone"),
        "paper" => tr.t("纸质问卷", "paper"),
        "staff" => tr.t("工作人员", "staff"),
        "launch" => tr.t("启动时", "at the launch"),
        "close" => tr.t("结束时", "at the close"),
        "late" => tr.t("迟到回答", "late answers"),
        other => other,
    }
}

/// Returns the kind of device on which a page was answered.
pub fn device_label(tr: Translator, device: &str) -> &str {
    match device {
        "phone" => tr.t("手机", "telephone"),
        "tablet" => tr.t("平板", "tablet"),
        "computer" => tr.t("电脑", "computer"),
        "unknown" => tr.t("设备不明", "unknown device"),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::ConsoleLanguage;

    const ZH: Translator = Translator(ConsoleLanguage::Zh);

    #[test]
    fn an_object_is_read_as_it_is_shown() {
        let nobody = Colleagues::default();
        for (code, shown) in [
            ("case:17", "个案 17"),
            ("application:A1", "申报 A1"),
            ("application-draft:3", "申报材料 3"),
            ("applicant:p26/A1", "申报单位 p26/A1"),
            ("account:wu", "账户 wu"),
        ] {
            assert_eq!(object_label(ZH, &nobody, code), shown);
            assert_eq!(object_code(shown), code);
            assert_eq!(object_code(code), code, "as it was typed before");
        }
        for (typed, code) in [("个案17", "case:17"), ("case 17", "case:17"), ("", ""), ("x", "x")]
        {
            assert_eq!(object_code(typed), code, "{typed}");
        }
        assert_eq!(object_label(ZH, &nobody, "something"), "something");
    }

    #[test]
    fn code_words_of_a_detail_are_said_and_others_stay() {
        for (action, detail, said) in [
            (Action::CampaignStateChanged, "paused", "暂停"),
            (Action::CampaignStateChanged, "budget 100", "预算 100"),
            (Action::DeadlineChanged, "fee settled on 2026-03-02", "缴费日 2026-03-02"),
            (Action::PersonErased, "paused", "paused"),
            (Action::MessageSettled, "", ""),
        ] {
            assert_eq!(detail_label(ZH, action, detail), said);
        }
    }
}
