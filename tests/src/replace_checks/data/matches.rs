// SPDX-License-Identifier: GPL-2.0-only
//! The data of matches that rules seldom have: statistic, quota, cpu, devgroup,
//! esp, ah, tcpmss, ecn, u32, time, connbytes, helper, dccp, sctp.

use super::Requests;
use crate::blob::Extension;

/// All of them.
pub(super) fn add(requests: &mut Requests) {
    use libc::EINVAL;
    let of = |name: &str, data: &[u8]| Extension::new(name, 0, data.to_vec());
    let statistic = |mode: u8, flags: u8| {
        let mut data = vec![mode, 0, flags, 0];
        data.resize(24, 0xa5);
        Extension::new("statistic", 0, data)
    };
    requests.input(0, "statistic, random", 0, statistic(0, 0));
    requests.input(0, "statistic, nth", 0, statistic(1, 1));
    requests.input(EINVAL, "statistic, what", 0, statistic(2, 0));
    requests.input(EINVAL, "statistic, flags", 0, statistic(1, 2));
    let quota = |flags: u8| {
        let mut data = vec![flags, 0, 0, 0];
        data.resize(24, 0xa5);
        Extension::new("quota", 0, data)
    };
    requests.input(0, "quota", 0, quota(1));
    requests.input(EINVAL, "quota, flags", 0, quota(2));
    requests.input(0, "cpu", 0, of("cpu", &[9, 9, 9, 9, 1, 0, 0, 0]));
    let cpu = of("cpu", &[0, 0, 0, 0, 2, 0, 0, 0]);
    requests.input(EINVAL, "cpu, inverted twice", 0, cpu);
    let devgroup = |flags: u8| {
        let mut data = vec![flags, 0, 0, 0];
        data.resize(20, 0xa5);
        Extension::new("devgroup", 0, data)
    };
    requests.matching(0, "devgroup of both", 1, 0, devgroup(0xf));
    requests.matching(EINVAL, "devgroup, flags", 1, 0, devgroup(0x10));
    requests.matching(EINVAL, "devgroup out in INPUT", 0, 0, devgroup(0x4));
    requests.matching(EINVAL, "devgroup in in OUTPUT", 2, 0, devgroup(0x1));
    requests.matching(0, "devgroup inverted only", 2, 0, devgroup(0x2));
    for (name, proto) in [("esp", 50), ("ah", 51)] {
        let spi = |invert: u8| {
            let data = [9, 0, 0, 0, 1, 0, 0, 0, invert, 7, 7, 7];
            Extension::new(name, 0, data)
        };
        requests.input(0, "an index", proto, spi(1));
        requests.input(EINVAL, "an index, inversions", proto, spi(2));
        requests.input(EINVAL, "an index of no protocol", 0, spi(0));
        requests.input(EINVAL, "an index of another one", 6, spi(0));
    }
    let tcpmss = of("tcpmss", &[9, 0, 1, 0, 7, 0]);
    requests.input(0, "tcpmss", 6, tcpmss.clone());
    requests.input(EINVAL, "tcpmss without tcp", 17, tcpmss);
    requests.input(0, "ecn in IP", 0, of("ecn", &[1, 0x31, 9, 9]));
    requests.input(0, "ecn in TCP", 6, of("ecn", &[0x30, 0x30, 0, 0]));
    requests.input(EINVAL, "ecn in UDP", 17, of("ecn", &[0x10, 0, 0, 0]));
    requests.input(EINVAL, "ecn, what", 6, of("ecn", &[2, 0, 0, 0]));
    requests.input(EINVAL, "ecn, what not", 6, of("ecn", &[1, 0x40, 0, 0]));
    times_and_ports(requests);
    let words = |change: &[(usize, u8)]| {
        let mut data = vec![0; 1984];
        for (at, value) in change {
            data[*at] = *value;
        }
        Extension::new("u32", 0, data)
    };
    requests.input(0, "u32 of nothing", 0, words(&[]));
    requests.input(0, "u32, no locations", 0, words(&[(1980, 11), (1981, 7)]));
    requests.input(EINVAL, "u32, tests", 0, words(&[(1980, 12)]));
    requests.input(0, "u32, locations", 0, words(&[(1980, 1), (176, 11)]));
    requests.input(EINVAL, "u32, locations", 0, words(&[(1980, 1), (176, 12)]));
    requests.input(0, "u32, unused locations", 0, words(&[(176, 12)]));
    requests.input(EINVAL, "u32, values", 0, words(&[(1980, 1), (177, 12)]));
    for (errno, number, operation) in [(0, 31, 1), (EINVAL, 32, 1), (EINVAL, 32, 2), (0, 32, 0)] {
        let shift = [(1980, 1), (176, 2), (8, number), (12, operation)];
        requests.input(errno, "u32, a shift", 0, words(&shift));
    }
    // The first location's operation is nothing.
    let shift = [(1980, 1), (176, 2), (0, 99), (4, 1), (12, 9)];
    requests.input(0, "u32, operations", 0, words(&shift));
}

