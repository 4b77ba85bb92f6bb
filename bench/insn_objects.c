/* SPDX-License-Identifier: MIT */
/* insn_objects.c - the object workloads of bench_insn. An operation is one allocation and its
 * free. */
#include "insn_objects.h"
#include "objects.h"
#include <string.h>

enum { WARM = 64, BATCH = 1000 };

static void *slots[OBJECTS_SLOTS];

static void run_pair(const objects_api *api, void *a, size_t size, size_t n)
{
    api->pair(a, size, WARM);
    api->pair(a, size, n);
}

static void run_batch(const objects_api *api, void *a, size_t size, size_t n)
{
    api->batch(a, size, BATCH, false, 4);
    api->batch(a, size, BATCH, false, n / BATCH);
}

static void run_slots(const objects_api *api, void *a, size_t size, size_t n)
{
    (void)size;
    api->slots(a, slots, 29, (size_t)10 * OBJECTS_SLOTS);
    api->slots(a, slots, 31, n);
}

typedef struct workload {
    const char *name;
    size_t size, n;
    void (*run)(const objects_api *api, void *a, size_t size, size_t n);
} workload;

static const workload workloads[] = {
    {"object_pair_64", 64, 20000, run_pair},
    {"object_pair_1024", 1024, 20000, run_pair},
    {"object_batch_64", 64, 20000, run_batch},
    {"object_slots", 0, 20000, run_slots},
};

static const objects_api *const apis[] = {&objects_loam, &objects_libc};

void insn_objects_list(void)
{
    for (size_t w = 0; w < LOAM_ARRAY_LEN(workloads); w++) {
        for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++)
            printf("%s %s %zu %zu\n", apis[a]->name, workloads[w].name, workloads[w].n,
                   workloads[w].n);
    }
}

bool insn_objects_run(const char *allocator, const char *name, size_t n)
{
    for (size_t w = 0; w < LOAM_ARRAY_LEN(workloads); w++) {
        for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++) {
            if (strcmp(workloads[w].name, name) != 0 || strcmp(apis[a]->name, allocator) != 0)
                continue;
            workloads[w].run(apis[a], apis[a]->init((uint64_t)64 << 20, 1), workloads[w].size, n);
            return true;
        }
    }
    return false;
}
