//! Reading key files: present, regular, their owner's alone, and holding a key.

use crate::findings::Findings;
use crate::key::Key;
use crate::model::Config;
use crate::values::{PublicKey, Secret};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes that are read of a key file: a key, and room for white space.
const LONGEST_FILE: u64 = 256;

/// Reads the keys that `config` names into it. Relative paths start at `base_dir`.
pub(super) fn read(config: &mut Config, base_dir: &Path, findings: &mut Findings<'_>) {
    let Some(wireguard) = &mut config.wireguard else { return };
    let key = Key::top("wireguard");
    let own = key.field("private_key_file");
    wireguard.private_key =
        read_one(&own, &wireguard.private_key_file, base_dir, "genkey", findings);
    for (index, peer) in wireguard.peer.iter_mut().enumerate() {
        if let Some(path) = &peer.preshared_key_file {
            let key = key.field("peer").item(index).field("preshared_key_file");
            peer.preshared_key = read_one(&key, path, base_dir, "genpsk", findings);
        }
    }
}

fn read_one(
    key: &Key,
    path: &Path,
    base_dir: &Path,
    verb: &str,
    findings: &mut Findings<'_>,
) -> Option<Secret> {
    if path.to_str().is_some_and(|text| text.parse::<PublicKey>().is_ok()) {
        let allowed = "the path of a file that holds the key, readable by its owner alone";
        findings.secret(key, "a key where the path of a key file belongs", allowed);
        return None;
    }
    match read_file(&base_dir.join(path)) {
        Ok(secret) => Some(secret),
        Err(Unusable { message, allowed }) => {
            let shown = base_dir.join(path);
            let allowed = match allowed {
                Remedy::Make => {
                    format!("a key file: `(umask 077; ringwall {verb} > {})`", shown.display())
                }
                Remedy::Protect => format!("owner only: `chmod 600 {}`", shown.display()),
                Remedy::Other(text) => text.to_owned(),
            };
            findings.error(key, message, allowed);
            None
        }
    }
}

/// Why a key file cannot be used, and what helps.
struct Unusable {
    message: String,
    allowed: Remedy,
}

enum Remedy {
    Make,
    Protect,
    Other(&'static str),
}

fn read_file(path: &Path) -> Result<Secret, Unusable> {
    // Looked at before it is opened, since opening a pipe would wait; and again once open, since it may have
    // been exchanged in between.
    examine(&std::fs::metadata(path).map_err(|error| failed(&error))?)?;
    let file = File::open(path).map_err(|error| failed(&error))?;
    examine(&file.metadata().map_err(|error| failed(&error))?)?;
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE as usize));
    let no_key = || Unusable {
        message: "the file holds no key".to_owned(),
        allowed: Remedy::Other("32 bytes in base64 (44 characters), and nothing else"),
    };
    match file.take(LONGEST_FILE).read_to_string(&mut text) {
        Ok(_) => Secret::from_base64(&text).map_err(|_| no_key()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(no_key()),
        Err(error) => Err(failed(&error)),
    }
}

fn examine(metadata: &Metadata) -> Result<(), Unusable> {
    if !metadata.is_file() {
        let allowed = Remedy::Other("a regular file");
        return Err(Unusable { message: "not a regular file".to_owned(), allowed });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let message = format!("mode {mode:04o} lets others than its owner at the key");
        return Err(Unusable { message, allowed: Remedy::Protect });
    }
    Ok(())
}

fn failed(error: &io::Error) -> Unusable {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        return Unusable { message: "no such file".to_owned(), allowed: Remedy::Make };
    }
    if kind == io::ErrorKind::PermissionDenied {
        let allowed = Remedy::Other("run as the user that the daemon runs as");
        return Unusable { message: "this user may not read the file".to_owned(), allowed };
    }
    let allowed = Remedy::Other("a readable file");
    Unusable { message: format!("cannot be read: {error}"), allowed }
}
