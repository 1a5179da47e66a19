//! The words that head the columns of a list: which column each names, how surely, and whether it is
//! about the person on the list or about somebody else (a salesman, a relative, whoever filled it in).

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use super::headers::ListColumn;

/// The header words of each column, normalised as in [`normalize_header`]. The configuration can
/// add to them.
const SYNONYMS: [(ListColumn, &str, &[&str]); 12] = [
    (
        ListColumn::Name,
        "name",
        &[
            "姓名",
            "名字",
            "被访者",
            "被访者姓名",
            "联系人",
            "联系人姓名",
            "用户姓名",
            "客户姓名",
            "业主姓名",
            "受访者",
            "受访者姓名",
            "被调查者",
            "被调查人",
            "被访人",
            "联络人",
            "联络人姓名",
            "称呼姓名",
            "患者姓名",
            "name",
            "fullname",
            "contact",
            "respondent",
        ],
    ),
    (
        ListColumn::Salutation,
        "salutation",
        &["称呼", "称谓", "尊称", "性别", "salutation", "gender", "sex"],
    ),
    (
        ListColumn::Organisation,
        "organisation",
        &[
            "单位",
            "单位住址",
            "客户名称",
            "用户名称",
            "顾客名称",
            "门店",
            "门店名称",
            "单位名称",
            "工作单位",
            "公司",
            "公司名称",
            "企业",
            "企业名称",
            "名称",
            "全称",
            "客户全称",
            "单位全称",
            "商户",
            "商户名称",
            "机构",
            "organisation",
            "organization",
            "company",
            "employer",
        ],
    ),
    (
        ListColumn::JobTitle,
        "job_title",
        &["职务", "职位", "岗位", "职称", "title", "jobtitle", "position"],
    ),
    (
        ListColumn::Mobile,
        "mobile",
        &[
            "手机",
            "手机号",
            "手机号码",
            "移动电话",
            "手机电话",
            "联系手机",
            "行动电话",
            "行动电话号码",
            "手提电话",
            "流动电话",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "mobileno",
            "cellphonenumber",
            "cellnumber",
            "cell",
            "cellphone",
        ],
    ),
    (
        ListColumn::Phone,
        "phone",
        &[
            "电话",
            "联系电话",
            "固定电话",
            "固话",
            "座机",
            "办公电话",
            "电话号码",
            "联系方式",
            "联络电话",
            "联络方式",
            "备用电话",
            "其他电话",
            "号码",
            "联系号码",
            "电话号",
            "联系方法",
            "phone",
            "telephone",
            "phonenumber",
            "phoneno",
            "telephonenumber",
            "contactnumber",
            "contactno",
            "contactphone",
            "tel",
            "landline",
        ],
    ),
    (
        ListColumn::Email,
        "email",
        &["邮箱", "电子邮箱", "电子邮件", "email", "mail", "emailaddress"],
    ),
    (
        ListColumn::Address,
        "address",
        &[
            "地址",
            "通讯地址",
            "通信地址",
            "邮寄地址",
            "联系地址",
            "收件地址",
            "address",
            "mailingaddress",
            "postaladdress",
        ],
    ),
    (
        ListColumn::Segment,
        "segment",
        &[
            "类别",
            "用户类型",
            "用户类别",
            "客户类型",
            "业主类型",
            "业主类别",
            "类型",
            "segment",
            "category",
            "usertype",
            "type",
        ],
    ),
    (
        ListColumn::Remark,
        "remark",
        &["备注", "说明", "备注说明", "remark", "remarks", "note", "notes", "comment"],
    ),
    (ListColumn::Language, "language", &["语言", "语种", "language", "lang"]),
    (ListColumn::Unused, "unused", &[]),
];

