// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a Quote costs: the time until it is there, for one caller and for several at once.

use anyhow::Result;

use super::{median, Line, Measured};

/// How long the emulation's quoting service takes in the measurements, in milliseconds.
pub(super) const SERVICE_TIMES: [u64; 3] = [0, 5, 50];

/// The ways to ask, and whether Linux's own driver knows them.
const WAYS: [(&str, bool); 2] = [("configfs", true), ("ioctl", false)];

/// A figure of a line: that of one caller, or of several.
type Figure = fn(&Line) -> Option<f64>;

impl Measured {
    /// The median of a figure over the rounds.
    fn quotes(&self, wanted_way: &str, wanted_ms: u64, figure: Figure) -> Result<f64> {
        let wanted = |line: &&Line| {
            matches!(line, Line::Quote { way, service_ms, .. }
                if way == wanted_way && *service_ms == wanted_ms)
        };
        median(
            self.lines
                .iter()
                .filter(wanted)
                .filter_map(figure)
                .collect(),
        )
    }
}

/// Prints the tables. Linux's own driver has no ioctl for Quotes.
pub(super) fn print(rust: &Measured, c: &Measured) -> Result<()> {
    let alone: Figure = |line| match line {
        Line::Quote { median_ms, .. } => Some(*median_ms),
        _ => None,
    };
    let at_once: Figure = |line| match line {
        Line::Quote { parallel_ms, .. } => Some(*parallel_ms),
        _ => None,
    };
    let callers = rust.lines.iter().find_map(|line| match line {
        Line::Quote { callers, .. } => Some(*callers),
        _ => None,
    });
    for (about, figure) in [
        ("a Quote".to_owned(), alone),
        (
            format!("{} Quotes asked for at once", callers.unwrap_or_default()),
            at_once,
        ),
    ] {
        println!("milliseconds for {about}, 4 vCPUs, by the time that the quoting service takes");
        println!("  way      service        Rust         C    Rust/C");
        for (way, in_both) in WAYS {
            for service in SERVICE_TIMES {
                let ours = rust.quotes(way, service, figure)?;
                print!("  {way:<8} {service:>4} ms {ours:>11.1}");
                if in_both {
                    let theirs = c.quotes(way, service, figure)?;
                    println!(" {theirs:>9.1} {:>9.3}", ours / theirs);
                } else {
                    println!(" {:>9} {:>9}", "-", "-");
                }
            }
        }
        println!();
    }
    Ok(())
}
