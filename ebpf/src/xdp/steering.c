// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Decides for each frame: to the kernel, to the queue's AF_XDP socket, or dropped. The order of
 * the decisions is the documented one (README.md); each exit is counted by name, once.
 *
 * The rule behind the order: a packet that is neither for this host nor for its link never
 * reaches the kernel's forwarding, whatever is missing, stale or malformed, unless the operator
 * chose `transit_on_failure = pass`.
 */
#include "maps.h"
#include "packet.h"

/* Which sort of packet wants a socket; selects the exits to count. */
enum kind { KIND_TUNNEL, KIND_TRANSIT };

/* Not an exit yet: the packet wants a socket. */
#define STEER EXIT_COUNT

INLINE enum exit failed(enum kind kind, const struct control *settings, enum exit tunnel,
			enum exit dropped, enum exit passed)
{
	if (kind == KIND_TUNNEL)
		return tunnel;
	return settings->transit_on_failure == TRANSIT_PASS ? passed : dropped;
}

/* Frames of a VLAN that the configuration does not name have no zone, so no policy. */
INLINE int vlan_is_registered(const struct packet *packet, const struct port *port)
{
	if (!packet->vlan.outer)
		return port->flags & PORT_UNTAGGED;
	return map_lookup(&vlans, &packet->vlan) != 0;
}

INLINE int is_alive(__u32 worker, const struct control *settings)
{
	__u64 key = KEY(worker), last;
	struct heartbeat *heartbeat = map_lookup(&heartbeats, &key);

	if (!heartbeat)
		return 0;
	last = *(volatile __u64 *)&heartbeat->last_ns;
	/* The worker's clock is finer than ours: `last` may lie slightly ahead. */
	return last && (__s64)(coarse_clock_ns() - last) <= (__s64)settings->heartbeat_timeout_ns;
}

/* Hands the frame to the socket of its queue, or says why not. */
INLINE enum exit steer(struct xdp_md *context, const struct packet *packet,
		       const struct port *port, const struct control *settings, enum kind kind)
{
	__u32 queue = context->rx_queue_index, number = port->first_slot + queue;
	__u64 key = KEY(number);
	struct slot *slot;

	if (!vlan_is_registered(packet, port))
		return EXIT_vlan_unregistered;
	if (!settings->enabled)
		return failed(kind, settings, EXIT_tunnel_disabled, EXIT_transit_disabled,
			      EXIT_transit_disabled_passed);
	slot = queue < port->queues ? map_lookup(&slots, &key) : 0;
	if (!slot || !slot->worker_plus_one)
		return failed(kind, settings, EXIT_tunnel_no_socket, EXIT_transit_no_socket,
			      EXIT_transit_no_socket_passed);
	if (!is_alive(slot->worker_plus_one - 1, settings))
		return failed(kind, settings, EXIT_tunnel_stale, EXIT_transit_stale,
			      EXIT_transit_stale_passed);
	/* The last argument is what the helper returns when the slot is empty. */
	if (redirect_map(&sockets, number, XDP_DROP) != XDP_REDIRECT)
		return failed(kind, settings, EXIT_tunnel_no_socket, EXIT_transit_no_socket,
			      EXIT_transit_no_socket_passed);
	return kind == KIND_TUNNEL ? EXIT_tunnel : EXIT_transit;
}

/* The first piece of a datagram to a tunnel service: the others have no port to decide by. */
INLINE void remember(const struct packet *packet)
{
	__u64 now = coarse_clock_ns();

	/* It fails when memory is short; the others go to the kernel then, which drops them. */
	map_update(&fragmented, &packet->datagram, &now, BPF_ANY);
}

INLINE int is_remembered(const struct packet *packet)
{
	const __u64 *first = map_lookup(&fragmented, &packet->datagram);

	return first && coarse_clock_ns() - *first <= DATAGRAM_NS;
}

/* A packet to an address of this host: for a tunnel endpoint, or for the kernel. */
INLINE enum exit deliver(const struct packet *packet, enum kind *kind)
{
	if (packet->fragment == FRAGMENT_LATER) {
		if (!is_remembered(packet))
			return EXIT_local_fragment;
	} else if (!map_lookup(&services, &packet->service)) {
		return EXIT_local;
	} else if (packet->fragment == FRAGMENT_FIRST) {
		remember(packet);
	}
	*kind = KIND_TUNNEL;
	return STEER;
}

INLINE int is_blocked(const struct block *block)
{
	return block && block->until_ns && coarse_clock_ns() < block->until_ns;
}

INLINE enum exit decide_ipv4(const struct packet *packet, const struct control *settings,
			     enum kind *kind)
{
	__u32 destination = packet->service.address.word[0];

	if (settings->blocks & BLOCKS_IPV4 && is_blocked(map_lookup(&blocked4, &packet->source)))
		return EXIT_blocked;
	if ((destination & network32(0xf0000000)) == network32(0xe0000000))
		return EXIT_multicast;
	if (packet->group_destination || destination == 0xffffffff)
		return EXIT_broadcast;
	if (map_lookup(&local4, &packet->service.address))
		return deliver(packet, kind);
	return STEER;
}

INLINE enum exit decide_ipv6(const struct packet *packet, const struct control *settings,
			     enum kind *kind)
{
	__u32 head = packet->service.address.word[0];
	int multicast = (head & network32(0xff000000)) == network32(0xff000000);
	int link_local = (head & network32(0xffc00000)) == network32(0xfe800000);

	/* Before the block list: without neighbours a block would cut off the link itself. */
	if (packet->neighbour_discovery &&
	    (multicast || link_local || map_lookup(&local6, &packet->service.address)))
		return EXIT_neighbour_discovery;
	if (settings->blocks & BLOCKS_IPV6 && is_blocked(map_lookup(&blocked6, &packet->source)))
		return EXIT_blocked;
	if (multicast)
		return EXIT_multicast;
	if (packet->group_destination)
		return EXIT_broadcast;
	if (map_lookup(&local6, &packet->service.address))
		return deliver(packet, kind);
	return link_local ? EXIT_link_local : STEER;
}

INLINE enum exit decide(struct xdp_md *context)
{
	struct packet packet = {};
	__u64 ifindex = KEY(context->ingress_ifindex), zero = 0;
	const struct port *port = map_lookup(&ports, &ifindex);
	const struct control *settings = map_lookup(&control, &zero);
	enum kind kind = KIND_TRANSIT;
	enum exit exit;

	/* Before any parse: what such an interface carries may not even be Ethernet. */
	if (!port || !settings)
		return EXIT_port_unregistered;
	exit = parse(context, &packet);
	if (exit != PARSED)
		return exit;
	if (packet.service.family == 4)
		exit = decide_ipv4(&packet, settings, &kind);
	else
		exit = decide_ipv6(&packet, settings, &kind);
	return exit == STEER ? steer(context, &packet, port, settings, kind) : exit;
}

INLINE int run(struct xdp_md *context)
{
	enum exit exit = decide(context);
	__u64 key = KEY(exit), *count = map_lookup(&exits, &key);

	if (count)
		*count += 1;
	return action_of(exit);
}

/* For ports whose frames always fit one buffer. */
SECTION("xdp")
int steering(struct xdp_md *context)
{
	return run(context);
}

/* For jumbo frames over several buffers. */
SECTION("xdp.frags")
int steering_frags(struct xdp_md *context)
{
	return run(context);
}

char program_license[] SECTION("license") = "Dual MIT/GPL";
