//! The plots: time of an edit of Lua by way, growth with the program's size, memory.
//!
//! Drawn from the raw numbers that go into `edits.json`, so that both say the same.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::Value;

use crate::measure::time;

type Done = Result<(), Box<dyn Error>>;
/// The points of a way.
type Series<'a> = (&'a str, Vec<(f64, f64)>);

const FONT: &str = "sans-serif";
const SIZE: (u32, u32) = (860, 480);
const GREY: RGBColor = RGBColor(110, 110, 110);
const FAINT: RGBColor = RGBColor(228, 228, 228);

/// Draws what there are numbers for.
pub fn draw(directory: &Path, raw: &[Value]) -> Result<(), String> {
    let all = || -> Done {
        bars(&directory.join("edits-lua.svg"), raw)?;
        growth(&directory.join("edits-growth.svg"), raw)?;
        memory(&directory.join("edits-memory.svg"), raw)
    };
    all().map_err(|error| format!("the plots: {error}"))
}

/// The same colour for a way in every plot.
fn colour(way: &str) -> RGBColor {
    match way {
        "hotslot" => RGBColor(200, 40, 40),
        "hotslot O0" => RGBColor(110, 20, 20),
        "hotslot-full" => RGBColor(240, 140, 120),
        "relink" => RGBColor(31, 90, 160),
        "relink-lto" => RGBColor(120, 165, 215),
        "closure" => RGBColor(20, 130, 110),
        "dlopen" => RGBColor(190, 130, 20),
        "lljit" => RGBColor(125, 70, 160),
        "mcjit" => RGBColor(200, 120, 180),
        _ => RGBColor(120, 120, 120),
    }
}

fn entries<'a>(raw: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    raw.iter().filter(move |entry| entry["kind"] == kind)
}

fn style(size: u32, colour: RGBColor, across: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&colour).pos(Pos::new(across, VPos::Center))
}

