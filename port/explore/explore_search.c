/* SPDX-License-Identifier: MIT */
/* explore_search.c - the search: from each state every step that is possible, each state once.
 *
 * WHAT   Runs a script in every order, and says which order breaks it.
 * MODEL  A state is the memory, the actors' stacks and registers, and the stores that wait in the
 *        processors' buffers. Two orders that lead to the same state have the same future, so the
 *        second is given up there:
 *
 *            start --a--> . --a--> . --a--> end          path: choices from the start, "a3"
 *               \          \--b--> . --a--> known        levels: states of the path that have
 *                \--b--> . --a--> known                          choices left, each with what it
 *                                                                takes to go back there
 *
 *        Going back: memory by its log, a stack by the copy made when its actor gave way.
 * RULES  Every choice of every new state is tried, or the result says that the search was cut.
 * LOCKS  None.
 * COST   States x what a step writes; two actors of n points that share little: n x n states.
 * FROM   Explicit-state model checking of programs as they are (VeriSoft, Godefroid 1997; CMC,
 *        Musuvathi et al. 2002); a bound on the switches (CHESS, 2007).
 * NOT    Cycles in which actors undo one another's work for ever; time; orders weaker than .tso.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_impl.h"

enum {
    IMAGES = 64 << 20, /* bytes of stack copies along one path */
    FLUSH = 8,         /* choice number: FLUSH + cpu lets a store out */
    CHOICES = FLUSH + EXPLORE_CPUS,
    SOUND_EVERY = 16384 /* states between two looks at the whole memory */
};

typedef struct explore_level {
    explore_mark memory;
    uint32_t race, images;
    uint32_t todo, stirred, same; /* choices left; those that only stir, and came to nothing */
    uint64_t key;
    unsigned depth, last, switches;
    explore_actor actor[EXPLORE_ACTORS];
    explore_buffer buffer[EXPLORE_CPUS];
} explore_level;

static explore_level levels[EXPLORE_DEPTH + 1];
static unsigned char images[IMAGES];
static uint32_t images_used;
static unsigned char path[EXPLORE_DEPTH];
static unsigned depth, last, switches;
static char schedule_text[2 * EXPLORE_DEPTH];

static uint64_t *known; /* keys of states seen; 0: empty */
static uint64_t known_size, known_count;

static explore_result result;
static const char no_change[] = "no end: who waits in a loop finds nothing changed";
static const char too_long[] = "no end: an order is longer than the explorer goes";

/* ---- states seen ---- */

static void known_put(uint64_t key)
{
    uint64_t i = key & (known_size - 1);
    while (known[i] != 0 && known[i] != key)
        i = (i + 1) & (known_size - 1);
    known_count += known[i] == 0;
    known[i] = key;
}

static void known_begin(uint64_t size)
{
    known_size = size;
    known_count = 0;
    known = calloc(size, sizeof *known);
    if (known == NULL)
        abort();
}

static bool known_is_new(uint64_t key)
{
    if (known_count * 2 >= known_size) {
        uint64_t *old = known, old_size = known_size;
        known_begin(old_size * 2);
        for (uint64_t i = 0; i < old_size; i++) {
            if (old[i] != 0)
                known_put(old[i]);
        }
        free(old);
    }
    uint64_t before = known_count;
    known_put(key != 0 ? key : 1);
    return known_count != before;
}

/* ---- states ---- */

static uint64_t hash_bytes(const void *p, size_t bytes, uint64_t hash)
{
    const unsigned char *at = p;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = explore_mix(hash, word);
    }
    for (; bytes != 0; bytes--, at++)
        hash = explore_mix(hash, *at);
    return hash;
}

