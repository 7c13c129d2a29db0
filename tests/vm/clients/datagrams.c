// SPDX-License-Identifier: GPL-2.0-only
/*
 * datagrams - what a UDP datagram takes
 *
 * datagrams                     to oneself over loopback
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

/* A UDP socket in a network namespace that ip(8) has named, or in this one. */
static int in_namespace(const char *name)
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
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

static int sender(const struct sockaddr_in *to)
{
	int fd = in_namespace(NULL);

	if (connect(fd, (const void *)to, sizeof(*to)))
		die("connect");
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(4000),
	}, peer;
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(4000) };
	int new = argc == 5 && !strcmp(argv[4], "new");
	socklen_t peer_len = sizeof(peer);
	long long batches[BATCHES];
	char data[LEN] = "";
	int batch, i, out, in;

	if ((argc != 1 && argc != 4 && !new) || (argc > 1 && !inet_aton(argv[3], &to.sin_addr))) {
		fprintf(stderr, "usage: datagrams [FROM TO ADDRESS [new]]\n");
		return 2;
	}
	if (argc == 1) {
		in = in_namespace(NULL);
		out = in;
		if (bind(in, (void *)&to, sizeof(to)) || connect(in, (void *)&to, sizeof(to)))
			die("socket");
	} else {
		in = in_namespace(argv[2]);
		if (bind(in, (void *)&any, sizeof(any)))
			die("bind");
		close(in_namespace(argv[1]));
		out = sender(&to);
		if (send(out, data, LEN, 0) != LEN ||
		    recvfrom(in, data, LEN, 0, (void *)&peer, &peer_len) != LEN ||
		    sendto(in, data, LEN, 0, (void *)&peer, peer_len) != LEN || recv(out, data, LEN, 0) != LEN)
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
