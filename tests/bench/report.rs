//! The report: rows of medians, each beside what it is held against and what is aimed at; as a
//! table for a person or as JSON.

use crate::load::percentile;
use serde::Serialize;

/// What is aimed at.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// At least this part of what it is held against.
    PartOf(f64),
}

/// Values of the rounds.
#[derive(Default, Serialize)]
pub(crate) struct Rounds {
    pub(crate) ours: Vec<f64>,
    pub(crate) beside: Vec<f64>,
}

impl Rounds {
    /// Adds a round.
    pub(crate) fn push(&mut self, ours: f64, beside: f64) {
        self.ours.push(ours);
        self.beside.push(beside);
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| percentile(&mut values, 50))
}

/// One line.
#[derive(Serialize)]
pub(crate) struct Row {
    what: &'static str,
    unit: &'static str,
    ours: f64,
    beside: Option<f64>,
    ratio: Option<f64>,
    target: Option<Target>,
    met: Option<bool>,
    predecessor: Option<f64>,
    rounds: Rounds,
}

impl Row {
    /// A row of the rounds' medians.
    pub(crate) fn new(what: &'static str, unit: &'static str, rounds: Rounds) -> Row {
        let ours = median(rounds.ours.clone()).unwrap_or_default();
        let beside = median(rounds.beside.clone());
        // Round by round, so that what else the machine does weighs on both alike.
        let pairs = rounds.ours.iter().zip(&rounds.beside);
        let ratio = median(pairs.map(|(ours, beside)| ours / beside).collect());
        let (target, met, predecessor) = (None, None, None);
        Row { what, unit, ours, beside, ratio, target, met, predecessor, rounds }
    }

    /// The same with what is aimed at.
    pub(crate) fn aim(mut self, target: Target) -> Row {
        self.target = Some(target);
        self.met = match target {
            Target::AtLeast(least) => Some(self.ours >= least),
            Target::AtMost(most) => Some(self.ours <= most),
            Target::PartOf(part) => self.ratio.map(|ratio| ratio >= part),
        };
        self
    }

    /// The same with what the predecessor needed.
    pub(crate) fn was(mut self, predecessor: f64) -> Row {
        self.predecessor = Some(predecessor);
        self
    }
}

/// A row of what was measured once, beside nothing.
pub(crate) fn one(what: &'static str, unit: &'static str, value: f64) -> Row {
    Row::new(what, unit, Rounds { ours: vec![value], beside: Vec::new() })
}

/// Rows that are held against the same.
#[derive(Serialize)]
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) beside: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Everything.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) cpus: usize,
    /// Of one minute, before and after.
    pub(crate) load_average: [f64; 2],
    pub(crate) parts: Vec<Part>,
}

impl Report {
    /// As a table.
    pub(crate) fn table(&self) -> String {
        let [before, after] = self.load_average;
        let mut out = format!(
            "Medians of interleaved rounds; {} processors; load average {before} before, {after} \
             after\n",
            self.cpus
        );
        for part in &self.parts {
            out.push_str(&format!(
                "\n{:<46} {:>11} {:>11} {:>6}  {:<22} {}\n",
                part.title, "ours", part.beside, "ratio", "target", "predecessor"
            ));
            let mut above = "";
            for row in &part.rows {
                out.push_str(line(row, above).trim_end());
                out.push('\n');
                above = row.what;
            }
        }
        out
    }
}

fn line(row: &Row, above: &str) -> String {
    let what = if row.what == above {
        format!("{:>1$}", row.unit, row.what.len() + 2 + row.unit.len())
    } else {
        format!("{}, {}", row.what, row.unit)
    };
    let some = |value: Option<f64>| value.map(number).unwrap_or_default();
    let ratio = row.ratio.map(|r| format!("{r:.2}")).unwrap_or_default();
    let target = match row.target {
        None => String::new(),
        Some(Target::AtLeast(least)) => format!(">= {}", number(least)),
        Some(Target::AtMost(most)) => format!("<= {}", number(most)),
        Some(Target::PartOf(part)) => format!("ratio >= {part:.2}"),
    };
    let met = match row.met {
        None => "",
        Some(true) => " met",
        Some(false) => " MISSED",
    };
    format!(
        "  {what:<44} {:>11} {:>11} {ratio:>6}  {:<22} {}",
        number(row.ours),
        some(row.beside),
        target + met,
        some(row.predecessor)
    )
}

/// With as many digits as mean something; thousands apart.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 1000.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
