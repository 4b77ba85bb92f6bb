/* SPDX-License-Identifier: MIT */
/* slab_explore.c - the object layer under every order of two or three processors: frees of others'
 * objects, slabs that go while somebody looks, processors that leave.
 *
 * One cache whose slab has a word for 64 objects, on a zone without fronts. Each script ends with
 * everybody's tick, as often as it takes, and then wants every free to have arrived: each rule to
 * hold and each frame to be back. */
#include "../../core/slab_internal.h"
#include "explore_case.h"

enum { FRAMES = 64, SPAN = 1 << 16, OBJECTS = 40, MOST = 3000000 };

static loam_zone *zone;
static loam_slabs *slabs;
static loam_cache *cache;
static unsigned processors;
static uint64_t free_before; /* frames, with a cache that has nothing out */
static void *object[OBJECTS];
static uint8_t *out;     /* notes: 1 while the object is somebody's */
static uint32_t *handed; /* [atomic] */

static bool wait_for_others(void *ctx)
{
    (void)ctx;
    loam_slabs_serve(slabs);
    loam_port_relax();
    return true;
}

static void serve_all(void)
{
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < processors; i++) {
            explore_set_cpu(i);
            loam_slabs_serve(slabs);
        }
    }
    for (unsigned i = 0; i < processors; i++) {
        explore_set_cpu(i);
        loam_slabs_shrink(slabs);
    }
    explore_set_cpu(0);
}

static bool lazy; /* fronts come with a processor's first object */

static void make_slabs(unsigned ncpus, size_t size, unsigned modes)
{
    loam_zone_config z;
    loam_slab_config c;
    uintptr_t room = (uintptr_t)explore_shared(FRAMES * LOAM_PAGE_SIZE + SPAN);
    unsigned char *arena = (unsigned char *)((room + SPAN - 1) & ~(uintptr_t)(SPAN - 1));
    loam_span ram = {SPAN, FRAMES << LOAM_PAGE_SHIFT};
    processors = ncpus;
    loam_zone_config_init(&z);
    z.ncpus = ncpus;
    z.fronts = false;
    z.linear = (loam_linear){SPAN, ram.len, arena};
    z.wait = wait_for_others;
    uint64_t need = loam_zone_measure(&ram, 1, &z);
    zone = loam_zone_init(explore_shared((size_t)need), need, true, &ram, 1, &z);
    (void)loam_zone_add(zone, loam_pfn_of(SPAN >> LOAM_PAGE_SHIFT), FRAMES);
    loam_slab_config_init(&c);
    c.ncpus = ncpus;
    c.shift = 12;
    c.modes = modes;
    c.keep_empty = false;
    c.lazy = lazy;
    slabs = loam_slabs_init(zone, &c);
    cache = slabs != NULL ? loam_cache_create(slabs, "object", size, 0, NULL, NULL) : NULL;
    if (cache == NULL)
        abort();
    explore_label(arena, (size_t)ram.len, "frames");
    explore_label(cache, 4096, "cache");
    explore_label(zone, (size_t)need, "zone");
    handed = explore_shared(64);
    explore_label(handed, 64, "handed");
    out = explore_notes(OBJECTS);
    if (lazy) /* its leaf stays */
        (void)loam_cache_free(cache, loam_cache_alloc(cache));
    serve_all();
    free_before = loam_zone_free_pages(zone);
}

/* Objects 0 .. n - 1 are out, of the slab of processor 0. */
static void take_objects(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        object[i] = loam_cache_alloc(cache);
        out[i] = 1;
    }
}

static void free_object(unsigned i)
{
    EXPLORE_WANT(out[i] == 1);
    out[i] = 0;
    EXPLORE_WANT(loam_cache_free(cache, object[i]) == LOAM_OK);
}

static const char *rules_hold(void)
{
    serve_all();
    const char *broken = loam_slabs_check(slabs);
    return broken != NULL ? broken : loam_zone_check(zone);
}

static const char *all_is_back(void)
{
    const char *broken = rules_hold();
    if (broken != NULL)
        return broken;
    return loam_zone_free_pages(zone) == free_before ? NULL : "frames are lost";
}

/* ---- frees of another's objects ---- */

static void setup_two_out(void)
{
    make_slabs(3, 64, 0);
    take_objects(2);
}

static void setup_halves(void)
{
    make_slabs(3, 64, 0);
    take_objects(OBJECTS);
    for (unsigned i = 1; i < OBJECTS - 1; i++) {
        out[i] = 0;
        (void)loam_cache_free(cache, object[i]);
    }
    object[1] = object[OBJECTS - 1]; /* in the other half of the word */
    out[1] = 1;
    out[OBJECTS - 1] = 0;
}

static void free_first(void)
{
    free_object(0);
    loam_slabs_serve(slabs);
}