/// Those of time, connbytes, helper, dccp and sctp.
fn times_and_ports(requests: &mut Requests) {
    use libc::{EDOM, EINVAL};
    let time = |start: u32, stop: u32, flags: u8| {
        let mut data = vec![0xff; 24];
        data[8..12].copy_from_slice(&start.to_ne_bytes());
        data[12..16].copy_from_slice(&stop.to_ne_bytes());
        data[21] = flags;
        Extension::new("time", 0, data)
    };
    requests.input(0, "time", 0, time(0, 86399, 0));
    requests.input(0, "time, over midnight", 0, time(86399, 0, 2));
    requests.input(0, "time, the whole day", 0, time(5, 5, 2));
    requests.input(EINVAL, "time, contiguous", 0, time(1, 2, 2));
    requests.input(EINVAL, "time, flags", 0, time(1, 2, 4));
    requests.input(EDOM, "time, start", 0, time(86400, 2, 4));
    requests.input(EDOM, "time, stop", 0, time(1, 86400, 2));
    let connbytes = |what: u8, direction: u8| {
        let mut data = vec![0xa5; 24];
        data[16..18].copy_from_slice(&[what, direction]);
        Extension::new("connbytes", 0, data)
    };
    requests.input(0, "connbytes", 0, connbytes(2, 2));
    requests.input(EINVAL, "connbytes, what", 0, connbytes(3, 0));
    requests.input(EINVAL, "connbytes, direction", 0, connbytes(0, 3));
    let helper = |invert: u8| {
        let mut data = vec![invert, 0, 0, 0];
        data.resize(34, b'x');
        data.resize(40, 0);
        Extension::new("helper", 0, data)
    };
    requests.input(0, "helper", 0, helper(0));
    requests.input(0, "helper, inverted twice", 0, helper(2));
    let dccp = |flags: u8, invert: u8| {
        let mut data = vec![0xa5; 16];
        data[8..12].copy_from_slice(&[flags, 0, invert, 0]);
        Extension::new("dccp", 0, data)
    };
    requests.input(0, "dccp of nothing", 33, dccp(0, 0));
    requests.input(0, "dccp", 33, dccp(7, 7));
    requests.input(EINVAL, "dccp, flags", 33, dccp(0x10, 0));
    requests.input(EINVAL, "dccp, inversions", 33, dccp(3, 0x10));
    requests.input(EINVAL, "dccp, inverts what is not", 33, dccp(3, 4));
    requests.input(EINVAL, "dccp of another one", 17, dccp(0, 0));
    let sctp = |flags: u8, invert: u8, count: u8| {
        let mut data = vec![0; 296];
        data[280] = count;
        data[284] = flags;
        data[288] = invert;
        Extension::new("sctp", 0, data)
    };
    requests.input(0, "sctp of nothing", 132, sctp(0, 0, 4));
    requests.input(0, "sctp", 132, sctp(3, 3, 0));
    requests.input(EINVAL, "sctp, chunks in no way", 132, sctp(4, 0, 0));
    requests.input(EINVAL, "sctp, many flags", 132, sctp(3, 0, 5));
    requests.input(EINVAL, "sctp, flags", 132, sctp(8, 0, 0));
    requests.input(EINVAL, "sctp, inverts what is not", 132, sctp(1, 2, 0));
    requests.input(EINVAL, "sctp of another one", 17, sctp(0, 0, 0));
}
