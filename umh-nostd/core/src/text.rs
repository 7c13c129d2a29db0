// SPDX-License-Identifier: GPL-2.0-only
//! One line of text in the making, for people.
//!
//! Owns: bytes and numbers as text, without the formatter of `core`, whose code
//! would be a good part of the helper.

use bpfilter_msgfmt::REFUSAL_MAX;
use heapless::Vec;

/// The longest line: the longest that there is to be.
pub const MAX: usize = REFUSAL_MAX;

/// A line of at most [`MAX`] bytes. A piece that does not fit is left out.
#[derive(Clone, Debug, Default)]
pub struct Text(Vec<u8, MAX>);

impl Text {
    /// The line so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The line with `text` at its end.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// The line with `bytes` at its end.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let _ = self.0.extend_from_slice(bytes);
        self
    }

    /// The line with a name that somebody else has chosen: what is no printable
    /// ASCII, or a quote, is a question mark.
    pub fn name(&mut self, name: &[u8]) -> &mut Self {
        for &byte in name {
            self.bytes(&[match byte {
                b'\'' => b'?',
                b' '..=b'~' => byte,
                _ => b'?',
            }]);
        }
        self
    }

    /// The line with `number`, in decimal, at its end.
    pub fn number(&mut self, number: usize) -> &mut Self {
        // A u64 has 20 digits at most.
        let mut digits = [b'0'; 20];
        let mut rest = number;
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
            first -= 1;
            if rest == 0 {
                break;
            }
        }
        self.bytes(digits.get(first..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        let mut line = Text::default();
        line.number(0).text(" ").number(4_294_967_295);
        line.text(" ").name(b"a'b\nc\xffd");
        assert_eq!(line.as_bytes(), b"0 4294967295 a?b?c?d");
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn numbers_have_20_digits_at_most() {
        let mut line = Text::default();
        line.number(usize::MAX);
        assert_eq!(line.as_bytes(), b"18446744073709551615");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut line = Text::default();
        line.bytes(&[b'a'; MAX - 1]).text("bc").text("d").text("e");
        assert_eq!(line.as_bytes().len(), MAX);
        assert!(line.as_bytes().ends_with(b"aad"));
    }
}