/// Known headers of columns that are not needed; they help to recognise the header row.
const IGNORED_HEADERS: [&str; 44] = [
    "原行号",
    "请更正",
    "序号",
    "编号",
    "no",
    "id",
    "住址",
    "购买日期",
    "使用时间",
    "传真",
    "邮编",
    "部门",
    "年龄",
    "省份",
    "城市",
    "省",
    "市",
    "区",
    "区县",
    "地区",
    "区域",
    "小区",
    "楼栋",
    "楼号",
    "单元",
    "房号",
    "房间号",
    "门牌号",
    "户号",
    "微信",
    "微信号",
    "qq",
    "身份证",
    "身份证号",
    "身份证号码",
    "车牌号",
    "会员号",
    "卡号",
    "合同号",
    "订单号",
    "产品",
    "产品名称",
    "型号",
    "日期",
];

/// How surely a header names its column; a surer one outranks others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A word that often means the person («客户») or a number to fall back on («备用手机»).
    Weak,
    /// It contains the word, among others that are not known («常用手机»).
    Contained,
    /// It is the word.
    Exact,
}

/// Whose column it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Person,
    /// The person's where there is no other number.
    Perhaps,
    /// Somebody else's: never the person's.
    Other,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub column: ListColumn,
    pub rank: Rank,
    pub whose: Whose,
}

/// Words that tell that a name, a number or an address is not the person's, as they stand in lists of
/// shops, hospitals, schools and housing companies.
const OTHERS: [&str; 82] = [
    "业务员",
    "业务人员",
    "业务经理",
    "业务代表",
    "业务主管",
    "销售",
    "推销",
    "导购",
    "营业员",
    "店员",
    "收银",
    "客服",
    "客户经理",
    "客户代表",
    "大客户经理",
    "售后",
    "售前",
    "顾问",
    "跟进",
    "接待",
    "跟单",
    "管家",
    "物业人员",
    "楼管",
    "网格员",
    "家属",
    "家人",
    "亲属",
    "亲友",
    "亲戚",
    "配偶",
    "丈夫",
    "妻子",
    "爱人",
    "父亲",
    "母亲",
    "父母",
    "子女",
    "儿子",
    "女儿",
    "同住人",
    "紧急",
    "应急",
    "经办",
    "承办",
    "填表",
    "填报",
    "填写人",
    "制表",
    "制单",
    "开单",
    "报送",
    "上报人",
    "登记人",
    "录入",
    "审核",
    "复核",
    "统计人",
    "推荐人",
    "介绍人",
    "引荐",
    "担保人",
    "保证人",
    "见证人",
    "受托人",
    "寄件人",
    "发件人",
    "发货人",
    "送货",
    "配送",
    "快递",
    "安装工",
    "安装人",
    "安装员",
    "维修人",
    "维修员",
    "维修工",
    "服务人员",
    "服务员",
    "访问员",
    "调查员",
    "督导",
];

/// The same in English, without spaces.
const OTHERS_ENGLISH: [&str; 16] = [
    "emergency",
    "nextofkin",
    "sales",
    "accountmanager",
    "customerservice",
    "relative",
    "spouse",
    "referrer",
    "referee",
    "agent",
    "handler",
    "interviewer",
    "guarantor",
    "driver",
    "technician",
    "courier",
];

/// What sounds like somebody else and is not: a dealer is a customer.
const NOT_OTHERS: [&str; 6] = ["销售商", "销售点", "销售单位", "被推荐", "被介绍", "被担保"];

/// Words of those who are the person on the list of one applicant and not on that of another: parents
/// of a school, doctors of a maker of devices.
const PERHAPS_OTHERS: [&str; 14] = [
    "家长",
    "监护人",
    "店长",
    "医生",
    "护士",
    "司机",
    "师傅",
    "技师",
    "工程师",
    "技术员",
    "代办",
    "代理人",
    "guardian",
    "parent",
];

