//! Errors in the reader's language: the Chinese texts. English is the error's own text.

use super::xlsform::finding_text;
use crate::domain::category::Category;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::contact_window::ContactHoursError;
use crate::domain::holidays::HolidaysError;
use crate::domain::language::{ConsoleLanguage, Language};
use crate::domain::logo::{LogoError, MAX_LOGO_BYTES, MAX_LOGO_SIDE};
use crate::domain::organiser::ColourError;
use crate::domain::phone::PhoneError;
use crate::domain::programme::ProgrammeError;
use crate::domain::questionnaire::{EditError, QuestionnaireError};
use crate::domain::quota::QuotaError;
use crate::domain::sms_text::TemplateError;
use crate::domain::subject::SubjectError;
use crate::services::applicant_pages::ApplicantPageError;
use crate::services::application_forms::ApplicationFormError;
use crate::services::campaigns::LaunchError;
use crate::services::campaigns::notes::CampaignNoteError;
use crate::services::deadlines::changes::ChangeError;
use crate::services::drafts::campaigns::CampaignDraftError;
use crate::services::drafts::library::LibraryError;
use crate::services::drafts::lists::ListDraftError;
use crate::services::list_import::{ListImportError, ListOptionError, RowReason, TableError};
use crate::services::paper_forms::PaperFormError;
use crate::services::programmes::RegistrationError;
use crate::services::questionnaires::QuestionnaireSourceError;
use crate::services::questionnaires::XlsFormError;
use crate::services::questionnaires::editor::{EditorError, MAX_SOURCE};
use crate::services::response_quality::ResponseQualityError;
use crate::services::sms_inbound::answer::AnswerError;
use crate::services::suppressions::SuppressionError;
use crate::services::versions::VersionConflict;

/// An error of a refused form, with a Chinese text.
pub trait LocalizedError: std::error::Error {
    /// Returns the Chinese text. `None` for errors that only administrators see, which keep their
    /// English text.
    fn zh(&self) -> Option<String>;

    fn localized(&self, language: ConsoleLanguage) -> String {
        match language {
            ConsoleLanguage::Zh => self.zh().unwrap_or_else(|| self.to_string()),
            ConsoleLanguage::En => self.to_string(),
        }
    }
}

fn category_zh(of: Category) -> &'static str {
    of.chinese()
}

impl LocalizedError for ResponseQualityError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ResponseQualityError::UnknownApplication(code) => format!("没有代码为 {code} 的申报"),
            ResponseQualityError::NoResponse { case, .. } => {
                format!("个案 {case} 没有完成或部分完成的问卷")
            }
            ResponseQualityError::Reason => {
                "请填写理由，最多 500 字，不写受访者的姓名和电话".to_owned()
            }
            ResponseQualityError::SecondPerson(name) => {
                format!("剔除由 {name} 提出，须由另一人确认")
            }
            ResponseQualityError::NoRoom(code) => {
                format!("{code} 的配额此时已满，该问卷仍按剔除处理")
            }
            ResponseQualityError::Database(_) => return None,
        })
    }
}

impl LocalizedError for LaunchError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            LaunchError::InvalidCode(code) => {
                format!("活动代码“{code}”：请用字母、数字、- 和 _，最多 40 个")
            }
            LaunchError::NoSignature(step) => {
                format!("短信签名为空，而步骤“{step}”的短信要显示签名，请填写签名")
            }
            LaunchError::CodeTaken(code) => format!("活动 {code} 已存在，请另取代码"),
            LaunchError::Plan(error) => return error.zh().map(|plan| format!("联系计划：{plan}")),
            LaunchError::UnknownGateway { name, known } => {
                format!("没有名为 {name} 的网关；已配置：{known}")
            }
            LaunchError::GatewayStep { gateway, problem } => format!("网关 {gateway}：{problem}"),
            LaunchError::Currencies { route, currencies } => {
                format!("{route} 的网关计费币种不同（{currencies}），设预算须为同一币种")
            }
            LaunchError::UnknownApplication(code) => format!("没有代码为 {code} 的申报"),
            LaunchError::NotOpen(code) => format!("申报 {code} 已在进行中或已结束"),
            LaunchError::OtherProgramme(code, programme) => {
                format!("申报 {code} 不属于项目 {programme}，请分两个活动启动")
            }
            LaunchError::NoList(code) => format!("申报 {code} 没有名单，请先上传"),
            LaunchError::FeeNotSettled(code) => format!("申报 {code} 的调查费未到账，请先登记"),
            LaunchError::OnHold(code) => format!("申报 {code} 处于暂停，请先恢复"),
            LaunchError::SharesPeople(codes) => {
                format!("{codes} 与所选申报有共同的受访者，请一并启动，以免同一人被问两次")
            }
            LaunchError::DueDayPast { code, due } => {
                format!("申报 {code} 的数据期限 {due} 已过，启动即会结束")
            }
            LaunchError::Quota { code, error } => {
                return error.zh().map(|error| format!("申报 {code}：{error}"));
            }
            LaunchError::TooLate { number, name, until, code, closes } => {
                format!(
                    "联系计划第 {number} 步（{name}）：短信要发到 {until}，而 {code} 于 {closes} \
                        结束；请缩短间隔或放宽联系时段"
                )
            }
            LaunchError::TooManyParts { number, name, people, parts, max } => {
                format!(
                    "联系计划第 {number} 步（{name}）：{people} 人的短信多达 {parts} \
                        条，最多允许 {max} 条；请缩短内容或提高上限"
                )
            }
            LaunchError::ParametersTooLong(long) => {
                let value = &long.values;
                format!(
                    "联系计划第 {} 步（{}）：短信网关 {} 的变量 {} 最多 {} 个字，有 {} 人超出（最长 {} \
                        个字，如“{}”）；请在计划中写明缩短办法，如 [shorten] name = \"surname\"，或修改名单",
                    long.step_number,
                    value.step,
                    value.gateway,
                    value.parameter,
                    value.limit,
                    value.people,
                    value.longest,
                    value.example
                )
            }
            LaunchError::Questionnaire(QuestionnaireSourceError::Unreadable { file, error }) => {
                format!("问卷 {file} 无法读取：{error}")
            }
            LaunchError::Questionnaire(error) => format!("问卷有误：{error}"),
            LaunchError::ListField { code, field } => {
                format!("申报 {code} 的问卷用到名单字段 {field}，但该申报未保留此字段")
            }
            LaunchError::ChangedQuestionnaire { code, version } => {
                format!("问卷 {code} 第 {version} 版曾以另一文本启动，请提高版本号")
            }
            LaunchError::Database(_) | LaunchError::Keys(_) | LaunchError::Seal(_) => return None,
        })
    }
}

