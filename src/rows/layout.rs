//! The columns of a result as the writers need them: kinds, and names of which no two are the same; and the failures
//! that name a column and a row.

use arrow_array::ArrayRef;

use super::Column;
use super::cells::Cells;
use super::column::unique_names;
use super::kind::Kind;
use super::resolve::Rules;
use crate::failure::{Code, Failure};

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    pub(super) kinds: Vec<Kind>,
    pub(super) names: Vec<String>,
}

impl Layout {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            kinds: columns.iter().map(Kind::of).collect(),
            names: unique_names(columns.iter().map(|column| column.name.as_str())),
        }
    }

    /// The cells of a batch by the rules of their columns.
    pub(super) fn cells(&self, arrays: &[ArrayRef], rules: Rules) -> Result<Vec<Cells>, Failure> {
        if arrays.len() != self.columns.len() {
            return Err(Failure::new(
                Code::UpstreamReplyInvalid,
                format!("Databricks sent {} columns where there are {}.", arrays.len(), self.columns.len()),
            ));
        }
        arrays
            .iter()
            .enumerate()
            .map(|(index, array)| {
                rules.cells(array, &self.kinds[index]).ok_or_else(|| {
                    let column = &self.columns[index];
                    Failure::new(
                        Code::UpstreamReplyInvalid,
                        format!(
                            "Databricks sent column {} ({}) as Arrow's {}, which cannot hold it.",
                            column.name,
                            column.type_text,
                            array.data_type()
                        ),
                    )
                    .at(format!("columns.{}", column.name))
                })
            })
            .collect()
    }

    /// The failure for a cell that is not what its column says.
    pub(super) fn malformed(&self, index: usize, row: u64, why: &str) -> Failure {
        let Some(column) = self.columns.get(index) else {
            return Failure::new(Code::Internal, "A value has no column.");
        };
        Failure::new(
            Code::UpstreamReplyInvalid,
            format!(
                "Databricks sent a value in column {} ({}), row {row}, that is not {why}.",
                column.name, column.type_text
            ),
        )
        .at(format!("rows[{row}].{}", column.name))
    }

    /// Every row has a cell for every column.
    pub(super) fn check_width(&self, cells: usize, row: u64) -> Result<(), Failure> {
        if cells == self.columns.len() {
            return Ok(());
        }
        Err(Failure::new(
            Code::UpstreamReplyInvalid,
            format!("Databricks sent {cells} values for the {} columns of row {row}.", self.columns.len()),
        )
        .at(format!("rows[{row}]")))
    }
}
