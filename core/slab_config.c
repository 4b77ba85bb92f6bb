/* SPDX-License-Identifier: MIT */
/* slab_config.c - the one table of the object layer's options, and its reader.
 *
 * WHAT   "guard,quarantine=64K,shift=14" from a kernel command line becomes a loam_slab_config.
 *
 * MODEL  One row an option: name, kind, range, help. Help and reader both walk the table.
 *
 *            text   guard , quarantine = 64K , shift = 14
 *                   word    word         value       value      -> row by name -> checked -> set
 *
 * RULES  A text with one wrong word changes nothing.
 * LOCKS  None.
 * COST   O(words x rows).
 * FROM   -
 * NOT    Options that could change after init.
 */
#include "slab_internal.h"

enum option_kind {
    OPTION_MODE,
    OPTION_SHIFT,
    OPTION_QUARANTINE,
    OPTION_KEEP,
    OPTION_LARGE,
    OPTION_SEED
};

typedef struct option_row {
    loam_slab_option face;
    enum option_kind kind;
    unsigned mode;
    uint64_t min, max;
} option_row;

#define OPTION_MODE_ROW(name, mode, help)                                                          \
    {                                                                                              \
        {name, "no", help}, OPTION_MODE, mode, 0, 1                                                \
    }

enum { OPTION_ROWS = 12 };

static const option_row option_table[OPTION_ROWS] = {
    {{"shift", "0", "slab size 2^N bytes, 12 to 16; 0: by RAM"}, OPTION_SHIFT, 0, 0, 16},
    OPTION_MODE_ROW("guard", LOAM_SLAB_GUARD, "magic around each block, checked at free"),
    OPTION_MODE_ROW("poison", LOAM_SLAB_POISON, "freed bytes are filled, and checked before reuse"),
    {{"quarantine", "no", "freed blocks wait: bytes (64K when none are given), implies poison"},
     OPTION_QUARANTINE,
     LOAM_SLAB_QUARANTINE,
     0,
     1U << 30},
    OPTION_MODE_ROW("zero", LOAM_SLAB_ZERO, "blocks read 0 when given out"),
    OPTION_MODE_ROW("zero_free", LOAM_SLAB_ZERO_FREE, "freed bytes read 0: poison with zeros"),
    OPTION_MODE_ROW("random", LOAM_SLAB_RANDOM, "any free slot, not the lowest"),
    OPTION_MODE_ROW("owner", LOAM_SLAB_OWNER, "call site of each block, for leak reports"),
    OPTION_MODE_ROW("hardened", LOAM_SLAB_HARDENED, "double frees over processors found at once"),
    {{"keep_empty", "yes", "a class keeps its last empty slab"}, OPTION_KEEP, 0, 0, 1},
    {{"keep_large", "0", "freed large blocks kept for the next request: bytes a processor"},
     OPTION_LARGE,
     0,
     0,
     4U << 20},
    {{"seed", "0", "of the random mode; 0: a fixed one"}, OPTION_SEED, 0, 0, UINT64_MAX},
};

const loam_slab_option *loam_slab_option_at(unsigned i)
{
    return i < OPTION_ROWS ? &option_table[i].face : NULL;
}

void loam_slab_config_init(loam_slab_config *config)
{
    *config =
        (loam_slab_config){.quarantine_bytes = 65536, .keep_empty = true, .ncpus = 1, .rest = 4};
}

/* ---- words ---- */

typedef struct option_word {
    const char *text;
    size_t len;
} option_word;

static bool word_is(option_word w, const char *name)
{
    size_t i = 0;
    while (i < w.len && name[i] != '\0' && w.text[i] == name[i])
        i++;
    return i == w.len && name[i] == '\0';
}

static option_word word_until(const char *text, char stop)
{
    size_t n = 0;
    while (text[n] != '\0' && text[n] != ',' && text[n] != stop)
        n++;
    return (option_word){text, n};
}

