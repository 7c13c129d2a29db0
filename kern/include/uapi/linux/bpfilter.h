/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * bpfilter.h - the socket options that bpfilter answers
 *
 * At level SOL_IP, and at SOL_IPV6, where revisions are asked for by other
 * numbers. They and the structures behind them are those of ip_tables and
 * ip6_tables (<linux/netfilter_ipv4/ip_tables.h>): the same clients serve both.
 */
#ifndef _UAPI_LINUX_BPFILTER_H
#define _UAPI_LINUX_BPFILTER_H

enum {
	BPFILTER_IPT_SO_SET_REPLACE = 64,
	BPFILTER_IPT_SO_SET_ADD_COUNTERS = 65,
	BPFILTER_IPT_SET_MAX,
};

enum {
	BPFILTER_IPT_SO_GET_INFO = 64,
	BPFILTER_IPT_SO_GET_ENTRIES = 65,
	BPFILTER_IPT_SO_GET_REVISION_MATCH = 66,
	BPFILTER_IPT_SO_GET_REVISION_TARGET = 67,
	BPFILTER_IPT_GET_MAX,
};

enum {
	BPFILTER_IP6T_SO_GET_REVISION_MATCH = 68,
	BPFILTER_IP6T_SO_GET_REVISION_TARGET = 69,
	BPFILTER_IP6T_GET_MAX,
};

#endif /* _UAPI_LINUX_BPFILTER_H */
