/* The core: every request passes through here before and after a fake handles it.
 *
 * Invariant: a call is answered exactly once, or its connection is closed. Requests come from the server's one thread,
 * answers of held exchanges from any, so one mutex covers rules, journal and clock; it is never held while the server
 * is called. */
#include "fakes/fake_common_core.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common_later.h"
#include "json/json.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

struct fake_core {
    pthread_mutex_t lock;
    struct fake_faults faults;
    struct fake_journal journal;
    int64_t clock_offset_ms;
    struct fake_later *later;
};

struct fake_call {
    struct fake_core *core;
    struct httpd_exchange *exchange;
    int64_t seq; /* 0: not in the journal */
    struct fake_action action;
};

const char fake_core_help[] =
    "Inspection API (no token; JSON; the same for every fake):\n"
    "  POST   /fake/faults    add a rule, or an array of rules:\n"
    "         "
    "{\"match\":{\"method\",\"pathContains\",\"queryContains\",\"bodyContains\",\"agentContains\",\"nth\":1,\"count\":"
    "1},\n"
    "          "
    "\"action\":{\"status\",\"headers\":{},\"body\",\"commit\",\"cut\":\"before\"|\"after\",\"delayMs\",\"hold\","
    "\"kill\",\"retryAfter\"}}\n"
    "         nth counts the requests that match from now on; count 0 is for ever. A status replaces handling, with\n"
    "         commit only the answer. cut closes the connection before or after the request took effect. delayMs\n"
    "         delays the answer, not the effect. hold never answers and has no effect.\n"
    "         kill, with cut, is a file: SIGKILL to the process whose pid it holds, at that moment.\n"
    "  GET    /fake/faults    how often each rule has matched and fired;  DELETE removes all rules but those that "
    "kill\n"
    "  GET    /fake/requests?since=SEQ&method=M&pathContains=P   the journal;  DELETE empties it\n"
    "  GET    /fake/requests/summary?…  how many of those there are, and when the first and the last came\n"
    "  POST   /fake/clock     {\"advanceMs\":60000} moves the fake's clock on\n";

struct fake_core *fake_core_new(void)
{
    struct fake_core *core = xcalloc(1, sizeof(*core));

    (void)pthread_mutex_init(&core->lock, NULL);
    core->later = fake_later_new();
    return core;
}

struct fake_core *fake_core_free(struct fake_core *core)
{
    if (!core)
        return NULL;
    (void)fake_later_free(core->later);
    fake_faults_clear(&core->faults);
    fake_journal_done(&core->journal);
    (void)pthread_mutex_destroy(&core->lock);
    free(core);
    return NULL;
}

void fake_core_wait(struct fake_core *core)
{
    fake_later_run(core->later);
}

void fake_core_shut(struct fake_core *core)
{
    fake_later_shut(core->later);
}

int64_t fake_core_now(struct fake_core *core)
{
    (void)pthread_mutex_lock(&core->lock);
    int64_t now = clock_wall_ms() + core->clock_offset_ms;
    (void)pthread_mutex_unlock(&core->lock);
    return now;
}

/* ---- The shared inspection API; called with the lock held ---- */

static void refuse(struct fake_reply *reply, const struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();

    json_add_string(tree, "error", err->msg);
    fake_reply_json(reply, 400, tree);
}

static void add_faults(struct fake_core *core, const struct httpd_request *request, struct fake_reply *reply)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;
    const cJSON *rule;

    reply->status = 204;
    if (json_parse(&tree, request->body, request->body_len, &err) < 0)
        return refuse(reply, &err);
    if (!cJSON_IsArray(tree)) {
        if (fake_faults_add(&core->faults, tree, &err) < 0)
            refuse(reply, &err);
        return;
    }
    cJSON_ArrayForEach (rule, tree)
        if (fake_faults_add(&core->faults, rule, &err) < 0)
            return refuse(reply, &err);
}