static uint64_t key_of_state(void)
{
    uint64_t key = explore_memory_mark().hash;
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *actor = &explore_actors[i];
        key = explore_mix(key, actor->stack_hash);
        key = explore_mix(key, (uint64_t)actor->op << 8 | (uint64_t)actor->irq_off << 2 |
                                   (uint64_t)actor->started << 1 | explore_actor_waits(i));
        key = explore_mix(key, (uintptr_t)actor->word);
    }
    for (unsigned cpu = 0; cpu < EXPLORE_CPUS; cpu++) {
        for (uint32_t i = 0; i < explore_buffers[cpu].count; i++) {
            const explore_store *store = &explore_buffers[cpu].store[i];
            key = explore_mix(key + cpu, (uintptr_t)store->word);
            key = explore_mix(key, store->value);
        }
    }
    if (explore_current_script->switches != 0)
        key = explore_mix(key, (uint64_t)last << 32 | switches);
    return key;
}

/* Keeps a copy of an actor's stack, for states that go back to this point. */
static void keep_image(explore_actor *actor)
{
    const unsigned char *top = explore_stack_top((unsigned)(actor - explore_actors));
    uint32_t bytes = (uint32_t)(top - actor->low);
    if (images_used + bytes > IMAGES)
        abort();
    actor->image = images_used;
    memcpy(images + images_used, actor->low, bytes);
    images_used += (bytes + 7) & ~7U;
    actor->stack_hash =
        actor->op == OP_DONE
            ? 1
            : hash_bytes(actor->low, bytes, hash_bytes(&actor->at, sizeof actor->at, 1));
}

static void save(explore_level *level)
{
    level->memory = explore_memory_mark();
    level->race = explore_race_mark();
    level->images = images_used;
    level->depth = depth;
    level->last = last;
    level->switches = switches;
    memcpy(level->actor, explore_actors, sizeof level->actor);
    memcpy(level->buffer, explore_buffers, sizeof level->buffer);
}

static void restore(const explore_level *level)
{
    explore_memory_undo(level->memory);
    explore_race_undo(level->race);
    images_used = level->images;
    depth = level->depth;
    last = level->last;
    switches = level->switches;
    memcpy(explore_actors, level->actor, sizeof level->actor);
    memcpy(explore_buffers, level->buffer, sizeof level->buffer);
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *actor = &explore_actors[i];
        memcpy(actor->low, images + actor->image, (size_t)(explore_stack_top(i) - actor->low));
    }
}

/* ---- choices ---- */

static uint32_t choices(uint32_t *stirred)
{
    uint32_t now = 0, resting = 0;
    for (unsigned i = 0; i < explore_count; i++) {
        if (!explore_actor_can(i))
            continue;
        if (!explore_actor_waits(i))
            now |= 1U << i;
        else if (explore_actors[i].op == OP_REST)
            resting |= 1U << i;
    }
    for (unsigned cpu = 0; cpu < EXPLORE_CPUS; cpu++) {
        if (explore_buffers[cpu].count != 0)
            now |= 1U << (FLUSH + cpu);
    }
    *stirred = now == 0 ? resting : 0;
    return now != 0 ? now : resting;
}

/* Is the choice made last one of these? */
static bool has_last(uint32_t choices)
{
    return last < 32 && (choices >> last & 1) != 0;
}

/* Those that the bound on switches allows: who ran last may go on, and others only while there are
 * switches left. */
static uint32_t affordable(uint32_t todo)
{
    unsigned most = explore_current_script->switches;
    bool goes_on = has_last(todo);
    if (most == 0 || !goes_on || switches < most)
        return todo;
    return todo & (1U << last | ~0U << FLUSH);
}

/* Makes a choice; what it found broken, or NULL. */
static const char *step(unsigned choice, uint32_t possible)
{
    uint32_t touched;
    path[depth++] = (unsigned char)choice;
    result.steps++;
    if (choice >= FLUSH) {
        explore_flush_one(choice - FLUSH);
        (void)explore_memory_settle();
        return NULL;
    }
    if (choice != last && has_last(possible))
        switches++;
    last = choice;
    explore_actor *actor = &explore_actors[choice];
    const char *broken = explore_actor_go(choice);
    const explore_touch *touch = explore_touches(&touched);
    uint64_t hash = explore_memory_settle();
    if (actor->op == OP_REST)
        actor->rest_hash = hash;
    if (broken == NULL && !explore_current_script->no_race_check && !explore_current_script->tso)
        broken = explore_race_step(choice, touch, touched);
    keep_image(actor);
    return broken;
}

