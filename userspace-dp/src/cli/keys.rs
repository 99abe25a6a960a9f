//! `genkey`, `pubkey`, `genpsk`: as wg(8) has them, so that scripts need not tell the two apart.

use super::exit::Exit;
use super::{complain, print};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use wireguard::{PresharedKey, PrivateKey};
use zeroize::Zeroizing;

/// Prints a new private key.
pub(super) fn genkey() -> Exit {
    warn_of_open_file();
    print_secret(&PrivateKey::generate(&mut system_randomness()).to_base64())
}

/// Prints a new preshared key.
pub(super) fn genpsk() -> Exit {
    warn_of_open_file();
    print_secret(&PresharedKey::generate(&mut system_randomness()).to_base64())
}

/// Reads a private key from stdin and prints its public key.
pub(super) fn pubkey() -> Exit {
    const LONGEST_INPUT: u64 = 256;
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_INPUT as usize));
    let read = std::io::stdin().lock().take(LONGEST_INPUT).read_to_string(&mut text);
    let key = match read {
        Ok(_) => text.trim_ascii().parse::<PrivateKey>().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match key {
        Ok(key) => print(&format!("{}\n", key.public_key())),
        Err(error) => {
            complain(&format!(
                "stdin is not a private key: {error}. Next: `ringwall genkey | ringwall pubkey`"
            ));
            Exit::Failed
        }
    }
}

/// The kernel's randomness, straight. Without it there is no key: the process ends.
fn system_randomness() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn print_secret(key: &Zeroizing<String>) -> Exit {
    print(&Zeroizing::new(format!("{}\n", key.as_str())))
}

/// Says so when stdout is a file that others can read: the key in it is no secret then.
fn warn_of_open_file() {
    let Ok(stdout) = std::io::stdout().as_fd().try_clone_to_owned() else { return };
    let Ok(metadata) = File::from(stdout).metadata() else { return };
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        complain(
            "warning: the output file can be read by others than its owner. Next: `umask 077`, then again",
        );
    }
}