/// Words before another that say that it is the person's own.
const OWN: [&str; 42] = [
    "被访者",
    "受访者",
    "被访人",
    "受访人",
    "被调查者",
    "被调查人",
    "调查对象",
    "客户",
    "顾客",
    "用户",
    "业主",
    "户主",
    "车主",
    "机主",
    "房主",
    "患者",
    "病人",
    "会员",
    "学员",
    "学生",
    "住户",
    "租户",
    "居民",
    "村民",
    "本人",
    "个人",
    "联系人",
    "联络人",
    "收件人",
    "收货人",
    "购买人",
    "购买者",
    "买家",
    "消费者",
    "使用人",
    "申请人",
    "参保人",
    "投保人",
    "被保险人",
    "持卡人",
    "customer",
    "respondent",
];

/// Words that mean the person where no header says so better.
const WEAK_NAMES: [&str; 36] = [
    "客户",
    "顾客",
    "用户",
    "业主",
    "户主",
    "车主",
    "机主",
    "房主",
    "患者",
    "病人",
    "会员",
    "学员",
    "学生",
    "住户",
    "租户",
    "居民",
    "村民",
    "购买人",
    "购买者",
    "买家",
    "消费者",
    "使用人",
    "申请人",
    "参保人",
    "投保人",
    "被保险人",
    "持卡人",
    "收件人",
    "收货人",
    "负责人",
    "法人",
    "法定代表人",
    "人员",
    "customer",
    "client",
    "user",
];

/// Those among them that mean an organisation beside a person's name.
const CLIENTS: [&str; 5] = ["客户", "顾客", "用户", "customer", "client"];

/// Words within a header that say what it is, the most telling first.
const CONTAINED: [(&str, ListColumn); 12] = [
    ("手机", ListColumn::Mobile),
    ("移动电话", ListColumn::Mobile),
    ("行动电话", ListColumn::Mobile),
    ("mobile", ListColumn::Mobile),
    ("cellphone", ListColumn::Mobile),
    ("电话", ListColumn::Phone),
    ("联系方式", ListColumn::Phone),
    ("联络方式", ListColumn::Phone),
    ("phone", ListColumn::Phone),
    ("姓名", ListColumn::Name),
    ("邮箱", ListColumn::Email),
    ("email", ListColumn::Email),
];

/// What follows such a word where the column holds something else: a model, a date, a result.
const NOT_CONTAINED: [&str; 37] = [
    "型号",
    "品牌",
    "串号",
    "区号",
    "归属",
    "回访",
    "时间",
    "日期",
    "结果",
    "状态",
    "运营",
    "颜色",
    "价格",
    "尾号",
    "后四位",
    "费",
    "系统",
    "密码",
    "数量",
    "是否",
    "验证",
    "备注",
    "类型",
    "名单",
    "登记表",
    "汇总",
    "明细",
    "清单",
    "统计",
    "拼音",
    "信息表",
    "model",
    "consent",
    "status",
    "optin",
    "optout",
    "subscri",
];

/// Words of a number to fall back on.
const SPARE: [&str; 8] = ["备用", "其他", "其它", "另", "第二", "次要", "spare", "alternative"];

/// The most characters of a header.
const MAX_CHARS: usize = 20;

impl ListColumn {
    /// Parses the name that the command line and the API use.
    pub fn parse(name: &str) -> Option<ListColumn> {
        SYNONYMS.iter().find(|(_, key, _)| *key == name).map(|(column, ..)| *column)
    }

    pub fn name(self) -> &'static str {
        SYNONYMS.iter().find(|(column, ..)| *column == self).map_or("", |(_, key, _)| key)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        SYNONYMS.iter().map(|(_, key, _)| *key)
    }

    /// The column's usual word.
    pub(super) fn usual_word(self) -> Option<&'static str> {
        let known = SYNONYMS.iter().find(|(column, ..)| *column == self);
        known.and_then(|(.., words)| words.first().copied())
    }
}

/// Whether the word heads a column that is known and not needed.
pub(super) fn is_ignored(header: &str) -> bool {
    IGNORED_HEADERS.contains(&normalize_header(header).as_str())
}

/// Whether the word heads a column that is known, needed or not.
pub(super) fn is_word(header: &str, extra_synonyms: &BTreeMap<String, Vec<String>>) -> bool {
    meaning_of(header, extra_synonyms).is_some() || is_ignored(header) || is_somebody_else(header)
}

