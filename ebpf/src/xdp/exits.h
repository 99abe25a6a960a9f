/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every way out of the program: name, action. The order is the index of its counter; the Rust
 * enum `Exit` repeats this list and a test compares the two.
 */
#ifndef RINGWALL_EXITS_H
#define RINGWALL_EXITS_H

#define EXITS(EXIT) \
	EXIT(port_unregistered, XDP_PASS) \
	EXIT(frame_truncated, XDP_DROP) \
	EXIT(vlan_unsupported, XDP_DROP) \
	EXIT(vlan_unregistered, XDP_DROP) \
	EXIT(arp, XDP_PASS) \
	EXIT(non_ip, XDP_PASS) \
	EXIT(ipv4_malformed, XDP_DROP) \
	EXIT(ipv6_malformed, XDP_DROP) \
	EXIT(extension_chain, XDP_DROP) \
	EXIT(transport_truncated, XDP_DROP) \
	EXIT(neighbour_discovery, XDP_PASS) \
	EXIT(blocked, XDP_DROP) \
	EXIT(multicast, XDP_PASS) \
	EXIT(broadcast, XDP_PASS) \
	EXIT(link_local, XDP_PASS) \
	EXIT(local, XDP_PASS) \
	EXIT(local_fragment, XDP_PASS) \
	EXIT(tunnel, XDP_REDIRECT) \
	EXIT(tunnel_disabled, XDP_DROP) \
	EXIT(tunnel_no_socket, XDP_DROP) \
	EXIT(tunnel_stale, XDP_DROP) \
	EXIT(transit, XDP_REDIRECT) \
	EXIT(transit_disabled, XDP_DROP) \
	EXIT(transit_no_socket, XDP_DROP) \
	EXIT(transit_stale, XDP_DROP) \
	EXIT(transit_disabled_passed, XDP_PASS) \
	EXIT(transit_no_socket_passed, XDP_PASS) \
	EXIT(transit_stale_passed, XDP_PASS)

#define EXIT_INDEX(name, action) EXIT_##name,
enum exit { EXITS(EXIT_INDEX) EXIT_COUNT };

/* What the kernel does with the frame. */
#define EXIT_ACTION(name, action) \
	case EXIT_##name: \
		return action;
static inline __attribute__((always_inline)) enum xdp_action action_of(enum exit exit)
{
	switch (exit) {
		EXITS(EXIT_ACTION)
	case EXIT_COUNT:
		break;
	}
	return XDP_DROP;
}

#endif
