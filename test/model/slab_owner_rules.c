/* SPDX-License-Identifier: MIT */
/* slab_owner_rules.c - several processors over one object layer: each rule of what is theirs,
 * broken. */
#include "slab_told.h"

static void rules_of_fronts(tap *t)
{
    cpus.lazy = true;
    cpus_start(t, 3, 512, "shift=14");
    cpus.lazy = false;
    loam_cache *c = things(t, 96);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    CPUS_ON(1);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL && c->front[2] == &c->shared);
    BREAKS(t, c->front[1]->key, c->front[1]->key + 1, "S12");
    BREAKS(t, c->front[1]->told_key, c->front[1]->key + 1, "S12");
    BREAKS(t, c->front[1]->stride, 95, "S12");
    BREAKS(t, c->shared.key, 1, "S12");
    BREAKS(t, c->front[1]->cpu, 0, "S1");
    BREAKS(t, c->shared.cpu, 1, "S12");
    BREAKS(t, c->front[0]->bound, 0, "S12");
    BREAKS(t, c->front[0]->beyond, 0, "S12");
    BREAKS(t, c->front[2], c->front[1], "S12");
    BREAKS(t, c->front[0], c->front[1], "S1");
    BREAKS(t, c->front[3], c->front[0], "S12");
    BREAKS(t, c->front[1], &c->shared, "S1");
    BREAKS(t, c->front[1]->slabs, 0, "S5");
    BREAKS(t, desc_of(c->front[0]->slab->base)->front, c->front[1], "S12");
    BREAKS(t, desc_of(c->front[0]->slab->base)->cpu, 1, "S12");
    BREAKS(t, c->shared.word, c->front[0]->word, "S5");
}

/* In memory that reads 0 a processor has something from its first front on, or the first block of
 * another's that it freed: others are not asked, and their pages stay as they are. */
static void rules_of_beginning(tap *t)
{
    cpus.lazy = cpus.fresh = true;
    cpus_start(t, 4, 512, "shift=14");
    loam_cache *c = things(t, 96);
    TAP_EQ(t, cpus.slabs->cpu_end, 0);
    void *p = loam_cache_alloc(c);
    TAP_EQ(t, cpus.slabs->cpu_end, 1);
    BREAKS(t, cpus.slabs->cpu_end, 0, "S16");
    CPUS_ON(1);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    loam_slabs_shrink(cpus.slabs);
    TAP_EQ(t, cpus.slabs->cpu[0].asked, SLAB_ASKED);
    TAP_EQ(t, cpus.slabs->cpu[2].asked, SLAB_CONTENT);
    CPUS_ON(2);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, cpus.slabs->cpu_end, 3);
    CPUS_ON(0);
    loam_slabs_shrink(cpus.slabs);
    TAP_EQ(t, cpus.slabs->cpu[1].asked, SLAB_ASKED);
    TAP_EQ(t, cpus.slabs->cpu[2].asked, SLAB_ASKED);
    TAP_EQ(t, cpus.slabs->cpu[3].asked, SLAB_CONTENT);
    TAP_CHECK(t, cpus.slabs->cpu[3].room == 0);
    CPUS_ON(1);
    TAP_CHECK(t, loam_cache_alloc(c) != NULL); /* who begins later, and lies below */
    TAP_EQ(t, cpus.slabs->cpu_end, 3);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    cpus.fresh = false;
    cpus_start(t, 3, 512, "shift=14");
    cpus.lazy = false;
    TAP_EQ(t, cpus.slabs->cpu_end, 3);
}

