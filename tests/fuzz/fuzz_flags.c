/* Command lines: one argument a line. And addresses to listen on. */
#include "fuzz.h"

#include "base/str.h"
#include "controller/flags.h"
#include "controller/listen.h"

#define ARGS_MAX 64
#define HOUR 3600000

struct values {
    const char *text;
    bool yes;
    int64_t number, time;
    struct flag_list list;
};

static void check_values(const struct values *v, char *const *argv, int argc)
{
    FUZZ_CHECK(v->number >= -5 && v->number <= 1000 && v->time >= 100 && v->time <= HOUR);
    FUZZ_CHECK(v->list.n <= FLAG_LIST_MAX && v->list.used <= sizeof(v->list.text));
    for (size_t i = 0; i < v->list.n; i++) {
        FUZZ_CHECK(*v->list.items[i] && !strchr(v->list.items[i], ','));
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(!str_eq(v->list.items[i], v->list.items[j]));
    }
    bool found = !v->text;
    for (int i = 0; i < argc; i++)
        found |= v->text >= argv[i] && v->text <= argv[i] + strlen(argv[i]);
    FUZZ_CHECK(found); /* borrowed from argv */
}

static void check_listen(const char *text)
{
    char host[LISTEN_HOST_SIZE];
    int port = -1;
    struct err err = ERR_INIT;

    if (listen_parse("--address", text, host, &port, &err) < 0) {
        FUZZ_CHECK(err.kind == ERR_INVALID && *err.msg);
        return;
    }
    FUZZ_CHECK(port >= 0 && port <= 65535 && *host && strlen(host) < LISTEN_HOST_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    struct values *v = xcalloc(1, sizeof(*v));
    char *argv[ARGS_MAX + 1] = {xstrdup("program")};
    struct err err = ERR_INIT;
    int argc = 1;

    *v = (struct values){.number = 7, .time = 1000};
    const struct flag flags[] = {
        {"text", FLAG_STRING, &v->text, "TEXT", "a text"},
        {"yes", FLAG_BOOL, &v->yes, NULL, "yes or no"},
        {"number", FLAG_INT, &v->number, "N", "a number", -5, 1000},
        {"time", FLAG_DURATION, &v->time, "DURATION", "a time", 100, HOUR},
        {"list", FLAG_LIST, &v->list, "NAMES", "names"},
    };
    while (lines.left && argc < ARGS_MAX)
        argv[argc++] = fuzz_line(&lines);
    int r = flags_parse(flags, ARRAY_LEN(flags), argc, argv, &err);
    if (r < 0)
        FUZZ_CHECK(err.kind == ERR_INVALID && *err.msg);
    else
        check_values(v, argv, argc);
    check_listen(argc > 1 ? argv[1] : "");
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    free(v);
    return 0;
}
