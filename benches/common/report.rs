//! The rows of the result, as a table for people and as JSON for programs.

use std::fmt::Write as _;

/// One figure with its target.
pub struct Row {
    /// What was measured, in words.
    pub figure: String,
    /// The outcome, in words and with its unit.
    pub measured: String,
    /// What it must be; empty where it is only reported.
    pub target: String,
    /// Whether it is; `None` where it is only reported.
    pub met: Option<bool>,
    /// The numbers behind `measured`.
    pub numbers: Vec<(String, f64)>,
}

impl Row {
    /// A figure that is reported without a target.
    pub fn reported(figure: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            figure: figure.into(),
            measured: measured.into(),
            target: String::new(),
            met: None,
            numbers: Vec::new(),
        }
    }

    /// Adds the target and whether it is met.
    pub fn target(mut self, target: impl Into<String>, met: bool) -> Self {
        self.target = target.into();
        self.met = Some(met);
        self
    }

    /// Adds a number for the JSON.
    pub fn number(mut self, name: impl Into<String>, value: f64) -> Self {
        self.numbers.push((name.into(), value));
        self
    }

    fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        }
    }
}

/// The rows as a Markdown table with aligned columns.
pub fn table(rows: &[Row]) -> String {
    let head = ["figure", "measured", "target", "met"];
    let cells =
        |row: &Row| [row.figure.clone(), row.measured.clone(), row.target.clone(), row.verdict().to_owned()];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let mut widths = [0; 4];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, &width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The rows as JSON.
pub fn json(rows: &[Row]) -> String {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let numbers = row.numbers.iter().map(|(name, value)| {
                let value = serde_json::Number::from_f64(*value).map_or(0.into(), |n| n);
                (name.clone(), serde_json::Value::Number(value))
            });
            serde_json::json!({
                "figure": row.figure,
                "measured": row.measured,
                "target": row.target,
                "met": row.met,
                "numbers": numbers.collect::<serde_json::Map<_, _>>(),
            })
        })
        .collect();
    let document = serde_json::json!({ "machine": super::machine::describe(), "rows": rows });
    format!("{document:#}\n")
}
