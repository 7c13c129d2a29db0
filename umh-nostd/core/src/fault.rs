// SPDX-License-Identifier: GPL-2.0-only
//! What can be wrong with a table, in words.
//!
//! Owns: the causes for which rules are refused, each once, with its text and its
//! kind. Leaves to others: the errno that the caller gets, which follows from
//! ip_tables, and which rule it is (`table`).

use bpfilter_msgfmt as msg;

use crate::errno::Errno;

macro_rules! causes {
    ($($kind:ident { $($name:ident = $text:literal,)* })*) => {
        /// Why rules are refused.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Cause {
            $($(#[doc = $text] $name,)*)*
        }

        impl Cause {
            /// The kind, `REFUSED_*`.
            pub const fn kind(self) -> u32 {
                match self {
                    $($(Self::$name)|* => msg::$kind,)*
                }
            }

            /// What is wrong, to be read after what it is wrong with. One that ends
            /// with a space is to be followed by the number of the errno.
            pub const fn text(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)*)*
                }
            }
        }
    };
}

causes! {
    REFUSED_MALFORMED {
        Errno = "the request is refused, errno ",
        Caller = "the caller's memory cannot be read, errno ",
        Place = "its size is wrong, or it does not begin where an entry can",
        Flags = "flags that there are not",
        TargetPlace = "its target does not lie inside of it",
        Verdict = "its verdict is none that there is",
        ChainName = "its ERROR target has another size, or a name without an end",
        MatchPlace = "its matches do not end where its target begins",
        Policy = "a policy must be ACCEPT or DROP, for all packets",
        Number = "there are not as many entries as the table says",
        Hooks = "the hooks are not the table's, or have no chain or policy, or another order",
        Loop = "packets get here from here, and would never leave",
        Nowhere = "jumps to where no rule begins",
        End = "packets would run off the end of the table",
        Name = "its name has no end",
    }
    REFUSED_UNKNOWN {
        Unknown = "not in this kernel",
        Revision = "this kernel has other revisions of it",
        KernelCode = "no program does it: it needs the module bpfilter, see bpfilter(7)",
        NotDone = "not done by bpfilter, or not in this kernel: see docs/differences.md",
    }
    REFUSED_CHECK {
        Size = "its options have another size in this kernel",
        Hook = "not for packets of this chain's hooks",
        Protocol = "the rule must be of its protocol (-p)",
        Absent = "what its options name is not there, such as a set or a label, errno ",
        Options = "does not take its options or this place, errno ",
    }
    REFUSED_PROGRAM {
        Memory = "no memory for it, errno ",
        Program = "no program can be made of the rules, errno ",
        Commit = "the rules do not come into force, errno ",
    }
}

/// What is wrong, and what the caller hears of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// What the caller gets.
    pub errno: Errno,
    /// What people read.
    pub cause: Cause,
}

impl Cause {
    /// A fault of this cause.
    pub const fn with(self, errno: Errno) -> Fault {
        Fault { errno, cause: self }
    }
}

/// Most are EINVAL.
impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        cause.with(Errno::EINVAL)
    }
}

/// What is the same wherever it happens.
impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        let cause = match errno {
            Errno::ENOMEM => Cause::Memory,
            Errno::EFAULT => Cause::Caller,
            _ => Cause::Errno,
        };
        cause.with(errno)
    }
}
