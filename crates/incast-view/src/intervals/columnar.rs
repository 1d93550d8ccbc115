//! The intervals as Parquet: typed columns with real nulls, one row group, not compressed.
//!
//! Written with the `parquet` crate without Arrow and without codecs, so that nothing of it is C.
//! Texts repeat, and the writer's dictionaries keep them small.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{COLUMNS, Column, Row, Value, rows};
use crate::RecordAt;

/// The intervals of all flows of `records` as a Parquet file.
///
/// # Errors
/// Fails when the writer does; it writes into memory.
pub fn parquet(records: &[RecordAt<'_>]) -> std::result::Result<Vec<u8>, std::io::Error> {
    write(records).map_err(std::io::Error::other)
}

fn write(records: &[RecordAt<'_>]) -> Result<Vec<u8>> {
    let fields = COLUMNS.iter().map(field).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("intervals").with_fields(fields).build()?;
    let version = concat!("incast ", env!("CARGO_PKG_VERSION")).to_owned();
    let properties = WriterProperties::builder().set_created_by(version).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let rows: Vec<Row<'_>> = rows(records).collect();
    let mut group = writer.next_row_group()?;
    for column in &COLUMNS {
        let Some(mut out) = group.next_column()? else { break };
        write_column(&mut out, &column.value, &rows)?;
        out.close()?;
    }
    group.close()?;
    writer.into_inner()
}

/// Every column may be null: what is not known is not there.
fn field(column: &Column) -> Result<Arc<Type>> {
    let (physical, logical) = match column.value {
        Value::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Value::Count(_) => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Value::Difference(_) => (Physical::INT64, Some(LogicalType::integer(64, true))),
        Value::Number(_) => (Physical::DOUBLE, None),
    };
    let builder = Type::primitive_type_builder(column.name, physical).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

fn write_column(out: &mut SerializedColumnWriter<'_>, value: &Value, rows: &[Row<'_>]) -> Result<()> {
    match value {
        Value::Text(text) => write_values::<ByteArrayType>(out, rows, |row| {
            text(row).map(|text| ByteArray::from(text.into_bytes()))
        }),
        // Parquet has no unsigned type of its own: the bits are those of u64, and the logical type says so.
        Value::Count(count) => write_values::<Int64Type>(out, rows, |row| count(row).map(u64::cast_signed)),
        Value::Difference(difference) => write_values::<Int64Type>(out, rows, difference),
        Value::Number(number) => {
            write_values::<DoubleType>(out, rows, |row| number(row).filter(|number| number.is_finite()))
        }
    }
}

/// The known values, and for each row whether it has one (definition level 1).
fn write_values<T: DataType>(
    out: &mut SerializedColumnWriter<'_>,
    rows: &[Row<'_>],
    value: impl Fn(&Row<'_>) -> Option<T::T>,
) -> Result<()> {
    let cells: Vec<Option<T::T>> = rows.iter().map(value).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    out.typed::<T>().write_batch(&values, Some(&levels), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use incast_core::record::{Flow, Interval, Record};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    fn read(bytes: &[u8]) -> Vec<Vec<(String, Field)>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        rows.map(|row| {
            row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
        })
        .collect()
    }

    #[test]
    fn nulls_are_nulls_and_counts_are_whole() {
        let interval = Interval { sent: Some(u64::MAX), lost: Some(-3), ..Interval::default() };
        let flow = Flow { name: "a".into(), intervals: vec![interval], ..Flow::default() };
        let record = Record { flows: vec![flow], ..Record::default() };
        let rows = read(&parquet(&[RecordAt { place: "r", record: &record }]).unwrap());
        let value = |name: &str| &rows[0].iter().find(|(column, _)| column == name).unwrap().1;
        assert_eq!(value("flow"), &Field::Str("a".into()));
        assert_eq!((value("sent"), value("lost")), (&Field::ULong(u64::MAX), &Field::Long(-3)));
        assert_eq!((value("received"), value("run_start_s")), (&Field::Null, &Field::Null));
        assert_eq!(value("start_s"), &Field::Double(0.0));
    }

    #[test]
    fn no_interval_is_a_file_without_rows() {
        assert_eq!(read(&parquet(&[]).unwrap()).len(), 0);
    }
}
