// SPDX-License-Identifier: GPL-2.0-only
/*
 * datagrams - what a UDP datagram to oneself over loopback takes
 *
 * Sends one of 22 bytes and receives it, again and again, and prints the
 * nanoseconds that one takes: in a guest whose clock counts instructions, that
 * many of them. The median of batches, so that a timer's tick does not count.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(void)
{
	struct sockaddr_in self = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(4000),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long long batches[BATCHES];
	char data[LEN] = "";
	int batch, i;

	if (fd < 0 || bind(fd, (void *)&self, sizeof(self)) || connect(fd, (void *)&self, sizeof(self)))
		die("socket");
	/* The first batch fills caches, and does not count. */
	for (batch = -1; batch < BATCHES; batch++) {
		long long start = now();

		for (i = 0; i < BATCH; i++)
			if (send(fd, data, LEN, 0) != LEN || recv(fd, data, LEN, 0) != LEN)
				die("datagram");
		if (batch >= 0)
			batches[batch] = now() - start;
	}
	qsort(batches, BATCHES, sizeof(batches[0]), by_size);
	printf("%lld\n", batches[BATCHES / 2] / BATCH);
	return 0;
}
