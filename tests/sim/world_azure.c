/* Azure as the process reaches it: an http_client that answers from the model of fake-azure, or as a fault says. */
#include "sim/world.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define ENDPOINT "https://management.azure.com"
#define TIMEOUT_MS 90000 /* after which pkg/azure gives up */
#define GATEWAY_MS 60000 /* after which ARM gives up */
#define LATE_CUT_MS 5000
#define LATE_MS 50000

struct world_http {
    struct http_client client; /* first: perform() finds the rest through it */
    struct world *world;
};

struct exchange {
    struct world *w;
    const struct http_request *request;
    struct http_response *response;
    struct err *err;
    enum effect effect;
    char *path;
    const char *query;
};

/* ---- answers ---- */

static int answer(struct exchange *x, int status, const char *code, const char *message)
{
    struct buf *b = &x->response->body;

    buf_clear(b);
    x->response->status = status;
    buf_puts(b, "{\"error\":{\"code\":");
    buf_put_json_string(b, code, strlen(code));
    buf_puts(b, ",\"message\":");
    buf_put_json_string(b, message, strlen(message));
    buf_puts(b, "}}");
    return 0;
}

static int no_answer(struct exchange *x, enum err_kind kind, bool maybe_sent, const char *message)
{
    (void)err_set(x->err, kind, "%s", message);
    x->err->maybe_sent = maybe_sent;
    return -1;
}

static int later(struct exchange *x, int status, const char *code, const char *message, int seconds)
{
    if (seconds)
        buf_printf(&x->response->headers, "retry-after: %d\n", seconds);
    return answer(x, status, code, message);
}

/* ---- the account ---- */

static struct azure_account *account_of(struct exchange *x)
{
    const char *name = strrchr(x->path, '/') + 1;
    struct azure_account *account = azure_model_account(x->w->model, name);

    if (!account)
        (void)answer(x, 404, "ResourceNotFound", "The Resource was not found.");
    return account;
}

static void show(struct exchange *x, const struct azure_account *account)
{
    x->response->status = 200;
    azure_account_print(x->w->model, account, &x->response->body);
}

static int read_account(struct exchange *x)
{
    struct azure_account *account = account_of(x);
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (!account)
        return 0;
    show(x, account);
    (void)json_parse(&tree, buf_str(&x->response->body), x->response->body.len, NULL);
    if (x->effect == EFFECT_READ_ACCOUNT)
        oracle_seen(x->w, tree);
    return 0;
}

/* ---- a change ---- */

static enum cmk_step_type type_of(const cJSON *body)
{
    return json_member(body, "identity")                 ? CMK_ATTACH_IDENTITY
           : json_at(body, "properties.defaultIdentity") ? CMK_SET_DEFAULT_IDENTITY
           : json_at(body, "properties.keyVaultKeyUri")  ? CMK_ENABLE_KEY
                                                         : CMK_NO_STEP;
}

static void remember(struct world *w, const cJSON *body, const char *text, const struct azure_verdict *verdict)
{
    if (w->n_patches == WORLD_MAX_PATCHES) {
        violation(w, "changes without end");
        return;
    }
    w->patches[w->n_patches++] = (struct world_patch){.body = xstrdup(text),
        .status = verdict->status,
        .operation = verdict->status == 200 ? verdict->operation : NULL,
        .type = type_of(body)};
}

static void accepted(struct exchange *x, const struct azure_account *account, const struct azure_operation *operation)
{
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    azure_operation_query(x->w->model, operation, operation->status_path, &query);
    buf_printf(
        &x->response->headers, "azure-asyncoperation: " ENDPOINT "%s?%s\n", operation->status_path, buf_str(&query));
    azure_model_advance(x->w->model, x->w->now);
    show(x, account);
}

static int patch_account(struct exchange *x)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    struct azure_account *account = account_of(x);
    _cleanup_(json_freep) cJSON *body = NULL;

    if (!account)
        return 0;
    if (json_parse(&body, x->request->body, x->request->body_len, NULL) < 0)
        return answer(x, 400, "InvalidRequestContent", "no JSON");
    azure_patch(x->w->model, account, "2025-10-15", body, x->w->now, &verdict);
    remember(x->w, body, x->request->body, &verdict);
    if (verdict.status == 200)
        accepted(x, account, verdict.operation);
    else
        (void)answer(x, verdict.status, verdict.code, buf_str(&verdict.message));
    buf_done(&verdict.message);
    return 0;
}

/* ---- an operation ---- */

