/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads Ethernet, VLAN tags, IPv4, IPv6 and the destination port out of a frame into a struct
 * packet, from which alone the decisions are made.
 *
 * Headers at a variable offset are copied by a helper. Pointers into the frame move by constants
 * only, and are compared with its end only: anything else the kernel allows no process without
 * CAP_PERFMON, which may not learn addresses, not even by speculation.
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

#define TAG_LENGTH 4

enum fragment { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };

struct packet {
	struct address6 source; /* IPv4 in word[0] */
	struct address6 destination;
	__u32 network; /* offset of the IP header */
	__u32 transport; /* offset of what follows the IP headers */
	__u16 ether_type; /* network order */
	__u16 outer_tag;
	__u16 inner_tag;
	__u8 protocol;
	__u8 fragment; /* enum fragment */
	__u8 group_destination; /* Ethernet multicast or broadcast */
	__u8 neighbour_discovery; /* as RFC 4861 6.1 and 7.1 accept it */
};

/* A parse step gives PARSED or the exit that ends the packet. */
#define PARSED EXIT_COUNT

/* Points `pointer` at a constant offset; true if what it points to lies in the first buffer. */
#define locate(context, offset, pointer) \
	((pointer) = (void *)(long)(context)->data + (offset), \
	 (void *)((pointer) + 1) <= (void *)(long)(context)->data_end)

/* Copies what is at `offset` into `header`; true if it lies in the frame. */
#define load(context, offset, header) (!load_bytes(context, offset, header, sizeof(*(header))))

/* The same if `offset` is the constant `place`, and what is there lies in the first buffer. */
#define load_at(context, offset, place, header) \
	({ \
		__typeof__(header) found; \
		int loaded = (offset) == (place) && locate(context, place, found); \
		if (loaded) \
			*(header) = *found; \
		loaded; \
	})

/*
 * `load` for what follows an Ethernet header and `behind` constant bytes: without a tag or with
 * one it costs a compare or two, elsewhere a helper call.
 */
#define load_behind(context, offset, behind, header) \
	(load_at(context, offset, ETH_HLEN + (behind), header) || \
	 load_at(context, offset, ETH_HLEN + TAG_LENGTH + (behind), header) || \
	 load(context, offset, header))

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

	if (!locate(context, offset, header))
		return 0;
	*tag = TAG_PRESENT | (network16(header->control) & 0x0fff);
	if (packet->ether_type == network16(ETH_P_8021AD))
		*tag |= TAG_SERVICE;
	packet->ether_type = header->ether_type;
	packet->network = offset + TAG_LENGTH;
	return 1;
}

INLINE enum exit parse_ethernet(struct xdp_md *context, struct packet *packet)
{
	struct ethhdr *header;

	if (!locate(context, 0, header))
		return EXIT_frame_truncated;
	packet->group_destination = header->h_dest[0] & 1;
	packet->ether_type = header->h_proto;
	packet->network = ETH_HLEN;
	if (likely(!is_tag(packet->ether_type)))
		return PARSED;
	if (!parse_tag(context, packet, ETH_HLEN, &packet->outer_tag))
		return EXIT_frame_truncated;
	if (likely(!is_tag(packet->ether_type))) {
		/* A priority tag (VLAN 0) names no VLAN: the frame counts as untagged. */
		if (packet->outer_tag == TAG_PRESENT)
			packet->outer_tag = 0;
		return PARSED;
	}
	if (!parse_tag(context, packet, ETH_HLEN + TAG_LENGTH, &packet->inner_tag))
		return EXIT_frame_truncated;
	return is_tag(packet->ether_type) ? EXIT_vlan_unsupported : PARSED;
}

INLINE int has_ports(const struct packet *packet)
{
	return packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_TCP;
}

/* What follows the IP headers starts at `offset`; they say it has `length` bytes. */
INLINE enum exit check_transport(struct packet *packet, __u32 offset, __u32 length)
{
	packet->transport = offset;
	return has_ports(packet) && length < 4 ? EXIT_transport_truncated : PARSED;
}

