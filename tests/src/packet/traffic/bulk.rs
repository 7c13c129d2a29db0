// SPDX-License-Identifier: GPL-2.0-only
//! Packets as large as the kernel makes them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use umh_core::abi::Counters;

use super::same;
use crate::oracle::case::Live;
use crate::world::namespace::{Namespace, run};

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
