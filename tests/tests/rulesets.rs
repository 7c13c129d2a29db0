// SPDX-License-Identifier: GPL-2.0-only
//! Realistic rule sets, those of tests/rulesets/ and generated large ones:
//! loaded, saved and loaded again with their counters on the kernel's own
//! ip_tables and on bpfilter, and compared to the byte.
//!
//! A file that starts with `# refused: NAMES` uses extensions that bpfilter
//! has not got: it must be refused as a whole, and nothing may change.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::fmt::Write;
use std::path::Path;

use bpfilter_tests::blob::{add_counters, get_entries, get_info, info_of};
use bpfilter_tests::client::side::{Pair, Side};
use bpfilter_tests::oracle::judge;
use umh_core::abi::FILTER;

/// Name and text of each file, and the extensions for which it is refused.
fn files() -> Vec<(String, String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rulesets");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the rule sets")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a rule set");
            let refused = text
                .strip_prefix("# refused: ")
                .and_then(|rest| rest.lines().next())
                .map(|names| names.split_whitespace().map(str::to_owned).collect());
            (name.into_owned(), text, refused.unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

/// What GET_ENTRIES says.
fn table(side: &mut Side) -> Vec<u8> {
    let info = info_of(&side.call(&get_info(FILTER.name)).bytes);
    side.call(&get_entries(FILTER.name, info.size)).bytes
}

/// Loads rules on both sides and takes them through everything that keeps
/// them: save, edit, save with counters, load again.
fn round_trip(pair: &mut Pair, name: &str, rules: &str) {
    let load = |pair: &mut Pair, options: &str, rules: &[u8]| {
        let ran = pair.shell(&format!("restore {options}"), rules);
        assert_eq!(ran.status, 0, "{name}: {ran:?}");
        pair.same_table();
    };
    let save = |pair: &mut Pair, options: &str| {
        let ran = pair.shell(&format!("save {options}"), b"");
        assert_eq!(ran.status, 0, "{name}: {ran:?}");
        ran.stdout
    };
    load(pair, "", rules.as_bytes());
    save(pair, "");
    load(pair, "-c", rules.as_bytes());
    let saved = save(pair, "-c");
    load(pair, "-c", &saved);
    assert_eq!(save(pair, "-c"), saved, "{name}");

    // Counters as traffic would leave them, then an edit, which keeps them.
    let info = info_of(&pair.call(&get_info(FILTER.name)).bytes);
    let counters: Vec<(u64, u64)> = (1..=u64::from(info.num_entries))
        .map(|i| (i, i * 60))
        .collect();
    let added = pair.call(&add_counters(FILTER.name, &counters));
    assert_eq!(added.errno, 0, "{name}");
    for line in [
        "iptables -I INPUT 1 -s 192.0.2.1 -j DROP",
        "iptables -N added",
        "iptables -A FORWARD -j added",
    ] {
        assert_eq!(pair.shell(line, b"").status, 0, "{name}: {line}");
        pair.same_table();
    }
    let saved = save(pair, "-c");
    load(pair, "-c", &saved);
    assert_eq!(save(pair, "-c"), saved, "{name}");
}

/// Whether a line of iptables-save uses an extension.
fn uses(line: &str, extension: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .any(|pair| matches!(pair[0], "-j" | "-m") && pair[1] == extension)
}

#[test]
fn rule_sets_are_kept_or_refused_whole() {
    let rawclient = env!("CARGO_BIN_EXE_rawclient");
    let mut pair = Pair::new(rawclient);
    let lacking = judge::lacking(judge::features_of(&mut pair.bpfilter));
    let before = "*filter\n:INPUT DROP [1:2]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
                  [3:4] -A INPUT -i lo -j ACCEPT\nCOMMIT\n";
    let files = files();
    assert!(files.len() >= 12, "a dozen at least, not {}", files.len());
    let mut whole = 0;
    for (name, rules, never) in &files {
        for extension in never {
            let used = rules.lines().any(|line| uses(line, extension));
            assert!(used, "{name} uses {extension}");
        }
        // What this kernel cannot enforce is refused as well.
        let refused: Vec<&str> = never
            .iter()
            .map(String::as_str)
            .chain(lacking.iter().copied())
            .filter(|extension| rules.lines().any(|line| uses(line, extension)))
            .collect();
        if refused.is_empty() {
            whole += 1;
            round_trip(&mut pair, name, rules);
            continue;
        }

        assert_eq!(pair.shell("restore -c", before.as_bytes()).status, 0);
        let old = pair.same_table();
        let ran = pair.kernel.shell("restore -c", rules.as_bytes());
        assert_eq!(ran.status, 0, "{name} is a good rule set: {ran:?}");
        let ran = pair.bpfilter.shell("restore -c", rules.as_bytes());
        let commit = rules.lines().position(|line| line == "COMMIT");
        assert_eq!(ran.status, 1, "{name}, for {refused:?}: {ran:?}");
        assert_eq!(
            String::from_utf8_lossy(&ran.stderr),
            format!(
                "iptables-restore: line {} failed\n",
                commit.expect("COMMIT") + 1
            ),
            "{name}"
        );
        assert!(
            table(&mut pair.bpfilter) == old,
            "{name}: the old rules have changed"
        );
        judge::empty(&mut pair.kernel);
        judge::empty(&mut pair.bpfilter);

        // It is for these extensions and for nothing else.
        let without: String = rules
            .lines()
            .filter(|line| !refused.iter().any(|extension| uses(line, extension)))
            .flat_map(|line| [line, "\n"])
            .collect();
        round_trip(&mut pair, name, &without);
    }
    println!(
        "{whole} of {} rule sets whole; lacking {lacking:?}",
        files.len()
    );
    assert!(whole > 0);
}

#[test]
fn single_rules_with_unknown_extensions_are_refused() {
    let mut bpfilter = Side::bpfilter(env!("CARGO_BIN_EXE_rawclient"));
    let ran = bpfilter.shell("iptables -A INPUT -s 10.0.0.1 -j DROP", b"");
    assert_eq!(ran.status, 0, "{ran:?}");
    let old = bpfilter.shell("save -c", b"");
    for rule in [
        "-j REJECT",
        "-p tcp -j REJECT --reject-with tcp-reset",
        "-j LOG --log-prefix x",
        "-j MARK --set-mark 1",
        "-j NFLOG",
        "-j NFQUEUE",
        "-j DNAT --to-destination 10.0.0.1",
        "-j TTL --ttl-set 1",
        "-m connlimit --connlimit-above 1 -j DROP",
        "-m string --algo bm --string x -j DROP",
        "-m time --timestart 10:00 --kerneltz -j DROP",
        "-p dccp -m dccp --dccp-option 3 -j DROP",
        "-p sctp -m sctp --chunk-types any DATA -j DROP",
        "-j QUEUE",
    ] {
        let ran = bpfilter.shell(&format!("iptables -A INPUT {rule}"), b"");
        assert_eq!(ran.status, 1, "{rule}: {ran:?}");
        assert_eq!(
            String::from_utf8_lossy(&ran.stderr),
            "iptables: No chain/target/match by that name.\n",
            "{rule}"
        );
        assert_eq!(bpfilter.shell("save -c", b""), old, "{rule}");
    }
}

#[test]
fn a_blocklist_of_five_thousand() {
    let mut rules =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:BLOCK - [0:0]\n-A INPUT -j BLOCK\n");
    for i in 0..5000u32 {
        // Spread over the address space, some hosts, some networks.
        let address = i.wrapping_mul(0x9e37_79b1).to_be_bytes();
        let [a, b, c, d] = address;
        match i % 5 {
            0 => writeln!(rules, "-A BLOCK -s {a}.{b}.{c}.0/24 -j DROP"),
            _ => writeln!(rules, "-A BLOCK -s {a}.{b}.{c}.{d}/32 -j DROP"),
        }
        .unwrap();
    }
    rules.push_str("COMMIT\n");
    let mut pair = Pair::new(env!("CARGO_BIN_EXE_rawclient"));
    round_trip(&mut pair, "blocklist", &rules);
}

#[test]
fn chains_forty_deep() {
    let mut rules = String::from("*filter\n:INPUT DROP [0:0]\n");
    for depth in 0..40 {
        writeln!(rules, ":deep-{depth} - [0:0]").unwrap();
    }
    rules.push_str("-A INPUT -j deep-0\n-A OUTPUT -g deep-20\n");
    for depth in 0..40 {
        writeln!(rules, "-A deep-{depth} -s 10.0.0.{depth}/32 -j RETURN").unwrap();
        if depth < 39 {
            writeln!(rules, "-A deep-{depth} -j deep-{}", depth + 1).unwrap();
        }
        writeln!(
            rules,
            "-A deep-{depth} -p tcp -m tcp --dport {depth} -j ACCEPT"
        )
        .unwrap();
    }
    rules.push_str("COMMIT\n");
    let mut pair = Pair::new(env!("CARGO_BIN_EXE_rawclient"));
    round_trip(&mut pair, "deep", &rules);
}

#[test]
fn ten_thousand_rules() {
    let mut rules = String::from("*filter\n:INPUT ACCEPT [0:0]\n");
    for chain in 0..100 {
        writeln!(rules, ":service-{chain} - [0:0]").unwrap();
    }
    for chain in 0..100 {
        writeln!(rules, "-A FORWARD -d 10.{chain}.0.0/16 -j service-{chain}").unwrap();
        for rule in 0..99 {
            let port = chain * 100 + rule + 1;
            match rule % 4 {
                0 => writeln!(rules, "-A service-{chain} -p tcp -m tcp --dport {port} -j ACCEPT"),
                1 => writeln!(
                    rules,
                    "-A service-{chain} -s 172.16.{rule}.0/24 -p udp -m udp --sport {port} -j DROP"
                ),
                2 => writeln!(
                    rules,
                    "-A service-{chain} -p tcp -m multiport --dports {port},{} -m comment --comment \"rule {port}\" -j ACCEPT",
                    port + 1
                ),
                _ => writeln!(
                    rules,
                    "-A service-{chain} -i eth{} -m conntrack --ctstate NEW -j RETURN",
                    rule % 8
                ),
            }
            .unwrap();
        }
    }
    rules.push_str("COMMIT\n");
    let mut pair = Pair::new(env!("CARGO_BIN_EXE_rawclient"));
    round_trip(&mut pair, "ten thousand", &rules);
}
