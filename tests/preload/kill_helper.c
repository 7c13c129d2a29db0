// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill_helper.c - kills the helper before each call of an unmodified client
 *
 * Preloaded into iptables by tests/tests/helper_death.rs. Before every get-
 * or setsockopt of ours it kills the bpfilter_umh among the children of the
 * process HELPER_PARENT and waits until it is gone, so that no call of the
 * client meets the helper that served the one before. Each kill adds a byte
 * to the file HELPER_KILLS. Anything unexpected ends the client with 99.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void give_up(const char *what)
{
	perror(what);
	_exit(99);
}

static int is_helper(int pid)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	return !strncmp(name, "bpfilter_umh", 12);
}

/* The helper among the children of all threads of the parent, or 0. */
static int helper(const char *parent)
{
	char path[300];
	struct dirent *task;
	int pid, found = 0;
	FILE *children;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%s/task", parent);
	tasks = opendir(path);
	if (!tasks)
		give_up("HELPER_PARENT");
	while (!found && (task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%s/task/%s/children", parent, task->d_name);
		children = fopen(path, "re");
		if (!children)
			continue;
		while (!found && fscanf(children, "%d", &pid) == 1)
			if (is_helper(pid))
				found = pid;
		fclose(children);
	}
	closedir(tasks);
	return found;
}

/* Dead, even if nobody has waited for it yet. */
static int is_dead(int pid)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 1;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state == 'Z' || state == 'X';
}

static void kill_helper(void)
{
	const char *parent = getenv("HELPER_PARENT"), *kills = getenv("HELPER_KILLS");
	int pid, file;

	if (!parent || !kills)
		give_up("HELPER_PARENT, HELPER_KILLS");
	pid = helper(parent);
	if (!pid)
		return;
	if (kill(pid, SIGKILL))
		give_up("kill");
	while (!is_dead(pid))
		usleep(100);
	file = open(kills, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file < 0 || write(file, "x", 1) != 1)
		give_up(kills);
	close(file);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	if (level == IPPROTO_IP && option >= 64 && option <= 67)
		kill_helper();
	return syscall(SYS_getsockopt, fd, level, option, value, len);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (level == IPPROTO_IP && option >= 64 && option <= 65)
		kill_helper();
	return syscall(SYS_setsockopt, fd, level, option, value, len);
}
