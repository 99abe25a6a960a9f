//! Numbers of the kernel's netlink interface, under the names of `linux/rtnetlink.h`, `linux/neighbour.h`,
//! `linux/nexthop.h`, `linux/genetlink.h` and `linux/ethtool_netlink.h`.
//!
//! They are spelled out here with the width they have on the wire; `libc` types them in three different widths
//! and has no nexthop or ethtool part.

pub(super) const NETLINK_ROUTE: isize = 0;
pub(super) const NETLINK_GENERIC: isize = 16;

pub(super) const NLMSG_NOOP: u16 = 1;
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;

pub(super) const NLM_F_REQUEST: u16 = 0x001;
pub(super) const NLM_F_ACK: u16 = 0x004;
pub(super) const NLM_F_DUMP_INTR: u16 = 0x010;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_APPEND: u16 = 0x800;
pub(super) const NLA_F_NESTED: u16 = 0x8000;

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
pub(super) const RTM_GETADDR: u16 = 22;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_GETROUTE: u16 = 26;
pub(super) const RTM_NEWNEIGH: u16 = 28;
pub(super) const RTM_DELNEIGH: u16 = 29;
pub(super) const RTM_GETNEIGH: u16 = 30;
pub(super) const RTM_NEWRULE: u16 = 32;
pub(super) const RTM_GETRULE: u16 = 34;
pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
pub(super) const RTM_GETNEXTHOP: u16 = 106;

pub(super) const RTNLGRP_LINK: u32 = 1;
pub(super) const RTNLGRP_NEIGH: u32 = 3;
pub(super) const RTNLGRP_IPV4_IFADDR: u32 = 5;
pub(super) const RTNLGRP_IPV4_ROUTE: u32 = 7;
pub(super) const RTNLGRP_IPV6_IFADDR: u32 = 9;
pub(super) const RTNLGRP_IPV6_ROUTE: u32 = 11;
pub(super) const RTNLGRP_NEXTHOP: u32 = 32;

pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

pub(super) const IFF_UP: u32 = 0x1;
pub(super) const IFF_LOOPBACK: u32 = 0x8;
pub(super) const IFF_POINTOPOINT: u32 = 0x10;
pub(super) const IFF_NOARP: u32 = 0x80;
pub(super) const IFF_LOWER_UP: u32 = 0x1_0000;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_LINK: u16 = 5;
pub(super) const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_WIRELESS: u16 = 11;
pub(super) const IFLA_OPERSTATE: u16 = 16;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_EXT_MASK: u16 = 29;
pub(super) const IFLA_NUM_TX_QUEUES: u16 = 31;
pub(super) const IFLA_NUM_RX_QUEUES: u16 = 32;
pub(super) const IFLA_LINK_NETNSID: u16 = 37;
pub(super) const IFLA_PARENT_DEV_NAME: u16 = 56;
pub(super) const IFLA_PARENT_DEV_BUS_NAME: u16 = 57;
pub(super) const IFLA_INFO_KIND: u16 = 1;
pub(super) const IFLA_INFO_DATA: u16 = 2;
pub(super) const IFLA_VLAN_ID: u16 = 1;
pub(super) const IFLA_VLAN_PROTOCOL: u16 = 5;
pub(super) const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
pub(super) const IFA_BROADCAST: u16 = 4;
pub(super) const IFA_FLAGS: u16 = 8;
pub(super) const IFA_F_DADFAILED: u32 = 0x08;
pub(super) const IFA_F_TENTATIVE: u32 = 0x40;
pub(super) const IFA_F_OPTIMISTIC: u32 = 0x04;
pub(super) const IFA_F_SECONDARY: u32 = 0x01;
pub(super) const IFA_F_NODAD: u32 = 0x02;

pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_SRC: u16 = 2;
pub(super) const RTA_OIF: u16 = 4;
pub(super) const RTA_GATEWAY: u16 = 5;
pub(super) const RTA_PRIORITY: u16 = 6;
pub(super) const RTA_PREFSRC: u16 = 7;
pub(super) const RTA_METRICS: u16 = 8;
pub(super) const RTA_MULTIPATH: u16 = 9;
pub(super) const RTA_TABLE: u16 = 15;
pub(super) const RTA_VIA: u16 = 18;
pub(super) const RTA_ENCAP_TYPE: u16 = 21;
pub(super) const RTA_NH_ID: u16 = 30;
pub(super) const RTAX_MTU: u16 = 2;
pub(super) const RTM_F_CLONED: u32 = 0x200;
pub(super) const RTNH_F_ONLINK: u32 = 4;

