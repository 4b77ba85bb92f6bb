/* SPDX-License-Identifier: MIT */
/* options.c - words of the kernel command line. A wrong word is reported and skipped: a machine
 * that does not start because of a typing error helps nobody. */
#include "options.h"
#include "loam/cmdline.h"
#include "words.h"

typedef const char *option_fn(options *o, const char *value); /* what is wrong, or NULL */

static const char *set_test(options *o, const char *value)
{
    o->test = true;
    o->test_only = value;
    return NULL;
}

static const char *set_shell(options *o, const char *value)
{
    (void)value;
    o->shell = true;
    o->off = false;
    return NULL;
}

static const char *set_off(options *o, const char *value)
{
    (void)value;
    o->off = true;
    o->shell = false;
    return NULL;
}

static const char *set_trace(options *o, const char *value)
{
    (void)value;
    o->trace = true;
    return NULL;
}

static const char *set_demo(options *o, const char *value)
{
    if (o->demo_count == OPTIONS_DEMOS)
        return "too many demos";
    o->demo[o->demo_count++] = value;
    return NULL;
}

static const char *set_play(options *o, const char *value)
{
    o->play = value != NULL ? value : "";
    return NULL;
}

static const char *set_compat(options *o, const char *value)
{
    return word_is(value, "shomp") ? set_play(o, NULL) : set_demo(o, value);
}

static const char *set_pgalloc(options *o, const char *value)
{
    if (!word_is(value, "buddy"))
        return "pgalloc= knows only buddy";
    o->pgalloc = true;
    return NULL;
}

static const char *set_pgalloc_selftest(options *o, const char *value)
{
    if (!word_is(value, "yes") && !word_is(value, "no"))
        return "pgalloc-selftest= knows yes and no";
    o->pgalloc_selftest = word_is(value, "yes");
    return NULL;
}

static const char *set_exit(options *o, const char *value)
{
    if (!word_is(value, "semihost"))
        return "exit= knows only semihost";
    o->semihost = true;
    return NULL;
}

static const char *set_console(options *o, const char *value)
{
    o->console = value;
    return NULL;
}

static const char *set_misuse(options *o, const char *value)
{
    if (word_is(value, "panic"))
        o->misuse = MISUSE_PANIC;
    else if (word_is(value, "report"))
        o->misuse = MISUSE_REPORT;
    else
        return "misuse= knows panic and report";
    return NULL;
}

static const char *set_slab(options *o, const char *value)
{
    const char *bad = NULL;
    return loam_slab_config_parse(&o->slab, value, &bad) == LOAM_OK ? NULL : "bad slab option";
}

static const char *set_seed(options *o, const char *value)
{
    return word_number(value, &o->seed) ? NULL : "seed= wants a number";
}

static const char *set_cpus(options *o, const char *value)
{
    return word_number(value, &o->cpus) && o->cpus != 0 ? NULL : "cpus= wants a number from 1 on";
}

static const char *set_stress(options *o, const char *value)
{
    stress_wish wish;
    if (!stress_parse(value, &wish))
        return "stress= wants OPS[,SEED][,offline]";
    o->stress = wish;
    return NULL;
}

typedef enum option_form { FLAG = 1, VALUE = 2 } option_form;

typedef struct option {
    const char *name;
    unsigned forms; /* option_form */
    option_fn *set;
} option;

static const option known[] = {
    {"test", FLAG | VALUE, set_test}, {"shell", FLAG, set_shell},
    {"off", FLAG, set_off},           {"demo", VALUE, set_demo},
    {"exit", VALUE, set_exit},        {"trace", FLAG, set_trace},
    {"console", VALUE, set_console},  {"misuse", VALUE, set_misuse},
    {"slab", VALUE, set_slab},        {"seed", VALUE, set_seed},
    {"play", FLAG | VALUE, set_play}, {"compat", VALUE, set_compat},
    {"pgalloc", VALUE, set_pgalloc},  {"pgalloc-selftest", VALUE, set_pgalloc_selftest},
    {"cpus", VALUE, set_cpus},        {"stress", VALUE, set_stress},
};

/* A terminated copy of len characters, or NULL when there is no room left. */
static const char *keep(options *o, const char *from, size_t len)
{
    char *to = o->text + o->used;
    if (len + 1 > sizeof(o->text) - o->used)
        return NULL;
    for (size_t i = 0; i < len; i++)
        to[i] = from[i];
    to[len] = '\0';
    o->used += len + 1;
    return to;
}

static const char *take(options *o, const char *key, const char *value)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(known); i++) {
        if (!word_is(key, known[i].name))
            continue;
        if (value == NULL && (known[i].forms & FLAG) == 0)
            return "a value is missing";
        if (value != NULL && (known[i].forms & VALUE) == 0)
            return "takes no value";
        return known[i].set(o, value);
    }
    return "unknown word";
}

void options_parse(options *o, const char *text, void (*warn)(const char *why, const char *word))
{
    loam_cmdline_word word;
    *o = (options){.misuse = MISUSE_BY_PLACE};
    loam_slab_config_init(&o->slab);
    while (loam_cmdline_next(&text, &word)) {
        const char *key = keep(o, word.key, word.key_len);
        const char *value = NULL, *why;
        if (key != NULL && word.value != NULL)
            value = keep(o, word.value, word.value_len);
        if (key == NULL || (word.value != NULL && value == NULL)) {
            warn("too long: this and the rest is ignored", key != NULL ? key : "...");
            return;
        }
        why = take(o, key, value);
        if (why != NULL)
            warn(why, key);
    }
}
