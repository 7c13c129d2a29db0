// SPDX-License-Identifier: GPL-2.0-only
//! The data of targets.

use umh_core::abi::IPT_INV_PROTO;

use super::Requests;
use crate::blob::Extension;

/// xt_check_target, and what targets check themselves.
pub(super) fn add(requests: &mut Requests) {
    use libc::EINVAL;
    const TCP: u16 = 6;
    let any = (0, 0);

    let reject = |with: u32| Extension::new("REJECT", 0, with.to_ne_bytes());
    for chain in 0..3 {
        for with in [0, 1, 2, 3, 5, 6, 8] {
            requests.target(0, "REJECT", chain, any, reject(with));
        }
        requests.target(0, "REJECT, a reset for TCP", chain, (TCP, 0), reject(7));
    }
    requests.target(0, "REJECT with what is not", 0, any, reject(99));
    requests.target(EINVAL, "REJECT with an echo", 0, any, reject(4));
    requests.target(EINVAL, "REJECT, a reset for all", 0, any, reject(7));
    requests.target(EINVAL, "REJECT, a reset for UDP", 0, (17, 0), reject(7));
    requests.target(EINVAL, "REJECT, a reset past 255", 0, (0x106, 0), reject(7));
    let inverted = (TCP, IPT_INV_PROTO);
    requests.target(
        EINVAL,
        "REJECT, a reset for all but TCP",
        0,
        inverted,
        reject(7),
    );
    requests.target(0, "REJECT for all but TCP", 0, inverted, reject(0));

    let log = |level: u8, flags: u8, last: u8| {
        let mut data = vec![b'x'; 32];
        data[..2].copy_from_slice(&[level, flags]);
        data[31] = last;
        Extension::new("LOG", 0, data)
    };
    requests.target(0, "LOG", 1, any, log(7, 0x2f, 0));
    requests.target(0, "LOG, unknown flags", 1, any, log(0, 0xff, 0));
    requests.target(EINVAL, "LOG, level 8", 1, any, log(8, 0, 0));
    requests.target(EINVAL, "LOG, endless prefix", 1, any, log(4, 0, b'x'));

    let nflog = |flags: u16, last: u8| {
        let mut data = vec![b'x'; 76];
        data[8..10].copy_from_slice(&flags.to_ne_bytes());
        data[75] = last;
        Extension::new("NFLOG", 0, data)
    };
    requests.target(0, "NFLOG", 2, any, nflog(0, 0));
    requests.target(0, "NFLOG, some bytes", 2, any, nflog(1, 0));
    requests.target(EINVAL, "NFLOG, unknown flag", 2, any, nflog(2, 0));
    requests.target(EINVAL, "NFLOG, endless prefix", 2, any, nflog(0, b'x'));

    requests.target(0, "MARK", 0, any, Extension::new("MARK", 2, [0xa5; 8]));
    let connmark = |revision, right: u8, bits: u8| {
        let mut data = vec![0xa5; 16];
        data[12..14].copy_from_slice(&[right, bits]);
        Extension::new("CONNMARK", revision, data)
    };
    requests.target(0, "the old CONNMARK", 0, any, connmark(1, 0xff, 0xff));
    requests.target(0, "CONNMARK to the left", 0, any, connmark(2, 0, 31));
    requests.target(0, "CONNMARK to the right", 0, any, connmark(2, 1, 1));
    requests.target(EINVAL, "CONNMARK upwards", 0, any, connmark(2, 2, 1));
    requests.target(EINVAL, "CONNMARK too far", 0, any, connmark(2, 0, 32));

    for (name, revision, size) in [
        ("REJECT", 0, 4),
        ("LOG", 0, 32),
        ("NFLOG", 0, 76),
        ("MARK", 2, 8),
        ("CONNMARK", 1, 13),
        ("CONNMARK", 2, 15),
    ] {
        let wrong = Extension::new(name, revision, vec![0; size + 8]);
        requests.target(EINVAL, name, 0, any, wrong);
    }
}
