// SPDX-License-Identifier: GPL-2.0-only
//! Tables of rates, in programs on this machine's kernel.
//!
//! What an entry becomes with each packet is held against the functions of
//! xt_hashlimit.c, written down once more here, at the tick that the program
//! itself has taken: it stands in the entry. So there is no tolerance.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::thread;
use std::time::{Duration, Instant};

use bpfilter_tests::blob::{Rule, Table, Target};
use bpfilter_tests::oracle::case::Live;
use bpfilter_tests::packet::{Ipv4, protocol, udp};
use bpfilter_tests::programs::{Programs, kernel};
use bpfilter_tests::replace_checks::data::hashlimit::Hashlimit;
use bpfilter_tests::world::namespace::{run, unshare};
use fastrand::Rng;
use umh_core::abi::Hook;
use umh_core::abi::{FILTER, Replace, VERDICT_ACCEPT, VERDICT_DROP};
use umh_core::ir::LimitRates;

fn load(rule: &str) -> Programs {
    load_behind("", rule)
}

fn load_behind(others: &str, rule: &str) -> Programs {
    load_all(&format!(
        "{others}-A INPUT {rule} -j ACCEPT\n-A INPUT -j DROP\n"
    ))
}

fn load_all(rules: &str) -> Programs {
    let rules = format!("*filter\n{rules}COMMIT\n");
    run(&["iptables-legacy-restore"], &rules).unwrap();
    let live = Live::open().unwrap();
    let info = live.info();
    let header = Replace {
        name: info.name,
        valid_hooks: FILTER.valid_hooks(),
        num_entries: info.num_entries,
        size: info.size,
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        num_counters: 4,
        counters: 0,
    };
    match Programs::load(&header, &live.entries().unwrap()) {
        Ok(programs) => programs,
        Err(error) => panic!("{error}"),
    }
}

fn passes(programs: &Programs, source: [u8; 4]) -> bool {
    passes_from(programs, source, [1, 2])
}

fn passes_from(programs: &Programs, source: [u8; 4], ports: [u16; 2]) -> bool {
    let destination = [10, 0, 0, 1];
    let packet = Ipv4 {
        ttl: 64,
        protocol: protocol::UDP,
        source,
        destination,
        payload: udp((source, ports[0]), (destination, ports[1]), b"rates"),
        ..Ipv4::default()
    };
    let run = programs.run(Hook::LocalIn, &packet.build(), 1).unwrap();
    run.accepted
}

#[test]
fn a_full_table_is_swept_once_a_collection() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 1 --hashlimit-name full \
         --hashlimit-mode srcip --hashlimit-htable-size 4 --hashlimit-htable-max 8 \
         --hashlimit-htable-expire 1000 --hashlimit-htable-gcinterval 200",
    );
    println!("{}", programs.log[0]);
    let mut rounds = 0;
    for round in 0.. {
        let started = Instant::now();
        let mut seen = Vec::new();
        for n in 0..8 {
            seen.push(passes(&programs, [10, round, 0, n]));
            seen.push(passes(&programs, [10, round, 0, n]));
        }
        seen.push(passes(&programs, [10, round, 1, 0]));
        // A machine may be so busy that the first ones have grown old already:
        // that says nothing, and there is another round.
        if started.elapsed() < Duration::from_millis(900) {
            // Of each address a first packet and not a second one; then there is no room.
            assert_eq!(seen, [[true, false].repeat(8), vec![false]].concat());
            rounds += 1;
        }
        if rounds == 3 {
            break;
        }
        // All of them grow old, and make room for others.
        thread::sleep(Duration::from_millis(1300));
    }
}

/// The index of a big table uses what of the frame the prologue leaves.
#[test]
fn ports_are_told_apart_in_a_table_with_an_index() {
    unshare().unwrap();
    let mut others = String::new();
    for n in 0..400 {
        others += &format!(
            "-A INPUT -p udp --dport {}:{} -j DROP\n",
            1000 + n,
            3000 + n
        );
    }
    let programs = load_behind(
        &others,
        "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 1 --hashlimit-name ports \
         --hashlimit-mode srcport,dstport -p udp",
    );
    assert!(programs.indexed_by[1], "rule bitmaps");
    for ports in [[1, 2], [1, 3], [2, 2], [3, 7]] {
        assert!(passes_from(&programs, [10, 0, 0, 1], ports), "{ports:?}");
        assert!(!passes_from(&programs, [10, 0, 0, 1], ports), "{ports:?}");
    }
}

