/* SPDX-License-Identifier: MIT */
#include "loam/cmdline.h"

#include "tap.h"

static bool is(const char *text, size_t len, const char *want)
{
    for (size_t i = 0; i < len; i++)
        if (want[i] != text[i] || want[i] == 0)
            return false;
    return want[len] == 0;
}

/* The next word is this one; value NULL: a flag. */
static void next_is(tap *t, const char **text, const char *key, const char *value)
{
    loam_cmdline_word word = {0};
    TAP_CHECK(t, loam_cmdline_next(text, &word));
    TAP_CHECK(t, word.key != NULL && is(word.key, word.key_len, key));
    if (value == NULL)
        TAP_CHECK(t, word.value == NULL);
    else
        TAP_CHECK(t, word.value != NULL && is(word.value, word.value_len, value));
}

static void next_ends(tap *t, const char **text)
{
    loam_cmdline_word word;
    TAP_CHECK(t, !loam_cmdline_next(text, &word));
    TAP_CHECK(t, !loam_cmdline_next(text, &word));
}

static void next_words(tap *t)
{
    const char *text = "  test\tdemo=osc4 \n a=b=c  x= =y last\r\n";
    next_is(t, &text, "test", NULL);
    next_is(t, &text, "demo", "osc4");
    next_is(t, &text, "a", "b=c");
    next_is(t, &text, "x", "");
    next_is(t, &text, "", "y");
    next_is(t, &text, "last", NULL);
    next_ends(t, &text);
}

static void next_nothing(tap *t)
{
    const char *text = NULL;
    next_ends(t, &text);
    text = "";
    next_ends(t, &text);
    text = " \t\r\n ";
    next_ends(t, &text);
    TAP_EQ(t, *text, 0);
}

static void next_quotes(tap *t)
{
    const char *text = "a=\"b c\" \"d=e f\" \"g h\" i\"j k\"l m=\"\" \"\" z";
    next_is(t, &text, "a", "b c");
    next_is(t, &text, "d", "e f");
    next_is(t, &text, "g h", NULL);
    next_is(t, &text, "i\"j", NULL);
    next_is(t, &text, "k\"l", NULL);
    next_is(t, &text, "m", "");
    next_is(t, &text, "", NULL);
    next_is(t, &text, "z", NULL);
    next_ends(t, &text);
}

static void next_quote_open(tap *t)
{
    const char *text = "a=\"b c ";
    next_is(t, &text, "a", "b c ");
    next_ends(t, &text);
    text = "\"a b";
    next_is(t, &text, "a b", NULL);
    next_ends(t, &text);
    text = "\"a=\"b c\""; /* a word in quotes ends at the next one, wherever that is */
    next_is(t, &text, "a", "");
    next_is(t, &text, "b", NULL);
    next_is(t, &text, "c\"", NULL);
    next_ends(t, &text);
    text = "\"";
    next_is(t, &text, "", NULL);
    next_ends(t, &text);
    text = "a=\"";
    next_is(t, &text, "a", "");
    next_ends(t, &text);
}

static void next_quote_joined(tap *t)
{
    const char *text = "a=\"b\"c \"d\"=e";
    next_is(t, &text, "a", "b");
    next_is(t, &text, "c", NULL);
    next_is(t, &text, "d", NULL);
    next_is(t, &text, "", "e");
    next_ends(t, &text);
}

static void get_last(tap *t)
{
    loam_cmdline_word word;
    TAP_CHECK(t, loam_cmdline_get("demo=one demo=two other", "demo", &word));
    TAP_CHECK(t, is(word.value, word.value_len, "two"));
    TAP_CHECK(t, loam_cmdline_get("demo=one demo", "demo", &word));
    TAP_CHECK(t, word.value == NULL);
    TAP_CHECK(t, !loam_cmdline_get("demos=one dem=1", "demo", &word));
    TAP_CHECK(t, !loam_cmdline_get(NULL, "demo", &word));
    TAP_CHECK(t, !loam_cmdline_get("x=demo", "demo", &word));
}

