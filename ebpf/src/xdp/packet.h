/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads Ethernet, VLAN tags, IPv4, IPv6 and the destination port out of a frame into a struct
 * packet, from which alone the decisions are made.
 *
 * Every position is a scalar offset that is checked against the end of the data right before the
 * read. No pointer is subtracted, or compared with anything but the end, so that the program
 * also verifies for a process without CAP_PERFMON.
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

/* Ethernet header and two tags. */
#define NETWORK_OFFSET_MAX (sizeof(struct ethhdr) + 2 * 4)

enum fragment { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };

struct packet {
	struct address6 source; /* IPv4 in word[0] */
	struct address6 destination;
	__u32 network; /* offset of the IP header */
	__u16 ether_type; /* network order */
	__u16 outer_tag;
	__u16 inner_tag;
	__u16 destination_port; /* network order; 0 when there is none */
	__u8 protocol;
	__u8 fragment; /* enum fragment */
	__u8 group_destination; /* Ethernet multicast or broadcast */
	__u8 neighbour_discovery; /* as RFC 4861 6.1 and 7.1 accept it */
};

/* A parse step gives PARSED or the exit that ends the packet. */
#define PARSED EXIT_COUNT

/*
 * Points `*pointer` at `offset`; true if what it points to lies inside the linear part of the
 * frame. A truth value and not a null pointer tells, because a process without CAP_PERFMON may
 * not even compare a packet pointer with null.
 */
#define locate(context, offset, pointer) \
	locate_bytes(context, offset, (void **)(pointer), sizeof(**(pointer)))

INLINE int locate_bytes(struct xdp_md *context, __u32 offset, void **pointer, __u32 length)
{
	void *end = (void *)(long)context->data_end;
	void *start = (void *)(long)context->data + offset;

	/* One register for check and reads: the verifier knows ranges by register, not by value. */
	asm volatile("" : "+r"(start));
	*pointer = start;
	return start + length <= end;
}