/// One bar for each way, the fastest on top.
fn bars(path: &Path, raw: &[Value]) -> Done {
    let lua = entries(raw, "edits").filter(|e| e["program"] == "lua" && e["level"] == "O2");
    let mut ways: Vec<(&str, f64)> =
        lua.filter_map(|e| Some((e["way"].as_str()?, e["median_us"].as_f64()?))).collect();
    if ways.is_empty() {
        return Ok(());
    }
    ways.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (most, least) = (ways[0].1, ways[ways.len() - 1].1);
    let (low, high) = (10f64.powf(least.log10().floor()), 10f64.powf((most * 2.0).log10().ceil()));
    let root = SVGBackend::new(path, (SIZE.0, 110 + 34 * ways.len() as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("One function edited in a module of Lua, all code at O2", (FONT, 18).into_font())
        .margin(12)
        .margin_right(30)
        .set_label_area_size(LabelAreaPosition::Left, 110)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d((low..high).log_scale(), 0.0..ways.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(GREY)
        .x_label_formatter(&|&t| round(t))
        .x_desc("median time from the edited bitcode to its first call (logarithmic)")
        .label_style((FONT, 13))
        .draw()?;
    for (index, &(way, took)) in ways.iter().enumerate() {
        let (bottom, top) = (index as f64 + 0.15, index as f64 + 0.85);
        chart.draw_series([Rectangle::new([(low, bottom), (took, top)], colour(way).filled())])?;
        let (end, middle) = chart.backend_coord(&(took, index as f64 + 0.5));
        let (start, _) = chart.backend_coord(&(low, index as f64 + 0.5));
        root.draw_text(way, &style(14, BLACK, HPos::Right), (start - 8, middle))?;
        root.draw_text(&time(took), &style(13, BLACK, HPos::Left), (end + 6, middle))?;
    }
    root.present()?;
    Ok(())
}

/// A line for each way, over the number of modules.
fn growth(path: &Path, raw: &[Value]) -> Done {
    let mut lines: Vec<Series<'_>> = Vec::new();
    for entry in entries(raw, "edits") {
        let size = entry["program"].as_str().and_then(|name| name.strip_prefix("generated-")?.parse().ok());
        let (Some(size), Some(way), Some(took)) = (size, entry["way"].as_str(), entry["median_us"].as_f64())
        else {
            continue;
        };
        let way = if entry["level"] == "O0" { "hotslot O0" } else { way };
        match lines.iter_mut().find(|line| line.0 == way) {
            Some((_, points)) => points.push((size, took)),
            None => lines.push((way, vec![(size, took)])),
        }
    }
    let points: Vec<(f64, f64)> = lines.iter().flat_map(|line| line.1.iter().copied()).collect();
    let (Some(widest), Some(low), Some(high)) = (
        points.iter().map(|p| p.0).max_by(f64::total_cmp),
        points.iter().map(|p| p.1).min_by(f64::total_cmp),
        points.iter().map(|p| p.1).max_by(f64::total_cmp),
    ) else {
        return Ok(());
    };
    let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
    lines_plot(
        path,
        Plot {
            title: "One function edited in a generated program, code at O2 unless named",
            across: "modules of ten functions (logarithmic)",
            up: "median time of an edit (logarithmic)",
            lines: &lines,
            x: (10.0..widest).log_scale(),
            y: (low..high).log_scale(),
            x_words: &|&n| format!("{n:.0}"),
            y_words: &|&t| round(t),
            dots: true,
        },
    )
}

/// A line for each way, over the number of edits.
fn memory(path: &Path, raw: &[Value]) -> Done {
    let numbers = |entry: &Value, name: &str| -> Vec<f64> {
        entry[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let mut lines: Vec<Series<'_>> = Vec::new();
    for entry in entries(raw, "memory") {
        let (edits, rss) = (numbers(entry, "edits"), numbers(entry, "rss_kib"));
        let (Some(way), Some(&first)) = (entry["way"].as_str(), rss.first()) else { continue };
        // The process of a native build is a new one after each edit; a few edits make no line.
        if !way.starts_with("native") && edits.last().is_some_and(|&last| last >= 10.0) {
            lines.push((way, edits.into_iter().zip(rss.iter().map(|r| (r - first) / 1024.0)).collect()));
        }
    }
    let points: Vec<(f64, f64)> = lines.iter().flat_map(|line| line.1.iter().copied()).collect();
    let largest = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(1.0, f64::max);
    let least = points.iter().map(|p| p.1).fold(0.0, f64::min);
    if points.is_empty() {
        return Ok(());
    }
    let (edits, most) = (largest(|p| p.0), largest(|p| p.1) * 1.05);
    lines_plot(
        path,
        Plot {
            title: "Resident memory over edits of Lua, all code at O2",
            across: "edits; a line ends where its way had no more time, ways with fewer than ten have none",
            up: "MiB more than before the first",
            lines: &lines,
            x: 0.0..edits,
            y: least..most,
            x_words: &|&n| format!("{n:.0}"),
            y_words: &|&m| format!("{m:.0}"),
            dots: false,
        },
    )
}

struct Plot<'a, X, Y> {
    title: &'a str,
    across: &'a str,
    up: &'a str,
    lines: &'a [Series<'a>],
    x: X,
    y: Y,
    x_words: &'a dyn Fn(&f64) -> String,
    y_words: &'a dyn Fn(&f64) -> String,
    dots: bool,
}

fn lines_plot<X, Y>(path: &Path, plot: Plot<'_, X, Y>) -> Done
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(plot.title, (FONT, 18).into_font())
        .margin(12)
        .margin_right(100)
        .set_label_area_size(LabelAreaPosition::Left, 70)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d(plot.x, plot.y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(GREY)
        .x_label_formatter(plot.x_words)
        .y_label_formatter(plot.y_words)
        .x_desc(plot.across)
        .y_desc(plot.up)
        .label_style((FONT, 13))
        .draw()?;
    let mut names = Vec::new();
    for (way, points) in plot.lines {
        let colour = colour(way);
        let width = if way.starts_with("hotslot") { 3 } else { 2 };
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(width)))?;
        if plot.dots {
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, colour.filled())))?;
        }
        if let Some(&(x, y)) = points.last() {
            let (x, y) = chart.backend_coord(&(x, y));
            names.push((*way, colour, x, y));
        }
    }
    // A name stands where its line ends, and higher where another one has the place.
    names.sort_by_key(|name| std::cmp::Reverse(name.3));
    let bottom = SIZE.1 as i32 - 72;
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (way, colour, x, y) in names {
        let near = |place: &&(i32, i32)| (place.0 - x).abs() < 90;
        let below = taken.iter().filter(near).map(|place| place.1 - 17).min();
        let y = below.map_or(y, |highest| highest.min(y)).min(bottom);
        taken.push((x, y));
        // Other lines may cross here.
        let width = 8 * way.len() as i32 + 4;
        root.draw(&Rectangle::new([(x + 7, y - 8), (x + 7 + width, y + 8)], WHITE.mix(0.8).filled()))?;
        root.draw_text(way, &style(14, colour, HPos::Left), (x + 9, y))?;
    }
    root.present()?;
    Ok(())
}

/// A round number of microseconds.
fn round(microseconds: f64) -> String {
    match microseconds {
        t if t < 1e3 => format!("{t:.0} us"),
        t if t < 1e6 => format!("{:.0} ms", t / 1e3),
        t => format!("{:.0} s", t / 1e6),
    }
}
