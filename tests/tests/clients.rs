// SPDX-License-Identifier: GPL-2.0-only
//! The real iptables, iptables-save and iptables-restore: sequences of
//! commands, run on the kernel's own ip_tables and on bpfilter. After each
//! command its output, its errors, its exit status and the whole table must
//! be the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob::add_counters;
use bpfilter_tests::client::side::Pair;
use bpfilter_tests::oracle::judge;
use umh_core::abi::FILTER;

fn pair() -> Pair {
    Pair::new(env!("CARGO_BIN_EXE_rawclient"))
}

/// Runs each line on both sides. A line that starts with `! ` must fail, the
/// others must not: on both sides, so that a typing error is no test.
fn sequence(pair: &mut Pair, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (fails, line) = match line.strip_prefix("! ") {
            Some(line) => (true, line),
            None => (false, line),
        };
        let ran = pair.shell(line, b"");
        assert_eq!(ran.status != 0, fails, "{line}: {ran:?}");
        pair.same_table();
    }
    pair.shell("save -c", b"");
}

#[test]
fn rules_come_and_go() {
    sequence(
        &mut pair(),
        "
        iptables -S
        iptables -L
        iptables -A INPUT -p tcp --dport 80 -j DROP
        iptables -A INPUT -p tcp --sport 1024: ! --dport 22:25 --syn -j ACCEPT
        iptables -A INPUT -p udp ! --sport 53 -j ACCEPT
        iptables -A INPUT -p icmp --icmp-type echo-request -j ACCEPT
        iptables -A INPUT -s 10.0.0.0/8 -d 192.168.1.1 -i eth0 -j RETURN
        iptables -A FORWARD -i eth+ -o ! lo -j ACCEPT 2>&1 | grep -v warning; true
        iptables -A FORWARD -i eth+ ! -o lo -j ACCEPT
        iptables -A FORWARD -s 10.0.0.1/255.0.255.0 -j DROP
        iptables -A OUTPUT ! -p 50 -j ACCEPT
        iptables -A OUTPUT -f -j DROP
        iptables -A OUTPUT ! -f -d 1.2.3.4 -j DROP
        iptables -I INPUT -j ACCEPT
        iptables -I INPUT 3 -s 127.0.0.1
        iptables -R INPUT 2 -p tcp --dport 81 -j DROP
        iptables -C INPUT -p tcp --dport 81 -j DROP
        ! iptables -C INPUT -p tcp --dport 82 -j DROP
        ! iptables -C NOCHAIN -j DROP
        iptables -L -n -v -x --line-numbers
        iptables -L INPUT 2 -n
        iptables -S INPUT 1
        iptables -v -S INPUT
        iptables -D INPUT 1
        iptables -D INPUT -p tcp --dport 81 -j DROP
        ! iptables -D INPUT -p tcp --dport 81 -j DROP
        ! iptables -D INPUT 99
        ! iptables -R INPUT 99 -j DROP
        ! iptables -I INPUT 99 -j DROP
        iptables -A INPUT -c 12 3456 -j ACCEPT
        iptables -L INPUT -v -n -x
        iptables -v -A INPUT -j DROP
        iptables -v -D INPUT -j DROP
        iptables -F INPUT
        iptables -F
        iptables -L -n
        ",
    );
}

#[test]
fn chains_come_and_go() {
    sequence(
        &mut pair(),
        "
        iptables -N one
        iptables -N two
        ! iptables -N one
        ! iptables -N INPUT
        ! iptables -N this-name-has-thirty-characters
        iptables -N this-name-has-28-characters-
        ! iptables -N -x
        iptables -A INPUT -j one
        iptables -A INPUT -g two
        iptables -A one -s 10.0.0.0/8 -j two
        ! iptables -A two -j one
        iptables -A two -j RETURN
        iptables -A two -j one
        iptables -D two 2
        iptables -A one -p tcp -g two
        iptables -S
        ! iptables -A two -j nowhere
        ! iptables -A nowhere -j DROP
        ! iptables -X one
        ! iptables -X nowhere
        ! iptables -X INPUT
        iptables -E two three
        ! iptables -E two four
        ! iptables -E one three
        iptables -L -n
        iptables -L three -n
        ! iptables -L nowhere
        ! iptables -S nowhere
        ! iptables -Z nowhere
        ! iptables -F nowhere
        ! iptables -X
        iptables -F one
        iptables -D INPUT -j one
        iptables -X one
        iptables -F
        iptables -X
        iptables -S
        ",
    );
}