static void free_second(void)
{
    free_object(1);
    loam_slabs_serve(slabs);
}

static void serve_twice(void)
{
    loam_slabs_serve(slabs);
    loam_slabs_serve(slabs);
}

/* The bound on switches is for `make test`; test-long has none. */
static void explored(tap *t, explore_script *script)
{
    if (getenv("LOAM_LONG") != NULL)
        script->switches = 0;
    explore_case(t, script, 40 * MOST);
}

static void publication(tap *t)
{
    explore_script script = {
        .name = "two tell the owner, who serves",
        .setup = setup_two_out,
        .finish = all_is_back,
        .switches = 3,
        .actor = {{serve_twice, 0, false}, {free_first, 1, false}, {free_second, 2, false}}};
    explored(t, &script);
    script.name = "the same, in both halves of a word";
    script.setup = setup_halves;
    script.switches = 3;
    explored(t, &script);
}

/* ---- the owner goes on meanwhile ---- */

static void setup_owner_busy(void)
{
    make_slabs(2, 64, 0);
    take_objects(2);
}

/* Its free may be the last of the slab: who has the slab pinned then has to see to it. */
static void free_own_and_churn(void)
{
    free_object(1);
    void *p = loam_cache_alloc(cache);
    EXPLORE_WANT(p != NULL && (out[0] == 0 || p != object[0]));
    EXPLORE_WANT(loam_cache_free(cache, p) == LOAM_OK);
    loam_slabs_serve(slabs);
}

static void owner_busy(tap *t)
{
    explore_script script = {.name = "the owner allocates and frees while it is told",
                             .setup = setup_owner_busy,
                             .finish = all_is_back,
                             .actor = {{free_own_and_churn, 0, false}, {free_first, 1, false}}};
    explored(t, &script);
}

/* ---- double frees ---- */

static void free_it_badly(void)
{
    if (loam_cache_free(cache, object[0]) != LOAM_OK)
        (void)loam_atomic_add(&handed[0], 1);
    loam_slabs_serve(slabs);
}

/* One of the two is refused, at once or when they meet; nothing is lost by it. */
static const char *refused_once(void)
{
    out[0] = 0;
    const char *broken = rules_hold();
    if (broken != NULL)
        return broken;
    return slabs->refusals == 1 ? NULL : "not refused once";
}

static void setup_one_out(void)
{
    make_slabs(3, 64, 0);
    take_objects(2);
}

static void setup_one_hardened(void)
{
    make_slabs(3, 64, LOAM_SLAB_HARDENED);
    take_objects(2);
}

/* The first free is the slab's last: the second finds it gone, or pinned, or begun anew. */
static void setup_last_out(void)
{
    make_slabs(3, 64, 0);
    take_objects(1);
}

static void double_free(tap *t)
{
    explore_script script = {
        .name = "two others free one object",
        .setup = setup_one_out,
        .finish = refused_once,
        .misuse_is_fine = true,
        .switches = 3,
        .actor = {{serve_twice, 0, false}, {free_it_badly, 1, false}, {free_it_badly, 2, false}}};
    explored(t, &script);
    script.name = "the owner and another free one object";
    script.actor[2].run = NULL;
    script.actor[0].run = free_it_badly;
    explored(t, &script);
    script.name = "the same, hardened";
    script.setup = setup_one_hardened;
    explored(t, &script);
    script.name = "the owner and another free the last object of a slab";
    script.setup = setup_last_out;
    script.no_race_check = true; /* who frees wrongly looks at what nobody holds for him */
    explored(t, &script);
}

/* ---- processors that leave ---- */

static void leave(void)
{
    loam_slabs_offline(slabs);
}

static void gather_and_leave(void)
{
    free_object(0);
    free_object(1);
    loam_slabs_offline(slabs);
}

static void leave_and_return(void)
{
    loam_slabs_offline(slabs);
    loam_slabs_online(slabs);
    loam_slabs_serve(slabs);
}

static void rest(void)
{
    EXPLORE_WANT(loam_slabs_rest(slabs));
}

static void rest_and_return(void)
{
    EXPLORE_WANT(loam_slabs_rest(slabs));
    loam_slabs_online(slabs);
    loam_slabs_serve(slabs);
}

/* What it takes may be of the slab that it left, unless somebody has taken that meanwhile. */
static void rest_return_and_take(void)
{
    EXPLORE_WANT(loam_slabs_rest(slabs));
    loam_slabs_online(slabs);
    void *p = loam_cache_alloc(cache);
    EXPLORE_WANT(p != NULL && (out[0] == 0 || p != object[0]) && (out[1] == 0 || p != object[1]));
    EXPLORE_WANT(loam_cache_free(cache, p) == LOAM_OK);
    loam_slabs_serve(slabs);
}

