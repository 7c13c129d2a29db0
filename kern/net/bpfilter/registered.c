// SPDX-License-Identifier: GPL-2.0-only
/*
 * registered.c - which matches and targets the kernel has, by name and revision
 *
 * Owns: the way to those of x_tables, and to those of builtin.c where x_tables has
 * none; the answers about them that need no rule; and the names that rules have
 * used, which are shown.
 *
 * Promises: who asks hears what ip_tables would say, with the same errnos. The module
 * of a match or target is loaded by the caller whose rule it is for; what its check
 * loads (extensions.c) is loaded in the helper's process.
 *
 * Leaves to others: what a rule makes of them (extensions.c).
 */
#include <linux/bpfilter.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter/x_tables.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "internal.h"

/* 0, or the errno of GET_REVISION_*; does not load a module. */
static int have_revision(u8 family, const char *name, u8 revision,
			 bool is_target)
{
	int best;

	if (!IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return -ENOENT;
	xt_find_revision(family, name, revision, is_target, &best);
	return min(best, 0);
}

/* --- the names that rules have used -----------------------------------------*/

struct known {
	struct list_head list;
	u8 family;
	bool is_target;
	u8 revision;
	char name[XT_EXTENSION_MAXNAMELEN];
};

static LIST_HEAD(known);
static DEFINE_MUTEX(known_lock); /* protects known */

/**
 * bpfilter_registered_note() - a rule uses a match or target
 * @family: NFPROTO_*
 * @name: its name
 * @revision: its revision
 * @is_target: which of them it is
 *
 * What there is no memory for is not shown.
 */
void bpfilter_registered_note(u8 family, const char *name, u8 revision,
			      bool is_target)
{
	struct known *old, *new;

	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return;
	new->family = family;
	new->is_target = is_target;
	new->revision = revision;
	strscpy(new->name, name, sizeof(new->name));

	mutex_lock(&known_lock);
	list_for_each_entry(old, &known, list) {
		if (old->family == family && old->is_target == is_target &&
		    old->revision == revision &&
		    !strcmp(old->name, new->name)) {
			kfree(new);
			goto unlock;
		}
	}
	list_add_tail(&new->list, &known);
unlock:
	mutex_unlock(&known_lock);
}

/**
 * bpfilter_registered_show() - print the names of targets that are always there,
 *	and of what rules of a family have found in x_tables, as long as it has them
 * @seq: where to
 * @family: NFPROTO_*
 * @targets: targets, not matches
 */
void bpfilter_registered_show(struct seq_file *seq, u8 family, bool targets)
{
	struct known *one;
	bool named;

	if (targets)
		bpfilter_builtin_show(seq, family);
	mutex_lock(&known_lock);
	list_for_each_entry(one, &known, list) {
		if (one->family != family || one->is_target != targets)
			continue;
		if (targets && bpfilter_builtin_find(one->family, one->name,
						     one->revision, &named))
			continue;
		if (!have_revision(one->family, one->name, one->revision,
				   targets))
			seq_printf(seq, "%s\n", one->name);
	}
	mutex_unlock(&known_lock);
}

/**
 * bpfilter_registered_forget() - forget the names; nobody may ask any more
 */
void bpfilter_registered_forget(void)
{
	struct known *one, *next;

	list_for_each_entry_safe(one, next, &known, list)
		kfree(one);
}

/* --- finding them ------------------------------------------------------------ */

/*
 * Whether the caller is to load the module that would have @name, and to make its
 * call anew: it does so once for each name. Here, in the helper's process, others
 * would wait for modprobe, and the helper has only so much time.
 */
static bool caller_may_load(struct bpfilter_call *call, const char *name)
{
	struct bpfilter_modules *modules = &call->modules;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return false;
	for (i = 0; i < modules->num_absent; i++) {
		if (!strcmp(modules->absent[i], name))
			return false;
	}
	/* What is one too many is not looked for. */
	if (i == BPFILTER_ABSENT)
		return false;
	if (!strcmp(modules->loaded, name)) {
		strscpy(modules->absent[i], name, sizeof(modules->absent[i]));
		modules->num_absent++;
		return false;
	}
	strscpy(modules->loaded, name, sizeof(modules->loaded));
	call->load = true;
	return true;
}

/*
 * What xt_request_find_match() and xt_request_find_target() would say, when the
 * caller has loaded what there is. ENOPROTOOPT where they say ENOENT: that is what
 * matches and targets say themselves, of a set that is not there.
 */
static int find(struct bpfilter_call *call, u8 family, const char *name,
		u8 revision, bool is_target)
{
	if (!have_revision(family, name, revision, is_target))
		return 0;
	if (caller_may_load(call, name))
		return -EAGAIN;
	/* Of another revision they tell only if it is of no family. */
	return have_revision(NFPROTO_UNSPEC, name, revision, is_target) ==
	       -EPROTONOSUPPORT ? -EPROTOTYPE : -ENOPROTOOPT;
}

/**
 * bpfilter_registered_match() - the match of a rule
 * @call: the call that the rule is for
 * @family: NFPROTO_*
 * @name: its name
 * @revision: its revision
 *
 * Context: the helper's process; sleeps.
 * Return: the match, whose module is held, or -ENOPROTOOPT if there is none, or the
 * errno that ip_tables gives; with @call.load set, -EAGAIN.
 */
struct xt_match *bpfilter_registered_match(struct bpfilter_call *call,
					   u8 family, const char *name,
					   u8 revision)
{
	int err = find(call, family, name, revision, false);

	if (err || !IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return ERR_PTR(err);
	return xt_request_find_match(family, name, revision);
}

/**
 * bpfilter_registered_target() - the target of a rule
 * @call: the call that the rule is for
 * @family: NFPROTO_*
 * @name: its name
 * @revision: its revision
 * @builtin: set to whether it is one of builtin.c: a module of x_tables is not loaded
 *	for what is here already
 *
 * Context: the helper's process; sleeps.
 * Return: the target, whose module is held if it is another one than this, or
 * -ENOPROTOOPT if there is none, or the errno that ip_tables gives; with @call.load set,
 * -EAGAIN.
 */
struct xt_target *bpfilter_registered_target(struct bpfilter_call *call,
					     u8 family, const char *name,
					     u8 revision, bool *builtin)
{
	struct xt_target *target = NULL;
	bool named;
	int err;

	if (have_revision(family, name, revision, true))
		target = bpfilter_builtin_find(family, name, revision, &named);
	*builtin = target;
	if (target)
		return target;
	err = find(call, family, name, revision, true);
	if (err || !IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return ERR_PTR(err);
	return xt_request_find_target(family, name, revision);
}

/* --- what needs no rule -------------------------------------------------------- */

/**
 * bpfilter_registered_revision() - GET_REVISION_MATCH and _TARGET
 * @call: the call, which the helper has answered with -ENOENT
 *
 * Return: 0 or the negative errno that ip_tables gives, if @call.load is not set.
 */
int bpfilter_registered_revision(struct bpfilter_call *call)
{
	const u8 family = call->optval.family;
	bool is_target = call->req.cmd == (family == NFPROTO_IPV6 ?
					   BPFILTER_IP6T_SO_GET_REVISION_TARGET :
					   BPFILTER_IPT_SO_GET_REVISION_TARGET);
	struct xt_get_revision rev;
	bool named = false;
	int err;

	memcpy(&rev, call->optval.head, sizeof(rev));
	rev.name[sizeof(rev.name) - 1] = '\0';

	if (is_target &&
	    bpfilter_builtin_find(family, rev.name, rev.revision, &named))
		return 0;
	err = have_revision(family, rev.name, rev.revision, is_target);
	if (err == -ENOENT)
		caller_may_load(call, rev.name);
	return err == -ENOENT && named ? -EPROTONOSUPPORT : err;
}

/* Whether it has other data for 32-bit callers. */
static bool match_differs(const struct xt_match *match)
{
#ifdef CONFIG_NETFILTER_XTABLES_COMPAT
	return match->compatsize || match->compat_from_user;
#else
	return false;
#endif
}

static bool target_differs(const struct xt_target *target)
{
#ifdef CONFIG_NETFILTER_XTABLES_COMPAT
	return target->compatsize || target->compat_from_user;
#else
	return false;
#endif
}

/**
 * bpfilter_registered_data_size() - how many bytes of data a match or target has
 * @call: the call that a rule with it is about
 * @asked: its name
 *
 * Of one with a layout of its own for 32-bit programs the helper knows the layout, or
 * there is nobody who does: there is no such in x_tables.
 *
 * Context: the helper's process; sleeps.
 * Return: the size, or the negative errno that ip_tables gives for a rule with it;
 * with @call.load set, -EAGAIN.
 */
int bpfilter_registered_data_size(struct bpfilter_call *call,
				  const struct bpfilter_extension_name *asked)
{
	const char *name = asked->name;
	struct xt_target *target;
	struct xt_match *match;
	bool builtin;
	int ret;

	/* As bpfilter_extensions_add(): no extension has a longer name. */
	if (strnlen(name, BPFILTER_NAME_MAX) == BPFILTER_NAME_MAX)
		return -ENOPROTOOPT;
	if (asked->is_target) {
		target = bpfilter_registered_target(call, asked->family, name,
						    asked->revision, &builtin);
		if (IS_ERR(target))
			return PTR_ERR(target);
		ret = target_differs(target) ? -EOPNOTSUPP : target->targetsize;
		module_put(target->me);
	} else {
		match = bpfilter_registered_match(call, asked->family, name,
						  asked->revision);
		if (IS_ERR(match))
			return PTR_ERR(match);
		ret = match_differs(match) ? -EOPNOTSUPP : match->matchsize;
		module_put(match->me);
	}
	return ret;
}
