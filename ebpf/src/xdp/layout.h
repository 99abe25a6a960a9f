/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the program and the loader both read: keys and values of the maps. Each struct has its
 * twin in layout.rs; sizes and offsets are asserted on both sides. Addresses and ports are in
 * network order, everything else in host order. No struct has padding, so keys compare whole.
 */
#ifndef RINGWALL_LAYOUT_H
#define RINGWALL_LAYOUT_H

#include <linux/types.h>

#define OFFSET_IS(type, field, value) \
	_Static_assert(__builtin_offsetof(type, field) == (value), #type "." #field)
#define SIZE_IS(type, value) _Static_assert(sizeof(type) == (value), #type)

/* The one entry of `control`. All zero, as at load: disabled, transit fails closed. */
struct control {
	__u32 enabled; /* 0: nothing goes to a socket */
	__u32 transit_on_failure; /* TRANSIT_DROP or TRANSIT_PASS */
	__u64 heartbeat_timeout_ns; /* a worker silent for longer is stale */
	__u32 blocks; /* BLOCKS_IPV4 | BLOCKS_IPV6: the block list has entries */
	__u32 reserved;
};
SIZE_IS(struct control, 24);
OFFSET_IS(struct control, transit_on_failure, 4);
OFFSET_IS(struct control, heartbeat_timeout_ns, 8);
OFFSET_IS(struct control, blocks, 16);

#define TRANSIT_DROP 0
#define TRANSIT_PASS 1
#define BLOCKS_IPV4 1
#define BLOCKS_IPV6 2

/* `ports`: interface index -> its sockets. */
struct port {
	__u32 first_slot; /* queue q has its socket in slot first_slot + q */
	__u32 queues;
	__u32 flags; /* PORT_UNTAGGED */
};
SIZE_IS(struct port, 12);
OFFSET_IS(struct port, queues, 4);
OFFSET_IS(struct port, flags, 8);

#define PORT_UNTAGGED 1 /* frames without a VLAN tag belong to a zone */

/* `vlans`: registered VLANs of a port. A tag is TAG_PRESENT | TAG_SERVICE? | VLAN id. */
struct vlan_key {
	__u32 ifindex;
	__u16 outer;
	__u16 inner; /* 0: one tag only */
};
SIZE_IS(struct vlan_key, 8);
OFFSET_IS(struct vlan_key, outer, 4);
OFFSET_IS(struct vlan_key, inner, 6);

#define TAG_PRESENT 0x8000
#define TAG_SERVICE 0x1000 /* TPID 0x88a8 (802.1ad); else 0x8100 (802.1Q) */

/* `slots`: slot -> the worker that serves it. */
struct slot {
	__u32 worker_plus_one; /* 0: no socket */
};
SIZE_IS(struct slot, 4);

/* `heartbeats`: one cache line for each worker, mapped into the process. */
struct heartbeat {
	__u64 last_ns; /* CLOCK_MONOTONIC; 0: never */
	__u64 unused[7];
};
SIZE_IS(struct heartbeat, 64);

struct address6 {
	__u32 word[4];
};
SIZE_IS(struct address6, 16);

/* `services`: tunnel endpoints. IPv4 addresses fill word[0], the rest is zero. */
struct service_key {
	struct address6 address;
	__u16 port; /* 0 for protocols without ports */
	__u8 protocol;
	__u8 family; /* 4 or 6 */
};
SIZE_IS(struct service_key, 20);
OFFSET_IS(struct service_key, port, 16);
OFFSET_IS(struct service_key, protocol, 18);
OFFSET_IS(struct service_key, family, 19);

/* `blocked4`, `blocked6`: source prefix -> struct block. */
struct prefix4 {
	__u32 length;
	__u32 address;
};
SIZE_IS(struct prefix4, 8);

struct prefix6 {
	__u32 length;
	struct address6 address;
};
SIZE_IS(struct prefix6, 20);

struct block {
	__u64 until_ns; /* CLOCK_MONOTONIC; BLOCK_NEVER marks an allowed prefix */
};
SIZE_IS(struct block, 8);

#endif
