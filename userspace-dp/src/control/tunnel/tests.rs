//! The device against a kernel that refuses orders, and one that forgets what it was told.

use super::super::netlink::testing::{hop, link, route};
use super::super::netlink::{Address, Link, Placement, Route, Update};
use super::*;

const DEVICE: u32 = 9;

/// A kernel that refuses what it is told to refuse.
struct Table {
    tables: Tables,
    refuses: BTreeSet<IpNet>,
    orders: usize,
}

fn own_route(destination: &str) -> Route {
    Route { protocol: ROUTE_PROTOCOL, ..route(destination, &[hop(DEVICE, "")]) }
}

fn table() -> Table {
    let mut table = Table { tables: Tables::new(), refuses: BTreeSet::new(), orders: 0 };
    table.set_up(true);
    table
}

impl Table {
    fn order(&mut self, what: IpNet) -> Result<()> {
        self.orders += 1;
        anyhow::ensure!(!self.refuses.contains(&what), "refused");
        Ok(())
    }

    /// As the kernel does it: a device that goes down loses its routes and its IPv6 addresses.
    fn set_up(&mut self, up: bool) {
        let _ = self.tables.apply(Update::Link(Link { up, ..link(DEVICE, "ringwall0") }));
        if up {
            return;
        }
        for gone in self.tables.routes().cloned().collect::<Vec<_>>() {
            let _ = self.tables.apply(Update::RouteGone(gone));
        }
        let addresses: Vec<Address> = self.tables.addresses().cloned().collect();
        for gone in addresses.into_iter().filter(|own| own.address.is_ipv6()) {
            let _ = self.tables.apply(Update::AddressGone(gone));
        }
    }

    fn routes(&self) -> BTreeSet<IpNet> {
        self.tables.routes().map(|route| route.destination).collect()
    }

    fn addresses(&self) -> usize {
        self.tables.addresses().count()
    }
}

impl Orders for Table {
    fn put(&mut self, route: &DeviceRoute) -> Result<()> {
        self.order(route.destination)?;
        let new = Update::Route(own_route(&route.destination.to_string()), Placement::Append);
        let _ = self.tables.apply(new);
        Ok(())
    }

    fn remove(&mut self, route: &DeviceRoute) -> Result<()> {
        self.order(route.destination)?;
        let _ = self.tables.apply(Update::RouteGone(own_route(&route.destination.to_string())));
        Ok(())
    }

    fn put_address(&mut self, interface: u32, address: IpNet) -> Result<()> {
        self.order(address)?;
        let _ = self.tables.apply(Update::Address(Address {
            interface,
            address: address.addr(),
            prefix_length: address.prefix_len(),
            peer: None,
            broadcast: None,
            secondary: false,
            tentative: false,
        }));
        Ok(())
    }
}

fn device() -> TunnelDevice {
    let addresses = ["10.8.0.1/24", "fd00:8::1/64"].map(|text| text.parse().unwrap()).to_vec();
    TunnelDevice { ifindex: DEVICE, name: "ringwall0".into(), mtu: 1420, addresses }
}

fn restore(device: &TunnelDevice, wanted: &BTreeSet<IpNet>, table: &mut Table) -> Result<()> {
    let tables = table.tables.clone();
    device.restore(wanted, &tables, table)
}

fn networks(numbers: &[u8]) -> BTreeSet<IpNet> {
    numbers.iter().map(|number| format!("10.{number}.0.0/16").parse().unwrap()).collect()
}

#[test]
fn a_refused_route_holds_up_no_other_and_is_ordered_again() {
    let (device, mut table) = (device(), table());
    table.refuses = networks(&[1, 2]);
    let error = restore(&device, &networks(&[1, 2, 3]), &mut table).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("10.1.0.0/16") && said.contains("1 more"), "{said}");
    assert_eq!(table.routes(), networks(&[3]));
    table.refuses = networks(&[2]);
    assert!(restore(&device, &networks(&[1, 2, 3]), &mut table).is_err());
    assert_eq!(table.routes(), networks(&[1, 3]));
    table.refuses.clear();
    restore(&device, &networks(&[1, 2, 3]), &mut table).unwrap();
    assert_eq!(table.routes(), networks(&[1, 2, 3]));
}

#[test]
fn what_cannot_be_added_does_not_keep_what_must_go() {
    let (device, mut table) = (device(), table());
    restore(&device, &networks(&[1, 2]), &mut table).unwrap();
    table.refuses = networks(&[2, 3]);
    assert!(restore(&device, &networks(&[3]), &mut table).is_err());
    assert_eq!(table.routes(), networks(&[2]), "2 could not be removed, 1 could");
    table.refuses.clear();
    restore(&device, &networks(&[3]), &mut table).unwrap();
    assert_eq!(table.routes(), networks(&[3]));
}

#[test]
fn what_the_kernel_dropped_when_the_device_went_down_comes_back_when_it_is_up() {
    let (device, mut table) = (device(), table());
    let wanted = networks(&[1, 2]);
    restore(&device, &wanted, &mut table).unwrap();
    table.set_up(false);
    assert!(table.routes().is_empty() && table.addresses() == 1);
    let error = restore(&device, &wanted, &mut table).unwrap_err();
    assert!(error.to_string().contains("ip link set ringwall0 up"), "{error}");
    table.set_up(true);
    restore(&device, &wanted, &mut table).unwrap();
    assert_eq!((table.routes(), table.addresses()), (wanted.clone(), 2));
    let before = table.orders;
    restore(&device, &wanted, &mut table).unwrap();
    assert_eq!(table.orders, before, "nothing is ordered that is there");
}

#[test]
fn routes_that_somebody_else_made_through_the_device_stay() {
    let (device, mut table) = (device(), table());
    let foreign = route("10.7.0.0/16", &[hop(DEVICE, "")]);
    let _ = table.tables.apply(Update::Route(foreign, Placement::Append));
    restore(&device, &networks(&[1]), &mut table).unwrap();
    restore(&device, &networks(&[]), &mut table).unwrap();
    assert_eq!(table.routes(), networks(&[7]));
}

#[test]
fn a_device_that_may_not_be_made_names_the_capability_and_another_refusal_does_not() {
    let said = |kind: std::io::ErrorKind| unopened("ringwall0", &std::io::Error::from(kind));
    let denied = said(std::io::ErrorKind::PermissionDenied);
    assert!(denied.contains("\"ringwall0\"") && denied.contains("CAP_NET_ADMIN"), "{denied}");
    assert!(!said(std::io::ErrorKind::ResourceBusy).contains("CAP_NET_ADMIN"));
}
