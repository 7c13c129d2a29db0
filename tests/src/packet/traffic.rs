// SPDX-License-Identifier: GPL-2.0-only
//! Traffic at full speed through a firewall that is being changed, killed, or
//! merely hit by many at once.
//!
//! Owns: senders on all hooks that count what they sent and what came through,
//! rule sets that are swapped under them, and the sums that must come out
//! even. What to expect is the same on ip_tables and on bpfilter.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use umh_core::abi::{Counters, GetInfo};
use zerocopy::FromBytes;

use crate::blob::Blob;
use crate::client::sockopt::Prepared;
use crate::oracle::case::Live;
use crate::packet::{Ipv4, protocol, udp};
use crate::world::namespace::{Namespace, run};
use crate::world::{REMOTE, SOURCES, TAP_ADDRESS, frame};

/// Bytes of data in every packet.
const DATA: usize = 32;
/// What takes longer hangs, on whatever machine.
const HANGS: Duration = Duration::from_secs(300);
/// Packets of a socket that may be on their way at once: fewer than a backlog or
/// a receive buffer takes, however late another CPU comes to it.
const ON_THE_WAY: u64 = 64;
/// Length of every packet at a hook.
const LENGTH: u64 = 20 + 8 + DATA as u64;

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

/// What senders have done so far.
#[derive(Debug, Default)]
struct Sums {
    /// Given to the kernel, taken or not.
    sent: AtomicU64,
    /// Refused with EPERM.
    refused: AtomicU64,
    /// Came through.
    received: AtomicU64,
}

impl Sums {
    fn get(&self) -> [u64; 3] {
        [&self.sent, &self.refused, &self.received].map(|sum| sum.load(Ordering::Relaxed))
    }
}

/// A socket that sends to itself through `lo`.
struct Mirror {
    socket: UdpSocket,
}

impl Mirror {
    fn new(port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", port))?;
        socket.connect(("127.0.0.1", port))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends one packet and takes what has come.
    fn send(&self, sums: &Sums) -> io::Result<()> {
        match self.socket.send(&[0; DATA]) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                sums.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => return Err(error),
        }
        // Last, so that who sees it sees the packet counted, too.
        sums.sent.fetch_add(1, Ordering::Relaxed);
        self.drain(sums);
        Ok(())
    }