/// Instructions that the verifier has gone through for INPUT's program.
fn steps(programs: &Programs) -> u32 {
    let [log, ..] = &programs.log[..] else {
        panic!("no log")
    };
    let (_, rest) = log.split_once("processed ").unwrap();
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

/// recent has to know how many times its addresses have, whatever stands
/// between two of its tables.
#[test]
fn tables_of_all_kinds_stand_together() {
    unshare().unwrap();
    let programs = load_all(
        "-A INPUT -p esp -m esp --espspi 4 -m recent --set \
         -m hashlimit --hashlimit-upto 5/s --hashlimit-name a --hashlimit-mode srcip\n\
         -A OUTPUT -m recent --name x --rcheck --seconds 4 --hitcount 3 \
         -m hashlimit --hashlimit-upto 5kb/s --hashlimit-name c -j ACCEPT\n",
    );
    assert!(steps(&programs) < 50_000, "{}", programs.log[0]);
}

/// What an op leaves in the frame must not make the verifier follow the index
/// once more: with a few kinds of ops it would take longer than anybody waits.
#[test]
fn the_verifier_does_not_take_forever() {
    unshare().unwrap();
    let mut rules = String::new();
    for n in 0..100 {
        rules += &format!(
            "-A INPUT -p udp --dport {}:{} -j DROP\n",
            1000 + n,
            3000 + 2 * n
        );
    }
    rules += "-A INPUT -m hashlimit --hashlimit-upto 5/s --hashlimit-name a --hashlimit-mode srcip\n\
              -A INPUT -m recent --set\n\
              -A INPUT -m u32 --u32 0=1\n\
              -A INPUT -m conntrack --ctexpire 1:5\n";
    let programs = load_all(&rules);
    assert!(programs.indexed_by[1], "rule bitmaps");
    assert!(steps(&programs) < 80_000, "{}", programs.log[0]);
}

#[test]
fn credit_comes_back_as_time_goes_by() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 20/sec --hashlimit-burst 100 --hashlimit-name rate \
         --hashlimit-mode srcip",
    );
    let started = Instant::now();
    // A packet, and the times just before it and just behind it.
    let packet = || {
        let before = started.elapsed().as_secs_f64();
        let passes = passes(&programs, [10, 0, 0, 1]);
        (passes, [before, started.elapsed().as_secs_f64()])
    };
    // All of the burst, however long this thread waits for a CPU meanwhile.
    let mut burst = 0;
    let first = loop {
        match packet() {
            (true, _) => burst += 1,
            (false, times) => break times,
        }
    };
    assert!(burst >= 100, "{burst}");
    assert!(
        f64::from(burst) <= 102.0 + 20.0 * first[1],
        "{burst} in {first:?} s"
    );
    // Now nothing is left. All that has come back at a later packet that does not pass is
    // used, too: no wait is as long as a burst takes to come back.
    let mut passed = 0;
    let mut known = (0, first);
    let elapsed = || started.elapsed().as_secs_f64() - first[1];
    while elapsed() < 3.0 || (known.0 == 0 && elapsed() < 60.0) {
        match packet() {
            (true, _) => passed += 1,
            (false, times) => {
                known = (passed, times);
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
    let (passed, last) = known;
    let [least, most] = [last[0] - first[1], last[1] - first[0]];
    // A tick of the clock is 10 ms at most, a packet less at the end.
    let passed = f64::from(passed);
    assert!(
        passed >= 20.0 * least - 2.0 && passed <= 20.0 * most + 2.0,
        "{passed} in {least} to {most} s"
    );
}

#[test]
fn no_credit_is_lost_or_given_twice() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 1/min --hashlimit-burst 1000 --hashlimit-name many \
         --hashlimit-mode srcip --hashlimit-htable-expire 3600000",
    );
    let passed: u32 = thread::scope(|scope| {
        let count = || {
            (0..2000)
                .filter(|_| passes(&programs, [10, 0, 0, 1]))
                .count() as u32
        };
        let threads = [(); 4].map(|()| scope.spawn(count));
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(passed, 1000);
}

const INVERT: u32 = 1 << 4;
const BYTES: u32 = 1 << 5;
const RATE: u32 = 1 << 6;

/// `struct dsthash_ent`, as far as it is about rates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Entry {
    prev: u64,
    credit: u64,
    credit_cap: u64,
    cost: u64,
    current_rate: u64,
    rate: u64,
    interval: u32,
    prev_window: bool,
    burst: u64,
}

/// The greatest power of two below.
fn pow2_below(number: u64) -> u64 {
    1 << number.ilog2()
}

/// xt_hashlimit.c for one table, whose rules are all of a revision.
struct Model<'a> {
    cfg: Hashlimit<'a>,
    revision: u8,
    hz: u32,
}