/// Whether a header is about somebody else, whatever it names.
fn is_somebody_else(header: &str) -> bool {
    let header = normalize_header(header);
    header.chars().count() <= MAX_CHARS && whose(&header) == Whose::Other
}

/// Recognises the column that a header names for the person on the list.
pub(super) fn recognize_column(
    header: &str,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> Option<ListColumn> {
    meaning_of(header, extra_synonyms)
        .filter(|meaning| meaning.whose != Whose::Other)
        .map(|meaning| meaning.column)
}

/// Recognises the column that a header names: by its words, also after a word for the person («业主
/// 电话») and without a number at its end («电话2»), or by the word that it contains («常用手机»).
pub(super) fn meaning_of(
    header: &str,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> Option<Meaning> {
    let (bare, bracketed) = parts_of(header);
    let length = bare.chars().count();
    if length == 0 || length > MAX_CHARS || bare.chars().filter(char::is_ascii_digit).count() > 3 {
        return None;
    }
    let by_words = |header: &str| {
        SYNONYMS
            .iter()
            .find(|(_, key, words)| {
                words.contains(&header)
                    || extra_synonyms.get(*key).is_some_and(|extra_synonyms| {
                        extra_synonyms.iter().any(|word| normalize_header(word) == header)
                    })
            })
            .map(|(column, ..)| *column)
    };
    let without_number = without_number(&bare);
    let own = || {
        let rest = without_own(without_number)?;
        by_words(rest).filter(|column| {
            // «客户类型» is a word of its own; «业主单位» is somebody's.
            column.is_number()
                || matches!(column, ListColumn::Name | ListColumn::Email | ListColumn::Address)
        })
    };
    let of_brackets = |column: ListColumn| {
        let is_mobile = column == ListColumn::Phone
            && (bracketed.contains("手机") || bracketed.contains("mobile"))
            && !["座机", "固", "或", "及", "必"].iter().any(|word| bracketed.contains(word));
        if is_mobile { ListColumn::Mobile } else { column }
    };
    let whose_is_it = match whose(&bare) {
        Whose::Person if bracketed.chars().count() <= 6 => whose(&bracketed),
        whose => whose,
    };
    if let Some(column) = by_words(&bare).or_else(|| by_words(without_number)) {
        // A word of a list, such as «备用电话», is no one else's by itself.
        let is_spare = column.is_number() && SPARE.iter().any(|word| bare.contains(word));
        let rank = if is_spare { Rank::Weak } else { Rank::Exact };
        let whose = if bracketed.is_empty() { Whose::Person } else { whose_is_it };
        return Some(Meaning { column: of_brackets(column), rank, whose });
    }
    let found = |column: ListColumn, rank| {
        Some(Meaning { column: of_brackets(column), rank, whose: whose_is_it })
    };
    if let (Whose::Person, Some(column)) = (whose_is_it, own()) {
        return found(column, Rank::Exact);
    }
    if let (Whose::Person, true) = (whose_is_it, WEAK_NAMES.contains(&without_number)) {
        return found(ListColumn::Name, Rank::Weak);
    }
    let (place, word, column) = CONTAINED
        .iter()
        .find_map(|(word, column)| bare.find(word).map(|place| (place, *word, *column)))?;
    let rest = &bare[place + word.len()..];
    if NOT_CONTAINED.iter().any(|word| rest.contains(word)) {
        return None;
    }
    let is_spare = column.is_number() && SPARE.iter().any(|word| bare.contains(word));
    found(column, if is_spare { Rank::Weak } else { Rank::Contained })
}

/// Whose a column is, by its normalised header.
fn whose(header: &str) -> Whose {
    let contains = |words: &[&str]| words.iter().any(|word| header.contains(word));
    let is_second = header.contains("联系人") || header.contains("联络人");
    if contains(&NOT_OTHERS) {
        return Whose::Person;
    }
    if contains(&OTHERS) || contains(&OTHERS_ENGLISH) || (is_second && contains(&SPARE)) {
        return Whose::Other;
    }
    if contains(&PERHAPS_OTHERS) { Whose::Perhaps } else { Whose::Person }
}

/// Whether the word means an organisation where a person's name stands beside it.
pub(super) fn is_client(header: &str) -> bool {
    CLIENTS.contains(&normalize_header(header).as_str())
}

/// The region that a header names: «香港手机», «电话（澳门）».
pub(super) fn region_of(text: &str) -> Option<phonenumber::country::Id> {
    use phonenumber::country;
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    let is_word =
        |word: &str| folded.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == word);
    let named = [
        (country::HK, ["香港", "hongkong"], ["hk", "hksar"]),
        (country::MO, ["澳门", "澳門"], ["macau", "macao"]),
        (country::TW, ["台湾", "台灣"], ["taiwan", "tw"]),
    ];
    let mut found = named.into_iter().filter(|(_, words, english)| {
        words.iter().any(|word| folded.contains(word)) || english.iter().any(|word| is_word(word))
    });
    // Of two regions, none.
    found.next().map(|(region, ..)| region).filter(|_| found.next().is_none())
}

/// A header without the number at its end or its beginning: «电话2», «1、姓名».
pub(super) fn without_number(header: &str) -> &str {
    let is_count = |c: char| c.is_ascii_digit() || "一二三四五".contains(c);
    let bare = header.trim_end_matches(is_count);
    let bare = if bare.is_empty() { header } else { bare };
    let rest = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.is_empty() { bare } else { rest }
}

/// A header without the words before it that say that it is the person's own.
fn without_own(header: &str) -> Option<&str> {
    let rest = OWN.iter().find_map(|word| header.strip_prefix(word))?;
    let rest = rest.strip_prefix('的').unwrap_or(rest);
    without_own(rest).or(Some(rest))
}

/// Whose name or number a normalised header is of, by the words before «姓名» and «电话»: «租户电话» and
/// «租户姓名» are of one person.
pub(super) fn owner_of(header: &str) -> &str {
    const CUT: [&str; 6] = ["手机", "移动电话", "联系电话", "电话", "联系方式", "姓名"];
    let cut = CUT.iter().filter_map(|word| header.find(word)).min();
    &header[..cut.unwrap_or(header.len())]
}

/// Traditional signs of header words with the simplified ones.
const SIMPLIFIED: &str = "機机號号碼码電电話话聯联絡络繫系單单稱称職职務务備备註注類类別别業业戶户語语種种郵邮說说傳传動动線线辦办訪访錄录費费間间產产區区縣县國国員员營营門门與与處处發发時时歲岁齡龄購购買买級级項项顧顾經经責责師师層层樓楼醫医學学銷销緊紧應应屬属薦荐親亲監监護护導导維维裝装審审報报寫写愛爱";

/// Normalises a header: removes width, case, spaces, punctuation and bracketed text, so that
/// `手機號碼（必填）` becomes `手机号码`.
pub(super) fn normalize_header(header: &str) -> String {
    parts_of(header).0
}

/// A normalised header, and what stands in its brackets.
fn parts_of(header: &str) -> (String, String) {
    let (mut bare, mut bracketed, mut depth) = (String::new(), String::new(), 0u32);
    for c in header.nfkc().flat_map(char::to_lowercase) {
        match c {
            '(' | '[' | '【' | '〔' | '{' | '<' => depth += 1,
            ')' | ']' | '】' | '〕' | '}' | '>' => depth = depth.saturating_sub(1),
            c if !c.is_alphanumeric() => {}
            c if depth == 0 => bare.push(simplified(c)),
            c => bracketed.push(simplified(c)),
        }
    }
    (bare, bracketed)
}

fn simplified(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let mut pairs = SIMPLIFIED.chars();
    while let (Some(traditional), Some(simple)) = (pairs.next(), pairs.next()) {
        if traditional == c {
            return simple;
        }
    }
    c
}
