/* SPDX-License-Identifier: MIT */
/* explore_actor.c - actors: a stack each, and the points at which they give way.
 *
 * WHAT   What loam_port.h promises, with a stop before each step that another processor could
 *        notice.
 * MODEL  A step of an actor runs from one point to the next: the operation it stopped before, then
 *        what follows up to the next one, unseen by the others.
 *
 *            search:  choose actor ----> [ cas ; plain accesses ... ] | load     stops before the
 *                       ^                                             |          load, and says so
 *                       '---------------------------------------------'
 *
 *        A release of a lock, and turning interrupts on, are no points: what comes before them may
 *        as well come after what the others do meanwhile (Lipton: left movers).
 * RULES  An interrupt starts only where its processor's interrupts are on, and the thread below it
 *        stands still until it is through. A lock is taken only when it is free. Who rests goes on
 *        when a word has changed, or when nobody else can do anything.
 * LOCKS  None: one thread of the host.
 * COST   A step: two jumps.
 * FROM   Coroutines by setjmp and longjmp, each stack made once by makecontext.
 * NOT    Preemption between plain accesses: explore_race.c reports those that it could matter to.
 */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "explore_impl.h"

explore_actor explore_actors[EXPLORE_ACTORS];
explore_buffer explore_buffers[EXPLORE_CPUS];
unsigned explore_count;
const explore_script *explore_current_script;

static unsigned char stacks[EXPLORE_ACTORS][EXPLORE_STACK] __attribute__((aligned(64)));
static explore_actor *self; /* the actor that runs, or NULL */
static jmp_buf scheduler;
static const char *stopped; /* what the actor that ran found broken */
static unsigned outside_cpu;
static bool outside_irq_off;

unsigned char *explore_stack_top(unsigned number)
{
    return stacks[number] + EXPLORE_STACK;
}

unsigned explore_me(void)
{
    return (unsigned)(self - explore_actors);
}

void explore_set_cpu(unsigned cpu)
{
    outside_cpu = cpu;
}

/* Leaves the actor's stack; comes back when the search chooses it again. */
static __attribute__((noinline)) void give_way(void)
{
    self->low = (unsigned char *)__builtin_frame_address(0) - 128;
    if (_setjmp(self->at) == 0)
        _longjmp(scheduler, 1);
}

static void point(explore_op op, const void *word, const void *site)
{
    if (self == NULL)
        return;
    self->op = op;
    self->word = word;
    self->site = site;
    give_way();
}

void explore_stop(const char *what)
{
    stopped = what;
    _longjmp(scheduler, 1);
}

void explore_fail(const char *what)
{
    if (self == NULL) {
        fprintf(stderr, "explore_fail outside of an actor: %s\n", what);
        __builtin_trap();
    }
    explore_stop(what);
}

void explore_yield(void)
{
    point(OP_YIELD, NULL, __builtin_return_address(0));
}

/* Other processors' loads see what this one stored, from here on. */
void explore_flush_one(unsigned cpu)
{
    explore_buffer *buffer = &explore_buffers[cpu];
    explore_store *store = &buffer->store[0];
    explore_live = true;
    explore_write(store->word, store->value, store->bytes);
    explore_live = false;
    buffer->count--;
    memmove(store, store + 1, buffer->count * sizeof *store);
    memset(&buffer->store[buffer->count], 0, sizeof *store);
}

static void flush_all(unsigned cpu)
{
    explore_buffer *buffer = &explore_buffers[cpu];
    for (uint32_t i = 0; i < buffer->count; i++)
        explore_write(buffer->store[i].word, buffer->store[i].value, buffer->store[i].bytes);
    memset(buffer, 0, sizeof *buffer);
}

/* What a processor sees in a word: its own stores first. */
static uint64_t seen_by(unsigned cpu, const void *word, uint32_t bytes)
{
    const explore_buffer *buffer = &explore_buffers[cpu];
    for (uint32_t i = buffer->count; i-- > 0;) {
        if (buffer->store[i].word == word)
            return buffer->store[i].value;
    }
    return explore_read(word, bytes);
}

static void store_now(void *word, uint64_t value, uint32_t bytes)
{
    unsigned cpu = self->plan->cpu;
    explore_buffer *buffer = &explore_buffers[cpu];
    if (!explore_current_script->tso) {
        explore_write(word, value, bytes);
        return;
    }
    if (buffer->count == EXPLORE_BUFFER)
        flush_all(cpu);
    buffer->store[buffer->count++] = (explore_store){word, value, bytes};
}

/* ---- operations ---- */

