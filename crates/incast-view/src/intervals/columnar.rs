//! The intervals as Parquet: typed columns with real nulls, one row group, not compressed.
//!
//! Written with the `parquet` crate without Arrow and without codecs, so that nothing of it is C.
//! Texts repeat, and the writer's dictionaries keep them small.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{Column, Value};

/// The rows as a Parquet file.
pub(super) fn write<R>(columns: &[Column<R>], rows: &[R]) -> Result<Vec<u8>> {
    let fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("intervals").with_fields(fields).build()?;
    let version = concat!("incast ", env!("CARGO_PKG_VERSION")).to_owned();
    let properties = WriterProperties::builder().set_created_by(version).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut out) = group.next_column()? else { break };
        write_column(&mut out, &column.value, rows)?;
        out.close()?;
    }
    group.close()?;
    writer.into_inner()
}

/// Every column may be null: what is not known is not there.
fn field<R>(column: &Column<R>) -> Result<Arc<Type>> {
    let (physical, logical) = match column.value {
        Value::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Value::Count(_) => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Value::Difference(_) => (Physical::INT64, Some(LogicalType::integer(64, true))),
        Value::Number(_) => (Physical::DOUBLE, None),
        Value::Flag(_) => (Physical::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(column.name, physical).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

fn write_column<R>(out: &mut SerializedColumnWriter<'_>, value: &Value<R>, rows: &[R]) -> Result<()> {
    match value {
        Value::Text(text) => write_values::<ByteArrayType, R>(out, rows, |row| {
            text(row).map(|text| ByteArray::from(text.into_bytes()))
        }),
        // Parquet has no unsigned type of its own: the bits are those of u64, and the logical type says so.
        Value::Count(count) => {
            write_values::<Int64Type, R>(out, rows, |row| count(row).map(u64::cast_signed))
        }
        Value::Difference(difference) => write_values::<Int64Type, R>(out, rows, difference),
        Value::Flag(flag) => write_values::<BoolType, R>(out, rows, |row| Some(flag(row))),
        Value::Number(number) => {
            write_values::<DoubleType, R>(out, rows, |row| number(row).filter(|number| number.is_finite()))
        }
    }
}

/// The known values, and for each row whether it has one (definition level 1).
fn write_values<T: DataType, R>(
    out: &mut SerializedColumnWriter<'_>,
    rows: &[R],
    value: impl Fn(&R) -> Option<T::T>,
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

    use incast_core::record::{Flow, Interval, Readout, ReadoutInterval, Record};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use crate::RecordAt;
    use crate::intervals::{parquet, readout};

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
    fn a_slice_of_a_readout_says_whether_the_trigger_was_stopped() {
        let slice = ReadoutInterval { built: u64::MAX, dead: true, ..ReadoutInterval::default() };
        let readout = Readout { run: 9, intervals: vec![slice], ..Readout::default() };
        let record = Record { readout: Some(readout), ..Record::default() };
        let rows = read(&readout::parquet(&[RecordAt { place: "r", record: &record }]).unwrap());
        let value = |name: &str| &rows[0].iter().find(|(column, _)| column == name).unwrap().1;
        assert_eq!((value("run"), value("built")), (&Field::ULong(9), &Field::ULong(u64::MAX)));
        assert_eq!((value("dead"), value("variant")), (&Field::Bool(true), &Field::Null));
    }

    #[test]
    fn no_interval_is_a_file_without_rows() {
        assert_eq!(read(&parquet(&[]).unwrap()).len(), 0);
        assert_eq!(read(&readout::parquet(&[]).unwrap()).len(), 0);
    }
}