/* Places of processors beyond the near ones: of a cache without a slab, and of one with some. */
static void rules_of_far(tap *t)
{
    cpus.lazy = true;
    cpus_start(t, SLAB_NEAR + 2, 512, "shift=12");
    cpus.lazy = false;
    loam_cache *c = things(t, 96);
    BREAKS(t, c->far, (void *)8, "S12");
    BREAKS(t, c->far, (void *)(cpus.arena - LOAM_PAGE_SIZE), "S12");
    for (unsigned cpu = SLAB_NEAR - 1; cpu < SLAB_NEAR + 2; cpu++) {
        CPUS_ON(cpu);
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    }
    slab_front **far = slab_far_fronts(c), *near = slab_own_front(c, SLAB_NEAR - 1);
    BREAKS(t, c->far, NULL, "S1");
    BREAKS(t, c->far, (void *)8, "S1");
    BREAKS(t, far[0], far[1], "S1");
    BREAKS(t, far[1], near, "S1");
    BREAKS(t, far[2], near, "S12");
}

static void rules_of_states(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64), *d = things(t, 24);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(d);
    slab_remote *r = slab_remote_of(desc_of(p)), *far = slab_remote_of(desc_of(q));
    uint32_t *stack = &cpus.slabs->cpu[0].stack;
    BREAKS(t, r->state, 0, "S13");
    BREAKS(t, r->state, r->state + SLAB_PIN, "S13");
    BREAKS(t, r->state, r->state | SLAB_QUEUED, "S13");
    slab_desc *none = slab_desc_at(cpus.slabs, cpus.slabs->len - 1);
    TAP_EQ(t, none->kind, SLAB_NONE);
    BREAKS(t, slab_remote_of(none)->state, SLAB_ALIVE, "S13");
    BREAKS(t, *stack, 1, "S13");
    BREAKS(t, *stack, 1000000, "S13");
    BREAKS(t, r->any[1], 1, "S14");
    BREAKS(t, r->half[0], 1, "S14");
    BREAKS(t, r->half, (uint32_t *)8, "S14");
    TAP_CHECK(t, far->half != far->own);
    BREAKS(t, far->half[15], 1, "S14");
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    serve(1);
    TAP_CHECK(t, *stack != 0 && r->any[0] == 1);
    BREAKS(t, *stack, 0, "S13");
    BREAKS(t, r->next, *stack, "S13");
    BREAKS(t, r->any[0], 0, "S14");
    BREAKS(t, r->any[0], 0x10001, "S14");
    BREAKS(t, r->state, r->state & ~(uint32_t)SLAB_QUEUED, "S13");
}

static void rules_of_gathered(tap *t)
{
    cpus_start(t, 2, 512, "shift=14");
    loam_cache *c = things(t, 64);
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    slab_cpu *cpu = &cpus.slabs->cpu[1];
    unsigned i = 0;
    while (i < SLAB_GATHER - 1 && cpu->entry[i].tag == 0)
        i++;
    slab_gathered *e = &cpu->entry[i];
    TAP_EQ(t, e->bits, 1);
    BREAKS(t, e->bits, 0, "S15");
    BREAKS(t, e->tag, e->tag + SLAB_GATHER, "S15");
    BREAKS(t, e->tag, e->tag + 1, "S15");
    BREAKS(t, e->tag, slab_tag_of(0x10000000, slab_tag_generation(e->tag), 0), "S15");
    BREAKS(t, cpu->room, slab_room(cpus.slabs), "S15");
    BREAKS(t, cpu->room, cpu->room - 1, "S15");
    BREAKS(t, cpu->stack, SLAB_CLOSED, "S16");
    loam_slabs_offline(cpus.slabs);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    BREAKS(t, cpu->stack, 0, "S16");
    BREAKS(t, cpu->entry[3].tag, 1, "S16");
    BREAKS(t, cpu->offline, false, "S16");
    CPUS_ON(0);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
}

static const tap_case cases[] = {
    {"slabs_check: fronts changed: S12, S5", rules_of_fronts},
    {"slabs_check: processors that have begun: asked, and no others: S16", rules_of_beginning},
    {"slabs_check: fronts of far processors changed: S12, S1", rules_of_far},
    {"slabs_check: states, stacks, remote words changed: S13, S14", rules_of_states},
    {"slabs_check: tables, offline changed: S15, S16", rules_of_gathered},
};
TAP_SUITE(slab_owner_rules, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_owner_rules, argc, argv);
}