fn step_zh(step: usize, name: &str) -> String {
    format!("第 {step} 步（{name}）")
}

fn language_zh(of: Language) -> String {
    match of {
        Language::ZH => "中文".to_owned(),
        Language::EN => "英文".to_owned(),
        _ => format!("{}（{of}）", of.autonym()),
    }
}

impl LocalizedError for ContactPlanError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ContactPlanError::Toml(problem) => format!("无法读取：{problem}"),
            ContactPlanError::TimeZone(zone) => {
                format!("“{zone}”不是时区，请用 Asia/Shanghai 这样的名称")
            }
            ContactPlanError::Hours { day, error } => {
                format!("{} 的联系时段：{}", weekday_zh(day), error.zh()?)
            }
            ContactPlanError::AllHours(error) => format!("联系时段：{}", error.zh()?),
            ContactPlanError::Delay { step: n, name, value } => {
                format!("{}：间隔“{value}”应写作 3d 或 12h", step_zh(*n, name))
            }
            ContactPlanError::Text { step: n, name, language: of, error } => {
                format!("{}，{}文本：{}", step_zh(*n, name), language_zh(*of), error.zh()?)
            }
            ContactPlanError::NoText { step: n, name } => {
                format!("{}没有文本，请填写中文文本", step_zh(*n, name))
            }
            ContactPlanError::NoSteps => "没有步骤，请添加邀请短信".to_owned(),
            ContactPlanError::Holidays(problem) => format!("节假日：{problem}"),
            ContactPlanError::MaxParts => "短信条数上限为 1 到 10".to_owned(),
            ContactPlanError::Spread(value) => {
                format!("分散方式“{value}”应为 window 或 2h、0s 这样的时长")
            }
            ContactPlanError::Resubscription { language: of, error } => {
                format!("恢复接收答复的{}文本：{}", language_zh(*of), error.zh()?)
            }
            ContactPlanError::Shorten(key) => {
                format!("shorten.{key}：只有姓名可用姓氏代替，请写 \"cut\"")
            }
            ContactPlanError::UnreadReplyHold(value) => {
                format!("unread_reply_hold“{value}”不是时长，应写成 3d；0d 表示不等待")
            }
            ContactPlanError::Confirmation { language: of, error } => {
                format!("退订确认的{}文本：{}", language_zh(*of), error.zh()?)
            }
            ContactPlanError::Link { language: of, error } => {
                format!("补发链接的{}文本：{}", language_zh(*of), error.zh()?)
            }
            ContactPlanError::TooManySteps => "步骤过多".to_owned(),
            ContactPlanError::PaperText { step: n, name } => {
                format!("{}：纸质步骤没有短信文本，打印的就是问卷", step_zh(*n, name))
            }
            ContactPlanError::Condition { step: n, name, condition, .. } => format!(
                "{}：条件“{condition}”无法读懂，请检查括号和运算符，写法如 delivered && !begun",
                step_zh(*n, name)
            ),
            ContactPlanError::ConditionVariable { step: n, name, condition, unknown } => format!(
                "{}：条件“{condition}”中的“{unknown}”不存在，可用 delivered、begun、calls、\
                    reached、fixed_line、language",
                step_zh(*n, name)
            ),
            ContactPlanError::CallsBySms { step: n, name } => {
                format!("{}：只有电话步骤才有拨打次数", step_zh(*n, name))
            }
            ContactPlanError::Opening { step: n, name, language: of, error } => {
                format!("{}，{}开场白：{}", step_zh(*n, name), language_zh(*of), error.zh()?)
            }
            ContactPlanError::Calls { step: n, name, .. } => {
                format!("{}：拨打次数为 1 到 30", step_zh(*n, name))
            }
        })
    }
}

