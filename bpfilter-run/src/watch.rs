// SPDX-License-Identifier: GPL-2.0-only
//! When is nobody in the programs of before any more?
//!
//! Owns: the way to know it soon. A grace period of RCU tells, after ten
//! milliseconds or so. Most of that can pass before the swap: while somebody
//! works on the rules of a namespace its packets are counted in and out
//! (`roots`), and once a grace period has passed since the counting began, all
//! that are inside are counted; then the end of the last one is seen at once.
//!
//! Leaves to others: to say what is active, and when somebody works on rules.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sys::bpf::Grace;

/// How long to look at a count. A packet takes microseconds, but it may have
/// been interrupted; then a grace period is as good.
const LOOK: Duration = Duration::from_millis(10);

/// Whether packets are counted in and out.
#[derive(Debug, Default)]
pub(crate) enum Watch {
    /// They are not.
    #[default]
    Off,
    /// All that come are; there may be some of before.
    Starting(JoinHandle<io::Result<()>>),
    /// All are.
    On,
}

impl Watch {
    /// Packets are counted from now on.
    pub(crate) fn start(grace: &Arc<Grace>) -> io::Result<Self> {
        let grace = Arc::clone(grace);
        let waiting = std::thread::Builder::new().spawn(move || grace.wait())?;
        Ok(Self::Starting(waiting))
    }

    /// Whether they are counted.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Waits until nobody is in programs that are active no more. `inside` is
    /// how many of them are in there, of those that were counted.
    pub(crate) fn drain(&mut self, inside: &AtomicU32, grace: &Grace) -> io::Result<()> {
        if let Self::Starting(_) = self
            && let Self::Starting(waiting) = std::mem::take(self)
            && matches!(waiting.join(), Ok(Ok(())))
        {
            *self = Self::On;
        }
        if matches!(self, Self::On) {
            let start = Instant::now();
            while start.elapsed() < LOOK {
                if inside.load(Ordering::SeqCst) == 0 {
                    return Ok(());
                }
                std::thread::yield_now();
            }
        }
        grace.wait()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Needs root.
    #[test]
    fn nobody_is_inside_any_more() {
        let grace = Arc::new(Grace::new().unwrap());
        let inside = AtomicU32::new(1);
        let mut watch = Watch::start(&grace).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(1));
                inside.store(0, Ordering::SeqCst);
            });
            watch.drain(&inside, &grace).unwrap();
            assert!(matches!(watch, Watch::On));
            assert_eq!(inside.load(Ordering::SeqCst), 0);
        });
        // One that stays is waited for by other means.
        inside.store(1, Ordering::SeqCst);
        let start = Instant::now();
        watch.drain(&inside, &grace).unwrap();
        assert!(start.elapsed() >= LOOK);
    }
}
