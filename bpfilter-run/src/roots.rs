// SPDX-License-Identifier: GPL-2.0-only
//! The permanent programs in front of a generation's own.
//!
//! Owns: their text, the words that they share with us, and what the numbers
//! in them mean. The *root* of a hook is what its link runs: it tail-calls the
//! slot that the word `STATE` says, plus the hook's number. That is a program
//! of a generation, or a *counted* root for that program, which counts who is
//! inside: up before the program starts, down when it has returned.
//!
//! ```text
//! STATE = NONE             accept
//! STATE = SLOT + 0, 3      the programs of set A or B
//! STATE = SLOT + 6, 9      their counted roots
//! ```
//!
//! Promises: when a counted root runs a program, its set was active after it
//! had counted itself in. So once `STATE` names another set and the count of
//! the old one has been zero since, no counted run of the old one goes on or
//! starts.

use crate::sys::bpf::WordIndex;
use bpf_abi::Insn;

/// The hooks of the table that is served: programs of a generation.
pub(crate) const HOOKS: usize = 3;
/// Slots of a set of programs.
pub(crate) const SET: u32 = HOOKS as u32;
/// Sets of programs.
pub(crate) const SETS: u32 = 2;
/// Slots of programs, and of counted roots for them.
pub(crate) const SLOTS: u32 = 2 * SETS * SET;

/// The words.
pub(crate) const WORDS: usize = 4;
/// What is active.
pub(crate) const STATE: WordIndex = WordIndex(0);
/// Always zero, which the verifier does not know.
const ZERO: WordIndex = WordIndex(3);

/// How many are inside the programs of a set, and were counted.
pub(crate) const fn inside(set: u32) -> WordIndex {
    WordIndex(1 + set as usize)
}

/// No set is active: accept.
pub(crate) const NONE: u32 = 0;
/// What is added to the number of the first slot.
const SLOT: u32 = 1;

/// The state in which a set is active.
pub(crate) const fn state(set: u32, counted: bool) -> u32 {
    SLOT + first_slot(set, counted)
}

/// The first slot of a set of programs, or of their counted roots.
pub(crate) const fn first_slot(set: u32, counted: bool) -> u32 {
    set * SET + if counted { SETS * SET } else { 0 }
}

const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const INDEX: u8 = 3;
const SET_HERE: u8 = 4;
const CONTEXT: u8 = 6;
const INSIDE: u8 = 7;
const DROP: i32 = 0;
const ACCEPT: i32 = 1;

/// What the programs refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps {
    /// The words.
    pub(crate) words: i32,
    /// The slots.
    pub(crate) programs: i32,
}

const fn mov(dst: u8, src: u8) -> Insn {
    Insn::new(0xbf, dst, src, 0, 0)
}

const fn add_imm(dst: u8, constant: i32) -> Insn {
    Insn::new(0x07, dst, 0, 0, constant)
}

const fn load(dst: u8, src: u8) -> Insn {
    Insn::new(0x61, dst, src, 0, 0)
}

/// The second half is the number's upper half, or an offset.
const fn wide(dst: u8, pseudo: u8, low: i32, high: i32) -> [Insn; 2] {
    [
        Insn::new(0x18, dst, pseudo, 0, low),
        Insn::new(0x00, 0, 0, 0, high),
    ]
}

/// `*INSIDE += by`, a full barrier.
const fn count(by: i32) -> [Insn; 2] {
    const ADD_AND_FETCH: i32 = 0x01;
    [
        Insn::mov_imm(R0, by),
        Insn::new(0xc3, INSIDE, R0, 0, ADD_AND_FETCH),
    ]
}

impl Maps {
    const fn word(self, dst: u8, word: WordIndex) -> [Insn; 2] {
        const PSEUDO_MAP_VALUE: u8 = 2;
        wide(dst, PSEUDO_MAP_VALUE, self.words, word.offset())
    }

    /// On in the slot INDEX; drops if it is empty.
    fn tail_call(self) -> Vec<Insn> {
        const PSEUDO_MAP_FD: u8 = 1;
        const TAIL_CALL: i32 = 12;
        let [low, high] = wide(R2, PSEUDO_MAP_FD, self.programs, 0);
        vec![
            low,
            high,
            Insn::new(0x85, 0, 0, 0, TAIL_CALL),
            Insn::mov_imm(R0, DROP),
            Insn::EXIT,
        ]
    }

    /// The root program of a hook.
    pub(crate) fn root(self, hook: u32) -> Vec<Insn> {
        let mut text = vec![mov(CONTEXT, R1)];
        text.extend(self.word(R1, STATE));
        text.push(load(INDEX, R1));
        text.extend(self.where_state_says(hook));
        text
    }

    /// On where the state in INDEX says.
    fn where_state_says(self, hook: u32) -> Vec<Insn> {
        let mut on = vec![add_imm(INDEX, hook as i32 - SLOT as i32), mov(R1, CONTEXT)];
        on.extend(self.tail_call());
        // if INDEX == NONE, behind all that
        let mut text = vec![Insn::new(0x15, INDEX, 0, on.len() as i16, NONE as i32)];
        text.extend(on);
        text.extend([Insn::mov_imm(R0, ACCEPT), Insn::EXIT]);
        text
    }

    /// The counted root of a hook, for the programs of a set; and where its
    /// function starts.
    pub(crate) fn counted(self, set: u32, hook: u32) -> (Vec<Insn>, usize) {
        const PSEUDO_CALL: u8 = 1;
        let [down, down_too] = count(-1);

        // Its set may have been replaced before it was counted in.
        let mut replaced = vec![down, down_too];
        replaced.extend(self.where_state_says(hook));

        // A function, so that the program that is called here returns.
        let mut function = vec![mov(INDEX, R2)];
        function.extend(self.tail_call());

        let mut run = vec![
            mov(R1, CONTEXT),
            mov(R2, SET_HERE),
            Insn::new(0x85, 0, PSEUDO_CALL, 0, 0),
            mov(CONTEXT, R0),
            down,
            down_too,
            // The verifier does not know that this is what the program says.
            mov(R0, CONTEXT),
            Insn::new(0x57, R0, 0, 0, 1),
            Insn::EXIT,
        ];
        // From behind the call to behind all that is not the function.
        let behind_call = run.len() - 3 + replaced.len();
        if let Some(call) = run.get_mut(2) {
            call.imm = behind_call as i32;
        }

        let mut text = vec![mov(CONTEXT, R1)];
        text.extend(self.word(INSIDE, inside(set)));
        text.extend(count(1));
        // The slot, as a number that the verifier does not know: a known one
        // would become a direct jump, which is slow to change.
        text.extend(self.word(R2, ZERO));
        text.push(load(SET_HERE, R2));
        text.push(add_imm(SET_HERE, (first_slot(set, false) + hook) as i32));
        text.extend(self.word(R1, STATE));
        text.push(load(INDEX, R1));
        let state = state(set, true) as i32;
        text.push(Insn::new(0x55, INDEX, 0, run.len() as i16, state));
        text.extend(run);
        text.extend(replaced);
        let start = text.len();
        text.extend(function);
        (text, start)
    }
}