/* True when the frame holds `length` bytes at `offset`, be it in later buffers. */
INLINE int holds(struct xdp_md *context, __u32 offset, __u32 length)
{
	void *end = (void *)(long)context->data_end;

	if (likely((void *)(long)context->data + offset + length <= end))
		return 1;
	return offset + length <= frame_length(context);
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

/* Reads the tag at `offset`; the EtherType becomes the one behind it. */
INLINE int parse_tag(struct xdp_md *context, struct packet *packet, __u32 offset, __u16 *tag)
{
	struct {
		__be16 control;
		__be16 ether_type;
	} *header;

	if (!locate(context, offset, &header))
		return 0;
	*tag = TAG_PRESENT | (network16(header->control) & 0x0fff);
	if (packet->ether_type == network16(ETH_P_8021AD))
		*tag |= TAG_SERVICE;
	packet->ether_type = header->ether_type;
	packet->network = offset + sizeof(*header);
	return 1;
}

INLINE enum exit parse_ethernet(struct xdp_md *context, struct packet *packet)
{
	struct ethhdr *header;

	if (!locate(context, 0, &header))
		return EXIT_frame_truncated;
	packet->group_destination = header->h_dest[0] & 1;
	packet->ether_type = header->h_proto;
	packet->network = sizeof(*header);
	if (likely(!is_tag(packet->ether_type)))
		return PARSED;
	if (!parse_tag(context, packet, sizeof(*header), &packet->outer_tag))
		return EXIT_frame_truncated;
	if (likely(!is_tag(packet->ether_type))) {
		/* A priority tag (VLAN 0) names no VLAN: the frame counts as untagged. */
		if (packet->outer_tag == TAG_PRESENT)
			packet->outer_tag = 0;
		return PARSED;
	}
	if (!parse_tag(context, packet, sizeof(*header) + 4, &packet->inner_tag))
		return EXIT_frame_truncated;
	return is_tag(packet->ether_type) ? EXIT_vlan_unsupported : PARSED;
}

/* The transport header starts at `offset`; the IP header says it may use `length` bytes. */
INLINE enum exit parse_transport(struct xdp_md *context, struct packet *packet, __u32 offset,
				 __u32 length)
{
	struct {
		__be16 source;
		__be16 destination;
	} *ports;

	if (packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_TCP)
		return PARSED;
	if (length < sizeof(*ports) || !locate(context, offset, &ports))
		return EXIT_transport_truncated;
	packet->destination_port = ports->destination;
	return PARSED;
}

SEPARATE int parse_ipv4(struct xdp_md *context, struct packet *packet)
{
	__u32 network, header_length, total_length;
	struct iphdr *header;
	__u16 fragment;

	if (!packet || packet->network > NETWORK_OFFSET_MAX)
		return EXIT_ipv4_malformed;
	network = packet->network;
	if (!locate(context, network, &header))
		return EXIT_ipv4_malformed;
	packet->source.word[0] = header->saddr;
	packet->destination.word[0] = header->daddr;
	packet->protocol = header->protocol;
	header_length = header->ihl * 4;
	total_length = network16(header->tot_len);
	fragment = network16(header->frag_off);
	if (header->version != 4 || header_length < sizeof(*header) ||
	    total_length < header_length || !holds(context, network, total_length))
		return EXIT_ipv4_malformed;
	if (fragment & 0x1fff) {
		packet->fragment = FRAGMENT_LATER;
		return PARSED;
	}
	packet->fragment = fragment & 0x2000 ? FRAGMENT_FIRST : FRAGMENT_NONE;
	return parse_transport(context, packet, network + header_length,
			       total_length - header_length);
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

/* Types 133 to 137 with hop limit 255 (RFC 4861 4); a fragment is never one (RFC 6980). */
INLINE int is_neighbour_discovery(struct xdp_md *context, struct packet *packet, __u8 hop_limit,
				  __u32 offset, __u32 length)
{
	__u8 *type;

	if (packet->protocol != IPPROTO_ICMPV6 || packet->fragment != FRAGMENT_NONE)
		return 0;
	if (hop_limit != 255 || length < sizeof(*type) || !locate(context, offset, &type))
		return 0;
	return *type >= 133 && *type <= 137;
}

/*
 * Walks the extension headers. `position` counts from the IPv6 header; `limit` is where the
 * packet ends by its own payload length (RFC 8200 4).
 */
SEPARATE int parse_ipv6(struct xdp_md *context, struct packet *packet)
{
	__u32 network, limit, position = sizeof(struct ipv6hdr);
	struct ipv6hdr *header;
	__u8 hop_limit;

	if (!packet || packet->network > NETWORK_OFFSET_MAX)
		return EXIT_ipv6_malformed;
	network = packet->network;
	if (!locate(context, network, &header))
		return EXIT_ipv6_malformed;
	__builtin_memcpy(&packet->source, &header->saddr, sizeof(packet->source));
	__builtin_memcpy(&packet->destination, &header->daddr, sizeof(packet->destination));
	packet->protocol = header->nexthdr;
	hop_limit = header->hop_limit;
	limit = sizeof(*header) + network16(header->payload_len);
	if (header->version != 6 || !holds(context, network, limit))
		return EXIT_ipv6_malformed;

	for (int walked = 0; is_extension(packet->protocol); walked++) {
		struct {
			__u8 next;
			__u8 length;
			__be16 fragment;
			__be32 identification;
		} *extension;

		if (walked == EXTENSION_HEADERS)
			return EXIT_extension_chain;
		/* No extension header is shorter than eight bytes. */
		if (position + sizeof(*extension) > limit ||
		    !locate(context, network + position, &extension))
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
	packet->neighbour_discovery = is_neighbour_discovery(context, packet, hop_limit,
							     network + position, limit - position);
	return parse_transport(context, packet, network + position, limit - position);
}

#endif
