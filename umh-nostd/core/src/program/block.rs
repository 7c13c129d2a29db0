// SPDX-License-Identifier: GPL-2.0-only
//! Blocks of code: constant tables of [`Template`]s.
//!
//! Owns: how a block that is written as nested [`Item`]s becomes one table
//! when the helper is compiled ([`block!`]).

use super::asm::{Item, Template};

/// A block of code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block(pub(super) &'static [Template]);

/// A block of the items in it, which must be constants.
macro_rules! block {
    ($($item:expr),* $(,)?) => {{
        const ITEMS: &[$crate::program::asm::Item] = &[$($item),*];
        block_of!(ITEMS)
    }};
}

/// A block of a constant list of items.
macro_rules! block_of {
    ($items:expr) => {{
        const LEN: usize = $crate::program::block::count($items);
        const CODE: [$crate::program::asm::Template; LEN] = $crate::program::block::flatten($items);
        $crate::program::block::Block(&CODE)
    }};
}

/// How many templates items are, with what stands within them.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
pub(crate) const fn count(items: &[Item]) -> usize {
    let (mut index, mut sum) = (0, items.len());
    while index < items.len() {
        sum += count(items[index].inner);
        index += 1;
    }
    sum
}

/// The templates of `items`, of which there are `N`.
pub(crate) const fn flatten<const N: usize>(items: &[Item]) -> [Template; N] {
    let nothing = Template::Bind(super::asm::Label(0));
    let mut out = [nothing; N];
    let len = append(items, &mut out, 0);
    assert!(len == N);
    out
}

/// Writes the templates of `items` to `out`, from `at` on; returns where they
/// end.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
const fn append(items: &[Item], out: &mut [Template], mut at: usize) -> usize {
    let mut index = 0;
    while index < items.len() {
        let Item {
            mut template,
            inner,
        } = items[index];
        let end = append(inner, out, at + 1);
        if let Template::When { len, .. } = &mut template {
            assert!(end - at - 1 <= u16::MAX as usize);
            *len = (end - at - 1) as u16;
        }
        out[at] = template;
        at = end;
        index += 1;
    }
    at
}
