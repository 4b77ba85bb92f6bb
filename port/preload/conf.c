/* SPDX-License-Identifier: MIT */
/* conf.c - LOAM_CONF: what a user may choose for a process, read once before the first block.
 *
 * WHAT   "stats,guard,range=4G" becomes loam__conf. Words of the object layer go to its own reader.
 *
 * MODEL  One table: name, default, what it takes, what it costs, what it does. Reader, help and the
 *        page in the documentation come from it.
 *
 *            LOAM_CONF   stats = /tmp/x , guard , range = 4G
 *                        word                -> a row here, or a row of slab.h's table
 *
 *        The environment may not be there yet when the loader asks for the first block: then
 *        /proc/self/environ is read. A program with more rights than its user reads nothing.
 * LOCKS  process.lock: read by the start alone, then never written.
 * COST   O(text), once.
 * FROM   -
 * NOT    Options that change while the program runs.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

enum { CONF_TEXT = 1024, CONF_WORD = 256 };

typedef enum conf_kind {
    CONF_HELP,
    CONF_SWITCH,
    CONF_BYTES,
    CONF_MS,
    CONF_RATE,
    CONF_FROM,
    CONF_SIGNAL,
    CONF_PATH,
    CONF_SET
} conf_kind;

typedef struct conf_row {
    const char *name, *value, *takes, *cost, *help;
    conf_kind kind;
    void *to;
} conf_row;

process_conf loam__conf = {.trim_ms = 1000,
                           .range = PROCESS_RANGE,
                           .huge_from = 4U << 20,
                           .profile_rate = 512 << 10,
                           .trace_most = 1U << 30,
                           .valgrind = true};

static const conf_row rows[] = {
    {"help", "no", "", "", "this list on standard error; the program goes on", CONF_HELP, NULL},
    {"stats", "no", "yes, no", "none", "figures on standard error when the program ends",
     CONF_SWITCH, &loam__conf.stats},
    {"json", "no", "yes, no", "none", "these figures as JSON", CONF_SWITCH, &loam__conf.json},
    {"file", "", "a path", "none", "figures and leaks go there; %p is the process's number",
     CONF_PATH, loam__conf.file},
    {"leaks", "no", "yes, no", "as owner", "blocks still out when the program ends; turns owner on",
     CONF_SWITCH, &loam__conf.leaks},
    {"profile", "", "a path", "250 instructions a call",
     "a heap profile for pprof goes there when the program ends", CONF_PATH, loam__conf.profile},
    {"profile_rate", "512K", "1 to 1G", "none",
     "a byte in so many is looked at; 1: every block, 10000 instructions each", CONF_RATE,
     &loam__conf.profile_rate},
    {"profile_signal", "0", "0 to 64", "none",
     "this signal writes one to the path with .1, .2, ...", CONF_SIGNAL,
     &loam__conf.profile_signal},
    {"trace", "", "a path", "a clock, 32 bytes a call",
     "every alloc, free and realloc goes there, see docs/trace.md", CONF_PATH, loam__conf.trace},
    {"trace_most", "1G", "1 to 1G", "none", "bytes of it; what comes later is counted as lost",
     CONF_RATE, &loam__conf.trace_most},
    {"valgrind", "yes", "yes, no", "none without it",
     "tells Valgrind of each block, when that runs the program", CONF_SWITCH, &loam__conf.valgrind},
    {"range", "16G", "16M and more", "address space", "addresses reserved at once", CONF_BYTES,
     &loam__conf.range},
    {"limit", "no", "16M and more", "none", "so much from the system at most, then malloc fails",
     CONF_BYTES, &loam__conf.limit},
    {"huge_from", "4M", "0 to 1G", "none",
     "asks the system for huge pages under blocks from this size on; 0: never", CONF_FROM,
     &loam__conf.huge_from},
    {"huge_pages", "no", "yes, no", "memory", "the same for all memory", CONF_SWITCH,
     &loam__conf.huge_pages},
    {"trim_ms", "1000", "0 to 3600000", "a look at the free runs",
     "free memory goes back to the system after so long; 0: never", CONF_MS, &loam__conf.trim_ms},
    {"guard_pages", "no", "yes, no", "two pages, system calls",
     "blocks from 128K on are mapped alone, between pages that nobody can touch", CONF_SWITCH,
     &loam__conf.guard_pages},
    {"hardened", "no", "", "half as much time again",
     "guard,guard_pages,zero_free,quarantine=256K,random; double frees over threads found at once",
     CONF_SET, NULL},
};

/* What the object layer's words cost; the words themselves are its own. */
static const struct {
    const char *name, *takes, *cost;
    const char *value; /* in a process, where that is another */
} slab_costs[] = {
    {"shift", "12 to 16", "memory, larger", "16"},
    {"guard", "yes, no", "40 bytes a block", NULL},
    {"poison", "yes, no", "two passes over a block", NULL},
    {"quarantine", "bytes", "so much memory", NULL},
    {"zero", "yes, no", "a pass over a block", NULL},
    {"zero_free", "yes, no", "two passes over a block", NULL},
    {"random", "yes, no", "20 instructions, cache", NULL},
    {"owner", "yes, no", "16 bytes a block", NULL},
    {"keep_empty", "yes, no", "time, when no", NULL},
    {"keep_large", "0 to 4M", "so much a thread at most", "4M"},
    {"seed", "a number", "none", NULL},
};