#[test]
fn policies() {
    sequence(
        &mut pair(),
        "
        iptables -P INPUT DROP
        iptables -P FORWARD DROP
        iptables -P OUTPUT ACCEPT
        iptables -S
        ! iptables -P INPUT REJECT
        ! iptables -P INPUT QUEUE
        ! iptables -P INPUT RETURN
        iptables -N user
        ! iptables -P user DROP
        ! iptables -P nowhere DROP
        iptables -P INPUT ACCEPT
        iptables -L
        ",
    );
}

#[test]
fn counters_are_kept_and_zeroed() {
    let mut pair = pair();
    sequence(
        &mut pair,
        "
        iptables -N user
        iptables -A INPUT -p tcp -j user
        iptables -A user -p tcp --dport 1 -j DROP
        iptables -A user -p tcp --dport 2 -j DROP
        ",
    );
    // Four policies and ends, the head, three rules: counters as traffic
    // would leave them.
    let counters: Vec<(u64, u64)> = (1..=9).map(|i| (i, i * 1500)).collect();
    let outcome = pair.call(&add_counters(FILTER.name, &counters));
    assert_eq!(outcome.errno, 0);
    sequence(
        &mut pair,
        "
        iptables -L -v -n -x
        save -c
        iptables -I user -p udp -j ACCEPT
        iptables -L -v -n -x
        iptables -D user 2
        iptables -A OUTPUT -d 1.1.1.1
        iptables -L -v -n -x
        iptables -N another
        iptables -E another renamed
        iptables -R user 2 -p tcp --dport 3 -j DROP
        iptables -P FORWARD DROP
        save -c
        iptables -Z INPUT 1
        save -c
        iptables -Z user -L user -v -n -x
        iptables -L -v -n -x
        iptables -Z -L -v -n -x
        iptables -L -v -n -x
        iptables -A INPUT -c 5 6 -j ACCEPT
        iptables -Z INPUT 2
        iptables -Z
        save -c
        ",
    );
}

#[test]
fn matches() {
    sequence(
        &mut pair(),
        "
        iptables -A INPUT -m comment --comment 'a comment' -j ACCEPT
        iptables -A INPUT -p tcp -m multiport --dports 1,2:3,4 -j ACCEPT
        iptables -A INPUT -p udp -m multiport ! --sports 1,2 -j ACCEPT
        iptables -A INPUT -p tcp -m multiport --ports 1:10 -j ACCEPT
        iptables -A INPUT -m mark --mark 0x1/0xff -j ACCEPT
        iptables -A INPUT -m mark ! --mark 7 -j ACCEPT
        iptables -A INPUT -m limit --limit 3/min --limit-burst 10 -j ACCEPT
        iptables -A INPUT -m limit -j ACCEPT
        iptables -A INPUT -m conntrack --ctstate NEW,RELATED -j ACCEPT
        iptables -A INPUT -m conntrack ! --ctstate INVALID -j ACCEPT
        iptables -A INPUT -m conntrack --ctproto tcp --ctorigsrc 10.0.0.0/8 --ctorigdstport 80 --ctdir ORIGINAL -j ACCEPT
        iptables -A INPUT -m conntrack --ctstatus ASSURED --ctexpire 10:20 -j ACCEPT
        iptables -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
        iptables -A INPUT -m state ! --state NEW -j DROP
        iptables -A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 10.1.0.1-10.1.0.9 -j ACCEPT
        iptables -A INPUT -m length --length 100:200 -j ACCEPT
        iptables -A INPUT -m length ! --length 64 -j ACCEPT
        iptables -A INPUT -m ttl --ttl-lt 5 -j ACCEPT
        iptables -A INPUT -m ttl ! --ttl-eq 64 -j ACCEPT
        iptables -A INPUT -m tos --tos 0x10/0x3f -j ACCEPT
        iptables -A INPUT -m dscp --dscp 0x20 -j ACCEPT
        iptables -A INPUT -m dscp ! --dscp-class EF -j ACCEPT
        iptables -A INPUT -m pkttype --pkt-type broadcast -j ACCEPT
        iptables -A INPUT -p tcp -m tcp --tcp-flags SYN,ACK,FIN SYN -m comment --comment x -m limit -j DROP
        iptables -A INPUT -p tcp --tcp-option 7 -j ACCEPT
        iptables -A INPUT -p icmp -m icmp --icmp-type 3/4 -j ACCEPT
        iptables -A INPUT -p icmp -m icmp ! --icmp-type any -j ACCEPT
        iptables -S
        iptables -L -n -v -x
        iptables -L
        save
        save -c
        iptables -C INPUT -m conntrack --ctstate NEW,RELATED -j ACCEPT
        iptables -D INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
        iptables -D INPUT -m limit -j ACCEPT
        iptables -F
        ",
    );
}

