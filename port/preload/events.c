/* SPDX-License-Identifier: MIT */
/* events.c - LOAM_CONF=trace=FILE: what the process allocates and frees, event by event, to a file.
 *
 * WHAT   The core's trace, with a ring for each front and one for all threads that have none; a
 *        ring that is full goes to the file, in one piece.
 *
 * MODEL  The file is pieces, each 32 bytes of heading and a run of one ring's events of 32 bytes:
 *
 *            | "loamevts" pid cpu n lost | event | event | ... n |  | "loamevts" ... |
 *
 *        Pieces are appended by one write, so several processes may share a file. docs/trace.md has
 *        the layout, tools/trace_sums.py reads it.
 * LOCKS  One a ring, held while it is written: a thread waits for its own file, and for no other.
 *        One around the file's number.
 * COST   A clock, a lock, 32 bytes for each event, a system call for a ring's.
 * FROM   -
 * NOT    What is in the rings of a process that is killed: 512 events a front.
 */
#define _GNU_SOURCE
#include "watch.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENT_RINGS = PROCESS_CPUS + 1, EVENT_CAP = 512, EVENT_FORMAT = 1 };

/* In front of each run of events; in the machine's byte order, as they are. */
typedef struct event_heading {
    char magic[8];
    uint32_t pid;
    uint16_t format, cpu;
    uint32_t events;
    uint32_t reserved;
    uint64_t lost; /* events of this process that are nowhere, so far */
} event_heading;
_Static_assert(sizeof(event_heading) == sizeof(loam_trace_event), "the file is records of 32");

/* Of one ring. */
typedef struct event_ring {
    loam_lock lock;
    uint32_t written; /* [lock] seq of the first event that is not in the file */
    uint32_t thread;  /* [lock] whose events come now */
} event_ring;

static struct {
    loam_trace trace;
    event_ring ring[EVENT_RINGS];
    loam_lock lock; /* around file; within a ring's */
    out_file file;  /* [lock] */
    uint32_t room;  /* [atomic] events that the file may still take */
    uint32_t lost;  /* [atomic] */
    int error;      /* [atomic as a whole] the errno with which a write failed first; 0: none did */
    bool ended;     /* [atomic as a whole] each event goes out at once */
} events = {.lock = LOAM_LOCK_INIT};

/* [thread] The system's number of this thread; 0: not asked yet. */
static _Thread_local uint32_t event_thread __attribute__((tls_model("initial-exec")));

/* Rings and file; 0, or why there is none. */
static int events_open(void)
{
    size_t bytes = (size_t)EVENT_RINGS * EVENT_CAP * sizeof(loam_trace_event);
    int error = out_open(loam__conf.trace, &events.file);
    if (error != 0)
        return error;
    void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem != MAP_FAILED && loam_trace_init(&events.trace, EVENT_RINGS, EVENT_CAP, mem) == LOAM_OK)
        return 0;
    out_close(&events.file);
    return ENOMEM;
}

bool events_prepare(void)
{
    uint64_t most = loam__conf.trace_most / sizeof(loam_trace_event);
    int error = events_open();
    if (error != 0) {
        out_tell("trace", loam__conf.trace, error, "no trace");
        return false;
    }
    for (unsigned i = 0; i < EVENT_RINGS; i++)
        events.ring[i].lock = (loam_lock)LOAM_LOCK_INIT;
    events.room = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
    loam_trace_set_on(&events.trace, true);
    return true;
}

/* ---- to the file ---- */

/* Takes n records out of the file's room; false: it has not so many. */
static bool events_take_room(uint32_t n)
{
    for (;;) {
        uint32_t room = loam_atomic_peek(&events.room); /* no order: a count */
        if (room < n)
            return false;
        if (loam_atomic_cas(&events.room, room, room - n)) /* no order: a count */
            return true;
    }
}

/* The file's number; where the program has closed it, it is opened again. An errno, or 0. */
static int events_file(int *number)
{
    int error = 0;
    loam_irq irq = loam_lock_acquire(&events.lock);
    if (!out_is_there(&events.file))
        error = out_open(loam__conf.trace, &events.file);
    *number = events.file.number;
    loam_lock_release(&events.lock, irq);
    return error;
}