fn weekday_zh(day: &str) -> &str {
    let all = [
        ("monday", "周一"),
        ("tuesday", "周二"),
        ("wednesday", "周三"),
        ("thursday", "周四"),
        ("friday", "周五"),
        ("saturday", "周六"),
        ("sunday", "周日"),
        ("holidays", "节假日"),
    ];
    all.into_iter().find(|(code, _)| *code == day).map_or(day, |(_, zh)| zh)
}

impl LocalizedError for ContactHoursError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ContactHoursError::BadInterval(raw) => {
                format!("“{raw}”不是时段，请写作 09:00-12:00，止在起之后")
            }
            ContactHoursError::Overlap(day) => format!("{} 的时段重叠", weekday_zh(day)),
            ContactHoursError::NeverOpen => "没有任何工作日可联系".to_owned(),
        })
    }
}

impl LocalizedError for HolidaysError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            HolidaysError::OtherYear { day, year } => {
                format!("{day} 不在 {year} 年，请到相应年份填写")
            }
            HolidaysError::Both(day) => format!("{day} 既放假又上班，请选其一"),
            HolidaysError::WorkdayInWeek(day) => format!("{day} 不是周末，只有周末才需调休上班"),
            HolidaysError::NoDays => {
                "没有识别出日期，请粘贴通知原文，如“10月1日至7日放假”“9月20日上班”".to_owned()
            }
            HolidaysError::Year(year) => format!("年份 {year} 应在 2000 至 2100 之间"),
        })
    }
}

impl LocalizedError for AnswerError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            AnswerError::NotFound => "回复已不存在".into(),
            AnswerError::Empty => "请填写答复内容".into(),
            AnswerError::Text(error) => return error.zh(),
            AnswerError::TooLong { parts, max } => {
                format!("答复按 {parts} 条计费，联系计划最多允许 {max} 条，请缩短")
            }
            AnswerError::Stranger => "从未联系过该号码，没有活动可以向其发送短信".into(),
            AnswerError::Deleted => "此人的个人信息已删除".into(),
            AnswerError::FixedLine => "该号码不能收短信，请转交访问员回电".into(),
            AnswerError::Suppressed => "该号码在免打扰名单中，不发短信，也不打电话".into(),
            AnswerError::CampaignEnded => "活动已结束，不再发送短信；确需答复，请直接致电".into(),
            AnswerError::ApprovedTemplates { gateway } => format!(
                "网关“{gateway}”只能发送已审批的模板，没有用于答复的模板。请转交访问员回电，\
                或请管理员在网关文件中加上 [template.answer]（含 {{text}}）"
            ),
            AnswerError::Interviewing => {
                "此人正在用短信作答，会把这条短信当成下一题。请等其答完，或转交访问员回电".into()
            }
            AnswerError::AnsweredMeanwhile => {
                "已有人先作了答复，请先看上面的往来短信，如仍需答复再发送".into()
            }
            AnswerError::MessageOnItsWay => "还有一条短信待发给此人，请等它发出后再答复".into(),
            _ => return None,
        })
    }
}

impl LocalizedError for TemplateError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            TemplateError::UnknownPlaceholder { name } => {
                let known = crate::domain::sms_text::Placeholder::ALL
                    .map(|p| format!("{{{}}}", p.as_str()))
                    .join("、");
                format!("{{{name}}} 不是占位符；可用：{known}")
            }
            TemplateError::OpenBrace => "花括号没有闭合，应写作 {link} 这样".to_owned(),
            TemplateError::NoLink => "没有 {link}，收到的人无法作答".to_owned(),
            TemplateError::NoOptOut => "没有退订说明，请加上“拒收请回复R”".to_owned(),
            TemplateError::NoSignature => {
                "没有以报备的签名开头，请以【{signature}】开头".to_owned()
            }
            TemplateError::NotSpoken { name } => {
                let known = crate::domain::sms_text::Placeholder::SPOKEN
                    .map(|p| format!("{{{}}}", p.as_str()))
                    .join("、");
                format!("{{{name}}} 不是开场白的占位符；可用：{known}")
            }
            TemplateError::NothingToSay => {
                "开场白是空的；请填写，或不写此语言，届时用通用开场白".to_owned()
            }
            TemplateError::TooLongToSay(length) => {
                format!("开场白有 {length} 字，太长了，至多 600 字")
            }
        })
    }
}

