/* SPDX-License-Identifier: MIT */
/* explore_tell.c - words, places and steps as text. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "explore_impl.h"

enum { LABELS = 64 };

typedef struct tell_label {
    const unsigned char *at;
    size_t bytes;
    const char *name;
} tell_label;

static tell_label labels[LABELS];
static unsigned labelled;

void explore_tell_begin(void)
{
    labelled = 0;
}

void explore_label(const void *p, size_t bytes, const char *name)
{
    if (labelled < LABELS)
        labels[labelled++] = (tell_label){p, bytes, name};
}

const char *explore_textf(const char *format, ...)
{
    static char text[600];
    char made[sizeof text];
    va_list list;
    va_start(list, format);
    vsnprintf(made, sizeof made, format, list);
    va_end(list);
    memcpy(text, made, sizeof text); /* an argument may be the text of the last call */
    return text;
}

const char *explore_tell_word(uint32_t at, char *text, size_t size)
{
    const tell_label *best = NULL;
    const unsigned char *p = explore_arena + at;
    for (unsigned i = 0; i < labelled && at < EXPLORE_ARENA; i++) {
        const tell_label *label = &labels[i];
        bool inside = p >= label->at && (size_t)(p - label->at) < label->bytes;
        if (inside && (best == NULL || label->bytes < best->bytes))
            best = label;
    }
    if (best == NULL)
        snprintf(text, size, "byte 0x%x", at);
    else if (p == best->at)
        snprintf(text, size, "%s", best->name);
    else
        snprintf(text, size, "%s + %zu", best->name, (size_t)(p - best->at));
    return text;
}

/* The function at a place in the code, by the symbols of this very program. */
static void look_up(const void *site, char *text, size_t size)
{
    char command[160], function[64] = "?", place[96] = "?";
    snprintf(text, size, "%p", site);
    snprintf(command, sizeof command, "addr2line -f -s -e /proc/%d/exe %p 2>/dev/null",
             (int)getpid(), (const void *)((const char *)site - 1));
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        return;
    if (fgets(function, sizeof function, pipe) != NULL &&
        fgets(place, sizeof place, pipe) != NULL) {
        function[strcspn(function, "\n")] = place[strcspn(place, " \n")] = '\0';
        snprintf(text, size, "%s, %s", function, place);
    }
    pclose(pipe);
}

const char *explore_tell_site(const void *site, char *text, size_t size)
{
    static struct {
        const void *site;
        char text[176];
    } asked[256]; /* each is asked for once: a look-up starts a program */
    unsigned at = (unsigned)((uintptr_t)site * 2654435761U >> 7) % LOAM_ARRAY_LEN(asked);
    if (asked[at].site != site) {
        asked[at].site = site;
        look_up(site, asked[at].text, sizeof asked[at].text);
    }
    snprintf(text, size, "%s", asked[at].text);
    return text;
}

static const char *const op_names[] = {
    [OP_START] = "starts", [OP_LOAD] = "load",        [OP_PEEK] = "peek",
    [OP_STORE] = "store",  [OP_POKE] = "poke",        [OP_EXCHANGE] = "exchange",
    [OP_OR] = "or",        [OP_ADD] = "add",          [OP_CAS] = "cas",
    [OP_LOCK] = "lock",    [OP_IRQ_OFF] = "irqs off", [OP_REST] = "rests",
    [OP_YIELD] = "yields", [OP_DONE] = "through",
};

/* choice: an actor; or EXPLORE_ACTORS + cpu, whose oldest store is let out. */
void explore_tell_step(char *line, size_t size, unsigned choice)
{
    char word[80] = "", site[176] = "";
    if (choice >= EXPLORE_ACTORS) {
        const explore_store *store = &explore_buffers[choice - EXPLORE_ACTORS].store[0];
        snprintf(line, size, "cpu %u  lets out %s", choice - EXPLORE_ACTORS,
                 explore_tell_word((uint32_t)((unsigned char *)store->word - explore_arena), word,
                                   sizeof word));
        return;
    }
    const explore_actor *actor = &explore_actors[choice];
    unsigned long long value = 0;
    if (actor->word != NULL && actor->op != OP_START) {
        explore_tell_word((uint32_t)((const unsigned char *)actor->word - explore_arena), word,
                          sizeof word);
        value = explore_read(actor->word, 4);
    }
    if (actor->op != OP_START)
        explore_tell_site(actor->site, site, sizeof site);
    snprintf(line, size, "actor %u, cpu %u%s: %-8s %s", choice, actor->plan->cpu,
             actor->plan->interrupt ? ", interrupt" : "", op_names[actor->op], word);
    if (word[0] != '\0')
        snprintf(line + strlen(line), size - strlen(line), " (%llx)", value);
    snprintf(line + strlen(line), size - strlen(line), "   %s", site);
}