static void read_journal(struct fake_core *core, const struct httpd_request *request, struct fake_reply *reply,
    void (*print)(struct fake_journal *journal, const struct fake_journal_filter *filter, struct buf *b))
{
    struct fake_journal_filter filter = {0};
    char since[24] = "0", method[16], path[512];

    if (httpd_query(request, "method", method, sizeof(method)))
        filter.method = method;
    if (httpd_query(request, "pathContains", path, sizeof(path)))
        filter.path_contains = path;
    if (httpd_query(request, "since", since, sizeof(since)))
        (void)str_to_i64(since, 0, INT64_MAX, &filter.since);
    print(&core->journal, &filter, &reply->body);
}

static void move_clock(struct fake_core *core, const struct httpd_request *request, struct fake_reply *reply)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;
    int64_t ms;

    if (json_parse(&tree, request->body, request->body_len, &err) < 0)
        return refuse(reply, &err);
    if (!json_int(json_at(tree, "advanceMs"), false, &ms) || ms < 0) {
        (void)err_set(&err, ERR_INVALID, "\"advanceMs\" must be a number of milliseconds that is not negative");
        return refuse(reply, &err);
    }
    core->clock_offset_ms += ms;
    reply->status = 204;
}

/* False: not one of the shared paths. */
static bool inspect_locked(struct fake_core *core, const struct httpd_request *request, struct fake_reply *reply)
{
    bool get = str_eq(request->method, "GET"), post = str_eq(request->method, "POST");
    bool delete = str_eq(request->method, "DELETE");

    reply->status = 200;
    if (str_eq(request->path, "/fake/faults") && post) {
        add_faults(core, request, reply);
    } else if (str_eq(request->path, "/fake/faults") && get) {
        fake_faults_print(&core->faults, &reply->body);
    } else if (str_eq(request->path, "/fake/faults") && delete) {
        fake_faults_heal(&core->faults);
        reply->status = 204;
    } else if (str_eq(request->path, "/fake/requests") && get) {
        read_journal(core, request, reply, fake_journal_print);
    } else if (str_eq(request->path, "/fake/requests/summary") && get) {
        read_journal(core, request, reply, fake_journal_summarize);
    } else if (str_eq(request->path, "/fake/requests") && delete) {
        fake_journal_clear(&core->journal);
        reply->status = 204;
    } else if (str_eq(request->path, "/fake/clock") && post) {
        move_clock(core, request, reply);
    } else {
        return false;
    }
    fake_reply_header(reply, "content-type", "application/json");
    return true;
}

static struct fake_call *call_new(struct fake_core *core, struct httpd_exchange *exchange)
{
    struct fake_call *call = xcalloc(1, sizeof(*call));

    call->core = core;
    call->exchange = exchange;
    return call;
}

static struct fake_call *inspect(
    struct fake_core *core, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    _cleanup_(fake_reply_done) struct fake_reply reply = FAKE_REPLY_INIT;

    (void)pthread_mutex_lock(&core->lock);
    bool shared = inspect_locked(core, request, &reply);
    (void)pthread_mutex_unlock(&core->lock);
    if (!shared)
        return call_new(core, exchange);
    fake_reply_send(&reply, exchange);
    return NULL;
}

/* ---- Calls ---- */

static struct fake_call *call_free(struct fake_call *call)
{
    fake_action_done(&call->action);
    free(call);
    return NULL;
}

static void note_status(struct fake_call *call, int status)
{
    struct fake_core *core = call->core;

    (void)pthread_mutex_lock(&core->lock);
    struct fake_entry *entry = call->seq ? fake_journal_at(&core->journal, call->seq) : NULL;
    if (entry) {
        entry->status = status;
        entry->took_us = clock_wall_us() - entry->received_us;
    }
    (void)pthread_mutex_unlock(&core->lock);
}