impl LocalizedError for QuotaError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            QuotaError::OverCap { target, category: of, cap } => {
                format!("目标 {target} 超过{}类上限 {cap}", category_zh(*of))
            }
            QuotaError::Zero => "目标至少为 1".to_owned(),
            QuotaError::SoftTotal => "总配额为 hard 或 reserved；soft 用于配额格".to_owned(),
            QuotaError::NoReplicate => "子样本至少 1 人".to_owned(),
            QuotaError::TooMany(cells) => format!("配额格 {cells} 个，过多"),
            QuotaError::Cell { name, problem } => format!("配额格 {name}：{problem}"),
        })
    }
}

/// The label of a subject's field.
pub fn subject_field_zh(field: &str) -> &'static str {
    match field {
        "name" => "名称",
        "brand" => "品牌（一个）",
        "product" => "产品（一种）",
        "model" => "型号",
        "specification" => "规格",
        "place" => "地点（市、区、路）",
        "number" => "楼号",
        _ => "服务（具体一项，而非机构名）",
    }
}

impl LocalizedError for SubjectError {
    fn zh(&self) -> Option<String> {
        let named = |field: &str| subject_field_zh(field);
        Some(match self {
            SubjectError::Missing { field, .. } => format!("请填写：{}", named(field)),
            SubjectError::Broken { field, .. } => format!("请只填一个具体的对象：{}", named(field)),
            SubjectError::Unknown { field, category: of, .. } => {
                format!("{}类没有字段 {field}", category_zh(*of))
            }
        })
    }
}

impl LocalizedError for VersionConflict {
    fn zh(&self) -> Option<String> {
        Some(match self {
            VersionConflict::Changed { .. } => "他人已作更改，请查看后再改".into(),
            VersionConflict::Exists { .. } => "已经存在，请查看后再改".into(),
            VersionConflict::Missing => "已不存在，或尚未建立".into(),
        })
    }
}

impl LocalizedError for LibraryError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            LibraryError::Name => "名称为 1 到 60 字，不能含手机号码".to_owned(),
            LibraryError::NameTaken(_) => "文库中已有同名的同类内容，请换一个名称".to_owned(),
            LibraryError::Text => "文字为 1 到 1000 字".to_owned(),
            LibraryError::HasNumber => "文字中似有手机号码，请删去".to_owned(),
            LibraryError::Full => "文库已满（500 条），请先删除不用的".to_owned(),
            LibraryError::NotFound => "已不存在，请重新选择".to_owned(),
            LibraryError::Database(_) => return None,
        })
    }
}

impl LocalizedError for CampaignNoteError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            CampaignNoteError::Length => "留言为 1 到 1000 字".to_owned(),
            CampaignNoteError::HasNumber => {
                "留言中似有手机号码。请删去；需要指明某人时，请写个案编号".to_owned()
            }
            CampaignNoteError::TooMany => "该活动的留言已满 500 条".to_owned(),
            CampaignNoteError::NotFound => "没有这条留言，或不是您写的".to_owned(),
            CampaignNoteError::Database(_) => return None,
        })
    }
}

impl LocalizedError for LogoError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            LogoError::Svg => "SVG 可能含有脚本，不能使用；请把标志另存为 PNG 或 WebP".to_owned(),
            LogoError::NotAPicture => "不是完整的 PNG、JPEG 或 WebP 图片".to_owned(),
            LogoError::TooManyBytes(size) => {
                format!("图片有 {size} KB，最多 {} KB", MAX_LOGO_BYTES / 1024)
            }
            LogoError::TooManyPixels(width, height) => {
                format!("图片为 {width} × {height} 像素，每边最多 {MAX_LOGO_SIDE}")
            }
            LogoError::Moving => "不能使用动图；请另存其中一帧".to_owned(),
        })
    }
}

