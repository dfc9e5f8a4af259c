/* The state of a scan as text, so that another one can go on from there.
 *
 * Containers that nothing was done about are left out; the account lists them again. What comes back may have been
 * edited or cut, and is checked like anything that a peer sends. */
#include "azure/scan_state.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define TEXT_MAX ((size_t)256 * 1024 * 1024)
#define VERSION 1
#define STRING_MAX ((size_t)64 * 1024)

static void put_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "\"%s\":", name);
    buf_put_json_string(b, value, strlen(value));
}

static void put_done(struct buf *b, const struct scan_container *container)
{
    buf_puts(b, ",\"doneRanges\":[");
    for (size_t i = 0; i < container->n_done; i++) {
        buf_puts(b, i ? ",{" : "{");
        put_member(b, "min", container->done[i].min);
        buf_putc(b, ',');
        put_member(b, "max", container->done[i].max);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_ranges(struct buf *b, const struct scan_container *container)
{
    const char *separator = "";

    buf_puts(b, ",\"ranges\":[");
    for (size_t i = 0; i < container->n_ranges; i++) {
        const struct scan_range *range = container->ranges[i];
        if (!range->continuation)
            continue;
        buf_printf(b, "%s{", separator);
        put_member(b, "id", range->id);
        buf_putc(b, ',');
        put_member(b, "min", range->in.min);
        buf_putc(b, ',');
        put_member(b, "max", range->in.max);
        buf_putc(b, ',');
        put_member(b, "continuation", range->continuation);
        buf_putc(b, '}');
        separator = ",";
    }
    buf_putc(b, ']');
}

static bool has_begun(const struct scan_container *container)
{
    return container->state == CONTAINER_DONE || container->n_done > 0 || container->n_ranges > 0;
}

static void put_container(struct buf *b, const struct scan_container *container)
{
    buf_putc(b, '{');
    put_member(b, "database", container->database);
    buf_putc(b, ',');
    put_member(b, "container", container->name);
    buf_putc(b, ',');
    put_member(b, "rid", container->rid);
    if (container->state == CONTAINER_DONE) {
        buf_puts(b, ",\"done\":true");
    } else {
        put_done(b, container);
        put_ranges(b, container);
    }
    buf_putc(b, '}');
}

char *scan_state_print(const struct scan_state *state, const char *account)
{
    struct buf b = BUF_INIT(TEXT_MAX);
    const char *separator = "";

    buf_printf(&b, "{\"version\":%d,", VERSION);
    put_member(&b, "account", account);
    buf_printf(&b, ",\"rangesDone\":%lld,\"documents\":%lld,\"offenders\":%lld,\"chargeMilli\":%lld,\"containers\":[",
        (long long)state->ranges_done, (long long)state->documents, (long long)state->offenders,
        (long long)state->charge_milli);
    for (size_t i = 0; i < state->n; i++) {
        if (!has_begun(state->containers[i]))
            continue;
        buf_puts(&b, separator);
        put_container(&b, state->containers[i]);
        separator = ",";
    }
    buf_puts(&b, "]}");
    return buf_take(&b);
}

/* --- back --- */

static int damaged(struct err *err)
{
    return err_set(err, ERR_INVALID, "the saved position of the scan is damaged: start it from the beginning");
}

static bool is_order(const char *min, const char *max)
{
    return min && max && strlen(min) < STRING_MAX && strlen(max) < STRING_MAX && strcmp(min, max) < 0;
}

static int read_done(struct scan_container *container, const cJSON *list, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const char *min = json_string_at(item, "min"), *max = json_string_at(item, "max");
        if (!is_order(min, max) || container->n_done == SCAN_MAX_RANGES)
            return damaged(err);
        scan_container_add_done(container, min, max);
    }
    return 0;
}

static int read_ranges(struct scan_container *container, const cJSON *list, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const struct scan_listed_range listed = {
            json_string_at(item, "id"), json_string_at(item, "min"), json_string_at(item, "max")};
        const char *continuation = json_string_at(item, "continuation");
        if (!listed.id || !is_order(listed.min, listed.max) || str_empty(continuation) ||
            strlen(continuation) > STRING_MAX || strpbrk(continuation, "\r\n") ||
            container->n_ranges == SCAN_MAX_RANGES)
            return damaged(err);
        scan_container_add_range(container, &listed)->continuation = xstrdup(continuation);
    }
    return 0;
}

static int read_container(struct scan_state *state, const cJSON *item, struct err *err)
{
    const char *database = json_string_at(item, "database"), *name = json_string_at(item, "container");
    const char *rid = json_string_at(item, "rid");

    if (!database || !name || !rid || state->n == SCAN_MAX_CONTAINERS)
        return damaged(err);
    _cleanup_(freep) char *key = xasprintf("%s\n%s", database, name);
    if (map_get(&state->by_name, key))
        return damaged(err);
    struct scan_container *container = scan_state_add(state, database, name, rid);
    if (json_bool_at(item, "done", false)) {
        container->state = CONTAINER_DONE;
        return 0;
    }
    if (read_done(container, json_member(item, "doneRanges"), err) < 0)
        return -1;
    return read_ranges(container, json_member(item, "ranges"), err);
}

int scan_state_parse(struct scan_state *state, const char *text, const char *account, struct err *err)
{
    static const struct json_field fields[] = {
        {"rangesDone", JSON_INT, offsetof(struct scan_state, ranges_done), .required = true},
        {"documents", JSON_INT, offsetof(struct scan_state, documents), .required = true},
        {"offenders", JSON_INT, offsetof(struct scan_state, offenders), .required = true},
        {"chargeMilli", JSON_INT, offsetof(struct scan_state, charge_milli), .required = true},
    };
    _cleanup_(json_freep) cJSON *tree = NULL;
    int64_t version = 0;
    const cJSON *item;

    if (strlen(text) > TEXT_MAX || json_parse(&tree, text, strlen(text), NULL) < 0 ||
        !json_int(json_member(tree, "version"), false, &version) || version != VERSION ||
        json_decode(tree, fields, ARRAY_LEN(fields), state, NULL) < 0)
        return damaged(err);
    if (!str_eq(json_string_at(tree, "account"), account))
        return err_set(err, ERR_INVALID, "the saved position of the scan is of another account");
    cJSON_ArrayForEach (item, json_member(tree, "containers"))
        if (read_container(state, item, err) < 0)
            return -1;
    return 0;
}