INLINE enum exit parse_ipv4(struct xdp_md *context, struct packet *packet)
{
	__u32 header_length, total_length;
	struct iphdr header;
	__u16 fragment;

	if (!load_behind(context, packet->network, 0, &header))
		return EXIT_ipv4_malformed;
	header_length = header.ihl * 4;
	total_length = network16(header.tot_len);
	if (header.version != 4 || header_length < sizeof(header) ||
	    total_length < header_length || packet->network + total_length > frame_length(context))
		return EXIT_ipv4_malformed;
	packet->source.word[0] = header.saddr;
	packet->destination.word[0] = header.daddr;
	packet->protocol = header.protocol;
	fragment = network16(header.frag_off);
	if (fragment & 0x1fff) {
		packet->fragment = FRAGMENT_LATER;
		return PARSED;
	}
	packet->fragment = fragment & 0x2000 ? FRAGMENT_FIRST : FRAGMENT_NONE;
	return check_transport(packet, packet->network + header_length,
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
INLINE int is_neighbour_discovery(struct xdp_md *context, const struct packet *packet,
				  __u8 hop_limit, __u32 offset, __u32 length)
{
	__u8 type;

	if (packet->protocol != IPPROTO_ICMPV6 || packet->fragment != FRAGMENT_NONE)
		return 0;
	if (hop_limit != 255 || length < sizeof(type) || !load(context, offset, &type))
		return 0;
	return type >= 133 && type <= 137;
}

/* The part that all extension headers have, and what the fragment header has besides. */
struct extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 identification;
};

INLINE __u32 extension_length(__u8 protocol, const struct extension *extension)
{
	if (protocol == IPPROTO_FRAGMENT)
		return sizeof(*extension);
	if (protocol == IPPROTO_AH)
		return (extension->length + 2) * 4;
	return (extension->length + 1) * 8;
}

/*
 * Walks the extension headers. `position` counts from the IPv6 header; `limit` is where the
 * packet ends by its own payload length (RFC 8200 4).
 */
INLINE enum exit parse_ipv6(struct xdp_md *context, struct packet *packet)
{
	__u32 limit, position = sizeof(struct ipv6hdr);
	struct ipv6hdr header;

	if (!load_behind(context, packet->network, 0, &header))
		return EXIT_ipv6_malformed;
	limit = position + network16(header.payload_len);
	if (header.version != 6 || packet->network + limit > frame_length(context))
		return EXIT_ipv6_malformed;
	__builtin_memcpy(&packet->source, &header.saddr, sizeof(packet->source));
	__builtin_memcpy(&packet->destination, &header.daddr, sizeof(packet->destination));
	packet->protocol = header.nexthdr;

	for (int walked = 0; is_extension(packet->protocol); walked++) {
		struct extension extension;

		if (walked == EXTENSION_HEADERS)
			return EXIT_extension_chain;
		/* No extension header is shorter than eight bytes. */
		if (position + sizeof(extension) > limit ||
		    !load(context, packet->network + position, &extension))
			return EXIT_ipv6_malformed;
		position += extension_length(packet->protocol, &extension);
		if (position > limit)
			return EXIT_ipv6_malformed;
		if (packet->protocol == IPPROTO_FRAGMENT) {
			packet->fragment = extension.fragment & network16(0xfff8) ?
						   FRAGMENT_LATER :
						   FRAGMENT_FIRST;
		}
		packet->protocol = extension.next;
		/* What follows in a later fragment is payload, not headers. */
		if (packet->fragment == FRAGMENT_LATER)
			return PARSED;
	}
	packet->neighbour_discovery = is_neighbour_discovery(
		context, packet, header.hop_limit, packet->network + position, limit - position);
	return check_transport(packet, packet->network + position, limit - position);
}

#endif