impl Model<'_> {
    fn cpj(&self) -> u64 {
        let day = u64::from(self.hz) * 60 * 60 * 24;
        match self.revision {
            1 => pow2_below(u64::from(u32::MAX) / day),
            _ => pow2_below(u64::MAX / day),
        }
    }

    fn cpj_bytes(&self) -> u64 {
        pow2_below(u64::from(u32::MAX / self.hz))
    }

    fn user2credits(&self, user: u64) -> u64 {
        let scale = if self.revision == 1 {
            10_000
        } else {
            1_000_000
        };
        let second = u64::from(self.hz) * self.cpj();
        match scale >= second {
            true => user / (scale / second),
            false => user.wrapping_mul(second / scale),
        }
    }

    /// rateinfo_init
    fn init(&self, now: u64) -> Entry {
        let Hashlimit { avg, burst, .. } = self.cfg;
        let mut entry = Entry {
            prev: now,
            ..Entry::default()
        };
        if self.revision >= 3 && self.cfg.mode & RATE != 0 {
            if self.cfg.mode & BYTES != 0 {
                entry.rate = (u64::from(u32::MAX / avg as u32) - 1) << 4;
                entry.burst = match burst {
                    0 => entry.rate,
                    burst => burst * entry.rate,
                };
            } else {
                entry.rate = 1_000_000 / avg;
                entry.burst = burst + entry.rate;
            }
            entry.interval = self.cfg.interval;
        } else if self.cfg.mode & BYTES != 0 {
            entry.credit = self.cpj_bytes() * u64::from(self.hz);
            entry.cost = (u64::from(avg as u32) * entry.credit) >> 32;
            entry.credit_cap = burst;
        } else {
            entry.credit = self.user2credits(avg.wrapping_mul(burst));
            entry.cost = self.user2credits(avg);
            entry.credit_cap = entry.credit;
        }
        entry
    }

    /// rateinfo_recalc
    fn recalc(&self, entry: &mut Entry, now: u64) {
        let delta = now - entry.prev;
        if delta == 0 {
            return;
        }
        if self.revision >= 3 && self.cfg.mode & RATE != 0 {
            let interval = u64::from(entry.interval * self.hz);
            if delta < interval {
                return;
            }
            entry.prev = now;
            entry.prev_window = entry.current_rate * interval > delta * entry.rate;
            entry.current_rate = 0;
            return;
        }
        entry.prev = now;
        let cap;
        if self.cfg.mode & BYTES != 0 {
            let before = entry.credit;
            entry.credit = before.wrapping_add(self.cpj_bytes() * delta);
            cap = self.cpj_bytes() * u64::from(self.hz);
            if before >= entry.credit {
                entry.credit = cap;
                return;
            }
        } else {
            entry.credit = entry.credit.wrapping_add(delta.wrapping_mul(self.cpj()));
            cap = entry.credit_cap;
        }
        entry.credit = entry.credit.min(cap);
    }

    /// hashlimit_mt_common: whether a packet of such a length is in the limit.
    fn packet(&self, entry: &mut Option<Entry>, now: u64, len: u64) -> bool {
        match entry {
            Some(entry) => self.recalc(entry, now),
            None => *entry = Some(self.init(now)),
        }
        let entry = entry.as_mut().unwrap();
        if self.cfg.mode & RATE != 0 {
            entry.current_rate += if self.cfg.mode & BYTES != 0 { len } else { 1 };
            return !entry.prev_window && entry.current_rate <= entry.burst;
        }
        let mut cost = entry.cost;
        if self.cfg.mode & BYTES != 0 {
            let most = self.cpj_bytes() * u64::from(self.hz);
            cost = (((len >> 4) + 1) * entry.cost).min(most);
            if entry.credit < cost && entry.credit_cap != 0 {
                entry.credit_cap -= 1;
                entry.credit = most;
            }
        }
        let enough = entry.credit >= cost;
        if enough {
            entry.credit -= cost;
        }
        enough
    }

    /// An entry as the program keeps it.
    fn is(&self, entry: &Entry, kept: &LimitRates) -> bool {
        let mine = [entry.prev, entry.credit, entry.credit_cap, entry.cost];
        let windows = [
            entry.prev,
            entry.prev_window.into(),
            entry.current_rate,
            entry.rate,
        ];
        let kept = [kept.previous, kept.credit, kept.cap, kept.cost];
        kept == if self.cfg.mode & RATE != 0 {
            windows
        } else {
            mine
        }
    }
}