impl LocalizedError for RegistrationError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            RegistrationError::Version(conflict) => return conflict.zh(),
            RegistrationError::Programme(ProgrammeError::Value { key, .. }) => match *key {
                "code" => "项目代码：请用字母、数字、- 和 _，最多 40 个".to_owned(),
                "certificate_months" => "证书期限为 1 到 24 个月".to_owned(),
                "retention_months" => "保留期为 1 到 120 个月，留空则仅人工清除".to_owned(),
                "dataset_lead_days" => "评分所需天数过多，没有留给调查的时间".to_owned(),
                "organiser.name" => "主办方名称不能为空，每种语言最多 60 字".to_owned(),
                "organiser.thanks" => "感谢语不能为空，每种语言最多 600 字".to_owned(),
                "organiser.phone" => {
                    "主办方电话：请用数字、空格、+、- 和括号，最多 30 个字符".to_owned()
                }
                "organiser.email" => "主办方邮箱格式有误".to_owned(),
                key => format!("{key} 有误：{self}"),
            },
            RegistrationError::Programme(ProgrammeError::Colour(error)) => match error {
                ColourError::Form => "颜色请写成 #rrggbb，例如 #8a1c1c".to_owned(),
                ColourError::TooLight { given, nearest } => format!(
                    "颜色 {given} 过浅，白字看不清（对比度须达到 4.5）；最接近的可用颜色是 {nearest}"
                ),
            },
            RegistrationError::Logo(error) => return error.zh(),
            RegistrationError::LogoFile => {
                "规则中的 organiser.logo 只供命令行使用；请去掉，并在“准备”页上传标志".to_owned()
            }
            RegistrationError::ChangedNotice(version) => {
                format!("隐私告知 {version} 版已有另一文本，受访者可能已同意；请提高版本号")
            }
            RegistrationError::UnknownProgramme(code) => format!("没有代码为 {code} 的项目"),
            RegistrationError::NoApplicantName(code) => {
                format!("申报 {code}：请填写申报单位名称，受访者会看到")
            }
            RegistrationError::InvalidCode(code) => {
                format!("申报 {code}：申报和单位代码请用字母、数字、- 和 _，最多 40 个")
            }
            RegistrationError::Field { code, problem } => format!("申报 {code}：{problem}"),
            RegistrationError::Subject { code, error } => {
                return error.zh().map(|error| format!("申报 {code}：{error}"));
            }
            RegistrationError::Quota { code, error } => {
                return error.zh().map(|error| format!("申报 {code}：{error}"));
            }
            RegistrationError::ApplicantErased { code, day } => {
                format!("单位 {code} 的人员已于 {day} 清除，密钥已销毁；请用另一代码登记")
            }
            RegistrationError::OtherName { code, known, name } => format!(
                "申报单位代码 {code} 已登记为“{known}”，与“{name}”不同：若是另一单位，请另用代码（或留空自动\
                    生成）；若是同一单位改名，请勾选“单位已改名”"
            ),
            RegistrationError::NotOpen(code) => {
                format!("申报 {code} 已启动，或属于另一单位，不能再改")
            }
            RegistrationError::NoApplications
            | RegistrationError::Toml(_)
            | RegistrationError::Programme(_)
            | RegistrationError::Database(_)
            | RegistrationError::Keys(_)
            | RegistrationError::Seal(_) => {
                return None;
            }
        })
    }
}

impl LocalizedError for TableError {
    fn zh(&self) -> Option<String> {
        Some(self.labels().0)
    }
}

impl LocalizedError for ApplicationFormError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ApplicationFormError::Nothing => "没有收到文件".to_owned(),
            ApplicationFormError::Document { name, error } => {
                return error.zh().map(|error| match name.is_empty() {
                    true => error,
                    false => format!("{name}：{error}"),
                });
            }
            ApplicationFormError::NoForm(names) => {
                format!("在 {names} 中没有找到申请书、信息表或被访者信息登记表")
            }
            ApplicationFormError::UnknownProgramme(code) => format!("没有代码为 {code} 的项目"),
            ApplicationFormError::NoApplicant => "缺少申报单位名称，请补填".to_owned(),
            ApplicationFormError::Missing { category, subject, missing } => {
                let category = Category::parse(category).map_or("", Category::chinese);
                let missing: Vec<&str> =
                    missing.split(", ").map(crate::interfaces::errors::subject_field_zh).collect();
                let missing = missing.join("、");
                format!("{category}“{subject}”缺少{missing}；请补填，或选择不登记此项")
            }
            ApplicationFormError::NothingToRegister => {
                "各项均已选择不登记，没有可登记的内容".to_owned()
            }
            ApplicationFormError::Changed => "他人刚刚更改过这份材料，请再看一遍".to_owned(),
            ApplicationFormError::NotFound => "这份材料已不存在".to_owned(),
            ApplicationFormError::Registration(error) => return error.zh(),
            ApplicationFormError::List(error) => return error.zh(),
            ApplicationFormError::Database(_)
            | ApplicationFormError::Keys(_)
            | ApplicationFormError::Seal(_) => return None,
        })
    }
}

impl LocalizedError for ListImportError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ListImportError::Table { file, error } => {
                return error.zh().map(|error| format!("{file}：{error}"));
            }
            ListImportError::UnknownApplication(code) => format!("没有代码为 {code} 的申报"),
            ListImportError::DifferentApplicants(a, b) => {
                format!("申报 {a} 和 {b} 属于不同单位；名单属于一个单位，请分别上传")
            }
            ListImportError::NotOpen(code) => format!("申报 {code} 已启动或已结束，名单不能再改"),
            ListImportError::OverCap { application, names, category: of, cap, over, .. } => {
                format!(
                    "申报 {application} 将有 {names} 人，{}类最多 {cap} 人，未导入任何一行；请减少 {over} \
                        人，或勾选不列入的人，或随机抽取",
                    category_zh(*of)
                )
            }
            ListImportError::Options(error) => return error.zh(),
            ListImportError::NothingTaken { rejected, .. } => {
                format!("没有一行可以导入（{rejected} 行有误），请更正后再导入")
            }
            ListImportError::AfterCutOff { application, cut_off } => {
                format!("申报 {application}：项目只收 {cut_off} 及以前的名单，请登记到下一年度")
            }
            ListImportError::NoField { words, .. } => {
                format!("没有表头为 {words} 的列，而申报保留此字段；请补上该列")
            }
            ListImportError::Stopped(_)
            | ListImportError::Database(_)
            | ListImportError::Keys(_)
            | ListImportError::Seal(_) => return None,
        })
    }
}