static uint64_t op_read(explore_op op, const void *word, uint32_t bytes, const void *site)
{
    point(op, word, site);
    if (self == NULL)
        return explore_read(word, bytes);
    explore_note(word, bytes, ACCESS_ATOMIC_READ, site);
    if (op == OP_LOAD)
        explore_note(word, bytes, ACCESS_ACQUIRE, site);
    return seen_by(self->plan->cpu, word, bytes);
}

static void op_store(explore_op op, void *word, uint64_t value, uint32_t bytes, const void *site)
{
    point(op, word, site);
    if (self == NULL) {
        explore_write(word, value, bytes);
        return;
    }
    if (op == OP_STORE)
        explore_note(word, bytes, ACCESS_RELEASE, site);
    explore_note(word, bytes, ACCESS_ATOMIC_WRITE, site);
    if (op == OP_STORE) {
        store_now(word, value, bytes);
        return;
    }
    flush_all(self->plan->cpu); /* who pokes a word also reads it without a call */
    explore_write(word, value, bytes);
}

/* Reads the word for an operation that writes it, too. */
static uint64_t op_begin(explore_op op, void *word, uint32_t bytes, const void *site)
{
    point(op, word, site);
    if (self != NULL) {
        flush_all(self->plan->cpu);
        explore_note(word, bytes, ACCESS_ATOMIC_READ, site);
        explore_note(word, bytes, ACCESS_ACQUIRE, site);
    }
    return explore_read(word, bytes);
}

static void op_end(void *word, uint64_t value, uint32_t bytes, const void *site)
{
    if (self != NULL) {
        explore_note(word, bytes, ACCESS_RELEASE_MORE, site);
        explore_note(word, bytes, ACCESS_ATOMIC_WRITE, site);
    }
    explore_write(word, value, bytes);
}

#define SITE __builtin_return_address(0)

uint32_t loam_atomic_load(const uint32_t *p)
{
    return (uint32_t)op_read(OP_LOAD, p, 4, SITE);
}

uint32_t loam_atomic_peek(const uint32_t *p)
{
    return (uint32_t)op_read(OP_PEEK, p, 4, SITE);
}

void loam_atomic_store(uint32_t *p, uint32_t v)
{
    op_store(OP_STORE, p, v, 4, SITE);
}

uint32_t loam_atomic_exchange(uint32_t *p, uint32_t v)
{
    uint32_t old = (uint32_t)op_begin(OP_EXCHANGE, p, 4, SITE);
    op_end(p, v, 4, SITE);
    return old;
}

uint32_t loam_atomic_or(uint32_t *p, uint32_t v)
{
    uint32_t old = (uint32_t)op_begin(OP_OR, p, 4, SITE);
    op_end(p, old | v, 4, SITE);
    return old;
}

uint32_t loam_atomic_add(uint32_t *p, uint32_t v)
{
    uint32_t old = (uint32_t)op_begin(OP_ADD, p, 4, SITE);
    op_end(p, old + v, 4, SITE);
    return old;
}

bool loam_atomic_cas(uint32_t *p, uint32_t old, uint32_t v)
{
    bool same = op_begin(OP_CAS, p, 4, SITE) == old;
    if (same)
        op_end(p, v, 4, SITE);
    return same;
}

uint16_t loam_atomic_peek16(const uint16_t *p)
{
    return (uint16_t)op_read(OP_PEEK, p, 2, SITE);
}

void loam_atomic_poke16(uint16_t *p, uint16_t v)
{
    op_store(OP_POKE, p, v, 2, SITE);
}

uint64_t loam_atomic_peek64(const uint64_t *p)
{
    return op_read(OP_PEEK, p, 8, SITE);
}

void loam_atomic_poke64(uint64_t *p, uint64_t v)
{
    op_store(OP_POKE, p, v, 8, SITE);
}

void *loam_atomic_ptr_peek(void *const *p)
{
    return (void *)(uintptr_t)op_read(OP_PEEK, p, sizeof *p, SITE);
}

uint8_t loam_atomic_byte_peek(const uint8_t *p)
{
    return (uint8_t)op_read(OP_PEEK, p, 1, SITE);
}

void loam_atomic_byte_store(uint8_t *p, uint8_t v)
{
    op_store(OP_STORE, p, v, 1, SITE);
}

bool loam_atomic_byte_cas(uint8_t *p, uint8_t old, uint8_t v)
{
    bool same = op_begin(OP_CAS, p, 1, SITE) == old;
    if (same)
        op_end(p, v, 1, SITE);
    return same;
}

