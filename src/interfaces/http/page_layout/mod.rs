//! The layout of staff pages: language, navigation, style sheet, script, and error pages.

pub mod menu;

use std::sync::LazyLock;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::Failure;
use super::auth::Staff;
use crate::domain::language::{ConsoleLanguage, Language};
use crate::domain::role::Permission;
use menu::NavItem;

pub const STYLE: &str = include_str!("../../../../templates/staff/staff.css");
pub const SCRIPT: &str = include_str!("../../../../templates/staff/staff.js");

/// Nothing is loaded from other addresses. The only style sheet and script are inline, allowed by
/// their hashes.
pub fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = |text: &str| BASE64.encode(&Sha256::digest(text.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src \
                'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    });
    &POLICY
}

/// Selects the Chinese or English text of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translator(pub ConsoleLanguage);

impl Translator {
    pub fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.0 {
            ConsoleLanguage::Zh => zh,
            ConsoleLanguage::En => en,
        }
    }

    pub fn pair<'a>(&self, (zh, en): (&'a str, &'a str)) -> &'a str {
        self.t(zh, en)
    }

    /// An amount of money.
    pub fn money(&self, amount: f64, currency: &str) -> String {
        match (self.0, currency) {
            (ConsoleLanguage::Zh, "CNY") => format!("{amount:.2} 元"),
            _ => format!("{amount:.2} {currency}"),
        }
    }

    /// The name of a time zone: that of China in words, any other as the database of zones has it.
    pub fn zone(&self, name: &str) -> String {
        match name {
            "Asia/Shanghai" | "PRC" => self.t("北京时间", "China time").to_owned(),
            other => other.to_owned(),
        }
    }

    /// The language of texts that have several.
    pub fn language(&self) -> Language {
        Language::from(self.0)
    }

    pub fn tag(&self) -> &'static str {
        self.0.tag()
    }

    pub fn other_language(&self) -> (&'static str, &'static str) {
        match self.0 {
            ConsoleLanguage::Zh => ("en", "English"),
            ConsoleLanguage::En => ("zh", "中文"),
        }
    }
}

/// Layout data of a page.
pub struct PageLayout<'a> {
    pub tr: Translator,
    pub style: &'static str,
    pub script: &'static str,
    /// Real name of the user, or the account's; `None` if nobody is signed in.
    pub name: Option<&'a str>,
    pub token: &'a str,
    /// Entries of the menu that the user may open.
    pub nav_items: Vec<NavItem>,
    /// Whether the page may tell what is new through the browser.
    pub tells_news: bool,
    /// The handbook's part for this page, such as `handbook#lists`.
    pub help: &'static str,
}

impl<'a> PageLayout<'a> {
    pub fn for_staff(staff: &'a Staff) -> PageLayout<'a> {
        PageLayout {
            tr: staff.tr,
            style: STYLE,
            script: SCRIPT,
            name: Some(staff.display_name.reveal()),
            token: &staff.form_token,
            nav_items: menu::nav_items(staff.tr, &staff.path, |permission| staff.may(permission)),
            tells_news: staff.may(Permission::Read),
            help: menu::help_for(&staff.path),
        }
    }

    pub fn signed_out(tr: Translator) -> PageLayout<'static> {
        PageLayout {
            tr,
            style: STYLE,
            script: SCRIPT,
            name: None,
            token: "",
            nav_items: Vec::new(),
            tells_news: false,
            help: "",
        }
    }
}

/// Renders a staff page.
pub fn render_page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Failure::Internal(error.to_string()).into_response(),
    }
}

/// A page with a single message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPage {
    SignedOut,
    NotAllowed,
    OtherSession,
    TooLarge,
    /// Files that are too large together, or too many.
    TooLargeUpload,
    BrokenUpload,
    /// An address or a form that this program does not have.
    Unreadable,
    /// Something that there is not, or not any more.
    NotFound,
}

#[derive(Template)]
#[template(path = "staff/error.html")]
struct ErrorPageTemplate<'a> {
    layout: PageLayout<'a>,
    heading: &'a str,
    text: &'a str,
}

impl ErrorPage {
    pub fn page(self, tr: Translator) -> Html<String> {
        let (heading, text) = match self {
            ErrorPage::SignedOut => (
                tr.t("请先登录", "Please sign in"),
                tr.t("登录已过期或尚未登录。", "You are not signed in, or not any more."),
            ),
            ErrorPage::NotAllowed => (
                tr.t("无权访问", "Not allowed"),
                tr.t(
                    "您的角色不能使用此功能，请联系管理员。",
                    "Your role may not use this; ask an administrator.",
                ),
            ),
            ErrorPage::OtherSession => (
                tr.t("未处理", "Nothing was done"),
                tr.t(
                    "此表单来自别处或以前的登录，请回到首页重试。",
                    "This form comes from elsewhere or an earlier session; go back to the \
                        beginning and try again.",
                ),
            ),
            ErrorPage::BrokenUpload => (
                tr.t("文件未收到", "The file did not arrive"),
                tr.t("请返回后重新选择文件。", "Go back and choose the file again."),
            ),
            ErrorPage::Unreadable => (
                tr.t("无法读取", "Cannot be read"),
                tr.t(
                    "网址或表单不完整，请回到首页重新进入。",
                    "The address or the form is not complete; go back to the beginning.",
                ),
            ),
            ErrorPage::NotFound => (
                tr.t("没有找到", "Not found"),
                tr.t(
                    "这里没有内容：可能已被删除、已完成，或网址有误。请回到首页重新进入。",
                    "There is nothing here: it was removed, it is over, or the address is wrong. Go \
                        back to the beginning.",
                ),
            ),
            ErrorPage::TooLargeUpload => (
                tr.t("文件过大或过多", "Too large, or too many files"),
                tr.t(
                    "一次最多 100 个文件，合计不超过 32 MB。请分几次提交；扫描件可先不提交。",
                    "At most 100 files at once, 32 MB together. Send them in several parts; scans \
                        need not be sent.",
                ),
            ),
            ErrorPage::TooLarge => (
                tr.t("内容太长", "Too long"),
                tr.t("请缩短后再提交。", "Please shorten it and send it again."),
            ),
        };
        Html(
            ErrorPageTemplate { layout: PageLayout::signed_out(tr), heading, text }
                .render()
                .unwrap_or_default(),
        )
    }
}
