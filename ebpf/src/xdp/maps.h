/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The maps. Sizes of one are replaced by the loader's capacities. */
#ifndef RINGWALL_MAPS_H
#define RINGWALL_MAPS_H

#include "bpf.h"
#include "exits.h"
#include "fragments.h"
#include "layout.h"

#define MAP(name, kind, key_type, value_type, entries, flags) \
	struct { \
		MAP_INTEGER(type, kind); \
		MAP_TYPE(key, key_type); \
		MAP_TYPE(value, value_type); \
		MAP_INTEGER(max_entries, entries); \
		MAP_INTEGER(map_flags, flags); \
	} name SECTION(".maps")

MAP(control, BPF_MAP_TYPE_ARRAY, __u32, struct control, 1, 0);
MAP(ports, BPF_MAP_TYPE_HASH, __u32, struct port, 1, 0);
MAP(vlans, BPF_MAP_TYPE_HASH, struct vlan_key, __u32, 1, 0);
MAP(slots, BPF_MAP_TYPE_ARRAY, __u32, struct slot, 1, 0);
MAP(sockets, BPF_MAP_TYPE_XSKMAP, __u32, __u32, 1, 0);
MAP(heartbeats, BPF_MAP_TYPE_ARRAY, __u32, struct heartbeat, 1, BPF_F_MMAPABLE);
MAP(local4, BPF_MAP_TYPE_HASH, __u32, __u32, 1, 0);
MAP(local6, BPF_MAP_TYPE_HASH, struct address6, __u32, 1, 0);
MAP(services, BPF_MAP_TYPE_HASH, struct service_key, __u32, 1, 0);
MAP(blocked4, BPF_MAP_TYPE_LPM_TRIE, struct prefix4, struct block, 1, BPF_F_NO_PREALLOC);
MAP(blocked6, BPF_MAP_TYPE_LPM_TRIE, struct prefix6, struct block, 1, BPF_F_NO_PREALLOC);
/* A datagram to a tunnel service that comes in pieces -> when its first piece came. */
MAP(fragmented, BPF_MAP_TYPE_LRU_HASH, struct datagram, __u64, DATAGRAMS, 0);
MAP(exits, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, EXIT_COUNT, 0);

#endif
