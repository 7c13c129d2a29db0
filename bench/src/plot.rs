// SPDX-License-Identifier: GPL-2.0-only
//! The plots, as SVG.
//!
//! Owns: nanoseconds for a packet against the number of rules, the time to load
//! them, and instructions for a packet as a page of `bench/instructions` has them, both
//! axes logarithmic (so N = 0 is not on them).

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use umh_core::abi::Hook;

use crate::measure::Kind;
use crate::plan::{Results, SIZES};
use crate::report::PEERS;
use crate::shapes::Shape;
use crate::stage::{Config, Peer};

/// A peer, as it is called where the points come from, and its points.
type Line = (Peer, &'static str, Vec<(f64, f64)>);

/// Who has a row in a page of `bench/instructions`.
const COUNTED: [(Peer, &str); 4] = [
    (Peer::IpTables, "ip_tables"),
    (Peer::IptablesNft, "nf_tables"),
    (Peer::NftSet, "a set of nft"),
    (Peer::Bpfilter, "bpfilter"),
];

fn colour(peer: Peer) -> RGBColor {
    match peer {
        Peer::Nothing => RGBColor(190, 190, 190),
        Peer::Empty => RGBColor(120, 120, 120),
        Peer::IpTables => RGBColor(31, 119, 180),
        Peer::IptablesNft => RGBColor(148, 103, 189),
        Peer::NftLinear => RGBColor(255, 127, 14),
        Peer::NftSet => RGBColor(44, 160, 44),
        Peer::Bpfilter => RGBColor(214, 39, 40),
    }
}

fn draw(path: &Path, title: &str, unit: &str, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|(_, _, points)| points);
    let low = points().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let high = points().map(|(_, y)| *y).fold(0.0, f64::max);
    let right = points().map(|(x, _)| *x).fold(10.0, f64::max);
    let root = SVGBackend::new(path, (860, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (10.0..right).log_scale(),
            (low * 0.8..high * 1.3).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("rules")
        .y_desc(unit)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y}"))
        .light_line_style(RGBColor(238, 238, 238))
        .draw()?;
    for (peer, name, points) in lines {
        let style = colour(*peer).stroke_width(if *peer == Peer::Bpfilter { 3 } else { 2 });
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
        let dots = points.iter().map(|at| Circle::new(*at, 3, style.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    root.present()?;
    Ok(())
}

impl Results {
    fn packet_lines(&self, shape: Shape) -> Vec<Line> {
        let line = |peer| {
            let sizes = SIZES.into_iter().filter(|count| *count > 0);
            let points = sizes.filter_map(|count| {
                let mut config = Config {
                    peer,
                    shape,
                    count,
                    hook: Hook::LocalIn,
                };
                if matches!(peer, Peer::Nothing | Peer::Empty) {
                    (config.shape, config.count) = (Shape::Sources, 0);
                }
                let total = self.times.total(config, Kind::Flow)?;
                Some((count as f64, total.value))
            });
            (peer, peer.name(), points.collect())
        };
        PEERS.into_iter().map(line).collect()
    }

    fn load_lines(&self, shape: Shape) -> Vec<Line> {
        let line = |peer| {
            let sizes = SIZES.into_iter().filter(|count| *count > 0);
            let points = sizes.filter_map(|count| {
                let time = self.updates.load.get(&(shape, count, peer))?;
                Some((count as f64, time.value))
            });
            (peer, peer.name(), points.collect())
        };
        PEERS.into_iter().skip(2).map(line).collect()
    }
}

/// Writes all plots.
pub(crate) fn write(results: &Results, folder: &Path) -> Result<(), Box<dyn Error>> {
    for (shape, file, title) in [
        (
            Shape::Sources,
            "packet-a.svg",
            "A: rules differ in their source",
        ),
        (
            Shape::Ports,
            "packet-b.svg",
            "B: rules differ in their UDP port",
        ),
    ] {
        let title = format!("{title}; one flow over loopback, end to end");
        let lines = results.packet_lines(shape);
        draw(&folder.join(file), &title, "ns for a packet", &lines)?;
    }
    draw(
        &folder.join("load-a.svg"),
        "A: loading all rules with each peer's own client",
        "ms",
        &results.load_lines(Shape::Sources),
    )
}

/// Draws the first table of a page that `bench/instructions` has written.
pub(crate) fn instructions(page: &Path) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(page)?;
    let mut rows = text
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim));
    // Behind the name and what it takes without a filter.
    let figure = |cell: &str| cell.split(' ').next().and_then(|word| word.parse().ok());
    let head = rows.next().ok_or("a page without a table")?;
    let sizes: Vec<Option<f64>> = head.skip(2).map(figure).collect();
    let mut lines: Vec<Line> = Vec::new();
    for mut row in rows {
        let name = row.next().unwrap_or_default();
        if let Some((peer, name)) = COUNTED.into_iter().find(|(_, known)| *known == name) {
            let points = sizes.iter().zip(row.skip(1).map(figure));
            let points = points.filter_map(|(size, figure)| Some(((*size)?, figure?)));
            lines.push((peer, name, points.filter(|(size, _)| *size > 0.0).collect()));
        }
    }
    if lines.iter().all(|(_, _, points)| points.is_empty()) {
        return Err(format!("{}: no figures in its first table", page.display()).into());
    }
    draw(
        &page.with_extension("svg"),
        "Instructions for a datagram over loopback, more than without a filter",
        "instructions",
        &lines,
    )
}