pub(super) const RT_TABLE_UNSPEC: u8 = 0;
pub(super) const RT_SCOPE_UNIVERSE: u8 = 0;
pub(super) const RT_SCOPE_LINK: u8 = 253;
pub(super) const RTPROT_REDIRECT: u8 = 1;
pub(super) const RTPROT_KERNEL: u8 = 2;
pub(super) const RTPROT_RA: u8 = 9;

pub(super) const RTN_UNICAST: u8 = 1;
pub(super) const RTN_LOCAL: u8 = 2;
pub(super) const RTN_BROADCAST: u8 = 3;
pub(super) const RTN_ANYCAST: u8 = 4;
pub(super) const RTN_MULTICAST: u8 = 5;
pub(super) const RTN_BLACKHOLE: u8 = 6;
pub(super) const RTN_UNREACHABLE: u8 = 7;
pub(super) const RTN_PROHIBIT: u8 = 8;
pub(super) const RTN_THROW: u8 = 9;

pub(super) const FRA_DST: u16 = 1;
pub(super) const FRA_IIFNAME: u16 = 3;
pub(super) const FRA_FWMARK: u16 = 10;
pub(super) const FRA_OIFNAME: u16 = 17;
pub(super) const FRA_PRIORITY: u16 = 6;
pub(super) const FRA_TABLE: u16 = 15;
pub(super) const FR_ACT_TO_TBL: u8 = 1;

pub(super) const NDA_DST: u16 = 1;
pub(super) const NDA_LLADDR: u16 = 2;
pub(super) const NTF_USE: u8 = 0x01;
pub(super) const NTF_PROXY: u8 = 0x08;
pub(super) const NTF_ROUTER: u8 = 0x80;
pub(super) const NUD_NONE: u16 = 0x00;
pub(super) const NUD_INCOMPLETE: u16 = 0x01;
pub(super) const NUD_REACHABLE: u16 = 0x02;
pub(super) const NUD_STALE: u16 = 0x04;
pub(super) const NUD_DELAY: u16 = 0x08;
pub(super) const NUD_PROBE: u16 = 0x10;
pub(super) const NUD_FAILED: u16 = 0x20;
pub(super) const NUD_NOARP: u16 = 0x40;
pub(super) const NUD_PERMANENT: u16 = 0x80;

pub(super) const NHA_ID: u16 = 1;
pub(super) const NHA_GROUP: u16 = 2;
pub(super) const NHA_BLACKHOLE: u16 = 4;
pub(super) const NHA_OIF: u16 = 5;
pub(super) const NHA_GATEWAY: u16 = 6;
pub(super) const NHA_ENCAP_TYPE: u16 = 7;

pub(super) const GENL_ID_CTRL: u16 = 16;
pub(super) const CTRL_CMD_GETFAMILY: u8 = 3;
pub(super) const CTRL_ATTR_FAMILY_ID: u16 = 1;
pub(super) const CTRL_ATTR_FAMILY_NAME: u16 = 2;
pub(super) const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
pub(super) const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
pub(super) const ETHTOOL_MSG_CHANNELS_GET: u8 = 17;
pub(super) const ETHTOOL_MSG_CHANNELS_SET: u8 = 18;
pub(super) const ETHTOOL_A_HEADER: u16 = 1;
pub(super) const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
pub(super) const ETHTOOL_A_BITSET_NOMASK: u16 = 1;
pub(super) const ETHTOOL_A_BITSET_BITS: u16 = 3;
pub(super) const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
pub(super) const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
pub(super) const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;
pub(super) const ETHTOOL_A_FEATURES_HW: u16 = 2;
pub(super) const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
pub(super) const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
pub(super) const ETHTOOL_A_FEATURES_NOCHANGE: u16 = 5;
pub(super) const ETHTOOL_A_CHANNELS_RX_MAX: u16 = 2;
pub(super) const ETHTOOL_A_CHANNELS_TX_MAX: u16 = 3;
pub(super) const ETHTOOL_A_CHANNELS_COMBINED_MAX: u16 = 5;
pub(super) const ETHTOOL_A_CHANNELS_RX_COUNT: u16 = 6;
pub(super) const ETHTOOL_A_CHANNELS_TX_COUNT: u16 = 7;
pub(super) const ETHTOOL_A_CHANNELS_COMBINED_COUNT: u16 = 9;
