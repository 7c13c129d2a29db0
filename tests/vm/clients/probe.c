// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe - raw get/setsockopt calls about a table, right and wrong ones
 *
 * probe [-6] SEED COUNT TABLE...	-6: tables of IPv6
 * probe [-6] set TABLE MATCH AT BYTE
 *
 * Takes the rules that the table has, and makes calls that are right but for a
 * word or two. Prints what each call gave, so that two kernels can be compared;
 * the same seed makes the same calls. The table is as it was when this ends.
 *
 * With "set" it is one call: the table, but for a byte of the data of the first
 * match of that name. It prints what that gave, and the table is what was loaded.
 *
 * The structures are those of the CPU that it is built for: probe32 makes the calls of a
 * 32-bit program, with u64 aligned to 4 on i386, and to 8 on ARM.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REPLACE		64
#define ADD_COUNTERS	65
#define GET_INFO	64
#define GET_ENTRIES	65

/* What differs between the families. */
static struct {
	int domain;
	int level;
	int get_rev_match;
	int get_rev_target;
} family = { AF_INET, SOL_IP, 66, 67 };

struct info {
	char name[32];
	uint32_t valid_hooks;
	uint32_t hook_entry[5];
	uint32_t underflow[5];
	uint32_t num_entries;
	uint32_t size;
};

/* Entries have counters, so they are aligned as u64 is. */
struct entries {
	char name[32];
	uint32_t size;
	uint64_t data[];
};

struct replace {
	char name[32];
	uint32_t valid_hooks;
	uint32_t num_entries;
	uint32_t size;
	uint32_t hook_entry[5];
	uint32_t underflow[5];
	uint32_t num_counters;
	void *counters;
	uint64_t data[];
};

#define HEAD	offsetof(struct replace, data)

#ifdef __i386__
_Static_assert(HEAD == 92, "as in ip_tables.h");
#else
_Static_assert(HEAD == 96, "as in ip_tables.h");
#endif

static int sock;
static uint64_t state;
static uint64_t counters[1 << 16];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* xorshift */
static uint32_t below(uint32_t end)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % end;
}

static int get(int option, void *optval, socklen_t len)
{
	return getsockopt(sock, family.level, option, optval, &len) ? errno : 0;
}

static int set(int option, const void *optval, socklen_t len)
{
	return setsockopt(sock, family.level, option, optval, len) ? errno : 0;
}

static struct info info_of(const char *table)
{
	struct info info = {};
	int err;

	strncpy(info.name, table, sizeof(info.name) - 1);
	err = get(GET_INFO, &info, sizeof(info));
	if (err) {
		errno = err;
		die("GET_INFO");
	}
	return info;
}

/* The table as a REPLACE of itself. */
static struct replace *replace_of(const char *table, size_t *len)
{
	struct info info = info_of(table);
	size_t get_len = offsetof(struct entries, data) + info.size;
	struct entries *entries = calloc(1, get_len);
	struct replace *replace;

	*len = HEAD + info.size;
	replace = calloc(1, *len + 64);
	if (!entries || !replace)
		die("memory");
	strcpy(entries->name, table);
	entries->size = info.size;
	if (get(GET_ENTRIES, entries, get_len))
		die("GET_ENTRIES");
	strcpy(replace->name, table);
	replace->valid_hooks = info.valid_hooks;
	replace->num_entries = info.num_entries;
	replace->size = info.size;
	memcpy(replace->hook_entry, info.hook_entry, sizeof(info.hook_entry));
	memcpy(replace->underflow, info.underflow, sizeof(info.underflow));
	replace->num_counters = info.num_entries;
	replace->counters = counters;
	memcpy(replace->data, entries->data, info.size);
	free(entries);
	return replace;
}

/*
 * What is behind the NUL of a name is nobody's, and
 * numbers that claim more memory than there is are ip_tables' own affair.
 */
static void mutate(struct replace *replace, size_t len)
{
	static const uint32_t words[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 16, 40, 58, 64, 112, 128, 151, 152, 153, 168,
		207, 208, 209, 304, 416, 456, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, -1, -2, -3,
		-5, -6, -1000,
		/* A target of i386 without data, and a rule with nothing else. */
		36, 148,
	};
	uint32_t word = words[below(sizeof(words) / sizeof(*words))];
	uint16_t half = word;
	uint8_t byte = word;
	size_t at;

	switch (below(5)) {
	case 0:
		at = 32 + 4 * below(13);
		memcpy((char *)replace + at, &word, 4);
		break;
	case 1:
		at = HEAD + 4 * below((len - HEAD) / 4);
		memcpy((char *)replace + at, &word, 4);
		break;
	case 2:
		at = HEAD + 2 * below((len - HEAD) / 2);
		memcpy((char *)replace + at, &half, 2);
		break;
	case 3:
		at = below(len);
		memcpy((char *)replace + at, &byte, 1);
		break;
	case 4:
		/* Another place of the table itself. */
		at = HEAD + 8 * below((len - HEAD) / 8);
		memmove((char *)replace + at,
			(char *)replace + HEAD + 8 * below((len - HEAD) / 8), 8);
		break;
	}
}

static int has_queue(const struct replace *replace, size_t len)
{
	size_t at;
	int32_t word;

	for (at = HEAD; at + 4 <= len; at += 4) {
		memcpy(&word, (const char *)replace + at, 4);
		if (word == -4)
			return 1;
	}
	return 0;
}