static int read_operation(struct exchange *x)
{
    struct world *w = x->w;
    const char *id = strrchr(x->path, '/') + 1;
    const struct azure_operation *op = azure_operation_find(w->model, id, w->now);
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    if (!op)
        return answer(x, 404, "NotFound", "The operation was not found.");
    azure_operation_query(w->model, op, op->status_path, &query);
    if (!str_eq(x->path, op->status_path) || !str_eq(x->query, buf_str(&query))) {
        violation(w, "the operation's URL was changed on its way");
        return answer(x, 403, "Forbidden", "changed URL");
    }
    x->response->status = 200;
    buf_printf(&x->response->body, "{\"status\":\"%s\"", azure_operation_word(w->model, op, w->now));
    if (op->code) {
        buf_printf(&x->response->body, ",\"error\":{\"code\":\"%s\",\"message\":", op->code);
        buf_put_json_string(&x->response->body, op->message, strlen(op->message));
        buf_putc(&x->response->body, '}');
    }
    buf_putc(&x->response->body, '}');
    return 0;
}

/* ---- faults ---- */

/* 1: the fault stands in the way of the request, and *ret_r is what the caller gets. */
static int fault_before(struct exchange *x, enum fault fault, int *ret_r)
{
    bool sent = x->effect == EFFECT_PATCH;

    *ret_r = 0;
    switch (fault) {
    case FAULT_CRASH_BEFORE:
        *ret_r = no_answer(x, ERR_CANCELLED, sent, "this process is dead");
        return 1;
    case FAULT_CUT_BEFORE:
        x->w->now += TIMEOUT_MS;
        *ret_r = no_answer(x, ERR_TIMEOUT, sent, "no answer within 90s");
        return 1;
    case FAULT_LATE:
        x->w->now += LATE_CUT_MS;
        x->w->late.at = x->w->now + LATE_MS;
        str_replace(&x->w->late.account, strrchr(x->path, '/') + 1);
        str_replace(&x->w->late.body, x->request->body);
        *ret_r = no_answer(x, ERR_UNAVAILABLE, sent, "the connection was cut");
        return 1;
    case FAULT_TOKEN:
        *ret_r = no_answer(x, ERR_UNAUTHORIZED, false, "AADSTS7000215: Invalid client secret provided.");
        return 1;
    case FAULT_429:
    case FAULT_429_LATER:
        return later(x, 429, "TooManyRequests", "Too many requests.", fault == FAULT_429 ? 0 : 17), 1;
    case FAULT_500:
        return answer(x, 500, "InternalServerError", "The server encountered an internal error."), 1;
    case FAULT_503_LATER:
        return later(x, 503, "ServiceUnavailable", "The service is unavailable.", 30), 1;
    case FAULT_403:
        return answer(x, 403, "AuthorizationFailed", "The client does not have authorization to perform this action."),
               1;
    case FAULT_404:
        return answer(x, 404, "ResourceNotFound", "The Resource was not found."), 1;
    case FAULT_412:
        return answer(x, 412, "PreconditionFailed",
                   "There is already an operation in progress which requires exclusive lock on this service."),
               1;
    default:
        return 0;
    }
}

static int fault_after(struct exchange *x, enum fault fault)
{
    bool sent = x->effect == EFFECT_PATCH;

    if (world_dies_after(x->w, fault))
        return no_answer(x, ERR_CANCELLED, sent, "this process is dead");
    switch (fault) {
    case FAULT_PAUSE:
        world_pause(x->w);
        return 0;
    case FAULT_CUT_AFTER:
        x->w->now += TIMEOUT_MS;
        return no_answer(x, ERR_TIMEOUT, sent, "no answer within 90s");
    case FAULT_504_AFTER:
        x->w->now += GATEWAY_MS;
        return answer(
            x, 504, "GatewayTimeout", "The gateway did not receive a response within the specified time period.");
    case FAULT_GARBAGE:
        buf_clear(&x->response->body);
        buf_puts(&x->response->body, "<html>Your connection is being checked</html>");
        return 0;
    default:
        return 0;
    }
}

/* ---- the client ---- */

static const char *header(const struct http_request *request, const char *name)
{
    for (const struct http_header *h = request->headers; h < request->headers + HTTP_MAX_REQUEST_HEADERS && h->name;
         h++)
        if (str_eq_nocase(h->name, name))
            return h->value;
    return "";
}

static const char *last_part(const char *s)
{
    const char *slash = s ? strrchr(s, '/') : NULL;

    return slash ? slash + 1 : str_empty(s) ? "none" : s;
}

static void describe_body(struct exchange *x, const cJSON *tree, struct buf *b)
{
    if (x->response->status != 200)
        buf_printf(b, "%d %s", x->response->status, json_string_at(tree, "error.code"));
    else if (!tree)
        buf_puts(b, "200 without sense");
    else if (x->effect == EFFECT_READ_OPERATION)
        buf_puts(b, json_string_at(tree, "status"));
    else
        buf_printf(b, "%s, key %s, default identity %s", json_string_at(tree, "properties.provisioningState"),
            last_part(json_string_at(tree, "properties.keyVaultKeyUri")),
            last_part(json_string_at(tree, "properties.defaultIdentity")));
}

static enum trace weight_of(struct exchange *x, const char *word)
{
    struct world *w = x->w;

    if (x->effect != EFFECT_READ_OPERATION)
        return x->effect == EFFECT_PATCH ? TRACE_NEWS : TRACE_USUAL;
    bool same = str_eq(word, w->operation_word);
    str_replace(&w->operation_word, word);
    return same ? TRACE_DETAIL : TRACE_NEWS;
}

