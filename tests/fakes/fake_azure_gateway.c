/* The Cosmos DB gateway of an account, under /cosmos/ACCOUNT/: lists, partition key ranges and the few queries that a
 * scan needs.
 *
 * A page of a query is what was found in so many documents, often nothing, and goes on while there is a continuation.
 * What the real gateway refuses across partitions (TOP, ORDER BY, aggregates) is refused here, range or not. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_MAX_ITEMS 1000

/* What a request is about. */
struct target {
    struct azure_account *account;
    char *database, *container; /* decoded; NULL: not in the path */
    const char *type;           /* last in the path: "", "dbs", "colls", "pkranges", "docs" */
    struct buf link;
};

static void target_done(struct target *target)
{
    free(target->database);
    free(target->container);
    buf_done(&target->link);
}

void azure_gateway_error(
    struct azure_request *r, int status, int substatus, const char *code, bool nested, const char *text)
{
    _cleanup_(buf_done) struct buf message = BUF_INIT(65536), full = BUF_INIT(65536);
    struct buf *b = &r->reply->body;

    if (nested) {
        buf_puts(&message, "Message: {\"Errors\":[");
        buf_put_json_string(&message, text, strlen(text));
        buf_puts(&message, "]}");
    } else {
        buf_puts(&message, text);
    }
    azure_put_message(r, &full, buf_str(&message));
    r->reply->status = status;
    fake_reply_header(r->reply, "x-ms-substatus", "%d", substatus);
    buf_clear(b);
    buf_puts(b, "{\"code\":");
    buf_put_json_string(b, code, strlen(code));
    buf_puts(b, ",\"message\":");
    buf_put_json_string(b, full.data, full.len);
    buf_putc(b, '}');
}

static void begin(struct azure_request *r)
{
    azure_model_guid(r->azure->model, NULL, r->request_id);
    fake_reply_header(r->reply, "content-type", "application/json");
    fake_reply_header(r->reply, "cache-control", "no-store, no-cache");
    fake_reply_header(r->reply, "server", "Microsoft-HTTPAPI/2.0");
    fake_reply_header(r->reply, "x-ms-gatewayversion", "version=2.14.0");
    fake_reply_header(r->reply, "x-ms-activity-id", "%s", r->request_id);
    fake_reply_header(r->reply, "x-ms-request-charge", "%s", "1");
}

static void rid_of(struct azure_request *r, const char *database, const char *container, char ret[16])
{
    _cleanup_(freep) char *text = xasprintf("rid %s/%s", database, container ? container : "");
    char guid[AZURE_GUID_SIZE];

    azure_model_guid(r->azure->model, text, guid);
    (void)snprintf(ret, 16, "%.8s==", guid);
}

/* ---- Lists ---- */

/* The part of a list that this page shows; sets the continuation. */
static void page_of(struct azure_request *r, const struct azure_data *data, size_t n, size_t *ret_from, size_t *ret_to)
{
    const char *token = httpd_request_header(r->exchange, "x-ms-continuation");
    int64_t from = 0, size = data ? data->list_page : 100;

    if (token && !str_to_i64(token, 0, (int64_t)n, &from))
        from = (int64_t)n;
    *ret_from = (size_t)from;
    *ret_to = (size_t)(from + size < (int64_t)n ? from + size : (int64_t)n);
    fake_reply_header(r->reply, "x-ms-item-count", "%zu", *ret_to - *ret_from);
    if (*ret_to < n)
        fake_reply_header(r->reply, "x-ms-continuation", "%zu", *ret_to);
}

static void put_database(struct azure_request *r, const char *id, struct buf *b)
{
    char rid[16];

    rid_of(r, id, NULL, rid);
    buf_puts(b, "{\"id\":");
    buf_put_json_string(b, id, strlen(id));
    buf_printf(b,
        ",\"_rid\":\"%s\",\"_self\":\"dbs/%s/\",\"_etag\":\"\\\"0000\\\"\",\"_colls\":\"colls/\",\"_users\":\"users/\","
        "\"_ts\":1763618400}",
        rid, rid);
}

