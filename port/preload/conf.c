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
#include <sys/syscall.h>
#include <unistd.h>

enum { CONF_TEXT = 4096, CONF_WORD = 256, CONF_PIECE = 512, CONF_WARNINGS = 10 };

typedef enum conf_kind {
    CONF_HELP,
    CONF_SWITCH,
    CONF_SIZE,   /* a size_t */
    CONF_NUMBER, /* a uint32_t */
    CONF_PATH,
    CONF_SET
} conf_kind;

typedef struct conf_row {
    const char *name, *value, *takes, *cost, *help;
    conf_kind kind;
    void *to;
    size_t least, most; /* of a number */
} conf_row;

#define CONF_ROW_SWITCH(to) CONF_SWITCH, (to), 0, 0
#define CONF_ROW_PATH(to)   CONF_PATH, (to), 0, 0

process_conf loam__conf = {.trim_ms = 1000,
                           .arenas = PROCESS_CPUS,
                           .range = PROCESS_RANGE,
                           .memory = PROCESS_MEMORY,
                           .huge_from = 4U << 20,
                           .profile_rate = 512 << 10,
                           .trace_most = 1U << 30,
                           .valgrind = true,
                           .last_look = true};

static const conf_row rows[] = {
    {"help", "no", "yes, no", "", "this list on standard error; the program goes on", CONF_HELP,
     NULL, 0, 0},
    {"stats", "no", "yes, no", "none", "figures on standard error when the program ends",
     CONF_ROW_SWITCH(&loam__conf.stats)},
    {"json", "no", "yes, no", "none", "these figures as JSON", CONF_ROW_SWITCH(&loam__conf.json)},
    {"file", "", "a path", "none", "figures and leaks go there; %p is the process's number",
     CONF_ROW_PATH(loam__conf.file)},
    {"leaks", "no", "yes, no", "as owner", "blocks still out when the program ends; turns owner on",
     CONF_ROW_SWITCH(&loam__conf.leaks)},
    {"profile", "", "a path", "250 instructions a call",
     "a heap profile for pprof goes there when the program ends",
     CONF_ROW_PATH(loam__conf.profile)},
    {"profile_rate", "512K", "1 to 1G", "none",
     "a byte in so many is looked at; 1: every block, 10000 instructions each", CONF_SIZE,
     &loam__conf.profile_rate, 1, 1U << 30},
    {"profile_signal", "0", "0 to 64", "none",
     "this signal writes one to the path with .1, .2, ...", CONF_NUMBER, &loam__conf.profile_signal,
     0, 64},
    {"trace", "", "a path", "a clock, 32 bytes a call",
     "every alloc, free and realloc goes there, see docs/trace.md",
     CONF_ROW_PATH(loam__conf.trace)},
    {"trace_most", "1G", "1 to 1G", "none", "bytes of it; what comes later is counted as lost",
     CONF_SIZE, &loam__conf.trace_most, 1, 1U << 30},
    {"valgrind", "yes", "yes, no", "none without it",
     "tells Valgrind of each block, when that runs the program",
     CONF_ROW_SWITCH(&loam__conf.valgrind)},
    {"arenas", "511", "1 to 511", "a lock, in the others",
     "threads at a time that have slabs of their own; the others share", CONF_NUMBER,
     &loam__conf.arenas, 1, PROCESS_CPUS},
    {"deep_bind", "no", "yes, no", "two mallocs in one",
     "leaves RTLD_DEEPBIND to dlopen: the library may find another malloc",
     CONF_ROW_SWITCH(&loam__conf.deep_bind)},
    {"range", PROCESS_RANGE_TEXT, "16M and more", "address space", "addresses reserved at once",
     CONF_SIZE, &loam__conf.range, (size_t)16 << 20, SIZE_MAX / 4},
    {"limit", "no", "16M and more", "none", "so much from the system at most, then malloc fails",
     CONF_SIZE, &loam__conf.limit, (size_t)16 << 20, SIZE_MAX / 4},
    {"memory", "found", "0 and more", "time, near it",
     "the process should do with so much: near it all that is unused goes back; found: the "
     "container's, or the machine's; 0: never",
     CONF_SIZE, &loam__conf.memory, 0, PROCESS_MEMORY - 1},
    {"huge_from", "4M", "0 to 1G", "none",
     "asks for huge pages under blocks mapped alone, from this size on; below 64 MiB once one was "
     "freed; 0: never",
     CONF_SIZE, &loam__conf.huge_from, 0, 1U << 30},
    {"huge_pages", "no", "yes, no", "memory", "asks for them under all memory",
     CONF_ROW_SWITCH(&loam__conf.huge_pages)},
    {"trim_ms", "1000", "0 to 3600000", "a look at the free runs",
     "free memory goes back to the system after so long; 0: never", CONF_NUMBER,
     &loam__conf.trim_ms, 0, 3600000},
    {"guard_pages", "no", "yes, no", "two pages, system calls",
     "blocks from 128K on are mapped alone, between pages that nobody can touch",
     CONF_ROW_SWITCH(&loam__conf.guard_pages)},
    {"last_look", "yes", "yes, no", "50 instructions a block",
     "with guard, blocks still out when the program ends are looked at, too",
     CONF_ROW_SWITCH(&loam__conf.last_look)},
    {"hardened", "no", "yes, no", "about twice the time",
     "guard,guard_pages,zero_free,quarantine=256K,random; double frees over threads found at once",
     CONF_SET, NULL, 0, 0},
};