/* All rest, and nothing has changed: lets one of them look again, until it rests again. */
static const char *stir(unsigned choice)
{
    const explore_actor *actor = &explore_actors[choice];
    uint64_t hash = explore_memory_mark().hash;
    uint32_t stirred = 0;
    const char *broken = step(choice, 1U << choice);
    while (broken == NULL && actor->op != OP_REST && depth < EXPLORE_DEPTH &&
           explore_memory_mark().hash == hash && choices(&stirred) == 1U << choice)
        broken = step(choice, 1U << choice);
    return broken;
}

/* ---- ends ---- */

static const char *finish(void)
{
    explore_level here;
    if (explore_current_script->finish == NULL)
        return NULL;
    save(&here);
    explore_set_cpu(0);
    explore_live = true;
    const char *broken = explore_current_script->finish();
    explore_live = false;
    restore(&here);
    return broken != NULL ? explore_textf("at the end: %s", broken) : NULL;
}

static const char *waiting_text(void)
{
    char text[400] = "all wait:", word[80];
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *actor = &explore_actors[i];
        size_t used = strlen(text);
        if (actor->op == OP_LOCK)
            snprintf(
                text + used, sizeof text - used, " actor %u for the lock %s,", i,
                explore_tell_word((uint32_t)((const unsigned char *)actor->word - explore_arena),
                                  word, sizeof word));
        else if (actor->op != OP_DONE)
            snprintf(text + used, sizeof text - used, " actor %u,", i);
    }
    text[strlen(text) - 1] = '\0';
    return explore_textf("%s", text);
}

static bool all_done(void)
{
    for (unsigned i = 0; i < explore_count; i++) {
        if (explore_actors[i].op != OP_DONE)
            return false;
    }
    return true;
}

/* ---- the search ---- */

static const char *dead_end(void)
{
    if (!all_done())
        return waiting_text();
    result.ends++;
    return finish();
}

/* At a state just reached: pushes a level if there is something to choose. *top: levels in use. */
static const char *arrive(unsigned *top, uint64_t most)
{
    uint32_t stirred, todo = choices(&stirred);
    uint64_t key = key_of_state();
    if (depth > result.longest)
        result.longest = depth;
    if (*top != 0 && levels[*top - 1].stirred != 0 && levels[*top - 1].key == key)
        levels[*top - 1].same++;
    if (!known_is_new(key))
        return NULL;
    if (++result.states % SOUND_EVERY == 0 && !explore_memory_is_sound())
        return "the explorer: a write escaped it";
    if (result.states > most)
        return "cut: too many states for this search";
    if (todo == 0)
        return dead_end();
    if (depth == EXPLORE_DEPTH)
        return too_long;
    explore_level *level = &levels[*top];
    save(level);
    level->todo = affordable(todo);
    level->stirred = stirred;
    level->same = 0;
    level->key = key;
    ++*top;
    return NULL;
}

static unsigned choose(uint32_t todo)
{
    return has_last(todo) ? last : (unsigned)__builtin_ctz(todo);
}

static const char *search(uint64_t most)
{
    unsigned top = 0;
    const char *broken = arrive(&top, most);
    while (broken == NULL && top != 0) {
        explore_level *level = &levels[top - 1];
        if (level->todo == 0) {
            restore(level);
            if (level->stirred != 0 && level->same == (unsigned)__builtin_popcount(level->stirred))
                return no_change;
            top--;
            continue;
        }
        uint32_t stirred;
        restore(level);
        unsigned choice = choose(level->todo);
        level->todo &= ~(1U << choice);
        broken = level->stirred != 0 ? stir(choice) : step(choice, choices(&stirred));
        if (broken == NULL)
            broken = arrive(&top, most);
    }
    return broken;
}