static void adopt(void)
{
    void *p = loam_cache_alloc(cache);
    EXPLORE_WANT(p != NULL && (out[0] == 0 || p != object[0]));
    EXPLORE_WANT(loam_cache_free(cache, p) == LOAM_OK);
    loam_slabs_serve(slabs);
}

static void free_both(void)
{
    free_object(0);
    free_object(1);
    loam_slabs_serve(slabs);
}

static void offline(tap *t)
{
    explore_script script = {.name = "the owner leaves while it is told",
                             .setup = setup_owner_busy,
                             .finish = all_is_back,
                             .actor = {{leave, 0, false}, {free_both, 1, false}}};
    explored(t, &script);
    script.name = "the owner leaves and comes back while it is told";
    script.actor[0].run = leave_and_return;
    explored(t, &script);
    script.name = "who told leaves with what it gathered";
    script.actor[0].run = serve_twice;
    script.actor[1].run = gather_and_leave;
    explored(t, &script);
}

static void resting(tap *t)
{
    explore_script script = {.name = "the owner rests while it is told",
                             .setup = setup_owner_busy,
                             .finish = all_is_back,
                             .actor = {{rest, 0, false}, {free_both, 1, false}}};
    explored(t, &script);
    script.name = "the owner rests and comes back while it is told";
    script.actor[0].run = rest_and_return;
    explored(t, &script);
    script.name = "the owner rests, comes back and allocates while it is told";
    script.actor[0].run = rest_return_and_take;
    explored(t, &script);
    script.name = "the owner rests and comes back, with store buffers";
    script.actor[0].run = rest_and_return;
    script.tso = true;
    explored(t, &script);
    script.tso = false;
    script.name = "the owner rests, one tells, one adopts";
    script.setup = setup_two_out;
    script.switches = 2;
    script.actor[0].run = rest;
    script.actor[2].run = adopt;
    script.actor[2].cpu = 2;
    explored(t, &script);
    script.name = "the owner rests and comes back, one tells, one adopts";
    script.actor[0].run = rest_return_and_take;
    explored(t, &script);
}

static void hand_over(tap *t)
{
    explore_script script = {
        .name = "the owner leaves, one tells, one adopts",
        .setup = setup_two_out,
        .finish = all_is_back,
        .switches = 2,
        .actor = {{leave, 0, false}, {free_both, 1, false}, {adopt, 2, false}}};
    explored(t, &script);
    script.name = "the owner leaves, one tells, one adopts with a new front";
    lazy = true;
    explored(t, &script);
    lazy = false;
    script.name = "the owner leaves, two free what it left, each may take the slab over";
    script.actor[1].run = free_first;
    script.actor[2].run = free_second;
    explored(t, &script);
}

/* ---- all modes of a hardened process: seals, and slots that wait ---- */

enum {
    SWIFT = LOAM_SLAB_GUARD | LOAM_SLAB_POISON | LOAM_SLAB_QUARANTINE | LOAM_SLAB_RANDOM |
            LOAM_SLAB_ZERO_FREE
};

static void setup_swift(void)
{
    make_slabs(3, 64, SWIFT);
    take_objects(2);
    EXPLORE_WANT(slabs->swift);
}

static void swift_modes(tap *t)
{
    explore_script script = {
        .name = "hardened's modes: two tell the owner, who serves",
        .setup = setup_swift,
        .finish = all_is_back,
        .switches = 2,
        .actor = {{serve_twice, 0, false}, {free_first, 1, false}, {free_second, 2, false}}};
    explored(t, &script);
    script.name = "hardened's modes: the owner leaves, one tells, one adopts";
    script.actor[0].run = leave;
    script.actor[1].run = free_both;
    script.actor[2].run = adopt;
    explored(t, &script);
    script.name = "hardened's modes: the owner frees and allocates while it is told";
    script.actor[0].run = free_own_and_churn;
    script.actor[1].run = free_first;
    script.actor[2].run = NULL;
    explored(t, &script);
    script.name = "hardened's modes: two others free one object";
    script.finish = refused_once;
    script.misuse_is_fine = true;
    script.no_race_check = true; /* the second looks at what is the first one's by then */
    script.actor[0].run = serve_twice;
    script.actor[1].run = free_it_badly;
    script.actor[2] = (explore_actor_plan){free_it_badly, 2, false};
    explored(t, &script);
}

/* ---- an owner without a free slot ---- */

enum { EIGHT = 8 }; /* objects a slab */

static void setup_full(void)
{
    make_slabs(3, 4096 / EIGHT, 0);
    take_objects(2 * EIGHT);
}

static void free_of_first(void)
{
    free_object(0);
    loam_slabs_serve(slabs);
}

static void free_of_second(void)
{
    free_object(EIGHT);
    loam_slabs_serve(slabs);
}