static void put_container(struct azure_request *r, const char *database, const char *id, struct buf *b)
{
    char rid[16];

    rid_of(r, database, id, rid);
    buf_puts(b, "{\"id\":");
    buf_put_json_string(b, id, strlen(id));
    buf_printf(b,
        ",\"indexingPolicy\":{\"indexingMode\":\"consistent\",\"automatic\":true,\"includedPaths\":[{\"path\":\"/"
        "*\"}],\"excludedPaths\":[]},\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\",\"version\":2},"
        "\"_rid\":\"%s\",\"_ts\":1763618400,\"_self\":\"dbs/d/colls/%s/\",\"_etag\":\"\\\"0000\\\"\",\"_docs\":"
        "\"docs/\"}",
        rid, rid);
}

static void put_range(const struct azure_range *range, struct buf *b)
{
    char from[3], to[3], parent[24] = "";

    azure_range_end(range->from, from);
    azure_range_end(range->to, to);
    if (range->parent >= 0)
        (void)snprintf(parent, sizeof(parent), "\"%d\"", range->parent);
    buf_printf(b,
        "{\"_rid\":\"r%d==\",\"id\":\"%d\",\"_etag\":\"\\\"0000\\\"\",\"minInclusive\":\"%s\",\"maxExclusive\":\"%s\","
        "\"ridPrefix\":%d,\"_self\":\"dbs/d/colls/c/pkranges/r%d==/\",\"throughputFraction\":1,\"status\":\"online\","
        "\"parents\":[%s],\"_ts\":1763618400}",
        range->id, range->id, from, to, range->id, range->id, parent);
}

static void list_databases(struct azure_request *r, const struct target *t)
{
    const struct azure_data *data = t->account->data;
    struct buf *b = &r->reply->body;
    size_t from, to;

    page_of(r, data, data ? data->n : 0, &from, &to);
    buf_puts(b, "{\"_rid\":\"\",\"Databases\":[");
    for (size_t i = from; i < to; i++) {
        buf_puts(b, i > from ? "," : "");
        put_database(r, data->databases[i].id, b);
    }
    buf_printf(b, "],\"_count\":%zu}", to - from);
}

static void list_containers(struct azure_request *r, const struct target *t, const struct azure_database *database)
{
    struct buf *b = &r->reply->body;
    size_t from, to;
    char rid[16];

    rid_of(r, database->id, NULL, rid);
    page_of(r, t->account->data, database->n, &from, &to);
    buf_printf(b, "{\"_rid\":\"%s\",\"DocumentCollections\":[", rid);
    for (size_t i = from; i < to; i++) {
        buf_puts(b, i > from ? "," : "");
        put_container(r, database->id, database->containers[i].id, b);
    }
    buf_printf(b, "],\"_count\":%zu}", to - from);
}

static void list_ranges(struct azure_request *r, const struct target *t, const struct azure_container *container)
{
    struct buf *b = &r->reply->body;
    size_t from, to;
    char rid[16];

    rid_of(r, t->database, t->container, rid);
    page_of(r, t->account->data, container->n_ranges, &from, &to);
    buf_printf(b, "{\"_rid\":\"%s\",\"PartitionKeyRanges\":[", rid);
    for (size_t i = from; i < to; i++) {
        buf_puts(b, i > from ? "," : "");
        put_range(&container->ranges[i], b);
    }
    buf_printf(b, "],\"_count\":%zu}", to - from);
}

/* ---- Queries ---- */

struct query {
    int64_t more_chars; /* -1: all */
    bool ids_only;
};

static bool is_for_newer_clients(const char *text)
{
    static const char *const words[] = {" TOP ", " ORDER BY ", " GROUP BY ", " OFFSET ", "DISTINCT", " VALUE ",
        "COUNT(", "SUM(", "MAX(", "MIN(", "AVG("};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_find_nocase(text, words[i]))
            return true;
    return false;
}

