// SPDX-License-Identifier: GPL-2.0-only
//! Many senders at once.

use std::io;

use super::{Mirror, ON_THE_WAY, Sums, same, same_counters};
use crate::oracle::case::Live;
use crate::world::namespace::{Namespace, run};

/// Gives this thread a real-time priority: whoever has a higher one takes the CPU from
/// who has a lower one, wherever in the kernel that is, if the kernel is preemptible.
fn set_priority(priority: u16) -> io::Result<()> {
    let param = libc::sched_param {
        sched_priority: priority.into(),
    };
    // SAFETY: the call reads `param`, which lives longer, and nothing else; 0 is this
    // thread.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// So many threads, each of another priority, send so many packets each through
/// OUTPUT and INPUT, at once. Every counter is exact.
pub fn senders(threads: u16, packets: u64) -> io::Result<String> {
    let _namespace = Namespace::enter()?;
    let mut rules = String::from(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:sub - [0:0]\n",
    );
    for hook in ["INPUT", "OUTPUT"] {
        rules += &format!("-A {hook}\n");
        for thread in 0..threads {
            rules += &format!("-A {hook} -p udp -m udp --dport {}\n", 2000 + thread);
        }
        rules += &format!("-A {hook} -j sub\n");
    }
    rules += "-A sub -p udp -j RETURN\nCOMMIT\n";
    run(&["iptables-legacy-restore"], &rules)?;
    let live = Live::open()?;
    let sums: Vec<Sums> = (0..threads).map(|_| Sums::default()).collect();
    std::thread::scope(|scope| -> io::Result<()> {
        let mut running = Vec::new();
        for (sums, port) in sums.iter().zip(2000..) {
            running.push(scope.spawn(move || -> io::Result<()> {
                set_priority(port - 1999)?;
                let mirror = Mirror::new(port)?;
                for packet in 1..=packets {
                    mirror.send(sums)?;
                    if packet % ON_THE_WAY == 0 {
                        mirror.settle(sums)?;
                    }
                }
                mirror.settle(sums)
            }));
        }
        for thread in running {
            thread.join().expect("a sender that does not panic")?;
        }
        Ok(())
    })?;
    let all = packets * u64::from(threads);
    for (name, of) in [("sent", 0), ("received", 2)] {
        let got = sums.iter().map(|sums| sums.get()[of]).sum();
        same(&format!("packets {name}"), all, got)?;
    }

    let n = u64::from(threads);
    let mut expected = Vec::new();
    let hook = |expected: &mut Vec<u64>| {
        expected.push(all);
        expected.extend(std::iter::repeat_n(packets, threads.into()));
        // The jump to `sub`, and the policy.
        expected.extend([all, all]);
    };
    hook(&mut expected);
    expected.push(0);
    hook(&mut expected);
    // The head of `sub`, its rule, its end; the end of the table.
    expected.extend([0, 2 * all, 0, 0]);
    same_counters(&expected, &live.counters()?)?;
    Ok(format!("{n} threads, {all} packets, every counter exact"))
}