/* What it takes is of one slab; the other waits until it wants more. */
static void allocate_one(void)
{
    void *p = loam_cache_alloc(cache);
    EXPLORE_WANT(p != NULL && (out[0] == 0 || p != object[0]) &&
                 (out[EIGHT] == 0 || p != object[EIGHT]));
    EXPLORE_WANT(loam_cache_free(cache, p) == LOAM_OK);
}

static void take_and_leave(void)
{
    allocate_one();
    loam_slabs_offline(slabs);
}

static void interrupt_churns(void)
{
    void *p = loam_cache_alloc(cache);
    EXPLORE_WANT(p != NULL);
    EXPLORE_WANT(loam_cache_free(cache, p) == LOAM_OK);
}

static const char *rest_is_back(void)
{
    explore_set_cpu(0);
    for (unsigned i = 0; i < 2 * EIGHT; i++) {
        if (out[i] != 0)
            free_object(i);
    }
    return all_is_back();
}

static void out_of_slots(tap *t)
{
    explore_script script = {
        .name = "the owner takes when it has no slot",
        .setup = setup_full,
        .finish = rest_is_back,
        .switches = 2,
        .actor = {{allocate_one, 0, false}, {free_of_first, 1, false}, {free_of_second, 2, false}}};
    explored(t, &script);
    script.name = "the owner leaves with slabs that it has not looked at";
    script.actor[0].run = take_and_leave;
    explored(t, &script);
    script.name = "the owner's handler allocates while its thread takes what it needs";
    script.actor[0].run = allocate_one;
    script.actor[2] = (explore_actor_plan){interrupt_churns, 0, true};
    explored(t, &script);
}

/* ---- the end of a cache ---- */

static void setup_one_of_two(void)
{
    make_slabs(2, 64, 0);
    take_objects(1);
}

static void want_busy(void)
{
    EXPLORE_WANT(loam_cache_destroy(cache) == LOAM_EBUSY);
}

static const char *freed_at_last(void)
{
    free_object(0);
    return all_is_back();
}

static void end_of_cache(tap *t)
{
    explore_script script = {.name = "the owner leaves while another wants the cache to end",
                             .setup = setup_one_of_two,
                             .finish = freed_at_last,
                             .actor = {{leave, 0, false}, {want_busy, 1, false}}};
    explored(t, &script);
}

/* ---- interrupts ---- */

static void interrupt_frees(void)
{
    free_object(0);
}

static void interrupt_serves(void)
{
    loam_slabs_serve(slabs);
}

static void interrupts(tap *t)
{
    explore_script script = {
        .name = "a handler frees while its thread tells",
        .setup = setup_owner_busy,
        .finish = all_is_back,
        .switches = 3,
        .actor = {{serve_twice, 0, false}, {free_second, 1, false}, {interrupt_frees, 1, true}}};
    explored(t, &script);
    script.name = "the owner's handler takes while its thread allocates";
    script.actor[0].run = free_own_and_churn;
    script.actor[1].run = free_first;
    script.actor[2] = (explore_actor_plan){interrupt_serves, 0, true};
    explored(t, &script);
    script.name = "the owner's handler allocates while its thread takes";
    script.actor[0].run = serve_twice;
    script.actor[1].run = free_both;
    script.actor[2] = (explore_actor_plan){interrupt_churns, 0, true};
    explored(t, &script);
}

/* ---- store buffers ---- */

static void buffered(tap *t)
{
    explore_script script = {.name = "the owner is told, with store buffers",
                             .setup = setup_owner_busy,
                             .finish = all_is_back,
                             .tso = true,
                             .actor = {{free_own_and_churn, 0, false}, {free_first, 1, false}}};
    explored(t, &script);
    script.name = "the owner leaves while it is told, with store buffers";
    script.actor[0].run = leave;
    script.actor[1].run = free_both;
    explored(t, &script);
}

static const tap_case cases[] = {
    {"slab: two processors free what a third owns: each free arrives", publication},
    {"slab: the owner allocates and frees meanwhile: no slab goes early or never", owner_busy},
    {"slab: an object freed by two processors: refused once", double_free},
    {"slab: the owner leaves while it is told: each free arrives", offline},
    {"slab: the owner rests while it is told: each free arrives", resting},
    {"slab: a slab changes hands while its frees are told: each arrives", hand_over},
    {"slab: all modes of a hardened process: nothing lost, refused once", swift_modes},
    {"slab: an owner without a slot takes slab by slab: nothing lost", out_of_slots},
    {"slab: a slab changes hands while its cache is to end: it does not", end_of_cache},
    {"slab: handlers free, take and allocate: nothing lost", interrupts},
    {"slab: stores that wait in buffers: nothing lost", buffered},
};
TAP_SUITE(slab_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_slab_explore, argc, argv);
}
