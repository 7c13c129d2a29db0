// SPDX-License-Identifier: GPL-2.0-only
//! Which words of an IPv6 packet's addresses stand in records.
//!
//! Owns: the choice. The two addresses have eight words of 32 bits, and a record
//! has room for two: rules are found by those, and asked for the others one by one,
//! or once for all rules where these hardly differ. So the two should be the words in
//! which the rules of a table differ. What is chosen decides how fast a rule is found,
//! not whether it is.

use super::test::Field;
use crate::abi::{IPT_INV_DSTIP, IPT_INV_SRCIP, Ip6tIp6};
use crate::bytes::read;

/// The words of two addresses, as the fields of a packet count them: those of the
/// source come first.
const WORDS: usize = 8;

/// Of two words in which as many rules differ, which is taken: the second one of an
/// address, as a site's networks have it, before its end, where hosts are.
const PREFERRED: [u8; WORDS] = [1, 5, 3, 7, 2, 6, 0, 4];

/// In how many rules a word may differ from the rule before to be alike in all.
const ALIKE: u32 = 4;

/// What of the addresses stands where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Words {
    /// The numbers of the two words in records.
    pub(crate) in_record: [u8; 2],
    /// Words that are alike in all rules, or nearly: a bit for each.
    alike: u8,
}

impl Default for Words {
    fn default() -> Self {
        let [first, second, ..] = PREFERRED;
        Self {
            in_record: [first, second],
            alike: 0,
        }
    }
}

/// What a rule asks of one word of an address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Word {
    pub(super) mask: u32,
    pub(super) value: u32,
}

/// What a rule asks of one address.
pub(super) fn address(address: &[u8; 16], mask: &[u8; 16]) -> [Word; 4] {
    [0, 4, 8, 12].map(|at| {
        let word = |bytes: &[u8; 16]| read(bytes, at).map_or(0, u32::from_be_bytes);
        // Bits outside of the mask are not compared.
        Word {
            mask: word(mask),
            value: word(address) & word(mask),
        }
    })
}

impl Words {
    /// The two words in which most rules differ from the one before that asks for
    /// the word, too.
    pub(crate) fn choose<'a>(rules: impl Iterator<Item = &'a Ip6tIp6>) -> Self {
        let mut differ = [0u32; WORDS];
        let mut before = [None; WORDS];
        for ip in rules {
            let source = address(&ip.src, &ip.smsk).map(|word| (word, IPT_INV_SRCIP));
            let destination = address(&ip.dst, &ip.dmsk).map(|word| (word, IPT_INV_DSTIP));
            let asked = source.into_iter().chain(destination);
            for ((word, inverted), (before, differ)) in
                asked.zip(before.iter_mut().zip(&mut differ))
            {
                if word.mask != 0 && ip.invflags & inverted == 0 {
                    let other = before.replace(word).is_some_and(|before| before != word);
                    *differ += u32::from(other);
                }
            }
        }
        // The last of the best is taken, so the preferred ones come last.
        let best = |taken: Option<u8>| {
            let free = PREFERRED
                .into_iter()
                .rev()
                .filter(|&word| Some(word) != taken);
            let differ = |word: &u8| differ.get(usize::from(*word)).copied();
            free.max_by_key(differ).unwrap_or_default()
        };
        let first = best(None);
        let alike = differ.iter().rev();
        Self {
            in_record: [first, best(Some(first))],
            alike: alike.fold(0, |bits, &differ| bits << 1 | u8::from(differ <= ALIKE)),
        }
    }

    /// Whether few rules of the table ask a word for another value than others do.
    pub(super) fn are_alike(self, field: Field) -> bool {
        1u8.checked_shl(field as u32)
            .is_some_and(|bit| self.alike & bit != 0)
    }

    /// Where in a record a word is: in its lower or its upper half.
    pub(super) fn half(self, field: Field) -> Option<u32> {
        let [lower, upper] = self.in_record;
        match field as u8 {
            word if word == lower => Some(0),
            word if word == upper => Some(1),
            _ => None,
        }
    }
}

/// The field of each word of one address, from its first on.
pub(super) const fn fields(destination: bool) -> [Field; 4] {
    if destination {
        [
            Field::Destination,
            Field::Destination1,
            Field::Destination2,
            Field::Destination3,
        ]
    } else {
        [
            Field::Source,
            Field::Source1,
            Field::Source2,
            Field::Source3,
        ]
    }
}

#[cfg(test)]
mod tests {
    use core::array::from_fn;

    use zerocopy::FromZeros;

    use super::*;

    fn rule(source: [u32; 4], len: usize) -> Ip6tIp6 {
        let mut ip = Ip6tIp6::new_zeroed();
        for (bytes, word) in ip.src.chunks_exact_mut(4).zip(source) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        for byte in ip.smsk.iter_mut().take(len / 8) {
            *byte = 0xff;
        }
        ip
    }

    #[test]
    fn words_in_which_rules_differ() {
        let networks: [_; 9] = from_fn(|n| rule([0x2001_0db8, (n as u32) << 16, 0, 0], 48));
        let words = Words::choose(networks.iter());
        assert_eq!(words.in_record, [1, 5]);
        assert!(words.are_alike(Field::Source));
        let hosts: [_; 9] = from_fn(|n| {
            let n = n as u32;
            rule([0x2001_0db8, 7, n % 2, n], 128)
        });
        let words = Words::choose(hosts.iter());
        assert_eq!(words.in_record, [3, 2]);
        assert!(words.are_alike(Field::Source1) && !words.are_alike(Field::Source2));
        let default = Words::default().in_record;
        assert_eq!(Words::choose([].iter()).in_record, default);
        let mut inverted = hosts;
        inverted
            .iter_mut()
            .for_each(|ip| ip.invflags = IPT_INV_SRCIP);
        assert_eq!(Words::choose(inverted.iter()).in_record, default);
    }
}