_Static_assert(PROCESS_CPUS == 511, "`arenas` says so");

/* What the object layer's words cost; the words themselves are its own. */
static const struct {
    const char *name, *takes, *cost;
    const char *value, *help; /* in a process, where that is another */
} slab_costs[] = {
    {"shift", "12 to 16", "memory, larger", "16", NULL},
    {"guard", "yes, no", "16 bytes a block", NULL, NULL},
    {"poison", "yes, no", "two passes over a block", NULL, NULL},
    {"quarantine", "bytes", "so much memory", NULL,
     "freed blocks wait, implies poison: long ones so many bytes (64K), of a class 16K a thread, "
     "hardened 8K"},
    {"zero", "yes, no", "a pass over a block", NULL, NULL},
    {"zero_free", "yes, no", "two passes over a block", NULL, NULL},
    {"random", "yes, no", "10 instructions, cache", NULL, NULL},
    {"owner", "yes, no", "16 bytes a block", NULL, NULL},
    {"keep_empty", "yes, no", "time, when no", NULL, NULL},
    {"keep_large", "0 to 4M", "so much a thread at most", "4M",
     "freed large blocks kept for the next request: bytes a thread, of one alone eight times that"},
    {"seed", "a number", "none", NULL, "of the random mode; 0: the system draws one"},
};

/* ---- words ---- */

static void say(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0')
        len++;
    (void)out_write(STDERR_FILENO, text, len); /* nothing is left to do if it fails */
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
    say("LOAM_CONF=word,word=value,...    yes: on, 1; no: off, 0, for a number or a path, too\n");
    say_row("word", "is", "takes", "costs", "does");
    for (size_t i = 0; i < LOAM_ARRAY_LEN(rows); i++)
        say_row(rows[i].name, rows[i].value, rows[i].takes, rows[i].cost, rows[i].help);
    for (unsigned i = 0; loam_slab_option_at(i) != NULL; i++) {
        const loam_slab_option *o = loam_slab_option_at(i);
        for (size_t k = 0; k < LOAM_ARRAY_LEN(slab_costs); k++)
            if (same(o->name, slab_costs[k].name)) /* the set above has `hardened` */
                say_row(o->name, slab_costs[k].value != NULL ? slab_costs[k].value : o->value,
                        slab_costs[k].takes, slab_costs[k].cost,
                        slab_costs[k].help != NULL ? slab_costs[k].help : o->help);
    }
}

/* What the environment has may be anything, and as much of it as anybody likes. */
static void warn(const char *word, const char *why)
{
    static unsigned warned;
    char line[400];
    loam_text text;
    if (warned++ >= CONF_WARNINGS) {
        if (warned == CONF_WARNINGS + 1)
            say("loam: LOAM_CONF: more words are wrong\n");
        return;
    }
    loam_text_init(&text, line, sizeof(line));
    loam_text_fmt(&text, "loam: LOAM_CONF: ");
    out_plain(&text, word);
    loam_text_fmt(&text, ": %s; LOAM_CONF=help lists the words\n", why);
    say(line);
}

/* Decimal digits, then K, M or G. */
static bool number_of(const char *text, uint64_t *value)
{
    static const struct {
        char letter, small;
        unsigned shift;
    } units[] = {{'K', 'k', 10}, {'M', 'm', 20}, {'G', 'g', 30}};
    *value = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (*value > UINT64_MAX / 10 - 1)
            return false;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    for (size_t i = 0; i < LOAM_ARRAY_LEN(units); i++)
        if ((*text == units[i].letter || *text == units[i].small) && text[1] == '\0' &&
            *value >> (63 - units[i].shift) == 0) {
            *value <<= units[i].shift;
            return true;
        }
    return *text == '\0';
}

static bool is_off(const char *value)
{
    return same(value, "no") || same(value, "off") || same(value, "0");
}

static bool switch_of(const char *value, bool *to)
{
    bool yes = value == NULL || same(value, "yes") || same(value, "on") || same(value, "1");
    if (!yes && !is_off(value))
        return false;
    *to = yes;
    return true;
}

/* ---- rows ---- */

/* "no" is 0, where that is a number or "no" the default; what is found has no other name. */
static bool row_number(const conf_row *row, const char *value, uint64_t *number)
{
    *number = 0;
    if (is_off(value))
        return row->least == 0 || same(row->value, "no");
    if (same(value, row->value) && same(value, "found")) {
        *number = PROCESS_MEMORY;
        return true;
    }
    return number_of(value, number) && *number >= row->least && *number <= row->most;
}