static void mutations(const char *table, int count)
{
	size_t len, call_len;
	struct replace *right = replace_of(table, &len);
	struct replace *wrong = malloc(len + 64);
	struct info info;
	int i, n, err;

	for (i = 0; i < count; i++) {
		memcpy(wrong, right, len + 64);
		for (n = 1 + below(2); n; n--)
			mutate(wrong, len);
		/* Where the kernel writes stays ours. */
		wrong->counters = right->counters;
		call_len = below(8) ? len : len - 40 + below(80);
		/* This verdict is one of the differences that are known. */
		if (has_queue(wrong, len) || wrong->num_entries > 1 << 20 ||
		    wrong->num_counters > 1 << 16)
			continue;
		err = set(REPLACE, wrong, call_len);
		info = info_of(table);
		printf("%s %d: %d, %u entries, %u bytes%s\n", table, i, err,
		       info.num_entries, info.size,
		       strncmp(wrong->name, table, sizeof(wrong->name)) ?
		       ", for another table" : "");
		if (err)
			continue;
		right->num_counters = info.num_entries;
		if (set(REPLACE, right, len))
			die("going back");
		right->num_counters = right->num_entries;
	}
	free(right);
	free(wrong);
}

static void set_byte(char **arg)
{
	size_t len, at, byte = strtoul(arg[2], NULL, 0);
	struct replace *replace = replace_of(arg[0], &len);
	char *data = (char *)replace;

	/* A match is its size, its name and revision, and its data. */
	for (at = HEAD; at + 32 + byte < len; at += 8) {
		if (strcmp(data + at + 2, arg[1]))
			continue;
		data[at + 32 + byte] = strtoul(arg[3], NULL, 0);
		printf("%s %s %s %s: %d\n", arg[0], arg[1], arg[2], arg[3],
		       set(REPLACE, replace, len));
		free(replace);
		return;
	}
	fprintf(stderr, "probe: %s has no match %s\n", arg[0], arg[1]);
	exit(1);
}

static void lengths(const char *table)
{
	static char memory[4096];
	socklen_t len;
	int option, n;

	for (option = 63; option < 70; option++) {
		for (len = 0; len < 200; len++) {
			memset(memory, 0, sizeof(memory));
			strcpy(memory, table);
			printf("%s get %d %d: %d\n", table, option, len,
			       get(option, memory, len));
			memset(memory, 0, sizeof(memory));
			strcpy(memory, table);
			printf("%s set %d %d: %d\n", table, option, len,
			       set(option, memory, len));
		}
	}
	/* Negative ones, and what is asked of memory that is not there. */
	for (option = 63; option < 70; option++) {
		for (n = 0; n < 6; n++) {
			len = (const int[]){ -1, -16, INT_MIN, INT_MIN + 40, 40, 96 }[n];
			memset(memory, 0, sizeof(memory));
			strcpy(memory, table);
			memset(memory + 32, 0xff, 4);
			printf("%s get %d %d: %d, %d\n", table, option, len,
			       get(option, memory, len), get(option, NULL, len));
			printf("%s set %d %d: %d, %d\n", table, option, len,
			       set(option, memory, len), set(option, NULL, len));
		}
	}
	/* Sizes that fit the length. */
	for (n = 0; n < 80; n++) {
		memset(memory, 0, sizeof(memory));
		strcpy(memory, table);
		memory[32] = n;
		printf("%s entries %d: %d\n", table, n,
		       get(GET_ENTRIES, memory, offsetof(struct entries, data) + n));
		printf("%s counters %d: %d\n", table, n,
		       set(ADD_COUNTERS, memory, offsetof(struct entries, data) + 16 * n));
	}
	printf("%s null: %d %d\n", table, get(GET_INFO, NULL, 84),
	       set(REPLACE, NULL, 500));
}

static void revisions(void)
{
	static const char *const names[] = {
		"DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP", "MARK",
		"CONNMARK", "TCPMSS", "TOS", "DSCP", "TTL", "ECN", "CLASSIFY",
		"CHECKSUM", "TPROXY", "TCPOPTSTRIP", "CT", "NOTRACK", "REJECT",
		"LOG", "NFLOG", "NFQUEUE", "SET", "TEE", "rpfilter", "socket",
		"tcp", "nosuch", "HL", "hl", "ttl", "icmp", "icmp6", "frag", "rt",
		"hbh", "dst", "ipv6header", "eui64", "ah", "mh", "srh", "SNPT",
		"DNPT", "SYNPROXY", "SECMARK", "CONNSECMARK",
	};
	char asked[30];
	unsigned int i;
	int revision;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (revision = 0; revision < 5; revision++) {
			memset(asked, 0, sizeof(asked));
			strcpy(asked, names[i]);
			asked[29] = revision;
			printf("revision %s %d: %d %d\n", names[i], revision,
			       get(family.get_rev_match, asked, 30),
			       get(family.get_rev_target, asked, 30));
		}
	}
}

int main(int argc, char **argv)
{
	int i;

	if (argc > 1 && !strcmp(argv[1], "-6")) {
		family.domain = AF_INET6;
		family.level = SOL_IPV6;
		family.get_rev_match = 68;
		family.get_rev_target = 69;
		argc--;
		argv++;
	}
	if (argc < 4 || (!strcmp(argv[1], "set") && argc != 6)) {
		fprintf(stderr, "usage: probe [-6] SEED COUNT TABLE...\n"
			"       probe [-6] set TABLE MATCH AT BYTE\n");
		return 2;
	}
	sock = socket(family.domain, SOCK_RAW, IPPROTO_RAW);
	if (sock < 0)
		die("socket");
	if (!strcmp(argv[1], "set")) {
		set_byte(argv + 2);
		return 0;
	}
	state = strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15 + 1;
	for (i = 3; i < argc; i++) {
		lengths(argv[i]);
		mutations(argv[i], atoi(argv[2]));
	}
	lengths("nosuch");
	revisions();
	return 0;
}
