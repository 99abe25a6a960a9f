//! What the kernel's `ethtool` netlink family knows of a device: its queues ([`channels`]) and its switches
//! ([`features`]).
//!
//! Unlike `/sys/class/net`, netlink answers for the network namespace the process is in, whatever is mounted on `/sys`.

mod channels;
mod features;

pub use channels::Channels;
pub use features::Features;

use super::error::Error;
use super::message::{Request, attributes, short, split};
use super::socket::Asker;
use super::uapi::*;

/// Speaks to the kernel's `ethtool` family.
pub struct Ethtool {
    asker: Asker,
    family: u16,
}

impl Ethtool {
    /// Opens a socket and finds the family's number.
    ///
    /// # Errors
    /// Refused with `NotFound` on a kernel built without it.
    pub fn open() -> Result<Self, Error> {
        const ACTION: &str = "find the ethtool family";
        let mut asker = Asker::open(NETLINK_GENERIC)?;
        let request = Request::new(GENL_ID_CTRL, 0)
            .fixed(&[CTRL_CMD_GETFAMILY, 1, 0, 0])
            .attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
        let mut family = None;
        asker.ask(request, ACTION, |message| {
            let answer = split::<4>(message.payload).and_then(|(_, rest)| {
                attributes(rest, |kind, value| {
                    if kind == CTRL_ATTR_FAMILY_ID {
                        family = Some(short(value)?);
                    }
                    Ok(())
                })
            });
            if answer.is_err() {
                family = None;
            }
        })?;
        Ok(Self { asker, family: family.ok_or(Error::Malformed { action: ACTION })? })
    }

    /// A request of the family about an interface; each of its messages has the header in attribute 1.
    fn request(&self, command: u8, interface: u32) -> Request {
        Request::new(self.family, 0)
            .fixed(&[command, 1, 0, 0])
            .nested(ETHTOOL_A_HEADER, |header| header.number(ETHTOOL_A_HEADER_DEV_INDEX, interface))
    }
}
