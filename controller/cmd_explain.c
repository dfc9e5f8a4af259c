/* cosmoscmk explain [REASON]: the table of reasons, for people. */
#include "base/str.h"
#include "cmk/reasons.h"
#include "controller/commands.h"

#include <stdio.h>

static void explain(const struct cmk_reason_text *text)
{
    (void)printf("%s\n  meaning: %s\n  to do:   %s\n", text->word, text->meaning, text->todo);
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
    if (argc == 1)
        return 0;
    (void)fprintf(stderr, "cosmoscmk: no reason is called \"%.100s\"; `cosmoscmk explain` lists them all\n", argv[1]);
    return 1;
}
