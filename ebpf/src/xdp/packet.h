/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads Ethernet, VLAN tags, IPv4, IPv6 and the destination port out of a frame. Every position
 * is a scalar offset that is checked against the end of the data right before the read: no
 * pointer is ever subtracted or compared with another pointer than the end, so the program also
 * verifies for a process without CAP_PERFMON.
 */
#ifndef RINGWALL_PACKET_H
#define RINGWALL_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "bpf.h"
#include "exits.h"
#include "layout.h"

/* As the pipeline's parser: eight extension headers are walked, a ninth is refused. */
#define EXTENSION_HEADERS 8
#define NEXT_HEADER_MOBILITY 135
#define NEXT_HEADER_HIP 139
#define NEXT_HEADER_SHIM6 140

enum fragment { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };

struct packet {
	void *data;
	void *end;
	struct xdp_md *context;
	__u32 multi_buffer; /* constant in each program, so the branch folds away */

	__u32 network; /* offset of the IP header */
	__u16 ether_type; /* network order */
	__u16 outer_tag;
	__u16 inner_tag;
	__u8 group_destination; /* Ethernet multicast or broadcast */

	__u8 protocol;
	__u8 fragment; /* enum fragment */
	__u8 neighbour_discovery; /* an ND message as RFC 4861 6.1 and 7.1 accept it */
	__u16 destination_port; /* network order; 0 when there is none */
};

/* A parse step gives PARSED or the exit that ends the packet. */
#define PARSED EXIT_COUNT

/* The `length` bytes at `offset`, if they lie inside the linear part of the frame; else null. */
INLINE void *at(struct packet *packet, __u32 offset, __u32 length)
{
	void *start = packet->data + offset;

	/* One register for check and reads: the verifier knows ranges by register, not by value. */
	asm volatile("" : "+r"(start));
	return start + length <= packet->end ? start : 0;
}

/* True when the frame holds `length` bytes at `offset`, be it in later buffers. */
INLINE int holds(struct packet *packet, __u32 offset, __u32 length)
{
	if (likely(packet->data + offset + length <= packet->end))
		return 1;
	if (!packet->multi_buffer)
		return 0;
	return offset + length <= frame_length(packet->context);
}

INLINE int is_tag(__u16 ether_type)
{
	return ether_type == network16(ETH_P_8021Q) || ether_type == network16(ETH_P_8021AD);
}

/* Tag protocols that no kernel VLAN device speaks: what they carry cannot be told. */
INLINE int is_unknown_tag(__u16 ether_type)
{
	return ether_type == network16(ETH_P_QINQ1) || ether_type == network16(ETH_P_QINQ2) ||
	       ether_type == network16(ETH_P_QINQ3);
}

/* Reads one tag at the cursor and leaves the EtherType behind it. */
INLINE enum exit parse_tag(struct packet *packet, __u16 *tag)
{
	struct {
		__be16 control;
		__be16 ether_type;
	} *header = at(packet, packet->network, sizeof(*header));

	if (!header)
		return EXIT_frame_truncated;
	*tag = TAG_PRESENT | (network16(header->control) & 0x0fff);
	if (packet->ether_type == network16(ETH_P_8021AD))
		*tag |= TAG_SERVICE;
	packet->ether_type = header->ether_type;
	packet->network += sizeof(*header);
	return PARSED;
}

INLINE enum exit parse_ethernet(struct packet *packet)
{
	struct ethhdr *header = at(packet, 0, sizeof(*header));
	enum exit exit;

	if (!header)
		return EXIT_frame_truncated;
	packet->group_destination = header->h_dest[0] & 1;
	packet->ether_type = header->h_proto;
	packet->network = sizeof(*header);
	if (likely(!is_tag(packet->ether_type)))
		return PARSED;

	exit = parse_tag(packet, &packet->outer_tag);
	if (exit != PARSED)
		return exit;
	if (likely(!is_tag(packet->ether_type))) {
		/* A priority tag (VLAN 0) names no VLAN: the frame counts as untagged. */
		if (packet->outer_tag == TAG_PRESENT)
			packet->outer_tag = 0;
		return PARSED;
	}
	exit = parse_tag(packet, &packet->inner_tag);
	if (exit != PARSED)
		return exit;
	return is_tag(packet->ether_type) ? EXIT_vlan_unsupported : PARSED;
}

