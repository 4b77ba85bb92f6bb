/* SPDX-License-Identifier: MIT */
/* explore_race.c - accesses that nothing puts in order.
 *
 * WHAT   Says when two actors touch one byte, one of them writing, and no release and acquire
 *        stands between: on a machine, the second may see half of what the first did, or nothing.
 * MODEL  Each actor counts its releases; a clock is what it knows of everybody's count. A release
 *        leaves the clock at the word, an acquire takes in what was left there. A byte remembers
 *        who wrote it and who read it at which count:
 *
 *            actor 0:  x = 1 (at 5) ; store flag (leaves 0:5) ; count 6
 *            actor 1:                                 load flag (now knows 0:5) ; read x: 5 <= 5
 *            actor 2:                                 peek flag (learns nothing); read x: 5 > 0
 *
 *        A lock and the interrupts of a processor are such words, too: turning interrupts off
 *        acquires what the last handler there released. So a thread that touches what a handler
 *        touches, with interrupts on, is a race.
 * RULES  Atomic accesses of one word race with plain ones only, and those of a thread and a handler
 *        of one processor not even with these.
 * LOCKS  None.
 * COST   Bytes touched.
 * FROM   Vector clocks (Mattern, Fidge 1988) with one writer a byte (FastTrack, Flanagan and
 *        Freund 2009).
 * NOT    All orders: clocks are no part of a state, so they are those of the order in which the
 *        search came to it first.
 */
#include <string.h>

#include "explore_impl.h"

enum { CELLS_UNDO = 1 << 21, OBJECTS = 1024 };

typedef struct race_cell {
    uint16_t written; /* count of its last writer then; 0: never */
    uint8_t writer;
    uint8_t is_atomic;
    uint16_t read[EXPLORE_ACTORS]; /* count of each reader then */
    /* the program is linked low: a place in the code has 32 bits */
    uint32_t write_site, read_site[EXPLORE_ACTORS];
} race_cell;

typedef struct race_object {
    uint32_t at; /* plus 1; 0: unused */
    explore_clock clock;
} race_object;

typedef struct race_old {
    uint32_t index; /* of a cell; of an object: behind them */
    union {
        race_cell cell;
        race_object object;
    } old;
} race_old;

static race_cell cells[EXPLORE_ARENA];
static race_object objects[OBJECTS];
static race_old undo[CELLS_UNDO];
static uint32_t undos;

void explore_race_begin(void)
{
    explore_race_undo(0);
    for (unsigned i = 0; i < EXPLORE_ACTORS; i++) {
        memset(&explore_actors[i].clock, 0, sizeof(explore_clock));
        explore_actors[i].clock.of[i] = 1;
    }
}

uint32_t explore_race_mark(void)
{
    return undos;
}

void explore_race_undo(uint32_t mark)
{
    while (undos > mark) {
        const race_old *old = &undo[--undos];
        if (old->index < EXPLORE_ARENA)
            cells[old->index] = old->old.cell;
        else
            objects[old->index - EXPLORE_ARENA] = old->old.object;
    }
}

static race_old *remember(uint32_t index)
{
    if (undos == CELLS_UNDO)
        __builtin_trap();
    undo[undos].index = index;
    return &undo[undos++];
}

static race_object *object_of(uint32_t at)
{
    uint32_t i = at * 2654435761U % OBJECTS;
    for (uint32_t tries = 0; tries < OBJECTS; tries++, i = (i + 1) % OBJECTS) {
        if (objects[i].at == 0 || objects[i].at == at + 1)
            break;
    }
    if (objects[i].at != 0 && objects[i].at != at + 1)
        __builtin_trap();
    remember(EXPLORE_ARENA + i)->old.object = objects[i];
    objects[i].at = at + 1;
    return &objects[i];
}

static void join(explore_clock *to, const explore_clock *from)
{
    for (unsigned i = 0; i < EXPLORE_ACTORS; i++) {
        if (to->of[i] < from->of[i])
            to->of[i] = from->of[i];
    }
}

static void synchronise(unsigned number, const explore_touch *touch)
{
    explore_clock *mine = &explore_actors[number].clock;
    race_object *object = object_of(touch->at);
    if (touch->access == ACCESS_ACQUIRE) {
        join(mine, &object->clock);
        return;
    }
    if (touch->access == ACCESS_RELEASE)
        memset(&object->clock, 0, sizeof object->clock);
    join(&object->clock, mine);
    mine->of[number]++;
}

static const char *race(unsigned number, const explore_touch *touch, uint32_t at, unsigned other,
                        bool wrote)
{
    char word[80], site[176], before[176];
    bool reads = touch->access == ACCESS_READ || touch->access == ACCESS_ATOMIC_READ;
    uint32_t before_at = wrote ? cells[at].write_site : cells[at].read_site[other];
    explore_tell_word(at, word, sizeof word);
    explore_tell_site(touch->site, site, sizeof site);
    explore_tell_site((const void *)(uintptr_t)before_at, before, sizeof before);
    return explore_textf("race: actor %u %s %s (%s); nothing orders it behind actor %u %s it (%s)",
                         number, reads ? "reads" : "writes", word, site, other,
                         wrote ? "writing" : "reading", before);
}

static bool same_cpu(unsigned a, unsigned b)
{
    return explore_actors[a].plan->cpu == explore_actors[b].plan->cpu;
}

static const char *access_byte(unsigned number, const explore_touch *touch, uint32_t at)
{
    race_cell *cell = &cells[at];
    const explore_clock *mine = &explore_actors[number].clock;
    bool writes = touch->access == ACCESS_WRITE || touch->access == ACCESS_ATOMIC_WRITE;
    bool is_atomic = touch->access == ACCESS_ATOMIC_READ || touch->access == ACCESS_ATOMIC_WRITE;
    /* a handler and its thread are not there at once: one whole look at a word is enough */
    bool same_kind = is_atomic && (cell->is_atomic != 0 || same_cpu(number, cell->writer));
    if (cell->written > mine->of[cell->writer] && cell->writer != number && !same_kind)
        return race(number, touch, at, cell->writer, true);
    if (!writes) {
        if (is_atomic || cell->read[number] == mine->of[number])
            return NULL;
        remember(at)->old.cell = *cell;
        cell->read[number] = mine->of[number];
        cell->read_site[number] = (uint32_t)(uintptr_t)touch->site;
        return NULL;
    }
    for (unsigned i = 0; i < explore_count; i++) {
        if (i != number && cell->read[i] > mine->of[i])
            return race(number, touch, at, i, false);
    }
    if (cell->written == mine->of[number] && cell->writer == number && cell->is_atomic == is_atomic)
        return NULL;
    remember(at)->old.cell = *cell;
    cell->written = mine->of[number];
    cell->writer = (uint8_t)number;
    cell->is_atomic = is_atomic;
    cell->write_site = (uint32_t)(uintptr_t)touch->site;
    return NULL;
}

const char *explore_race_step(unsigned number, const explore_touch *touch, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (touch[i].access >= ACCESS_ACQUIRE) {
            synchronise(number, &touch[i]);
            continue;
        }
        for (uint32_t at = touch[i].at; at < touch[i].at + touch[i].bytes; at++) {
            const char *found = explore_in_notes(at) ? NULL : access_byte(number, &touch[i], at);
            if (found != NULL)
                return found;
        }
    }
    return NULL;
}
