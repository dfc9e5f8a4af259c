/* Command lines: what is understood, and what is said about the rest. */
#include "unit.h"

#include "base/mem.h"
#include "controller/flags.h"

#include <string.h>

struct values {
    const char *name;
    bool on;
    int64_t workers;
    int64_t poll;
    struct flag_list names;
};

static int parse(struct values *values, struct err *err, int argc, const char *const *arguments)
{
    const struct flag flags[] = {
        {"name", FLAG_STRING, &values->name, "NAME", "a name"},
        {"on", FLAG_BOOL, &values->on, NULL, "a switch"},
        {"workers", FLAG_INT, &values->workers, "N", "how many", 1, 64},
        {"names", FLAG_LIST, &values->names, "NAME,...", "some names"},
        {"poll-min", FLAG_DURATION, &values->poll, "DURATION", "how often", 1000, 3600000},
    };
    char *argv[8] = {(char *)"cosmoscmk"};

    for (int i = 0; i < argc; i++)
        argv[i + 1] = (char *)arguments[i];
    return flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv, err);
}

#define PARSE(values, err, ...)                                                                                        \
    ({                                                                                                                 \
        const char *const list_[] = {__VA_ARGS__};                                                                     \
        parse(values, err, (int)ARRAY_LEN(list_), list_);                                                              \
    })

static void both_forms_set_every_type(void **state _unused_)
{
    struct values v = {0};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&v, &err, "--name", "x", "--on", "--workers", "7", "--poll-min=1m30s"), 0);
    assert_string_equal(v.name, "x");
    assert_true(v.on);
    assert_int_equal(v.workers, 7);
    assert_int_equal(v.poll, 90000);
    assert_int_equal(PARSE(&v, &err, "--name=", "--on=false", "--workers=64", "--poll-min", "1s"), 0);
    assert_string_equal(v.name, "");
    assert_false(v.on);
    assert_int_equal(v.workers, 64);
    assert_int_equal(v.poll, 1000);
}

static void the_last_of_two_wins_and_the_rest_is_left_alone(void **state _unused_)
{
    struct values v = {.name = "default", .workers = 3};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&v, &err, "--workers=4", "--workers=5"), 0);
    assert_int_equal(v.workers, 5);
    assert_string_equal(v.name, "default");
}

static void a_list_grows_with_every_mention_and_keeps_each_value_once(void **state _unused_)
{
    struct values v = {0};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&v, &err, "--names", "a,b", "--names=c", "--names=", "--names", "b,a,ab"), 0);
    assert_int_equal(v.names.n, 4);
    assert_string_equal(v.names.items[0], "a");
    assert_string_equal(v.names.items[1], "b");
    assert_string_equal(v.names.items[2], "c");
    assert_string_equal(v.names.items[3], "ab");
    for (int i = 4; i < FLAG_LIST_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(PARSE(&v, &err, "--names", name), 0);
    }
    assert_int_equal(PARSE(&v, &err, "--names", "a"), 0); /* it is there */
    assert_int_equal(PARSE(&v, &err, "--names", "more"), -1);
    assert_string_equal(err.msg, "--names takes at most 64 values");
    assert_int_equal(v.names.n, FLAG_LIST_MAX);
}

static void a_value_may_look_like_anything(void **state _unused_)
{
    struct values v = {0};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&v, &err, "--name", "a=b", "--on=true"), 0);
    assert_string_equal(v.name, "a=b");
    assert_int_equal(PARSE(&v, &err, "--name=--on=x"), 0);
    assert_string_equal(v.name, "--on=x");
}

static void help_is_asked_for_in_two_ways(void **state _unused_)
{
    struct values v = {0};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&v, &err, "--help"), 1);
    assert_int_equal(PARSE(&v, &err, "--on", "-h"), 1);
}

static void what_is_wrong_is_said(void **state _unused_)
{
    static const struct {
        const char *one, *two, *says;
    } table[] = {
        {"--wrokers", "3", "unknown argument"},
        {"--worker", "3", "did you mean --workers?"},
        {"--poll-mn=3s", NULL, "did you mean --poll-min?"},
        {"workers", NULL, "unknown argument workers; --help lists the flags"},
        {"-w", NULL, "unknown argument -w"},
        {"-", NULL, "unknown argument -"},
        {"", NULL, "unknown argument"},
        {"--", NULL, "unknown argument --"},
        {"--=x", NULL, "unknown argument --=x"},
        {"--name", NULL, "--name needs a value: --name NAME"},
        {"--workers", NULL, "--workers needs a value: --workers N"},
        {"--on=yes", NULL, "--on takes true or false, not \"yes\""},
        {"--workers", "0", "--workers takes a whole number from 1 to 64, not \"0\""},
        {"--workers", "65", "from 1 to 64"},
        {"--workers=7x", NULL, "not \"7x\""},
        {"--workers=", NULL, "not \"\""},
        {"--poll-min", "999ms", "--poll-min takes a duration from 1s to 1h"},
        {"--poll-min", "2h", "not \"2h\""},
        {"--poll-min", "10", "such as 30s or 1h30m"},
        {"--names", "a,,b", "--names has an empty value between commas"},
        {"--names", ",", "empty value"},
        {"--names=a,", NULL, "empty value"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct values v = {0};
        struct err err = ERR_INIT;
        const char *const list[] = {table[i].one, table[i].two};
        assert_int_equal(parse(&v, &err, table[i].two ? 2 : 1, list), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.msg, table[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", table[i].one, err.msg, table[i].says);
    }
}

static void the_help_lists_every_flag(void **state _unused_)
{
    const struct flag flags[] = {
        {"name", FLAG_STRING, NULL, "NAME", "a name"}, {"on", FLAG_BOOL, NULL, NULL, "a switch"}};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    flags_print(flags, ARRAY_LEN(flags), out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "  --name NAME "));
    assert_non_null(strstr(text, "a name\n"));
    assert_non_null(strstr(text, "  --on "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_set_every_type),
        cmocka_unit_test(the_last_of_two_wins_and_the_rest_is_left_alone),
        cmocka_unit_test(a_list_grows_with_every_mention_and_keeps_each_value_once),
        cmocka_unit_test(a_value_may_look_like_anything),
        cmocka_unit_test(help_is_asked_for_in_two_ways),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_help_lists_every_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
