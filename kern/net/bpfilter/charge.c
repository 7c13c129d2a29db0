// SPDX-License-Identifier: GPL-2.0-only
/*
 * charge.c - who pays for the memory of a table's programs and maps
 *
 * Owns: the charge for them to the memory cgroup of the caller that committed
 * them. bpf(2) charges who calls it, and that is the helper, whose cgroup is the
 * root, which has no limit. Always built in: the memory controller's functions are
 * not exported.
 *
 * Promises: what COMMIT keeps is charged before it counts for anything, or COMMIT
 * fails; nobody is killed for it. The charge goes when the generation goes.
 *
 * Leaves to others: the image, which is charged as it is copied (call.c), and
 * what x_tables allocates (transaction.c).
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "internal.h"

/**
 * struct bpfilter_charge - what a generation has cost
 * @objcg: who has paid
 * @bytes: how much
 */
struct bpfilter_charge {
	struct obj_cgroup *objcg;
	size_t bytes;
};

/* The maps of several programs and one more, each of them once. */
struct maps {
	const struct bpf_map *map[MAX_USED_MAPS * BPFILTER_HOOKS + 1];
	u32 num;
};

static void add_map(struct maps *maps, const struct bpf_map *map)
{
	u32 i;

	for (i = 0; i < maps->num; i++) {
		if (maps->map[i] == map)
			return;
	}
	if (maps->num < ARRAY_SIZE(maps->map))
		maps->map[maps->num++] = map;
}

/*
 * What bpf(2) charges: "memlock" to bpftool. Nobody is charged for what the JIT
 * makes; the helper has no maps in maps here.
 */
static u64 memory_of(const struct bpf_prog *const *progs,
		     const struct bpf_map *map, struct maps *maps)
{
	struct bpf_prog_aux *aux;
	u64 bytes = 0;
	u32 i, j;

	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (!progs[i])
			continue;
		bytes += (u64)progs[i]->pages << PAGE_SHIFT;
		aux = progs[i]->aux;
		mutex_lock(&aux->used_maps_mutex);
		for (j = 0; j < aux->used_map_cnt; j++)
			add_map(maps, aux->used_maps[j]);
		mutex_unlock(&aux->used_maps_mutex);
	}
	if (map)
		add_map(maps, map);
	for (i = 0; i < maps->num; i++)
		bytes += maps->map[i]->ops->map_mem_usage(maps->map[i]);
	return bytes;
}

/**
 * bpfilter_charge_programs() - charge programs and their maps
 * @memcg: to whom
 * @progs: each program once, or NULL; they keep their maps
 * @map: a map that need not be of a program, or NULL
 *
 * Context: process context; sleeps.
 * Return: the charge; NULL where nobody pays (the root cgroup); or -ENOMEM.
 */
struct bpfilter_charge *
bpfilter_charge_programs(struct mem_cgroup *memcg,
			 const struct bpf_prog *const *progs,
			 const struct bpf_map *map)
{
	struct bpfilter_charge *charge;
	struct obj_cgroup *objcg;
	struct mem_cgroup *old;
	struct maps *maps;

	old = set_active_memcg(memcg);
	objcg = get_obj_cgroup_from_current();
	set_active_memcg(old);
	if (!objcg)
		return NULL;

	charge = kzalloc(sizeof(*charge), GFP_KERNEL);
	maps = kzalloc(sizeof(*maps), GFP_KERNEL);
	if (!charge || !maps)
		goto fail;
	charge->objcg = objcg;
	charge->bytes = memory_of(progs, map, maps);
	if (obj_cgroup_charge(objcg, GFP_KERNEL | __GFP_RETRY_MAYFAIL |
			      __GFP_NOWARN, charge->bytes))
		goto fail;
	kfree(maps);
	return charge;

fail:
	kfree(maps);
	kfree(charge);
	obj_cgroup_put(objcg);
	return ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(bpfilter_charge_programs);

/**
 * bpfilter_charge_free() - give a charge back
 * @charge: the charge, or NULL
 */
void bpfilter_charge_free(struct bpfilter_charge *charge)
{
	if (!charge)
		return;
	obj_cgroup_uncharge(charge->objcg, charge->bytes);
	obj_cgroup_put(charge->objcg);
	kfree(charge);
}
EXPORT_SYMBOL_GPL(bpfilter_charge_free);
