// SPDX-License-Identifier: GPL-2.0-only
/*
 * procfs.c - /proc/net/ip_tables_names, ip_tables_matches, ip_tables_targets, and
 *	ip6_tables_* for IPv6
 *
 * Owns: these files, where the kernel has no ip_tables or ip6_tables that would make
 * them. iptables-save finds the tables of a namespace in ip_tables_names.
 *
 * Promises: the modes, owners and format of ip_tables'. A table is listed once
 * the namespace has used it.
 */
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <net/net_namespace.h>
#include "internal.h"

/* Where ip_tables or ip6_tables may be there beside bpfilter they are its own. */
#ifdef BPFILTER_STOCK
#define IPV4_FILES_OURS	IS_ENABLED(CONFIG_PROC_FS)
#define IPV6_FILES_OURS	(IS_ENABLED(CONFIG_PROC_FS) && IS_ENABLED(CONFIG_IPV6))
#else
#define IPV4_FILES_OURS	(IS_ENABLED(CONFIG_PROC_FS) && \
			 !IS_ENABLED(CONFIG_IP_NF_IPTABLES_LEGACY))
#define IPV6_FILES_OURS	(IS_ENABLED(CONFIG_PROC_FS) && \
			 IS_ENABLED(CONFIG_IPV6) && \
			 !IS_ENABLED(CONFIG_IP6_NF_IPTABLES_LEGACY))
#endif

/**
 * struct names - what two files of a family print, as the helper gave it
 * @matches: NULL for nothing; this and @targets under names_lock
 * @targets: likewise
 */
struct names {
	char *matches;
	char *targets;
};

static struct names ipv4, ipv6;
static DEFINE_MUTEX(names_lock);

static void names_show(struct seq_file *seq, char **text)
{
	mutex_lock(&names_lock);
	if (*text)
		seq_puts(seq, *text);
	mutex_unlock(&names_lock);
}

static int tables_show(struct seq_file *seq, void *unused)
{
	bpfilter_tables_show(seq, seq_file_single_net(seq), NFPROTO_IPV4);
	return 0;
}

static int matches_show(struct seq_file *seq, void *unused)
{
	names_show(seq, &ipv4.matches);
	bpfilter_registered_show(seq, NFPROTO_IPV4, false);
	return 0;
}

static int targets_show(struct seq_file *seq, void *unused)
{
	names_show(seq, &ipv4.targets);
	bpfilter_registered_show(seq, NFPROTO_IPV4, true);
	return 0;
}

static int tables6_show(struct seq_file *seq, void *unused)
{
	bpfilter_tables_show(seq, seq_file_single_net(seq), NFPROTO_IPV6);
	return 0;
}

static int matches6_show(struct seq_file *seq, void *unused)
{
	names_show(seq, &ipv6.matches);
	bpfilter_registered_show(seq, NFPROTO_IPV6, false);
	return 0;
}

static int targets6_show(struct seq_file *seq, void *unused)
{
	names_show(seq, &ipv6.targets);
	bpfilter_registered_show(seq, NFPROTO_IPV6, true);
	return 0;
}

static const struct {
	bool ours;
	const char *name;
	int (*show)(struct seq_file *seq, void *unused);
} proc_files[] = {
	{ IPV4_FILES_OURS, "ip_tables_names", tables_show },
	{ IPV4_FILES_OURS, "ip_tables_matches", matches_show },
	{ IPV4_FILES_OURS, "ip_tables_targets", targets_show },
	{ IPV6_FILES_OURS, "ip6_tables_names", tables6_show },
	{ IPV6_FILES_OURS, "ip6_tables_matches", matches6_show },
	{ IPV6_FILES_OURS, "ip6_tables_targets", targets6_show },
};

static void remove_files(struct net *net, int n)
{
	while (n--) {
		if (proc_files[n].ours)
			remove_proc_entry(proc_files[n].name, net->proc_net);
	}
}

/**
 * bpfilter_proc_net_init() - make the files of a namespace
 * @net: the namespace
 *
 * Return: 0 or a negative errno, and no file is left.
 */
int bpfilter_proc_net_init(struct net *net)
{
	kuid_t uid = make_kuid(net->user_ns, 0);
	kgid_t gid = make_kgid(net->user_ns, 0);
	struct proc_dir_entry *proc;
	int i;

	for (i = 0; i < ARRAY_SIZE(proc_files); i++) {
		if (!proc_files[i].ours)
			continue;
		proc = proc_create_net_single(proc_files[i].name, 0440,
					      net->proc_net,
					      proc_files[i].show, NULL);
		if (!proc) {
			remove_files(net, i);
			return -ENOMEM;
		}
		if (uid_valid(uid) && gid_valid(gid))
			proc_set_user(proc, uid, gid);
	}
	return 0;
}

/**
 * bpfilter_proc_net_exit() - remove the files of a namespace
 * @net: the namespace
 */
void bpfilter_proc_net_exit(struct net *net)
{
	remove_files(net, ARRAY_SIZE(proc_files));
}

/* Where the text of an option is kept. */
static char **place_of(int optname)
{
	switch (optname) {
	case BPFILTER_SO_MATCHES:
		return &ipv4.matches;
	case BPFILTER_SO_TARGETS:
		return &ipv4.targets;
	case BPFILTER_SO_MATCHES6:
		return &ipv6.matches;
	default:
		return &ipv6.targets;
	}
}

static bool is_text(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			return false;
	}
	return true;
}

/**
 * bpfilter_proc_set() - the text of a file, from the helper
 * @optname: BPFILTER_SO_MATCHES, BPFILTER_SO_TARGETS, or those of IPv6
 * @optval: the text
 * @optlen: its length, without a NUL
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_proc_set(int optname, sockptr_t optval, unsigned int optlen)
{
	char *text;

	if (optlen > BPFILTER_NAMES_MAX)
		return -EINVAL;
	text = kzalloc(optlen + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	if (copy_from_sockptr(text, optval, optlen)) {
		kfree(text);
		return -EFAULT;
	}
	if (!is_text(text, optlen)) {
		kfree(text);
		return -EINVAL;
	}

	mutex_lock(&names_lock);
	swap(*place_of(optname), text);
	mutex_unlock(&names_lock);
	kfree(text);
	return 0;
}

/**
 * bpfilter_proc_exit() - forget the texts; no file may be left
 */
void bpfilter_proc_exit(void)
{
	kfree(ipv4.matches);
	kfree(ipv4.targets);
	kfree(ipv6.matches);
	kfree(ipv6.targets);
}
