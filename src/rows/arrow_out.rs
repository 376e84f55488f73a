//! An Arrow IPC stream of the result: the schema once, then its batches, as they came or in parts.
//!
//! The schema is that of the first batch, with names of which no two are the same; a result without rows has the one
//! that its columns tell. What Databricks sent as text (JSON_ARRAY) is typed, with complex values as JSON text.

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::layout::Layout;
use super::typed::data_type;
use crate::failure::{Code, Failure};

#[derive(Default)]
pub(super) struct ArrowOut {
    stream: Option<(StreamWriter<Vec<u8>>, SchemaRef)>,
}

impl fmt::Debug for ArrowOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowOut").field("begun", &self.stream.is_some()).finish()
    }
}

impl ArrowOut {
    /// Appends rows of a batch: as many as fill the piece, one at least; how many.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        layout: &Layout,
        columns: &[ArrayRef],
        from: usize,
        most: usize,
        bytes: usize,
    ) -> Result<usize, Failure> {
        let held: usize = columns.iter().map(size_of_array).sum();
        let all = columns.first().map_or(0, Array::len);
        let rows = match held / all.max(1) {
            0 => most,
            row => (bytes / row).clamp(1, most),
        };
        let (writer, schema) =
            self.stream(layout, || columns.iter().map(|column| column.data_type().clone()).collect())?;
        if let Some((field, column)) =
            schema.fields().iter().zip(columns).find(|(field, column)| field.data_type() != column.data_type())
        {
            return Err(Failure::new(
                Code::UpstreamReplyInvalid,
                format!(
                    "Databricks sent column {} as Arrow's {} and later as {}.",
                    field.name(),
                    field.data_type(),
                    column.data_type()
                ),
            ));
        }
        let part = columns.iter().map(|column| column.slice(from, rows)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema.clone(), part, &options).map_err(unwritten)?;
        writer.write(&batch).map_err(unwritten)?;
        out.append(writer.get_mut());
        Ok(rows)
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>, layout: &Layout) -> Result<(), Failure> {
        let (writer, _) = self.stream(layout, || layout.kinds.iter().map(data_type).collect())?;
        writer.finish().map_err(unwritten)?;
        out.append(writer.get_mut());
        Ok(())
    }

    fn stream(
        &mut self,
        layout: &Layout,
        types: impl FnOnce() -> Vec<DataType>,
    ) -> Result<&mut (StreamWriter<Vec<u8>>, SchemaRef), Failure> {
        let stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let fields: Vec<Field> =
                layout.names.iter().zip(types()).map(|(name, told)| Field::new(name, told, true)).collect();
            let schema = Arc::new(Schema::new(fields));
            (StreamWriter::try_new(Vec::new(), &schema).map_err(unwritten)?, schema)
        };
        Ok(self.stream.insert(stream))
    }
}

/// The bytes of its own rows, not of the buffer that it shares with others.
fn size_of_array(array: &ArrayRef) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size())
}

fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Code::Internal, "The result could not be written as Arrow.").caused_by(error)
}
