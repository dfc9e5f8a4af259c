/* cosmoscmk explain [REASON]: the table of reasons, for people, and of the events that have words of their own. */
#include "base/str.h"
#include "cmk/events.h"
#include "cmk/reasons.h"
#include "controller/commands.h"

#include <stdio.h>

static void explain(const struct cmk_reason_text *text)
{
    (void)printf("%s\n  meaning: %s\n  to do:   %s\n", text->word, text->meaning, text->todo);
}

static bool is_reason(const char *word)
{
    for (int i = CMK_REASON_NONE + 1; i < CMK_REASON_COUNT; i++)
        if (str_eq(cmk_reason_text((enum cmk_reason)i)->word, word))
            return true;
    return false;
}

/* The events that are no reason of Ready: word, or all when it is NULL. False when there is none. */
static bool explain_events(const char *word)
{
    struct cmk_event_row row;
    bool found = false;

    for (size_t i = 0; cmk_event_row(i, &row); i++) {
        if (is_reason(row.reason) || (word && !str_eq_nocase(word, row.reason)))
            continue;
        (void)printf("%s (only as an event)\n  meaning: %s\n", row.reason, row.meaning);
        found = true;
    }
    return found;
}

int cmd_explain(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))) {
        (void)fputs("usage: cosmoscmk explain [REASON]\n\nWithout REASON: all of them.\n", argc > 2 ? stderr : stdout);
        return argc > 2 ? EXIT_USAGE : 0;
    }
    for (int i = CMK_REASON_NONE + 1; i < CMK_REASON_COUNT; i++) {
        const struct cmk_reason_text *text = cmk_reason_text((enum cmk_reason)i);
        if (argc == 1 || str_eq_nocase(argv[1], text->word)) {
            explain(text);
            if (argc == 2)
                return 0;
        }
    }
    if (explain_events(argc == 1 ? NULL : argv[1]))
        return 0;
    (void)fprintf(stderr, "cosmoscmk: no reason is called \"%.100s\"; `cosmoscmk explain` lists them all\n", argv[1]);
    return 1;
}
