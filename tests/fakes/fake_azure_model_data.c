/* Documents by number, ranges by place; see the header. */
#include "fakes/fake_azure_model_data.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define SPECIAL_MAX 65536
#define ID_MAX ((size_t)2 * 1024 * 1024)

/* ---- Seeds ---- */

static void container_done(struct azure_container *container)
{
    free(container->id);
    for (size_t i = 0; i < container->n_specials; i++)
        free(container->specials[i].text);
    free(container->specials);
    free(container->ranges);
}

struct azure_data *azure_data_free(struct azure_data *data)
{
    if (!data)
        return NULL;
    for (size_t i = 0; i < data->n; i++) {
        for (size_t k = 0; k < data->databases[i].n; k++)
            container_done(&data->databases[i].containers[k]);
        free(data->databases[i].containers);
        free(data->databases[i].id);
    }
    free(data->databases);
    for (size_t i = 0; i < data->n_readers; i++)
        free(data->readers[i]);
    free(data->readers);
    free(data);
    return NULL;
}

/* Members that nobody knows are mistakes of the test's author. */
static int check_members(const cJSON *json, const char *const *known, size_t n, struct err *err)
{
    const cJSON *member;

    if (!cJSON_IsObject(json))
        return err_set(err, ERR_INVALID, "is no JSON object");
    cJSON_ArrayForEach (member, json) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++)
            found = str_eq(member->string, known[i]);
        if (!found)
            return err_set(err, ERR_INVALID, "\"%s\" is no member of it", member->string);
    }
    return 0;
}

static int parse_special(struct azure_special *to, const cJSON *json, struct err *err)
{
    static const char *const known[] = {"text", "repeat", "count"};
    static const struct json_field fields[] = {
        {"text", JSON_STRING, offsetof(struct azure_special, text), true},
        {"repeat", JSON_INT, offsetof(struct azure_special, repeat)},
        {"count", JSON_INT, offsetof(struct azure_special, count)},
    };

    *to = (struct azure_special){.repeat = 1, .count = 1};
    if (check_members(json, known, ARRAY_LEN(known), err) < 0 ||
        json_decode(json, fields, ARRAY_LEN(fields), to, err) < 0)
        return -1;
    if (to->repeat < 1 || to->count < 1 || strlen(to->text) * (size_t)to->repeat > ID_MAX)
        return err_set(err, ERR_INVALID, "repeat or count is out of range");
    return 0;
}

static int parse_specials(struct azure_container *to, const cJSON *json, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json) {
        if (to->n_specials == SPECIAL_MAX)
            return err_set(err, ERR_INVALID, "too many ids");
        to->specials = xrealloc(to->specials, (to->n_specials + 1) * sizeof(*to->specials));
        if (parse_special(&to->specials[to->n_specials++], item, err) < 0)
            return err_wrap(err, "ids[%zu]", to->n_specials - 1);
    }
    return 0;
}

static void make_ranges(struct azure_container *container)
{
    int n = (int)container->ranges_at_all;

    container->ranges = xcalloc((size_t)n, sizeof(*container->ranges));
    for (int i = 0; i < n; i++)
        container->ranges[i] =
            (struct azure_range){i, AZURE_HASH_SPACE * i / n, AZURE_HASH_SPACE * (i + 1) / n, .parent = -1};
    container->n_ranges = (size_t)n;
    container->next_range = n;
}

static int parse_container(struct azure_container *to, const cJSON *json, struct err *err)
{
    static const char *const known[] = {
        "id", "documents", "ranges", "documentsPerPage", "chargeMilli", "throttle", "splitAfter", "ids"};
    static const struct json_field fields[] = {
        {"id", JSON_STRING, offsetof(struct azure_container, id), true},
        {"documents", JSON_INT, offsetof(struct azure_container, documents)},
        {"ranges", JSON_INT, offsetof(struct azure_container, ranges_at_all)},
        {"documentsPerPage", JSON_INT, offsetof(struct azure_container, per_page)},
        {"chargeMilli", JSON_INT, offsetof(struct azure_container, charge_milli)},
        {"throttle.after", JSON_INT, offsetof(struct azure_container, throttle_after)},
        {"throttle.times", JSON_INT, offsetof(struct azure_container, throttle_times)},
        {"throttle.retryAfterMs", JSON_INT, offsetof(struct azure_container, throttle_ms)},
        {"splitAfter", JSON_INT, offsetof(struct azure_container, split_after)},
    };

    *to = (struct azure_container){
        .ranges_at_all = 1, .per_page = 1000, .charge_milli = 2830, .throttle_ms = 100, .split_after = -1};
    if (check_members(json, known, ARRAY_LEN(known), err) < 0 ||
        json_decode(json, fields, ARRAY_LEN(fields), to, err) < 0)
        return -1;
    if (to->ranges_at_all < 1 || to->ranges_at_all > 100 || to->per_page < 1 || to->documents < 0)
        return err_set(err, ERR_INVALID, "a number is out of range");
    make_ranges(to);
    return parse_specials(to, json_member(json, "ids"), err);
}

static int parse_database(struct azure_database *to, const cJSON *json, struct err *err)
{
    static const char *const known[] = {"id", "containers"};
    static const struct json_field fields[] = {{"id", JSON_STRING, offsetof(struct azure_database, id), true}};
    const cJSON *item;

    *to = (struct azure_database){0};
    if (check_members(json, known, ARRAY_LEN(known), err) < 0 ||
        json_decode(json, fields, ARRAY_LEN(fields), to, err) < 0)
        return -1;
    cJSON_ArrayForEach (item, json_member(json, "containers")) {
        to->containers = xrealloc(to->containers, (to->n + 1) * sizeof(*to->containers));
        if (parse_container(&to->containers[to->n++], item, err) < 0)
            return err_wrap(err, "containers[%zu]", to->n - 1);
    }
    return 0;
}

