//! Tables and times for people. Columns are as wide as they need to be; only the last one is
//! clipped, to what the terminal has, and it alone may hold text of any script.

use crate::term::{Ink, clip, line};

/// Rows under headings.
pub(crate) struct Table {
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Without rows yet.
    pub(crate) fn new(heads: &'static [&'static str]) -> Table {
        Table { heads, rows: Vec::new() }
    }

    /// One more row; as many cells as there are headings.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.heads.len());
        self.rows.push(cells.iter().map(|cell| line(cell)).collect());
    }

    /// As text, every line ended.
    pub(crate) fn show(&self, width: Option<usize>, ink: Ink) -> String {
        let last = self.heads.len() - 1;
        let cells = |at: usize| self.rows.iter().map(move |row| row[at].chars().count());
        let wide = |at: usize| cells(at).chain([self.heads[at].chars().count()]).max();
        let wide: Vec<usize> = (0..last).filter_map(wide).collect();
        let before: usize = wide.iter().map(|w| w + 2).sum();
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(before).max(10));
        let row = |cells: &[&str]| {
            let mut text = String::new();
            for (cell, wide) in cells.iter().zip(&wide) {
                text += &format!("{cell:wide$}  ");
            }
            text + &clip(cells[last], room)
        };
        let mut text = ink.dim(row(self.heads).trim_end()) + "\n";
        for cells in &self.rows {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            text += row(&cells).trim_end();
            text.push('\n');
        }
        text
    }
}

/// Names and values, one pair a line; without the names that have nothing to say.
pub(crate) fn pairs(pairs: &[(&str, String)], ink: Ink) -> String {
    let wide = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let shown = pairs.iter().filter(|(_, value)| !value.is_empty());
    let shown = shown.map(|(name, value)| {
        let name = format!("{name:wide$}");
        format!("{}  {}\n", ink.dim(&name), line(value))
    });
    shown.collect()
}

/// That many bytes.
pub(crate) fn memory(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// How long that is, by its two largest units.
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (1..10, _, _) => format!("{days} d {} h", hours % 24),
        _ => format!("{days} d"),
    }
}

/// How long before `now` that was; both in milliseconds since 1970.
pub(crate) fn ago(then: i64, now: i64) -> String {
    match now.saturating_sub(then) / 1000 {
        ..=0 => "now".into(),
        seconds => span(seconds.unsigned_abs()) + " ago",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "USED", "TITLE"]);
        table.row(vec!["a".into(), "3 min ago".into(), "Plan the trip to Łódź".into()]);
        table.row(vec!["bcd".into(), "now".into(), String::new()]);
        table
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        assert_eq!(
            table().show(None, Ink::NONE),
            "ID   USED       TITLE\n\
             a    3 min ago  Plan the trip to Łódź\n\
             bcd  now\n"
        );
    }

    #[test]
    fn only_the_last_column_is_clipped_and_never_to_nothing() {
        let shown = table().show(Some(30), Ink::NONE);
        assert!(shown.contains("3 min ago  Plan the trip…\n"), "{shown}");
        let narrow = table().show(Some(3), Ink::NONE);
        assert!(narrow.contains("3 min ago  Plan the…\n"), "{narrow}");
    }

    #[test]
    fn a_cell_is_one_line_whatever_it_holds() {
        let mut table = Table::new(&["X"]);
        table.row(vec!["a\nb\u{1b}[31m".into()]);
        assert_eq!(table.show(None, Ink::NONE), "X\na b[31m\n");
    }

    #[test]
    fn empty_values_are_left_out() {
        let text = pairs(&[("a", "1".into()), ("none", String::new())], Ink::NONE);
        assert_eq!(text, "a     1\n");
    }

    #[test]
    fn little_memory_is_not_none() {
        assert_eq!((memory(0), memory(300 << 10)), ("0 KiB".into(), "300 KiB".into()));
        assert_eq!(memory((9 << 20) + 5), "9 MiB");
    }

    #[test]
    fn spans_are_told_by_their_largest_units() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (864_000, "10 d"),
        ] {
            assert_eq!(span(seconds), said);
        }
        assert_eq!(ago(5_000, 4_000), "now");
        assert_eq!(ago(0, 61_000), "1 min ago");
        assert_eq!(ago(i64::MIN, i64::MAX).split(' ').next_back(), Some("ago"));
    }
}
