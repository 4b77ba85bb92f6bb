/* SPDX-License-Identifier: MIT */
/* aspace_view.c - what user address spaces looked like.
 *
 * The shell comes back when programs have ended, and then their spaces are gone: so the numbers of
 * the last SPACES of them are kept, and the regions of the very last.
 *
 *     program ends --> aspace_view_remember --> loam_aspace_destroy
 *                             |
 *     `aspace` <--------------+
 */
#include "aspace_view.h"
#include "console.h"
#include "words.h"

enum { SPACES = 8, REGIONS = 16, NAME = 32 };

typedef struct view {
    char name[NAME];
    int number;
    loam_aspace_stats stats;
} view;

static view views[SPACES];
static unsigned seen; /* spaces ever remembered */
static loam_aspace_region regions[REGIONS];
static unsigned region_count; /* of the last space; may be more than the array has */

static bool keep_region(void *ctx, const loam_aspace_region *region)
{
    (void)ctx;
    if (region_count < REGIONS)
        regions[region_count] = *region;
    region_count++;
    return true;
}

void aspace_view_remember(const char *name, int number, loam_aspace *as)
{
    view *v = &views[seen++ % SPACES];
    (void)word_copy(v->name, sizeof(v->name), name);
    v->number = number;
    loam_aspace_stat(as, &v->stats);
    region_count = 0;
    loam_aspace_each(as, keep_region, NULL);
}

static void print_view(const view *v)
{
    const loam_aspace_stats *s = &v->stats;
    kprintf("%s (%d): %U regions, %U pages present, %U of them shared, %U tables\n", v->name,
            v->number, s->regions, s->resident, s->shared, s->tables);
    kprintf("  faults: %U pages of zeros, %U of them for the stack; copy on write: %U copied, "
            "%U kept; %U refused\n",
            s->demand_zero, s->stack_grown, s->cow_copied, s->cow_reused, s->refused);
}

static void print_region(const loam_aspace_region *r)
{
    kprintf("  [0x%08X, 0x%08X) r%c%c %5U pages, %U present  %s%s%s\n", r->base, r->base + r->len,
            (r->flags & LOAM_PT_WRITE) != 0 ? 'w' : '-', (r->flags & LOAM_PT_EXEC) != 0 ? 'x' : '-',
            r->len / LOAM_PAGE_SIZE, r->resident, r->name,
            (r->flags & LOAM_ASPACE_STACK) != 0 ? ", grows down" : "",
            (r->flags & LOAM_ASPACE_GUARD) != 0 ? ", guard" : "");
}

void aspace_view_command(size_t count, const char *const *word)
{
    (void)count;
    if (seen == 0) {
        kprintf("%s: no program has run yet\n", word[0]);
        return;
    }
    for (unsigned i = seen > SPACES ? seen - SPACES : 0; i < seen; i++)
        print_view(&views[i % SPACES]);
    for (unsigned i = 0; i < region_count && i < REGIONS; i++)
        print_region(&regions[i]);
    if (region_count > REGIONS)
        kprintf("  and %u more\n", (int)(region_count - REGIONS));
}