#[test]
fn matches_that_fewer_people_know() {
    sequence(
        &mut pair(),
        "
        iptables -A INPUT -m statistic --mode random --probability 0.25 -j DROP
        iptables -A INPUT -m statistic --mode random ! --probability 1 -j DROP
        iptables -A INPUT -m statistic --mode nth --every 3 --packet 2 -j ACCEPT
        iptables -A INPUT -m statistic --mode nth ! --every 5 --packet 0 -j ACCEPT
        iptables -A OUTPUT -m quota --quota 123456789012 -j ACCEPT
        iptables -A OUTPUT -m quota ! --quota 0 -j ACCEPT
        iptables -A INPUT -m cpu --cpu 1 -j ACCEPT
        iptables -A INPUT -m cpu ! --cpu 0 -j ACCEPT
        iptables -A FORWARD -p tcp -m tcpmss --mss 1:1400 -j ACCEPT
        iptables -A FORWARD -p tcp -m tcpmss ! --mss 536 -j ACCEPT
        ! iptables -A FORWARD -p udp -m tcpmss --mss 536 -j ACCEPT
        iptables -A INPUT -p esp -m esp --espspi 1:4096 -j ACCEPT
        iptables -A INPUT -p esp -m esp ! --espspi 7 -j ACCEPT
        iptables -A INPUT -p ah -m ah --ahspi 1:4096 -j ACCEPT
        iptables -A INPUT -p ah -m ah ! --ahspi 7 -j ACCEPT
        iptables -A INPUT -m ecn --ecn-ip-ect 1 -j ACCEPT
        iptables -A INPUT -p tcp -m ecn ! --ecn-tcp-ece --ecn-tcp-cwr ! --ecn-ip-ect 0 -j ACCEPT
        iptables -A INPUT -m u32 --u32 '6&0xFF=6,17&&0>>22&0x3C@0>>16=22:80,443' -j ACCEPT
        iptables -A INPUT -m u32 ! --u32 '4<<3>>1@0x10=1:5' -j ACCEPT
        iptables -A INPUT -m time --timestart 08:00 --timestop 20:30:15 --weekdays Mon,Tue -j ACCEPT
        iptables -A INPUT -m time ! --monthdays 1,31 --datestart 2026-01-01 --datestop 2030-02-28T12:00 -j ACCEPT
        iptables -A INPUT -m time --timestart 22:00 --timestop 06:00 --contiguous --utc -j ACCEPT
        ! iptables -A INPUT -m time --timestart 06:00 --timestop 22:00 --contiguous -j ACCEPT
        iptables -A INPUT -m connbytes --connbytes 1000:2000 --connbytes-mode bytes --connbytes-dir both
        iptables -A INPUT -m connbytes ! --connbytes 5 --connbytes-mode packets --connbytes-dir reply
        iptables -A INPUT -m connbytes --connbytes 100: --connbytes-mode avgpkt --connbytes-dir original
        iptables -A INPUT -m helper --helper ftp -j ACCEPT
        iptables -A INPUT -m helper ! --helper sip-5060 -j ACCEPT
        iptables -A INPUT -p dccp -m dccp --sport 1:9 ! --dport 80 -j ACCEPT
        iptables -A INPUT -p dccp -m dccp ! --dccp-types REQUEST,RESET -j ACCEPT
        iptables -A INPUT -p sctp -m sctp ! --sport 1:9 --dport 80 -j ACCEPT
        ! iptables -A INPUT -p udp -m sctp --dport 80 -j ACCEPT
        iptables -S
        iptables -L -n -v -x
        save -c
        iptables -C INPUT -m statistic --mode nth --every 3 --packet 2 -j ACCEPT
        iptables -D OUTPUT -m quota ! --quota 0 -j ACCEPT
        iptables -C INPUT -m u32 ! --u32 '4<<3>>1@0x10=1:5' -j ACCEPT
        iptables -D INPUT -p esp -m esp ! --espspi 7 -j ACCEPT
        save
        ",
    );
}

