// SPDX-License-Identifier: GPL-2.0-only
//! What random rules ask of x_tables' own matches and targets.
//!
//! Owns: a phrase or two for each, such that it says yes to some packets of the
//! small world and no to others, and says the same to a packet that comes a
//! second later. The evaluator knows none of them.

use fastrand::Rng;

use crate::packet::random::{once_in, pick};
use crate::world::PORTS;

/// The sets that the rules name, for `ipset restore`. Rules add to the first.
pub const SETS: &str = "\
create seen hash:ip
create peers hash:net
add peers 10.0.0.0/9
add peers 192.0.2.0/25
create services bitmap:port range 0-65535
add services 0-1023
create pairs hash:ip,port
create all list:set
add all peers
";

fn not(rng: &mut Rng) -> &'static str {
    if once_in(rng, 3) { " !" } else { "" }
}

/// What every rule set asks and does first, as chance would seldom let it see
/// the packets that it is for.
pub fn always(hook: &str) -> &'static [&'static str] {
    const BRIDGED: &str = " -m physdev ! --physdev-is-bridged";
    const SCTP: &str = " -p sctp -m sctp ! --dport 1";
    const DCCP: &str = " -p dccp -m dccp ! --dport 1";
    const CLASSIFY: &str = " -p udp -j CLASSIFY --set-class 1:7";
    match hook {
        "INPUT" => &[BRIDGED, SCTP, DCCP, " -m socket"],
        "FORWARD" => &[BRIDGED, SCTP, DCCP, CLASSIFY],
        _ => &[SCTP, DCCP, CLASSIFY],
    }
}

/// What follows `-A CHAIN` in a rule that asks little else.
pub fn rule(rng: &mut Rng, hook: &str) -> String {
    let mut text = match rng.u32(..4) {
        0 => of_protocol(rng),
        1 => pick(rng, &[" -p tcp", " -p udp", " ! -p icmp"]).into(),
        _ => String::new(),
    };
    if !once_in(rng, 4) {
        text += &any_match(rng, hook);
    }
    match once_in(rng, 3) {
        true => text + &target(rng, hook),
        false => text,
    }
}

/// A protocol and a match that only it has.
fn of_protocol(rng: &mut Rng) -> String {
    let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
    let side = pick(rng, &["sport", "dport"]);
    let ports = format!("{} --{side} {}:{}", not(rng), a.min(b), a.max(b));
    match rng.u32(..4) {
        0 => format!(" -p dccp -m dccp{ports}"),
        1 => format!(
            " -p dccp -m dccp{} --dccp-types REQUEST,DATA,RESET",
            not(rng)
        ),
        2 => format!(" -p sctp -m sctp{ports}"),
        _ => {
            let which = pick(
                rng,
                &["any DATA,INIT", "all DATA", "only DATA", "any INIT_ACK"],
            );
            format!(" -p sctp -m sctp{} --chunk-types {which}", not(rng))
        }
    }
}

/// What a connection has counted.
pub fn connbytes(rng: &mut Rng) -> String {
    let not = not(rng);
    let bytes = pick(rng, &["0:99", "100", "1:", "5000:"]);
    let mode = pick(rng, &["bytes", "packets", "avgpkt"]);
    let way = pick(rng, &["original", "reply", "both"]);
    format!(" -m connbytes{not} --connbytes {bytes} --connbytes-mode {mode} --connbytes-dir {way}")
}

/// A match that may stand in any rule that `hook`, or any where it is empty,
/// reaches.
pub fn any_match(rng: &mut Rng, hook: &str) -> String {
    let not = not(rng);
    match rng.u32(..16) {
        0 => {
            let algo = pick(rng, &["bm", "kmp"]);
            let what = pick(rng, &["--string xxxx", "--hex-string |0050|", "--string xy"]);
            let from = pick(rng, &["", " --from 20", " --from 28 --to 60", " --to 44"]);
            format!(" -m string{not} {what} --algo {algo}{from}")
        }
        1 => pick(
            rng,
            &[
                " -m time --datestart 2001-01-01",
                " -m time --datestop 2001-01-01",
                " -m time --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun",
                " -m time --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 --kerneltz",
            ],
        )
        .into(),
        2 => connbytes(rng),
        3..6 => {
            let which = pick(
                rng,
                &[
                    "seen src", "seen dst", "peers src", "peers dst", "services dst", "services src",
                    "pairs src,dst", "all src", "all dst --return-nomatch",
                ],
            );
            format!(" -m set{not} --match-set {which}")
        }
        6 => {
            let program = pick(
                rng,
                &[
                    // The protocol is TCP.
                    "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0",
                    // More than 60 bytes.
                    "4,128 0 0 0,37 0 1 60,6 0 0 1,6 0 0 0",
                ],
            );
            format!(" -m bpf --bytecode \"{program}\"")
        }
        7 => format!(
            " -m cluster --cluster-total-nodes 3{not} --cluster-local-node {} --cluster-hash-seed 7",
            rng.u32(1..=3)
        ),
        8 => format!(" -m helper{not} --helper ftp"),
        9 if matches!(hook, "INPUT" | "OUTPUT") => {
            format!(" -m cgroup{not} --path /")
        }
        10 if hook == "INPUT" => {
            let how = pick(rng, &["", " --nowildcard", " --transparent"]);
            format!(" -m socket{how}")
        }
        11 if matches!(hook, "INPUT" | "FORWARD") => {
            format!(" -m physdev{not} --physdev-is-bridged")
        }
        12 if !hook.is_empty() => {
            let way = if hook == "INPUT" { "in" } else { "out" };
            let policy = pick(rng, &["none", "ipsec"]);
            format!(" -m policy --dir {way} --pol {policy}")
        }
        13..15 => {
            // So slow that no credit comes back, and nothing is forgotten.
            let name = rng.u32(..3);
            let how = pick(rng, &["upto", "above"]);
            let mode = pick(rng, &["srcip", "dstip", "srcip,dstport"]);
            format!(
                " -m hashlimit --hashlimit-name h{name} --hashlimit-{how} 1/hour --hashlimit-burst {} \
                 --hashlimit-mode {mode} --hashlimit-htable-expire 100000000",
                1 + 2 * name
            )
        }
        _ => {
            let bytes = pick(rng, &["0:1", "1:2", "3:"]);
            format!(" -m connbytes --connbytes {bytes} --connbytes-mode packets --connbytes-dir both")
        }
    }
}

/// A target that may stand there.
pub fn target(rng: &mut Rng, hook: &str) -> String {
    match rng.u32(..12) {
        0..2 => " -j NFQUEUE --queue-num 7 --queue-bypass".into(),
        2 => " -j NFQUEUE --queue-balance 1:3".into(),
        3..6 => {
            let what = pick(
                rng,
                &[
                    "add-set seen src",
                    "add-set pairs dst,dst",
                    "del-set seen dst",
                    "add-set pairs src,dst --exist",
                ],
            );
            format!(" -j SET --{what}")
        }
        6..8 => {
            let tuple = pick(rng, &["src,dst", "src", "dst,dport", "sport"]);
            format!(" -j HMARK --hmark-tuple {tuple} --hmark-mod 4 --hmark-rnd 7 --hmark-offset 14")
        }
        8 if matches!(hook, "FORWARD" | "OUTPUT") => " -j CLASSIFY --set-class 1:7".into(),
        9 => " -j IDLETIMER --timeout 100000 --label idle".into(),
        10 => " -j TEE --gateway 198.51.100.7".into(),
        _ => " -j RATEEST --rateest-name rate --rateest-interval 250ms --rateest-ewmalog 1s".into(),
    }
}
