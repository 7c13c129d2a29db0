// SPDX-License-Identifier: GPL-2.0-only
//! How the helper is linked; the layout itself is in `linker.ld`.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../linker.ld");
    println!("cargo::rerun-if-changed={script}");
    for arg in [
        // No C runtime: `_start` and mem* are the helper's own.
        "-nostartfiles",
        "-nostdlib",
        // Fixed addresses: no ELF interpreter, no relocations at run time.
        "-static",
        "-no-pie",
        // Nothing at run time reads a build id or unwind tables.
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        // The segments' file offsets follow the script, not the 64 KiB that
        // some linkers align to.
        "-Wl,-z,max-page-size=4096",
        // An undefined symbol is the proof that failed, see src/main.rs.
        "-Wl,--no-undefined",
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{script}");
}