/// Numbers of users mean something else in another user namespace: refused
/// there. ip_tables itself refuses them from outside.
#[test]
fn owner_in_another_user_namespace() {
    let mut pair = pair();
    let rule = "iptables-legacy -A OUTPUT -m owner --uid-owner 0 -j ACCEPT";
    let inside = format!("unshare -Urn {rule}");
    assert_eq!(pair.kernel.shell(&inside, b"").status, 0);
    let ran = pair.bpfilter.shell(&inside, b"");
    assert_eq!(ran.status, 1);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr),
        "iptables: No chain/target/match by that name.\n"
    );
    let outside = format!(
        "unshare -Urn sleep 20 & inner=$!
         until [ $(readlink /proc/$inner/ns/net) != $(readlink /proc/$$/ns/net) ]; do
             kill -0 $inner || exit; sleep 0.01; done
         nsenter --net=/proc/$inner/ns/net {rule}; status=$?; kill $inner; exit $status"
    );
    let [kernel, bpfilter] =
        [&mut pair.kernel, &mut pair.bpfilter].map(|side| side.shell(&outside, b""));
    assert_eq!(kernel.status, 1, "{kernel:?}");
    assert!(String::from_utf8_lossy(&kernel.stderr).contains("Invalid argument"));
    assert_eq!(
        (kernel.status, kernel.stderr),
        (bpfilter.status, bpfilter.stderr)
    );
}

/// Sequences that stand or fall with one match.
const GATED: [(&str, &str); 6] = [
    (
        "owner",
        "
        iptables -A OUTPUT -m owner --uid-owner 0-1000 ! --gid-owner 5 -j ACCEPT
        iptables -A OUTPUT -m owner --socket-exists -j ACCEPT
        iptables -A OUTPUT -m owner ! --gid-owner 7 --suppl-groups -j ACCEPT
        ! iptables -A INPUT -m owner --uid-owner 0 -j ACCEPT
        iptables -N user
        iptables -A user -m owner --uid-owner 0 -j ACCEPT
        iptables -A OUTPUT -j user
        ! iptables -A INPUT -j user
        ! iptables -A FORWARD -j user
        iptables -S
        iptables -L -n -v -x
        ",
    ),
    (
        "mac",
        "
        iptables -A INPUT -m mac --mac-source 00:11:22:33:44:55 -j ACCEPT
        iptables -A FORWARD -m mac ! --mac-source 00:11:22:33:44:55 -j ACCEPT
        ! iptables -A OUTPUT -m mac --mac-source 00:11:22:33:44:55 -j ACCEPT
        iptables -S
        iptables -L -n
        ",
    ),
    (
        "connmark",
        "
        iptables -A INPUT -m connmark --mark 0x10/0xff -j ACCEPT
        iptables -A OUTPUT -m connmark ! --mark 7 -j DROP
        iptables -S
        iptables -L -n
        ",
    ),
    (
        "devgroup",
        "
        iptables -A INPUT -m devgroup --src-group 0x10/0xff -j ACCEPT
        iptables -A FORWARD -m devgroup ! --src-group 3 ! --dst-group 5 -j ACCEPT
        ! iptables -A INPUT -m devgroup --dst-group 1 -j ACCEPT
        ! iptables -A OUTPUT -m devgroup --src-group 1 -j ACCEPT
        iptables -S
        iptables -L -n
        ",
    ),
    (
        "realm",
        "
        iptables -A INPUT -m realm --realm 10 -j ACCEPT
        iptables -A OUTPUT -m realm ! --realm 0x5/0xff -j ACCEPT
        iptables -S
        iptables -L -n
        ",
    ),
    (
        "addrtype",
        "
        iptables -A INPUT -m addrtype --dst-type LOCAL -j ACCEPT
        iptables -A INPUT -m addrtype ! --src-type LOCAL,UNICAST --limit-iface-in -j ACCEPT
        ! iptables -A INPUT -m addrtype --dst-type LOCAL --limit-iface-out -j ACCEPT
        ! iptables -A OUTPUT -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT
        iptables -S
        iptables -L -n
        ",
    ),
];

#[test]
fn matches_that_need_more_of_the_kernel() {
    for (name, lines) in GATED {
        let mut pair = pair();
        if !judge::lacking(judge::features_of(&mut pair.bpfilter)).contains(&name) {
            sequence(&mut pair, lines);
            continue;
        }
        // Refused then, each rule that uses it, and nothing changes.
        for line in lines.lines().map(str::trim) {
            let line = line.trim_start_matches("! ");
            if line.contains(&format!("-m {name} ")) {
                let old = pair.same_table();
                let ran = pair
                    .bpfilter
                    .shell(line.replace("-A user", "-A OUTPUT").as_str(), b"");
                let said = String::from_utf8_lossy(&ran.stderr).into_owned();
                assert_eq!(ran.status, 1, "{line}: {ran:?}");
                assert_eq!(
                    said, "iptables: No chain/target/match by that name.\n",
                    "{line}"
                );
                assert_eq!(pair.same_table(), old, "{line}");
            }
        }
    }
}