/* The transport header starts at `offset`; the IP header says it may use `length` bytes. */
INLINE enum exit parse_transport(struct packet *packet, __u32 offset, __u32 length)
{
	__be16 *ports;

	if (packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_TCP)
		return PARSED;
	if (packet->fragment == FRAGMENT_LATER)
		return PARSED;
	ports = at(packet, offset, 2 * sizeof(*ports));
	if (length < 2 * sizeof(*ports) || !ports)
		return EXIT_transport_truncated;
	packet->destination_port = ports[1];
	return PARSED;
}

INLINE enum exit parse_ipv4(struct packet *packet)
{
	struct iphdr *header = at(packet, packet->network, sizeof(*header));
	__u32 header_length, total_length;
	__u16 fragment;

	if (!header)
		return EXIT_ipv4_malformed;
	header_length = header->ihl * 4;
	total_length = network16(header->tot_len);
	if (header->version != 4 || header_length < sizeof(*header) ||
	    total_length < header_length || !holds(packet, packet->network, total_length))
		return EXIT_ipv4_malformed;

	packet->protocol = header->protocol;
	fragment = network16(header->frag_off);
	if (fragment & 0x1fff)
		packet->fragment = FRAGMENT_LATER;
	else if (fragment & 0x2000)
		packet->fragment = FRAGMENT_FIRST;
	return parse_transport(packet, packet->network + header_length,
			       total_length - header_length);
}

/* Types 133 to 137 with hop limit 255 (RFC 4861 4); a fragment is never one (RFC 6980). */
INLINE int is_neighbour_discovery(struct packet *packet, struct ipv6hdr *header, __u32 offset,
				  __u32 length)
{
	__u8 *type;

	if (packet->protocol != IPPROTO_ICMPV6 || packet->fragment != FRAGMENT_NONE)
		return 0;
	type = at(packet, offset, sizeof(*type));
	if (header->hop_limit != 255 || length < sizeof(*type) || !type)
		return 0;
	return *type >= 133 && *type <= 137;
}

INLINE int is_extension(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case NEXT_HEADER_MOBILITY:
	case NEXT_HEADER_HIP:
	case NEXT_HEADER_SHIM6:
		return 1;
	default:
		return 0;
	}
}

/*
 * Walks the extension headers. `position` counts from the IPv6 header, `limit` is where the
 * packet ends by its own payload length (RFC 8200 4).
 */
INLINE enum exit parse_ipv6(struct packet *packet)
{
	struct ipv6hdr *header = at(packet, packet->network, sizeof(*header));
	__u32 position = sizeof(*header), limit;

	if (!header)
		return EXIT_ipv6_malformed;
	limit = sizeof(*header) + network16(header->payload_len);
	if (header->version != 6 || !holds(packet, packet->network, limit))
		return EXIT_ipv6_malformed;
	packet->protocol = header->nexthdr;

	for (int walked = 0; is_extension(packet->protocol); walked++) {
		struct {
			__u8 next;
			__u8 length;
			__be16 fragment;
			__be32 identification;
		} *extension = at(packet, packet->network + position, sizeof(*extension));

		if (walked == EXTENSION_HEADERS)
			return EXIT_extension_chain;
		/* No extension header is shorter than eight bytes. */
		if (!extension || position + sizeof(*extension) > limit)
			return EXIT_ipv6_malformed;
		if (packet->protocol == IPPROTO_FRAGMENT) {
			position += sizeof(*extension);
			packet->fragment = FRAGMENT_FIRST;
			if (extension->fragment & network16(0xfff8))
				packet->fragment = FRAGMENT_LATER;
		} else if (packet->protocol == IPPROTO_AH) {
			position += (extension->length + 2) * 4;
		} else {
			position += (extension->length + 1) * 8;
		}
		packet->protocol = extension->next;
		if (position > limit)
			return EXIT_ipv6_malformed;
		/* What follows in a later fragment is payload, not headers. */
		if (packet->fragment == FRAGMENT_LATER)
			return PARSED;
	}
	packet->neighbour_discovery = is_neighbour_discovery(
		packet, header, packet->network + position, limit - position);
	return parse_transport(packet, packet->network + position, limit - position);
}

#endif