void *loam_atomic_ptr_load(void *const *p)
{
    return (void *)(uintptr_t)op_read(OP_LOAD, p, sizeof *p, SITE);
}

void loam_atomic_ptr_store(void **p, void *v)
{
    op_store(OP_STORE, p, (uintptr_t)v, sizeof *p, SITE);
}

void *loam_atomic_ptr_exchange(void **p, void *v)
{
    void *old = (void *)(uintptr_t)op_begin(OP_EXCHANGE, p, sizeof *p, SITE);
    op_end(p, (uintptr_t)v, sizeof *p, SITE);
    return old;
}

bool loam_atomic_ptr_cas(void **p, void *old, void *v)
{
    bool same = op_begin(OP_CAS, p, sizeof *p, SITE) == (uintptr_t)old;
    if (same)
        op_end(p, (uintptr_t)v, sizeof *p, SITE);
    return same;
}

/* ---- interrupts, locks ---- */

unsigned loam_port_cpu(void)
{
    return self != NULL ? self->plan->cpu : outside_cpu;
}

/* May an interrupt still come on this actor's processor? */
static bool is_interruptible(const explore_actor *actor)
{
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *other = &explore_actors[i];
        if (other != actor && other->plan->interrupt && other->plan->cpu == actor->plan->cpu &&
            !other->started)
            return !actor->plan->interrupt;
    }
    return false;
}

static loam_irq irq_off(const void *site)
{
    if (self == NULL) {
        loam_irq was = outside_irq_off;
        outside_irq_off = true;
        return was;
    }
    if (self->irq_off)
        return 1;
    if (is_interruptible(self))
        point(OP_IRQ_OFF, NULL, site);
    self->irq_off = true;
    explore_note_irq(self->plan->cpu, ACCESS_ACQUIRE);
    return 0;
}

loam_irq loam_port_irq_save(void)
{
    return irq_off(SITE);
}

void loam_port_irq_restore(loam_irq irq)
{
    if (self == NULL) {
        outside_irq_off = irq != 0;
    } else if (irq == 0) {
        if (!self->irq_off)
            explore_fail("interrupts turned on that were on");
        explore_note_irq(self->plan->cpu, ACCESS_RELEASE);
        self->irq_off = false;
    }
}

loam_irq loam_lock_acquire(loam_lock *lock)
{
    loam_irq irq = irq_off(SITE);
    if (self != NULL && seen_by(self->plan->cpu, &lock->held, 4) == explore_me() + 1)
        explore_fail("takes a lock that it holds");
    point(OP_LOCK, &lock->held, SITE);
    if (self != NULL) {
        flush_all(self->plan->cpu);
        explore_note(&lock->held, 4, ACCESS_ACQUIRE, SITE);
    }
    explore_write(&lock->held, self != NULL ? explore_me() + 1 : EXPLORE_ACTORS + 1, 4);
    return irq;
}

void loam_lock_release(loam_lock *lock, loam_irq irq)
{
    if (self == NULL) {
        explore_write(&lock->held, 0, 4);
    } else {
        if (lock->held != explore_me() + 1)
            explore_fail("releases a lock that it does not hold");
        explore_note(&lock->held, 4, ACCESS_RELEASE, SITE);
        store_now(&lock->held, 0, 4);
    }
    loam_port_irq_restore(irq);
}

void loam_port_relax(void)
{
    point(OP_REST, NULL, SITE);
}

uint64_t loam_port_ticks(void)
{
    return 0;
}

/* ---- reports ---- */

static loam_policy port_policy = LOAM_POLICY_PANIC;
static loam_report_fn *port_listener;
static void *port_listener_ctx;

static const char *report_line(const loam_report *report)
{
    char line[200];
    loam_text text;
    loam_text_init(&text, line, sizeof line);
    loam_report_text(&text, report);
    return explore_textf("the core reports: %s", line);
}

void loam_port_misuse(const loam_report *report)
{
    if (self == NULL) {
        if (port_listener != NULL)
            port_listener(port_listener_ctx, report);
        else
            fprintf(stderr, "%s\n", report_line(report));
    } else if (!explore_current_script->misuse_is_fine) {
        explore_stop(report_line(report));
    }
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    if (self == NULL) {
        fprintf(stderr, "%s\n", report_line(report));
        __builtin_trap();
    }
    explore_stop(report_line(report));
}

loam_policy loam_port_set_policy(loam_policy policy)
{
    loam_policy former = port_policy;
    port_policy = policy;
    return former;
}

void loam_port_on_report(loam_report_fn *fn, void *ctx)
{
    port_listener = fn;
    port_listener_ctx = ctx;
}