/// One table under packets of random lengths at random times.
fn held_against_the_model(seed: u64, revision: u8, cfg: Hashlimit<'_>) {
    let mut rng = Rng::with_seed(seed);
    let hz = kernel().1.hz;
    let model = Model { cfg, revision, hz };
    let mut rule = Rule::any(Target::Verdict(VERDICT_ACCEPT));
    rule.matches.push(cfg.extension(revision));
    let mut table = Table::default();
    table.builtin[0] = vec![rule, Rule::any(Target::Verdict(VERDICT_DROP))];
    let blob = table.blob();
    let programs = Programs::load(&blob.header, &blob.entries).unwrap();
    let lives = (u64::from(cfg.expire) * u64::from(hz)).div_ceil(1000);
    let started = Instant::now();
    let mut entry = None;
    let mut first = None;
    for packet in 0..400 {
        if rng.u32(..4) == 0 {
            thread::sleep(Duration::from_millis(rng.u64(..25)));
        }
        let payload = vec![0; rng.usize(..1400)];
        let bytes = Ipv4 {
            ttl: 64,
            protocol: 47,
            source: [10, 0, 0, 1],
            destination: [10, 0, 0, 2],
            payload,
            ..Ipv4::default()
        };
        let bytes = bytes.build();
        let run = programs.run(Hook::LocalIn, &bytes, 1).unwrap();
        let kept = programs.rates(0, [0; 16]).unwrap();
        let now = kept.expire - lives;
        let before = entry;
        let within = model.packet(&mut entry, now, bytes.len() as u64);
        let what = format!("{cfg:?} {revision}\npacket {packet} at {now}: {before:?} {entry:?}");
        assert!(model.is(&entry.unwrap(), &kept), "{what}\n{kept:?}");
        assert_eq!(run.accepted, within ^ (cfg.mode & INVERT != 0), "{what}");
        // And the tick is this machine's, but for those that two times are apart.
        let since = now - *first.get_or_insert(now);
        let elapsed = started.elapsed().as_secs_f64() * f64::from(hz);
        assert!(
            since as f64 <= elapsed + 1.0,
            "{what}: {since} of {elapsed}"
        );
    }
}

#[test]
fn entries_are_those_of_xt_hashlimit() {
    let fine = Hashlimit {
        mode: 0,
        avg: 0,
        burst: 5,
        gc_interval: 1000,
        expire: 3_600_000,
        interval: 1,
        masks: [32, 32],
        name: b"model",
    };
    let mut tests = Vec::new();
    for revision in 1..4 {
        let second = if revision == 1 { 10_000 } else { 1_000_000 };
        for rate in [1, 30, 200] {
            let avg = second / rate;
            tests.push((revision, Hashlimit { avg, ..fine }));
            let windows = Hashlimit {
                avg,
                mode: RATE,
                ..fine
            };
            if revision == 3 {
                tests.push((revision, windows));
            }
        }
        // 16 bytes a second, and what the sequences of named_tables ask for.
        for (chunks, burst) in [(1, 1), (1, 10), (1, 20), (600, 3), (40_000, 0), (9, 0)] {
            let avg = u64::from(u32::MAX / chunks);
            let bytes = Hashlimit {
                avg,
                burst,
                mode: BYTES | INVERT,
                ..fine
            };
            tests.push((revision, bytes));
            if revision == 3 && chunks > 1 {
                let mode = BYTES | RATE;
                tests.push((revision, Hashlimit { mode, ..bytes }));
            }
        }
    }
    thread::scope(|scope| {
        for (seed, (revision, cfg)) in (0..).zip(tests) {
            scope.spawn(move || held_against_the_model(seed, revision, cfg));
        }
    });
}
