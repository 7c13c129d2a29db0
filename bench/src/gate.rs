// SPDX-License-Identifier: GPL-2.0-only
//! The gate: bpfilter counts what ip_tables counts.
//!
//! Owns: sending the same packets through both, right after both were loaded,
//! and comparing the counters of all rules and policies. A difference fails
//! the run: figures of a filter that does something else are worth nothing.

use std::io;

use umh_core::abi::Counters;

use crate::measure::Kind;
use crate::stage::{Peer, Stage};
use crate::traffic::{BATCH, Traffic};

/// Batches of each traffic that both are sent.
const BATCHES: usize = 16;

/// Sends the same packets through each configuration of bpfilter and its
/// ip_tables counterpart. `traffic` gives what a station is sent. Returns how
/// many counters were compared.
pub(crate) fn check(
    stage: &mut Stage,
    traffic: impl Fn(&Stage, usize) -> Vec<(Kind, Traffic)>,
) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for place in 0..stage.stations.len() {
        let config = stage.stations[place].config;
        if config.peer != Peer::Bpfilter {
            continue;
        }
        let judge = crate::stage::Config {
            peer: Peer::IpTables,
            ..config
        };
        let judge = stage
            .stations
            .iter()
            .position(|other| other.config == judge);
        let judge = judge.ok_or_else(|| io::Error::other(format!("{config}: no ip_tables")))?;
        for place in [judge, place] {
            for (kind, mut traffic) in traffic(stage, place) {
                for _ in 0..traffic.batches().min(BATCHES) {
                    let sent = traffic.send(&stage.stations[place].sockets, BATCH);
                    sent.map_err(|error| io::Error::other(format!("{config}, {kind}: {error}")))?;
                }
            }
        }
        let expected = stage.counters(judge)?;
        let got = stage.counters(place)?;
        if let Some(difference) = difference(&expected, &got) {
            return Err(io::Error::other(format!("{config}: {difference}")));
        }
        let packets: u64 = got.iter().map(|counters| counters.pcnt).sum();
        if packets == 0 {
            return Err(io::Error::other(format!("{config}: nothing was counted")));
        }
        let hit = got.iter().filter(|counters| counters.pcnt > 0).count();
        lines.push(format!(
            "{config}: {} counters equal, {hit} of them not zero, {packets} counts",
            got.len()
        ));
    }
    Ok(lines)
}

/// Where counters differ, if they do.
fn difference(expected: &[Counters], got: &[Counters]) -> Option<String> {
    if expected.len() != got.len() {
        let lengths = (got.len(), expected.len());
        return Some(format!(
            "{} entries, ip_tables has {}",
            lengths.0, lengths.1
        ));
    }
    let mut pairs = expected.iter().zip(got).enumerate();
    pairs.find_map(|(rule, (expected, got))| {
        ((expected.pcnt, expected.bcnt) != (got.pcnt, got.bcnt)).then(|| {
            format!("the counters of entry {rule} are {got:?}, those of ip_tables {expected:?}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_or_byte_makes_a_difference() {
        let some = |pcnt, bcnt| Counters { pcnt, bcnt };
        let expected = [some(1, 36), some(0, 0)];
        assert_eq!(difference(&expected, &expected), None);
        for other in [some(1, 0), some(0, 36), some(1, 36)] {
            assert!(difference(&expected, &[expected[0], other]).is_some());
        }
        assert!(difference(&expected, &expected[..1]).is_some());
    }
}