#[test]
fn rules_that_no_kernel_takes() {
    sequence(
        &mut pair(),
        "
        iptables -A INPUT -s 10.0.0.1 -j DROP
        ! iptables -A INPUT -m limit --limit 1/day --limit-burst 5000000 -j ACCEPT
        ! iptables -A INPUT -p icmp -m multiport --dports 1 -j ACCEPT
        ! iptables -A INPUT -m nonsense -j ACCEPT
        ! iptables -A INPUT -j NONSENSE
        ! iptables -A INPUT -p tcp --dport 70000 -j ACCEPT
        ! iptables -t nonsense -L
        iptables -t nat -S
        iptables -t mangle -S
        iptables -S
        ",
    );
}

#[test]
fn restore() {
    const OK: bool = false;
    const FAILS: bool = true;
    let mut pair = pair();
    let rules = "\
*filter
:INPUT DROP [5:500]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [7:8]
:user - [0:0]
[1:60] -A INPUT -i lo -j ACCEPT
[2:120] -A INPUT -p tcp -m tcp --dport 22 -j user
[3:180] -A user -j ACCEPT
COMMIT
";
    let more = "\
*filter
:more - [0:0]
-A INPUT -j more
-I user -s 10.0.0.0/8 -j DROP
COMMIT
";
    let steps = [
        (OK, "restore", rules),
        (OK, "restore -c", rules),
        (OK, "restore --test", rules),
        (
            OK,
            "restore -c --test",
            "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n",
        ),
        (OK, "restore -n", more),
        (
            OK,
            "restore -n --counters",
            "*filter\n[4:5] -A INPUT -j more\nCOMMIT\n",
        ),
        (OK, "restore -n", "*filter\n-D INPUT -j more\nCOMMIT\n"),
        (FAILS, "restore -n", "*filter\n-D INPUT -j none\nCOMMIT\n"),
        (
            OK,
            "restore -n",
            "*filter\n-F\n-X\n-P INPUT ACCEPT\nCOMMIT\n",
        ),
        (OK, "restore -c", rules),
        // What is wrong changes nothing.
        (FAILS, "restore", "*filter\n-A INPUT -j DROP\n"),
        (FAILS, "restore", "*filter\n-A INPUT -j nowhere\nCOMMIT\n"),
        (
            FAILS,
            "restore",
            "*filter\n-A INPUT -p tcp --dport x -j DROP\nCOMMIT\n",
        ),
        (FAILS, "restore", "*nonsense\nCOMMIT\n"),
        (FAILS, "restore", "nonsense\n"),
        (
            FAILS,
            "restore",
            "*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a\n-A INPUT -j a\nCOMMIT\n",
        ),
        (
            OK,
            "restore -T filter",
            "*mangle\nCOMMIT\n*filter\n-A INPUT -j DROP\nCOMMIT\n",
        ),
        (
            OK,
            "restore",
            "*filter\nCOMMIT\n*mangle\n:INPUT ACCEPT\nCOMMIT\n",
        ),
        (OK, "restore -v -t", rules),
    ];
    for (fails, line, input) in steps {
        let ran = pair.shell(line, input.as_bytes());
        assert_eq!(ran.status != 0, fails, "{line} {input}: {ran:?}");
        pair.same_table();
        pair.shell("save -c", b"");
    }
}

#[test]
fn a_thousand_rules() {
    let mut pair = pair();
    let mut rules = String::from("*filter\n:INPUT ACCEPT [0:0]\n");
    for i in 0..1000 {
        rules.push_str(&format!(
            "-A INPUT -s 10.{}.{}.0/24 -p tcp -m tcp --dport {} -j DROP\n",
            i / 256,
            i % 256,
            i + 1
        ));
    }
    rules.push_str("COMMIT\n");
    assert_eq!(pair.shell("restore", rules.as_bytes()).status, 0);
    pair.same_table();
    sequence(
        &mut pair,
        "
        save -c
        iptables -D INPUT 500
        iptables -I INPUT 500 -j ACCEPT
        iptables -L INPUT -n -v -x
        ",
    );
}