static bool parse_query(const char *text, struct query *ret)
{
    static const char by_length[] = "SELECT c.id FROM c WHERE LENGTH(c.id) > ";

    *ret = (struct query){.more_chars = -1, .ids_only = !str_eq(text, "SELECT * FROM c")};
    if (str_has_prefix(text, by_length))
        return str_to_i64(text + strlen(by_length), 0, 100000, &ret->more_chars);
    return str_eq(text, "SELECT c.id FROM c") || !ret->ids_only;
}

/* The query of the body; false: the refusal is in the reply. */
static bool read_query(struct azure_request *r, const struct target *t, struct query *ret)
{
    const char *type = httpd_request_header(r->exchange, "content-type");
    const char *api = httpd_request_header(r->exchange, "x-ms-cosmos-apitype");
    _cleanup_(json_freep) cJSON *body = NULL;

    if (!str_eq(type, "application/query+json")) {
        azure_gateway_error(r, 400, 0, "BadRequest", false,
            "The content type of a query must be application/query+json and nothing else (text of fake-azure).");
        return false;
    }
    if (str_eq_nocase(t->account->kind, "MongoDB") && !str_eq(api, "MongoDB")) {
        azure_gateway_error(r, 400, 0, "BadRequest", false,
            "An account of the API for MongoDB wants x-ms-cosmos-apitype (text of fake-azure).");
        return false;
    }
    const char *text =
        json_parse(&body, r->http->body, r->http->body_len, NULL) == 0 ? json_string_at(body, "query") : NULL;
    if (text && is_for_newer_clients(text)) {
        azure_gateway_error(r, 400, 1004, "BadRequest", false,
            "The provided cross partition query can not be directly served by the gateway. This is a first chance "
            "(internal) exception that all newer clients will know how to handle gracefully.");
        return false;
    }
    if (text && parse_query(text, ret))
        return true;
    azure_gateway_error(
        r, 400, 0, "BadRequest", true, "fake-azure does not understand this query (text of fake-azure).");
    return false;
}

/* Range "" of the header is everything. False: the refusal is in the reply. */
static bool find_range(struct azure_request *r, const struct azure_container *container, struct azure_page_question *q)
{
    const char *id = httpd_request_header(r->exchange, "x-ms-documentdb-partitionkeyrangeid");
    const char *enabled = httpd_request_header(r->exchange, "x-ms-documentdb-query-enablecrosspartition");
    const struct azure_range *range = id ? azure_container_range(container, id) : NULL;

    q->from = 0;
    q->to = AZURE_HASH_SPACE;
    if (!id && !str_eq_nocase(enabled, "true") && container->n_ranges > 1) {
        azure_gateway_error(r, 400, 0, "BadRequest", false,
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to "
            "true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.");
        return false;
    }
    if (id && !range) {
        azure_gateway_error(r, 410, 1002, "Gone", true, "The requested resource is no longer available at the server.");
        return false;
    }
    if (range) {
        q->from = range->from;
        q->to = range->to;
    }
    return true;
}

/* {"token":"+RID:~…#RT:1#TRC:0#OFF:n","range":{"min":"","max":"FF"}}; the range must be the one that is asked for. */
static bool read_continuation(struct azure_request *r, struct azure_page_question *q)
{
    const char *token = httpd_request_header(r->exchange, "x-ms-continuation");
    _cleanup_(json_freep) cJSON *tree = NULL;
    char from[3], to[3];

    if (!token)
        return true;
    azure_range_end(q->from, from);
    azure_range_end(q->to, to);
    const char *text = json_parse(&tree, token, strlen(token), NULL) == 0 ? json_string_at(tree, "token") : NULL;
    const char *offset = text ? strstr(text, "#OFF:") : NULL;
    if (offset && str_to_i64(offset + strlen("#OFF:"), 0, INT64_MAX, &q->offset) &&
        str_eq(json_string_at(tree, "range.min"), from) && str_eq(json_string_at(tree, "range.max"), to))
        return true;
    azure_gateway_error(r, 400, 0, "BadRequest", true, "Invalid Continuation Token");
    return false;
}

