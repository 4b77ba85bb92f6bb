/* SPDX-License-Identifier: MIT */
/* driver.c - lines into calls: splits a line, finds its word, and answers.
 *
 *     "alloc 3\n" --> words: "alloc", 3 --> driver_page_words[] --> loam_zone_alloc --> "14000\n"
 *                         | not a word, wrong count, no number
 *                         '--> "err usage\n"
 */
#include "driver.h"

/* ---- answers ---- */

void driver_put(driver *d, const char *text)
{
    size_t len = 0;
    while (text[len] != '\0')
        len++;
    d->machine->put(d->machine->ctx, text, len);
}

void driver_put_hex(driver *d, uint64_t v)
{
    char buf[17];
    loam_text text;
    loam_text_init(&text, buf, sizeof buf);
    loam_text_hex(&text, v);
    driver_put(d, buf);
}

void driver_refuse(driver *d, const char *why)
{
    d->machine->note(d->machine->ctx, why);
    driver_put(d, "err");
}

void driver_answer(driver *d, loam_err err, const char *what)
{
    if (err == LOAM_OK) {
        driver_put(d, "ok");
        return;
    }
    char buf[80];
    loam_text text;
    loam_text_init(&text, buf, sizeof buf);
    loam_text_fmt(&text, "%s: %s", what, loam_err_name(err));
    driver_refuse(d, buf);
}

bool driver_fails(driver *d)
{
    return d->fail_in != 0 && --d->fail_in == 0;
}

/* ---- the machine ---- */

void driver_reset(driver *d)
{
    d->machine->reset(d->machine->ctx);
    d->stage = DRIVER_BOOT;
    d->cpu = 0;
    d->ncpus = 1;
    d->fail_in = 0;
    d->mb_taken = 0;
    d->zone = NULL;
    d->slabs = NULL;
    d->kmalloc = NULL;
    d->vm_there = false;
    d->flushes = 0;
    d->flushed_all = false;
    d->meta = (loam_span){0, 0};
    d->linear = (loam_linear){0, 0, NULL};
    loam_memblock_init(&d->map, d->map.ram.span, d->map.ram.cap, d->map.held.span, d->map.held.cap,
                       d->map.early.span, d->map.early.cap);
}

void driver_init(driver *d, const driver_machine *machine, loam_span *spans, size_t cap)
{
    __builtin_memset(d, 0, sizeof *d);
    d->machine = machine;
    loam_slab_config_init(&d->config);
    loam_memblock_init(&d->map, spans, cap, spans + cap, cap, spans + 2 * cap, cap);
    driver_reset(d);
}

/* ---- lines ---- */

typedef struct token {
    const char *at;
    size_t len;
} token;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Splits at blanks; answers how many tokens there are, of which only the first `max` are kept. */
static unsigned split(const char *line, size_t len, token *out, unsigned max)
{
    unsigned n = 0;
    for (size_t i = 0; i < len;) {
        size_t from = i;
        while (i < len && !is_blank(line[i]))
            i++;
        if (i > from && n++ < max)
            out[n - 1] = (token){line + from, i - from};
        while (i < len && is_blank(line[i]))
            i++;
    }
    return n;
}

static bool token_is(const token *t, const char *word)
{
    size_t i = 0;
    while (i < t->len && word[i] != '\0' && t->at[i] == word[i])
        i++;
    return i == t->len && word[i] == '\0';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool token_number(const token *t, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < t->len; i++) {
        int digit = digit_of(t->at[i]);
        if (digit < 0 || v >> 60 != 0)
            return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return t->len != 0;
}

/* The entry for these tokens; *used: how many of them its name takes. */
static const driver_word *find_word(const driver_word *words, const token *t, unsigned n,
                                    unsigned *used)
{
    for (const driver_word *w = words; w->name != NULL; w++) {
        *used = w->sub != NULL ? 2 : 1;
        if (n >= *used && token_is(&t[0], w->name) && (w->sub == NULL || token_is(&t[1], w->sub)))
            return w;
    }
    return NULL;
}

static const driver_word *find(const token *t, unsigned n, unsigned *used)
{
    static const driver_word *const tables[] = {driver_boot_words, driver_page_words,
                                                driver_object_words, driver_vm_words};
    const driver_word *w = NULL;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(tables) && w == NULL; i++)
        w = find_word(tables[i], t, n, used);
    return w;
}

static bool obey(driver *d, const char *line, size_t len)
{
    token t[DRIVER_ARGS + 2];
    uint64_t arg[DRIVER_ARGS] = {0};
    unsigned used = 0, n = split(line, len, t, LOAM_ARRAY_LEN(t));
    if (len > DRIVER_LINE || n == 0 || n > LOAM_ARRAY_LEN(t))
        return false;
    const driver_word *w = find(t, n, &used);
    if (w == NULL || n - used < w->min || n - used > w->max)
        return false;
    for (unsigned i = used; i < n; i++)
        if (!token_number(&t[i], &arg[i - used]))
            return false;
    d->machine->set_cpu(d->machine->ctx, d->cpu % d->ncpus);
    w->fn(d, arg, n - used);
    return true;
}

void driver_line(driver *d, const char *line, size_t len)
{
    if (!obey(d, line, len))
        driver_put(d, "err usage");
    driver_put(d, "\n");
}
