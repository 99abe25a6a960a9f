//! How many queues a device uses.

use super::super::error::Error;
use super::super::message::{Malformed, attributes, number, split};
use super::super::uapi::*;
use super::Ethtool;

/// Channels of a device: queues with an interrupt each. A device has combined channels (one receive and one
/// transmit queue each), separate ones, or a mixture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Receive-only channels in use.
    pub rx: u32,
    /// Transmit-only channels in use.
    pub tx: u32,
    /// Combined channels in use.
    pub combined: u32,
    /// Most receive-only channels the driver can do.
    pub rx_max: u32,
    /// Most transmit-only channels the driver can do.
    pub tx_max: u32,
    /// Most combined channels the driver can do.
    pub combined_max: u32,
}

impl Channels {
    /// Receive queues in use: the indices a socket can be bound to are below this.
    pub const fn rx_queues(&self) -> u32 {
        self.rx + self.combined
    }

    /// Transmit queues in use.
    pub const fn tx_queues(&self) -> u32 {
        self.tx + self.combined
    }

    /// Queues in use that have both directions.
    pub fn pairs(&self) -> u32 {
        self.rx_queues().min(self.tx_queues())
    }

    /// These channels with `wanted` queue pairs, or as many as the driver can do: combined ones where it has
    /// them, one of each kind otherwise.
    pub fn with_pairs(self, wanted: u32) -> Self {
        let wanted = wanted.max(1);
        if self.combined_max > 0 {
            let combined = wanted.min(self.combined_max);
            return Self { rx: 0, tx: 0, combined, ..self };
        }
        let pairs = wanted.min(self.rx_max).min(self.tx_max);
        Self { rx: pairs, tx: pairs, combined: 0, ..self }
    }
}

impl Ethtool {
    /// The channels of a device.
    ///
    /// # Errors
    /// Refused with `Unsupported` when the driver has no notion of channels; it has one queue pair then.
    pub fn channels(&mut self, interface: u32) -> Result<Channels, Error> {
        const ACTION: &str = "read the channel counts";
        let request = self.request(ETHTOOL_MSG_CHANNELS_GET, interface);
        let mut channels = None;
        self.asker.ask(request, ACTION, |message| {
            channels = split::<4>(message.payload).and_then(|(_, rest)| decode(rest)).ok();
        })?;
        channels.ok_or(Error::Malformed { action: ACTION })
    }

    /// Sets the counts in use; the maxima are ignored. The device may reset, and its link flap.
    ///
    /// # Errors
    /// Refused when the driver cannot, or when a socket is bound to a queue that would go away.
    pub fn set_channels(&mut self, interface: u32, channels: &Channels) -> Result<(), Error> {
        let before = self.channels(interface)?;
        let mut request = self.request(ETHTOOL_MSG_CHANNELS_SET, interface);
        for (kind, old, new) in [
            (ETHTOOL_A_CHANNELS_RX_COUNT, before.rx, channels.rx),
            (ETHTOOL_A_CHANNELS_TX_COUNT, before.tx, channels.tx),
            (ETHTOOL_A_CHANNELS_COMBINED_COUNT, before.combined, channels.combined),
        ] {
            // A driver refuses a kind it does not have, even as 0.
            if old != new {
                request = request.number(kind, new);
            }
        }
        self.asker.order(request, "set the channel counts")
    }
}

fn decode(rest: &[u8]) -> Result<Channels, Malformed> {
    let mut channels = Channels::default();
    attributes(rest, |kind, value| {
        match kind {
            ETHTOOL_A_CHANNELS_RX_MAX => channels.rx_max = number(value)?,
            ETHTOOL_A_CHANNELS_TX_MAX => channels.tx_max = number(value)?,
            ETHTOOL_A_CHANNELS_COMBINED_MAX => channels.combined_max = number(value)?,
            ETHTOOL_A_CHANNELS_RX_COUNT => channels.rx = number(value)?,
            ETHTOOL_A_CHANNELS_TX_COUNT => channels.tx = number(value)?,
            ETHTOOL_A_CHANNELS_COMBINED_COUNT => channels.combined = number(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(channels)
}

#[cfg(test)]
mod tests;