static bool set_number(const conf_row *row, const char *value)
{
    uint64_t number;
    if (value == NULL || !row_number(row, value, &number))
        return false;
    if (row->kind == CONF_SIZE)
        *(size_t *)row->to = (size_t)number;
    else
        *(uint32_t *)row->to = (uint32_t)number;
    return true;
}

/* With "no" what is on by then stays on. */
static bool set_hardened(const char *value)
{
    bool yes = false;
    if (!switch_of(value, &yes))
        return false;
    loam__conf.guard_pages = loam__conf.guard_pages || yes;
    return !yes || loam_slab_config_parse(&loam__process.slabs,
                                          "guard,zero_free,quarantine=256K,random,hardened",
                                          NULL) == LOAM_OK;
}

/* "no" is none; a file of that name is ./no. */
static bool set_path(const char *value, char *to)
{
    size_t len = 0;
    if (value != NULL && is_off(value))
        value = "";
    else if (value == NULL || *value == '\0')
        return false;
    while (value[len] != '\0')
        len++;
    if (len >= PROCESS_PATH)
        return false;
    __builtin_memcpy(to, value, len + 1);
    return true;
}

static bool set_help(const char *value)
{
    bool yes = true; /* whoever cannot write it wants it */
    bool right = switch_of(value, &yes);
    if (yes)
        help();
    return right;
}

static bool set_row(const conf_row *row, const char *value)
{
    switch (row->kind) {
    case CONF_HELP:
        return set_help(value);
    case CONF_SWITCH:
        return switch_of(value, row->to);
    case CONF_SIZE:
    case CONF_NUMBER:
        return set_number(row, value);
    case CONF_PATH:
        return set_path(value, row->to);
    default:
        return set_hardened(value);
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

/* "stats, guard" is two words. */
static void set_trimmed(char *word, size_t len)
{
    while (len != 0 && word[len - 1] == ' ')
        word[--len] = '\0';
    while (*word == ' ')
        word++;
    if (*word != '\0')
        set_word(word);
}

/* A word that is too long is none: what is left of it may mean something else. */
static void read_text(const char *text)
{
    char word[CONF_WORD];
    while (*text != '\0') {
        size_t len = 0;
        bool fits = true;
        for (; *text != '\0' && *text != ','; text++) {
            fits = len + 1 < sizeof(word);
            if (fits)
                word[len++] = *text;
        }
        word[len] = '\0';
        if (!fits)
            warn(word, "too long");
        else
            set_trimmed(word, len);
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

/* A variable that comes byte by byte. */
typedef struct conf_window {
    char *value; /* of LOAM_CONF, as far as there is room; ends with 0 */
    size_t cap, len;
    size_t at;  /* in the current variable */
    bool ours;  /* so far it is LOAM_CONF */
    bool cut;   /* there was not room for all */
    bool found; /* it is, and has ended */
} conf_window;

static void window_keep(conf_window *w, char c)
{
    w->cut = w->len + 1 == w->cap;
    if (!w->cut)
        w->value[w->len++] = c;
}

static void window_take(conf_window *w, char c)
{
    const size_t n = sizeof(name) - 1;
    if (w->at < n)
        w->ours = w->ours && c == name[w->at];
    else if (w->ours && c != '\0')
        window_keep(w, c);
    w->found = w->ours && w->at >= n && c == '\0';
    w->at++;
    if (c == '\0' && !w->found) {
        w->at = 0;
        w->ours = true;
    }
}

/* Reads /proc/self/environ through a window; false: the variable is not there. */
static bool value_of_system(char *value, size_t cap)
{
    char piece[CONF_PIECE];
    conf_window w = {.value = value, .cap = cap, .ours = true};
    int file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    while (file >= 0 && n != 0 && !w.found) {
        n = read(file, piece, sizeof(piece));
        if (n < 0 && errno != EINTR)
            break;
        for (ssize_t i = 0; i < n && !w.found; i++)
            window_take(&w, piece[i]);
    }
    if (file >= 0)
        close(file);
    value[w.len] = '\0';
    if (w.found && w.cut)
        say("loam: LOAM_CONF: it is too long: the first words alone are read\n");
    return w.found;
}

/* Not by getrandom, or syscall: a library that has these itself (libfaketime, socket_wrapper) may
 * be asking for its first block. */
#if defined(__x86_64__)
static long random_bytes(void *to, size_t len)
{
    long got = SYS_getrandom;
    __asm__ volatile("syscall"
                     : "+a"(got)
                     : "D"(to), "S"(len), "d"((long)GRND_NONBLOCK)
                     : "rcx", "r11", "memory");
    return got;
}
#else
static long random_bytes(void *to, size_t len)
{
    return syscall(SYS_getrandom, to, len, GRND_NONBLOCK);
}
#endif

/* A random number nobody knows, from the system; the start of a program has one at hand. */
static uint64_t seed_of_system(void)
{
    uint64_t seed = 0;
    const void *start = (const void *)getauxval(AT_RANDOM);
    if (random_bytes(&seed, sizeof(seed)) == (long)sizeof(seed))
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