static void trace(struct exchange *x, int r)
{
    static const char *const what[EFFECT_COUNT] = {
        [EFFECT_READ_ACCOUNT] = "GET account", [EFFECT_READ_OPERATION] = "GET operation", [EFFECT_PATCH] = "PATCH "};
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (x->w->dead)
        return;
    (void)json_parse(&tree, buf_str(&x->response->body), x->response->body.len, NULL);
    if (r < 0)
        buf_puts(&b, x->err->msg);
    else
        describe_body(x, tree, &b);
    trace_effect(x->w, weight_of(x, buf_str(&b)), "%s%s: %s", what[x->effect],
        x->effect == EFFECT_PATCH ? x->request->body : "", buf_str(&b));
}

static int exchange(struct exchange *x)
{
    enum fault fault = world_begin_effect(x->w, x->effect);
    int r = 0;

    if (!x->w->dead && x->request->permit && !x->request->permit(x->request->permit_ctx))
        return no_answer(x, ERR_CANCELLED, false, "it was no longer permitted");
    if (x->effect == EFFECT_PATCH && !x->w->dead && fault != FAULT_TOKEN) {
        _cleanup_(json_freep) cJSON *body = NULL;
        (void)json_parse(&body, x->request->body, x->request->body_len, NULL);
        oracle_patch(x->w, azure_model_account(x->w->model, strrchr(x->path, '/') + 1), body,
            header(x->request, "x-ms-correlation-request-id"));
    }
    if (fault_before(x, fault, &r))
        return r;
    r = x->effect == EFFECT_PATCH            ? patch_account(x)
        : x->effect == EFFECT_READ_OPERATION ? read_operation(x)
                                             : read_account(x);
    return r < 0 ? r : fault_after(x, fault);
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct exchange x = {.w = ((struct world_http *)self)->world, .request = request, .response = response, .err = err};

    if (!str_has_prefix(request->url, ENDPOINT "/")) {
        violation(x.w, "a request to %.60s", request->url);
        return err_set(err, ERR_UNAVAILABLE, "no such host");
    }
    x.path = xstrdup(request->url + strlen(ENDPOINT));
    char *query = strchr(x.path, '?');
    if (query)
        *query++ = '\0';
    x.query = query;
    x.effect = str_eq(request->method, "PATCH")       ? EFFECT_PATCH
               : strstr(x.path, "/operationsStatus/") ? EFFECT_READ_OPERATION
                                                      : EFFECT_READ_ACCOUNT;
    int r = exchange(&x);
    trace(&x, r);
    free(x.path);
    return r;
}

struct http_client *world_http_new(struct world *w)
{
    struct world_http *http = xcalloc(1, sizeof(*http));

    *http = (struct world_http){.client = {.perform = perform}, .world = w};
    return &http->client;
}

/* ---- for the tests ---- */

void world_account(struct world *w, const char *name, const char *members)
{
    struct err err = ERR_INIT;
    cJSON *json = NULL;
    _cleanup_(freep) char *text = xasprintf(
        "{\"subscription\":\"" SUBSCRIPTION "\",\"resourceGroup\":\"shop\"%s%s}", members[0] ? "," : "", members);

    if (json_parse(&json, text, strlen(text), &err) < 0 || azure_model_put(w->model, name, json, w->now, &err) < 0)
        violation(w, "the test's account is wrong: %s", err.msg);
    (void)json_free(json);
}

struct azure_account *world_azure_account(const struct world *w, const char *name)
{
    return azure_model_account(w->model, name);
}

void world_azure_patch(struct world *w, const char *name, const char *body)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    cJSON *json = NULL;

    azure_model_advance(w->model, w->now);
    if (json_parse(&json, body, strlen(body), NULL) == 0)
        azure_patch(w->model, azure_model_account(w->model, name), "2025-10-15", json, w->now, &verdict);
    (void)json_free(json);
    trace_note(w, "somebody sends PATCH %s: %d", body, verdict.status);
    buf_done(&verdict.message);
}

static void arrive_late(struct world *w)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    cJSON *body = NULL;

    azure_model_advance(w->model, w->late.at);
    if (json_parse(&body, w->late.body, strlen(w->late.body), NULL) == 0) {
        azure_patch(w->model, azure_model_account(w->model, w->late.account), "2025-10-15", body, w->late.at, &verdict);
        remember(w, body, w->late.body, &verdict);
    }
    w->late.at = 0;
    (void)json_free(body);
    buf_done(&verdict.message);
}

void world_azure_advance(struct world *w)
{
    if (w->late.at && w->late.at <= w->now)
        arrive_late(w);
    azure_model_advance(w->model, w->now);
}

size_t world_accepted(const struct world *w, enum cmk_step_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_patches; i++)
        n += w->patches[i].type == type && w->patches[i].operation != NULL;
    return n;
}
