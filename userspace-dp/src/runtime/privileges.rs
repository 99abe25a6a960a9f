//! Giving up capabilities: after the start each thread keeps only what its work needs.
//!
//! Capabilities belong to threads (capabilities(7)), so every thread calls [`Privileges::keep`] for itself, once, before
//! it meets the outside. Opened sockets, rings and maps go on working: the kernel checks at opening. What is given up
//! cannot be had back: it leaves the effective, permitted, inheritable and ambient sets, and with `no_new_privs` and,
//! where that is allowed, an empty bounding set, no program that the thread might start has it either.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use tracing::warn;

/// What the control thread needs: links, addresses, routes and neighbours; and the steering program's maps.
pub const CONTROL: &[Capability] = &[Capability::CAP_NET_ADMIN, Capability::CAP_BPF];
/// What all other threads need: their work is on descriptors that are open.
pub const NONE: &[Capability] = &[];

/// Whether capabilities are given up at all: `security.drop_capabilities`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privileges {
    /// Each thread gives up what it does not need.
    Drop,
    /// Threads keep what the process was started with.
    Retain,
}

impl Privileges {
    /// What the configuration says.
    pub fn of(security: &config::Security) -> Self {
        if security.drop_capabilities { Self::Drop } else { Self::Retain }
    }

    /// Leaves the calling thread with those of `needed` that it has.
    ///
    /// # Errors
    /// The kernel's answer; the thread may then have more than it should.
    pub fn keep(self, needed: &[Capability]) -> io::Result<()> {
        match self {
            Self::Retain => Ok(()),
            Self::Drop => keep(needed).map_err(io::Error::other),
        }
    }

    /// The same for a thread that serves on without, having said so, should the kernel refuse.
    pub fn keep_none(self) {
        if let Err(error) = self.keep(NONE) {
            warn!(error = error.to_string(), "a thread keeps its capabilities");
        }
    }
}

fn keep(needed: &[Capability]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    rustix::thread::set_no_new_privs(true)?;
    let present = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = needed.iter().copied().filter(|one| present.contains(one)).collect();
    // Only CAP_SETPCAP may narrow what programs started later can have; without it `no_new_privs` does the same.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)? {
            caps::drop(None, CapSet::Bounding, capability)?;
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capability sets of the calling thread, as the kernel shows them.
    fn shown() -> Vec<(String, u64)> {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let set = |line: &str| {
            let (name, mask) = line.strip_prefix("Cap")?.split_once(":\t")?;
            Some((name.to_owned(), u64::from_str_radix(mask, 16).ok()?))
        };
        status.lines().filter_map(set).collect()
    }

    fn on_a_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(body).join().unwrap()
    }

    #[test]
    fn a_thread_keeps_what_it_needs_of_what_it_had_and_nothing_else() {
        let before = shown();
        let kept = on_a_thread(|| {
            Privileges::Drop.keep(CONTROL).unwrap();
            shown()
        });
        let needed = CONTROL.iter().fold(0, |mask, capability| mask | 1 << capability.index());
        let had = before.iter().find(|(name, _)| name == "Prm").unwrap().1;
        for (name, mask) in kept {
            match name.as_str() {
                "Eff" | "Prm" => assert_eq!(mask, had & needed, "{name}"),
                "Inh" | "Amb" => assert_eq!(mask, 0, "{name}"),
                _ => {}
            }
        }
        assert_eq!(shown(), before, "another thread lost something");
    }

    #[test]
    fn a_thread_that_needs_none_has_none_and_cannot_get_them_by_starting_a_program() {
        let (own, child) = on_a_thread(|| {
            Privileges::Drop.keep(NONE).unwrap();
            let child = std::process::Command::new("/bin/cat").arg("/proc/self/status").output();
            (shown(), String::from_utf8(child.unwrap().stdout).unwrap())
        });
        assert!(own.iter().all(|(name, mask)| name == "Bnd" || *mask == 0), "{own:?}");
        assert!(child.contains("CapEff:\t0000000000000000"), "{child}");
        assert!(child.contains("NoNewPrivs:\t1"), "{child}");
    }

    #[test]
    fn retaining_changes_nothing() {
        let (before, after) = on_a_thread(|| {
            let before = shown();
            Privileges::Retain.keep(NONE).unwrap();
            (before, shown())
        });
        assert_eq!(before, after);
    }
}
