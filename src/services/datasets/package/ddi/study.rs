//! The study: who, when, whom, how, and how well.

use super::super::wording::{self, Wording};
use super::super::{FormatContext, report};
use super::words;
use super::xml::Xml;
use crate::domain::language::LocalizedText;
use crate::domain::mode::Mode;
use crate::services::datasets::metadata::DatasetMetadata;

/// The model behind the latent variables.
pub const MODEL: &str = "GB/T 19038-2009";

pub fn describe(xml: &mut Xml, format_context: FormatContext<'_>, wording: &Wording<'_>) {
    let FormatContext { metadata, questionnaire, .. } = format_context;
    let survey = wording.text(&questionnaire.title);
    let title = survey.map(|language, survey| {
        let mark = if language.is_chinese() { "：" } else { ": " };
        format!("{}{mark}{survey}", metadata.subject)
    });
    let frozen_on = metadata.frozen_at.get(..10).unwrap_or_default();
    let date = [("date", frozen_on)];
    xml.element("docDscr", &[], |xml| {
        xml.element("citation", &[], |xml| {
            xml.element("titlStmt", &[], |xml| {
                let title = title.map(|language, title| match language.is_chinese() {
                    true => format!("编码本：{title}"),
                    false => format!("Codebook: {title}"),
                });
                titles(xml, &title);
            });
            xml.element("prodStmt", &[], |xml| {
                xml.leaf("prodDate", &date, frozen_on);
                xml.leaf("software", &[], "fieldworkd");
            });
        });
    });
    xml.element("stdyDscr", &[], |xml| {
        xml.element("citation", &[], |xml| {
            xml.element("titlStmt", &[], |xml| {
                titles(xml, &title);
                xml.leaf("IDNo", &[("agency", "fieldworkd")], &metadata.application);
            });
            xml.element("prodStmt", &[], |xml| {
                xml.leaf("producer", &[("role", "applicant")], &metadata.applicant);
                xml.leaf("prodDate", &date, frozen_on);
                xml.leaf("software", &[], "fieldworkd");
            });
            xml.element("serStmt", &[], |xml| {
                let name =
                    |tag: &str| metadata.programme_name.get(tag).cloned().unwrap_or_default();
                let abbr = [("abbr", metadata.programme.as_str())];
                xml.both("serName", &abbr, &words(name("zh"), name("en")));
            });
            xml.element("verStmt", &[], |xml| {
                let version = format!("{} {}", metadata.kind, metadata.version);
                xml.leaf("version", &date, &version);
                xml.leaf("notes", &[("type", "reason")], &metadata.reason);
            });
        });
        describe_scope(xml, metadata, &survey);
        describe_method(xml, metadata);
        xml.element("dataAccs", &[], |xml| {
            xml.element("useStmt", &[], |xml| {
                xml.leaf("conditions", &[], &conditions(metadata));
            });
        });
    });
}

/// Writes the title in the first language, and the parallel titles in the others.
fn titles(xml: &mut Xml, title: &LocalizedText) {
    for (number, (language, text)) in title.iter().enumerate() {
        match number {
            0 => xml.leaf("titl", &[], text),
            _ => xml.leaf("parTitl", &[("xml:lang", language.tag())], text),
        }
    }
}

fn describe_scope(xml: &mut Xml, metadata: &DatasetMetadata, survey: &LocalizedText) {
    xml.element("stdyInfo", &[], |xml| {
        xml.element("subject", &[], |xml| {
            xml.both("keyword", &[], &words("用户满意度", "customer satisfaction"));
            xml.leaf("keyword", &[("vocab", "standard")], MODEL);
        });
        let about = words(
            format!(
                "{}提交的名单上的用户对“{}”的评价：{}。",
                metadata.applicant,
                metadata.subject,
                survey.zh()
            ),
            format!(
                "Ratings of «{}» by the people on the applicant's list: {}.",
                metadata.subject,
                survey.en()
            ),
        );
        xml.both("abstract", &[], &about);
        xml.element("sumDscr", &[], |xml| {
            let days =
                metadata.first_contacts_by_day.keys().chain(metadata.completes_by_day.keys());
            for (day, event) in [(days.clone().min(), "start"), (days.max(), "end")] {
                if let Some(day) = day {
                    xml.leaf("collDate", &[("date", day), ("event", event)], day);
                }
            }
            xml.both("anlyUnit", &[], &words("个人", "individuals"));
            let universe = words(
                "申报单位名单上的用户，不含经甄别不是用户的人",
                "people on the applicant's list, without those whom screening found to be no users",
            );
            xml.both("universe", &[("clusion", "I")], &universe);
            xml.both("dataKind", &[], &words("调查数据", "survey data"));
        });
    });
}

