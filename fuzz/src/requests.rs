// SPDX-License-Identifier: GPL-2.0-only
//! Any requests to the whole handler, from a caller whose memory changes
//! between any two looks at it, on a system where any effect may fail.
//!
//! The input: how many bytes of noise, the noise, after how many effects the
//! next one fails (0: none does), how many requests; for each request its
//! option, where in the memory it lies, and what is added to the length that
//! would fit; then the memory.
#![no_main]

use bpfilter_msgfmt as msg;
use libfuzzer_sys::fuzz_target;
use umh_nostd::fake::{BASE, Fake};
use umh_nostd::handle::answer;

/// Options to choose from: those that exist, and some that do not.
const OPTIONS: [(u32, u32); 8] = [
    (1, msg::IPT_SO_SET_REPLACE),
    (1, msg::IPT_SO_SET_ADD_COUNTERS),
    (0, msg::IPT_SO_GET_INFO),
    (0, msg::IPT_SO_GET_ENTRIES),
    (0, msg::IPT_SO_GET_REVISION_MATCH),
    (0, msg::IPT_SO_GET_REVISION_TARGET),
    (0, msg::CMD_PING),
    (1, 66),
];

/// Reads the input from its front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn i16(&mut self) -> i16 {
        i16::from_le_bytes([self.u8(), self.u8()])
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }
}

fn ask(system: &Fake, is_set: u32, cmd: u32, addr: u64, len: u32) -> i32 {
    let request = msg::Request {
        addr,
        len,
        is_set,
        cmd,
        pid: 0,
    };
    let status = answer(system, &request).status;
    assert!((-4095..=0).contains(&status), "a status of {status}");
    assert_eq!(system.held(), 0, "something is still open");
    status
}

/// An honest caller gets the whole table.
fn table_can_be_had(system: &mut Fake) {
    system.noise.clear();
    system.fail_after.set(None);
    let mut memory = umh_core::abi::FILTER.name.as_bytes().to_vec();
    memory.resize(84, 0);
    system.memory.replace(memory.clone());
    assert_eq!(ask(system, 0, msg::IPT_SO_GET_INFO, BASE, 84), 0);
    let size: [u8; 4] = system.memory.borrow()[80..84].try_into().unwrap();
    let len = 40 + u32::from_le_bytes(size);
    memory.truncate(32);
    memory.extend(size);
    memory.resize(len as usize, 0);
    system.memory.replace(memory);
    assert_eq!(ask(system, 0, msg::IPT_SO_GET_ENTRIES, BASE, len), 0);
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let noise = input.u8() % 9;
    let mut system = Fake::default();
    system.noise = input.bytes(noise.into()).to_vec();
    let fail_after = input.u8();
    let requests: Vec<_> = (0..input.u8() % 5)
        .map(|_| {
            (
                OPTIONS[usize::from(input.u8() % 8)],
                input.i16(),
                input.i16(),
            )
        })
        .collect();
    system.memory.replace(input.0.to_vec());
    if fail_after != 0 {
        system.fail_after.set(Some(fail_after.into()));
    }
    for ((is_set, cmd), start, more) in requests {
        let before = system.kept.borrow().clone();
        let addr = BASE.wrapping_add_signed(start.into());
        let fits = system.memory.borrow().len() as i64 - i64::from(start);
        let len = (fits + i64::from(more)) as u32;
        let status = ask(&system, is_set, cmd, addr, len);
        let after = system.kept.borrow().clone();
        let same = before.len() == after.len()
            && before.iter().zip(&after).all(|((number, old), (same, new))| {
                number == same && std::rc::Rc::ptr_eq(&old.image, &new.image)
            });
        let may_change = status == 0
            && match (is_set, cmd) {
                (1, msg::IPT_SO_SET_REPLACE) => true,
                // The pristine table must be kept before it can count.
                (1, msg::IPT_SO_SET_ADD_COUNTERS) => before.is_none(),
                _ => false,
            };
        assert!(same || may_change, "a table committed by {cmd}, {status}");
    }
    table_can_be_had(&mut system);
});