impl LocalizedError for ListDraftError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ListDraftError::Import(error) => return error.zh(),
            ListDraftError::TooManyRows => {
                "名单超过 5000 行，网页上过多；请联系管理员用命令导入".to_owned()
            }
            ListDraftError::CellTooLarge { row, length } => {
                format!("第 {row} 行有 {length} 字的单元格，或列数过多；是否选错文件？")
            }
            ListDraftError::Changed => "他人刚刚更正过此名单，请再看一遍".to_owned(),
            ListDraftError::NotFound => "此名单已不存在".to_owned(),
            _ => return None,
        })
    }
}

impl LocalizedError for EditorError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            EditorError::NotFound => "此类别没有正在编写的问卷".to_owned(),
            EditorError::Exists => "此类别已有正在编写的问卷，请继续编写或先放弃".to_owned(),
            EditorError::Changed => "他人刚刚改过此问卷，请再看一遍后修改".to_owned(),
            EditorError::Mistakes => "问卷还有错误，更正后才能发布".to_owned(),
            EditorError::Unchanged(version) => format!("与第 {version} 版内容相同，无需发布"),
            EditorError::TooLarge => format!("问卷最多 {} kB", MAX_SOURCE / 1024),
            EditorError::NoFile => "没有选择文件，请选择文件，或改从其他版本开始".to_owned(),
            EditorError::NoVersion => "没有此版本".to_owned(),
            EditorError::Edit(error) => match error {
                EditError::NotFound => "此题或此页已不存在，请重新打开页面".to_owned(),
                EditError::TooMany => "一份问卷最多 100 页、400 题".to_owned(),
                EditError::Name => "代码只用字母、数字和“_”，且不能与其他题目重复".to_owned(),
                EditError::LastLanguage => "问卷至少要有一种语言".to_owned(),
                EditError::Language => "语言代码无法识别，请用标准代码，如 pt、zh-Hant".to_owned(),
            },
            EditorError::File(QuestionnaireError::Toml(error)) => {
                format!("文件不是有效的问卷（TOML）：{error}")
            }
            EditorError::File(QuestionnaireError::Wrong(mistakes)) => {
                let lines: Vec<String> = mistakes
                    .0
                    .iter()
                    .map(|mistake| format!("{}：{}", mistake.place, mistake.what.zh()))
                    .collect();
                lines.join("；")
            }
            EditorError::Form(XlsFormError::Workbook(error)) => {
                format!("XLSForm 未能导入：{}", error.labels().0)
            }
            EditorError::Form(XlsFormError::NoSheet(sheet)) => {
                format!(
                    "XLSForm 未能导入：缺少工作表“{sheet}”，XLSForm 应有 survey 和 choices 两张表"
                )
            }
            EditorError::Form(XlsFormError::Row(refusals)) => {
                let findings = refusals.0.iter().map(|f| finding_text(f, ConsoleLanguage::Zh));
                format!("XLSForm 未能导入：{}", findings.collect::<Vec<_>>().join(""))
            }
            EditorError::Form(XlsFormError::Questionnaire(error)) => {
                let mistakes = match error {
                    QuestionnaireError::Wrong(mistakes) => &mistakes.0[..],
                    QuestionnaireError::Toml(_) => &[],
                };
                let said: Vec<String> = mistakes
                    .iter()
                    .map(|mistake| format!("{}：{}", mistake.place, mistake.what.zh()))
                    .collect();
                let said = if said.is_empty() { error.to_string() } else { said.join("；") };
                format!("XLSForm 已读取，但问卷有误：{said}")
            }
            EditorError::Form(error) => format!("XLSForm 未能导入：{error}"),
            EditorError::Source(error) => format!("问卷文件有误：{error}"),
            EditorError::Database(_) => return None,
        })
    }
}

impl LocalizedError for CampaignDraftError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            CampaignDraftError::Version(conflict) => return conflict.zh(),
            CampaignDraftError::Launch(error) => return error.zh(),
            CampaignDraftError::NotFound => "此草稿已不存在".to_owned(),
            CampaignDraftError::Changed => "草稿刚被修改，请再看一遍".to_owned(),
            CampaignDraftError::NeedsSecondPerson => "申请人不能自己批准，请另一人启动".to_owned(),
            CampaignDraftError::LaunchNotRequested => "请先申请启动".to_owned(),
            CampaignDraftError::TestSuppressed => {
                "该号码在免打扰名单中，测试短信同样不能发送".to_owned()
            }
            CampaignDraftError::TestOutsideHours(next) => {
                format!("测试短信也只在联系时段内发送，下一时段始于 {next}")
            }
            CampaignDraftError::TooManyTests => {
                "测试短信过多：每人每小时最多 20 条，同一号码最多 5 条".to_owned()
            }
            CampaignDraftError::Number(error) => return error.zh(),
            CampaignDraftError::NoMessage => "计划中没有这条短信".to_owned(),
            CampaignDraftError::Forecast(_) | CampaignDraftError::Database(_) => return None,
        })
    }
}