    /// Waits until all has come that was sent, where all of it passes.
    fn settle(&self, sums: &Sums) -> io::Result<()> {
        let start = Instant::now();
        loop {
            self.drain(sums);
            let [sent, refused, received] = sums.get();
            if refused + received >= sent {
                return Ok(());
            }
            if start.elapsed() > HANGS {
                return Err(io::Error::other(format!(
                    "of {sent} packets {refused} are refused, {received} received"
                )));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn drain(&self, sums: &Sums) {
        let mut buffer = [0; DATA];
        while self.socket.recv(&mut buffer).is_ok() {
            sums.received.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A frame for a tap that is to be forwarded to this address.
fn forwarded(destination: [u8; 4], port: u16) -> Vec<u8> {
    let source = SOURCES[0];
    let packet = Ipv4 {
        ttl: 64,
        protocol: protocol::UDP,
        source,
        destination,
        payload: udp((source, 1000), (destination, port), &[0; DATA]),
        ..Ipv4::default()
    };
    frame(TAP_ADDRESS, 0, &packet.build())
}

/// Fails with a message unless two numbers are the same.
fn same(what: &str, expected: u64, got: u64) -> io::Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{what}: {expected} expected, got {got}"
    )))
}

/// The counters, once they are as they must be, or if they never are. What
/// another CPU still has in its backlog gets to INPUT yet.
fn counters_when(live: &Live, done: impl Fn(&[Counters]) -> bool) -> io::Result<Vec<Counters>> {
    let start = Instant::now();
    loop {
        // The helper may have been killed just before.
        let counters = (0..100).find_map(|_| live.counters().ok());
        let counters = counters.ok_or_else(|| io::Error::other("no counters in 100 calls"))?;
        if done(&counters) || start.elapsed() > HANGS {
            return Ok(counters);
        }
        std::thread::sleep(Duration::from_millis(1));
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
    let table = crate::oracle::table::Table::parse(&set.info, &set.entries);
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

/// So many threads send so many packets each through OUTPUT and INPUT, at
/// once. Every counter is exact.
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
    for (rule, (expected, got)) in expected.iter().zip(live.counters()?).enumerate() {
        same(&format!("packets of rule {rule}"), *expected, got.pcnt)?;
        same(
            &format!("bytes of rule {rule}"),
            expected * LENGTH,
            got.bcnt,
        )?;
    }
    Ok(format!("{n} threads, {all} packets, every counter exact"))
}

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
    for (rule, (expected, got)) in expected.iter().zip(counters).enumerate() {
        same(&format!("packets of rule {rule}"), *expected, got.pcnt)?;
        same(
            &format!("bytes of rule {rule}"),
            expected * LENGTH,
            got.bcnt,
        )?;
    }
    Ok(format!(
        "{sent} packets and {calls} calls, each as it should be"
    ))
}

/// One TCP connection through `lo` that moves so many megabytes, in packets as
/// large as the kernel makes them, most of each in pages of its own. Rules that
/// split what passes in two must add up to all of it.
pub fn bulk(megabytes: u64) -> io::Result<String> {
    const PORT: u16 = 3000;
    const CHUNK: usize = 1 << 20;
    let _namespace = Namespace::enter()?;
    let mut rules =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    let halves = [
        ["-m length --length 0:1500", "-m length ! --length 0:1500"],
        ["-m tcp --tcp-option 8", "-m tcp ! --tcp-option 8"],
        ["-m tcp --dport 3000", "-m tcp ! --dport 3000"],
        ["-m tcp --syn", "-m tcp ! --syn"],
    ];
    for hook in ["INPUT", "OUTPUT"] {
        rules += &format!("-A {hook}\n");
        for half in halves.as_flattened() {
            rules += &format!("-A {hook} -p tcp {half}\n");
        }
    }
    run(&["iptables-legacy-restore"], &(rules + "COMMIT\n"))?;
    let live = Live::open()?;
    let listener = TcpListener::bind(("127.0.0.1", PORT))?;
    let received = std::thread::scope(|scope| -> io::Result<u64> {
        let sender = scope.spawn(|| -> io::Result<()> {
            let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
            let chunk = vec![b'x'; CHUNK];
            for _ in 0..megabytes {
                stream.write_all(&chunk)?;
            }
            Ok(())
        });
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; CHUNK];
        let mut received = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                len => received += len as u64,
            }
        }
        sender.join().expect("a sender that does not panic")?;
        Ok(received)
    })?;
    same("bytes received", megabytes * CHUNK as u64, received)?;
    // The last acknowledgement may still be on its way.
    let mut counters = live.counters()?;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let later = live.counters()?;
        let packets = |all: &[Counters]| all.iter().map(|one| one.pcnt).sum::<u64>();
        if packets(&later) == packets(&counters) {
            break;
        }
        counters = later;
    }
    let per_hook = 1 + 2 * halves.len();
    // INPUT's rules and policy, FORWARD's policy, OUTPUT's rules.
    let (input, output) = (&counters[..per_hook], &counters[per_hook + 2..]);
    for hook in [input, output] {
        for (half, pair) in halves.iter().zip(hook[1..].chunks(2)) {
            let what = |unit| format!("{unit} of {half:?}");
            same(&what("packets"), hook[0].pcnt, pair[0].pcnt + pair[1].pcnt)?;
            same(&what("bytes"), hook[0].bcnt, pair[0].bcnt + pair[1].bcnt)?;
        }
    }
    // On the way out packets are larger than the length in their header can
    // say, which is 0 then; that does not make them short.
    for short in [input[1], output[1]] {
        if short.bcnt > 1500 * short.pcnt {
            return Err(io::Error::other(format!("short packets: {short:?}")));
        }
    }
    if input[2].pcnt == 0 {
        return Err(io::Error::other("no packet was larger than 1500 bytes"));
    }
    Ok(format!("{received} bytes in {} packets", input[0].pcnt))
}
