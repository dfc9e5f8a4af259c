#include "controller/flags.h"

#include "base/str.h"
#include "base/timefmt.h"

#include <string.h>

static const struct flag *find(const struct flag *flags, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0)
            return &flags[i];
    return NULL;
}

/* The flag that shares the longest beginning with what was typed, if that is at least three characters. */
static const struct flag *nearest(const struct flag *flags, size_t n, const char *name)
{
    const struct flag *best = NULL;
    size_t longest = 2;

    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        while (name[same] && name[same] == flags[i].name[same])
            same++;
        if (same > longest) {
            longest = same;
            best = &flags[i];
        }
    }
    return best;
}

static int unknown(const struct flag *flags, size_t n, const char *arg, struct err *err)
{
    const struct flag *near = str_has_prefix(arg, "--") ? nearest(flags, n, arg + 2) : NULL;

    if (near)
        return err_set(err, ERR_INVALID, "unknown flag %.100s; did you mean --%s?", arg, near->name);
    return err_set(err, ERR_INVALID, "unknown argument %.100s; --help lists the flags", arg);
}

static int set_bool(const struct flag *flag, const char *value, struct err *err)
{
    bool yes = !value || str_eq(value, "true");

    if (!yes && !str_eq(value, "false"))
        return err_set(err, ERR_INVALID, "--%s takes true or false, not \"%.100s\"", flag->name, value);
    *(bool *)flag->value = yes;
    return 0;
}

static int set_int(const struct flag *flag, const char *value, struct err *err)
{
    if (str_to_i64(value, flag->min, flag->max, flag->value))
        return 0;
    return err_set(err, ERR_INVALID, "--%s takes a whole number from %lld to %lld, not \"%.100s\"", flag->name,
        (long long)flag->min, (long long)flag->max, value);
}

/* In the syntax that the flag takes. */
static void print_duration(int64_t ms, char ret[static TIME_TEXT_SIZE])
{
    if (ms % 3600000 == 0)
        (void)snprintf(ret, TIME_TEXT_SIZE, "%lldh", (long long)ms / 3600000);
    else
        (void)snprintf(ret, TIME_TEXT_SIZE, "%lld%s", (long long)(ms % 1000 ? ms : ms / 1000), ms % 1000 ? "ms" : "s");
}

static int set_duration(const struct flag *flag, const char *value, struct err *err)
{
    int64_t ms;
    char min[TIME_TEXT_SIZE], max[TIME_TEXT_SIZE];

    if (duration_parse(value, &ms) && ms >= flag->min && ms <= flag->max) {
        *(int64_t *)flag->value = ms;
        return 0;
    }
    print_duration(flag->min, min);
    print_duration(flag->max, max);
    return err_set(err, ERR_INVALID, "--%s takes a duration from %s to %s such as 30s or 1h30m, not \"%.100s\"",
        flag->name, min, max, value);
}

static bool has_item(const struct flag_list *list, const char *item, size_t len)
{
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->items[i]) == len && strncmp(list->items[i], item, len) == 0)
            return true;
    return false;
}

static int add_item(const struct flag *flag, const char *item, size_t len, struct err *err)
{
    struct flag_list *list = flag->value;

    if (len == 0)
        return err_set(err, ERR_INVALID, "--%s has an empty value between commas", flag->name);
    if (has_item(list, item, len))
        return 0;
    if (list->n == FLAG_LIST_MAX || len >= sizeof(list->text) - list->used)
        return err_set(err, ERR_INVALID, "--%s takes at most %d values", flag->name, FLAG_LIST_MAX);
    char *copy = list->text + list->used;
    memcpy(copy, item, len);
    copy[len] = '\0';
    list->used += len + 1;
    list->items[list->n++] = copy;
    return 0;
}

static int set_list(const struct flag *flag, const char *value, struct err *err)
{
    if (!*value)
        return 0;
    for (;;) {
        size_t len = strcspn(value, ",");
        if (add_item(flag, value, len, err) < 0)
            return -1;
        if (!value[len])
            return 0;
        value += len + 1;
    }
}

static int set(const struct flag *flag, const char *value, struct err *err)
{
    switch (flag->type) {
    case FLAG_STRING:
        *(const char **)flag->value = value;
        return 0;
    case FLAG_BOOL:
        return set_bool(flag, value, err);
    case FLAG_INT:
        return set_int(flag, value, err);
    case FLAG_DURATION:
        return set_duration(flag, value, err);
    case FLAG_LIST:
        return set_list(flag, value, err);
    }
    return -1;
}

int flags_parse(const struct flag *flags, size_t n, int argc, char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *name = arg + 2;
        if (str_eq(arg, "--help") || str_eq(arg, "-h"))
            return 1;
        size_t len = str_has_prefix(arg, "--") ? strcspn(name, "=") : 0;
        const struct flag *flag = len ? find(flags, n, name, len) : NULL;
        if (!flag)
            return unknown(flags, n, arg, err);
        const char *value = name[len] == '=' ? name + len + 1 : NULL;
        if (!value && flag->type != FLAG_BOOL) {
            if (++i == argc)
                return err_set(err, ERR_INVALID, "--%s needs a value: --%s %s", flag->name, flag->name, flag->arg);
            value = argv[i];
        }
        if (set(flag, value, err) < 0)
            return -1;
    }
    return 0;
}

void flags_print(const struct flag *flags, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++) {
        char head[64];
        (void)snprintf(
            head, sizeof(head), "--%s%s%s", flags[i].name, flags[i].arg ? " " : "", flags[i].arg ? flags[i].arg : "");
        (void)fprintf(out, "  %-36s %s\n", head, flags[i].help);
    }
}
