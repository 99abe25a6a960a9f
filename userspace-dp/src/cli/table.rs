//! Tables with fixed columns: what is in a column stays in it, whatever the values.

use super::colour::{Paint, Tone};

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    side: Side,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// A column of texts, flush left.
pub(super) const fn text(head: &'static str) -> Column {
    Column { head, side: Side::Left }
}

/// A column of numbers, flush right.
pub(super) const fn number(head: &'static str) -> Column {
    Column { head, side: Side::Right }
}

/// Columns and rows. A row has as many cells as there are columns; rows are never left out.
pub(super) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(super) fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. An empty cell is shown as `-`, so that words can be counted; control characters are not
    /// passed on to the terminal.
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| match cell.is_empty() {
            true => "-".to_owned(),
            false => cell.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        }));
    }

    /// The table as lines, two spaces between columns, none at the end.
    pub(super) fn render(&self, paint: Paint) -> String {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.columns[column].head.chars().count()]).max().unwrap_or(0)
        });
        let heads = self.columns.map(|column| column.head.to_owned());
        let mut text = paint.paint(Tone::Head, &self.line(&heads, &widths));
        text.push('\n');
        for row in &self.rows {
            text.push_str(&self.line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn line(&self, cells: &[String; N], widths: &[usize; N]) -> String {
        let mut line = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            match column.side {
                Side::Left => line.push_str(&format!("{cell:<width$}  ")),
                Side::Right => line.push_str(&format!("{cell:>width$}  ")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([text("name"), number("packets"), text("note")]);
        table.row(["a".into(), "7".into(), String::new()]);
        table.row(["longer".into(), "1234567890".into(), "x\x1b[2J".into()]);
        let expected = "\
name       packets  note
a                7  -
longer  1234567890  x?[2J
";
        assert_eq!(table.render(Paint::Plain), expected);
    }

    #[test]
    fn an_empty_table_still_shows_its_head() {
        assert_eq!(Table::new([text("a"), number("b")]).render(Paint::Plain), "a  b\n");
    }
}
