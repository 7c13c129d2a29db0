// SPDX-License-Identifier: GPL-2.0-only
//! How the helper is linked, by ld itself (`tools/umh`); the layout is in `linker.ld`.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../linker.ld");
    println!("cargo::rerun-if-changed={script}");
    for arg in [
        // Fixed addresses, and no library that comes from elsewhere: no ELF
        // interpreter, no relocations at run time.
        "-static",
        // Nothing at run time reads a build id or unwind tables.
        "--build-id=none",
        "--no-eh-frame-hdr",
        // Kernels of some CPUs have pages of 64 KiB. The segments lie on
        // different pages there, too.
        "-zmax-page-size=65536",
        // An undefined symbol is the proof that failed, see src/main.rs.
        "--no-undefined",
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    println!("cargo::rustc-link-arg-bins=-T{script}");
}
