// SPDX-License-Identifier: GPL-2.0-only
//! What every piece of code is written with: the language, where things are
//! in the frame, and what labels, parameters, needs and shared blocks there are.

pub(super) use super::asm::Reg::*;
pub(super) use super::asm::Size::*;
pub(super) use super::asm::*;
pub(super) use super::block::Block;
pub(super) use super::{Builder, field, frame, label, need, param, shared};