/* ---- words ---- */

static void say(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0')
        len++;
    (void)!write(STDERR_FILENO, text, len);
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static void column(loam_text *text, const char *s, size_t width)
{
    size_t len = 0;
    while (s[len] != '\0')
        len++;
    loam_text_fmt(text, "  %s", s);
    for (; len < width; len++)
        loam_text_fmt(text, " ");
}

static void say_row(const char *name, const char *value, const char *takes, const char *cost,
                    const char *help)
{
    char line[400];
    loam_text text;
    loam_text_init(&text, line, sizeof(line));
    column(&text, name, 14);
    column(&text, value, 5);
    column(&text, takes, 12);
    column(&text, cost, 24);
    loam_text_fmt(&text, "  %s\n", help);
    say(line);
}

static void help(void)
{
    say("LOAM_CONF=word,word=value,...\n");
    say_row("word", "is", "takes", "costs", "does");
    for (size_t i = 0; i < LOAM_ARRAY_LEN(rows); i++)
        say_row(rows[i].name, rows[i].value, rows[i].takes, rows[i].cost, rows[i].help);
    for (unsigned i = 0; loam_slab_option_at(i) != NULL; i++) {
        const loam_slab_option *o = loam_slab_option_at(i);
        for (size_t k = 0; k < LOAM_ARRAY_LEN(slab_costs); k++)
            if (same(o->name, slab_costs[k].name)) /* the set above has `hardened` */
                say_row(o->name, slab_costs[k].value != NULL ? slab_costs[k].value : o->value,
                        slab_costs[k].takes, slab_costs[k].cost, o->help);
    }
}

static void warn(const char *word, const char *why)
{
    char line[400];
    loam_text text;
    loam_text_init(&text, line, sizeof(line));
    loam_text_fmt(&text, "loam: LOAM_CONF: %s: %s; LOAM_CONF=help lists the words\n", word, why);
    say(line);
}

/* Decimal digits, then K, M or G. */
static bool number_of(const char *text, uint64_t *value)
{
    static const struct {
        char letter;
        unsigned shift;
    } units[] = {{'K', 10}, {'M', 20}, {'G', 30}};
    *value = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (*value > UINT64_MAX / 10 - 1)
            return false;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    for (size_t i = 0; i < LOAM_ARRAY_LEN(units); i++)
        if (*text == units[i].letter && text[1] == '\0' && *value >> (63 - units[i].shift) == 0) {
            *value <<= units[i].shift;
            return true;
        }
    return *text == '\0';
}

static bool switch_of(const char *value, bool *to)
{
    bool yes = value == NULL || same(value, "yes"), no = value != NULL && same(value, "no");
    if (yes || no)
        *to = yes;
    return yes || no;
}

/* ---- rows ---- */

static bool set_range(const char *value, size_t *to)
{
    uint64_t bytes;
    if (value == NULL || !number_of(value, &bytes) || bytes < 16U << 20 || bytes > SIZE_MAX / 4)
        return false;
    *to = (size_t)bytes;
    return true;
}

static bool set_rate(const char *value, size_t *to, uint64_t least)
{
    uint64_t bytes;
    if (value == NULL || !number_of(value, &bytes) || bytes < least || bytes > 1U << 30)
        return false;
    *to = (size_t)bytes;
    return true;
}

static bool set_signal(const char *value, uint32_t *to)
{
    uint64_t number;
    if (value == NULL || !number_of(value, &number) || number > 64)
        return false;
    *to = (uint32_t)number;
    return true;
}

static bool set_ms(const char *value, uint32_t *to)
{
    uint64_t ms;
    if (value == NULL || !number_of(value, &ms) || ms > 3600000)
        return false;
    *to = (uint32_t)ms;
    return true;
}

static bool set_path(const char *value, char *to)
{
    size_t len = 0;
    while (value != NULL && value[len] != '\0')
        len++;
    if (len == 0 || len >= PROCESS_PATH)
        return false;
    __builtin_memcpy(to, value, len + 1);
    return true;
}

static bool set_row(const conf_row *row, const char *value)
{
    switch (row->kind) {
    case CONF_HELP:
        help();
        return value == NULL;
    case CONF_SWITCH:
        return switch_of(value, row->to);
    case CONF_BYTES:
        return set_range(value, row->to);
    case CONF_MS:
        return set_ms(value, row->to);
    case CONF_RATE:
        return set_rate(value, row->to, 1);
    case CONF_FROM:
        return set_rate(value, row->to, 0);
    case CONF_SIGNAL:
        return set_signal(value, row->to);
    case CONF_PATH:
        return set_path(value, row->to);
    default:
        loam__conf.guard_pages = loam__conf.guard_pages || value == NULL;
        return value == NULL &&
               loam_slab_config_parse(&loam__process.slabs,
                                      "guard,zero_free,quarantine=256K,random,hardened",
                                      NULL) == LOAM_OK;
    }
}

static void set_word(char *word)
{
    char *value = NULL;
    for (size_t i = 0; word[i] != '\0' && value == NULL; i++)
        if (word[i] == '=')
            value = &word[i];
    if (value != NULL)
        *value++ = '\0';
    for (size_t i = 0; i < LOAM_ARRAY_LEN(rows); i++)
        if (same(word, rows[i].name)) {
            if (!set_row(&rows[i], value))
                warn(word, "wrong value");
            return;
        }
    if (value != NULL)
        value[-1] = '=';
    if (loam_slab_config_parse(&loam__process.slabs, word, NULL) != LOAM_OK)
        warn(word, "no such word, or a wrong value");
}

static void read_text(const char *text)
{
    char word[CONF_WORD];
    while (*text != '\0') {
        size_t len = 0;
        for (; *text != '\0' && *text != ','; text++)
            if (len + 1 < sizeof(word))
                word[len++] = *text;
        word[len] = '\0';
        if (len != 0)
            set_word(word);
        text += *text == ',';
    }
}

/* ---- the environment ---- */

static const char name[] = "LOAM_CONF=";

/* The value, if the text is the variable; else NULL. */
static const char *value_in(const char *text)
{
    size_t i = 0;
    while (name[i] != '\0' && text[i] == name[i])
        i++;
    return name[i] == '\0' ? text + i : NULL;
}

/* Reads /proc/self/environ through a window: the value, cut at the window's length. */
static bool value_of_system(char *value, size_t cap)
{
    int file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    size_t at = 0; /* in the current variable */
    bool found = true;
    char c;
    if (file < 0)
        return false;
    while (read(file, &c, 1) == 1) {
        size_t n = sizeof(name) - 1;
        if (found && at >= n && at - n < cap)
            value[at - n] = c;
        if (found && at < n && c != name[at])
            found = false;
        if (c == '\0' && found && at >= n)
            break;
        at = c == '\0' ? 0 : at + 1;
        found = c == '\0' || found;
    }
    close(file);
    value[cap - 1] = '\0';
    return found && at >= sizeof(name) - 1;
}

/* A random number nobody knows, from the system; the start of a program has one at hand. */
static uint64_t seed_of_system(void)
{
    uint64_t seed = 0;
    const void *start = (const void *)getauxval(AT_RANDOM);
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
        return seed;
    if (start != NULL)
        __builtin_memcpy(&seed, start, sizeof(seed));
    return seed ^ loam_port_ticks() * 0x9e3779b97f4a7c15ULL;
}

static void conf_environment(void)
{
    static char text[CONF_TEXT];
    const char *value = NULL;
    if (getauxval(AT_SECURE) != 0)
        return;
    for (char **e = environ; e != NULL && *e != NULL && value == NULL; e++)
        value = value_in(*e);
    if (value == NULL && environ == NULL && value_of_system(text, sizeof(text)))
        value = text;
    if (value != NULL)
        read_text(value);
    if (loam__conf.leaks)
        (void)loam_slab_config_parse(&loam__process.slabs, "owner", NULL);
}

void conf_read(void)
{
    int before = errno;
    conf_environment();
    if ((loam__process.slabs.modes & LOAM_SLAB_RANDOM) != 0 && loam__process.slabs.seed == 0)
        loam__process.slabs.seed = seed_of_system();
    errno = before;
}
