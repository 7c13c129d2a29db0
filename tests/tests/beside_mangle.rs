// SPDX-License-Identifier: GPL-2.0-only
//! The same rules twice in one namespace: in `mangle`, which stays ip_tables',
//! and in `filter`, which is bpfilter's. Each packet meets both within a few
//! microseconds, so that what depends on the time, or on what a connection has
//! transferred, can be compared to the packet.
//!
//! Needs root, and ip_tables in the running kernel.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::process::Command;

use bpfilter_tests::client::side::{run_path, scratch, umh_path};

/// Loads `rules` behind `-A INPUT` into both tables, runs `traffic`, and gives
/// the packets and bytes of each rule: ip_tables', then bpfilter's.
fn counted(name: &str, rules: &[String], traffic: &str) -> [Vec<String>; 2] {
    let table = |table: &str| {
        let lines: Vec<_> = rules
            .iter()
            .map(|rule| format!("-A INPUT {rule}\n"))
            .collect();
        format!("*{table}\n{}COMMIT\n", lines.concat())
    };
    let script = format!(
        "ip link set lo up\n\
         iptables-legacy-restore <<'END'\n{}{}END\n\
         {traffic}\n\
         for table in mangle filter; do\n\
         iptables-legacy-save -c -t $table | sed -n 's/ -A INPUT.*//p'\n\
         echo end\n\
         done\n",
        table("mangle"),
        table("filter"),
    );
    let output = Command::new(run_path())
        .arg("--umh")
        .arg(umh_path())
        .args(["--", "unshare", "-n", "bash", "-euo", "pipefail", "-c"])
        .arg(script)
        .env(
            "XTABLES_LOCKFILE",
            scratch().join(format!("xtables.{name}")),
        )
        .output()
        .expect("bpfilter-run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut tables = said.split("end\n");
    let mut next = || {
        let counts: Vec<_> = tables
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| line.starts_with('['))
            .map(str::to_owned)
            .collect();
        assert_eq!(counts.len(), rules.len(), "{said}");
        counts
    };
    [next(), next()]
}

/// Both have counted the same, and at least `least` rules something.
fn the_same(name: &str, rules: &[String], traffic: &str, least: usize) {
    let [expected, got] = counted(name, rules, traffic);
    let differ: Vec<_> = rules
        .iter()
        .zip(expected.iter().zip(&got))
        .filter(|(_, (expected, got))| expected != got)
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
    let counted = got.iter().filter(|counts| *counts != "[0:0]").count();
    assert!(counted >= least, "{counted} of {} rules", rules.len());
}

#[test]
fn connections_have_transferred_as_much() {
    let mut rules = Vec::new();
    for mode in ["packets", "bytes", "avgpkt"] {
        for way in ["original", "reply", "both"] {
            for count in [
                "1",
                "2:4",
                "3",
                "60:100",
                "! 2:5",
                "! 84",
                "1000:100000",
                "1000000",
            ] {
                let (not, count) = match count.strip_prefix("! ") {
                    Some(count) => (" !", count),
                    None => ("", count),
                };
                rules.push(format!(
                    "-m connbytes{not} --connbytes {count} --connbytes-mode {mode} --connbytes-dir {way}"
                ));
            }
        }
    }
    let traffic = "
        ping -q -c 6 -i 0.01 127.0.0.1 >/dev/null
        python3 - <<'END'
import socket
server = socket.create_server(('127.0.0.1', 0))
for size in 1, 1000, 300000:
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    client.sendall(b'x' * size)
    client.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass
    peer.sendall(b'y' * (size // 3))
    peer.close()
    while client.recv(65536):
        pass
    client.close()
END";
    the_same("connbytes", &rules, traffic, rules.len() / 2);
}

#[test]
fn helpers_have_expected_the_same_connections() {
    let mut rules = Vec::new();
    for name in ["ftp", "ft", "f", "ftpx", "ftp-2121", "xftp", "FTP", "\"\""] {
        for not in ["", " !"] {
            rules.push(format!("-m helper{not} --helper {name}"));
        }
    }
    // The first line of a direction is where its lines are taken to start.
    let traffic = "
        iptables-legacy -t raw -A OUTPUT -p tcp --dport 21 -j CT --helper ftp
        python3 - <<'END'
import socket
server = socket.create_server(('127.0.0.1', 21))
client = socket.create_connection(('127.0.0.1', 21))
peer, _ = server.accept()
client.sendall(b'USER x\\r\\n')
assert peer.recv(100) == b'USER x\\r\\n'
data = socket.create_server(('127.0.0.1', 5 * 256 + 7))
client.sendall(b'PORT 127,0,0,1,5,7\\r\\n')
assert peer.recv(100) == b'PORT 127,0,0,1,5,7\\r\\n'
active = socket.create_connection(('127.0.0.1', 5 * 256 + 7))
other, _ = data.accept()
active.sendall(b'data')
assert other.recv(9) == b'data'
END";
    the_same("helper", &rules, traffic, rules.len() / 2);
}

/// Rules whose time ends or begins a few seconds from now, which the packets
/// see, and others.
#[test]
fn the_clock_is_the_same() {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let of_day = |second: u64| {
        let second = second % 86400;
        format!(
            "{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    };
    let mut rules: Vec<String> = (1..=31)
        .map(|day| format!("-p icmp -m time --monthdays {day}"))
        .collect();
    for day in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] {
        rules.push(format!("-p icmp -m time --weekdays {day}"));
        // All of a day and of the next but one second, whatever time it is:
        // --contiguous wants a start that is later in the day than the stop.
        for hour in [1, 6, 12, 18, 23] {
            rules.push(format!(
                "-p icmp -m time --weekdays {day} --timestart {hour:02}:00 --timestop {:02}:59:59 --contiguous",
                hour - 1
            ));
        }
    }
    let edges = rules.len();
    for second in 0..12 {
        let second = of_day(now + second);
        rules.push(format!(
            "-p icmp -m time --timestart {second} --timestop {second}"
        ));
        rules.push(format!("-p icmp -m time --timestart {second}"));
        rules.push(format!("-p icmp -m time --timestop {second}"));
    }
    let traffic = "ping -q -c 600 -i 0.01 127.0.0.1 >/dev/null";
    let [expected, got] = counted("time", &rules, traffic);
    let packets = |counts: &str| -> i64 {
        let number = counts.trim_start_matches('[').split(':').next();
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    };
    let mut seconds = 0;
    for (at, rule) in rules.iter().enumerate() {
        let (expected, got) = (packets(&expected[at]), packets(&got[at]));
        // ip_tables' clock goes on with the tick, so that at each of its edges
        // it may see the time before for up to a hundredth of a second (a
        // question and its answer, where HZ is 100), and not one packet more.
        // A rule of days has an edge here if the test runs at midnight.
        let edge = at >= edges || (1..1200).contains(&got) || (1..1200).contains(&expected);
        let allowed = if edge { 4 } else { 0 };
        assert!(
            (expected - got).abs() <= allowed,
            "{rule}: {expected}, not {got}"
        );
        seconds += i64::from(at >= edges && (1..1200).contains(&got));
    }
    assert!(seconds >= 9, "{seconds} rules began or ended");
}
