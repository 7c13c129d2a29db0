// SPDX-License-Identifier: GPL-2.0-only
/*
 * datagrams - what a UDP datagram takes
 *
 * datagrams ADDRESS             to oneself over loopback, 127.0.0.1 or ::1
 * datagrams FROM TO ADDRESS     from one network namespace to ADDRESS, which is in
 *                               the other, where the first one has been answered
 * datagrams FROM TO ADDRESS new each from a socket of its own, so of a new connection
 *
 * Sends one of 22 bytes and receives it, again and again, and prints the
 * nanoseconds that one takes: in a guest whose clock counts instructions, that
 * many of them. The median of batches, so that a timer's tick does not count.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LEN	22
#define BATCH	32
#define BATCHES	63

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time))
		die("clock_gettime");
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	long long left = *(const long long *)a, right = *(const long long *)b;

	return (left > right) - (left < right);
}

/* An address of either family, with the port. */
union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static int parse(const char *text, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->ipv4.sin_addr) == 1)
		address->any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address->ipv6.sin6_addr) == 1)
		address->any.sa_family = AF_INET6;
	else
		return 0;
	/* In the same place in both. */
	address->ipv4.sin_port = htons(4000);
	return 1;
}

/* A UDP socket in a network namespace that ip(8) has named, or in this one. */
static int in_namespace(const char *name, int family)
{
	char path[64];
	int fd;

	if (name) {
		snprintf(path, sizeof(path), "/run/netns/%s", name);
		fd = open(path, O_RDONLY);
		if (fd < 0 || setns(fd, CLONE_NEWNET))
			die(path);
		close(fd);
	}
	fd = socket(family, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

static int sender(const union address *to)
{
	int fd = in_namespace(NULL, to->any.sa_family);

	if (connect(fd, &to->any, sizeof(*to)))
		die("connect");
	return fd;
}

int main(int argc, char **argv)
{
	union address to, any, peer;
	int new = argc == 5 && !strcmp(argv[4], "new");
	socklen_t peer_len = sizeof(peer);
	long long batches[BATCHES];
	char data[LEN] = "";
	int batch, family, i, out, in;

	if ((argc != 2 && argc != 4 && !new) || !parse(argv[argc == 2 ? 1 : 3], &to)) {
		fprintf(stderr, "usage: datagrams ADDRESS | FROM TO ADDRESS [new]\n");
		return 2;
	}
	family = to.any.sa_family;
	if (argc == 2) {
		in = in_namespace(NULL, family);
		out = in;
		if (bind(in, &to.any, sizeof(to)) || connect(in, &to.any, sizeof(to)))
			die("socket");
	} else {
		in = in_namespace(argv[2], family);
		parse(family == AF_INET ? "0.0.0.0" : "::", &any);
		if (bind(in, &any.any, sizeof(any)))
			die("bind");
		close(in_namespace(argv[1], family));
		out = sender(&to);
		if (send(out, data, LEN, 0) != LEN ||
		    recvfrom(in, data, LEN, 0, &peer.any, &peer_len) != LEN ||
		    sendto(in, data, LEN, 0, &peer.any, peer_len) != LEN || recv(out, data, LEN, 0) != LEN)
			die("answer");
	}
	/* The first batch fills caches, and does not count. */
	for (batch = -1; batch < BATCHES; batch++) {
		long long start = now();

		for (i = 0; i < BATCH; i++) {
			if (new) {
				close(out);
				out = sender(&to);
			}
			if (send(out, data, LEN, 0) != LEN || recv(in, data, LEN, 0) != LEN)
				die("datagram");
		}
		if (batch >= 0)
			batches[batch] = now() - start;
	}
	qsort(batches, BATCHES, sizeof(batches[0]), by_size);
	printf("%lld\n", batches[BATCHES / 2] / BATCH);
	return 0;
}