static void put_continuation(struct azure_request *r, const struct azure_page_question *q, int64_t next)
{
    char from[3], to[3];

    azure_range_end(q->from, from);
    azure_range_end(q->to, to);
    fake_reply_header(r->reply, "x-ms-continuation",
        "{\"token\":\"+RID:~abc==#RT:1#TRC:0#OFF:%lld\",\"range\":{\"min\":\"%s\",\"max\":\"%s\"}}", (long long)next,
        from, to);
}

struct page {
    struct buf *b;
    bool ids_only;
    size_t n;
};

static void put_document(void *ctx, const char *id, int64_t number)
{
    struct page *page = ctx;

    buf_puts(page->b, page->n++ ? ",{\"id\":" : "{\"id\":");
    buf_put_json_string(page->b, id, strlen(id));
    if (!page->ids_only)
        buf_printf(page->b, ",\"pk\":\"p%lld\",\"_rid\":\"d%lld\",\"_etag\":\"\\\"0\\\"\",\"_ts\":1763618400",
            (long long)(number % 100), (long long)number);
    buf_putc(page->b, '}');
}

static int64_t max_items(struct azure_request *r)
{
    const char *text = httpd_request_header(r->exchange, "x-ms-max-item-count");
    int64_t n = DEFAULT_MAX_ITEMS;

    if (text && str_to_i64(text, -1, 10000, &n) && n > 0)
        return n;
    return DEFAULT_MAX_ITEMS;
}

static void run_query(struct azure_request *r, const struct target *t, struct azure_container *container)
{
    struct azure_page_question q = {0};
    struct query query;
    struct page page = {.b = &r->reply->body};
    char rid[16];

    if (!read_query(r, t, &query))
        return;
    if (azure_container_query(container)) {
        fake_reply_header(r->reply, "x-ms-retry-after-ms", "%lld", (long long)container->throttle_ms);
        fake_reply_header(r->reply, "x-ms-request-charge", "%s", "0.38");
        azure_gateway_error(r, 429, 3200, "TooManyRequests", true,
            "Request rate is large. More Request Units may be needed, so no changes were made. Please retry this "
            "request later. Learn more: http://aka.ms/cosmosdb-error-429");
        return;
    }
    if (!find_range(r, container, &q) || !read_continuation(r, &q))
        return;
    q.max_items = max_items(r);
    q.more_chars = query.more_chars;
    page.ids_only = query.ids_only;
    rid_of(r, t->database, t->container, rid);
    buf_printf(page.b, "{\"_rid\":\"%s\",\"Documents\":[", rid);
    int64_t next = azure_container_page(container, &q, put_document, &page);
    buf_printf(page.b, "],\"_count\":%zu}", page.n);
    if (next >= 0)
        put_continuation(r, &q, next);
    fake_reply_header(r->reply, "x-ms-item-count", "%zu", page.n);
    fake_reply_header(r->reply, "x-ms-request-charge", "%lld.%03lld", (long long)(container->charge_milli / 1000),
        (long long)(container->charge_milli % 1000));
    fake_reply_header(r->reply, "x-ms-session-token", "%s", "0:-1#1");
}

/* ---- Routes ---- */

/* What an SDK asks for first: where to read and write. */
static void describe_account(struct azure_request *r, const struct target *t)
{
    const char *name = t->account->name, *place = t->account->location;
    _cleanup_(freep) char *where =
        xasprintf("[{\"name\":\"%s\",\"databaseAccountEndpoint\":\"%s/cosmos/%s/\"}]", place, r->azure->base_url, name);

    buf_printf(&r->reply->body,
        "{\"_self\":\"\",\"id\":\"%s\",\"_rid\":\"%s.documents.azure.com\",\"media\":\"//media/\",\"addresses\":"
        "\"//addresses/\",\"_dbs\":\"//dbs/\",\"writableLocations\":%s,\"readableLocations\":%s,"
        "\"enableMultipleWriteLocations\":false,\"userReplicationPolicy\":{\"asyncReplication\":false,"
        "\"minReplicaSetSize\":3,\"maxReplicasetSize\":4},\"userConsistencyPolicy\":{\"defaultConsistencyLevel\":"
        "\"Session\"},\"systemReplicationPolicy\":{\"minReplicaSetSize\":3,\"maxReplicasetSize\":4},\"readPolicy\":{"
        "\"primaryReadCoefficient\":1,\"secondaryReadCoefficient\":1},\"queryEngineConfiguration\":\"{}\"}",
        name, name, where, where);
}

