// SPDX-License-Identifier: GPL-2.0-only
//! Traffic while what serves the calls is killed.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Mirror, ON_THE_WAY, Sums, counters_when, forwarded, same, same_counters};
use crate::oracle::case::Live;
use crate::world::REMOTE;
use crate::world::namespace::{Namespace, run};

/// A firewall that lets one port pass and drops the others, each at another
/// hook.
const STEADY: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n\
     -A INPUT -p udp -m udp --dport 2000 -j ACCEPT\n\
     -A FORWARD -p udp -m udp --dport 2000 -j ACCEPT\n\
     -A OUTPUT -p udp -m multiport --dports 2000,2001 -j ACCEPT\nCOMMIT\n";

/// Traffic and calls, while somebody outside kills what serves the calls: from
/// the line "ready" to the end of our standard input. What should pass passes,
/// all of it and nothing else.
pub fn steady() -> io::Result<String> {
    let namespace = Namespace::enter()?;
    run(&["iptables-legacy-restore"], STEADY)?;
    let live = Live::open()?;
    let first = live.entries()?;
    println!("ready");
    let stop = &AtomicBool::new(false);
    let sums: [Sums; 5] = Default::default();
    let [passed, stopped_in, stopped_out, through, stopped_through] = &sums;
    let mut calls = 0;
    std::thread::scope(|scope| -> io::Result<()> {
        let mut running = Vec::new();
        running.push(scope.spawn(move || -> io::Result<()> {
            let told = io::copy(&mut io::stdin(), &mut io::sink());
            stop.store(true, Ordering::Relaxed);
            told.map(|_| ())
        }));
        for (port, sums, passes) in [
            (2000, passed, true),
            (2001, stopped_in, false),
            (2002, stopped_out, false),
        ] {
            running.push(scope.spawn(move || -> io::Result<()> {
                let mirror = Mirror::new(port)?;
                for packet in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    mirror.send(sums)?;
                    if passes && packet % ON_THE_WAY == 0 {
                        mirror.settle(sums)?;
                    }
                }
                if passes {
                    return mirror.settle(sums);
                }
                // Nothing comes, and if it did, then by now or a moment later.
                std::thread::sleep(Duration::from_millis(50));
                mirror.drain(sums);
                Ok(())
            }));
        }
        let namespace = &namespace;
        running.push(scope.spawn(move || -> io::Result<()> {
            let frames = [
                (forwarded(REMOTE[0], 2000), through),
                (forwarded(REMOTE[3], 2001), stopped_through),
            ];
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                for (tun, (frame, sums)) in frames.iter().enumerate() {
                    namespace.tap(0).write_all(frame)?;
                    sums.sent.fetch_add(1, Ordering::Relaxed);
                    while namespace.tun(tun).read(&mut buffer).is_ok() {
                        sums.received.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Ok(())
        }));
        while !stop.load(Ordering::Relaxed) {
            // Whoever serves this may be killed in the middle of it, which is
            // an error of that call, or before it, which is none.
            if let Ok(entries) = live.entries() {
                calls += 1;
                same(
                    "size of the table",
                    first.len() as u64,
                    entries.len() as u64,
                )?;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        for thread in running {
            thread.join().expect("a sender that does not panic")?;
        }
        Ok(())
    })?;
    let sent: u64 = sums.iter().map(|sums| sums.get()[0]).sum();
    for (name, sums, passes, refuses) in [
        ("what passes", passed, true, false),
        ("what INPUT drops", stopped_in, false, false),
        ("what OUTPUT drops", stopped_out, false, true),
        ("what is forwarded", through, true, false),
        ("what FORWARD drops", stopped_through, false, false),
    ] {
        let [sent, refused, received] = sums.get();
        same(
            &format!("{name}, refused"),
            if refuses { sent } else { 0 },
            refused,
        )?;
        same(
            &format!("{name}, received"),
            if passes { sent } else { 0 },
            received,
        )?;
    }
    let number = |sums: &Sums| sums.get()[0];
    let expected = [
        number(passed),
        number(stopped_in),
        number(through),
        number(stopped_through),
        number(passed) + number(stopped_in),
        number(stopped_out),
    ];
    let counters = counters_when(&live, |counters| {
        let mut pairs = expected.iter().zip(counters);
        pairs.all(|(expected, got)| got.pcnt >= *expected)
    })?;
    same_counters(&expected, &counters)?;
    Ok(format!(
        "{sent} packets and {calls} calls, each as it should be"
    ))
}
