//! Whether the kernel forwards beside the gateway: what it forwards passes no rule of the gateway's.
//!
//! Frames that the steering program leaves to the kernel are for the gateway itself, but before it is attached and after
//! it is gone the kernel gets them all. IPv4 is decided by the device that a packet came in by; IPv6 for all of them
//! at once, while a device's own setting makes it a router to its neighbours (`ip-sysctl` in the kernel's documents).

use std::path::Path;

/// Where the kernel shows its settings, of the network namespace of the calling thread.
pub const SETTINGS: &str = "/proc/sys";

/// What is wrong, if one of the settings that matter to `devices` is on.
pub fn look<'a>(settings: &Path, devices: impl Iterator<Item = &'a str>) -> Option<String> {
    let all = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"].map(str::to_owned);
    let [all_v4, all_v6] = all.clone().map(|key| is_on(settings, &key));
    let of_device = |device: &str| {
        let key = |family: &str| format!("net/{family}/conf/{device}/forwarding");
        // A device follows what is set for all: that is named once.
        [(all_v4, key("ipv4")), (all_v6, key("ipv6"))]
    };
    let single = devices.flat_map(of_device).filter(|(named, _)| !named).map(|(_, key)| key);
    let on: Vec<String> =
        all.into_iter().chain(single).filter(|key| is_on(settings, key)).collect();
    if on.is_empty() {
        return None;
    }
    let off: Vec<String> = on.iter().map(|key| format!("{key}=0")).collect();
    let what = "the kernel forwards beside the gateway, past its rules";
    Some(format!("{what}: {}. Next: `sysctl -w {}`", said(&on), off.join(" ")))
}

fn said(keys: &[String]) -> String {
    let said: Vec<String> = keys.iter().map(|key| format!("{key} is on")).collect();
    said.join(", ")
}

/// A setting that is not there is off: a kernel without IPv6 forwards none of it.
fn is_on(settings: &Path, key: &str) -> bool {
    std::fs::read_to_string(settings.join(key)).is_ok_and(|value| value.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about `eth0` and `eth1` where these settings are on, and `lo` and `eth2` forward, too.
    fn said_of(on: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = vec!["net/ipv4/ip_forward".to_owned()];
        for family in ["ipv4", "ipv6"] {
            let names = ["all", "eth0", "eth1", "eth2", "lo"];
            keys.extend(names.map(|name| format!("net/{family}/conf/{name}/forwarding")));
        }
        for key in keys {
            let path = folder.path().join(&key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let is_on = on.contains(&key.as_str()) || key.contains("/lo/") || key.contains("eth2");
            std::fs::write(path, if is_on { "1\n" } else { "0\n" }).unwrap();
        }
        look(folder.path(), ["eth0", "eth1"].into_iter())
    }

    #[test]
    fn a_kernel_that_forwards_on_our_devices_is_a_problem_with_the_next_step() {
        let v4 = said_of(&["net/ipv4/ip_forward", "net/ipv4/conf/eth0/forwarding"]).unwrap();
        assert!(v4.contains("net/ipv4/ip_forward is on. Next"), "{v4}");
        assert!(v4.ends_with("`sysctl -w net/ipv4/ip_forward=0`"), "{v4}");
        let v6 = said_of(&["net/ipv6/conf/all/forwarding"]).unwrap();
        assert!(v6.ends_with("`sysctl -w net/ipv6/conf/all/forwarding=0`"), "{v6}");
        let one = said_of(&["net/ipv6/conf/eth1/forwarding"]).unwrap();
        assert!(one.ends_with("`sysctl -w net/ipv6/conf/eth1/forwarding=0`"), "{one}");
        let two = said_of(&["net/ipv4/ip_forward", "net/ipv6/conf/eth1/forwarding"]).unwrap();
        assert!(two.contains("net/ipv4/ip_forward=0 net/ipv6/conf/eth1/forwarding=0"), "{two}");
    }

    #[test]
    fn one_that_does_not_or_only_on_other_devices_or_cannot_is_none() {
        assert_eq!(said_of(&[]), None);
        assert_eq!(look(Path::new("/nonexistent"), ["eth0"].into_iter()), None);
    }
}
