/* SPDX-License-Identifier: MIT */
#ifndef LOAM_USER_LIB_H
#define LOAM_USER_LIB_H

/* user_lib.h - all that a user program has: system calls, a line of text, malloc. */
#include "loam/base.h"
#include "user/user_abi.h"

/* ---- system calls (user_abi.h) ---- */

_Noreturn void user_exit(int status);
int user_write(const void *text, size_t len);
void *user_map(void *hint, size_t len,
               unsigned rights); /* NULL: refused; user_map_error says why */
int user_map_error(void *hint, size_t len, unsigned rights);
int user_unmap(void *address, size_t len);
int user_protect(void *address, size_t len, unsigned rights);
int user_clone(void);
int user_wait(int *status);
int user_yield(void);
int user_number(void);
int user_counts_read(user_counts *counts);
int user_keep(const void *data, size_t len);
int user_fetch(int handle, void *data, size_t len);
int user_drop(int handle);
int user_call_raw(uint32_t number, uint32_t a, uint32_t b, uint32_t c);
/* The time-stamp counter's low half: only on a processor that has one. */
uint32_t user_ticks(void);

/* ---- text ---- */

size_t user_len(const char *s);
/* Directives of loam_text_fmt; a line is at most 160 characters. */
void user_print(const char *fmt, ...);
/* Prints what is wrong, and ends the program with status 1. */
_Noreturn void user_fail(const char *what);
#define user_need(good, what) ((good) ? (void)0 : user_fail(what))

/* ---- malloc: loam_range over a region that is filled on demand ---- */

void *user_malloc(size_t size);
void *user_calloc(size_t n, size_t size);
void *user_realloc(void *p, size_t size);
void user_free(void *p);
/* The first broken rule, or NULL; bytes that are out. */
const char *user_malloc_check(void);
size_t user_malloc_out(void);

int main(int argc, char **argv);

#endif
