//! `codebook.ddi.xml`: the study, the files and their variables in DDI Codebook 2.5
//! (<https://ddialliance.org/Specification/DDI-Codebook/2.5/>), for data archives. Codes are those
//! of the CSV files. The order of the elements is the standard's; `docs/schemas/ddi-codebook.xsd`
//! covers the parts that are used.

mod study;
mod variables;
mod xml;

use super::FormatContext;
use super::wording::Wording;
use crate::domain::language::{Language, LocalizedText};
use crate::services::datasets::layout::{Field, Table, layout};
use xml::Xml;

/// The name of the file.
pub(super) const FILE: &str = "codebook.ddi.xml";

const NAMESPACE: &str = "ddi:codebook:2_5";
const SCHEMA: &str = "ddi:codebook:2_5 https://ddialliance.org/Specification/DDI-Codebook/2.5/XMLSchema/codebook.xsd";

/// A table of the dataset that the codebook describes.
struct DescribedTable<'a> {
    table: Table,
    /// The identifier of the file in the codebook, and the first letters of those of its variables.
    file_id: &'static str,
    prefix: &'static str,
    cases: u64,
    fields: Vec<Field<'a>>,
}

fn words(zh: impl Into<String>, en: impl Into<String>) -> LocalizedText {
    LocalizedText::zh_en(zh, en)
}

/// Returns the codebook of a version.
pub(super) fn codebook(format_context: FormatContext<'_>) -> String {
    let FormatContext { metadata, questionnaire, .. } = format_context;
    let wording = Wording::of(format_context);
    let described = |table, file_id, prefix, cases| {
        let fields = layout(table, questionnaire, metadata);
        DescribedTable { table, file_id, prefix, cases, fields }
    };
    let tables = [
        described(Table::Responses, "F1", "r_", metadata.responses),
        described(Table::Cases, "F2", "c_", metadata.cases),
    ];
    let mut xml = Xml::begin();
    let first = questionnaire.languages.first().copied().unwrap_or_default();
    let head = [
        ("xmlns", NAMESPACE),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xsi:schemaLocation", SCHEMA),
        ("version", "2.5"),
        ("xml:lang", first.tag()),
    ];
    xml.element("codeBook", &head, |xml| {
        study::describe(xml, format_context, &wording);
        for table in &tables {
            describe_file(xml, format_context, table);
        }
        xml.element("dataDscr", &[], |xml| {
            variables::describe(xml, format_context, &wording, &tables);
        });
        let printed = questionnaire.languages.iter().map(|language| {
            let title = match *language {
                Language::ZH => words("问卷（中文）", "questionnaire in Chinese"),
                Language::EN => words("问卷（英文）", "questionnaire in English"),
                other => words(
                    format!("问卷（{}）", other.autonym()),
                    format!("questionnaire in {}", other.autonym()),
                ),
            };
            (format!("questionnaire.{language}.html"), title)
        });
        let report = words("访问执行报告", "fieldwork report");
        for (file, title) in printed.chain([("fieldwork-report.html".to_owned(), report)]) {
            xml.element("otherMat", &[("level", "study"), ("URI", &file)], |xml| {
                xml.both("labl", &[], &title);
            });
        }
    });
    xml.finish()
}

fn describe_file(xml: &mut Xml, format_context: FormatContext<'_>, described: &DescribedTable<'_>) {
    let DescribedTable { table, file_id, cases, fields, .. } = described;
    let name = format!("{}.csv", table.name());
    let content = match table {
        Table::Responses => "完成和部分完成的答卷 complete and partial responses",
        _ => "全部样本个案及其结果 all sampled cases with their dispositions",
    };
    let codes = format_context.metadata.missing_codes();
    let missing: Vec<String> =
        codes.all().map(|(reason, code)| format!("{code}: {}", reason.label())).collect();
    xml.element("fileDscr", &[("ID", file_id), ("URI", &name)], |xml| {
        xml.element("fileTxt", &[], |xml| {
            xml.leaf("fileName", &[], &name);
            xml.leaf("fileCont", &[], content);
            xml.leaf("fileStrc", &[("type", "rectangular")], "");
            xml.element("dimensns", &[], |xml| {
                xml.leaf("caseQnty", &[], &cases.to_string());
                xml.leaf("varQnty", &[], &fields.len().to_string());
            });
            xml.leaf("fileType", &[("charset", "UTF-8")], "CSV (RFC 4180)");
            if *table == Table::Responses {
                xml.leaf("dataMsng", &[], &missing.join("; "));
            }
        });
        let others = format!("{0}.sav (SPSS), {0}.parquet (Apache Parquet)", table.name());
        xml.leaf(
            "notes",
            &[],
            &format!("同表的其他格式 the same table in other formats: {others}"),
        );
    });
}
