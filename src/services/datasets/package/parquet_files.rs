//! `responses.parquet` and `cases.parquet` (Apache Parquet), with the codebook in the key-value
//! metadata under `codebook`.
//!
//! A missing value is null, and the column `NAME_missing` of the item contains the reason: the name
//! of a [`MissingReason`](crate::services::datasets::missing::MissingReason). (In versions of the
//! first edition of the rules: the code, and only for items that offer one.)

use std::io;
use std::sync::Arc;

use csv::StringRecord;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::TableFormat;
use crate::adapters::transports::NewFile;
use crate::domain::questionnaire::Item;
use crate::services::datasets::layout::{Field, FieldKind, Table};
use crate::services::datasets::missing::MissingCodes;

/// The number of rows buffered in memory before they are written as a row group.
const ROWS_PER_GROUP: usize = 50_000;

pub struct ParquetFile {
    table: Table,
    out: SerializedFileWriter<NewFile>,
    columns: Vec<Column>,
    missing: MissingCodes,
    rows: usize,
}

struct Column {
    /// The index of the field in the row.
    at: usize,
    is_required: bool,
    /// Only the cells of items hold codes for missing values.
    is_of_item: bool,
    values: Values,
    /// Definition levels. 1: a value; 0: null. Empty where the column is required.
    defined: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
    /// Days since 1970.
    Date(Vec<i32>),
    /// Milliseconds since 1970, UTC.
    Time(Vec<i64>),
    /// The reason why there is no value.
    Missing(Vec<ByteArray>),
}

fn other(error: ParquetError) -> io::Error {
    io::Error::other(error.to_string())
}

impl ParquetFile {
    pub fn begin(
        file: NewFile,
        table: Table,
        fields: &[Field<'_>],
        missing: MissingCodes,
        codebook: &str,
    ) -> io::Result<ParquetFile> {
        let (mut types, mut columns) = (Vec::new(), Vec::new());
        let mut add = |name: &str,
                       at: usize,
                       is_required: bool,
                       physical: Physical,
                       logical: Option<LogicalType>,
                       values: Values| {
            let repetition = if is_required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
            let made = Type::primitive_type_builder(name, physical)
                .with_repetition(repetition)
                .with_logical_type(logical)
                .build()
                .map_err(other)?;
            types.push(Arc::new(made));
            let is_of_item = fields.get(at).is_some_and(|field| field.column.is_some());
            columns.push(Column { at, is_required, is_of_item, values, defined: Vec::new() });
            io::Result::Ok(())
        };
        let text = || Some(LogicalType::String);
        for (field, at) in fields.iter().zip(0..) {
            let (physical, logical, values) = match field.kind {
                FieldKind::Text => (Physical::BYTE_ARRAY, text(), Values::Text(Vec::new())),
                FieldKind::Integer => (Physical::INT64, None, Values::Integer(Vec::new())),
                FieldKind::Number => (Physical::DOUBLE, None, Values::Number(Vec::new())),
                FieldKind::Boolean => (Physical::BOOLEAN, None, Values::Boolean(Vec::new())),
                FieldKind::Date => {
                    (Physical::INT32, Some(LogicalType::Date), Values::Date(Vec::new()))
                }
                FieldKind::Time => {
                    let utc = LogicalType::timestamp(true, TimeUnit::MILLIS);
                    (Physical::INT64, Some(utc), Values::Time(Vec::new()))
                }
            };
            add(&field.name, at, field.is_required(), physical, logical, values)?;
            let item = field.column.as_ref().map(|column| column.item);
            let has_reasons =
                |item: &Item| missing.is_complete() || item.not_applicable || item.dont_know;
            if item.is_some_and(has_reasons) {
                add(
                    &format!("{}_missing", field.name),
                    at,
                    false,
                    Physical::BYTE_ARRAY,
                    text(),
                    Values::Missing(Vec::new()),
                )?;
            }
        }
        let schema = Arc::new(
            Type::group_type_builder(table.name()).with_fields(types).build().map_err(other)?,
        );
        let metadata = vec![KeyValue::new("codebook".to_owned(), codebook.to_owned())];
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("fieldworkd".to_owned())
            .set_key_value_metadata(Some(metadata))
            .build();
        let out = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(other)?;
        Ok(ParquetFile { table, out, columns, missing, rows: 0 })
    }

    fn write_group(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group().map_err(other)?;
        for column in &mut self.columns {
            let mut out = group
                .next_column()
                .map_err(other)?
                .ok_or_else(|| io::Error::other("the schema has fewer columns than the table"))?;
            let defined = (!column.is_required).then_some(column.defined.as_slice());
            match &mut column.values {
                Values::Text(values) | Values::Missing(values) => out
                    .typed::<ByteArrayType>()
                    .write_batch(values, defined, None)
                    .map(|_| values.clear()),
                Values::Integer(values) | Values::Time(values) => out
                    .typed::<Int64Type>()
                    .write_batch(values, defined, None)
                    .map(|_| values.clear()),
                Values::Number(values) => out
                    .typed::<DoubleType>()
                    .write_batch(values, defined, None)
                    .map(|_| values.clear()),
                Values::Boolean(values) => out
                    .typed::<BoolType>()
                    .write_batch(values, defined, None)
                    .map(|_| values.clear()),
                Values::Date(values) => out
                    .typed::<Int32Type>()
                    .write_batch(values, defined, None)
                    .map(|_| values.clear()),
            }
            .map_err(other)?;
            column.defined.clear();
            out.close().map_err(other)?;
        }
        group.close().map_err(other)?;
        self.rows = 0;
        Ok(())
    }
}

impl Column {
    fn push(&mut self, cell: &str, missing: MissingCodes) -> io::Result<()> {
        let reason = if self.is_of_item { missing.reason(cell) } else { None };
        let (cell, is_value) = match (&self.values, reason) {
            (Values::Missing(_), Some(reason)) if missing.is_complete() => (reason.name(), true),
            (Values::Missing(_), reason) => (cell, reason.is_some()),
            (_, reason) => (cell, !cell.is_empty() && reason.is_none()),
        };
        if !self.is_required {
            self.defined.push(i16::from(is_value));
            if !is_value {
                return Ok(());
            }
        }
        let wrong = || io::Error::other(format!("column {}: «{cell}» is not of its type", self.at));
        match &mut self.values {
            Values::Text(values) | Values::Missing(values) => values.push(ByteArray::from(cell)),
            Values::Integer(values) => values.push(cell.parse().map_err(|_| wrong())?),
            Values::Number(values) => values.push(cell.parse().map_err(|_| wrong())?),
            Values::Boolean(values) => values.push(cell == "true"),
            Values::Date(values) => {
                let day: chrono::NaiveDate = cell.parse().map_err(|_| wrong())?;
                values.push(
                    i32::try_from(
                        day.signed_duration_since(chrono::NaiveDate::default()).num_days(),
                    )
                    .map_err(|_| wrong())?,
                );
            }
            Values::Time(values) => values.push(
                chrono::DateTime::parse_from_rfc3339(cell).map_err(|_| wrong())?.timestamp_millis(),
            ),
        }
        Ok(())
    }
}

impl TableFormat for ParquetFile {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        if table != self.table {
            return Ok(());
        }
        for column in &mut self.columns {
            column.push(row.get(column.at).unwrap_or_default(), self.missing)?;
        }
        self.rows += 1;
        if self.rows == ROWS_PER_GROUP { self.write_group() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group()?;
        self.out.into_inner().map_err(other)?.finish().map(|_| ())
    }
}
