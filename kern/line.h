/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_LINE_H
#define LOAM_KERN_LINE_H

/* line.h - a line of text being typed: editing and history, for any terminal that knows backspace.
 */
#include "loam/base.h"

enum { LINE_CAP = 120, LINE_HISTORY = 16 };

typedef enum line_state {
    LINE_MORE,  /* keep feeding */
    LINE_DONE,  /* line->text is a line */
    LINE_CANCEL /* Ctrl-C: the line is empty */
} line_state;

typedef struct line {
    void (*put)(char c);
    char text[LINE_CAP]; /* always terminated */
    size_t len, at;      /* characters, cursor */
    unsigned escape;     /* how far into an escape sequence: 0 none, 1 ESC, 2 ESC [, 3 a digit */
    char escape_digit;
    char last; /* CR LF is one end of a line */
    char history[LINE_HISTORY][LINE_CAP];
    size_t history_count; /* lines ever remembered */
    size_t history_back;  /* how many lines back the text shown is; 0: being typed */
} line;

void line_init(line *l, void (*put)(char c));
/* Starts an empty line; what was typed is forgotten, the history stays. */
void line_start(line *l);
line_state line_feed(line *l, char c);

#endif