static int word_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Takes K, M or G off the end. */
static unsigned word_unit(option_word *w)
{
    static const char units[] = "KkMmGg";
    unsigned i = 0;
    while (w->len != 0 && units[i] != '\0' && units[i] != w->text[w->len - 1])
        i++;
    if (w->len == 0 || units[i] == '\0')
        return 0;
    w->len--;
    return 10 * (i / 2 + 1);
}

/* Decimal, or hexadecimal after 0x; K, M and G multiply. */
static bool word_number(option_word w, uint64_t *out)
{
    uint64_t base = 10, v = 0;
    unsigned shift = word_unit(&w);
    if (w.len > 2 && w.text[0] == '0' && w.text[1] == 'x') {
        base = 16;
        w = (option_word){w.text + 2, w.len - 2};
    }
    for (size_t i = 0; i < w.len; i++) {
        unsigned digit = (unsigned)word_digit(w.text[i]);
        if (digit >= base || loam_mul_overflows(v, base, &v) || loam_add_overflows(v, digit, &v))
            return false;
    }
    *out = v << shift;
    return w.len != 0 && *out >> shift == v;
}

static bool word_is_off(option_word w)
{
    return word_is(w, "no") || word_is(w, "off") || word_is(w, "0");
}

static bool word_is_on(option_word w)
{
    return word_is(w, "yes") || word_is(w, "on") || word_is(w, "1");
}

/* ---- options ---- */

static void option_set_mode(loam_slab_config *config, unsigned mode, bool on)
{
    config->modes = on ? config->modes | mode : config->modes & ~mode;
}

static bool option_set_quarantine(loam_slab_config *config, option_word value)
{
    uint64_t v;
    if (word_is(value, "yes") || word_is(value, "on") || value.len == 0)
        v = config->quarantine_bytes;
    else if (word_is_off(value))
        v = 0;
    else if (!word_number(value, &v) || v > 1U << 30)
        return false;
    option_set_mode(config, LOAM_SLAB_QUARANTINE, v != 0);
    if (v != 0)
        config->quarantine_bytes = (uint32_t)v;
    return true;
}

/* given: the word has a '='; without it a switch is turned on. */
static bool option_set(loam_slab_config *config, const option_row *row, option_word value,
                       bool given)
{
    bool is_switch = row->kind == OPTION_MODE || row->kind == OPTION_KEEP;
    uint64_t v = 1;
    if (given && value.len == 0)
        return false;
    if (row->kind == OPTION_QUARANTINE)
        return option_set_quarantine(config, value);
    if (word_is_off(value))
        v = 0;
    else if (is_switch ? given && !word_is_on(value) : !word_number(value, &v))
        return false;
    if (v < row->min || v > row->max || (row->kind == OPTION_SHIFT && v != 0 && v < 12))
        return false;
    if (row->kind == OPTION_MODE)
        option_set_mode(config, row->mode, v != 0);
    else if (row->kind == OPTION_KEEP)
        config->keep_empty = v != 0;
    else if (row->kind == OPTION_SHIFT)
        config->shift = (unsigned)v;
    else if (row->kind == OPTION_LARGE)
        config->keep_large = (uint32_t)v;
    else
        config->seed = v;
    return true;
}

static bool option_read(loam_slab_config *config, option_word word)
{
    option_word name = word_until(word.text, '=');
    bool given = name.len < word.len;
    option_word value = {word.text + name.len + given, word.len - name.len - given};
    for (unsigned i = 0; i < OPTION_ROWS; i++) {
        if (word_is(name, option_table[i].face.name))
            return option_set(config, &option_table[i], value, given);
    }
    return false;
}

loam_err loam_slab_config_parse(loam_slab_config *config, const char *text, const char **bad)
{
    loam_slab_config next = *config;
    while (*text != '\0') {
        option_word word = word_until(text, ',');
        if (!option_read(&next, word)) {
            if (bad != NULL)
                *bad = text;
            return LOAM_EINVAL;
        }
        text += word.len;
        text += *text == ',';
    }
    *config = next;
    return LOAM_OK;
}
