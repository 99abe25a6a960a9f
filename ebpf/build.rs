//! Compiles the steering program with clang and leaves `steering.o` in `OUT_DIR`.
//!
//! Needs `clang` (14 or newer, with the BPF target) and the kernel's user headers. On Debian:
//! `apt-get install clang linux-libc-dev`. `CLANG` names another compiler.
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const PACKAGES: &str = "the XDP program is built by clang against the kernel's user headers; \
                        on Debian: apt-get install clang linux-libc-dev";

fn main() {
    let source = Path::new("src/xdp");
    let object = PathBuf::from(variable("OUT_DIR")).join("steering.o");
    println!("cargo:rerun-if-changed={}", source.display());
    println!("cargo:rerun-if-env-changed=CLANG");

    let compiler = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let mut command = Command::new(&compiler);
    command.args(["-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
    command.args(["-target", endianness()]);
    for folder in header_folders() {
        command.arg("-isystem").arg(folder);
    }
    command.arg("-c").arg(source.join("steering.c")).arg("-o").arg(&object);

    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!(
            "{compiler} could not compile src/xdp/steering.c ({PACKAGES}):\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(&format!("cannot run {compiler}: {error}; {PACKAGES}")),
    }
}

/// The BPF target in the byte order of the machine the gateway will run on.
fn endianness() -> &'static str {
    if variable("CARGO_CFG_TARGET_ENDIAN") == "big" { "bpfeb" } else { "bpfel" }
}

/// Debian keeps `asm/types.h` in a folder per architecture that the BPF target does not search.
fn header_folders() -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", variable("CARGO_CFG_TARGET_ARCH"));
    let candidates = [
        Path::new("/usr/include").join(&triplet),
        Path::new("/usr").join(&triplet).join("include"),
    ];
    candidates.into_iter().filter(|folder| folder.join("asm/types.h").is_file()).collect()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo:warning={line}");
    }
    eprintln!("{message}");
    exit(1)
}
