/* Command lines by a table, so that --help and the parser cannot disagree.
 *
 * Values are borrowed from argv. There are no short options and no positional arguments. */
#include "base/str.h"
#include "fakes/fake_common.h"

#include <stdio.h>
#include <string.h>

static void print_help(
    const struct fake_option *options, size_t n, const char *about, const char *more, const char *program)
{
    printf("usage: %s [options]\n\n%s\n\n", program, about);
    for (size_t i = 0; i < n; i++) {
        const struct fake_option *o = &options[i];
        char left[64];
        (void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-30s %s\n", left, o->help);
    }
    printf("  %-30s %s\n%s%s", "--help", "this text", more ? "\n" : "", more ? more : "");
}

/* Seconds with at most three decimals to milliseconds. */
static bool parse_seconds(const char *s, int64_t *ret_ms)
{
    const char *point = strchr(s, '.');
    size_t whole_len = point ? (size_t)(point - s) : strlen(s);
    size_t decimals = point ? strlen(point + 1) : 0;
    char whole[16], fraction[4] = "000";
    int64_t seconds, ms;

    if (whole_len == 0 || whole_len >= sizeof(whole) || decimals > 3)
        return false;
    memcpy(whole, s, whole_len);
    whole[whole_len] = '\0';
    if (point)
        memcpy(fraction, point + 1, decimals);
    if (!str_to_i64(whole, 0, 1000000000, &seconds) || !str_to_i64(fraction, 0, 999, &ms))
        return false;
    *ret_ms = seconds * 1000 + ms;
    return true;
}

static int store(const struct fake_option *o, const char *value, struct err *err)
{
    struct fake_strings *list = o->to;

    switch (o->kind) {
    case FAKE_STRING:
        *(const char **)o->to = value;
        return 0;
    case FAKE_STRINGS:
        if (list->n == FAKE_STRINGS_MAX)
            return err_set(err, ERR_INVALID, "--%s was given more than %d times", o->name, FAKE_STRINGS_MAX);
        list->v[list->n++] = value;
        return 0;
    case FAKE_INT:
        if (!str_to_i64(value, 0, INT64_MAX, o->to))
            return err_set(err, ERR_INVALID, "--%s needs a whole number, not \"%s\"", o->name, value);
        return 0;
    case FAKE_SECONDS:
        if (!parse_seconds(value, o->to))
            return err_set(err, ERR_INVALID, "--%s needs seconds such as 30 or 0.25, not \"%s\"", o->name, value);
        return 0;
    case FAKE_FLAG:
        break;
    }
    return err_set(err, ERR_INVALID, "--%s takes no value", o->name);
}

static const struct fake_option *find_option(const struct fake_option *options, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(options[i].name, name, len) == 0 && options[i].name[len] == '\0')
            return &options[i];
    return NULL;
}

int fake_options_parse(const struct fake_option *options, size_t n, const char *about, const char *more, int argc,
    char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        if (str_eq(argv[i], "--help")) {
            print_help(options, n, about, more, argv[0]);
            return 1;
        }
        size_t len = strcspn(argv[i], "=");
        const char *value = argv[i][len] ? argv[i] + len + 1 : NULL;
        const struct fake_option *o =
            str_has_prefix(argv[i], "--") ? find_option(options, n, argv[i] + 2, len - 2) : NULL;
        if (!o)
            return err_set(err, ERR_INVALID, "unknown argument \"%s\" (see --help)", argv[i]);
        if (o->kind == FAKE_FLAG && !value) {
            *(bool *)o->to = true;
            continue;
        }
        if (!value && i + 1 == argc)
            return err_set(err, ERR_INVALID, "--%s needs a value", o->name);
        if (store(o, value ? value : argv[++i], err) < 0)
            return -1;
    }
    return 0;
}