/* The one that a rule wants dead is, before anything else happens. What it would have got stays in the journal. */
static void kill_sender(struct fake_call *call, int status)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(32);
    struct fake_core *core = call->core;
    struct err err = ERR_INIT;
    int64_t pid = 0;

    if (!call->action.kill_file)
        return;
    if (file_read(call->action.kill_file, &text, &err) == 0 && str_to_i64(buf_str(&text), 2, INT32_MAX, &pid))
        (void)kill((pid_t)pid, SIGKILL);
    note_status(call, status);
    (void)pthread_mutex_lock(&core->lock);
    struct fake_entry *entry = call->seq ? fake_journal_at(&core->journal, call->seq) : NULL;
    if (entry)
        entry->killed = call->action.killed;
    (void)pthread_mutex_unlock(&core->lock);
}

static void apply_rule(const struct fake_action *action, struct fake_reply *reply)
{
    const cJSON *header;

    if (action->status) {
        reply->status = action->status;
        reply->status_text = NULL;
        buf_clear(&reply->body);
        buf_puts(&reply->body, action->body ? action->body : "");
    }
    cJSON_ArrayForEach (header, action->headers)
        fake_reply_header(reply, header->string, "%s", header->valuestring);
    if (action->retry_after >= 0)
        fake_reply_header(reply, "retry-after", "%lld", (long long)action->retry_after);
}

void fake_call_reply(struct fake_call *call, struct fake_reply *reply)
{
    if (call->action.some)
        apply_rule(&call->action, reply);
    if (call->action.cut == FAKE_CUT_AFTER) {
        kill_sender(call, reply->status);
        httpd_abort(call->exchange);
        (void)call_free(call);
        return;
    }
    note_status(call, reply->status);
    if (call->action.delay_ms > 0)
        fake_later_reply(call->core->later, call->exchange, reply, call->action.delay_ms);
    else
        fake_reply_send(reply, call->exchange);
    (void)call_free(call);
}

struct httpd_exchange *fake_call_stream(struct fake_call *call, int status)
{
    struct httpd_exchange *exchange = call->exchange;

    if (call->action.cut == FAKE_CUT_AFTER) {
        kill_sender(call, status);
        httpd_abort(exchange);
        exchange = NULL;
    } else {
        note_status(call, status);
    }
    (void)call_free(call);
    return exchange;
}

struct httpd_exchange *fake_call_exchange(struct fake_call *call)
{
    return call->exchange;
}

void fake_call_hide_body(struct fake_call *call, const char *shown)
{
    struct fake_core *core = call->core;

    (void)pthread_mutex_lock(&core->lock);
    struct fake_entry *entry = call->seq ? fake_journal_at(&core->journal, call->seq) : NULL;
    if (entry)
        str_replace(&entry->body, shown);
    (void)pthread_mutex_unlock(&core->lock);
}

/* Rules that leave nothing for the fake to handle. */
static struct fake_call *replace_handling(struct fake_call *call)
{
    if (call->action.cut == FAKE_CUT_BEFORE) {
        kill_sender(call, 0);
        httpd_abort(call->exchange);
        return call_free(call);
    }
    if (call->action.hold) {
        fake_later_hold(call->core->later, call->exchange);
        return call_free(call);
    }
    if (call->action.status && !call->action.commit) {
        _cleanup_(fake_reply_done) struct fake_reply reply = FAKE_REPLY_INIT;
        fake_reply_header(&reply, "content-type", "application/json");
        fake_call_reply(call, &reply);
        return NULL;
    }
    return call;
}

struct fake_call *fake_call_begin(
    struct fake_core *core, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    if (str_has_prefix(request->path, "/fake/"))
        return inspect(core, exchange, request);
    struct fake_call *call = call_new(core, exchange);
    const char *correlation = httpd_request_header(exchange, "x-ms-correlation-request-id");
    const char *agent = httpd_request_header(exchange, "user-agent");
    (void)pthread_mutex_lock(&core->lock);
    call->seq = fake_journal_add(&core->journal, request, clock_wall_ms() + core->clock_offset_ms);
    struct fake_entry *entry = fake_journal_at(&core->journal, call->seq);
    entry->received_us = clock_wall_us();
    entry->correlation_id = xstrdup(correlation);
    entry->agent = xstrdup(agent);
    fake_faults_match(&core->faults, request, agent, &call->action);
    (void)pthread_mutex_unlock(&core->lock);
    return replace_handling(call);
}
