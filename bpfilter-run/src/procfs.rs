// SPDX-License-Identifier: GPL-2.0-only
//! `/proc/PID/status`, of a process or of a thread.

use std::fs::File;
use std::io::{self, Read};

/// The text of a status file.
pub(crate) struct Status(String);

impl Status {
    /// As it is now.
    pub(crate) fn of(id: i32) -> io::Result<Self> {
        // Room for nearly all of them: each read costs the kernel a new text.
        let mut text = String::with_capacity(8192);
        File::open(format!("/proc/{id}/status"))?.read_to_string(&mut text)?;
        Ok(Self(text))
    }

    /// A field in decimal: the first number of its line, or a later one.
    pub(crate) fn number(&self, name: &str, index: usize) -> io::Result<u32> {
        let number = self
            .field(name)
            .and_then(|value| value.split_whitespace().nth(index));
        number
            .and_then(|number| number.parse().ok())
            .ok_or(io::ErrorKind::InvalidData.into())
    }

    /// A field that is a mask in hexadecimal: is this bit set?
    pub(crate) fn bit(&self, name: &str, bit: u32) -> io::Result<bool> {
        let mask = self
            .field(name)
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.map(|mask| mask & 1 << bit != 0)
            .ok_or(io::ErrorKind::InvalidData.into())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}
