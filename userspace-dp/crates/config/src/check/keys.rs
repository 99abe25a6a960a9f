//! Reading key files: present, regular, their owner's alone, and holding a key.

use crate::findings::Findings;
use crate::key::Key;
use crate::load::ForbiddenKeys;
use crate::model::Config;
use crate::values::{PublicKey, Secret};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes that are read of a key file: a key, and room for white space.
const LONGEST_FILE: u64 = 256;

/// Where key files are looked for, and how much depends on them.
pub(crate) struct KeyFiles<'p> {
    /// Where relative paths start.
    pub(crate) base_dir: &'p Path,
    /// What becomes of files that this user may not read.
    pub(crate) forbidden: ForbiddenKeys,
}

impl KeyFiles<'_> {
    /// Reads the keys that `config` names into it.
    pub(super) fn read(&self, config: &mut Config, findings: &mut Findings<'_>) {
        let Some(wireguard) = &mut config.wireguard else { return };
        let key = Key::top("wireguard");
        let own = key.field("private_key_file");
        if !findings.is_unknown(&own) {
            wireguard.private_key =
                self.read_one(&own, &wireguard.private_key_file, "genkey", findings);
        }
        for (index, peer) in wireguard.peer.iter_mut().enumerate() {
            if let Some(path) = &peer.preshared_key_file {
                let key = key.field("peer").item(index).field("preshared_key_file");
                peer.preshared_key = self.read_one(&key, path, "genpsk", findings);
            }
        }
    }

    fn read_one(
        &self,
        key: &Key,
        path: &Path,
        verb: &str,
        findings: &mut Findings<'_>,
    ) -> Option<Secret> {
        if path.to_str().is_some_and(|text| text.parse::<PublicKey>().is_ok()) {
            let allowed = "the path of a file that holds the key, readable by its owner alone";
            findings.secret(key, "a key where the path of a key file belongs", allowed);
            return None;
        }
        let shown = self.base_dir.join(path);
        match read_file(&shown) {
            Ok(secret) => Some(secret),
            Err(Unusable { allowed: Remedy::AnotherUser, .. })
                if self.forbidden == ForbiddenKeys::AreLeft =>
            {
                let message = "not checked, since this user may not read the file: whether it is there \
                           for the daemon, holds a key, and whose key that is";
                findings.warning(key, message, ANOTHER_USER);
                None
            }
            Err(Unusable { message, allowed }) => {
                let allowed = match allowed {
                    Remedy::Make => {
                        format!("a key file: `(umask 077; ringwall {verb} > {})`", shown.display())
                    }
                    Remedy::Protect => format!("owner only: `chmod 600 {}`", shown.display()),
                    Remedy::AnotherUser => ANOTHER_USER.to_owned(),
                    Remedy::Other(text) => text.to_owned(),
                };
                findings.error(key, message, allowed);
                None
            }
        }
    }
}

const ANOTHER_USER: &str = "run as the user that the daemon runs as";

/// Why a key file cannot be used, and what helps.
struct Unusable {
    message: String,
    allowed: Remedy,
}

enum Remedy {
    Make,
    Protect,
    AnotherUser,
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
        let message = "this user may not read the file".to_owned();
        return Unusable { message, allowed: Remedy::AnotherUser };
    }
    let allowed = Remedy::Other("a readable file");
    Unusable { message: format!("cannot be read: {error}"), allowed }
}
