// SPDX-License-Identifier: GPL-2.0-only
//! The maps of tables that rules know by name.
//!
//! Owns: which of them are made, and which go on from the generation before.

use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::{ARRAYS, Named};
use umh_core::table::Table;

use crate::system::{BATCH, System};

/// The maps of all tables that rules know by name, in arrays; those that they
/// are in already, if it is the same tables as before.
pub(super) fn arrays<S: System>(
    system: &S,
    table: &mut Table<'_>,
) -> Result<[Option<S::Handle>; ARRAYS]> {
    let mut arrays = [const { None }; ARRAYS];
    let mut ids = *table.arrays_mut();
    let known = ids.iter().any(|&id| id != 0);
    for (array, (handle, id)) in arrays.iter_mut().zip(&mut ids).enumerate() {
        if !known {
            *handle = fill(system, table.named_mut(), array, id)?;
        } else if *id != 0 {
            *handle = Some(system.named(*id)?);
        }
    }
    *table.arrays_mut() = ids;
    Ok(arrays)
}

/// One of these arrays, its id too; none if no table's map belongs there.
fn fill<S: System>(
    system: &S,
    tables: &mut [Named],
    array: usize,
    id: &mut u32,
) -> Result<Option<S::Handle>> {
    let len = tables.len() as u32;
    let mut made = None;
    let (mut places, mut maps) = (Vec::<u32, BATCH>::new(), Vec::<S::Handle, BATCH>::new());
    for (place, table) in (0..)
        .zip(tables)
        .filter(|(_, table)| table.array() == array)
    {
        let map = match table.map {
            0 => {
                let (map, id) = system.new_named(table.shape(system.total_memory()))?;
                table.map = id;
                map
            }
            id => system.named(id)?,
        };
        if made.is_none() {
            let (handle, its_id) = system.new_array(&map, len)?;
            *id = its_id;
            made = Some(handle);
        }
        if maps.is_full()
            && let Some(array) = &made
        {
            system.fill_array(array, &places, &maps)?;
            places.clear();
            maps.clear();
        }
        maps.push(map).map_err(|_| Errno::EIO)?;
        places.push(place).map_err(|_| Errno::EIO)?;
    }
    if let Some(array) = &made {
        system.fill_array(array, &places, &maps)?;
    }
    Ok(made)
}
