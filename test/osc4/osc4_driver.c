/* SPDX-License-Identifier: MIT */
/* osc4_driver.c - the face of compat/osc4, driven by lines, for checkers that share no code with
 * it. The log's lines come as they are; an answer is one line that starts with "= ". Numbers are
 * decimal, addresses hexadecimal after 0x.
 *
 *     init PAGES SKEW      a fresh arena of PAGES pages that starts SKEW bytes past a page; = BASE
 *     startup PAGES        the same, but as usable memory of the startup allocator; = BASE
 *     memory A B | reserve A B | simple N       addresses relative to BASE; = 0, -1 or address
 *     buddy PAGES          buddy_init over the startup memory, array from simple_alloc; = 0, -1
 *     log 0|1 | pools      = 0
 *     alloc ORDER | dmalloc SIZE                = 0xADDR or null
 *     free 0xADDR | dfree 0xADDR                = ok, or: refused WHAT
 *     view                 = the frame array: numbers, F, X
 *     out                  = pages and chunks in use, as the pools see it: PAGES USED for each
 *     check                = ok, or the broken rule
 *     demo NAME            buddy, dynamic, course; = what it returned
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../compat/osc4/malloc.h"
#include "loam/port.h"

static struct {
    unsigned char *block; /* what malloc gave */
    unsigned char *base;  /* page 0 */
    size_t pages;
    osc4_page_t *array;
    osc4_buddy_system_t buddy;
    char refused[128];
} d;

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

static void keep_report(void *ctx, const loam_report *report)
{
    (void)ctx;
    snprintf(d.refused, sizeof(d.refused), "%s %s", report->unit, report->what);
}

/* The arena starts exactly SKEW bytes past a page and ends where its last page does. */
static void arena(size_t pages, size_t skew)
{
    free(d.block);
    free(d.array);
    d.array = NULL;
    size_t page = OSC4_PAGE_SIZE;
    d.block = malloc((pages + 2) * page);
    if (d.block == NULL)
        exit(EXIT_FAILURE);
    uintptr_t at = ((uintptr_t)d.block + page - 1) & ~(uintptr_t)(page - 1);
    d.base = d.block + (at - (uintptr_t)d.block) + (skew == 0 ? 0 : page);
    d.pages = pages;
}

static void do_init(size_t pages, size_t skew)
{
    size_t page = OSC4_PAGE_SIZE;
    osc4_startup_init();
    arena(pages, skew);
    size_t bytes = page_array_bytes(pages);
    d.array = bytes == 0 ? NULL : malloc(bytes + 1);
    if (d.array != NULL)
        memset(d.array, 0xa5, bytes + 1);
    int rc = buddy_init(&d.buddy, skew == 0 ? d.base : d.base - page + skew,
                        pages * page + (skew == 0 ? 0 : page - skew),
                        d.array == NULL ? NULL : d.array + 1); /* any alignment will do */
    if (rc == 0)
        printf("= 0x%" PRIxPTR "\n", (uintptr_t)d.base);
    else
        puts("= -1");
}

static void do_startup(size_t pages)
{
    arena(pages, 0);
    osc4_startup_init();
    printf("= 0x%" PRIxPTR "\n", (uintptr_t)d.base);
}

static void do_buddy(size_t pages)
{
    page_t *array = simple_alloc(page_array_bytes(pages));
    int rc = array == NULL ? -1 : buddy_init(&d.buddy, d.base, pages * OSC4_PAGE_SIZE, array);
    printf("= %d\n", rc);
}

static void answer_address(const void *p)
{
    if (p == NULL)
        puts("= null");
    else
        printf("= 0x%" PRIxPTR "\n", (uintptr_t)p);
}

static void answer_free(void)
{
    if (d.refused[0] == '\0')
        puts("= ok");
    else
        printf("= refused %s\n", d.refused);
}

static void do_view(void)
{
    signed char *value = malloc(d.pages);
    if (value == NULL)
        exit(EXIT_FAILURE);
    osc4_frame_array(&d.buddy, value, 0, d.pages);
    putchar('=');
    for (size_t i = 0; i < d.pages; i++) {
        if (value[i] >= 0)
            printf(" %d", value[i]);
        else
            printf(" %c", value[i] == OSC4_PAGE_F ? 'F' : 'X');
    }
    putchar('\n');
    free(value);
}

static void do_out(void)
{
    putchar('=');
    for (unsigned i = 0; osc4_pool(i) != NULL; i++) {
        loam_cache_stats stats;
        loam_cache_stat(osc4_pool(i), &stats);
        printf(" %" PRIu64 " %" PRIu64, stats.slabs, stats.used);
    }
    putchar('\n');
}

static int demo_of(const char *name)
{
    if (strcmp(name, "buddy") == 0)
        return buddy_demo();
    if (strcmp(name, "dynamic") == 0)
        return dynamic_allocator_demo();
    return strcmp(name, "course") == 0 ? osc4_course_test() : -1;
}

/* Words with numbers; false: unknown. */
static bool do_setup(const char *word, uintptr_t a, uintptr_t b)
{
    if (strcmp(word, "init") == 0)
        do_init(a, b);
    else if (strcmp(word, "startup") == 0)
        do_startup(a);
    else if (strcmp(word, "memory") == 0)
        printf("= %d\n", memory_add((uintptr_t)d.base + a, b - a));
    else if (strcmp(word, "reserve") == 0)
        printf("= %d\n", memory_reserve((uintptr_t)d.base + a, (uintptr_t)d.base + b));
    else if (strcmp(word, "simple") == 0)
        answer_address(simple_alloc(a));
    else if (strcmp(word, "buddy") == 0)
        do_buddy(a);
    else if (strcmp(word, "pools") == 0)
        printf("= %d\n", memory_pools_init());
    else
        return false;
    return true;
}

static bool do_use(const char *word, uintptr_t a)
{
    d.refused[0] = '\0';
    if (strcmp(word, "alloc") == 0) {
        answer_address(buddy_alloc_pages(&d.buddy, (unsigned)a));
    } else if (strcmp(word, "dmalloc") == 0) {
        answer_address(dmalloc(a));
    } else if (strcmp(word, "free") == 0) {
        buddy_free_pages(&d.buddy, (void *)a);
        answer_free();
    } else if (strcmp(word, "dfree") == 0) {
        dfree((void *)a);
        answer_free();
    } else if (strcmp(word, "log") == 0) {
        osc4_log(a != 0);
        puts("= 0");
    } else {
        return false;
    }
    return true;
}

static bool do_look(const char *word, const char *arg)
{
    if (strcmp(word, "view") == 0)
        do_view();
    else if (strcmp(word, "out") == 0)
        do_out();
    else if (strcmp(word, "demo") == 0)
        printf("= %d\n", demo_of(arg));
    else if (strcmp(word, "check") == 0) {
        const char *rule = osc4_check();
        printf("= %s\n", rule == NULL ? "ok" : rule);
    } else
        return false;
    return true;
}

int main(void)
{
    char line[256], word[32], one[32], two[32];
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(keep_report, NULL);
    osc4_set_output(print_line, NULL);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        word[0] = one[0] = two[0] = '\0';
        if (sscanf(line, "%31s %31s %31s", word, one, two) < 1)
            continue;
        uintptr_t a = (uintptr_t)strtoull(one, NULL, 0), b = (uintptr_t)strtoull(two, NULL, 0);
        if (!do_setup(word, a, b) && !do_use(word, a) && !do_look(word, one))
            puts("= usage");
        fflush(stdout);
    }
    free(d.block);
    free(d.array);
    return 0;
}