/* ---- schedules as text ---- */

static char letter(unsigned choice)
{
    return (char)(choice < FLUSH ? 'a' + (int)choice : 'A' + (int)(choice - FLUSH));
}

static const char *path_text(void)
{
    char *at = schedule_text;
    for (unsigned i = 0, n; i < depth; i += n) {
        for (n = 1; i + n < depth && path[i + n] == path[i]; n++)
            ;
        at += sprintf(at, n == 1 ? "%c" : "%c%u", letter(path[i]), n);
    }
    *at = '\0';
    return schedule_text;
}

/* Reads the next run of a schedule; false at its end. */
static bool next_run(const char **text, unsigned *choice, unsigned long *n)
{
    char c = **text;
    if (c >= 'a' && c < 'a' + EXPLORE_ACTORS)
        *choice = (unsigned)(c - 'a');
    else if (c >= 'A' && c < 'A' + EXPLORE_CPUS)
        *choice = FLUSH + (unsigned)(c - 'A');
    else
        return false;
    ++*text;
    *n = **text >= '0' && **text <= '9' ? strtoul(*text, (char **)text, 10) : 1;
    return true;
}

typedef void tell_fn(void *ctx, const char *line);

static const char *told_step(unsigned choice, tell_fn *tell, void *ctx)
{
    char line[400];
    uint32_t stirred, possible = choices(&stirred);
    if ((possible >> choice & 1) == 0)
        return "the schedule asks for a step that is not possible";
    if (tell != NULL) {
        unsigned who = choice >= FLUSH ? EXPLORE_ACTORS + choice - FLUSH : choice;
        explore_tell_step(line, sizeof line, who);
        tell(ctx, line);
    }
    return step(choice, possible);
}

/* One order: the schedule's, and behind its end whoever can go on. */
static const char *replay(const char *text, tell_fn *tell, void *ctx)
{
    unsigned choice;
    unsigned long n;
    uint32_t stirred, todo;
    const char *broken = NULL;
    while (next_run(&text, &choice, &n)) {
        for (; n != 0 && depth < EXPLORE_DEPTH && broken == NULL; n--)
            broken = told_step(choice, tell, ctx);
        if (broken != NULL)
            return broken;
    }
    while ((todo = choices(&stirred)) != 0 && depth < EXPLORE_DEPTH) {
        uint64_t key = key_of_state();
        broken = stirred != 0 ? stir(choose(todo)) : told_step(choose(todo), tell, ctx);
        if (broken != NULL)
            return broken;
        if (stirred != 0 && key_of_state() == key)
            return no_change;
    }
    return todo == 0 ? dead_end() : too_long;
}

static void begin(const explore_script *script)
{
    explore_memory_begin();
    explore_tell_begin();
    explore_set_cpu(0);
    explore_actors_begin(script);
    script->setup();
    explore_memory_start();
    explore_race_begin();
    images_used = depth = switches = 0;
    last = CHOICES;
    for (unsigned i = 0; i < explore_count; i++)
        keep_image(&explore_actors[i]);
}

explore_result explore_run(const explore_script *script, const char *schedule, uint64_t most,
                           void (*tell)(void *ctx, const char *line), void *ctx)
{
    static char broken[600];
    memset(&result, 0, sizeof result);
    begin(script);
    if (schedule != NULL) {
        result.broken = replay(schedule, tell, ctx);
        result.schedule = path_text();
        return result;
    }
    known_begin(1 << 16);
    result.broken = search(most);
    free(known);
    known = NULL;
    if (result.broken == NULL)
        return result;
    snprintf(broken, sizeof broken, "%s", result.broken);
    result.broken = broken;
    result.schedule = path_text();
    if (tell != NULL) {
        explore_result found = result;
        char again[sizeof schedule_text];
        snprintf(again, sizeof again, "%s", schedule_text);
        begin(script);
        (void)replay(again, tell, ctx);
        result = found;
        snprintf(schedule_text, sizeof schedule_text, "%s", again);
    }
    return result;
}
