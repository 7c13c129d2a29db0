// SPDX-License-Identifier: GPL-2.0-only
//! Any bytes as a REPLACE request, judged by the core alone: it neither
//! panics nor takes what breaks the promises of a table.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bpfilter_tests::blob::any_bytes::replace(data));