static int fill(struct azure_data *data, const cJSON *json, struct err *err)
{
    static const char *const known[] = {"databases", "listPage", "readers"};
    static const struct json_field fields[] = {{"listPage", JSON_INT, offsetof(struct azure_data, list_page)}};
    const cJSON *item, *readers = json_member(json, "readers");

    data->list_page = 100;
    if (check_members(json, known, ARRAY_LEN(known), err) < 0 ||
        json_decode(json, fields, ARRAY_LEN(fields), data, err) < 0)
        return -1;
    if (data->list_page < 1)
        return err_set(err, ERR_INVALID, "\"listPage\" must be at least 1");
    cJSON_ArrayForEach (item, json_member(json, "databases")) {
        data->databases = xrealloc(data->databases, (data->n + 1) * sizeof(*data->databases));
        if (parse_database(&data->databases[data->n++], item, err) < 0)
            return err_wrap(err, "databases[%zu]", data->n - 1);
    }
    if (readers)
        data->readers = xcalloc((size_t)cJSON_GetArraySize(readers) + 1, sizeof(char *));
    cJSON_ArrayForEach (item, readers)
        data->readers[data->n_readers++] = xstrdup(cJSON_IsString(item) ? item->valuestring : "");
    return 0;
}

int azure_data_parse(struct azure_data **ret, const cJSON *json, struct err *err)
{
    struct azure_data *data = xcalloc(1, sizeof(*data));

    if (fill(data, json, err) < 0) {
        (void)azure_data_free(data);
        return -1;
    }
    *ret = data;
    return 0;
}

/* ---- Looking ---- */

struct azure_database *azure_data_database(const struct azure_data *data, const char *id)
{
    for (size_t i = 0; data && i < data->n; i++)
        if (str_eq(data->databases[i].id, id))
            return &data->databases[i];
    return NULL;
}

struct azure_container *azure_data_container(struct azure_database *database, const char *id)
{
    for (size_t i = 0; database && i < database->n; i++)
        if (str_eq(database->containers[i].id, id))
            return &database->containers[i];
    return NULL;
}

bool azure_data_may_read(const struct azure_data *data, const char *client_id)
{
    if (!data || !data->readers)
        return true;
    for (size_t i = 0; i < data->n_readers; i++)
        if (str_eq_nocase(data->readers[i], client_id))
            return true;
    return false;
}

const struct azure_range *azure_container_range(const struct azure_container *container, const char *id)
{
    int64_t number = 0;

    if (!str_to_i64(id, 0, INT32_MAX, &number))
        return NULL;
    for (size_t i = 0; i < container->n_ranges; i++)
        if (container->ranges[i].id == number)
            return &container->ranges[i];
    return NULL;
}

void azure_range_end(int place, char ret[static 3])
{
    if (place <= 0)
        ret[0] = '\0';
    else
        (void)snprintf(ret, 3, "%02X", (unsigned)place & 0xFF);
}

/* ---- Queries ---- */

static void split(struct azure_container *container)
{
    struct azure_range old = container->ranges[0];
    int middle = (old.from + old.to) / 2;

    if (middle == old.from)
        return;
    container->ranges = xrealloc(container->ranges, (container->n_ranges + 1) * sizeof(*container->ranges));
    container->ranges[0] = (struct azure_range){container->next_range, old.from, middle, old.id};
    container->ranges[container->n_ranges++] = (struct azure_range){container->next_range + 1, middle, old.to, old.id};
    container->next_range += 2;
}

bool azure_container_query(struct azure_container *container)
{
    int64_t n = ++container->queries, after = container->throttle_after;

    if (container->split_after >= 0 && n == container->split_after + 1)
        split(container);
    return n > after && n <= after + container->throttle_times;
}

/* The id of a document, in b. False: there is no such document. */
static bool put_id(const struct azure_container *container, int64_t number, struct buf *b)
{
    buf_clear(b);
    if (number < container->documents) {
        buf_printf(b, "document-%08lld", (long long)number);
        return true;
    }
    number -= container->documents;
    for (size_t i = 0; i < container->n_specials; i++) {
        const struct azure_special *special = &container->specials[i];
        if (number >= special->count) {
            number -= special->count;
            continue;
        }
        for (int64_t k = 0; k < special->repeat; k++)
            buf_puts(b, special->text);
        if (special->count > 1)
            buf_printf(b, "%lld", (long long)number);
        return true;
    }
    return false;
}

static int64_t characters(const char *s)
{
    int64_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

int64_t azure_container_page(const struct azure_container *container, const struct azure_page_question *question,
    void (*found)(void *ctx, const char *id, int64_t number), void *ctx)
{
    _cleanup_(buf_done) struct buf id = BUF_INIT(ID_MAX + 32);
    int64_t looked_at = 0, items = 0, number;

    for (number = question->offset; put_id(container, number, &id); number++) {
        int place = (int)(number * 37 % AZURE_HASH_SPACE);
        if (place < question->from || place >= question->to)
            continue;
        if (looked_at == container->per_page || (question->max_items > 0 && items == question->max_items))
            return number;
        looked_at++;
        if (characters(buf_str(&id)) <= question->more_chars)
            continue;
        found(ctx, buf_str(&id), number);
        items++;
    }
    return -1;
}
