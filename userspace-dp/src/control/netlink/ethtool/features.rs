//! Switches of a device that the kernel knows by name, such as `rx-vlan-hw-parse`.

use std::collections::BTreeSet;

use super::super::error::Error;
use super::super::message::{Malformed, Request, attributes, split, text};
use super::super::uapi::*;
use super::Ethtool;

/// The features of a device, by the kernel's names (`ethtool -k` shows older names for some).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Those that are on.
    pub on: BTreeSet<String>,
    /// Those that can be switched.
    pub changeable: BTreeSet<String>,
}

impl Ethtool {
    /// The features of a device.
    ///
    /// # Errors
    /// Refused with `Unsupported` when the device has none to show.
    pub fn features(&mut self, interface: u32) -> Result<Features, Error> {
        const ACTION: &str = "read the features";
        let request = self.request(ETHTOOL_MSG_FEATURES_GET, interface);
        let mut features = None;
        self.asker.ask(request, ACTION, |message| {
            features = split::<4>(message.payload).and_then(|(_, rest)| decode(rest)).ok();
        })?;
        features.ok_or(Error::Malformed { action: ACTION })
    }

    /// Asks for features to be on or off. The driver has the last word: read them again to see.
    ///
    /// # Errors
    /// Refused when the device does not know a name, or cannot switch it.
    pub fn set_features(&mut self, interface: u32, names: &[&str], on: bool) -> Result<(), Error> {
        let request = self.request(ETHTOOL_MSG_FEATURES_SET, interface).nested(
            ETHTOOL_A_FEATURES_WANTED,
            |wanted| {
                wanted.nested(ETHTOOL_A_BITSET_BITS, |bits| {
                    names.iter().fold(bits, |bits, name| bit(bits, name, on))
                })
            },
        );
        self.asker.order(request, "set features")
    }
}

/// Appends a bit that is to change, to `on`.
fn bit(bits: Request, name: &str, on: bool) -> Request {
    bits.nested(ETHTOOL_A_BITSET_BITS_BIT, |bit| {
        let terminated = [name.as_bytes(), &[0]].concat();
        let bit = bit.attribute(ETHTOOL_A_BITSET_BIT_NAME, &terminated);
        if on { bit.attribute(ETHTOOL_A_BITSET_BIT_VALUE, &[]) } else { bit }
    })
}

/// An answer that does not say what is on is malformed: nothing must look off for want of an answer.
fn decode(rest: &[u8]) -> Result<Features, Malformed> {
    let (mut on, mut changeable, mut never) = (None, BTreeSet::new(), BTreeSet::new());
    attributes(rest, |kind, value| {
        match kind {
            ETHTOOL_A_FEATURES_ACTIVE => on = Some(names(value)?),
            ETHTOOL_A_FEATURES_HW => changeable = names(value)?,
            ETHTOOL_A_FEATURES_NOCHANGE => never = names(value)?,
            _ => {}
        }
        Ok(())
    })?;
    changeable.retain(|name| !never.contains(name));
    Ok(Features { on: on.ok_or(Malformed)?, changeable })
}

/// The names of the bits that a bitset says are set.
fn names(bitset: &[u8]) -> Result<BTreeSet<String>, Malformed> {
    let (mut names, mut list, mut all) = (BTreeSet::new(), None, false);
    attributes(bitset, |kind, value| {
        match kind {
            // The bits listed are the ones set; otherwise each says whether it is.
            ETHTOOL_A_BITSET_NOMASK => all = true,
            ETHTOOL_A_BITSET_BITS => list = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    attributes(list.ok_or(Malformed)?, |kind, bit| {
        if kind == ETHTOOL_A_BITSET_BITS_BIT {
            let (name, set) = named(bit)?;
            if set || all {
                names.insert(name);
            }
        }
        Ok(())
    })?;
    Ok(names)
}

/// The name of a bit, and whether it says by itself that it is set.
fn named(bit: &[u8]) -> Result<(String, bool), Malformed> {
    let (mut name, mut set) = (None, false);
    attributes(bit, |kind, value| {
        match kind {
            ETHTOOL_A_BITSET_BIT_NAME => name = Some(text(value)),
            ETHTOOL_A_BITSET_BIT_VALUE => set = true,
            _ => {}
        }
        Ok(())
    })?;
    Ok((name.ok_or(Malformed)?, set))
}

#[cfg(test)]
mod tests;