static void events_write(unsigned cpu, uint32_t from, uint32_t n)
{
    loam_trace_event *event = events.trace.ring[cpu].event;
    uint32_t first = from & (EVENT_CAP - 1), one = EVENT_CAP - first < n ? EVENT_CAP - first : n;
    event_heading heading = {.magic = {'l', 'o', 'a', 'm', 'e', 'v', 't', 's'},
                             .pid = (uint32_t)getpid(),
                             .format = EVENT_FORMAT,
                             .cpu = (uint16_t)cpu,
                             .events = n,
                             .lost = loam_atomic_peek(&events.lost)}; /* no order: a count */
    struct iovec part[3] = {{&heading, sizeof(heading)},
                            {event + first, one * sizeof(*event)},
                            {event, (n - one) * sizeof(*event)}};
    int number, error = events_file(&number);
    error = error != 0 ? error : out_writev(number, part, 3);
    if (error == 0)
        return;
    events.error = events.error != 0 ? events.error : error;
    (void)loam_atomic_add(&events.lost, n); /* no order: a count */
}

/* Lock of the ring held. */
static void events_flush(unsigned cpu)
{
    uint32_t from = events.ring[cpu].written, n = events.trace.ring[cpu].seq - from;
    if (n == 0)
        return;
    events.ring[cpu].written += n;
    if (events_take_room(n + 1))
        events_write(cpu, from, n);
    else
        (void)loam_atomic_add(&events.lost, n); /* no order: a count */
}

void events_put(loam_trace_kind kind, const void *p, uint64_t b)
{
    unsigned cpu = loam_port_cpu();
    event_ring *ring = &events.ring[cpu];
    if (event_thread == 0)
        event_thread = (uint32_t)syscall(SYS_gettid);
    loam_irq irq = loam_lock_acquire(&ring->lock);
    if (ring->thread != event_thread) {
        ring->thread = event_thread;
        loam_trace_emit(&events.trace, LOAM_TRACE_THREAD, 0, event_thread, 0);
    }
    loam_trace_emit(&events.trace, kind, 0, (uintptr_t)p, b);
    if (events.ended || events.trace.ring[cpu].seq - ring->written > EVENT_CAP - 2)
        events_flush(cpu);
    loam_lock_release(&ring->lock, irq);
}

/* A heading alone, for the count of what is lost; a line where the file did not take it. */
static void events_tell_lost(void)
{
    if (loam_atomic_peek(&events.lost) != 0) /* no order: a count */
        events_write(0, 0, 0);
    if (events.error != 0)
        out_tell("trace", loam__conf.trace, events.error, "events are missing");
}

void events_end(void)
{
    events.ended = true;
    for (unsigned i = 0; i < EVENT_RINGS; i++) {
        loam_irq irq = loam_lock_acquire(&events.ring[i].lock);
        events_flush(i);
        loam_lock_release(&events.ring[i].lock, irq);
    }
    events_tell_lost();
}

/* ---- forks ---- */

void events_freeze(void)
{
    for (unsigned i = 0; i < EVENT_RINGS && events.trace.on; i++)
        (void)loam_lock_acquire(&events.ring[i].lock);
    (void)loam_lock_acquire(&events.lock);
}

/* The parent's events are the parent's to write. */
void events_child(void)
{
    for (unsigned i = 0; i < EVENT_RINGS; i++) {
        events.ring[i].written = events.trace.ring[i].seq;
        events.ring[i].thread = 0;
    }
    events.lost = 0;
    events.error = 0;
    event_thread = 0;
    if (!out_path_is_by_process(loam__conf.trace))
        return;
    out_file own;
    int error = out_open(loam__conf.trace, &own);
    if (error != 0) {
        out_tell("trace", loam__conf.trace, error, "a child writes to its parent's");
        return;
    }
    if (out_is_there(&events.file))
        out_close(&events.file);
    events.file = own;
}

void events_thaw(void)
{
    loam_lock_release(&events.lock, loam_port_irq_save());
    for (unsigned i = 0; i < EVENT_RINGS && events.trace.on; i++)
        loam_lock_release(&events.ring[i].lock, loam_port_irq_save());
}
