/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_PROCESS_H
#define LOAM_KERN_PROCESS_H

/* process.h - a program that runs: its address space, its registers, its kernel memory.
 *
 * Processes take turns: another one runs when the one that runs ends, waits or yields, and at each
 * tick of the timer. A turn is a change of the trap frame that the hook was called with, and of the
 * root: what the hook returns to is another program. In the kernel nobody is interrupted.
 *
 *     frame of the hook  <---- saved ----  process 1 (ready)
 *           |            ---- restored --> process 2 (runs)
 *           '--> iret
 */
#include "i386_trap.h"
#include "loam/aspace.h"
#include "loam/elf.h"
#include "loam/pool.h"
#include "user/user_abi.h"

enum { PROCESS_NAME = 32, PROCESS_REASON = 160 };

typedef enum process_state {
    PROCESS_NONE,
    PROCESS_READY, /* runs, or would */
    PROCESS_WAITS, /* for a child's end; frame.ebx is where its status goes */
    PROCESS_ENDED  /* only its status is left, for its parent */
} process_state;

typedef struct process {
    process_state state;
    int number, parent; /* parent 0: nobody waits for it */
    int status;
    char name[PROCESS_NAME];
    loam_aspace *as;
    loam_pool pool; /* its kernel memory: what it leaves is a leak, counted and named */
    i386_trap frame;
} process;

/* What came of a run: the first process and all its clones. */
typedef struct run_result {
    bool started;
    int first;                   /* number of the first process */
    int status;                  /* of the first process */
    unsigned processes;          /* that ran */
    unsigned killed;             /* of them */
    uint64_t leaks;              /* blocks of kernel memory that were left */
    bool frames_back;            /* as many pages are free as before */
    char reason[PROCESS_REASON]; /* of the last kill, or why it was not started */
    loam_aspace_stats sum;       /* over all of them; regions, resident, shared, tables: 0 */
} run_result;

/* ---- process.c ---- */

extern process *process_current;
extern run_result *process_result; /* of the run that is on */
extern loam_aspace_world *process_world;

/* A free place in the table, with a number, a name and a pool; NULL: there is none. */
process *process_new(const char *name, int parent);
/* Undoes process_new before the process has run. */
void process_drop(process *p);
/* Runs p and its clones until the last one has ended. */
void process_run_all(process *p, uint32_t eip, uint32_t esp);
/* Saves the frame, and lets another process run: the next one that is ready, this one as the last.
 */
void process_yield(i386_trap *t);
/* Ends the current process; the frame becomes that of the next one. Does not come back when there
 * is none. */
void process_end(i386_trap *t, int status);
/* The same, with a line that says why. */
void process_kill(i386_trap *t, const char *fmt, ...);
/* Ends all of them. */
_Noreturn void process_stop_all(i386_trap *t);
/* clone: 0 in the child. The child's number, or an error. */
int process_clone(const i386_trap *t);
/* wait: answers in the frame, at once or when a child ends. */
void process_wait(i386_trap *t);

/* ---- process_traps.c ---- */

/* Traps of programs are answered from now on. */
void process_hooks(void);

/* ---- program_load.c ---- */

/* Finds a program in the initrd: by its path, or under bin/. false: *why says what is wrong. */
bool program_find(const char *name, loam_span *file, const char **why);
/* Lists the files under a folder of the initrd. fn returns false to stop. */
typedef bool program_fn(void *ctx, const char *path, uint32_t size);
bool program_each(const char *folder, program_fn *fn, void *ctx);
/* Reads the file at a kernel address as a program into an empty space, with stack and arguments.
 * *why: what is wrong with it. */
bool program_load(loam_aspace *as, const void *file, size_t len, size_t argc,
                  const char *const *argv, uint32_t *eip, uint32_t *esp, const char **why);

/* ---- program_run.c ---- */

/* Runs a program with its arguments, argv[0] its name; all its output, and what became of it, are
 * lines on the console. */
void program_run(size_t argc, const char *const *argv, run_result *result);

#endif
