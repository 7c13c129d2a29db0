// SPDX-License-Identifier: GPL-2.0-only
//! Writes the seeds: small valid requests for each target, into the folders
//! `blob` and `requests` of the folder that is named.

use std::path::Path;

use bpfilter_tests::blob::any_bytes::{HELPFUL, from_request};
use bpfilter_tests::blob::generate;
use bpfilter_tests::blob::{add_counters, get_entries, get_info, get_revision};
use bpfilter_tests::client::sockopt::GET_REVISION_MATCH;
use bpfilter_tests::replace_checks::{self, base};
use umh_core::abi::FILTER;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("a folder");
    let blob = Path::new(&folder).join("blob");
    let requests = Path::new(&folder).join("requests");
    std::fs::create_dir_all(&blob)?;
    std::fs::create_dir_all(&requests)?;

    for (number, request) in replace_checks::requests().iter().enumerate() {
        // The bytes tell; the numbers in the header are wrong on purpose.
        let bytes = request.blob.bytes();
        if bytes.len() < 4096 {
            std::fs::write(
                blob.join(format!("request-{number}")),
                from_request(HELPFUL, &bytes),
            )?;
        }
    }
    for (number, table) in generate::examples(30).iter().enumerate() {
        let bytes = table.blob().bytes();
        let name = format!("table-{number}");
        std::fs::write(blob.join(&name), from_request(HELPFUL, &bytes))?;
        std::fs::write(requests.join(&name), request(&[(0, 0), (3, 0)], &bytes))?;
    }
    let calls = [
        ("replace", 0, base().bytes()),
        (
            "add_counters",
            1,
            add_counters(FILTER.name, &[(1, 2); 4]).bytes,
        ),
        ("info", 2, get_info(FILTER.name).bytes),
        ("entries", 3, get_entries(FILTER.name, 632).bytes),
        (
            "revision",
            4,
            get_revision(GET_REVISION_MATCH, "tcp", 0).bytes,
        ),
    ];
    for (name, option, bytes) in &calls {
        std::fs::write(requests.join(name), request(&[(*option, 0)], bytes))?;
        // The same, with a caller who cannot leave his memory alone.
        let mut noisy = request(&[(*option, 0)], bytes);
        noisy.splice(0..1, [2, 0, 1]);
        std::fs::write(requests.join(format!("noisy-{name}")), noisy)?;
    }
    // REPLACE, then ADD_COUNTERS behind it in the same memory.
    let replace = base().bytes();
    let counters = add_counters(FILTER.name, &[(1, 2); 9]).bytes;
    let mut both = request(
        &[(0, 0), (1, replace.len() as i16), (0, 0)],
        &[replace, counters].concat(),
    );
    std::fs::write(requests.join("both"), &both)?;
    both[1] = 9;
    std::fs::write(requests.join("both-failing"), &both)
}

/// The input of `requests`: options and starts, then the memory.
fn request(requests: &[(u8, i16)], memory: &[u8]) -> Vec<u8> {
    let mut input = vec![0, 0, requests.len() as u8];
    for (option, start) in requests {
        input.push(*option);
        input.extend(start.to_le_bytes());
        input.extend([0, 0]);
    }
    input.extend_from_slice(memory);
    input
}
