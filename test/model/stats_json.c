/* SPDX-License-Identifier: MIT */
/* stats_json.c - loam_stats_json on random counters and names, read back by Python's json.
 *
 * Each document goes to one python3 as a line; it answers with the sum of all numbers (modulo 2^64)
 * and the lengths of all names, which must be what was put in.
 */
#define _POSIX_C_SOURCE 200809L

#include "loam/stats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DOCS = 200, PARTS = 3, NAME = 12 };

static const char reader[] =
    "exec python3 -c '\n"
    "import json, sys\n"
    "def total(v):\n"
    "    if isinstance(v, dict): return sum(total(x) for x in v.values())\n"
    "    if isinstance(v, list): return sum(total(x) for x in v)\n"
    "    return v if isinstance(v, int) else 0\n"
    "def names(v):\n"
    "    if isinstance(v, dict): return sum(names(x) for x in v.values())\n"
    "    if isinstance(v, list): return sum(names(x) for x in v)\n"
    "    return sum(map(ord, v)) if isinstance(v, str) else 0\n"
    "for line in open(sys.argv[1], encoding=\"ascii\"):\n"
    "    doc = json.loads(line)\n"
    "    print(total(doc) % 2**64, names(doc))\n"
    "' ";

static uint64_t rng;

static uint64_t next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng >> (rng & 63);
}

typedef struct doc {
    loam_stats_memblock memblock;
    loam_stats_zone zone[PARTS];
    loam_stats_cache cache[PARTS];
    loam_stats_kmalloc kmalloc;
    loam_stats_vmap vmap;
    loam_stats_tlb tlb;
    loam_stats_named event[PARTS];
    char name[2 * PARTS][NAME];
    uint64_t total, names;
} doc;

/* Every uint64_t of [at, at + len) at random. */
static void fill(doc *d, void *at, size_t len)
{
    uint64_t *v = at;
    for (size_t i = 0; i < len / sizeof *v; i++) {
        v[i] = next();
        d->total += v[i];
    }
}

static const char *name(doc *d, char *at)
{
    for (size_t i = 0; i < NAME - 1; i++) {
        at[i] = (char)next();
        d->names += (unsigned char)at[i];
        if (at[i] == '\0')
            break;
    }
    return at;
}

static loam_stats make(doc *d)
{
    memset(d, 0, sizeof *d);
    fill(d, &d->memblock, sizeof d->memblock);
    fill(d, &d->kmalloc, sizeof d->kmalloc);
    fill(d, &d->vmap, sizeof d->vmap);
    fill(d, &d->tlb, sizeof d->tlb);
    loam_stats stats = {&d->memblock,
                        d->zone,
                        next() % (PARTS + 1),
                        d->cache,
                        next() % (PARTS + 1),
                        &d->kmalloc,
                        &d->vmap,
                        &d->tlb,
                        d->event,
                        next() % (PARTS + 1)};
    for (size_t i = 0; i < stats.zones; i++) {
        fill(d, &d->zone[i].frames, sizeof d->zone[i] - offsetof(loam_stats_zone, frames));
        d->zone[i].name = name(d, d->name[i]);
    }
    for (size_t i = 0; i < stats.caches; i++) {
        fill(d, &d->cache[i].size, sizeof d->cache[i] - offsetof(loam_stats_cache, size));
        d->cache[i].name = name(d, d->name[PARTS + i]);
    }
    static const char *const words[PARTS] = {"page_alloc", "page_free", "page_fail"};
    for (size_t i = 0; i < stats.events; i++) {
        d->event[i] = (loam_stats_named){words[i], next()};
        d->total += d->event[i].value;
    }
    return stats;
}

int main(void)
{
    static doc docs[DOCS];
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
    rng = seed * 0x9e3779b97f4a7c15ULL | 1;

    char path[] = "/tmp/loam_stats_XXXXXX", command[sizeof reader + sizeof path], buf[16384];
    int fd = mkstemp(path);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok = to != NULL;
    for (unsigned i = 0; ok && i < DOCS; i++) {
        loam_text text;
        loam_stats stats = make(&docs[i]);
        loam_text_init(&text, buf, sizeof buf);
        loam_stats_json(&text, &stats);
        ok = !text.cut && fprintf(to, "%s\n", buf) > 0;
    }
    ok = ok && fclose(to) == 0;

    unsigned right = 0;
    snprintf(command, sizeof command, "%s%s", reader, path);
    FILE *from = ok ? popen(command, "r") : NULL;
    unsigned long long total, names;
    while (from != NULL && right < DOCS && fscanf(from, "%llu %llu", &total, &names) == 2 &&
           total == docs[right].total && names == docs[right].names)
        right++;
    ok = from != NULL && pclose(from) == 0 && right == DOCS;
    remove(path);
    printf("1..1\n%sok 1 - stats_json: random counters and names: python reads what was written\n",
           ok ? "" : "not ");
    if (!ok)
        printf("# SEED=%llu: document %u\n", (unsigned long long)seed, right);
    return !ok;
}