static void not_found(struct azure_request *r, int substatus, const char *text)
{
    azure_gateway_error(r, 404, substatus, "NotFound", true, text);
}

static void answer(struct azure_request *r, const struct target *t)
{
    struct azure_database *database = t->database ? azure_data_database(t->account->data, t->database) : NULL;
    struct azure_container *container = t->container ? azure_data_container(database, t->container) : NULL;
    bool get = str_eq(r->http->method, "GET");

    if (get && str_eq(t->type, ""))
        describe_account(r, t);
    else if (get && str_eq(t->type, "dbs") && !t->database)
        list_databases(r, t);
    else if (!database || (t->container && !container))
        not_found(r, 1003, "Owner resource does not exist");
    else if (get && str_eq(t->type, "dbs"))
        put_database(r, database->id, &r->reply->body);
    else if (get && str_eq(t->type, "colls") && !container)
        list_containers(r, t, database);
    else if (get && str_eq(t->type, "colls"))
        put_container(r, database->id, container->id, &r->reply->body);
    else if (get && str_eq(t->type, "pkranges"))
        list_ranges(r, t, container);
    else if (str_eq(r->http->method, "POST") && str_eq(t->type, "docs") &&
             str_eq_nocase(httpd_request_header(r->exchange, "x-ms-documentdb-isquery"), "true"))
        run_query(r, t, container);
    else
        azure_gateway_error(
            r, 405, 0, "MethodNotAllowed", false, "fake-azure only lists and queries (text of fake-azure).");
}

/* "dbs", "dbs/D", "dbs/D/colls", "dbs/D/colls/C", "dbs/D/colls/C/docs", "…/pkranges". */
static bool read_path(struct azure_request *r, struct target *t)
{
    char **s = r->segments + 2;
    size_t n = r->n_segments - 2;

    t->type = n == 0 ? "" : n > 4 ? s[4] : n > 2 ? "colls" : "dbs";
    if (n > 5 || (n > 0 && !str_eq(s[0], "dbs")) || (n > 2 && !str_eq(s[2], "colls")) ||
        (n > 4 && !str_eq(s[4], "docs") && !str_eq(s[4], "pkranges")))
        return false;
    if (n > 1) {
        t->database = azure_gateway_decoded(s[1]);
        buf_printf(&t->link, "dbs/%s", t->database);
    }
    if (n > 3) {
        t->container = azure_gateway_decoded(s[3]);
        buf_printf(&t->link, "/colls/%s", t->container);
    }
    return true;
}

void azure_gateway(struct azure_request *r)
{
    _cleanup_(target_done) struct target t = {.link = BUF_INIT(65536)};

    begin(r);
    t.account = azure_model_account(r->azure->model, r->segments[1]);
    if (!t.account || !read_path(r, &t)) {
        not_found(r, 0, "There is nothing here (text of fake-azure).");
        return;
    }
    if (!httpd_request_header(r->exchange, "x-ms-version")) {
        azure_gateway_error(
            r, 400, 0, "BadRequest", false, "Required Header x-ms-version is missing (text of fake-azure).");
        return;
    }
    if (!azure_gateway_authorize(r, t.account, t.type, buf_str(&t.link)))
        return;
    if (azure_account_revoked(t.account)) {
        r->reply->status = 403;
        fake_reply_header(r->reply, "x-ms-substatus", "%d", 4002);
        buf_puts(
            &r->reply->body, "{\"Errors\":[\"Request is blocked due to Customer Managed Key not being accessible.\"]}");
        return;
    }
    answer(r, &t);
}
