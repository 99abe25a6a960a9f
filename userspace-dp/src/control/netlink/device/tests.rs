use std::os::unix::fs::symlink;

use super::super::testing::link;
use super::super::{Mirror, Options};
use super::*;
use crate::control::namespaces::inside;

/// A tree like the kernel's, with one device `eth7` of index 7 on the PCI bus.
fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a scratch folder");
    let device = root.path().join("bus/pci/devices/0000:00:03.0");
    let class = root.path().join("class/net/eth7");
    fs::create_dir_all(&device).expect("created");
    fs::create_dir_all(&class).expect("created");
    symlink("../../drivers/ice", device.join("driver")).expect("created");
    fs::write(device.join("numa_node"), "1\n").expect("written");
    fs::write(class.join("ifindex"), "7\n").expect("written");
    fs::write(class.join("napi_defer_hard_irqs"), "0\n").expect("written");
    fs::write(class.join("gro_flush_timeout"), "0\n").expect("written");
    root
}

#[test]
fn driver_and_memory_node_are_found_by_the_hardware_address() {
    let root = tree();
    let sysfs = Sysfs::at(root.path());
    let hardware = Some(("pci".into(), "0000:00:03.0".into()));
    // Under another name, as if /sys/class/net were of another namespace.
    let link = Link { hardware, ..link(3, "wan0") };
    assert_eq!(sysfs.driver(&link).as_deref(), Some("ice"));
    assert_eq!(sysfs.numa_node(&link), Some(1));
    fs::write(root.path().join("bus/pci/devices/0000:00:03.0/numa_node"), "-1\n").expect("written");
    assert_eq!(sysfs.numa_node(&link), None);
}

#[test]
fn a_device_without_hardware_has_its_kind_as_driver_and_no_memory_node() {
    let root = tree();
    let sysfs = Sysfs::at(root.path());
    let veth = Link { kind: Some("veth".into()), ..link(4, "a0") };
    assert_eq!(sysfs.driver(&veth).as_deref(), Some("veth"));
    assert_eq!(sysfs.numa_node(&veth), None);
}

#[test]
fn interrupt_mitigation_is_read_and_written_for_the_right_device_only() {
    let root = tree();
    let sysfs = Sysfs::at(root.path());
    let settings = NapiSettings { defer_hard_irqs: 2, flush_timeout_ns: 200_000 };
    sysfs.set_napi(&link(7, "eth7"), settings).expect("written");
    assert_eq!(sysfs.napi(&link(7, "eth7")).expect("read"), settings);
    for stranger in [link(8, "eth7"), link(7, "eth8")] {
        let error = sysfs.set_napi(&stranger, settings).expect_err("not this namespace");
        assert!(matches!(error, Error::ForeignSysfs { .. }), "{error}");
        assert!(sysfs.napi(&stranger).is_err());
    }
}

#[test]
fn the_kernel_takes_the_interrupt_mitigation() {
    inside(|lab| {
        lab.cable();
        let mirror = Mirror::open(&Options::default()).expect("netlink works");
        let link = mirror.tables().link_named("a0").expect("the cable is there");
        let sysfs = Sysfs::system();
        let settings = NapiSettings { defer_hard_irqs: 2, flush_timeout_ns: 200_000 };
        sysfs.set_napi(link, settings).expect("root may write it");
        assert_eq!(sysfs.napi(link).expect("read"), settings);
    });
}
