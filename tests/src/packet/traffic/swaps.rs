// SPDX-License-Identifier: GPL-2.0-only
//! Rule sets that are swapped under traffic.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use umh_core::abi::{Counters, GetInfo};
use zerocopy::FromBytes;

use super::{HANGS, LENGTH, Mirror, Sums, counters_when, forwarded, same};
use crate::blob::Blob;
use crate::client::sockopt::Prepared;
use crate::oracle::case::Live;
use crate::oracle::table::Table;
use crate::world::REMOTE;
use crate::world::namespace::{Namespace, run};

/// A table that can be put in place again and again.
struct Loaded {
    info: GetInfo,
    entries: Vec<u8>,
}

impl Loaded {
    /// Loads rules by `iptables-legacy-restore` and remembers the result.
    fn new(rules: &str) -> io::Result<Self> {
        run(&["iptables-legacy-restore"], rules)?;
        let live = Live::open()?;
        Ok(Self {
            info: *live.info(),
            entries: live.entries()?,
        })
    }

    /// Puts this table in the place of `old`. The last counters of that.
    fn replace(&self, old: &Self) -> io::Result<Vec<Counters>> {
        let blob = Blob::of_loaded(&self.info, self.entries.clone(), old.info.num_entries);
        let outcome = Prepared::new(&blob.call())?.outcome();
        if outcome.ret != 0 {
            return Err(io::Error::from_raw_os_error(outcome.errno));
        }
        let pair = size_of::<Counters>();
        Ok(outcome
            .counters
            .chunks_exact(pair)
            .map(|bytes| Counters::read_from_bytes(bytes).expect("16 bytes"))
            .collect())
    }
}

/// The three rule sets of the swap test. A packet on `lo` meets OUTPUT, then
/// INPUT. The first set drops it at the one, the second at the other, the
/// third at both; in this order, no packet that each hook judges by the set in
/// force can come through, but one that meets two sets out of order, or
/// parts of two, can. All drop what is to be forwarded, each in its own way.
const SWAPPED: [&str; 3] = [
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
     -A INPUT\n\
     -A FORWARD\n\
     -A OUTPUT\n-A OUTPUT -p udp -m udp --dport 2000:2009 -j DROP\nCOMMIT\n",
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:sub - [0:0]\n\
     -A INPUT\n-A INPUT -i lo -j sub\n\
     -A FORWARD\n-A FORWARD -j sub\n\
     -A OUTPUT\n\
     -A sub -p tcp -j RETURN\n-A sub -s 10.0.0.0/8 -j ACCEPT\n-A sub -p udp -j DROP\nCOMMIT\n",
    "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n\
     -A INPUT\n-A INPUT -p icmp -j ACCEPT\n\
     -A FORWARD\n-A FORWARD -d 198.51.100.0/24 -j DROP\n\
     -A OUTPUT\n-A OUTPUT -p tcp -j ACCEPT\nCOMMIT\n",
];

/// Swaps rule sets so often under traffic on all hooks. Nothing may come
/// through, and each packet is counted once at each hook that it gets to.
pub fn swaps(count: u64) -> io::Result<String> {
    let namespace = Namespace::enter()?;
    let mut sets = Vec::new();
    for rules in SWAPPED {
        sets.push(Loaded::new(rules)?);
    }
    let probes: Vec<[usize; 3]> = sets.iter().map(probes).collect();
    sets[0].replace(&sets[2])?;

    let (local, through) = (Sums::default(), Sums::default());
    let stop = AtomicBool::new(false);
    let mut counted = [Counters { pcnt: 0, bcnt: 0 }; 3];
    let add = |counted: &mut [Counters], set: usize, counters: &[Counters]| {
        for (sum, probe) in counted.iter_mut().zip(probes[set]) {
            sum.pcnt += counters[probe].pcnt;
            sum.bcnt += counters[probe].bcnt;
        }
    };
    std::thread::scope(|scope| -> io::Result<()> {
        let mut senders = Vec::new();
        for port in [2000, 2001] {
            let (local, stop) = (&local, &stop);
            senders.push(scope.spawn(move || -> io::Result<()> {
                let mirror = Mirror::new(port)?;
                while !stop.load(Ordering::Relaxed) {
                    mirror.send(local)?;
                }
                mirror.drain(local);
                Ok(())
            }));
        }
        let (through, stopped, namespace) = (&through, &stop, &namespace);
        senders.push(scope.spawn(move || -> io::Result<()> {
            let frame = forwarded(REMOTE[0], 2000);
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                namespace.tap(0).write_all(&frame)?;
                through.sent.fetch_add(1, Ordering::Relaxed);
                while namespace.tun(0).read(&mut buffer).is_ok() {
                    through.received.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        }));
        let mut swap = || -> io::Result<()> {
            for number in 0..count {
                wait_for_traffic(&[&local, through])?;
                let (old, new) = ((number % 3) as usize, ((number + 1) % 3) as usize);
                add(&mut counted, old, &sets[new].replace(&sets[old])?);
            }
            Ok(())
        };
        let swapped = swap();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().expect("a sender that does not panic")?;
        }
        swapped
    })?;
    let [sent, refused, received] = local.get();
    let last = (count % 3) as usize;
    let before = counted[0].pcnt;
    let left = counters_when(&Live::open()?, |counters| {
        before + counters[probes[last][0]].pcnt >= sent - refused
    })?;
    add(&mut counted, last, &left);
    let [injected, _, forwarded] = through.get();
    same("packets that came through lo", 0, received)?;
    same("packets that were forwarded", 0, forwarded)?;
    for (name, expected, got) in [
        ("INPUT", sent - refused, counted[0]),
        ("FORWARD", injected, counted[1]),
        ("OUTPUT", sent, counted[2]),
    ] {
        same(&format!("packets at {name}"), expected, got.pcnt)?;
        same(&format!("bytes at {name}"), expected * LENGTH, got.bcnt)?;
    }
    Ok(format!(
        "{count} swaps, {sent} packets on lo ({refused} refused), {injected} to be forwarded"
    ))
}

/// The first rules of INPUT, FORWARD and OUTPUT.
fn probes(set: &Loaded) -> [usize; 3] {
    let table = Table::parse(&set.info, &set.entries);
    [1, 2, 3].map(|hook| table.hook_entry[hook].expect("a hook of the filter table"))
}

/// Until every sender has sent some more.
fn wait_for_traffic(senders: &[&Sums]) -> io::Result<()> {
    let since: Vec<u64> = senders.iter().map(|sums| sums.get()[0]).collect();
    let start = Instant::now();
    while senders
        .iter()
        .zip(&since)
        .any(|(sums, since)| sums.get()[0] < since + 5)
    {
        if start.elapsed() > HANGS {
            return Err(io::Error::other("a sender has stopped"));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