fn describe_method(xml: &mut Xml, metadata: &DatasetMetadata) {
    xml.element("method", &[], |xml| {
        xml.element("dataColl", &[], |xml| {
            xml.both("timeMeth", &[], &words("横断面", "cross-section"));
            xml.both("sampProc", &[], &sampling(metadata));
            for deviation in &metadata.deviations {
                let days = deviation.days.map(|days| format!(" ({days})")).unwrap_or_default();
                let what = report::deviation(&deviation.what);
                let text = format!("{} {what}{days}: {}", deviation.at, deviation.reason);
                xml.leaf("deviat", &[], &text);
            }
            for mode in [Mode::Web, Mode::Sms, Mode::Telephone, Mode::Paper] {
                if metadata.modes.contains_key(mode.as_str()) {
                    xml.both("collMode", &[], &wording::mode_words(mode));
                }
            }
            xml.both("resInstru", &[], &words("结构化问卷", "structured"));
            if let Some(weights) = &metadata.weights {
                let limit = weights.trim_limit.map(|limit| format!("{limit:.4}"));
                let limit = limit.unwrap_or_default();
                let how = words(
                    format!(
                        "w_base = N_h/n_h；w_nr 按类作无应答调整；w_raked 按名单边际校准（raking，{} 次迭代，\
                         {}）并截尾（上限 {limit}，{} 个）。权数可以不用。",
                        weights.iterations,
                        if weights.converged { "收敛" } else { "未收敛" },
                        weights.trimmed
                    ),
                    format!(
                        "w_base = N_h/n_h; w_nr is adjusted for non-response by class; w_raked is raked \
                         to the margins of the list ({} iterations, {}) and trimmed (limit {limit}, {}). \
                         Weights can be left out.",
                        weights.iterations,
                        if weights.converged { "converged" } else { "not converged" },
                        weights.trimmed
                    ),
                );
                xml.both("weight", &[], &how);
            }
            let flags = words(
                "speeding、straight_lining、duplicate_answers、origin_cluster 只作标记，不剔除；review_verdict 为 excluded \
                 的经人工核实，不宜计分",
                "speeding, straight_lining, duplicate_answers and origin_cluster are marks, nothing is \
                 dropped by them; staff looked at responses whose review_verdict is excluded: do not \
                 score them",
            );
            xml.both("cleanOps", &[], &flags);
        });
        xml.element("anlyInfo", &[], |xml| {
            let rate = |(name, rate): (&String, &Option<f64>)| match rate {
                Some(rate) => format!("{name} {:.1} %", rate * 100.0),
                None => format!("{name} n/a"),
            };
            let rates: Vec<String> = metadata.rates.iter().map(rate).collect();
            xml.leaf("respRate", &[], &format!("AAPOR: {}", rates.join(", ")));
            let weights = metadata.weights.as_ref();
            if let Some((effect, n)) = weights.and_then(|w| w.design_effect.zip(w.effective_n)) {
                let text = format!(
                    "设计效应 design effect (Kish) {effect:.3}；有效样本量 effective n {n:.1}；各题标准误见 \
                     standard errors of the items: manifest.json, precision"
                );
                xml.leaf("EstSmpErr", &[], &text);
            }
        });
    });
}

fn sampling(metadata: &DatasetMetadata) -> LocalizedText {
    let (population, sample, strata) = match &metadata.weights {
        Some(weights) => (weights.population, weights.sample, weights.strata.len()),
        None => (metadata.cases, metadata.cases, 1),
    };
    words(
        format!(
            "申报单位提交的用户名单 {population} 人，按用户类型分 {strata} 层；样本 {sample} 人（按批随机放出，或全部）；\
             目标完成 {} 份。",
            metadata.target
        ),
        format!(
            "The applicant's list of {population} people in {strata} strata by segment; a sample of \
             {sample} (replicates drawn at random, or everybody); {} completes wanted.",
            metadata.target
        ),
    )
}

fn conditions(metadata: &DatasetMetadata) -> String {
    format!(
        "不含姓名、号码等个人信息；个案以化名表示，仅在本申报内有效。少于 {0} 人的名单取值以 * 代替。开放题：{1}。 No names, \
         numbers or other personal data; cases are pseudonyms of this application. Values of the list that \
         fewer than {0} cases have are «*». Open answers: {1}.",
        metadata.smallest_cell, metadata.open_answers
    )
}
