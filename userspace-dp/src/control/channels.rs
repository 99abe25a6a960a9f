//! The number of queues of each device: as many as the gateway serves while it runs, and at the end what it was.
//!
//! A program that is left on a machine with fewer queues than it had before is slower for as long as nobody looks, so
//! what was changed is noted first and given back, unless somebody else changed it meanwhile. A process that is killed
//! gives nothing back.

use tracing::{info, warn};

use super::netlink::{Channels, Error, Ethtool};

/// How many queues a device uses, and could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// In use.
    pub now: u32,
    /// At most.
    pub most: u32,
}

/// Sets numbers of queues. Dropping it gives the devices back what they had.
pub struct ChannelKeeper {
    /// None on a kernel that offers no way to look.
    ethtool: Option<Ethtool>,
    changed: Vec<Device>,
}

struct Device {
    ifindex: u32,
    name: String,
    before: Channels,
    set: Channels,
}

impl ChannelKeeper {
    /// One that has changed no device so far.
    pub fn open() -> Self {
        Self { ethtool: Ethtool::open().ok(), changed: Vec::new() }
    }

    /// The queues of a device; one where it has no notion of them.
    pub fn queues(&mut self, ifindex: u32) -> Queues {
        match self.ethtool.as_mut().map(|ethtool| ethtool.channels(ifindex)) {
            Some(Ok(channels)) => Queues {
                now: channels.rx_queues().max(1),
                most: channels.with_pairs(u32::MAX).pairs().max(channels.pairs()).max(1),
            },
            Some(Err(_)) | None => Queues { now: 1, most: 1 },
        }
    }

    /// Has a device use `wanted` queues from here on; `None` when the kernel offers no way to set them.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn set(&mut self, ifindex: u32, name: &str, wanted: u32) -> Option<Result<(), Error>> {
        let ethtool = self.ethtool.as_mut()?;
        let set = ethtool.channels(ifindex).and_then(|before| {
            let set = before.with_pairs(wanted);
            ethtool.set_channels(ifindex, &set)?;
            Ok(Device { ifindex, name: name.to_owned(), before, set })
        });
        Some(set.map(|device| self.changed.push(device)))
    }
}

impl Drop for ChannelKeeper {
    fn drop(&mut self) {
        let Some(ethtool) = &mut self.ethtool else { return };
        for Device { ifindex, name, before, set } in self.changed.drain(..).rev() {
            let counts = |channels: &Channels| (channels.rx, channels.tx, channels.combined);
            let unchanged = ethtool.channels(ifindex).is_ok_and(|now| counts(&now) == counts(&set));
            if !unchanged {
                warn!(interface = %name, "somebody else set the number of queues meanwhile: it stays");
                continue;
            }
            match ethtool.set_channels(ifindex, &before) {
                Ok(()) => info!(interface = %name, to = before.rx_queues(), "queues as before"),
                Err(error) => warn!(interface = %name, %error, "the number of queues stays"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::namespaces::inside;
    use super::*;

    const CABLE: &str = "link add a0 numrxqueues 4 numtxqueues 4 type veth peer name a1 numrxqueues 4 numtxqueues 4";

    #[test]
    fn a_device_gets_back_the_queues_that_it_had() {
        inside(|lab| {
            lab.ip(CABLE);
            let device = lab.index("a0");
            let channels = || Ethtool::open().unwrap().channels(device).unwrap();
            Ethtool::open().unwrap().set_channels(device, &channels().with_pairs(3)).unwrap();
            let before = channels();
            let mut keeper = ChannelKeeper::open();
            assert_eq!(keeper.queues(device), Queues { now: 3, most: 4 });
            for wanted in [1, 2] {
                keeper.set(device, "a0", wanted).unwrap().unwrap();
                assert_eq!(channels().pairs(), wanted);
            }
            drop(keeper);
            assert_eq!(channels(), before);
        });
    }

    #[test]
    fn what_somebody_else_set_meanwhile_stays() {
        inside(|lab| {
            lab.ip(CABLE);
            let device = lab.index("a0");
            let channels = || Ethtool::open().unwrap().channels(device).unwrap();
            let mut keeper = ChannelKeeper::open();
            keeper.set(device, "a0", 1).unwrap().unwrap();
            Ethtool::open().unwrap().set_channels(device, &channels().with_pairs(2)).unwrap();
            drop(keeper);
            assert_eq!(channels().pairs(), 2);
        });
    }
}
