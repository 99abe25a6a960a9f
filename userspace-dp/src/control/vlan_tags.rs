//! VLAN tags stay in frames: network cards that take them off on receipt (`ethtool -K DEV rxvlan`) are told not to.
//!
//! A card that strips tags puts them beside the frame, where the steering program cannot see them, in native and in
//! generic mode alike. A frame of any VLAN would then count as untagged and get the zone of the interface itself. So
//! stripping is switched off before the program is attached, and a device that cannot do so is refused. The setting
//! may change behind the gateway's back; the control thread looks again from time to time. At the end every device gets
//! back what it had.

use std::io::ErrorKind;

use anyhow::{Context, Result, bail};
use tracing::{info, warn};

use super::netlink::{Ethtool, Features};

/// The features that take tags off: customer tags (802.1Q) and service tags (802.1ad).
const STRIPPING: [&str; 2] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];

/// Keeps tags in the frames of the gateway's devices. Dropping it gives the devices back what they had.
pub struct TagKeeper {
    /// None on a kernel that offers no way to look.
    ethtool: Option<Ethtool>,
    devices: Vec<Device>,
}

struct Device {
    ifindex: u32,
    name: String,
    /// What was on before the gateway came.
    before: Vec<&'static str>,
}

impl TagKeeper {
    /// One that watches no device so far.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn open() -> Result<Self> {
        let ethtool = match Ethtool::open() {
            Ok(ethtool) => Some(ethtool),
            Err(error) if error.refusal() == Some(ErrorKind::NotFound) => {
                warn!("the kernel has no ethtool: whether devices take VLAN tags off is not known");
                None
            }
            Err(error) => return Err(error).context("cannot ask for the features of devices"),
        };
        Ok(Self { ethtool, devices: Vec::new() })
    }

    /// Makes a device leave tags in its frames from here on.
    ///
    /// # Errors
    /// It takes them off and cannot be told otherwise.
    pub fn add(&mut self, ifindex: u32, name: &str) -> Result<()> {
        let Some(ethtool) = &mut self.ethtool else { return Ok(()) };
        let at = || format!("interface {name:?}");
        let before = to_switch_off(ethtool, ifindex).with_context(at)?;
        if !before.is_empty() {
            info!(
                interface = name,
                features = before.join(", "),
                "switching off: VLAN tags stay in frames"
            );
        }
        // Noted first: whatever comes of it, the device gets back what it had.
        self.devices.push(Device { ifindex, name: name.to_owned(), before: before.clone() });
        switch_off(ethtool, ifindex, &before).with_context(at)
    }

    /// Looks whether the devices still leave tags in their frames, and makes them do so; what cannot be helped is a
    /// problem.
    pub fn look(&mut self) -> Option<String> {
        let ethtool = self.ethtool.as_mut()?;
        let mut problems = Vec::new();
        for device in &self.devices {
            let looked = to_switch_off(ethtool, device.ifindex).and_then(|again| {
                switch_off(ethtool, device.ifindex, &again)?;
                Ok(again)
            });
            match looked {
                Ok(again) if again.is_empty() => {}
                Ok(again) => warn!(
                    interface = %device.name, features = again.join(", "),
                    "somebody switched these on, and VLAN tags were not seen; they are off again"
                ),
                Err(error) => problems.push(format!("interface {:?}: {error:#}", device.name)),
            }
        }
        (!problems.is_empty()).then(|| problems.join("; "))
    }
}

impl Drop for TagKeeper {
    fn drop(&mut self) {
        let Some(ethtool) = &mut self.ethtool else { return };
        for Device { ifindex, name, before } in &self.devices {
            if before.is_empty() {
                continue;
            }
            let features = before.join(", ");
            match ethtool.set_features(*ifindex, before, true) {
                Ok(()) => info!(interface = %name, features, "on again, as before"),
                Err(error) => {
                    warn!(interface = %name, features, error = error.to_string(), "they stay off");
                }
            }
        }
    }
}

/// What a device must switch off to leave tags in its frames.
///
/// # Errors
/// Some of it cannot be switched off, or the device does not say.
fn to_switch_off(ethtool: &mut Ethtool, ifindex: u32) -> Result<Vec<&'static str>> {
    match ethtool.features(ifindex) {
        Ok(features) => changeable(&features),
        Err(error) if error.refusal() == Some(ErrorKind::Unsupported) => Ok(Vec::new()),
        Err(error) => Err(error).context("whether it takes VLAN tags off frames"),
    }
}

/// Switches features off and makes sure that they are: what the driver made of it counts, not what it said.
fn switch_off(ethtool: &mut Ethtool, ifindex: u32, names: &[&'static str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let set = ethtool.set_features(ifindex, names, false);
    match (stripping(&ethtool.features(ifindex)?).first(), set) {
        (None, _) => Ok(()),
        (Some(name), Ok(())) => bail!("{name} takes VLAN tags off frames and does not go off"),
        (Some(name), Err(error)) => bail!("{name} takes VLAN tags off frames: {error}"),
    }
}

/// What takes tags off.
fn stripping(features: &Features) -> Vec<&'static str> {
    STRIPPING.into_iter().filter(|&name| features.on.contains(name)).collect()
}

/// The same, where all of it can be switched off.
fn changeable(features: &Features) -> Result<Vec<&'static str>> {
    let on = stripping(features);
    match on.iter().find(|&&name| !features.changeable.contains(name)) {
        Some(fixed) => bail!(
            "{fixed} is on and fixed: the device takes VLAN tags off frames, so that every VLAN would count as untagged"
        ),
        None => Ok(on),
    }
}

#[cfg(test)]
mod tests;
