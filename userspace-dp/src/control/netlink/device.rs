//! What only `/sys` knows about a device: its driver, its memory node, and the interrupt mitigation of its NAPI.
//!
//! `/sys/class/net` shows the network namespace it was mounted in, which need not be that of this process; so a
//! device is looked up by the hardware address netlink gives ([`Link::hardware`]), and what lies below
//! `/sys/class/net` is used only when the interface index there is the right one. Nothing on the packet path
//! depends on what is read here.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::model::Link;

/// Interrupt mitigation of a device, as `SO_PREFER_BUSY_POLL` wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NapiSettings {
    /// Empty polls before the interrupt is armed again (`napi_defer_hard_irqs`).
    pub defer_hard_irqs: u32,
    /// Nanoseconds the device is left without an interrupt meanwhile (`gro_flush_timeout`).
    pub flush_timeout_ns: u64,
}

/// Reads and writes below `/sys`.
#[derive(Clone, Debug)]
pub struct Sysfs {
    root: PathBuf,
}

impl Sysfs {
    /// The system's.
    pub fn system() -> Self {
        Self { root: "/sys".into() }
    }

    /// One that is mounted elsewhere.
    pub fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// Name of the driver; for devices without hardware, their kind.
    pub fn driver(&self, link: &Link) -> Option<String> {
        let driver =
            self.hardware(link).and_then(|device| fs::read_link(device.join("driver")).ok());
        let name = driver.as_deref().and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned()).or_else(|| link.kind.clone())
    }

    /// Memory node nearest to the device; `None` when the machine has one, or the device none.
    pub fn numa_node(&self, link: &Link) -> Option<u32> {
        // The kernel writes -1 for "none".
        fs::read_to_string(self.hardware(link)?.join("numa_node")).ok()?.trim().parse().ok()
    }

    /// The present interrupt mitigation.
    pub fn napi(&self, link: &Link) -> Result<NapiSettings, Error> {
        let folder = self.class(link)?;
        Ok(NapiSettings {
            defer_hard_irqs: read_number(&folder.join("napi_defer_hard_irqs"))? as u32,
            flush_timeout_ns: read_number(&folder.join("gro_flush_timeout"))?,
        })
    }

    /// Sets the interrupt mitigation. Only on the operator's word: it holds for every user of the device.
    pub fn set_napi(&self, link: &Link, settings: NapiSettings) -> Result<(), Error> {
        let folder = self.class(link)?;
        write(&folder.join("napi_defer_hard_irqs"), settings.defer_hard_irqs.into())?;
        write(&folder.join("gro_flush_timeout"), settings.flush_timeout_ns)
    }

    /// The device's folder on its bus, the same in every namespace.
    fn hardware(&self, link: &Link) -> Option<PathBuf> {
        let (bus, device) = link.hardware.as_ref()?;
        Some(self.root.join("bus").join(bus).join("devices").join(device))
    }

    fn class(&self, link: &Link) -> Result<PathBuf, Error> {
        let folder = self.root.join("class/net").join(&link.name);
        match read_number(&folder.join("ifindex")) {
            Ok(index) if index == u64::from(link.index) => Ok(folder),
            Ok(_) | Err(_) => {
                Err(Error::ForeignSysfs { interface: link.name.clone(), index: link.index })
            }
        }
    }
}

fn read_number(path: &Path) -> Result<u64, Error> {
    let text = fs::read_to_string(path).map_err(|source| file_error(path, source))?;
    text.trim().parse().map_err(|_| file_error(path, std::io::ErrorKind::InvalidData.into()))
}

fn write(path: &Path, value: u64) -> Result<(), Error> {
    fs::write(path, value.to_string()).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests;
