//! Rows in JSON: an object or an array each. What a value becomes is `cells.rs`.

use super::Shape;
use super::cells::Cells;
use super::fixed::Fixed;
use super::json_text::push_string;

/// What stands around the cells of a row, worked out once a result.
#[derive(Debug)]
pub(super) struct JsonRow {
    /// Before each cell: the bracket or the comma, and for objects the escaped key with its colon.
    before: Vec<Fixed>,
    after: Fixed,
}

impl JsonRow {
    pub(super) fn new(names: &[String], shape: Shape) -> Self {
        let (open, close) = match shape {
            Shape::Objects => (b'{', b'}'),
            Shape::Arrays => (b'[', b']'),
        };
        let before = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let mut before = vec![if index == 0 { open } else { b',' }];
                if shape == Shape::Objects {
                    push_string(&mut before, name);
                    before.push(b':');
                }
                Fixed::new(before)
            })
            .collect();
        Self { before, after: Fixed::new(if names.is_empty() { vec![open, close] } else { vec![close] }) }
    }

    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>, cells: &[Cells], row: usize) {
        for (before, cells) in self.before.iter().zip(cells) {
            before.push(out);
            cells.write_json(out, row);
        }
        self.after.push(out);
    }
}