static void has_and_is(tap *t)
{
    TAP_CHECK(t, loam_cmdline_has("a test b", "test"));
    TAP_CHECK(t, loam_cmdline_has("a test=1 b", "test"));
    TAP_CHECK(t, !loam_cmdline_has("a testing b", "test"));
    TAP_CHECK(t, !loam_cmdline_has("a tes b", "test"));
    TAP_CHECK(t, loam_cmdline_is("exit=semihost", "exit", "semihost"));
    TAP_CHECK(t, !loam_cmdline_is("exit=semihosts", "exit", "semihost"));
    TAP_CHECK(t, !loam_cmdline_is("exit=semi", "exit", "semihost"));
    TAP_CHECK(t, !loam_cmdline_is("exit", "exit", "semihost"));
    TAP_CHECK(t, !loam_cmdline_is("exit=semihost exit=other", "exit", "semihost"));
    TAP_CHECK(t, loam_cmdline_is("exit=", "exit", ""));
}

static void copy_value(tap *t)
{
    char buf[5] = "xxxx";
    TAP_CHECK(t, loam_cmdline_copy("a=four b", "a", buf, sizeof buf));
    TAP_STR(t, buf, "four");
    TAP_CHECK(t, !loam_cmdline_copy("a=fiver b", "a", buf, sizeof buf));
    TAP_STR(t, buf, "");
    TAP_CHECK(t, !loam_cmdline_copy("a=four b", "b", buf, sizeof buf));
    TAP_CHECK(t, !loam_cmdline_copy("a=four b", "c", buf, sizeof buf));
    TAP_CHECK(t, loam_cmdline_copy("a=", "a", buf, 1));
    TAP_STR(t, buf, "");
}

/* What lies between words, and between a key and its value. */
static bool only(const char *from, const char *to, const char *allowed)
{
    for (; from < to; from++) {
        size_t i = 0;
        while (allowed[i] != 0 && allowed[i] != *from)
            i++;
        if (allowed[i] == 0)
            return false;
    }
    return true;
}

/* Whatever the text, the words come one behind the other, and no character of it is lost. */
static void next_random(tap *t)
{
    static const char letter[] = "ab=\" \t";
    for (unsigned round = 0; round < 20000; round++) {
        char line[24];
        size_t n = (size_t)tap_below(t, sizeof line);
        for (size_t i = 0; i < n; i++)
            line[i] = letter[tap_below(t, sizeof letter - 1)];
        line[n] = 0;
        const char *text = line, *before = line;
        loam_cmdline_word word;
        while (loam_cmdline_next(&text, &word)) {
            const char *end = word.key + word.key_len;
            TAP_CHECK(t, text > before && text <= line + n);
            TAP_CHECK(t, word.key >= before && only(before, word.key, " \t\""));
            if (word.value != NULL) {
                TAP_CHECK(t, word.value > end && *end == '=' && only(end + 1, word.value, "\""));
                end = word.value + word.value_len;
            }
            TAP_CHECK(t, end <= text && only(end, text, "\"") && text - end <= 1);
            before = text;
        }
        TAP_CHECK(t, *text == 0 && only(before, text, " \t"));
    }
}

static const tap_case cases[] = {
    {"cmdline_next: flags and values between blanks: cut at the first =", next_words},
    {"cmdline_next: NULL, empty, blank: no words", next_nothing},
    {"cmdline_next: quotes in front of word or value: blanks stay", next_quotes},
    {"cmdline_next: a quote never closed: up to the end", next_quote_open},
    {"cmdline_next: text right behind a closing quote: a word of its own", next_quote_joined},
    {"cmdline_next: random text: no character lost, none twice", next_random},
    {"cmdline_get: several: the last one wins", get_last},
    {"cmdline_has, is: whole words only", has_and_is},
    {"cmdline_copy: fits, does not fit, is not there", copy_value},
};
TAP_SUITE(cmdline_test, cases);