impl LocalizedError for PhoneError {
    fn zh(&self) -> Option<String> {
        Some(
            match self {
                PhoneError::Empty => "没有电话号码，请填写",
                PhoneError::DigitsLost => {
                    "表格软件截去了末尾数字（如 1.38E+10）；请将该列设为文本后重新填写"
                }
                PhoneError::NotANumber => "不是电话号码；固定电话请加区号，境外号码请加 + 国家代码",
                PhoneError::Invalid => "号段不存在；请向申报单位核实",
            }
            .to_owned(),
        )
    }
}

impl LocalizedError for RowReason {
    fn zh(&self) -> Option<String> {
        Some(match self {
            RowReason::Phone(error) => return error.zh(),
            RowReason::FixedLine => {
                "固定电话：可电话访问，不能收短信；请向申报单位索要手机号".to_owned()
            }
            RowReason::SameAsRow(row) => {
                format!("与第 {row} 行号码相同，视为同一人；如确为两人，请更正号码")
            }
            RowReason::SameAsEarlierRow => {
                "与前面某行号码相同，视为同一人；如确为两人，请更正号码".to_owned()
            }
            RowReason::KnownToApplicant => {
                "已在该单位较早的名单中：仍为一人，各申报共一次邀请".to_owned()
            }
            RowReason::KnownToApplication => "已在本申报较早的名单中，无需处理".to_owned(),
            RowReason::Suppressed => "在免打扰名单中：保留在名单上，不联系".to_owned(),
            RowReason::LeftOut => "由人工选定不列入名单".to_owned(),
            RowReason::NotDrawn(seed) => format!("随机抽取时未抽中（种子 {seed}）"),
            RowReason::NoPerson => "不是人员：合计、签名、表头或空行，无需处理".to_owned(),
            RowReason::List(note) => note.chinese(),
            RowReason::PartNotRead => "单元格中有部分数字不是电话号码，未读取，请核对".to_owned(),
            RowReason::SeveralPeople { names, numbers } => {
                format!("一行中有 {names} 个姓名、{numbers} 个号码，无法对应；请每人单独填一行")
            }
            RowReason::NumberAmongWords => "号码取自其他文字之中，请确认是本人的号码".to_owned(),
            RowReason::OtherNumbers(count) => {
                format!("此人另有 {count} 个号码：短信用第一个手机号，其余留作电话备用，无需处理")
            }
            RowReason::Rounded => {
                "与名单上其他几个号码以相同的零结尾，应是表格程序舍去了末位；请将该列设为文本后重新提供".to_owned()
            }
        })
    }
}

impl LocalizedError for ApplicantPageError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ApplicantPageError::NotConfigured => {
                "未配置发送验证码的短信网关（applicant_pages.gateway、signature）".to_owned()
            }
            ApplicantPageError::Number(error) => {
                format!("手机号：{}", error.zh().unwrap_or_default())
            }
            ApplicantPageError::NoMobile => "验证码以短信发送，请填写手机号".to_owned(),
            ApplicantPageError::Days => "有效天数为 1 至 180".to_owned(),
            ApplicantPageError::UnknownApplication(code) => format!("没有代码为 {code} 的申报"),
            ApplicantPageError::UnknownLink => "链接无效或已过期".to_owned(),
            ApplicantPageError::CodeTooSoon => "一分钟内已发送过验证码，请稍候".to_owned(),
            ApplicantPageError::TooManyCodes => {
                "今天发送的验证码已达上限，请联系工作人员".to_owned()
            }
            ApplicantPageError::CodeNotSent(_) => {
                "验证码未能发出，请稍后再试或联系工作人员".to_owned()
            }
            ApplicantPageError::WrongCode => {
                "验证码不正确或已失效；多次输错后请重新获取".to_owned()
            }
            ApplicantPageError::HandedIn => "名单已提交，审核期间不能更改".to_owned(),
            ApplicantPageError::NotDeclared => "请勾选声明并填写声明人姓名".to_owned(),
            ApplicantPageError::NoWord => "请说明需要更正的内容".to_owned(),
            ApplicantPageError::List(error) => return error.zh(),
            ApplicantPageError::Form(error) => return error.zh(),
            ApplicantPageError::Database(_)
            | ApplicantPageError::Keys(_)
            | ApplicantPageError::Seal(_) => return None,
        })
    }
}

impl LocalizedError for ListOptionError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ListOptionError::Encoding(given) => {
                format!("不认识编码“{given}”，可用 utf-8、gb18030、gbk、big5、utf-16le")
            }
            ListOptionError::Column { given, known } => {
                format!("“{given}”未指明任何列；请写成 mobile=3 或 mobile=C；可用列名：{known}")
            }
            ListOptionError::Rows(given) => {
                format!("“{given}”不是行号；请写成 3,8,10-20")
            }
            ListOptionError::RowsOfSeveralLists => {
                "文件中有几份名单，行号会重复；请指明是哪一份（--sheet），或随机抽取（--draw）"
                    .to_owned()
            }
            ListOptionError::HeaderRow => "表头行号从 1 起，以表格程序所示为准".to_owned(),
        })
    }
}