/* ---- the search's side ---- */

static void actor_main(void)
{
    give_way();
    if (self->plan->interrupt) {
        self->irq_off = true;
        explore_note_irq(self->plan->cpu, ACCESS_ACQUIRE);
    }
    self->plan->run();
    if (self->plan->interrupt)
        explore_note_irq(self->plan->cpu, ACCESS_RELEASE_MORE);
    else if (self->irq_off)
        explore_fail("ends with interrupts off");
    self->op = OP_DONE;
    give_way();
    __builtin_unreachable();
}

/* A crash of an actor is the order's fault; any other is the explorer's own. */
static void crashed(int number)
{
    if (self == NULL) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    explore_live = false;
    explore_stop(number == SIGSEGV   ? "a crash: an address that is not there"
                 : number == SIGFPE  ? "a crash: a division by 0"
                 : number == SIGABRT ? "a crash: abort"
                                     : "a crash: a trap");
}

static void catch_crashes(void)
{
    static unsigned char alternative[64 << 10];
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    stack_t stack = {.ss_sp = alternative, .ss_size = sizeof alternative};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(numbers); i++)
        sigaction(numbers[i], &action, NULL);
}

static ucontext_t first_context, scheduler_context;

static void make_actor(explore_actor *actor, const explore_actor_plan *plan)
{
    unsigned number = (unsigned)(actor - explore_actors);
    memset(actor, 0, sizeof *actor);
    memset(stacks[number], 0, EXPLORE_STACK);
    actor->plan = plan;
    getcontext(&first_context);
    first_context.uc_stack.ss_sp = stacks[number];
    first_context.uc_stack.ss_size = EXPLORE_STACK;
    first_context.uc_link = NULL;
    makecontext(&first_context, actor_main, 0);
    self = actor;
    if (_setjmp(scheduler) == 0)
        swapcontext(&scheduler_context, &first_context);
    self = NULL;
    actor->op = OP_START;
}

void explore_actors_begin(const explore_script *script)
{
    explore_current_script = script;
    outside_cpu = 0;
    outside_irq_off = false;
    memset(explore_buffers, 0, sizeof explore_buffers);
    catch_crashes();
    for (explore_count = 0; explore_count < EXPLORE_ACTORS; explore_count++) {
        if (script->actor[explore_count].run == NULL)
            break;
        make_actor(&explore_actors[explore_count], &script->actor[explore_count]);
    }
}

/* The thread below this interrupt, or NULL: an idle processor. */
static const explore_actor *interrupted(const explore_actor *interrupt)
{
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *actor = &explore_actors[i];
        if (!actor->plan->interrupt && actor->plan->cpu == interrupt->plan->cpu)
            return actor;
    }
    return NULL;
}

static bool is_active(const explore_actor *actor)
{
    return actor->started && actor->op != OP_DONE;
}

/* Does an interrupt run on this actor's processor, above it? */
static bool is_covered(const explore_actor *actor)
{
    for (unsigned i = 0; i < explore_count; i++) {
        const explore_actor *other = &explore_actors[i];
        if (other != actor && other->plan->interrupt && other->plan->cpu == actor->plan->cpu &&
            is_active(other))
            return true;
    }
    return false;
}

bool explore_actor_waits(unsigned number)
{
    const explore_actor *actor = &explore_actors[number];
    if (actor->op == OP_LOCK)
        return seen_by(actor->plan->cpu, actor->word, 4) != 0;
    return actor->op == OP_REST && actor->rest_hash == explore_memory_mark().hash;
}

bool explore_actor_can(unsigned number)
{
    const explore_actor *actor = &explore_actors[number];
    if (actor->op == OP_DONE || is_covered(actor))
        return false;
    if (actor->op == OP_START && actor->plan->interrupt) {
        const explore_actor *below = interrupted(actor);
        return below == NULL || !below->irq_off;
    }
    return true;
}

const char *explore_actor_go(unsigned number)
{
    stopped = NULL;
    self = &explore_actors[number];
    self->started = true;
    explore_live = true;
    if (_setjmp(scheduler) == 0)
        _longjmp(self->at, 1);
    explore_live = false;
    self = NULL;
    /* what lies below was left by calls that have returned */
    unsigned char *low = explore_actors[number].low, *bottom = stacks[number];
    if (low < bottom + 1024)
        return "an actor's stack is too small";
    size_t dead = (size_t)(low - bottom) < 2048 ? (size_t)(low - bottom) : 2048;
    memset(low - dead, 0, dead);
    return stopped;
}