impl LocalizedError for SuppressionError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            SuppressionError::Table(error) => return error.zh(),
            SuppressionError::Row { row, .. } => format!("第 {row} 行不是电话号码"),
            SuppressionError::UnknownProgramme(code) => format!("没有代码为 {code} 的项目"),
            SuppressionError::NoNumbers => "没有填写号码".to_owned(),
            SuppressionError::Database(_) => return None,
        })
    }
}

impl LocalizedError for PaperFormError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            PaperFormError::UnknownCampaign(code) => format!("没有代码为 {code} 的活动"),
            PaperFormError::NotRunning(code) => {
                format!("活动 {code} 不在进行中；进行中才能打印问卷")
            }
            PaperFormError::UnknownRun(run) => format!("该活动没有打印批次 {run}"),
            PaperFormError::NumberLength => "问卷编号为十位数字，请再看一遍".to_owned(),
            PaperFormError::CheckDigit => {
                "编号有误：有一位录错，或相邻两位颠倒，请再看一遍".to_owned()
            }
            PaperFormError::UnknownNumber => "没有此编号的问卷".to_owned(),
            PaperFormError::AlreadyKeyed(name) => format!("该问卷已由 {name} 录入"),
            PaperFormError::AlreadyRecorded((zh, _)) => format!("该问卷已登记：{zh}"),
            PaperFormError::OwnKeying => "该问卷由您录入，须由另一人复录".to_owned(),
            PaperFormError::CaseClosed(disposition) => {
                format!("该问卷的个案不再接受回答：{}", disposition.labels().0)
            }
            PaperFormError::AnsweredBefore => {
                "此人先前已用其他方式作答，请看该问卷的页面".to_owned()
            }
            PaperFormError::PlacesReserved => "配额余下的名额正由其他人填写，请稍后再录".to_owned(),
            PaperFormError::NoRoom => "更改后的回答所属的配额已满，未作更改".to_owned(),
            PaperFormError::Empty => "没有任何回答；空白问卷请登记为空白退回".to_owned(),
            PaperFormError::Insufficient => "余下的回答过少，未作更改".to_owned(),
            PaperFormError::Reason => "请填写原因，最多 500 字，不写受访者的姓名和号码".to_owned(),
            PaperFormError::NothingToSettle => "该问卷没有待裁定的内容".to_owned(),
            PaperFormError::FilledOn => "填写日期须为不晚于今天的八位日期，如 20260513".to_owned(),
            PaperFormError::Plan { .. }
            | PaperFormError::Page(_)
            | PaperFormError::Random(_)
            | PaperFormError::Interview(_)
            | PaperFormError::Database(_)
            | PaperFormError::Keys(_)
            | PaperFormError::Seal(_) => return None,
        })
    }
}

impl LocalizedError for ChangeError {
    fn zh(&self) -> Option<String> {
        Some(match self {
            ChangeError::UnknownApplication(code) => format!("没有代码为 {code} 的申报"),
            ChangeError::Closed(_) => "申报已结束，期限不再变动".to_owned(),
            ChangeError::AlreadyOnHold(_) => "已在暂停中".to_owned(),
            ChangeError::NotOnHold(_) => "未暂停".to_owned(),
            ChangeError::FeeAlreadyCounted { settled, .. } => {
                format!("申报已启动，其费用到账日 {settled} 已计入期限")
            }
            ChangeError::NoReason => "请写明原因，它会留在记录中".to_owned(),
            ChangeError::Days(_) => "延长 1 至 366 天".to_owned(),
            ChangeError::Database(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_the_reader_s_language() {
        let error = LaunchError::NoList("A1".into());
        assert_eq!(error.localized(ConsoleLanguage::Zh), "申报 A1 没有名单，请先上传");
        assert_eq!(error.localized(ConsoleLanguage::En), "application A1 has no list");
        assert_eq!(
            LaunchError::SharesPeople("B1".into()).localized(ConsoleLanguage::En),
            LaunchError::SharesPeople("B1".into()).to_string()
        );
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_in_chinese_to_its_end() {
        let error = LaunchError::Plan(ContactPlanError::Text {
            step: 2,
            name: "提醒".into(),
            language: Language::ZH,
            error: TemplateError::NoOptOut,
        });
        assert_eq!(
            error.localized(ConsoleLanguage::Zh),
            "联系计划：第 2 步（提醒），中文文本：没有退订说明，请加上“拒收请回复R”"
        );
        let error = ContactPlanError::Hours {
            day: "monday".into(),
            error: ContactHoursError::BadInterval("9-12".into()),
        };
        assert_eq!(
            error.localized(ConsoleLanguage::Zh),
            "周一 的联系时段：“9-12”不是时段，请写作 09:00-12:00，止在起之后"
        );
    }
}
